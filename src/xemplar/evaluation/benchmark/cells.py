"""How a benchmark's scores are written: numbers, intervals, differences, rows of a Markdown table.

Knows a score's JSON; knows no table and computes no score.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xemplar.contracts import Json
from xemplar.evaluation.printed import MINUS, NONE

_CLEAR = {True: "**", False: ""}


def number(value: float | None) -> str:
    """To three places; a dash where it is undefined."""
    return NONE if value is None else f"{value:.3f}".replace("-", MINUS)


def spread(score: Json) -> str:
    """A value with its interval."""
    if score["value"] is None:
        return NONE
    return f"{number(score['value'])} [{number(score['low'])}, {number(score['high'])}]"


def clear(less: Json) -> bool:
    """Whether a difference's interval lies clear of zero."""
    return None not in (less["low"], less["high"]) and (less["low"] > 0 or less["high"] < 0)


def less(score: Json) -> str:
    """A difference with its sign; bold where its interval is clear of zero."""
    if score["value"] is None:
        return NONE
    sign = "+" if score["value"] > 0 else ""
    mark = _CLEAR[clear(score)]
    return f"{mark}{sign}{spread(score)}{mark}"


def whole(value: float | None, places: int = 0) -> str:
    """To so many places, thousands apart; a dash where it is undefined."""
    return NONE if value is None else f"{value:,.{places}f}"


def trainings(count: int) -> str:
    """On how many trainings something rests."""
    return "one training" if count == 1 else f"{count} trainings"


def measured(less: Json) -> str:
    """A difference's measure, with the ways to classify that it is of."""
    ways = list(dict.fromkeys(way for way in less.get("ways") or () if way))
    return f"{less['measure']} ({' against '.join(ways)})" if ways else str(less["measure"])


def rows_of(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return [*("| " + " | ".join(cells) + " |" for cells in lines), ""]
