"""Whether probabilities hold, against loops and scikit-learn over every study and finding."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from xemplar.evaluation.reliability import PREVALENCE, Beliefs, Claimed, equal_count_bins, reliability
from xemplar.evaluation.scores import Resampling

RNG = np.random.default_rng(0)
SHAPE = (60, 4)
P = RNG.random(SHAPE)
TRUTH = RNG.random(SHAPE) < P**1.5
STATED, DENIED = P > 0.7, P < 0.2
PREVALENCES = np.array([0.1, 0.4, 0.5, 0.2])
RESAMPLING = Resampling(np.array([f"p{n // 2}" for n in range(60)]), replicates=100)


def found(p=P, truth=TRUTH, stated=STATED, denied=DENIED):
    beliefs = Beliefs(("A", "B", "C", "D"), p, truth, PREVALENCES)
    return reliability(beliefs, Claimed(stated, denied, truth), RESAMPLING)


def test_brier_is_scikit_learns():
    brier = found()["brier"]
    assert brier["ours"]["value"] == pytest.approx(brier_score_loss(TRUTH.ravel(), P.ravel()))
    guess = np.tile(PREVALENCES, (60, 1))
    floor = brier_score_loss(TRUTH.ravel(), guess.ravel())
    assert brier["floors"][PREVALENCE]["value"] == pytest.approx(floor)
    assert brier["differences"][PREVALENCE]["value"] == pytest.approx(brier["ours"]["value"] - floor)


def test_intervals_resample_patients():
    made = found()
    assert made["brier"]["ours"]["clusters"] == made["wrong_among_stated"]["clusters"] == 30
    assert made["brier"]["ours"]["low"] < made["brier"]["ours"]["value"] < made["brier"]["ours"]["high"]


def test_the_calibration_error_by_a_loop_over_tenths():
    order = np.argsort(P, axis=None)
    tenths = [(P.ravel()[part], TRUTH.ravel()[part]) for part in np.split(order, 10)]
    made = found()
    for row, (p, y) in zip(made["bins"], tenths, strict=True):
        assert (row["predicted"], row["observed"]["value"]) == (pytest.approx(p.mean()), y.mean())
        assert row["n"] == 24
    wanted = np.mean([abs(p.mean() - y.mean()) for p, y in tenths])
    assert made["expected_calibration_error"]["value"] == pytest.approx(wanted)


def test_equal_probabilities_share_a_bin():
    p = np.round(P, 1)
    bins = equal_count_bins(p)
    for value in np.unique(p):
        assert len(np.unique(bins[p == value])) == 1
    assert sorted(np.unique(bins)) == list(range(bins.max() + 1))


def test_a_single_probability_is_a_single_bin():
    made = found(p=np.full(SHAPE, 0.25))
    (row,) = made["bins"]
    assert (row["predicted"], row["n"]) == (0.25, 240)
    assert made["expected_calibration_error"]["value"] == pytest.approx(abs(0.25 - TRUTH.mean()))


def test_few_pairs_still_fill_bins():
    assert equal_count_bins(np.array([[0.3], [0.1], [0.2]])).tolist() == [[2], [0], [1]]


def test_wrong_claims_by_a_loop():
    made = found()
    stated = [TRUTH[cell] for cell in np.ndindex(SHAPE) if STATED[cell]]
    denied = [TRUTH[cell] for cell in np.ndindex(SHAPE) if DENIED[cell]]
    assert made["wrong_among_stated"]["value"] == pytest.approx(1 - np.mean(stated))
    assert made["wrong_among_denied"]["value"] == pytest.approx(np.mean(denied))
    assert (made["wrong_among_stated"]["claims"], made["wrong_among_denied"]["claims"]) == (
        len(stated), len(denied),
    )  # fmt: skip


def test_of_no_claim_no_share_is_wrong():
    made = found(stated=np.zeros(SHAPE, np.bool_))["wrong_among_stated"]
    assert np.isnan(made["value"]) and made["claims"] == 0
