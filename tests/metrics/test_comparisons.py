"""Two runs compared: against scipy, loops over the same draws, and by simulation of no difference."""

import itertools

import numpy as np
import pytest
from scipy import stats

from xemplar.errors import XemplarError
from xemplar.metrics.statistics import (
    Resampler,
    bootstrap,
    holm,
    ratio,
    with_counts,
)


@pytest.fixture(scope="module")
def runs():
    """Two runs of 150 studies of some 40 patients; the first is the better by .1 or so."""
    rng = np.random.default_rng(31)
    patients = rng.integers(0, 40, size=150)
    level = rng.normal(size=40)[patients]
    return patients, level + rng.normal(size=150) + 0.3, level + rng.normal(size=150)


def product(sums):
    """A score that is no mean: (..., 2) sums of values and counts."""
    return ratio(sums) ** 2


def test_the_difference_is_that_of_the_paired_bootstrap(runs):
    patients, first, second = (runs[0], *map(with_counts, runs[1:]))
    draws = Resampler(patients, seed=3, replicates=200)
    both = np.stack([first, second], axis=1)
    again = draws.interval(lambda sums: product(sums[:, 0]) - product(sums[:, 1]), both)
    assert draws.comparison(product, first, second).difference == again


def test_many_scores_are_each_as_if_alone(runs):
    patients, first, second = (runs[0], *map(with_counts, runs[1:]))
    draws = Resampler(patients, seed=5, replicates=300)
    both = draws.comparisons({"mean": ratio, "square": product}, first, second)
    assert both["square"] == Resampler(patients, seed=5, replicates=300).comparison(product, first, second)
    alone = bootstrap(ratio, first, clusters=patients, seed=5, replicates=300)
    assert draws.intervals({"mean": ratio}, first)["mean"] == alone


def test_the_bootstrap_p_is_the_level_at_which_the_interval_reaches_zero(runs):
    patients, first, second = runs
    found = Resampler(patients, seed=9, replicates=999).comparison(
        ratio, with_counts(first), with_counts(second + 0.08)
    )
    assert 0.03 < found.p_bootstrap < 0.6
    for shift, outside in ((0.02, True), (-0.02, False)):
        level = 1 - found.p_bootstrap - shift
        again = Resampler(patients, seed=9, replicates=999, level=level).comparison(
            ratio, with_counts(first), with_counts(second + 0.08)
        )
        assert again.difference.excludes_zero is outside


def test_the_randomised_p_agrees_with_every_exchange_by_scipy():
    rng = np.random.default_rng(1)
    patients = np.repeat(np.arange(9), 2)
    first, second = rng.normal(0.4, 1, size=18), rng.normal(size=18)
    by_patient = [np.add.reduceat(run, np.arange(0, 18, 2)) for run in (first, second)]
    exact = stats.permutation_test(
        by_patient, lambda one, other: (one.sum() - other.sum()) / 18, permutation_type="samples"
    )  # 9 patients: all 512 exchanges
    found = Resampler(patients, seed=0, replicates=20_000).comparison(
        ratio, with_counts(first), with_counts(second)
    )
    assert 0.05 < exact.pvalue < 0.95
    assert found.p_randomised == pytest.approx(exact.pvalue, abs=0.015)


def test_the_interval_agrees_with_scipy(runs):
    patients, first, _ = runs
    _, codes = np.unique(patients, return_inverse=True)
    sums = (np.bincount(codes, weights=first), np.bincount(codes).astype(float))
    theirs = stats.bootstrap(
        sums, lambda total, count, axis: total.sum(axis=axis) / count.sum(axis=axis),
        paired=True, method="percentile", n_resamples=5000, rng=np.random.default_rng(2), vectorized=True,
    ).confidence_interval  # fmt: skip
    ours = bootstrap(ratio, with_counts(first), clusters=patients, seed=2, replicates=5000)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.03)
    assert ours.high - ours.low > 0.4


def test_no_difference_is_found_about_as_often_as_the_level_says():
    rng, patients = np.random.default_rng(4), np.repeat(np.arange(25), 6)
    wrong = {"patients": 0, "studies": 0}
    for trial in range(200):
        # Each run is good or bad at a whole patient: six studies, one fact.
        first, second = (rng.normal(size=25)[patients] + 0.3 * rng.normal(size=150) for _ in range(2))
        for kind, clusters in (("patients", patients), ("studies", np.arange(150))):
            draws = Resampler(clusters, seed=trial, replicates=199)
            p = draws.comparison(ratio, with_counts(first), with_counts(second)).p_randomised
            wrong[kind] += p <= 0.05
    assert wrong["patients"] / 200 <= 0.095
    assert wrong["studies"] / 200 >= 0.25


def test_a_run_does_not_differ_from_itself(runs):
    sums = with_counts(runs[1])
    found = Resampler(runs[0], seed=1, replicates=99).comparison(ratio, sums, sums)
    assert (found.p_bootstrap, found.p_randomised, found.difference.value) == (1.0, 1.0, 0.0)


def test_rounding_makes_no_difference(runs):
    # The same numbers summed in another order differ in the last bits only.
    patients = runs[0]
    first, second = np.ones(150) * 0.1, np.ones(150) * 0.1 * (1 + 1e-15)
    found = Resampler(patients, seed=1, replicates=99).comparison(
        ratio, with_counts(first), with_counts(second)
    )
    assert (found.p_bootstrap, found.p_randomised) == (1.0, 1.0)


def test_a_plain_difference_has_the_smallest_p_there_is(runs):
    patients, first, second = runs
    found = Resampler(patients, seed=1, replicates=99).comparison(
        ratio, with_counts(first + 50), with_counts(second)
    )
    assert (found.p_bootstrap, found.p_randomised) == (0.02, 0.01)


def test_exchanging_the_runs_turns_the_sign_alone(runs):
    patients, first, second = (runs[0], *map(with_counts, runs[1:]))
    draws = Resampler(patients, seed=8, replicates=200)
    one, other = draws.comparison(ratio, first, second), draws.comparison(ratio, second, first)
    assert one.difference.value == -other.difference.value
    assert (one.difference.low, one.difference.high) == pytest.approx(
        (-other.difference.high, -other.difference.low)
    )
    assert (one.p_bootstrap, one.p_randomised) == (other.p_bootstrap, other.p_randomised)


def test_weights_and_sums_agree_on_a_mean(runs, monkeypatch):
    patients, first, _ = runs
    draws = Resampler(patients, seed=2, replicates=100)
    expected = draws.interval(ratio, with_counts(first))
    monkeypatch.setattr("xemplar.metrics.statistics._BLOCK_CELLS", 7 * 150)
    found = draws.weight_interval(lambda weights: weights @ first / weights.sum(axis=1))
    assert (found.low, found.value, found.high) == pytest.approx(
        (expected.low, expected.value, expected.high)
    )


def test_an_undefined_score_has_no_p():
    nothing = np.zeros((4, 2))
    found = Resampler(["a", "b", "c", "d"], seed=0, replicates=20).comparison(ratio, nothing, nothing)
    assert np.isnan([found.p_bootstrap, found.p_randomised, found.difference.low]).all()
    assert found.difference.undefined == 20


def test_undefined_replicates_count_against_a_difference():
    # Drawing only the third patient, 1 in 27 draws, leaves 0 / 0.
    sums, clusters = np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]), ["a", "b", "c"]
    worse = sums * [0.0, 1.0]
    found = Resampler(clusters, seed=0, replicates=2700).comparison(ratio, sums, worse)
    assert 60 < found.difference.undefined < 140
    assert found.p_bootstrap == pytest.approx(2 * (found.difference.undefined + 1) / 2701)


def test_the_seed_stands_in_the_result(runs):
    found = Resampler(runs[0], seed=77, replicates=10, level=0.8).interval(ratio, with_counts(runs[1]))
    assert (found.seed, found.level, found.replicates, found.clusters) == (77, 0.8, 10, len(set(runs[0])))


def test_draws_leave_the_global_generator_alone(runs):
    before = np.random.get_state()[1].copy()
    Resampler(runs[0], seed=7, replicates=10).comparison(ratio, with_counts(runs[1]), with_counts(runs[2]))
    assert (np.random.get_state()[1] == before).all()


def test_tosses_are_fair_and_have_nothing_to_do_with_the_draws(runs):
    draws = Resampler(runs[0], seed=7, replicates=400)
    together = np.corrcoef(draws._weights.ravel(), draws._sides.ravel())[0, 1]
    assert abs(together) < 0.03
    assert draws._sides.mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.9], [1.0, 1.0]),
        ([0.02], [0.02]),
        ([], []),
        ([0.02, 0.02], [0.04, 0.04]),
    ],
)
def test_holm_by_hand(p_values, adjusted):
    found = holm({str(place): p for place, p in enumerate(p_values)})
    assert list(found.values()) == pytest.approx(adjusted)


def test_holm_is_bonferroni_over_every_set_of_hypotheses():
    p = np.random.default_rng(3).beta(0.3, 2, size=6)
    found = holm({str(place): value for place, value in enumerate(p)})
    for place in range(6):
        others = [other for other in range(6) if other != place]
        sets = [(place, *some) for size in range(6) for some in itertools.combinations(others, size)]
        closed = max(min(1.0, len(some) * p[list(some)].min()) for some in sets)
        assert found[str(place)] == pytest.approx(closed)


def test_holm_leaves_out_what_could_not_be_tested():
    found = holm({"a": 0.01, "b": float("nan"), "c": 0.02})
    assert (found["a"], found["c"]) == (0.02, 0.02)
    assert np.isnan(found["b"])


def test_holm_refuses_what_is_no_probability():
    with pytest.raises(XemplarError, match="a p-value outside"):
        holm({"a": 1.2})


def test_runs_over_other_units_are_refused():
    with pytest.raises(XemplarError, match="two systems over the same units"):
        Resampler(["a", "b"], seed=0).comparison(ratio, np.ones((2, 2)), np.ones((3, 2)))


def test_units_of_another_number_are_refused():
    with pytest.raises(XemplarError, match=r"units of shape \(3, 2\) for clusters of shape \(2,\)"):
        Resampler(["a", "b"], seed=0).interval(ratio, np.ones((3, 2)))


@pytest.mark.parametrize("clusters", [["a", None], [1.0, float("nan")]])
def test_units_of_nobody_are_refused(clusters):
    with pytest.raises(XemplarError, match="1 units of an unknown cluster"):
        Resampler(clusters, seed=0)


def test_infinite_sums_are_refused():
    with pytest.raises(XemplarError, match="an infinite number"):
        Resampler(["a", "b"], seed=0).interval(ratio, np.array([[np.inf, 1.0], [1.0, 1.0]]))


def test_a_negative_seed_is_refused():
    with pytest.raises(XemplarError, match="seed -1"):
        Resampler(["a", "b"], seed=-1)
