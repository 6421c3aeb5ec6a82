"""A side or a degree against its opposite: how strongly a film speaks for what its report doesn't say.

Knows claims, beliefs, and which half of a film shows more of a finding; how much each of them counts is
learnt from clean reports, whose sides and degrees are right as they stand and wrong the other way about.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from xemplar.check.against import Believed, log_odds
from xemplar.check.reading import Read, Said

Swapped = Literal["other side seen", "other degree seen"]

PAIRS: Mapping[Swapped, tuple[Literal["side", "degree"], tuple[str, str]]] = {
    "other side seen": ("side", ("left", "right")),
    "other degree seen": ("degree", ("small", "large")),
}
"""Kind of alert -> the detail, and the two values that are taken for each other."""

Leaning = Mapping[str, float]
"""Finding -> log odds that it is there were both sides as the patient's left one, less those of the right."""

FEWEST = 12
"""Sides or degrees of clean reports from which nothing is learnt if they are fewer."""

_STRENGTH = 0.3
"""Of the logistic regression, scikit-learn's C; the evidence is in log odds."""
LEAST = 1e-3
"""No probability is taken for nearer to 0 or 1 than this."""


@dataclass(frozen=True, slots=True)
class Swap:
    """One side or degree that a report tells; positive `evidence` speaks for the opposite one.

    The log odds of the two by what is believed; of a side also those by the film's halves.
    """

    kind: Swapped
    said: Said
    evidence: tuple[float, ...]


def swaps_of(read: Read, believed: Believed, leaning: Leaning) -> list[Swap]:
    """Of each finding that a report states, its side and its degree where the report tells one alone.

    What is on both sides, moderate, or told in two ways has no opposite. A finding without a leaning leans
    to neither side.
    """
    found = []
    for kind, (detail, pair) in PAIRS.items():
        for name, said in _told(read, detail).items():
            values = {getattr(one.claim, detail) for one in said}
            opinion = believed.get(name)
            if opinion is None or len(values) != 1 or not values <= set(pair):
                continue
            (value,) = values
            chances = opinion.details.get(detail, {})
            if pair[0] in chances and pair[1] in chances:
                told = log_odds(chances[pair[0]], least=LEAST) - log_odds(chances[pair[1]], least=LEAST)
                evidence = (told, leaning.get(name, 0.0)) if detail == "side" else (told,)
                sign = 1.0 if value == pair[1] else -1.0
                found.append(Swap(kind, said[0], tuple(sign * one for one in evidence)))
    return found


def _told(read: Read, detail: str) -> dict[str, list[Said]]:
    """Finding -> where it is stated with such a detail; devices have several, each with its own."""
    found: dict[str, list[Said]] = {}
    for one in read.said:
        claim = one.claim
        stated = claim.presence == "present" and claim.change != "resolved"
        if stated and claim.finding != "Support Devices" and getattr(claim, detail) is not None:
            found.setdefault(claim.finding, []).append(one)
    return found


def weights_of(swaps: Sequence[Swap]) -> dict[str, list[float]]:
    """Kind -> how much each piece of evidence counts: logistic regressions on right and on swapped details.

    None of a kind of which there are too few.
    """
    from sklearn.linear_model import LogisticRegression  # slow to load, and words alone don't need it

    found: dict[str, list[float]] = {}
    for kind in PAIRS:
        rows = np.array([one.evidence for one in swaps if one.kind == kind])
        if len(rows) >= FEWEST:
            told = np.concatenate([rows, -rows])
            wrong = np.repeat([0, 1], len(rows))
            model = LogisticRegression(C=_STRENGTH, fit_intercept=False, max_iter=1000).fit(told, wrong)
            found[kind] = [float(f"{value:.6g}") for value in model.coef_[0]]
    return found


def chance(weights: Sequence[float], evidence: Sequence[float]) -> float:
    """That the opposite is right, if it were so as often as not."""
    return float(1.0 / (1.0 + math.exp(-float(np.dot(weights, evidence)))))
