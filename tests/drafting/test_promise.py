"""A promise is kept in simulated worlds whose risk is known, and where limits keep it, some are found."""

import numpy as np
import pytest
from scipy import stats

from xemplar.drafting.promise import (
    Asked,
    Promise,
    conformal_limit,
    learn_then_test,
    ratio_p_value,
)

GRID = np.linspace(0.9, 0.3, 13)


def test_the_p_value_is_scipys_one_sample_test():
    rng = np.random.default_rng(0)
    lines = rng.integers(1, 8, (50, 3)).astype(float)
    wrong = rng.binomial(lines.astype(int), [0.05, 0.1, 0.2]).astype(float)
    found = stats.ttest_1samp(wrong - 0.1 * lines, 0.0, alternative="less").pvalue
    assert ratio_p_value(wrong, lines, share=0.1) == pytest.approx(np.maximum(found, 0.9**50))


def test_few_patients_whose_lines_are_all_right_show_little():
    """By the exact p-value of patients who are right or wrong as a whole; an empty draft is no patient."""
    lines = np.array([3.0, 4.0] * 10 + [0.0] * 5)
    assert ratio_p_value(0 * lines, lines, share=0.1) == pytest.approx(0.9**20)


def test_nobody_or_one_seen_says_nothing():
    assert ratio_p_value(np.zeros((0, 2)), np.zeros((0, 2)), share=0.1).tolist() == [1.0, 1.0]
    assert ratio_p_value([0.0], [5.0], share=0.1) == 1.0


@pytest.mark.parametrize("kind", ["one line", "a few lines", "all or none"])
@pytest.mark.parametrize("patients", [60, 200])
def test_a_true_hypothesis_is_rejected_about_as_often_as_said(kind, patients):
    """Somewhat oftener where a patient's lines are right or wrong together, which the page says."""
    rng = np.random.default_rng(2)
    lines = {"one line": 1, "a few lines": rng.integers(2, 8, (patients, 2000)), "all or none": 5}[kind]
    lines = np.broadcast_to(np.asarray(lines, float), (patients, 2000))
    bad = rng.random((patients, 2000)) < 0.1
    wrong = lines * bad if kind == "all or none" else rng.binomial(lines.astype(int), 0.1)
    rejected = np.mean(ratio_p_value(wrong, lines, share=0.1) <= 0.1)
    assert rejected <= {"a few lines": 0.13}.get(kind, 0.16)


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
    p = ratio_p_value(*world(rng, patients, slope=slope), share=share)
    taken = learn_then_test(p, error=0.1)
    return taken - 1 if taken else None


def test_the_promised_share_of_wrong_lines_is_exceeded_in_at_most_a_tenth_of_repetitions():
    rng, share = np.random.default_rng(3), 0.10
    risk = true_share(0.9)
    assert risk[0] < share < risk[-1]  # some limits keep it and some don't
    found = [chosen(rng, 300, slope=0.9, share=share) for _ in range(400)]
    exceeded = np.mean([place is not None and risk[place] > share for place in found])
    assert exceeded <= 0.12  # a tenth, and what 400 repetitions allow
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
        ratio_p_value([2.0], [1.0], share=0.1)


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


def test_shares_are_told_as_they_were_asked():
    said = Promise(asked=Asked(wrong_lines=0.004, confidence=0.999), patients=9, studies=9).sentence
    assert "at most 0.4% of lines wrong (confidence 99.9%)" in said


def test_studies_are_not_called_patients_where_nobody_knows_those():
    counted = "studies, patients unknown"
    made = Promise(asked=Asked(), patients=80, studies=80, state_at=0.6, deny_at=0.1, counted=counted)
    assert "(80 studies, patients unknown)" in made.sentence
    assert Promise.model_validate(made.model_dump()) == made
    assert "counted" not in Promise(asked=Asked(), patients=80, studies=80).model_dump()
