"""The nearest texts as they stand: TxtRayAlign's sentences, MedCLIP's captions, or whole reports.

Knows retrieval; weighs nothing, so that its lines have no confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from xemplar.assembly import Assembly
from xemplar.drafting.policies.case import Assembled, Case
from xemplar.drafting.policies.reports import Reports
from xemplar.records import Claim, Hit, Kind, Line
from xemplar.report import text_key
from xemplar.retrieval import Retriever


class Top:
    """The `count` nearest distinct items of the assembly's unit; of an image, its study's report."""

    def __init__(self, retriever: Retriever, assembly: Assembly) -> None:
        self.retriever, self.assembly = retriever, assembly
        self._reports = Reports(retriever.corpus, retriever.index)

    @property
    def policy(self) -> str:
        """Names unit and count."""
        return f"nearest {self.assembly.count} by cosine, whole {self.assembly.unit}s, v1"

    def drafts(self, cases: Sequence[Case]) -> list[Assembled]:
        """The nearest items' texts, nearest first."""
        return [Assembled(self._lines(case)) for case in cases]

    def _lines(self, case: Case) -> tuple[Line, ...]:
        unit, count = self.assembly.unit, self.assembly.count
        if unit == "sentence":
            hits = self.retriever.search(case.films, unit, count, leave=case.leave, vector=case.vector)
            return tuple(self._quoted(hit) for hit in hits if hit.text)
        lines: dict[str, Line] = {}
        for hit in distinct(self.retriever, case, self._reports, unit=unit, count=count):
            for line in self._reports.lines(hit.study_ids[0], case.leave, hit.scores):
                lines.setdefault(line.sentence_id, line)
        return tuple(lines.values())

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
    def _claims(self) -> dict[str, tuple[Claim, ...]]:
        """What each sentence claims, by its id; of captions nothing is read."""
        return {one.sentence_id: one.claims for one in self.retriever.corpus.sentences}


def distinct(retriever: Retriever, case: Case, reports: Reports, *, unit: Kind, count: int) -> list[Hit]:
    """The nearest `count` items whose reports differ and can be quoted: equal text is one report."""
    asked = count
    while True:
        hits = retriever.search(case.films, unit, asked, leave=case.leave, vector=case.vector)
        first: dict[str, Hit] = {}
        for hit in hits:
            if hit.text and reports.quotable(hit.study_ids[0]):
                first.setdefault(text_key(hit.text), hit)
        if len(first) >= count or len(hits) < asked:
            return list(first.values())[:count]
        asked *= 2
