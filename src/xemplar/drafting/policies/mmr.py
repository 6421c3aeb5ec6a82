"""Sentences near the image and unlike each other: maximal marginal relevance, to compare with.

Knows retrieval and sentence vectors; reads no claim, so that its lines may contradict each other, and
weighs nothing, so that they have no confidence. Carbonell and Goldstein, 1998.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xemplar.assembly import Assembly
from xemplar.drafting.policies.case import Assembled, Case
from xemplar.records import Claim, Hit, Line, Vectors
from xemplar.retrieval import Retriever

RELEVANCE = 0.7
"""Weight of likeness to the image; the rest is that of unlikeness to the sentences taken."""


class Mmr:
    """`count` of the `first` nearest sentences, each the best of those left.

    The best has the largest RELEVANCE cos(image, s) - (1 - RELEVANCE) max over t taken of cos(s, t); of
    equal ones it is the nearer.
    """

    def __init__(self, retriever: Retriever, assembly: Assembly) -> None:
        self.retriever, self.assembly = retriever, assembly

    @property
    def policy(self) -> str:
        """Names count, pool and weight."""
        asked = self.assembly
        return f"{asked.count} of the nearest {asked.first} sentences by MMR, lambda {RELEVANCE}, v1"

    def drafts(self, cases: Sequence[Case]) -> list[Assembled]:
        """The sentences taken, in the order in which they were."""
        return [Assembled(self._lines(case)) for case in cases]

    def _lines(self, case: Case) -> tuple[Line, ...]:
        hits = self.retriever.search(
            case.films, "sentence", self.assembly.first, leave=case.leave, vector=case.vector
        )
        hits = tuple(hit for hit in hits if hit.text)
        if not hits:
            return ()
        vectors = np.asarray(self.retriever.items("sentence").vectors)[[self._row[h.item_id] for h in hits]]
        taken = most_marginal(vectors @ case.vector, vectors, self.assembly.count)
        return tuple(self._quoted(hits[place]) for place in taken)

    def _quoted(self, hit: Hit) -> Line:
        assert hit.text is not None
        return Line(
            text=hit.text,
            sentence_id=hit.item_id,
            sentence_text=hit.text,
            span=(0, len(hit.text)),
            source_study_ids=hit.study_ids,
            claims=self._claims.get(hit.item_id, ()),
            scores=dict(hit.scores),
        )

    @cached_property
    def _row(self) -> dict[str, int]:
        return {item_id: row for row, item_id in enumerate(self.retriever.items("sentence").ids)}

    @cached_property
    def _claims(self) -> dict[str, tuple[Claim, ...]]:
        """What each sentence claims, by its id; of captions nothing is read."""
        return {one.sentence_id: one.claims for one in self.retriever.corpus.sentences}


def most_marginal(relevant: NDArray[np.float32], vectors: Vectors, count: int) -> list[int]:
    """Rows by maximal marginal relevance, at most `count`: (n,) cosines to the query, (n, dim) unit rows."""
    taken: list[int] = []
    alike = np.zeros(len(relevant))
    left = np.ones(len(relevant), np.bool_)
    order = np.lexsort((np.arange(len(relevant)), -relevant))
    while left.any() and len(taken) < count:
        value = np.where(left, RELEVANCE * relevant - (1.0 - RELEVANCE) * alike, -np.inf)
        row = int(order[int(value[order].argmax())])
        near = vectors @ vectors[row]
        alike = near if not taken else np.maximum(alike, near)
        taken.append(row)
        left[row] = False
    return taken
