"""What is right and what is left out, against sets and loops."""

import numpy as np
import pytest

from xemplar.errors import XemplarError
from xemplar.metrics.relevance import (
    equal_findings,
    jaccard_of_findings,
    left_out,
    same_key,
    shared_findings,
)


@pytest.fixture(scope="module")
def tables():
    rng = np.random.default_rng(2)
    return rng.random((25, 5)) < 0.3, rng.random((40, 5)) < 0.3


def sets(table):
    return [set(np.flatnonzero(row)) for row in table]


def each(tables, of):
    return np.array([[of(one, other) for other in sets(tables[1])] for one in sets(tables[0])])


def test_equal_keys_are_equally_right():
    matrix = same_key(["clear", "effusion"], ["clear", "heart", "effusion", "clear"])
    assert matrix.tolist() == [[True, False, False, True], [False, False, True, False]]


def test_a_key_that_nobody_knows_equals_nothing():
    assert not same_key([None, "a"], [None, "b"]).any()


def test_findings_are_equal_where_their_sets_are(tables):
    assert (equal_findings(*tables) == each(tables, lambda one, other: one == other)).all()


def test_shared_findings_are_the_intersection(tables):
    assert (shared_findings(*tables) == each(tables, lambda one, other: len(one & other))).all()


def test_jaccard_is_intersection_over_union(tables):
    assert any(not one for one in sets(tables[0]))
    assert any(not one for one in sets(tables[1]))
    expected = each(tables, lambda one, other: len(one & other) / len(one | other) if one | other else 1.0)
    assert jaccard_of_findings(*tables) == pytest.approx(expected, abs=1e-7)


def test_two_empty_sets_may_be_told_to_share_nothing():
    none = np.zeros((1, 3), dtype=bool)
    assert jaccard_of_findings(none, none, of_empty=0.0).tolist() == [[0.0]]


def test_jaccard_meets_a_bar_in_single_precision():
    one, other = np.array([[True, True, True]]), np.array([[True, False, False]])
    assert (jaccard_of_findings(one, other) >= np.float32(1 / 3)).all()


def test_self_patient_and_text_are_left_out_together():
    studies, patients, texts = ["1", "2", "3"], ["p", "p", None], ["clear", "heart", "clear"]
    out = left_out((studies, studies), (patients, patients), (texts, texts))
    assert out.tolist() == [[True, True, True], [True, True, False], [True, False, True]]


def test_what_is_left_out_must_fit():
    with pytest.raises(XemplarError, match="keys of lengths"):
        left_out((["a"], ["a", "b"]), (["p"], ["p"]))


def test_nothing_to_leave_out_by_is_refused():
    with pytest.raises(XemplarError, match="keys of lengths"):
        left_out()


@pytest.mark.parametrize("of", [equal_findings, shared_findings, jaccard_of_findings])
def test_findings_in_other_columns_are_refused(of):
    with pytest.raises(XemplarError, match="2 findings of queries and 3 of items"):
        of(np.zeros((1, 2), dtype=bool), np.zeros((1, 3), dtype=bool))


@pytest.mark.parametrize("of", [equal_findings, shared_findings, jaccard_of_findings])
def test_findings_that_are_not_bool_are_refused(of):
    with pytest.raises(XemplarError, match="item findings of shape"):
        of(np.zeros((1, 2), dtype=bool), np.zeros((1, 2)))


def test_the_share_of_empty_sets_is_a_share():
    with pytest.raises(XemplarError, match="of_empty=2"):
        jaccard_of_findings(np.zeros((1, 2), dtype=bool), np.zeros((1, 2), dtype=bool), of_empty=2)
