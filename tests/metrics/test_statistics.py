"""The cluster bootstrap against naive loops over the same draws, and by simulation."""

import numpy as np
import pytest

from xemplar.errors import XemplarError
from xemplar.metrics.clinical import count_labels, f1
from xemplar.metrics.statistics import (
    Interval,
    Resampler,
    bootstrap,
    ratio,
    with_counts,
)


def naive_draws(score, clusters, replicates, seed):
    """Draw clusters one replicate at a time and score the units of the drawn ones from scratch."""
    rng = np.random.default_rng(seed)
    names = np.unique(clusters)
    members = [np.flatnonzero(clusters == name) for name in names]
    draws = []
    for _ in range(replicates):
        drawn = rng.integers(0, len(names), size=len(names))
        draws.append(score(np.concatenate([members[cluster] for cluster in drawn])))
    return draws


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(8)
    clusters = np.array([f"patient {number}" for number in rng.integers(0, 40, size=150)])
    truth = rng.random((150, 3)) < 0.3
    return clusters, truth, truth ^ (rng.random((150, 3)) < 0.2), truth ^ (rng.random((150, 3)) < 0.35)


def test_mean_agrees_with_a_naive_loop(data):
    clusters, _, right, _ = data
    successes = right[:, 0].astype(float)
    interval = bootstrap(ratio, with_counts(successes), clusters=clusters, seed=4, replicates=200)
    draws = naive_draws(lambda rows: successes[rows].mean(), clusters, 200, 4)
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])))
    assert interval.value == pytest.approx(successes.mean())


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_f1_agrees_with_rescoring_the_drawn_studies(data, average):
    clusters, truth, predicted, _ = data
    counts = count_labels(predicted, truth, findings=("a", "b", "c"))

    def rescore(rows):
        again = count_labels(predicted[rows], truth[rows], findings=("a", "b", "c"))
        return float(f1(again.totals, average=average))

    interval = bootstrap(
        lambda sums: f1(sums, average=average),
        counts.counts,
        clusters=clusters,
        seed=2,
        replicates=100,
        level=0.9,
    )
    expected = np.quantile(naive_draws(rescore, clusters, 100, 2), [0.05, 0.95])
    assert (interval.low, interval.high) == pytest.approx(tuple(expected))
    assert interval.value == pytest.approx(rescore(np.arange(150)))


def test_difference_uses_the_same_resamples_for_both(data):
    clusters, truth, first, second = data
    sums = [count_labels(table, truth, findings=("a", "b", "c")).counts for table in (first, second)]

    def rescore(rows):
        return float(f1(sums[0][rows].sum(axis=0)) - f1(sums[1][rows].sum(axis=0)))

    interval = Resampler(clusters, seed=6, replicates=100).comparison(f1, *sums).difference
    expected = np.quantile(naive_draws(rescore, clusters, 100, 6), [0.025, 0.975])
    assert (interval.low, interval.high) == pytest.approx(tuple(expected))
    assert interval.excludes_zero


def test_a_system_does_not_differ_from_itself(data):
    sums = with_counts(data[1][:, 0])
    interval = Resampler(data[0], seed=0, replicates=50).comparison(ratio, sums, sums).difference
    assert (interval.low, interval.value, interval.high) == (0, 0, 0)
    assert not interval.excludes_zero


def test_median_agrees_with_a_naive_loop(data):
    clusters = data[0]
    ranks = np.random.default_rng(1).integers(1, 50, size=150)
    resampler = Resampler(clusters, seed=9, replicates=150)
    interval = resampler.unit_interval(lambda drawn: float(np.median(drawn)), ranks)
    draws = naive_draws(lambda rows: np.median(ranks[rows]), clusters, 150, 9)
    assert (interval.low, interval.high) == tuple(np.quantile(draws, [0.025, 0.975]))
    assert interval.value == np.median(ranks)


def test_units_and_sums_agree_on_a_mean(data):
    clusters, successes = data[0], data[1][:, 1].astype(float)
    resampler = Resampler(clusters, seed=3, replicates=100)
    sums = resampler.interval(ratio, with_counts(successes))
    units = resampler.unit_interval(lambda drawn: float(drawn.mean()), successes)
    assert (sums.low, sums.high) == pytest.approx((units.low, units.high))


def test_blocks_do_not_show(data, monkeypatch):
    arguments = {"clusters": data[0], "seed": 5, "replicates": 100}
    whole = bootstrap(ratio, with_counts(data[1][:, 0]), **arguments)
    monkeypatch.setattr("xemplar.metrics.statistics._BLOCK_CELLS", 7 * 40)
    again = bootstrap(ratio, with_counts(data[1][:, 0]), **arguments)
    assert (again.low, again.high) == pytest.approx((whole.low, whole.high), abs=1e-15)


def test_the_seed_decides(data):
    first, same, other = (
        bootstrap(ratio, with_counts(data[1][:, 0]), clusters=data[0], seed=seed) for seed in (1, 1, 2)
    )
    assert first == same
    assert first != other


def test_resampling_patients_is_wider_than_resampling_studies():
    # Ten studies a patient, all alike: 30 facts, not 300.
    per_patient = np.random.default_rng(0).random(30) < 0.5
    values, patients = np.repeat(per_patient, 10), np.repeat(np.arange(30), 10)
    by_patient = bootstrap(ratio, with_counts(values), clusters=patients, seed=1)
    by_study = bootstrap(ratio, with_counts(values), clusters=np.arange(300), seed=1)
    assert 2.5 < (by_patient.high - by_patient.low) / (by_study.high - by_study.low) < 4


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(7)
    patients, covered = np.repeat(np.arange(80), 3), 0
    for trial in range(200):
        values = (rng.random((80, 1)) < rng.beta(2, 2, size=(80, 1))).repeat(3, axis=1).ravel()
        interval = bootstrap(ratio, with_counts(values), clusters=patients, seed=trial, replicates=300)
        covered += interval.low <= 0.5 <= interval.high
    assert 0.89 <= covered / 200 <= 0.99


def test_undefined_replicates_are_counted_and_left_out():
    sums = np.array([[1.0, 1.0], [0.0, 0.0]])  # drawing the second cluster twice leaves 0 / 0
    interval = bootstrap(ratio, sums, clusters=["a", "b"], seed=0, replicates=400)
    assert 60 < interval.undefined < 140  # a quarter of 400
    assert (interval.low, interval.high, interval.replicates) == (1.0, 1.0, 400)


def test_an_interval_reads_as_value_and_bounds():
    interval = Interval(low=0.4711, high=0.5689, value=0.5199, replicates=1000, clusters=90)
    assert interval.format() == "0.52 [0.47, 0.57]"
    assert interval.format(digits=3) == "0.520 [0.471, 0.569]"
    assert str(interval) == interval.format()


@pytest.mark.parametrize(
    ("low", "high", "told"), [(0.1, 0.2, True), (-0.2, -0.1, True), (-0.1, 0.1, False), (0.0, 0.1, False)]
)
def test_zero_on_the_edge_is_not_excluded(low, high, told):
    assert Interval(low, high, 0.0, 1, 2).excludes_zero is told


def test_one_cluster_is_refused():
    with pytest.raises(XemplarError, match="3 units of a single cluster"):
        bootstrap(ratio, with_counts(np.ones(3)), clusters=["a"] * 3, seed=0)


def test_nothing_to_resample_is_refused():
    with pytest.raises(XemplarError, match="no unit"):
        bootstrap(ratio, np.zeros((0, 2)), clusters=[], seed=0)


def test_unequal_lengths_are_refused():
    with pytest.raises(XemplarError, match=r"shape \(3, 2\) for clusters of shape \(2,\)"):
        bootstrap(ratio, with_counts(np.ones(3)), clusters=["a", "b"], seed=0)


def test_nan_units_are_refused():
    with pytest.raises(XemplarError, match="NaN among the units"):
        bootstrap(ratio, with_counts(np.array([1.0, np.nan])), clusters=["a", "b"], seed=0)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_that_is_no_coverage_is_refused(level):
    with pytest.raises(XemplarError, match="level"):
        bootstrap(ratio, with_counts(np.ones(2)), clusters=["a", "b"], seed=0, level=level)


def test_no_replicates_are_refused():
    with pytest.raises(XemplarError, match="0 replicates"):
        bootstrap(ratio, with_counts(np.ones(2)), clusters=["a", "b"], seed=0, replicates=0)


def test_a_statistic_that_does_not_work_row_by_row_is_refused():
    with pytest.raises(XemplarError, match="one number for each row"):
        bootstrap(lambda sums: sums.mean(), with_counts(np.ones(2)), clusters=["a", "b"], seed=0)
