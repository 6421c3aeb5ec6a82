"""After X-TRA: a film's vector once it has looked at its neighbours, and the report nearest to that.

Knows an index and an augmenter; knows nothing of how the augmenter was taught. One's own study and
patient are no neighbours, and their reports no answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from xemplar.assembly import Assembly
from xemplar.contracts import Augmenter
from xemplar.corpus import Corpus
from xemplar.drafting.left_out import LeftOut
from xemplar.drafting.policies.case import Assembled, Case
from xemplar.drafting.policies.reports import Reports
from xemplar.errors import XemplarError
from xemplar.index import Index, Items
from xemplar.records import Kind, Line, Vectors
from xemplar.report import text_key
from xemplar.retrieval import Leave

_DEPTH = 64
"""How far a search looks at first; deeper where a patient of many studies is left out."""


class Neighbourhood:
    """Whom a film's vector looks at in an index, and what becomes of it.

    Neighbours are items as the index holds them: an image is one view, so that two may be of one study.
    Fewer than the augmenter takes, or none at all, are masked.
    """

    def __init__(self, corpus: Corpus, index: Index, augmenter: Augmenter) -> None:
        self.corpus, self.index, self.augmenter = corpus, index, augmenter
        self._left_out = {kind: LeftOut(corpus, items) for kind, items in index.items.items()}

    @property
    def findings(self) -> tuple[str, ...]:
        """What the columns of `probabilities` are."""
        return self.augmenter.findings

    def augmented(self, cases: Sequence[Case]) -> tuple[Vectors, NDArray[np.float32]]:
        """Vectors (n, dim) and probabilities (n, findings), uncalibrated, of films seen with neighbours."""
        if not cases:
            dim = next(iter(self.index.items.values())).vectors.shape[1]
            return np.zeros((0, dim), np.float32), np.zeros((0, len(self.findings)), np.float32)
        queries = np.stack([case.vector for case in cases])
        count = self.augmenter.count * len(self.augmenter.sources)
        neighbours = np.zeros((len(cases), count, queries.shape[1]), np.float32)
        mask = np.zeros((len(cases), count), np.bool_)
        for number, source in enumerate(self.augmenter.sources):
            first = number * self.augmenter.count
            for place, case in enumerate(cases):
                rows = self.neighbours(source, case)
                seen = slice(first, first + len(rows))
                if rows:
                    neighbours[place, seen] = self.index.items[source].vectors[rows]
                    mask[place, seen] = True
        return self.augmenter.augment(queries, neighbours, mask)

    def vectors(self, cases: Sequence[Case]) -> Vectors:
        """(n, dim): to search reports with."""
        return self.augmented(cases)[0]

    def probabilities(self, cases: Sequence[Case]) -> NDArray[np.float32]:
        """(n, findings) in 0..1, uncalibrated."""
        return self.augmented(cases)[1]

    def neighbours(self, source: Kind, case: Case) -> list[int]:
        """Rows of the index's items that a case looks at, best first; at most the augmenter's count."""
        items = self.index.items.get(source)
        if items is None:
            return []
        if self.augmenter.pick == "random":
            return self._any(items, case)
        found = self.nearest(items, case.vector, case.leave)
        return [row for row, _ in islice(found, self.augmenter.count)]

    def nearest(self, items: Items, vector: Vectors, leave: Leave) -> Iterator[tuple[int, float]]:
        """Rows and cosines of what is not left out, best first, equal ones by rising row."""
        absent = self._absent(items, leave)
        deep, told = _DEPTH, 0
        while told < len(items):
            rows, scores = items.engine.search(vector[None], min(deep, len(items)))
            pairs = list(zip(rows[0].tolist(), scores[0].tolist(), strict=True))
            yield from ((row, score) for row, score in pairs[told:] if row >= 0 and row not in absent)
            told, deep = len(pairs), 4 * deep

    def _any(self, items: Items, case: Case) -> list[int]:
        """Rows drawn by the vector's own bits: the same film looks at the same ones again."""
        bits = hashlib.sha256(np.ascontiguousarray(case.vector).tobytes()).digest()
        order = np.random.default_rng(list(bits)).permutation(len(items)).tolist()
        absent = self._absent(items, case.leave)
        return [row for row in order if row not in absent][: self.augmenter.count]

    def _absent(self, items: Items, leave: Leave) -> set[int]:
        left_out = self._left_out[items.kind]
        return set(left_out.rows(left_out.of(leave)))


class Augmented:
    """The `count` distinct reports nearest to what a film's vector becomes."""

    def __init__(self, corpus: Corpus, index: Index, *, augmenter: Augmenter, assembly: Assembly) -> None:
        if "report" not in index.items or "sentence" not in index.items:
            raise XemplarError("no report in the index, so nothing to draft from", where=str(corpus.folder))
        self.corpus, self.index, self.assembly = corpus, index, assembly
        self.neighbourhood = Neighbourhood(corpus, index, augmenter)

    @property
    def policy(self) -> str:
        """Names the head, whom it looks at, and how many reports are quoted."""
        head = self.neighbourhood.augmenter
        whom = " and ".join(f"{source}s" for source in head.sources)
        looked = f"{head.pick} {head.count} {whom}" if whom else "nobody"
        return f"nearest {self.assembly.count} reports, having looked at {looked} ({head.fingerprint}), v1"

    def drafts(self, cases: Sequence[Case]) -> list[Assembled]:
        """Each retrieved report's sentences, nearest report first."""
        vectors = self.neighbourhood.vectors(cases)
        return [Assembled(self._lines(case, row)) for case, row in zip(cases, vectors, strict=True)]

    def reports(self, case: Case, vector: Vectors) -> list[tuple[str, float]]:
        """Studies and cosines of the reports nearest to a vector; equal text is one report."""
        items = self.index.items["report"]
        found: dict[str, tuple[str, float]] = {}
        for row, score in self.neighbourhood.nearest(items, vector, case.leave):
            study_id = items.ids[row]
            if not self._quoted.quotable(study_id):
                continue
            found.setdefault(text_key(self.corpus.by_id[study_id].text), (study_id, score))
            if len(found) >= self.assembly.count:
                break
        return list(found.values())

    def _lines(self, case: Case, vector: Vectors) -> tuple[Line, ...]:
        lines: dict[str, Line] = {}
        for study_id, score in self.reports(case, vector):
            for line in self._quoted.lines(study_id, case.leave, {"augmented": score}):
                lines.setdefault(line.sentence_id, line)
        return tuple(lines.values())

    @cached_property
    def _quoted(self) -> Reports:
        return Reports(self.corpus, self.index)
