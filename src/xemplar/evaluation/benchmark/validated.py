"""Whether each training learnt anything: its validation score beside what chance would have.

Knows entries' results; knows no system.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xemplar.contracts import Json
from xemplar.evaluation.benchmark.plan import Entry

ABOVE = 1.5
"""Times chance that a score has to be above, to count as learnt."""


def chance_mrr(studies: int) -> float:
    """The mean reciprocal rank of one right answer among so many in random order: their harmonic mean."""
    return sum(1.0 / rank for rank in range(1, studies + 1)) / studies


def validated(done: Sequence[tuple[Entry, Json]]) -> list[Json]:
    """A row for each entry that trained an encoder or was taken with one: MRR, chance, `learnt`."""
    return list(_rows(done))


def _rows(done: Sequence[tuple[Entry, Json]]) -> Iterator[Json]:
    for entry, result in done:
        said = (result.get("model") or {}).get("validation") or {}
        studies, score = said.get("studies"), said.get("mrr")
        if entry.shares is None and studies and score is not None:
            chance = chance_mrr(studies)
            yield {
                "entry": entry.name, "system": entry.system, "seed": entry.seed, "studies": studies,
                "mrr": score, "chance": chance, "learnt": score > ABOVE * chance,
            }  # fmt: skip
