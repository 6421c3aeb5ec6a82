"""Every ranking measure against hand tables, its definition spelt out, scikit-learn and trec_eval."""

import itertools
import json
import math

import numpy as np
import pytest

from xemplar.errors import XemplarError
from xemplar.metrics.ranking import (
    DEFAULT_MEASURES,
    averages,
    per_query,
    recall_at_k,
    reciprocal_ranks,
    right_ranks,
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
    monkeypatch.setattr("xemplar.metrics.ranked._BLOCK_CELLS", 7 * 15)
    assert (right_ranks(scores, right) == whole[0]).all()
    assert (recall_at_k(scores, right, 3) == whole[1]).all()


def test_a_query_without_a_right_item_still_counts():
    scores, right = np.array([[2.0, 1.0], [2.0, 1.0]]), np.array([[True, False], [False, False]])
    assert right_ranks(scores, right).tolist() == [1, 3]
    assert reciprocal_ranks(scores, right).tolist() == [1.0, 0.0]


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


def test_an_unknown_tie_rule_is_refused():
    with pytest.raises(XemplarError, match="ties='lucky'"):
        right_ranks(np.zeros((1, 2)), np.zeros((1, 2), dtype=bool), ties="lucky")


MEASURES = (
    *(f"{name}@{k}" for name in ("success", "recall", "precision", "average_precision") for k in (1, 4, 40)),
    *("rank", "reciprocal_rank", "r_precision", "average_precision"),
    *(f"{name}{cut}" for name in ("ndcg", "ndcg_exp") for cut in ("", "@1", "@5", "@40")),
)


def slow_measure(name, grades, items):
    """One query's score by its definition; `grades` best place first, `items` how many there are."""
    kind, _, cut = name.partition("@")
    k = int(cut) if cut else len(grades)
    right = [grade > 0 for grade in grades]
    total = sum(right)
    places = [place for place, flag in enumerate(right, 1) if flag]
    gain = (lambda grade: 2**grade - 1) if kind == "ndcg_exp" else (lambda grade: grade)

    def discounted(row):
        return sum(gain(grade) / math.log2(place + 1) for place, grade in enumerate(row[:k], 1))

    if kind == "rank":
        return places[0] if places else items + 1
    if not places:
        return 0.0
    if kind.startswith("ndcg"):
        return discounted(grades) / discounted(sorted(grades, reverse=True))
    return {
        "success": any(right[:k]),
        "recall": sum(right[:k]) / total,
        "precision": sum(right[:k]) / k,
        "r_precision": sum(right[:total]) / total,
        "reciprocal_rank": 1 / places[0],
        "average_precision": sum((n + 1) / p for n, p in enumerate(places) if p <= k) / total,
    }[kind]


def slow_table(scores, grades, out, tie):
    """Every measure of every query; `tie` says in which order equal scores stand."""
    rows = []
    for row, given, left in zip(scores, grades, out, strict=True):
        kept = [item for item in range(len(row)) if not left[item]]
        ranked = [given[item] for item in sorted(kept, key=lambda item: (-row[item], tie(given, item)))]
        rows.append([slow_measure(name, ranked, len(row)) for name in MEASURES])
    return np.array(rows, dtype=float)


@pytest.fixture(scope="module")
def graded():
    rng = np.random.default_rng(17)
    grades = rng.integers(0, 4, size=(60, 12)) * (rng.random((60, 12)) < 0.5)
    return rng.integers(-3, 3, size=(60, 12)), grades, rng.random((60, 12)) < 0.2


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int64])
@pytest.mark.parametrize(
    ("ties", "tie"),
    [
        ("pessimistic", lambda grades, item: grades[item]),
        ("optimistic", lambda grades, item: -grades[item]),
        ("trec", lambda _grades, item: -item),
    ],
)
def test_every_measure_agrees_with_its_definition(graded, kind, ties, tie):
    scores, grades, out = graded
    names = [f"{item:02d}" for item in range(12)]
    found = per_query(scores.astype(kind), grades, MEASURES, ties=ties, item_names=names, exclude=out)
    expected = slow_table(scores, grades, out, tie)
    assert np.stack([found[name] for name in MEASURES], axis=1) == pytest.approx(expected, abs=1e-12)


def test_a_tie_costs_graded_gain_all_it_can(graded):
    scores, grades, _ = graded
    worst = per_query(scores, grades, ("ndcg@5", "ndcg_exp"))
    for row in range(8):
        levels = [np.flatnonzero(scores[row] == level) for level in np.unique(scores[row])[::-1]]
        orders = itertools.product(*(itertools.islice(itertools.permutations(level), 24) for level in levels))
        for order in itertools.islice(orders, 200):
            ranked = grades[row][np.concatenate(order)].tolist()
            for name, values in worst.items():
                assert values[row] <= slow_measure(name, ranked, 12) + 1e-12


def test_what_is_left_out_is_as_good_as_never_there(graded):
    scores, grades, _ = graded
    out = np.zeros(scores.shape, dtype=bool)
    out[:, [2, 7, 8]] = True
    kept = np.delete(np.arange(12), [2, 7, 8])
    some = per_query(scores, grades, exclude=out)
    for name, values in per_query(scores[:, kept], grades[:, kept]).items():
        answered = grades[:, kept].any(axis=1)
        assert some[name][answered] == pytest.approx(values[answered], abs=1e-14)


def test_a_query_with_nothing_left_counts_as_unanswered():
    found = per_query(np.ones((1, 3)), np.ones((1, 3), dtype=bool), exclude=np.ones((1, 3), dtype=bool))
    assert found.pop("rank").tolist() == [4]
    assert {float(values[0]) for values in found.values()} == {0.0}


def test_nan_is_allowed_where_it_is_left_out():
    scores, nan = np.array([[np.nan, 0.2, 0.1]]), np.array([[True, False, False]])
    right = np.array([[True, False, True]])
    assert right_ranks(scores, right, exclude=nan).tolist() == [2]
    assert right_ranks(scores.astype(np.float32), right, exclude=nan).tolist() == [2]


def test_minus_zero_ties_with_zero():
    for kind in (np.float32, np.float64):
        scores = np.array([[-0.0, 0.0]], dtype=kind)
        assert right_ranks(scores, np.array([[False, True]])).tolist() == [2]
        assert right_ranks(scores, np.array([[True, False]])).tolist() == [2]


def test_scores_that_differ_in_the_last_bit_are_no_tie():
    for kind in (np.float32, np.float64):
        low = np.array(-0.3, dtype=kind)
        scores = np.array([[low, np.nextafter(low, kind(0)), -np.inf]])
        assert right_ranks(scores, np.array([[False, True, False]])).tolist() == [1]
        assert right_ranks(scores, np.array([[True, False, False]])).tolist() == [2]


def test_large_integers_keep_their_order():
    scores = np.array([[2**60, 2**60 + 1]])
    assert right_ranks(scores, np.array([[False, True]])).tolist() == [1]


def test_gain_without_ties_agrees_with_scikit_learn():
    from sklearn.metrics import average_precision_score, ndcg_score

    rng = np.random.default_rng(23)
    scores, grades = rng.random((30, 40)), rng.integers(0, 3, size=(30, 40))
    found = per_query(scores, grades, ("ndcg", "ndcg@7", "ndcg_exp@7", "average_precision"))
    mean = {name: values.mean() for name, values in found.items()}
    assert mean["ndcg"] == pytest.approx(ndcg_score(grades, scores), abs=1e-12)
    assert mean["ndcg@7"] == pytest.approx(ndcg_score(grades, scores, k=7), abs=1e-12)
    assert mean["ndcg_exp@7"] == pytest.approx(ndcg_score(2**grades - 1, scores, k=7), abs=1e-12)
    each = [average_precision_score(g > 0, s) for g, s in zip(grades, scores, strict=True)]
    assert found["average_precision"] == pytest.approx(each, abs=1e-12)


def test_the_best_order_gains_exactly_one(graded):
    grades = graded[1][graded[1].any(axis=1)]
    for name in ("ndcg", "ndcg@3", "ndcg_exp"):
        assert set(per_query(grades, grades, (name,))[name]) == {1.0}


def test_averages_are_means_and_a_median_of_ranks():
    found = averages({"rank": np.array([1.0, 2.0, 9.0]), "reciprocal_rank": np.array([1.0, 0.5, 0.0])})
    assert found == {"median_rank": 2.0, "mrr": 0.5}


def test_averages_keep_their_cut():
    assert averages({"average_precision@10": np.array([0.25, 0.75])}) == {"map@10": 0.5}


def test_the_average_of_no_query_is_refused():
    with pytest.raises(XemplarError, match="no query"):
        averages(per_query(np.zeros((0, 2)), np.zeros((0, 2), dtype=bool)))


@pytest.mark.parametrize("name", ["R@5", "success", "rank@3", "ndcg@", "mrr", "", "recall@1.5"])
def test_an_unknown_measure_is_refused(name):
    with pytest.raises(XemplarError, match=r"measure .* wanted success@k, recall@k"):
        per_query(np.zeros((1, 2)), np.zeros((1, 2), dtype=bool), (name,))


@pytest.mark.parametrize("grade", [-1.0, np.nan, np.inf, 1e-60, 1e60])
def test_a_grade_that_is_none_is_refused(grade):
    with pytest.raises(XemplarError, match="grades of query 1 negative, NaN or out of range"):
        per_query(np.zeros((2, 1)), np.array([[0.0], [grade]]))


def test_a_gain_too_large_to_be_a_number_is_refused():
    with pytest.raises(XemplarError, match="a grade of 2000 as an exponent"):
        per_query(np.zeros((1, 1)), np.array([[2000.0]]), ("ndcg_exp",))


def test_a_mask_that_is_not_bool_is_refused():
    with pytest.raises(XemplarError, match="exclude of shape"):
        per_query(np.zeros((1, 1)), np.ones((1, 1)), exclude=np.zeros((1, 1)))


@pytest.mark.parametrize(
    ("names", "said"), [(None, "no names"), (["a", "a"], "1 different"), (["a"], "1 diff")]
)
def test_trec_order_without_a_name_for_each_item_is_refused(names, said):
    with pytest.raises(XemplarError, match=f"{said}.* for 2 items"):
        per_query(np.zeros((1, 2)), np.ones((1, 2)), ties="trec", item_names=names)


def test_trec_order_ranks_nothing_that_was_not_retrieved():
    scores, right = np.array([[-np.inf, 0.3, -np.inf]]), np.array([[True, False, False]])
    found = per_query(scores, right, ("rank", "recall@3"), ties="trec", item_names=["a", "b", "c"])
    assert {name: values.tolist() for name, values in found.items()} == {"rank": [4.0], "recall@3": [0.0]}


def test_trec_order_misses_what_was_not_retrieved():
    scores, right = np.array([[0.5, 0.3, -np.inf]]), np.array([[True, False, True]])
    found = per_query(
        scores, right, ("recall@3", "average_precision", "ndcg"), ties="trec", item_names=["a", "b", "c"]
    )
    assert [float(values[0]) for values in found.values()] == [0.5, 0.5, 1 / (1 + 1 / np.log2(3))]


OF_TREC = {
    "map": "average_precision",
    "map_cut_10": "average_precision@10",
    "Rprec": "r_precision",
    "recip_rank": "reciprocal_rank",
    "ndcg": "ndcg",
    **{f"P_{k}": f"precision@{k}" for k in (1, 5, 10, 50)},
    **{f"recall_{k}": f"recall@{k}" for k in (1, 5, 10, 50)},
    **{f"ndcg_cut_{k}": f"ndcg@{k}" for k in (1, 5, 10, 50)},
    **{f"success_{k}": f"success@{k}" for k in (1, 5, 10)},
}
NOT_OURS = {"bpref"}  # it is for items that nobody judged, and here every item is judged


@pytest.mark.shared
@pytest.mark.parametrize("name", ["trec_golden.json", "trec_golden_noties.json"])
def test_agrees_with_trec_eval(golden, name):
    told = json.loads((golden / "retrieval" / name).read_text())
    queries = list(told["run"])
    docs = sorted({doc for table in ("run", "qrels") for query in queries for doc in told[table][query]})
    scores = np.array([[told["run"][query].get(doc, -np.inf) for doc in docs] for query in queries])
    grades = np.array([[told["qrels"][query].get(doc, 0) for doc in docs] for query in queries])
    found = per_query(scores, grades, tuple(OF_TREC.values()), ties="trec", item_names=docs)
    assert set(told["per_query"][queries[0]]) == set(OF_TREC) | NOT_OURS
    for theirs, ours in OF_TREC.items():
        expected = [told["per_query"][query][theirs] for query in queries]
        assert found[ours] == pytest.approx(expected, abs=1e-9), theirs
        assert found[ours].mean() == pytest.approx(told["mean"][theirs], abs=1e-9), theirs


@pytest.mark.shared
def test_pessimism_needs_no_names_and_never_scores_above_trec_eval(golden):
    told = json.loads((golden / "retrieval" / "trec_golden.json").read_text())
    for query, run in told["run"].items():
        scores = np.array([list(run.values())])
        grades = np.array([[told["qrels"][query].get(doc, 0) for doc in run]])
        pair = [
            per_query(scores, grades, ties=ties, item_names=list(run)) for ties in ("pessimistic", "trec")
        ]
        for name in DEFAULT_MEASURES:
            worse, better = (found[name][0] for found in (pair[::-1] if name == "rank" else pair))
            assert worse <= better + 1e-12
