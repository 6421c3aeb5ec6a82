"""Retrieval in a gallery of the asked studies, in all four directions.

Knows scores of films and texts and what is right; knows no system. Between films and texts equal text is
equally right; between films, or between texts, what shares a truly present finding is right, and nobody
of one's own patient is a candidate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xemplar.evaluation.benchmark.asked import Asked, Columns, scattered
from xemplar.metrics.chance import chance_success
from xemplar.metrics.ranking import per_query
from xemplar.metrics.relevance import left_out, same_key, shared_findings

Matrix = NDArray[np.float32]

DEPTHS = (1, 5, 10)
IMAGE_REPORT, REPORT_IMAGE = "image to report", "report to image"
IMAGE_IMAGE, REPORT_REPORT = "image to image", "report to report"
MRR, LABEL_MAP = "MRR", "label mAP"


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Scores (queries, items) among the studies that have what is asked; None where nobody could be asked.

    `both` are the rows of studies with film and text, `films` and `texts` those with the one or the other.
    """

    image_report: Matrix | None = None
    report_image: Matrix | None = None
    image_image: Matrix | None = None
    report_report: Matrix | None = None


def both(asked: Asked) -> NDArray[np.int64]:
    """Rows of the studies that have film and text: the gallery between the two."""
    return np.flatnonzero(asked.filmed & asked.written)


def films(asked: Asked) -> NDArray[np.int64]:
    """Rows of the studies that have a film."""
    return np.flatnonzero(asked.filmed)


def texts(asked: Asked) -> NDArray[np.int64]:
    """Rows of the studies that have a text."""
    return np.flatnonzero(asked.written)


def retrieval_columns(asked: Asked, gallery: Gallery) -> Columns:
    """`<direction> success@k`, `<direction> MRR`, and `<direction> label mAP` of each study."""
    found: Columns = {}
    rows = both(asked)
    keys = [asked.keys[row] for row in rows]
    for direction, scores in ((IMAGE_REPORT, gallery.image_report), (REPORT_IMAGE, gallery.report_image)):
        if scores is not None and len(rows) > 1:
            found |= _between(asked, rows, scores, keys=keys, direction=direction)
    for direction, scores, own in (
        (IMAGE_IMAGE, gallery.image_image, films(asked)),
        (REPORT_REPORT, gallery.report_report, texts(asked)),
    ):
        if scores is not None and len(own) > 1 and asked.findings:
            found |= _among(asked, own, scores, direction=direction)
    return found


def _between(
    asked: Asked, rows: NDArray[np.int64], scores: Matrix, *, keys: list[str], direction: str
) -> Columns:
    measures = [*(f"success@{k}" for k in DEPTHS), "reciprocal_rank"]
    got = per_query(scores, same_key(keys, keys), measures)
    names = {"reciprocal_rank": MRR}
    return {f"{direction} {names.get(name, name)}": scattered(asked, rows, got[name]) for name in measures}


def _among(asked: Asked, rows: NDArray[np.int64], scores: Matrix, *, direction: str) -> Columns:
    asks, right, exclude = _alike(asked, rows)
    if not len(asks):
        return {}
    got = per_query(scores[asks], right, ("average_precision",), exclude=exclude)["average_precision"]
    return {f"{direction} {LABEL_MAP}": scattered(asked, rows[asks], got)}


def _alike(
    asked: Asked, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows ask (those with a finding that somebody else has), who is right, who is no candidate."""
    truth, owners = asked.truth[rows], asked.clusters[rows].tolist()
    exclude = left_out((owners, owners))
    right = shared_findings(truth, truth) > 0
    asks = np.flatnonzero((right & ~exclude).any(axis=1))
    return asks, right[asks], exclude[asks]


def chance_columns(asked: Asked) -> Columns:
    """What a random order would get, exactly: expected success@k, MRR and average precision."""
    found: Columns = {}
    rows = both(asked)
    if len(rows) > 1:
        keys = [asked.keys[row] for row in rows]
        counts = same_key(keys, keys).sum(axis=1)
        for direction in (IMAGE_REPORT, REPORT_IMAGE):
            for k in DEPTHS:
                values = chance_success(counts, len(rows), k)
                found[f"{direction} success@{k}"] = scattered(asked, rows, values)
            found[f"{direction} {MRR}"] = scattered(asked, rows, chance_reciprocal(counts, len(rows)))
    for direction, own in ((IMAGE_IMAGE, films(asked)), (REPORT_REPORT, texts(asked))):
        if len(own) > 1 and asked.findings:
            asks, right, exclude = _alike(asked, own)
            values = chance_precision((right & ~exclude).sum(axis=1), (~exclude).sum(axis=1))
            if len(asks):
                found[f"{direction} {LABEL_MAP}"] = scattered(asked, own[asks], values)
    return found


def chance_reciprocal(counts: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    """Expected 1 / rank of the first of r right items among n in random order: (q,)."""
    kinds, which = np.unique(counts, return_inverse=True)
    remaining = n - np.arange(n, dtype=np.float64)
    places = np.arange(1, n + 1)
    expected = []
    for right in kinds:
        beyond = np.cumprod(np.maximum(1.0 - right / remaining, 0.0))  # that none is among the first m
        first = np.concatenate([[1.0], beyond[:-1]]) - beyond
        expected.append(float((first / places).sum()))
    return np.array(expected)[which.reshape(-1)]


def chance_precision(right: NDArray[np.int64], n: NDArray[np.int64]) -> NDArray[np.float64]:
    """Expected average precision of r right items among n in random order: (q,).

    Of the items at rank k a share r / n is right, and before it (k - 1)(r - 1) / (n - 1) are:
    (H + (r - 1) / (n - 1) (n - H)) / n with H the n-th harmonic number.
    """
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n.max(initial=1) + 1))])[n]
    others = (right - 1) / np.maximum(n - 1, 1)
    return np.asarray((harmonic + others * (n - harmonic)) / n, np.float64)
