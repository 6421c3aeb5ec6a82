"""What is fitted on an archive's validation part: when to state and to be silent, and how to classify.

Knows who may be learnt from and who is left out; the fits are in the rooms below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from xemplar import classify as classifying
from xemplar import drafting
from xemplar.archive.facade import Archive
from xemplar.archive.gating import fit_gate
from xemplar.corpus import describe_part
from xemplar.drafting.calibration import Calibration
from xemplar.drafting.gate import save_gate
from xemplar.errors import XemplarError
from xemplar.index import fitted_to
from xemplar.records import Presence, Study

Truth = Callable[[Study], Mapping[str, Presence]]
"""What a study is held to."""


def calibrate(archive: Archive, folder: Path, *, truth: Truth = drafting.truth_of) -> Calibration:
    """Fit probabilities and thresholds on the validation part of the archive's corpus, and its classifier.

    `truth` says what a validation study is held to: its source's labels where it has any, else its
    report's claims; or `drafting.claims_of`, the report alone.

    Refused where the index holds validation patients, since they would find themselves; a study of
    which a film, or nearly, is in another split as well is left out and counted.
    """
    if archive.corpus.settings.texts == "captions":
        raise XemplarError(
            "a corpus of captions has no findings to calibrate", remedy="caption drafts need none"
        )
    if archive.evidence is None:
        raise XemplarError("no sentence in the index", where=str(archive.corpus.folder))
    if "val" in archive.index.manifest["parts"]:
        raise XemplarError("the index holds the validation part", wanted="an index of train alone")
    studies, copies = _held_back(archive)
    queries = [archive.films_of(study) for study in studies]
    vectors = archive.retriever.vectors_of(queries)
    leaves = [archive.retriever.leave_of(query) for query in queries]
    images = [[film.image for film in query] for query in queries]
    truths = [truth(study) for study in studies]
    title = describe_part(archive.corpus.settings.provenance, studies)
    held = classifying.Held(vectors, leaves, truths, studies=studies, title=title, near_duplicates=copies)
    classifier = _fit_classifier(archive, held)  # first, since what it learns is evidence too
    evidence = archive.evidence.features(vectors, leaves, images)
    fitted = drafting.fit(
        evidence,
        truths,
        index=fitted_to(archive.index),
        title=title,
        near_duplicates=copies,
        names=archive.evidence.names,
    )
    save_gate(folder, fit_gate(archive.retriever))
    drafting.save_calibration(folder, fitted)
    if classifier is None:
        classifying.drop_fitted(folder)
    else:
        classifying.save_fitted(folder, classifier)
    return fitted


def _held_back(archive: Archive) -> tuple[list[Study], int]:
    """The validation studies to fit on, and how many are left out for a film in another split."""
    asked = [study for study in archive.corpus.part("val") if study.views and (study.text or study.labels)]
    kept, copies = archive.corpus.held_apart(asked)
    studies = list(kept)
    if not studies:
        left = f", {copies} left out whose films are in another split too" if copies else ""
        raise XemplarError(
            f"no validation study with images and text{left}", where=str(archive.corpus.folder)
        )
    return studies, copies


def _fit_classifier(archive: Archive, held: classifying.Held) -> classifying.Fitted | None:
    """Fit and take the classifier; where that can't be, the archive says why."""
    assert archive.evidence is not None
    try:
        features = archive.evidence.features
        fitted = classifying.fit(archive.retriever, features, held, augmented=archive.head)
    except XemplarError as error:
        archive.classify_not(error)
        return None
    archive.classify_by(fitted)
    return fitted
