"""What the archive says of each finding, for an image: numbers, not yet probabilities.

Knows an index and the claims of its studies and sentences; knows nothing of thresholds or wording.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xemplar.corpus import Corpus
from xemplar.findings import FINDINGS, summarise
from xemplar.index import Index, Items
from xemplar.records import Kind, Vectors
from xemplar.retrieval import NOBODY, Leave

FEATURES = ("image neighbours", "report neighbours", "sentence margin")
NEIGHBOURS = 32
SHARPNESS = 20.0
"""Neighbours weigh exp(SHARPNESS * (cosine - best cosine))."""

_WEIGHT = {"present": 1.0, "uncertain": 0.5, "absent": 0.0}
_TOP = 3
KINDS_VOTING: tuple[Kind, ...] = ("image", "report")


class Evidence:
    """Features of every finding for query vectors, from one index.

    For each finding: the share of weight of the nearest images, and of the nearest reports, whose
    studies state it (uncertain counts half); and how much nearer the best sentences that state it
    are than the best that deny it.
    """

    def __init__(self, corpus: Corpus, index: Index) -> None:
        self.corpus, self.index = corpus, index
        stated = {
            study.study_id: np.array([_WEIGHT[said.get(name, "absent")] for name in FINDINGS], np.float32)
            for study in corpus.studies
            for said in [summarise(study.claims)]
        }
        self._stated: dict[Kind, NDArray[np.float32]] = {
            kind: np.stack([stated[ids[0]] for ids in items.study_ids])
            for kind, items in index.items.items()
            if kind != "sentence"
        }
        claims = {sentence.sentence_id: summarise(sentence.claims) for sentence in corpus.sentences}
        says = [claims[sentence_id] for sentence_id in index.items["sentence"].ids]
        self._present = [np.flatnonzero([s.get(name) == "present" for s in says]) for name in FINDINGS]
        self._absent = [np.flatnonzero([s.get(name) == "absent" for s in says]) for name in FINDINGS]

    def features(self, vectors: Vectors, leaves: Sequence[Leave]) -> NDArray[np.float32]:
        """(queries, dim) -> (queries, findings, features)."""
        out = np.zeros((len(vectors), len(FINDINGS), len(FEATURES)), np.float32)
        for place, kind in enumerate(KINDS_VOTING):
            if kind in self.index.items:
                out[:, :, place] = self._votes(self.index.items[kind], self._stated[kind], vectors, leaves)
        out[:, :, 2] = self._margins(vectors, leaves)
        return out

    def _votes(
        self, items: Items, stated: NDArray[np.float32], vectors: Vectors, leaves: Sequence[Leave]
    ) -> NDArray[np.float32]:
        deep = min(len(items), NEIGHBOURS if all(leave == NOBODY for leave in leaves) else 2 * NEIGHBOURS)
        rows, scores = items.engine.search(vectors, deep)
        votes = np.zeros((len(vectors), len(FINDINGS)), np.float32)
        for query, leave in enumerate(leaves):
            kept = [
                i for i, row in enumerate(rows[query]) if row >= 0 and not self._left_out(items, row, leave)
            ]
            kept = kept[:NEIGHBOURS]
            if kept:
                weights = np.exp(SHARPNESS * (scores[query, kept] - scores[query, kept].max()))
                votes[query] = weights @ stated[rows[query, kept]] / weights.sum()
        return votes

    def _left_out(self, items: Items, row: int, leave: Leave) -> bool:
        return all(leave.drops(self.corpus.by_id[study_id]) for study_id in items.study_ids[row])

    def _margins(self, vectors: Vectors, leaves: Sequence[Leave]) -> NDArray[np.float32]:
        items = self.index.items["sentence"]
        similar = vectors @ np.asarray(items.vectors).T
        for query, leave in enumerate(leaves):
            if leave != NOBODY:
                out = [row for row in range(len(items)) if self._left_out(items, row, leave)]
                similar[query, out] = -1.0
        margins = [
            _best(similar, p) - _best(similar, a) for p, a in zip(self._present, self._absent, strict=True)
        ]
        return np.stack(margins, axis=1)


def _best(similar: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean of the few best similarities among some columns; 0 where there are none."""
    if not len(rows):
        return np.zeros(len(similar), np.float32)
    part = similar[:, rows]
    top = min(_TOP, len(rows))
    return np.asarray(np.partition(part, -top, axis=1)[:, -top:].mean(axis=1), np.float32)
