"""One split through an archive: drafts from the archive's index, retrieval in a gallery of the split.

Knows what is compared with what, and refuses what would not be honest; scores and pages are made
next door.
"""

from __future__ import annotations

import io
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict as as_dict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from xemplar import __version__
from xemplar.archive import Archive
from xemplar.contracts import Json
from xemplar.corpus import describe_part
from xemplar.errors import MismatchError, XemplarError
from xemplar.evaluation.drafted import hold_drafts, score_drafts, score_trust
from xemplar.evaluation.floors import fit_floor
from xemplar.evaluation.galleries import make_gallery, rank_columns, score_gallery
from xemplar.evaluation.printed import defined
from xemplar.evaluation.scores import Resampling
from xemplar.evaluation.texts.folder import save_texts
from xemplar.evaluation.texts.run import TextScores
from xemplar.evaluation.words import in_short, score_words
from xemplar.folders import refusals_told, write_atomic
from xemplar.records import Draft, Film, Split, Study

Report = Callable[[str], None]
"""Told the name of each stage as it begins."""

WORDS = "words"
"""Folder within the report for the drafts' words: its own summary, pairs, scores and page."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything a page needs: the summary, the studies in order, their drafts and per-study scores.

    The summary is JSON as it stands: None where a score is undefined, and no NaN.
    """

    summary: Json
    studies: tuple[Study, ...]
    drafts: tuple[Draft, ...]
    per_study: dict[str, NDArray[np.generic]]
    words: TextScores | None = None
    """The drafts' words against those really written."""


def evaluate(
    archive: Archive,
    *,
    split: Split = "test",
    replicates: int = 1000,
    seed: int = 0,
    on_stage: Report | None = None,
) -> Evaluation:
    """Score an archive on one split of its corpus.

    Drafts come from the archive's own index; retrieval is ranked in a gallery of the evaluated studies.
    Intervals resample patients (groups or studies, where patients are unknown). A study of which a film,
    or nearly, is in another split too is left out and counted. Refuses an index that holds its patients.
    """
    told = on_stage or (lambda stage: None)
    studies, copies = _evaluated(archive, split, told)
    resampling = Resampling(_clusters(studies), replicates, seed)
    told("linear floor")
    floor = fit_floor(archive.corpus, seed)
    told("gallery")
    films: list[Sequence[Film]] = [archive.films_of(study) for study in studies]
    vectors = archive.retriever.vectors_of(films)
    gallery = make_gallery(archive, studies, vectors=vectors, floor=floor)
    told("retrieval scores")
    reports = archive.corpus.settings.texts == "reports"
    retrieval = score_gallery(gallery, resampling.of(_written(studies)), reports=reports)
    told("drafts")
    drafts = tuple(archive.draft_many(films, vectors=vectors))
    told("draft scores")
    drafted = hold_drafts(archive, studies, drafts, floor=floor) if reports else None
    told("wording")
    words = score_words(archive.corpus, studies, drafts, resampling=resampling)
    summary = {
        **_heading(archive, studies, split, left_out=copies),
        "resampling": {"of": _unit(studies), "replicates": replicates, "seed": seed, "level": 0.95},
        "linear_floor_strength": floor.strength,
        "retrieval": retrieval,
        "drafts": score_drafts(drafted, archive, vectors=vectors, resampling=resampling) if drafted else None,
        "trust": score_trust(drafted, archive, vectors=vectors, resampling=resampling) if drafted else None,
        "words": in_short(words),
        **_lines(drafts),
    }
    columns = _columns(studies, drafts) | rank_columns(gallery, studies)
    columns |= drafted.columns() if drafted else {}
    return Evaluation(defined(summary), studies, drafts, columns, words)


def _lines(drafts: Sequence[Draft]) -> Json:
    return {
        "lines_per_draft": float(np.mean([len(draft.lines) for draft in drafts])),
        "silent_drafts": sum(not draft.lines for draft in drafts),
    }


def _evaluated(archive: Archive, split: Split, told: Report) -> tuple[tuple[Study, ...], int]:
    """The studies to be scored, and how many are left out for films that are in another split too."""
    asked = tuple(study for study in archive.corpus.part(split) if study.views)
    _check_honest(archive, asked, split)
    _check_drafts(archive)
    told("near-duplicates")
    studies, copies = archive.corpus.held_apart(asked)
    _check_enough(studies, copies, split)
    return studies, copies


def _written(studies: Sequence[Study]) -> NDArray[np.bool_]:
    return np.array([bool(study.text) for study in studies], np.bool_)


def _clusters(studies: Sequence[Study]) -> NDArray[np.str_]:
    return np.array([study.facets["cluster"] for study in studies])


def _columns(studies: Sequence[Study], drafts: Sequence[Draft]) -> dict[str, NDArray[np.generic]]:
    return {
        "study_id": np.array([study.study_id for study in studies]),
        "cluster": _clusters(studies),
        "lines": np.array([len(draft.lines) for draft in drafts]),
    }


def save_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write summary.json, scores.parquet, drafts.jsonl and words/; the pages are made from the same."""
    rows = [
        json.dumps(as_dict(draft), ensure_ascii=False, allow_nan=False) + "\n" for draft in evaluation.drafts
    ]
    scores = io.BytesIO()
    pq.write_table(pa.table(dict(evaluation.per_study)), scores)
    summary = json.dumps(evaluation.summary, indent=1, ensure_ascii=False, allow_nan=False)
    with refusals_told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "drafts.jsonl", "".join(rows).encode())
        write_atomic(folder / "scores.parquet", scores.getvalue())
        write_atomic(folder / "summary.json", (summary + "\n").encode())
    if (words := evaluation.words) is not None:
        save_texts(folder / WORDS, words.summary, words.pairs, per_study=words.per_study)


def _check_honest(archive: Archive, studies: Sequence[Study], split: Split) -> None:
    corpus, parts = archive.corpus, archive.index.manifest["parts"]
    if not studies:
        raise XemplarError(f"no study with images in {split}", where=str(corpus.folder))
    clusters = {study.facets["cluster"] for study in studies}
    held = {study.facets["cluster"] for study in corpus.studies if study.split in parts}
    if shared := clusters & held:
        raise MismatchError(
            f"the index ({', '.join(parts)}) holds {len(shared)} of the evaluated patients or groups",
            wanted="an index without them", remedy="build one with `xemplar index --parts train`",
        )  # fmt: skip


def _check_enough(studies: Sequence[Study], copies: int, split: Split) -> None:
    clusters = {study.facets["cluster"] for study in studies}
    if len(clusters) < 2:
        left = f", {copies} studies left out whose films are in another split too" if copies else ""
        raise XemplarError(
            f"{len(clusters)} patient or group in {split}{left}", wanted="at least 2, to resample them"
        )


def _check_drafts(archive: Archive) -> None:
    """Before anything is computed: drafts of reports need sentences and, of ours, a calibration."""
    if archive.corpus.settings.texts == "captions":
        return
    _ = archive.drafter  # which says what it lacks


def _heading(archive: Archive, studies: Sequence[Study], split: Split, *, left_out: int) -> Json:
    corpus, manifest = archive.corpus, archive.index.manifest
    return {
        "title": describe_part(corpus.settings.provenance, studies),
        "domain": corpus.settings.domain,
        "texts": corpus.settings.texts,
        "split": split,
        "studies": len(studies),
        "left_out": {"near_duplicates": left_out},
        "corpus": {
            "source": corpus.settings.source,
            "title": corpus.title,
            "fingerprint": corpus.fingerprint,
        },
        "index": {
            "parts": manifest["parts"],
            "counts": manifest["counts"],
            "fingerprint": archive.index.fingerprint,
        },
        "model": {"fingerprint": archive.encoder.fingerprint, "domain": archive.encoder.domain},
        "archive": archive.fingerprint,
        "versions": {"xemplar": __version__, "python": platform.python_version(), "numpy": np.__version__},
    }


def _unit(studies: Sequence[Study]) -> str:
    if all(study.patient_id is not None for study in studies):
        return "patients"
    units = {study.split_unit for study in studies}
    return "groups (patients unknown)" if units == {"group"} else "studies (patients unknown)"
