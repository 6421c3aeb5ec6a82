"""What was aimed at before anything was run, and what came of it.

Knows the table's blocks; computes no score. An aim is reached where its paired interval is clear of zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xemplar.contracts import Json
from xemplar.evaluation.benchmark import measures
from xemplar.evaluation.floors import LINEAR

_OVER_ALL = (
    measures.MICRO_F1.name,
    measures.IMAGE_REPORT_MRR,
    measures.REPORT_IMAGE_MRR,
    measures.PRECISION,
)
"""What ours is to be above every other recipe and the linear floor in."""

_ABLATED = {
    ("xrem", "xrem: cosine alone"): (measures.MICRO_F1.name, measures.IMAGE_REPORT_MRR),
    ("xtra", "xtra: no neighbours"): (measures.PRECISION, measures.MICRO_F1.name),
    ("xtra", "xtra: random neighbours"): (measures.PRECISION, measures.MICRO_F1.name),
    ("xtra", "xtra: without classes"): (measures.IMAGE_MAP,),
}
"""(first, second) -> measures in which the first is to be above the second."""


def aims_of(
    scores: Sequence[Json], ablations: Sequence[Json], *, ours: str | None, recipes: Sequence[str]
) -> list[Json]:
    """Each aim on each set: the difference, and whether its interval lies above zero."""
    return [*_against_all(scores, ours, recipes), *_against_own(ablations)]


def _against_all(scores: Sequence[Json], ours: str | None, recipes: Sequence[str]) -> Iterator[Json]:
    for block in scores:
        if block["measure"] in _OVER_ALL and block["ours"] == ours:
            for row in block["differences"]:
                if row["system"] in (*recipes, LINEAR):
                    yield _aim(f"{ours} above {row['system']}", row, of=(block["set"], block["measure"]))


def _against_own(ablations: Sequence[Json]) -> Iterator[Json]:
    for block in ablations:
        wanted = _ABLATED.get((block["first"], block["second"]), ())
        for row in block["rows"]:
            if row["measure"] in wanted:
                aim = f"{block['first']} above {block['second']}"
                yield _aim(aim, row["difference"], of=(block["set"], row["measure"]))


def _aim(aim: str, less: Json, *, of: tuple[str, str]) -> Json:
    kept = {key: less[key] for key in ("value", "low", "high")}
    above = sum(value > 0 for value in less["by_seed"])
    seeds = {"seeds_above": above, "seeds": len(less["by_seed"])}
    said = {"aim": aim, "set": of[0], "measure": of[1], "ways": less.get("ways")}
    return {**said, **kept, **seeds, "reached": bool(less["low"] > 0)}
