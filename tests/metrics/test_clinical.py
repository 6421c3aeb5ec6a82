"""Multi-label scores against scikit-learn and by hand."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as sklearn

from xemplar.errors import XemplarError
from xemplar.metrics.clinical import count_labels, f1, precision, recall

FINDINGS = ("edema", "effusion", "fracture", "mass")
PEERS = {f1: sklearn.f1_score, precision: sklearn.precision_score, recall: sklearn.recall_score}


@pytest.fixture(scope="module")
def tables():
    rng = np.random.default_rng(1)
    share = np.array([0.5, 0.2, 0.1, 0.05])
    return rng.random((300, 4)) < share, rng.random((300, 4)) < share


@pytest.mark.parametrize("score", PEERS)
@pytest.mark.parametrize("average", ["micro", "macro", "none"])
def test_agrees_with_scikit_learn(tables, score, average):
    predicted, truth = tables
    totals = count_labels(predicted, truth, findings=FINDINGS).totals
    peer = PEERS[score](truth, predicted, average=None if average == "none" else average)
    assert score(totals, average=average) == pytest.approx(peer, abs=1e-15)


@pytest.mark.parametrize("score", PEERS)
@pytest.mark.parametrize(("silent", "absent"), [(True, False), (False, True)])
def test_a_one_sided_finding_scores_zero_like_scikit_learn(tables, score, silent, absent):
    predicted, truth = tables[0].copy(), tables[1].copy()
    predicted[:, 2] &= not silent
    truth[:, 2] &= not absent
    totals = count_labels(predicted, truth, findings=FINDINGS).totals
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = PEERS[score](truth, predicted, average=None, zero_division=0)
    assert score(totals, average="none") == pytest.approx(peer, abs=1e-15)
    assert score(totals, average="macro") == pytest.approx(peer.mean(), abs=1e-15)


@pytest.mark.parametrize("score", PEERS)
def test_a_finding_seen_nowhere_is_left_out_of_the_macro_mean(score):
    totals = np.array([[1, 1, 0], [0, 0, 0], [2, 0, 2]])
    each = score(totals, average="none")
    assert np.isnan(each).tolist() == [False, True, False]
    assert score(totals, average="macro") == pytest.approx((each[0] + each[2]) / 2)


def test_counts_by_hand():
    counts = count_labels(
        np.array([[True, True], [False, False]]),
        np.array([[True, False], [True, False]]),
        findings=("edema", "mass"),
    )
    assert counts.tp.tolist() == [[1, 0], [0, 0]]
    assert counts.fp.tolist() == [[0, 1], [0, 0]]
    assert counts.fn.tolist() == [[0, 0], [1, 0]]
    assert counts.totals.tolist() == [[1, 0, 1], [0, 1, 0]]


def test_nothing_seen_anywhere_has_no_score():
    totals = np.zeros((2, 3), dtype=np.int64)
    assert np.isnan([f1(totals, average="micro"), f1(totals, average="macro")]).all()


def test_leading_axes_are_scored_one_by_one(tables):
    counts = count_labels(*tables, findings=FINDINGS).counts
    many = np.stack([counts[:100].sum(axis=0), counts[100:].sum(axis=0)])
    for average in ("micro", "macro", "none"):
        together = f1(many, average=average)
        assert together.tolist() == [f1(one, average=average).tolist() for one in many]


def test_other_shapes_are_refused():
    with pytest.raises(XemplarError, match=r"truth of shape \(3, 1\)"):
        count_labels(np.zeros((3, 2), dtype=bool), np.zeros((3, 1), dtype=bool), findings=("a", "b"))


def test_other_types_are_refused():
    with pytest.raises(XemplarError, match="type int64"):
        count_labels(np.zeros((3, 1), dtype=np.int64), np.zeros((3, 1), dtype=bool), findings=("a",))


def test_unequal_lengths_are_refused():
    with pytest.raises(XemplarError, match="3 predicted studies for 2 true ones"):
        count_labels(np.zeros((3, 1), dtype=bool), np.zeros((2, 1), dtype=bool), findings=("a",))


def test_a_finding_named_twice_is_refused():
    with pytest.raises(XemplarError, match="named twice"):
        count_labels(np.zeros((1, 2), dtype=bool), np.zeros((1, 2), dtype=bool), findings=("a", "a"))


def test_an_unknown_average_is_refused():
    with pytest.raises(XemplarError, match="average 'weighted'"):
        f1(np.zeros((1, 3), dtype=np.int64), average="weighted")
