"""What a random order scores, against every permutation and against random scores."""

import itertools

import numpy as np
import pytest

from xemplar.errors import XemplarError
from xemplar.metrics.chance import chance_median_rank, chance_recall, chance_success
from xemplar.metrics.ranking import recall_at_k, right_ranks, success_at_k


@pytest.mark.parametrize("k", [1, 2, 4, 5])
@pytest.mark.parametrize("right", range(6))
def test_chance_success_and_recall_by_all_permutations(right, k):
    orders = list(itertools.permutations([True] * right + [False] * (5 - right)))
    success = np.mean([any(order[:k]) for order in orders])
    recall = np.mean([sum(order[:k]) / max(right, 1) for order in orders])
    assert chance_success(np.array([right]), 5, k) == pytest.approx([success], abs=1e-14)
    assert chance_recall(np.array([right]), 5, k) == pytest.approx([recall], abs=1e-14)


@pytest.mark.parametrize("counts", [c for m in (1, 2, 3) for c in itertools.product(range(6), repeat=m)])
def test_chance_median_rank_by_all_permutations(counts):
    pooled = []
    for right in counts:
        for order in itertools.permutations([True] * right + [False] * (5 - right)):
            pooled.append(order.index(True) + 1 if right else 6)
    assert chance_median_rank(np.array(counts), 5) == np.median(pooled)


def test_chance_success_keeps_its_digits_where_it_is_small():
    assert chance_success(np.array([1]), 10**9, 1)[0] == pytest.approx(1e-9, rel=1e-12)


def test_chance_agrees_with_random_scores():
    rng = np.random.default_rng(11)
    right = rng.random((20_000, 30)) < rng.uniform(0, 0.3, size=(20_000, 1))
    scores, counts = rng.random(right.shape), right.sum(axis=1)
    assert success_at_k(scores, right, 5).mean() == pytest.approx(
        chance_success(counts, 30, 5).mean(), abs=0.01
    )
    assert recall_at_k(scores, right, 5).mean() == pytest.approx(
        chance_recall(counts, 30, 5).mean(), abs=0.01
    )
    assert abs(np.median(right_ranks(scores, right)) - chance_median_rank(counts, 30)) <= 1


def test_more_right_items_than_items_are_refused():
    with pytest.raises(XemplarError, match="right items of 3"):
        chance_success(np.array([4]), 3, 1)


def test_no_query_has_no_median():
    with pytest.raises(XemplarError, match="no query"):
        chance_median_rank(np.zeros(0, dtype=np.int64), 3)
