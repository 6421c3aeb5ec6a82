"""How a page prints what was measured: numbers, intervals, differences, names, and what a domain means.

Knows values and words; knows no page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from xemplar.contracts import Json
from xemplar.evaluation.reliability import BRIER
from xemplar.records import Domain

CAUTION: dict[Domain, str] = {
    "synthetic": "These films are drawings. Nothing here says anything about clinical ability.",
    "figures": "Figures from articles, not clinical films.",
    "clinical": "This page holds films and whole reports of patients and is as confidential as they are.",
}
LOWER_IS_BETTER = {"median rank", BRIER}
NONE, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


def number(value: float | None, measure: str = "") -> str:
    """A score as it is printed: ranks to the half, all else to three places; a dash for none."""
    if value is None:
        return NONE
    return f"{value:,.1f}".removesuffix(".0") if measure == "median rank" else f"{value:.3f}"


def signed(value: float | None, measure: str = "") -> str:
    """A difference with its sign; a dash for none."""
    return NONE if value is None else (MINUS if value < 0 else "+") + number(abs(value), measure)


def spread(interval: Json, measure: str = "", plus: bool = False) -> str:
    """An interval's ends: "0.041 to 0.078"; signed where it is of a difference."""
    show = signed if plus else number
    return f"{show(interval['low'], measure)} to {show(interval['high'], measure)}"


def against(difference: Json, measure: str) -> tuple[str, str, str]:
    """What a difference says, as class, sign and word: told apart only where its interval excludes 0."""
    if None in difference.values() or not (difference["low"] > 0 or difference["high"] < 0):
        return "level", "=", "not told apart"
    better = (difference["value"] > 0) != (measure in LOWER_IS_BETTER)
    return ("better", "▲", "better") if better else ("worse", "▼", "worse")


def named(measure: str) -> str:
    """A measure's full name; success@k is also what CLIP papers call R@k."""
    what, _, depth = measure.partition("@")
    return f"{measure} (R@{depth} in CLIP papers)" if what == "success" else measure


def defined(value: Mapping[str, object]) -> Json:
    """The same as JSON takes it: null for every score that is undefined, numbers of Python's own."""
    return {name: _or_null(one) for name, one in value.items()}


def _or_null(value: object) -> object:
    if isinstance(value, dict):
        return defined(value)
    if isinstance(value, list | tuple):
        return [_or_null(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
