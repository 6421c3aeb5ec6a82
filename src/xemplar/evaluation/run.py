"""One split through an archive: drafts from the archive's index, retrieval in a gallery of the split.

Knows what is compared with what, and refuses what would not be honest; scores and pages are made
next door.
"""

from __future__ import annotations

import json
import math
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
from xemplar.drafting import truth_of
from xemplar.errors import MismatchError, XemplarError
from xemplar.evaluation.floors import LinearFloor
from xemplar.evaluation.scores import Resampling, Run, Score, draft_scores, finding_scores, ranking_scores
from xemplar.findings import FINDINGS, summarise
from xemplar.folders import write_atomic
from xemplar.metrics import ranking
from xemplar.metrics.clinical import count_labels
from xemplar.records import Draft, Film, Split, Study, Vectors
from xemplar.report import text_key

LINEAR, CONSTANT = "linear floor", "constant normal report"
NORMAL = "The heart is normal in size. The lungs are clear. No pleural effusion or pneumothorax."

Report = Callable[[str], None]
"""Told the name of each stage as it begins."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything a page needs: the summary, the studies in order, their drafts and per-study scores.

    The summary is JSON as it stands: None where a score is undefined, and no NaN.
    """

    summary: Json
    studies: tuple[Study, ...]
    drafts: tuple[Draft, ...]
    per_study: dict[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class _Gallery:
    """The evaluated studies that have images and text, and both systems' vectors of them."""

    studies: tuple[Study, ...]
    keys: tuple[str, ...]
    images: dict[str, Vectors]
    texts: dict[str, Vectors]


def evaluate(
    archive: Archive,
    *,
    split: Split = "test",
    replicates: int = 1000,
    seed: int = 0,
    on_stage: Report | None = None,
) -> Evaluation:
    """Score an archive on one split of its corpus.

    Drafts come from the archive's own index; retrieval is ranked in a temporary gallery of the
    evaluated studies alone. Intervals resample patients (groups, or studies, where no one said who
    the patients are). Refuses an index that holds an evaluated study or its patient.
    """
    told = on_stage or (lambda stage: None)
    studies = tuple(study for study in archive.corpus.part(split) if study.views)
    _check_honest(archive, studies, split)
    resampling = Resampling(np.array([study.facets["cluster"] for study in studies]), replicates, seed)
    told("linear floor")
    floor = _linear(archive, seed)
    told("gallery")
    gallery = _gallery(archive, studies, floor)
    told("retrieval scores")
    retrieval = _retrieval(archive, gallery, replicates, seed)
    told("drafts")
    drafts = tuple(archive.draft_many([archive.films_of(study) for study in studies]))
    told("draft scores")
    reports = archive.corpus.settings.texts == "reports"
    drafted = _drafts(archive, studies, drafts, floor, resampling) if reports else None
    summary = {
        **_heading(archive, studies, split),
        "resampling": {"of": _unit(studies), "replicates": replicates, "seed": seed, "level": 0.95},
        "linear_floor_strength": floor.strength,
        "retrieval": retrieval,
        "drafts": drafted,
        "lines_per_draft": float(np.mean([len(draft.lines) for draft in drafts])),
        "silent_drafts": sum(not draft.lines for draft in drafts),
    }
    return Evaluation(_defined(summary), studies, drafts, _per_study(gallery, studies, drafts))


def save_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write summary.json, scores.parquet and drafts.jsonl; the page is made from the same."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        json.dumps(as_dict(draft), ensure_ascii=False, allow_nan=False) + "\n" for draft in evaluation.drafts
    ]
    write_atomic(folder / "drafts.jsonl", "".join(rows).encode())
    pq.write_table(pa.table(dict(evaluation.per_study)), folder / "scores.parquet")
    summary = json.dumps(evaluation.summary, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomic(folder / "summary.json", (summary + "\n").encode())


def _defined(summary: Json) -> Json:
    """The same with null for every score that is undefined, since JSON has no NaN."""
    return {name: _or_null(value) for name, value in summary.items()}


def _or_null(value: object) -> object:
    if isinstance(value, dict):
        return _defined(value)
    if isinstance(value, list | tuple):
        return [_or_null(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
    if len(clusters) < 2:
        raise XemplarError(
            f"{len(clusters)} patient or group in {split}", wanted="at least 2, to resample them"
        )


def _heading(archive: Archive, studies: Sequence[Study], split: Split) -> Json:
    corpus, manifest = archive.corpus, archive.index.manifest
    return {
        "title": describe_part(corpus.settings.domain, studies),
        "domain": corpus.settings.domain,
        "texts": corpus.settings.texts,
        "split": split,
        "studies": len(studies),
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


def _linear(archive: Archive, seed: int) -> LinearFloor:
    """The floor, fitted on the training part, as the model is."""
    studies = [s for s in archive.corpus.part("train") if s.views and s.text]
    previews = archive.corpus.previews([_first_view(study) for study in studies])
    texts = [study.text for study in studies]
    return LinearFloor(previews, texts, [study.facets["cluster"] for study in studies], seed=seed)


def _first_view(study: Study) -> str:
    """The frontal view where there is one, else the first."""
    frontal = [view for view in study.views if view.position == "frontal"]
    return (frontal or list(study.views))[0].view_id


def _gallery(archive: Archive, studies: Sequence[Study], floor: LinearFloor) -> _Gallery:
    held = tuple(study for study in studies if study.text)
    if len(held) < 2:
        raise XemplarError(f"{len(held)} studies with images and text to rank", wanted="at least 2")
    texts = [" ".join(study.text.split()) for study in held]
    ours: list[Sequence[Film]] = [archive.films_of(study) for study in held]
    previews = archive.corpus.previews([_first_view(study) for study in held])
    return _Gallery(
        studies=held,
        keys=tuple(text_key(text) for text in texts),
        images={"ours": archive.retriever.vectors_of(ours), LINEAR: floor.encode_images(previews)},
        texts={"ours": archive.encoder.encode_texts(texts), LINEAR: floor.encode_texts(texts)},
    )


def _retrieval(archive: Archive, gallery: _Gallery, replicates: int, seed: int) -> Json:
    relevant = ranking.same_key(gallery.keys, gallery.keys)
    clusters = Resampling(np.array([s.facets["cluster"] for s in gallery.studies]), replicates, seed)
    similar = {name: gallery.images[name] @ gallery.texts[name].T for name in gallery.images}
    subsets = {"all": np.ones(len(gallery.studies), np.bool_)}
    if archive.corpus.settings.texts == "reports":
        present = ["present" in truth_of(study).values() for study in gallery.studies]
        subsets["with a present finding"] = np.array(present, np.bool_)
    tables = []
    for direction in ("image to text", "text to image"):
        for subset, rows in subsets.items():
            if rows.sum() < 2:
                continue
            matrices = {n: (m if direction == "image to text" else m.T)[rows] for n, m in similar.items()}
            runs = [Run(name, matrix) for name, matrix in matrices.items()]
            scores = ranking_scores(runs, relevant[rows], clusters.of(rows))
            tables.append(
                {
                    "direction": direction,
                    "queries": int(rows.sum()),
                    "subset": subset,
                    "gallery": len(gallery.studies),
                    "scores": [score.json() for score in scores],
                }
            )
    distinct = len(set(gallery.keys))
    return {
        "gallery": len(gallery.studies),
        "distinct_texts": distinct,
        "equal_text": "equally right",
        "tables": tables,
    }


def _drafts(
    archive: Archive,
    studies: Sequence[Study],
    drafts: Sequence[Draft],
    floor: LinearFloor,
    resampling: Resampling,
) -> Json:
    truths = [truth_of(study) for study in studies]
    labelled = all(study.labels for study in studies)
    findings = [name for name in FINDINGS if not labelled or any(name in truth for truth in truths)]

    def table(said: Sequence[set[str]]) -> NDArray[np.bool_]:
        return np.array([[name in one for name in findings] for one in said], np.bool_)

    truth = table([{name for name, value in one.items() if value == "present"} for one in truths])
    ours = count_labels(table([_stated(draft) for draft in drafts]), truth, findings=findings)
    floors = {
        LINEAR: count_labels(table(_linear_drafts(archive, studies, floor)), truth, findings=findings),
        CONSTANT: count_labels(np.zeros_like(truth), truth, findings=findings),
    }
    decided = [claim for draft in drafts for line in draft.lines for claim in line.claims]
    scores: list[Score] = draft_scores(ours, floors, resampling)
    return {
        "truth": "labels of the source (for phantoms: what was drawn)"
        if labelled
        else "claims of the real report",
        "findings": findings,
        "calibration": archive.calibration.fingerprint if archive.calibration else None,
        "drafts": len(drafts),
        "constant_normal_report": NORMAL,
        "claims_present": sum(claim.presence == "present" for claim in decided),
        "claims_absent": sum(claim.presence == "absent" for claim in decided),
        "abstentions": sum(len(draft.abstained) for draft in drafts),
        "stopped_at_the_gate": sum(draft.gate is not None for draft in drafts),
        "scores": [score.json() for score in scores],
        "by_finding": [score.json() for score in finding_scores(ours, floors, resampling)],
    }


def _stated(draft: Draft) -> set[str]:
    return {claim.finding for line in draft.lines for claim in line.claims if claim.presence == "present"}


def _linear_drafts(archive: Archive, studies: Sequence[Study], floor: LinearFloor) -> list[set[str]]:
    """What the training report nearest to the linear model's guess states as present."""
    train = [study for study in archive.corpus.part("train") if study.text]
    texts = floor.encode_texts([study.text for study in train])
    queries = floor.encode_images(archive.corpus.previews([_first_view(study) for study in studies]))
    nearest = np.argmax(queries @ texts.T, axis=1)
    claims = [summarise(train[row].claims) for row in nearest]
    return [{name for name, value in one.items() if value == "present"} for one in claims]


def _per_study(
    gallery: _Gallery, studies: Sequence[Study], drafts: Sequence[Draft]
) -> dict[str, NDArray[np.generic]]:
    relevant = ranking.same_key(gallery.keys, gallery.keys)
    place = {study.study_id: row for row, study in enumerate(gallery.studies)}
    columns: dict[str, NDArray[np.generic]] = {
        "study_id": np.array([study.study_id for study in studies]),
        "cluster": np.array([study.facets["cluster"] for study in studies]),
        "lines": np.array([len(draft.lines) for draft in drafts]),
    }
    for name in gallery.images:
        ranks = ranking.right_ranks(gallery.images[name] @ gallery.texts[name].T, relevant)
        at = [ranks[place[s.study_id]] if s.study_id in place else -1 for s in studies]
        columns[f"rank image to text, {name}"] = np.array(at, np.int64)
    return columns
