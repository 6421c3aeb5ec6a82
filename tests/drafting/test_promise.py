"""A promise is kept in simulated worlds whose risk is known, and where limits keep it, some are found."""

import numpy as np
import pytest

from xemplar.drafting.promise import (
    Asked,
    Promise,
    betting_p_value,
    conformal_limit,
    learn_then_test,
    ratio_p_value,
)

MOST = 9
GRID = np.linspace(0.9, 0.3, 13)


def played(values, above, confidence):
    """The capital of the gambler, one bet after the other, as the paper writes it."""
    capital, best, seen = 1.0, 1.0, []
    spread = above**2 / 4
    for value in values:
        bet = min(np.sqrt(2 * np.log(1 / (1 - confidence)) / (len(values) * spread)), 0.9 / above)
        capital *= 1 - bet * value
        best = max(best, capital)
        seen.append(value)
        means = [sum(seen[: k + 1]) / (k + 2) for k in range(len(seen))]
        spread = (above**2 / 4 + sum((x - m) ** 2 for x, m in zip(seen, means, strict=True))) / (
            len(seen) + 1
        )
    return 1 / best


def test_the_p_value_is_the_gamblers():
    values = np.random.default_rng(0).uniform(-1, 0.6, 40)
    assert betting_p_value(values, above=0.8) == pytest.approx(played(values, 0.8, 0.9))


def test_candidates_are_tested_as_each_would_be_alone():
    values = np.random.default_rng(1).uniform(-1, 0.6, (40, 3))
    together = betting_p_value(values, above=0.8)
    assert together == pytest.approx([float(betting_p_value(column, above=0.8)) for column in values.T])


def test_nobody_seen_says_nothing():
    assert betting_p_value(np.zeros((0, 2)), above=1.0).tolist() == [1.0, 1.0]


def test_a_value_that_can_not_be_is_refused():
    with pytest.raises(ValueError, match=r"above 0\.5"):
        betting_p_value([0.7], above=0.5)


@pytest.mark.parametrize("kind", ["two points", "skewed", "lines"])
def test_a_true_hypothesis_is_rejected_no_more_often_than_said(kind):
    rng = np.random.default_rng(2)
    draw = {
        "two points": lambda: rng.choice([-0.1, 0.9], (80, 2000), p=[0.9, 0.1]),
        "skewed": lambda: rng.beta(0.2, 1.8, (80, 2000)) - 0.1,
        "lines": lambda: rng.binomial(6, 0.1, (80, 2000)) - 0.1 * 6,
    }[kind]()
    rejected = np.mean(betting_p_value(draw, above=MOST * 0.9 if kind == "lines" else 0.9) <= 0.1)
    assert rejected <= 0.1


def world(rng, patients, *, slope):
    """Drafts whose true share of wrong lines rises as the limit falls: wrong and lines (patients, limits)."""
    denied = rng.binomial(5, 0.8, patients)
    sure = rng.random((patients, 4))
    wrong = rng.random((patients, 4)) < slope * (1 - sure)
    stated = sure[:, :, None] >= GRID
    fails = rng.binomial(denied, 0.02)
    return fails[:, None] + (stated & wrong[:, :, None]).sum(axis=1), denied[:, None] + stated.sum(axis=1)


def true_share(slope):
    """By integration: of 4 statements, u uniform, those with u >= limit are said, wrong by slope (1 - u)."""
    said, wrong = 4 * (1 - GRID), 4 * slope * (1 - GRID) ** 2 / 2
    return (4 * 0.02 + wrong) / (4 + said)


def chosen(rng, patients, *, slope, share):
    p = ratio_p_value(*world(rng, patients, slope=slope), share=share, most=MOST)
    taken = learn_then_test(p, error=0.1)
    return taken - 1 if taken else None


def test_the_promised_share_of_wrong_lines_is_exceeded_in_at_most_a_tenth_of_repetitions():
    rng, share = np.random.default_rng(3), 0.10
    risk = true_share(0.9)
    assert risk[0] < share < risk[-1]  # some limits keep it and some don't
    found = [chosen(rng, 300, slope=0.9, share=share) for _ in range(400)]
    exceeded = np.mean([place is not None and risk[place] > share for place in found])
    assert exceeded <= 0.1
    assert np.mean([place is not None for place in found]) > 0.9


def test_a_hundred_patients_suffice_where_the_risk_is_low():
    rng = np.random.default_rng(4)
    found = [chosen(rng, 100, slope=0.3, share=0.10) for _ in range(100)]
    assert np.mean([place is not None for place in found]) > 0.9


def test_a_sequence_ends_at_the_first_that_is_not_rejected():
    assert [learn_then_test(p, error=0.05) for p in ([0.01, 0.2, 0.01], [0.01, 0.04], [0.06, 0.01])] == [
        1,
        2,
        0,
    ]


def test_nothing_behind_the_end_of_a_sequence_is_asked_for():
    asked = iter([0.01, 0.9, 0.01])
    learn_then_test(asked, error=0.1)
    assert list(asked) == [0.01]


def test_more_wrong_lines_than_lines_is_refused():
    with pytest.raises(ValueError, match="more wrong lines than lines"):
        ratio_p_value([2.0], [1.0], share=0.1, most=9)


LIMITS = np.linspace(0.0, 1.0, 21)


def test_the_conformal_limit_is_brute_forces():
    losses = np.random.default_rng(6).random(30)[:, None] < LIMITS * 0.5
    fine = [t for t, col in zip(LIMITS, losses.T, strict=True) if (30 * col.mean() + 1) / 31 <= 0.2]
    assert conformal_limit(losses, LIMITS, risk=0.2) == max(fine)


def test_the_expected_loss_is_at_most_the_risk_and_not_far_below():
    """A patient's finding has a probability u, uniform, and is denied up to the limit."""
    rng = np.random.default_rng(7)
    limits = [conformal_limit(rng.random(60)[:, None] <= LIMITS, LIMITS, risk=0.2) for _ in range(1500)]
    mean = np.mean([limit or 0.0 for limit in limits])  # of a limit t the loss is t
    assert 0.13 < mean <= 0.2


def test_too_few_patients_promise_nothing():
    assert conformal_limit(np.zeros((10, 21)), LIMITS, risk=0.05) is None


def test_a_loss_that_falls_is_refused():
    with pytest.raises(ValueError, match="falls"):
        conformal_limit([[1.0, 0.0]], [0.1, 0.2], risk=0.1)


def test_the_sentence_has_numbers_and_scope():
    said = Promise(asked=Asked(), patients=80, studies=90, state_at=0.6, deny_at=0.1).sentence
    assert "10% of lines wrong (confidence 90%)" in said
    assert "5% of findings that are there denied" in said
    assert "not for each patient (80 patients)" in said


def test_a_promise_that_can_not_be_kept_says_why():
    said = Promise(asked=Asked(), patients=3, studies=3, why="only 3 patients").sentence
    assert said.startswith("Not promised:")
    assert said.endswith("only 3 patients.")


@pytest.mark.parametrize("wrong", [{"wrong_lines": 0.0}, {"denied": 1.0}, {"confidence": 1.2}, {"lines": 1}])
def test_a_risk_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match="Asked"):
        Asked(**wrong)
