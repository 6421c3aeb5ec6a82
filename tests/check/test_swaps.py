"""Sides and degrees against their opposites, by hand-made beliefs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from xemplar.check import Swap, read_report, swaps_of
from xemplar.check.swaps import chance, weights_of
from xemplar.drafting.beliefs import Belief

EFFUSION = "Pleural Effusion"
BELIEF = Belief(
    0.8,
    {"side": {"left": 0.25, "right": 0.75, "bilateral": 0.1}, "degree": {"small": 0.2, "large": 0.6}},
)


def log_odds(p: float) -> float:
    return math.log(p / (1 - p))


def swaps(text: str, leaning: float = 0.0) -> dict[str, tuple[float, ...]]:
    found = swaps_of(read_report(f"FINDINGS: {text}"), {EFFUSION: BELIEF}, {EFFUSION: leaning})
    return {one.kind: one.evidence for one in found}


def test_a_side_is_held_against_the_other_by_belief_and_by_halves() -> None:
    expected = log_odds(0.75) - log_odds(0.25)
    assert swaps("Left pleural effusion.", -1.5) == {"other side seen": pytest.approx((expected, 1.5))}
    assert swaps("Right pleural effusion.", -1.5) == {"other side seen": pytest.approx((-expected, -1.5))}


def test_a_degree_is_held_against_its_opposite() -> None:
    expected = log_odds(0.6) - log_odds(0.2)
    assert swaps("Small pleural effusion.") == {"other degree seen": pytest.approx((expected,))}
    assert swaps("Large pleural effusion.") == {"other degree seen": pytest.approx((-expected,))}


@pytest.mark.parametrize(
    "text",
    [
        "Bilateral pleural effusions.",
        "Left pleural effusion. Right pleural effusion.",
        "Moderate pleural effusion.",
        "Small left and large right pleural effusions.",
        "No left pleural effusion.",
        "Possible left pleural effusion.",
        "Resolved left pleural effusion.",
        "Pleural effusion.",
    ],
)
def test_what_has_no_opposite_is_held_against_none(text: str) -> None:
    assert swaps(text) == {}


def test_of_devices_nothing_is_swapped() -> None:
    read = read_report("FINDINGS: Left chest tube.")
    assert [one.claim.side for one in read.said] == ["left"]
    assert swaps_of(read, {"Support Devices": BELIEF}, {}) == []


def clean(count: int) -> list[Swap]:
    """Of right sides: evidence against the opposite, mostly; the second piece is noise."""
    (said,) = read_report("FINDINGS: Left pleural effusion.").said
    rng = np.random.default_rng(5)
    return [Swap("other side seen", said, (rng.normal(-2.0, 1.0), rng.normal(0, 1))) for _ in range(count)]


def test_weights_say_how_much_each_piece_of_evidence_counts() -> None:
    weights = weights_of(clean(400))
    assert set(weights) == {"other side seen"}
    first, second = weights["other side seen"]
    assert first > 1.0 and abs(second) < 0.3


def test_of_too_few_sides_nothing_is_learnt() -> None:
    assert weights_of(clean(11)) == {}


def test_the_chance_of_the_opposite_is_what_is_left_of_the_other() -> None:
    weights, evidence = [1.3, 0.4], (0.7, -0.2)
    other = tuple(-one for one in evidence)
    assert chance(weights, evidence) + chance(weights, other) == pytest.approx(1.0)
    assert chance(weights, (5.0, 0.0)) > 0.99
