"""What is fitted on an archive's validation part: when to state and to be silent, and how to classify.

Knows who may be learnt from, who is left out, and who is kept for the promise; the fits are rooms above.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from xemplar import classify as classifying
from xemplar import drafting
from xemplar.archive.checking import fit_checks
from xemplar.archive.facade import Archive
from xemplar.archive.gating import Gatekeeper, fit_gate
from xemplar.archive.promised import under_of
from xemplar.check import CheckLimits, save_limits
from xemplar.corpus import describe_part
from xemplar.drafting.beliefs import Limits
from xemplar.drafting.calibration import Calibration
from xemplar.drafting.composition import Gathered
from xemplar.drafting.details_fit import HeldBack, fit_details
from xemplar.drafting.drift import seen_of
from xemplar.drafting.gate import Gate, save_gate
from xemplar.drafting.generations import check_place
from xemplar.drafting.limits import Half, Trial, guess, half_of, one_each, patient_of, promised
from xemplar.drafting.policies.case import Case
from xemplar.drafting.policies.evidence import ByEvidence
from xemplar.drafting.promise import Asked, Promise
from xemplar.drafting.truth import Truth, held_to
from xemplar.errors import XemplarError
from xemplar.index import fitted_to
from xemplar.records import Line, Study

KEPT = 512
"""Studies of which all that may be quoted is kept while limits are tried out."""

ASKED = Asked()


def calibrate(
    archive: Archive,
    folder: Path,
    *,
    truth: Callable[[Study], Truth] = held_to,
    promise: Asked | None = ASKED,
) -> Calibration:
    """Fit probabilities and limits on the validation part of the archive's corpus, its gate and classifier.

    `truth` says what a validation study is held to: what was drawn, its source's labels, or its report's
    claims; or `drafting.held_to_report`, the report alone. With a `promise` half of the patients, by a
    hash of their keys, fit everything but the limits, and the other half nothing else: then what was asked is
    kept, or nothing is drafted. Without one all of them fit everything, and nothing is promised.

    Refused where the index holds validation patients, since they would find themselves; a study of
    which a film, or nearly, is in another split as well is left out and counted.
    """
    _refuse(archive)
    check_place(folder)
    studies, copies = _held_back(archive)
    everybody = _validation(archive, studies, truth)
    fitting = everybody if promise is None else everybody.half("fit")
    gate = fit_gate(archive.retriever, None if promise is None else fitting.studies)
    try:
        classifier, fitted = _learnt(archive, fitting, copies)
    except XemplarError:
        if promise is None:
            raise
        classifier, fitted = _learnt(archive, everybody, copies)
        fitted = fitted.model_copy(update={"promise": _too_few(promise, everybody)})
    else:
        if promise is not None:
            halves = (fitting, everybody.half("promise"))
            fitted = _promised(archive, fitted, promise, halves=halves, gate=gate)
            fitted = fitted.model_copy(update={"under": under_of(archive, gate)})
    fitted = fitted.model_copy(update={"title": describe_part(archive.corpus.settings.provenance, studies)})
    tested = everybody if promise is None else everybody.half("promise")
    checks = fit_checks(archive, fitted, cases=tested.cases, studies=tested.studies)
    drafting.save_calibration(folder, fitted, parts=_parts(gate, checks, classifier))
    return fitted


def _parts(gate: Gate, checks: CheckLimits, classifier: classifying.Fitted | None) -> Callable[[Path], None]:
    """What writes them into the folder it is given."""

    def write(place: Path) -> None:
        save_gate(place, gate)
        save_limits(place, checks)
        if classifier is not None:
            classifying.save_fitted(place, classifier)

    return write


def asked_for(
    wrong_lines: float, denied: float, confidence: float, *, wrong_stated: float | None = None
) -> Asked:
    """The risks to keep, each between 0 and 1, `wrong_stated` if it is asked for; others are refused."""
    given = {"wrong_lines": wrong_lines, "denied": denied, "confidence": confidence}
    if wrong_stated is not None:
        given["wrong_stated"] = wrong_stated
    for name, value in given.items():
        if not 0.0 < value < 1.0:
            raise XemplarError(f"{name.replace('_', ' ')} {value:g}", wanted="a share between 0 and 1")
    return Asked(**given)


@dataclass(frozen=True, slots=True)
class _Validation:
    """Validation studies as drafts see them, and what each is held to."""

    studies: Sequence[Study]
    cases: Sequence[Case]
    truths: Sequence[Truth]

    def half(self, half: Half) -> _Validation:
        """The studies of one half of the patients."""
        rows = [row for row, study in enumerate(self.studies) if half_of(patient_of(study)) == half]
        return _Validation(
            [self.studies[row] for row in rows],
            [self.cases[row] for row in rows],
            [self.truths[row] for row in rows],
        )


def _refuse(archive: Archive) -> None:
    """Refuse an archive that can't be calibrated at all."""
    if archive.corpus.settings.texts == "captions":
        raise XemplarError(
            "a corpus of captions has no findings to calibrate", remedy="caption drafts need none"
        )
    if archive.evidence is None:
        raise XemplarError("no sentence in the index", where=str(archive.corpus.folder))
    if "val" in archive.index.manifest["parts"]:
        raise XemplarError("the index holds the validation part", wanted="an index of train alone")


def _validation(archive: Archive, studies: Sequence[Study], truth: Callable[[Study], Truth]) -> _Validation:
    queries = [archive.films_of(study) for study in studies]
    cases = archive.cases(queries, archive.retriever.vectors_of(queries))
    return _Validation(studies, cases, [truth(study) for study in studies])


def _learnt(
    archive: Archive, part: _Validation, copies: int
) -> tuple[classifying.Fitted | None, Calibration]:
    """A classifier first, since what it learns is evidence too; then probabilities."""
    if not part.studies:
        raise XemplarError("no validation study to fit on", where=str(archive.corpus.folder))
    return _fit_classifier(archive, part, copies), _fit(archive, part, copies)


def _too_few(asked: Asked, everybody: _Validation) -> Promise:
    """Nothing can be promised where half of the patients are too few to fit on."""
    patients = {patient_of(study) for study in everybody.studies}
    why = f"half of {len(patients)} validation patients are too few to fit on"
    return Promise(asked=asked, patients=0, studies=0, why=why)


def _fit(archive: Archive, part: _Validation, copies: int) -> Calibration:
    """Probabilities, details and thresholds; nothing promised yet."""
    assert archive.evidence is not None
    vectors, leaves = np.stack([case.vector for case in part.cases]), [case.leave for case in part.cases]
    images = [[film.image for film in case.films] for case in part.cases]
    fitted = drafting.fit(
        archive.evidence.features(vectors, leaves, images),
        [truth.presence for truth in part.truths],
        index=fitted_to(archive.index),
        title=describe_part(archive.corpus.settings.provenance, part.studies),
        near_duplicates=copies,
        names=archive.evidence.names,
    )
    held = HeldBack(vectors, part.studies, part.truths)
    return fitted.model_copy(update={"details": fit_details(archive.corpus, archive.index, held)})


def _promised(
    archive: Archive,
    fitted: Calibration,
    asked: Asked,
    *,
    halves: tuple[_Validation, _Validation],
    gate: Gate,
) -> Calibration:
    """The limits that keep what is asked, and what was seen of those it was found out on."""
    assert archive.evidence is not None and archive.composer is not None
    by = ByEvidence(archive.evidence, archive.composer, fitted)
    fitting, testing = halves
    first, second = by.held(fitting.cases), by.held(testing.cases)
    nearest = min(one.nearest for one in first)
    keeper = Gatekeeper(archive.retriever, gate)
    stopped = [keeper.why(case.films, case.vector) is not None for case in testing.cases]

    @lru_cache(maxsize=KEPT)
    def gathered(place: int) -> Gathered:
        return by.gathered(second[place])

    def draft(place: int, limits: Limits) -> Sequence[Line]:
        if stopped[place] or second[place].nearest < nearest:
            return ()
        return gathered(place).compose(limits).lines

    patients = [patient_of(study) for study in testing.studies]
    tested = Trial(patients, [one.beliefs for one in second], testing.truths, draft)
    made = promised(asked, tested, guess(asked, [one.beliefs for one in first]))
    made = made.model_copy(update={"counted": _counted(testing.studies)})
    fitted = fitted.model_copy(update={"promise": made, "nearest": nearest})
    chosen = one_each(patients)
    by = ByEvidence(archive.evidence, archive.composer, fitted)
    cases = [testing.cases[place] for place in chosen]
    seen = seen_of(by.features([second[place] for place in chosen], by.drafts(cases)))
    return fitted.model_copy(update={"seen": seen})


def _counted(studies: Sequence[Study]) -> str:
    """Who is counted as a patient."""
    if all(study.patient_id is not None for study in studies):
        return "patients"
    units = {study.split_unit for study in studies}
    return "groups, patients unknown" if units == {"group"} else "studies, patients unknown"


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


def _fit_classifier(archive: Archive, part: _Validation, copies: int) -> classifying.Fitted | None:
    """Fit and take the classifier; where that can't be, the archive says why."""
    assert archive.evidence is not None
    held = classifying.Held(
        np.stack([case.vector for case in part.cases]),
        [case.leave for case in part.cases],
        [truth.presence for truth in part.truths],
        studies=part.studies,
        title=describe_part(archive.corpus.settings.provenance, part.studies),
        near_duplicates=copies,
    )
    try:
        features = archive.evidence.features
        fitted = classifying.fit(archive.retriever, features, held, augmented=archive.head)
    except XemplarError as error:
        archive.classify_not(error)
        return None
    archive.classify_by(fitted)
    return fitted
