"""Ranks, success, recall and their chances, against hand tables, enumeration and trec_eval."""

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest

from xemplar.errors import XemplarError
from xemplar.metrics.ranking import (
    chance_median_rank,
    chance_recall,
    chance_success,
    recall_at_k,
    reciprocal_ranks,
    right_ranks,
    same_key,
    success_at_k,
)

# scores, which items are right, pessimistic rank, optimistic rank
TABLE = [
    ([0.9, 0.5, 0.1], [1, 0, 0], 1, 1),
    ([0.9, 0.5, 0.1], [0, 0, 1], 3, 3),
    ([0.5, 0.5, 0.5], [1, 0, 0], 3, 1),
    ([0.5, 0.5, 0.5], [1, 1, 0], 2, 1),
    ([0.5, 0.5, 0.5], [1, 1, 1], 1, 1),
    ([0.5, 0.9, 0.5], [1, 0, 0], 3, 2),
    ([0.5, 0.9, 0.5], [1, 0, 1], 2, 2),
    ([0.5, 0.9, 0.9], [0, 1, 0], 2, 1),
    ([0.5, 0.9, 0.1], [0, 0, 0], 4, 4),
    ([-np.inf, -np.inf, 0.1], [1, 0, 0], 3, 2),
    ([np.inf, 0.3, np.inf], [1, 0, 0], 2, 1),
]


@pytest.mark.parametrize(("scores", "right", "worst", "best"), TABLE)
def test_rank_of_the_best_right_item_by_hand(scores, right, worst, best):
    scores, right = np.array([scores]), np.array([right], dtype=bool)
    assert right_ranks(scores, right).tolist() == [worst]
    assert right_ranks(scores, right, ties="optimistic").tolist() == [best]


def slow_order(scores, right):
    """Items best first, wrong before right among equals: the definition, spelt out."""
    return sorted(range(len(scores)), key=lambda item: (-scores[item], right[item]))


@pytest.fixture(scope="module")
def tied():
    rng = np.random.default_rng(3)
    return rng.integers(0, 6, size=(200, 15)).astype(np.float32), rng.random((200, 15)) < 0.2


def test_ranks_agree_with_sorting_wrong_items_first(tied):
    scores, right = tied
    expected = []
    for row, flags in zip(scores, right, strict=True):
        places = [place for place, item in enumerate(slow_order(row, flags), 1) if flags[item]]
        expected.append(min(places, default=16))
    assert right_ranks(scores, right).tolist() == expected


@pytest.mark.parametrize("k", [1, 2, 5, 14, 15, 40])
def test_recall_agrees_with_sorting_wrong_items_first(tied, k):
    scores, right = tied
    expected = [
        sum(flags[item] for item in slow_order(row, flags)[:k]) / max(flags.sum(), 1)
        for row, flags in zip(scores, right, strict=True)
    ]
    assert recall_at_k(scores, right, k) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("k", [1, 3, 15, 16, 99])
def test_success_is_a_right_item_among_the_first_k(tied, k):
    scores, right = tied
    expected = [
        float(any(flags[item] for item in slow_order(row, flags)[:k]))
        for row, flags in zip(scores, right, strict=True)
    ]
    assert success_at_k(scores, right, k).tolist() == expected


def test_order_of_the_items_changes_nothing(tied):
    scores, right = tied
    order = np.random.default_rng(5).permutation(scores.shape[1])
    assert (right_ranks(scores, right) == right_ranks(scores[:, order], right[:, order])).all()
    assert (recall_at_k(scores, right, 4) == recall_at_k(scores[:, order], right[:, order], 4)).all()


def test_row_blocks_do_not_show(tied, monkeypatch):
    scores, right = tied
    whole = right_ranks(scores, right), recall_at_k(scores, right, 3)
    monkeypatch.setattr("xemplar.metrics.ranking._BLOCK_CELLS", 7 * 15)
    assert (right_ranks(scores, right) == whole[0]).all()
    assert (recall_at_k(scores, right, 3) == whole[1]).all()


def test_a_query_without_a_right_item_still_counts():
    scores, right = np.array([[2.0, 1.0], [2.0, 1.0]]), np.array([[True, False], [False, False]])
    assert right_ranks(scores, right).tolist() == [1, 3]
    assert reciprocal_ranks(scores, right).tolist() == [1.0, 0.0]


def test_equal_keys_are_equally_right():
    matrix = same_key(["clear", "effusion"], ["clear", "heart", "effusion", "clear"])
    assert matrix.tolist() == [[True, False, False, True], [False, False, True, False]]


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


@pytest.mark.parametrize("score", [right_ranks, reciprocal_ranks, lambda s, r: recall_at_k(s, r, 1)])
def test_nan_scores_are_refused(score):
    with pytest.raises(XemplarError, match="NaN among the scores of query 1"):
        score(np.array([[1.0, 0.0], [np.nan, 0.0]]), np.zeros((2, 2), dtype=bool))


def test_shapes_that_differ_are_refused():
    with pytest.raises(XemplarError, match=r"relevance of shape \(2, 3\)"):
        right_ranks(np.zeros((2, 2)), np.zeros((2, 3), dtype=bool))


def test_relevance_that_is_not_bool_is_refused():
    with pytest.raises(XemplarError, match="type int64"):
        right_ranks(np.zeros((1, 2)), np.zeros((1, 2), dtype=np.int64))


def test_k_below_one_is_refused():
    with pytest.raises(XemplarError, match="k = 0"):
        success_at_k(np.zeros((1, 2)), np.zeros((1, 2), dtype=bool), 0)


def test_more_right_items_than_items_are_refused():
    with pytest.raises(XemplarError, match="right items of 3"):
        chance_success(np.array([4]), 3, 1)


def test_an_unknown_tie_rule_is_refused():
    with pytest.raises(XemplarError, match="ties='trec'"):
        right_ranks(np.zeros((1, 2)), np.zeros((1, 2), dtype=bool), ties="trec")


def test_no_query_has_no_median():
    with pytest.raises(XemplarError, match="no query"):
        chance_median_rank(np.zeros(0, dtype=np.int64), 3)


@pytest.mark.shared
def test_agrees_with_trec_eval_where_there_are_no_ties():
    folder = os.environ.get("XEMPLAR_GOLDEN")
    if not folder:
        pytest.skip("XEMPLAR_GOLDEN is not set")
    golden = json.loads((Path(folder) / "retrieval" / "trec_golden_noties.json").read_text())
    for query, run in golden["run"].items():
        judged = {doc for doc, grade in golden["qrels"][query].items() if grade > 0}
        docs = sorted(set(run) | judged)
        scores = np.array([[run.get(doc, -np.inf) for doc in docs]])
        right = np.array([[doc in judged for doc in docs]])
        expected = golden["per_query"][query]
        for k in (1, 5, 10, 50):
            assert recall_at_k(scores, right, k)[0] == pytest.approx(expected[f"recall_{k}"], abs=1e-9)
            if f"success_{k}" in expected:
                assert success_at_k(scores, right, k)[0] == expected[f"success_{k}"]
        if expected["recip_rank"]:  # 0 there also means: right items exist, none retrieved
            assert reciprocal_ranks(scores, right)[0] == pytest.approx(expected["recip_rank"], abs=1e-9)
