"""What makes a claim wrong, by hand-made truths and by drawn studies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xemplar.drafting.beliefs import Belief
from xemplar.drafting.truth import Truth, held_to, held_to_report
from xemplar.records import Claim, Line, Study

EFFUSION = "Pleural Effusion"
DRAWN = Study(
    study_id="s", patient_id="p", domain="synthetic",
    labels={EFFUSION: "present", "Edema": "absent", "Atelectasis": "present"},
    facets={"effusion_left": "severe", "atelectasis": "right lower linear mild", "age": "5"},
    claims=(Claim(EFFUSION, "present", side="right", degree="small"),),
)  # fmt: skip


@pytest.mark.parametrize(
    ("claim", "fault"),
    [
        (Claim(EFFUSION, "present"), None),
        (Claim(EFFUSION, "absent"), "presence"),
        (Claim("Edema", "present"), "presence"),
        (Claim("Edema", "absent"), None),
        (Claim(EFFUSION, "uncertain"), None),
        (Claim("Fracture", "present"), None),
        (Claim(EFFUSION, "present", side="left"), None),
        (Claim(EFFUSION, "present", side="right"), "side"),
        (Claim(EFFUSION, "present", side="bilateral"), "side"),
        (Claim(EFFUSION, "present", degree="large"), None),
        (Claim(EFFUSION, "present", side="left", degree="small"), "degree"),
        (Claim("Atelectasis", "present", side="right", degree="small"), None),
    ],
)
def test_a_drawn_study_says_what_is_wrong(claim: Claim, fault: str | None) -> None:
    """Presence, then side, then degree; a finding of which nothing is known is never wrong."""
    assert held_to(DRAWN).fault(claim) == fault


def test_one_side_is_right_of_both() -> None:
    """ "Left" says less than "bilateral", and isn't wrong."""
    truth = Truth({EFFUSION: "present"}, {EFFUSION: frozenset({"left", "right"})})
    assert truth.fault(Claim(EFFUSION, "present", side="left")) is None
    assert truth.fault(Claim(EFFUSION, "present", side="bilateral")) is None


def test_the_report_alone_can_be_the_truth() -> None:
    """Then what was drawn counts for nothing."""
    truth = held_to_report(DRAWN)
    assert truth.presence == {EFFUSION: "present"}
    assert truth.fault(Claim(EFFUSION, "present", side="left")) == "side"
    real = replace(DRAWN, domain="clinical", labels={})
    assert held_to(real) == truth


def test_a_belief_weighs_all_a_claim_says() -> None:
    """Presence times side times degree; a value of which nothing is known is not believed."""
    belief = Belief(0.8, {"side": {"left": 0.5}, "degree": {"small": 0.25}})
    assert belief.probability(Claim(EFFUSION, "present")) == pytest.approx(0.8)
    assert belief.probability(Claim(EFFUSION, "present", side="left", degree="small")) == pytest.approx(0.1)
    assert belief.probability(Claim(EFFUSION, "present", place="base")) == 0.0
    assert belief.probability(Claim(EFFUSION, "absent")) == pytest.approx(0.2)
    assert belief.probability(Claim(EFFUSION, "uncertain")) == 0.0


def test_a_statement_that_nobody_knows_to_be_right_fails_a_promise() -> None:
    """A report that doesn't mention a finding is no sign of it; a denial of it is what silence means."""
    truth = Truth({EFFUSION: "present", "Edema": "uncertain"})
    said = {"Fracture": "present", "Pneumothorax": "absent", "Edema": "present", EFFUSION: "absent"}
    lines = [_line(Claim(name, presence)) for name, presence in said.items()]
    assert [truth.fails(line) for line in lines] == [True, False, False, True]
    assert [truth.wrong(line) for line in lines] == [False, False, False, True]


def _line(claim: Claim) -> Line:
    return Line("Said.", "s", "Said.", (0, 5), ("a",), (claim,))
