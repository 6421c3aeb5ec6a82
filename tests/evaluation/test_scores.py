"""Rows of the result: each value, floor, chance and difference from the arrays it comes from."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from xemplar.evaluation.scores import (
    DEPTHS,
    Resampling,
    Run,
    draft_scores,
    finding_scores,
    ranking_scores,
)
from xemplar.metrics.clinical import count_labels
from xemplar.metrics.relevance import same_key

COUNT = 40
RNG = np.random.default_rng(0)
KEYS = [f"text {n % 30}" for n in range(COUNT)]
RELEVANT = same_key(KEYS, KEYS)
GOOD = (RNG.standard_normal((COUNT, COUNT)) + 2.5 * np.eye(COUNT)).astype(np.float32)
POOR = RNG.standard_normal((COUNT, COUNT)).astype(np.float32)
PATIENTS = np.array([f"p{n // 2}" for n in range(COUNT)])
RESAMPLING = Resampling(PATIENTS, replicates=100, seed=1)
FINDINGS = ("A", "B", "C", "D")


@pytest.fixture(scope="module")
def rows():
    scores = ranking_scores([Run("ours", GOOD), Run("floor", POOR)], RELEVANT, RESAMPLING)
    return {score.measure: score for score in scores}


def test_the_measures_and_their_order(rows):
    assert list(rows) == [*(f"success@{k}" for k in DEPTHS), "recall@10", "MRR", "median rank"]


@pytest.mark.parametrize("k", DEPTHS)
def test_success_is_a_share_of_queries(rows, k):
    """By sorting: is a right text among the first k?"""
    order = np.argsort(-GOOD, axis=1)[:, :k]
    wanted = np.mean([RELEVANT[row, columns].any() for row, columns in enumerate(order)])
    assert rows[f"success@{k}"].ours.value == pytest.approx(wanted)


def test_recall_is_a_share_of_right_texts(rows):
    order = np.argsort(-GOOD, axis=1)[:, :10]
    shares = [RELEVANT[row, columns].sum() / RELEVANT[row].sum() for row, columns in enumerate(order)]
    assert rows["recall@10"].ours.value == pytest.approx(np.mean(shares))


def test_ranks_by_sorting(rows):
    order = np.argsort(-GOOD, axis=1)
    first = np.array([np.flatnonzero(RELEVANT[row, order[row]])[0] + 1 for row in range(COUNT)])
    assert rows["median rank"].ours.value == np.median(first)
    assert rows["MRR"].ours.value == pytest.approx((1 / first).mean())


@pytest.mark.parametrize("k", DEPTHS)
def test_chance_is_what_random_orders_reach(rows, k):
    rng = np.random.default_rng(2)
    drawn = [RELEVANT[row, rng.permutation(COUNT)[:k]].any() for _ in range(300) for row in range(COUNT)]
    assert rows[f"success@{k}"].chance == pytest.approx(np.mean(drawn), abs=0.02)


def test_floors_stand_beside_ours(rows):
    for name, score in rows.items():
        alone = {s.measure: s for s in ranking_scores([Run("floor", POOR)], RELEVANT, RESAMPLING)}
        assert score.floors["floor"] == alone[name].ours


def test_a_difference_is_ours_less_the_floors(rows):
    for score in rows.values():
        assert score.differences["floor"].value == pytest.approx(
            score.ours.value - score.floors["floor"].value
        )


def test_a_difference_is_paired(rows):
    """Of a system with itself it is nothing, with no spread, whatever is drawn."""
    for score in ranking_scores([Run("ours", GOOD), Run("same", GOOD)], RELEVANT, RESAMPLING):
        same = score.differences["same"]
        assert (same.low, same.value, same.high) == (0, 0, 0)


def test_intervals_resample_patients(rows):
    assert {score.ours.clusters for score in rows.values()} == {COUNT // 2}


def test_equal_scores_earn_nothing():
    flat = np.zeros_like(GOOD)
    scores = {s.measure: s for s in ranking_scores([Run("flat", flat)], RELEVANT, RESAMPLING)}
    assert scores["success@10"].ours.value == 0


def test_some_of_the_queries_keep_their_patients():
    some = RESAMPLING.of(np.arange(COUNT) < 10)
    assert some.clusters.tolist() == PATIENTS[:10].tolist()
    assert (some.replicates, some.seed) == (100, 1)


TRUTH = RNG.random((COUNT, 4)) < 0.4
OURS = TRUTH ^ (RNG.random((COUNT, 4)) < 0.2)
FLOOR = RNG.random((COUNT, 4)) < 0.4


def drafted(said=OURS, truth=TRUTH):
    mine = count_labels(said, truth, findings=FINDINGS)
    floor = count_labels(FLOOR, truth, findings=FINDINGS)
    return {score.measure: score for score in draft_scores(mine, {"floor": floor}, RESAMPLING)}


@pytest.mark.parametrize(
    ("measure", "score", "average"),
    [
        ("micro-F1, present", f1_score, "micro"),
        ("micro-precision, present", precision_score, "micro"),
        ("micro-recall, present", recall_score, "micro"),
        ("macro-F1, present", f1_score, "macro"),
    ],
)
def test_draft_scores_are_scikit_learns(measure, score, average):
    found = drafted()[measure]
    assert found.ours.value == pytest.approx(score(TRUTH, OURS, average=average))
    assert found.floors["floor"].value == pytest.approx(score(TRUTH, FLOOR, average=average))
    assert found.differences["floor"].value == pytest.approx(
        score(TRUTH, OURS, average=average) - score(TRUTH, FLOOR, average=average)
    )


def test_saying_nothing_has_no_precision_and_counts_as_nothing():
    found = drafted(said=np.zeros_like(TRUTH))
    assert found["micro-precision, present"].ours.value == 0
    assert found["micro-F1, present"].ours.value == 0


def test_a_row_for_each_finding_that_is_present():
    truth = TRUTH.copy()
    truth[:, 2] = False
    mine = count_labels(OURS, truth, findings=FINDINGS)
    found = finding_scores(mine, {}, RESAMPLING)
    assert [score.measure for score in found] == ["F1 A", "F1 B", "F1 D"]
    for score, column in zip(found, (0, 1, 3), strict=True):
        assert score.ours.value == pytest.approx(f1_score(truth[:, column], OURS[:, column]))


def test_a_row_is_plain_data():
    row = drafted()["micro-F1, present"].json()
    assert set(row) == {"measure", "ours", "chance", "floors", "differences"}
    assert isinstance(row["ours"], dict) and isinstance(row["floors"]["floor"]["value"], float)
