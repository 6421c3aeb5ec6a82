"""What the archive says of each finding, for an image: numbers, not yet probabilities.

Knows an index and the claims of its studies and sentences; knows nothing of thresholds or wording.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xemplar.contracts import Matcher
from xemplar.corpus import Corpus
from xemplar.drafting.left_out import LeftOut
from xemplar.drafting.matched import Matched
from xemplar.errors import XemplarError
from xemplar.findings import FINDINGS, summarise
from xemplar.index import Index, Items
from xemplar.records import Image, Kind, Vectors
from xemplar.retrieval import NOBODY, Leave

FEATURES = ("image neighbours", "report neighbours", "sentence margin")
"""Those that need no matcher."""
NEIGHBOURS = 32
SHARPNESS = 20.0
"""Neighbours weigh exp(SHARPNESS * (cosine - best cosine))."""

_WEIGHT = {"present": 1.0, "uncertain": 0.5, "absent": 0.0}
_TOP = 3
KINDS_VOTING: tuple[Kind, ...] = ("image", "report")


class Further(Protocol):
    """More that speaks for a finding, from whoever has learnt it of the index's studies."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the features, each with what tells it from another of its kind."""
        ...

    def columns(self, vectors: Vectors, leaves: Sequence[Leave]) -> NDArray[np.float64]:
        """(queries, findings, features), all finite."""
        ...


class Evidence:
    """Features of every finding for query vectors, from one index.

    For each finding: the share of weight of the nearest images, and of the nearest reports, whose
    studies state it (uncertain counts half); and how much nearer the best sentences that state it
    are than the best that deny it. With a matcher also how much better those match; with `further`
    whatever that adds.
    """

    further: Further | None = None
    _last: tuple[Vectors, NDArray[np.float32]] | None = None
    """A query and its cosines: a draft reads the sentences' vectors once."""

    def __init__(self, corpus: Corpus, index: Index, *, matcher: Matcher | None = None) -> None:
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
        self._left_out = {kind: LeftOut(corpus, items) for kind, items in index.items.items()}
        claims = {sentence.sentence_id: summarise(sentence.claims) for sentence in corpus.sentences}
        says = [claims[sentence_id] for sentence_id in index.items["sentence"].ids]
        self._present = [np.flatnonzero([s.get(name) == "present" for s in says]) for name in FINDINGS]
        self._absent = [np.flatnonzero([s.get(name) == "absent" for s in says]) for name in FINDINGS]
        texts = {sentence.sentence_id: sentence.text for sentence in corpus.sentences}
        ids = index.items["sentence"].ids
        self._matched = None if matcher is None else Matched(matcher, [texts[one] for one in ids])

    @property
    def names(self) -> tuple[str, ...]:
        """Of the features, in their order; a matcher's by its fingerprint."""
        matched = () if self._matched is None else (self._matched.name,)
        return (*FEATURES, *matched, *(() if self.further is None else self.further.names))

    def features(
        self,
        vectors: Vectors,
        leaves: Sequence[Leave],
        images: Sequence[Sequence[Image]] | None = None,
    ) -> NDArray[np.float32]:
        """(queries, dim) -> (queries, findings, features).

        `images` are each query's, for a matcher; without them there are the first three features alone.
        """
        count = len(FEATURES) if images is None else len(self.names)
        if images is not None and len(images) != len(vectors):
            raise XemplarError(f"images of {len(images)} queries", wanted=f"of {len(vectors)}")
        out = np.zeros((len(vectors), len(FINDINGS), count), np.float32)
        for place, kind in enumerate(KINDS_VOTING):
            if kind in self.index.items:
                out[:, :, place] = self._votes(self.index.items[kind], vectors, leaves)
        for query, leave in enumerate(leaves):
            similar = self._similar(vectors[query], leave)
            out[query, :, 2] = [_best(similar[one]) - _best(similar[two]) for one, two in self._sides]
            if self._matched is not None and images is not None:
                out[query, :, 3] = self._matched.margins(images[query], similar, self._sides)
        if self.further is not None and images is not None:
            out[:, :, count - len(self.further.names) :] = self.further.columns(vectors, leaves)
        return out

    def nearest(self, vectors: Vectors, leaves: Sequence[Leave]) -> NDArray[np.float64]:
        """(queries, dim) -> (queries,) cosine of the nearest film that isn't left out; -1 without any.

        Of the nearest report where no film is indexed.
        """
        found = np.full(len(vectors), -1.0)
        kind = next((kind for kind in KINDS_VOTING if kind in self.index.items), None)
        if kind is not None:
            for query, leave in enumerate(leaves):
                _, cosines = self._kept(self.index.items[kind], vectors[query : query + 1], leave)
                found[query] = cosines[0] if len(cosines) else -1.0
        return found

    def cosines(self, vector: Vectors) -> NDArray[np.float32]:
        """Of all sentences with a query's vector (dim,); of the last query they are known."""
        last = self._last
        if last is None or not np.array_equal(last[0], vector):
            # One product a query: several at once are rounded by how many they are.
            found = np.asarray(np.asarray(self.index.items["sentence"].vectors) @ vector, np.float32)
            self._last = last = vector.copy(), found
        return last[1]

    def _votes(self, items: Items, vectors: Vectors, leaves: Sequence[Leave]) -> NDArray[np.float32]:
        stated = self._stated[items.kind]
        rows, scores = items.engine.search(vectors, min(len(items), NEIGHBOURS))
        votes = np.zeros((len(vectors), len(FINDINGS)), np.float32)
        for query, leave in enumerate(leaves):
            near, cosines = rows[query], scores[query]
            if leave != NOBODY:
                near, cosines = self._kept(items, vectors[query : query + 1], leave)
            if len(near):
                weights = np.exp(SHARPNESS * (cosines - cosines.max()))
                votes[query] = weights @ stated[near] / weights.sum()
        return votes

    def _kept(
        self, items: Items, vector: Vectors, leave: Leave
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The nearest items that aren't left out; a patient of many studies makes it look deeper."""
        absent = self._rows_left_out(items, leave)
        deep = 2 * NEIGHBOURS
        while True:
            rows, scores = items.engine.search(vector, min(deep, len(items)))
            kept = [i for i, row in enumerate(rows[0].tolist()) if row not in absent]
            if len(kept) >= NEIGHBOURS or deep >= len(items):
                return rows[0, kept[:NEIGHBOURS]], scores[0, kept[:NEIGHBOURS]]
            deep *= 4

    def _rows_left_out(self, items: Items, leave: Leave) -> set[int]:
        left_out = self._left_out[items.kind]
        return set(left_out.rows(left_out.of(leave)))

    @property
    def _sides(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """For each finding the rows of the sentences that state it, and of those that deny it."""
        return list(zip(self._present, self._absent, strict=True))

    def _similar(self, vector: Vectors, leave: Leave) -> NDArray[np.float32]:
        """Cosines of all sentences; -inf for one that is left out."""
        items = self.index.items["sentence"]
        similar = self.cosines(vector).copy()
        similar[list(self._rows_left_out(items, leave))] = -np.inf
        return similar


def _best(similar: NDArray[np.float32]) -> float:
    """Mean of the few best similarities, leaving out what is -inf; 0 where there are none."""
    known = similar[np.isfinite(similar)]
    # Sorted, since the few are added up: in another order the sum has other bits.
    best = np.sort(np.partition(known, -_TOP)[-_TOP:] if len(known) > _TOP else known)
    return float(best.mean()) if len(best) else 0.0
