"""Limits are chosen on drafts of patients held back: in made-up archives whose risk is known they keep it."""

from functools import cache

import numpy as np
import pytest

from xemplar.drafting.beliefs import Belief, Limits
from xemplar.drafting.limits import (
    Trial,
    denied_losses,
    guess,
    half_of,
    one_each,
    patient_of,
    promised,
    wrong_and_lines,
)
from xemplar.drafting.promise import Asked
from xemplar.drafting.truth import Truth
from xemplar.records import Claim, Line, Study

NAMES = ("Edema", "Fracture", "Consolidation", "Atelectasis", "Cardiomegaly", "Pneumothorax")


@cache  # thousands of drafts say it again
def line(finding, presence, confidence):
    text = f"{presence} {finding}"
    claims = (Claim(finding, presence, span=(0, len(text))),)
    return Line(text, "s", text, (0, len(text)), ("a",), claims, confidence=confidence)


def drafted(beliefs, limits):
    """One line for each finding that may be stated or denied."""
    for name, one in beliefs.items():
        if one.presence >= limits.state_at:
            yield line(name, "present", one.presence)
        elif limits.may_deny(name, one.presence):
            yield line(name, "absent", 1 - one.presence)


def archive(rng, patients, *, each=1, flat=1.0):
    """Findings that are there with the probability believed (`flat` 1), or oftener than that."""
    keys = [f"p{n}" for n in rng.choice(10**9, patients, replace=False) for _ in range(each)]
    p = rng.beta(0.15, 0.5, (len(keys), len(NAMES)))
    there = rng.random(p.shape) < p**flat
    beliefs = [{n: Belief(float(v)) for n, v in zip(NAMES, row, strict=True)} for row in p]
    truths = [
        Truth({n: "present" if v else "absent" for n, v in zip(NAMES, row, strict=True)}) for row in there
    ]
    return Trial(keys, beliefs, truths, lambda place, limits: tuple(drafted(beliefs[place], limits)))


@pytest.fixture(scope="module")
def many():
    """A large archive of the same kind, to know the risks of limits by."""
    return archive(np.random.default_rng(99), 800)


def test_what_is_promised_is_kept_in_most_repetitions(many):
    rng, asked = np.random.default_rng(0), Asked(wrong_lines=0.1, denied=0.05)
    where = guess(asked, archive(rng, 100).beliefs)
    wrong, denied = [], []
    for _ in range(10):
        made = promised(asked, archive(rng, 120), where)
        assert made.kept
        w, n = wrong_and_lines(many, Limits(made.state_at, made.deny_at))
        wrong.append(w.sum() / n.sum())
        denied.append(denied_losses(many, [made.deny_at]).mean())
    assert np.mean(np.array(wrong) > 0.1) <= 0.1
    assert np.mean(denied) <= 0.05
    assert np.mean(wrong) > 0.03  # not by saying next to nothing


def test_beliefs_that_are_too_sure_are_given_no_limits_that_break_the_promise(many):
    """What is believed absent is there far oftener."""
    rng, asked = np.random.default_rng(1), Asked()
    for _ in range(3):
        made = promised(asked, archive(rng, 120, flat=0.2), 0.2)
        assert not made.kept or made.deny_at < 0.2


def test_a_dozen_patients_promise_nothing_and_say_so():
    rng, asked = np.random.default_rng(2), Asked()
    made = promised(asked, archive(rng, 12), 0.05)
    assert (made.kept, made.why) == (False, "of denials: 12 patients to test it on, 19 or more wanted")


def test_no_patient_at_all_promises_nothing():
    assert not promised(Asked(), Trial([], [], [], lambda *_: ()), 0.05).kept


def test_a_patients_studies_count_as_one(many):
    tested = archive(np.random.default_rng(3), 20, each=3)
    wrong, lines = wrong_and_lines(tested, Limits(0.5, 0.1))
    assert len(wrong) == len(lines) == 20
    first = tested.groups[0]
    assert lines[0] == np.mean([len(tested.draft(place, Limits(0.5, 0.1))) for place in first])


def test_a_loss_is_the_share_of_a_studys_findings_that_may_be_denied():
    beliefs = [{"Edema": Belief(0.1), "Fracture": Belief(0.4)}, {"Edema": Belief(0.01)}]
    truths = [Truth({"Edema": "present", "Fracture": "present"}), Truth({"Edema": "absent"})]
    tested = Trial(["p", "q"], beliefs, truths, lambda *_: ())
    found = denied_losses(tested, [0.05, 0.2, 0.5])
    assert sorted(found.tolist()) == [[0.0, 0.0, 0.0], [0.0, 0.5, 1.0]]


def test_halves_are_of_patients_and_about_equal():
    halves = [half_of(f"p{n}") for n in range(1000)]
    assert 420 < halves.count("fit") < 580
    studies = [Study(f"s{n}", "p", "synthetic") for n in range(9)]
    assert len({half_of(patient_of(study)) for study in studies}) == 1


def test_one_study_each_whatever_the_others_are():
    keys = ["a", "b", "a", "c", "b"]
    chosen = {keys[place]: place for place in one_each(keys)}
    assert chosen.keys() == {"a", "b", "c"}
    again = [*keys, "d"]
    assert {again[place]: place for place in one_each(again)}.items() >= chosen.items()


def test_what_reports_do_not_mention_is_not_stated_for_nothing():
    """Reports that mention nothing: no line could be called wrong, and a promise would be empty."""
    tested = archive(np.random.default_rng(5), 60)
    silent = Trial(tested.patients, tested.beliefs, [Truth({})] * 60, tested.draft)
    wrong, _ = wrong_and_lines(silent, Limits(0.5, 0.0))
    assert wrong.sum() > 0
    made = promised(Asked(), silent, 0.0)
    assert not made.kept
