"""Risk against coverage, and what was promised beside what came of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from xemplar.drafting.truth import Truth
from xemplar.evaluation.coverage import (
    Said,
    area,
    denied_losses,
    findings_said,
    held_promise,
    lines_said,
    risk_coverage,
)
from xemplar.evaluation.scores import Resampling
from xemplar.records import Claim, Draft, Line

HEART, FLUID = "Cardiomegaly", "Pleural Effusion"
SICK = Truth({FLUID: "present", HEART: "absent"}, {FLUID: frozenset({"left"})})


def line(confidence: float | None, *claims: Claim) -> Line:
    return Line("x", "x", "x", (0, 1), ("s",), claims, confidence=confidence)


def draft(*lines: Line) -> Draft:
    return Draft("d", None, lines, {}, None, "p", None, "f", "synthetic")


def said(confidence: list[float], wrong: list[int], study: list[int] | None = None) -> Said:
    rows = study or list(range(len(wrong)))
    return Said(np.array(rows), np.array(confidence), np.array(wrong, bool))


def resampling(count: int) -> Resampling:
    return Resampling(np.array([str(n) for n in range(count)]), 60)


def brute_area(one: Said) -> float:
    """Of everything said, the share that is wrong among all that is as sure or surer; their mean."""
    return float(np.mean([one.wrong[one.confidence >= level].mean() for level in one.confidence]))


def test_the_area_is_the_mean_risk_of_keeping_each():
    rng = np.random.default_rng(0)
    one = said(rng.integers(0, 6, 40) / 6, rng.integers(0, 2, 40))
    assert area(one, resampling(40)).value == pytest.approx(brute_area(one))


def test_a_perfect_order_has_the_smallest_area():
    right, reverse = said([0.9, 0.8, 0.2], [0, 0, 1]), said([0.1, 0.2, 0.8], [0, 0, 1])
    assert area(right, resampling(3)).value == pytest.approx(1 / 9)
    assert area(reverse, resampling(3)).value > area(right, resampling(3)).value


def test_equal_confidences_earn_no_order():
    one = said([0.5] * 4, [0, 0, 1, 1])
    assert area(one, resampling(4)).value == 0.5
    assert len(risk_coverage(one, resampling(4))["points"]) == 1


def test_resampled_areas_weigh_studies_as_drawn():
    one = said([0.9, 0.5], [0, 1])
    interval = area(one, resampling(2))
    assert (interval.low, interval.high) == (0.0, 1.0)  # one study alone, either of them


def test_the_curve_ends_with_everything():
    curve = risk_coverage(said([0.9, 0.5, 0.4], [0, 1, 0]), resampling(3))
    assert curve["points"][-1]["coverage"] == 1.0
    assert curve["points"][-1]["risk"]["value"] == curve["risk"]["value"] == pytest.approx(1 / 3)
    assert [row["coverage"] for row in curve["points"]] == sorted(r["coverage"] for r in curve["points"])


def test_lines_without_a_confidence_are_counted_apart():
    found = lines_said([draft(line(None), line(0.4))], [SICK])
    assert (len(found.confidence), found.unweighed) == (1, 1)
    assert risk_coverage(lines_said([draft(line(None))], [SICK]), resampling(2)) is None


def test_a_finding_has_its_surest_line_and_any_lines_fault():
    there = Claim(FLUID, "present", side="left")
    elsewhere = Claim(FLUID, "present", side="right")
    found = findings_said([draft(line(0.9, there), line(0.3, elsewhere, Claim(HEART, "absent")))], [SICK])
    assert (found.confidence.tolist(), found.wrong.tolist()) == ([0.9], [True])


def test_what_is_there_and_denied_is_the_loss_of_a_study():
    no_fluid = draft(line(0.9, Claim(FLUID, "absent")))
    both = Truth({FLUID: "present", HEART: "present"})
    assert denied_losses([no_fluid] * 3, [SICK, both, Truth({FLUID: "absent"})]).tolist() == [1.0, 0.5, 0.0]


@dataclass
class Asked:
    wrong_lines: float = 0.1
    denied: float = 0.05
    confidence: float = 0.9
    wrong_stated: float | None = None


@dataclass
class Promise:
    asked: Asked
    scope: str = "on average"
    why: str | None = None


RIGHT, WRONG = line(0.9, Claim(FLUID, "present")), line(0.9, Claim(HEART, "present"))


@pytest.mark.parametrize(
    ("drafts", "told"),
    [
        ([draft(RIGHT)] * 4, "kept"),
        ([draft(WRONG)] * 4, "broken"),
        ([draft(RIGHT)] * 3 + [draft(WRONG)], "above, within what chance allows"),
        ([draft()] * 4, "nothing was said"),
    ],
)
def test_a_promise_is_held_against_what_came_of_it(drafts, told):
    found = held_promise(Promise(Asked()), drafts, [SICK] * 4, resampling=resampling(4))
    assert found["risks"]["wrong_lines"]["verdict"] == told


def test_lines_that_state_a_finding_are_measured_by_themselves_where_that_was_asked():
    """Of nine denials and a statement in each draft, every second statement is wrong: one line in twenty."""
    denial = line(0.9, Claim(HEART, "absent"))
    drafts = [draft(*[denial] * 9, RIGHT), draft(*[denial] * 9, WRONG)] * 4
    asked = Promise(Asked(wrong_stated=0.05))
    found = held_promise(asked, drafts, [SICK] * 8, resampling=resampling(8))["risks"]
    assert found["wrong_lines"]["verdict"] == "kept"
    assert found["wrong_stated"]["measured"]["value"] == 0.5
    assert (found["wrong_stated"]["asked"], found["wrong_stated"]["verdict"]) == (0.05, "broken")
    plain = held_promise(Promise(Asked()), drafts, [SICK] * 8, resampling=resampling(8))["risks"]
    assert plain == {name: risk for name, risk in found.items() if name != "wrong_stated"}


def test_nothing_promised_is_measured_all_the_same():
    found = held_promise(None, [draft(WRONG)] * 2, [SICK] * 2, resampling=resampling(2))
    assert found["risks"]["wrong_lines"]["verdict"] == "not promised"
    assert found["risks"]["wrong_lines"]["measured"]["value"] == 1.0


def test_every_patient_weighs_alike_in_a_promise():
    clusters = Resampling(np.array(["a", "a", "a", "b"]), 60)
    drafts = [draft(RIGHT)] * 3 + [draft(WRONG)]
    found = held_promise(None, drafts, [SICK] * 4, resampling=clusters)
    assert found["risks"]["wrong_lines"]["measured"]["value"] == 0.5
