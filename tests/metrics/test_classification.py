"""Scores of classifiers against scikit-learn, counting by hand and loops over draws."""

import json

import numpy as np
import pytest
from sklearn import metrics as peer

from xemplar.errors import XemplarError
from xemplar.metrics.classification import (
    above,
    auroc,
    auroc_of_weights,
    average_precision,
    average_precision_of_weights,
    brier,
    calibration_error,
    calibration_sums,
    classification_scores,
    confusion,
    f1,
    kappa,
    mcc,
    mean_of_defined,
    sensitivity,
    specificity,
    squared_errors,
)
from xemplar.metrics.statistics import Resampler

NAMES = ("a", "b", "c", "nobody", "everybody")


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(13)
    truth = rng.random((120, 5)) < [0.1, 0.3, 0.5, 0, 1]
    scores = np.round(np.clip(rng.normal(0.4 + 0.2 * truth, 0.25), 0, 1), 1)  # ties on purpose
    return truth, scores


def test_areas_agree_with_scikit_learn(table):
    truth, scores = table
    for column in range(3):
        one, other = truth[:, column], scores[:, column]
        assert auroc(truth, scores)[column] == pytest.approx(peer.roc_auc_score(one, other), abs=1e-12)
        expected = peer.average_precision_score(one, other)
        assert average_precision(truth, scores)[column] == pytest.approx(expected, abs=1e-12)


def test_auroc_is_the_share_of_pairs_in_order(table):
    truth, scores = table
    has, has_not = scores[truth[:, 1], 1], scores[~truth[:, 1], 1]
    pairs = (has[:, None] > has_not).mean() + (has[:, None] == has_not).mean() / 2
    assert auroc(truth, scores)[1] == pytest.approx(pairs, abs=1e-12)


def test_areas_without_a_side_are_undefined(table, recwarn):
    assert np.isnan(auroc(*table)).tolist() == [False, False, False, True, True]
    assert np.isnan(average_precision(*table)).tolist() == [False, False, False, True, False]
    assert not recwarn.list


def test_infinite_scores_have_an_order():
    truth = np.array([[False], [True], [True]])
    assert auroc(truth, np.array([[-np.inf], [np.inf], [0.0]])).tolist() == [1.0]


def test_thresholded_scores_agree_with_scikit_learn(table):
    truth, scores = table
    totals = confusion(truth, above(scores, 0.5)).sum(axis=0)
    for column in range(3):
        pair = truth[:, column], scores[:, column] >= 0.5
        for ours, theirs in (
            (f1, peer.f1_score),
            (sensitivity, peer.recall_score),
            (specificity, lambda y, p: peer.recall_score(~y, ~p)),
            (mcc, peer.matthews_corrcoef),
            (kappa, peer.cohen_kappa_score),
        ):
            assert ours(totals)[column] == pytest.approx(theirs(*pair), abs=1e-12)


@pytest.mark.parametrize(
    ("totals", "undefined"),
    [
        ([0, 0, 0, 5], {f1, sensitivity, mcc, kappa}),
        ([5, 0, 0, 0], {specificity, mcc, kappa}),
        ([0, 3, 0, 2], {sensitivity, mcc}),
        ([0, 0, 3, 2], {mcc}),
        ([2, 0, 1, 0], {specificity, mcc}),
        ([0, 0, 0, 0], {f1, sensitivity, specificity, mcc, kappa}),
        ([1, 1, 1, 1], set()),
    ],
)
def test_what_has_no_value_is_nan(totals, undefined):
    scores = {f1, sensitivity, specificity, mcc, kappa}
    assert {score for score in scores if np.isnan(score(np.array(totals)))} == undefined


def test_a_score_at_the_threshold_is_above_it():
    assert above(np.array([[0.5, 0.49]]), 0.5).tolist() == [[True, False]]


def test_each_finding_may_have_its_own_threshold():
    assert above(np.array([[0.5, 0.5]]), np.array([0.6, 0.4])).tolist() == [[False, True]]


def test_brier_agrees_with_scikit_learn(table):
    truth, scores = table
    ours = brier(squared_errors(truth, scores).sum(axis=0))
    theirs = [peer.brier_score_loss(truth[:, n], scores[:, n], pos_label=True) for n in range(5)]
    assert ours == pytest.approx(theirs, abs=1e-12)


def slow_error(has, given, place):
    """Expected calibration error with `place` saying in which bin each study is."""
    return sum(
        abs(given[place == bin_].mean() - has[place == bin_].mean()) * (place == bin_).mean()
        for bin_ in np.unique(place)
    )


def test_calibration_error_in_bins_of_equal_width(table):
    truth, _ = table
    given = np.random.default_rng(5).random(truth.shape)
    given[:3, 0] = [0.0, 1.0, 0.5]
    ours = calibration_error(calibration_sums(truth, given, bins=10).sum(axis=0))
    for column in range(5):
        place = np.maximum(np.ceil(given[:, column] * 10), 1)
        expected = slow_error(truth[:, column], given[:, column], place)
        assert ours[column] == pytest.approx(expected, abs=1e-12)


def test_an_edge_belongs_to_the_bin_below_it():
    sums = calibration_sums(
        np.ones((5, 1), dtype=bool), np.array([[0.0], [0.2], [0.21], [0.4], [1.0]]), bins=5
    )
    assert sums[:, 0, :, 0].argmax(axis=1).tolist() == [0, 0, 1, 1, 4]


def test_calibration_error_in_bins_of_equal_mass():
    rng = np.random.default_rng(6)
    given = rng.beta(0.5, 4, size=(100, 1))
    truth = rng.random((100, 1)) < given
    sums = calibration_sums(truth, given, bins=4, binning="mass")
    assert sums.sum(axis=0)[0, :, 0].tolist() == [25, 25, 25, 25]
    place = given[:, 0].argsort().argsort() // 25
    expected = slow_error(truth[:, 0], given[:, 0], place)
    assert calibration_error(sums.sum(axis=0))[0] == pytest.approx(expected, abs=1e-12)


def test_equal_probabilities_share_a_bin():
    sums = calibration_sums(np.eye(8, 1, dtype=bool), np.full((8, 1), 0.3), bins=4, binning="mass")
    assert sorted(sums.sum(axis=0)[0, :, 0].tolist()) == [0, 0, 0, 8]


def test_a_cell_that_is_not_known_is_as_good_as_never_there(table):
    truth, scores = table
    known = np.random.default_rng(9).random(truth.shape) < 0.7
    found = classification_scores(truth, np.where(known, scores, np.nan), findings=NAMES, known=known)
    for column, name in enumerate(NAMES):
        rows = known[:, column]
        alone = classification_scores(truth[rows, column, None], scores[rows, column, None], findings=(name,))
        assert set(alone) == set(found)
        for measure, said in alone.items():
            expected = pytest.approx(said.per_finding[name], abs=1e-12, nan_ok=True)
            assert found[measure].per_finding[name] == expected, measure


def test_averages_are_those_of_scikit_learn(table):
    truth, scores = table
    found = classification_scores(truth[:, :3], scores[:, :3], findings=NAMES[:3])
    for name, theirs, given in (
        ("f1@0.5", peer.f1_score, scores >= 0.5),
        ("auroc", peer.roc_auc_score, scores),
        ("average_precision", peer.average_precision_score, scores),
    ):
        for average in ("macro", "micro", "weighted"):
            expected = theirs(truth[:, :3], given[:, :3], average=average)
            assert getattr(found[name], average) == pytest.approx(expected, abs=1e-12)


def test_the_undefined_are_named_and_stay_out_of_the_mean(table):
    found = classification_scores(*table, findings=NAMES)
    assert found["auroc"].undefined == ("nobody", "everybody")
    assert found["specificity@0.5"].undefined == ("everybody",)
    values = [found["auroc"].per_finding[name] for name in NAMES[:3]]
    assert found["auroc"].macro == pytest.approx(np.mean(values))


def test_every_measure_is_there_and_says_how(table):
    assert set(classification_scores(*table, findings=NAMES, threshold=0.3, bins=10)) == {
        "auroc", "average_precision", "f1@0.3", "sensitivity@0.3", "specificity@0.3", "mcc@0.3", "kappa@0.3",
        "brier", "ece_width10",
    }  # fmt: skip


def test_scores_that_are_no_probabilities_have_no_brier(table):
    truth, scores = table
    assert not {"brier", "ece_width15"} & set(classification_scores(truth, scores * 3, findings=NAMES))
    with pytest.raises(XemplarError, match=r"values from 0 to .* as probabilities"):
        squared_errors(truth, scores * 3)


def test_nothing_defined_has_no_mean():
    assert np.isnan(mean_of_defined(np.array([np.nan, np.nan])))


@pytest.mark.parametrize(
    ("of_weights", "plain"),
    [(auroc_of_weights, auroc), (average_precision_of_weights, average_precision)],
)
def test_weighted_areas_agree_with_scoring_the_drawn_studies(table, of_weights, plain):
    truth, scores = (part[:40, :4] for part in table)
    known = np.random.default_rng(3).random(truth.shape) < 0.8
    weights = np.random.default_rng(4).integers(0, 3, size=(30, 40)).astype(float)
    found = of_weights(truth, scores, known=known)(weights)
    for row, value in zip(weights, found, strict=True):
        rows = np.repeat(np.arange(40), row.astype(int))
        expected = mean_of_defined(plain(truth[rows], scores[rows], known=known[rows]))
        assert value == pytest.approx(float(expected), abs=1e-12)


def test_a_draw_without_a_side_is_undefined():
    found = auroc_of_weights(np.array([[True], [False]]), np.array([[1.0], [0.0]]))
    assert np.isnan(found(np.array([[2.0, 0.0], [1.0, 1.0]]))).tolist() == [True, False]


def test_an_area_gets_an_interval(table):
    draws = Resampler(np.arange(120) // 3, seed=1, replicates=200)
    interval = draws.weight_interval(auroc_of_weights(*table))
    assert interval.value == pytest.approx(float(mean_of_defined(auroc(*table))))
    assert interval.low < interval.value < interval.high


def test_nan_scores_are_refused(table):
    truth, scores = table
    with pytest.raises(XemplarError, match="NaN among the scores of 120 studies"):
        auroc(truth, scores * np.nan)


def test_predictions_that_are_not_bool_are_refused(table):
    with pytest.raises(XemplarError, match="predictions of type float64"):
        confusion(*table)


def test_other_shapes_are_refused(table):
    with pytest.raises(XemplarError, match=r"scores of shape \(120, 4\)"):
        auroc(table[0], table[1][:, :4])


def test_truth_that_is_not_bool_is_refused(table):
    with pytest.raises(XemplarError, match=r"truth of shape .* and type int64"):
        auroc(table[0].astype(int), table[1])


def test_a_finding_without_a_name_is_refused(table):
    with pytest.raises(XemplarError, match="4 names for 5 findings"):
        classification_scores(*table, findings=NAMES[:4])


def test_thresholds_for_other_findings_are_refused():
    with pytest.raises(XemplarError, match="thresholds of shape"):
        above(np.zeros((2, 3)), np.zeros(2))


@pytest.mark.parametrize("arguments", [{"bins": 0}, {"binning": "luck"}])
def test_unknown_bins_are_refused(table, arguments):
    with pytest.raises(XemplarError, match="bins by"):
        calibration_sums(*table, **arguments)


@pytest.mark.shared
def test_agrees_with_scikit_learns_golden_numbers(golden):
    told = json.loads((golden / "classification" / "sklearn_golden.json").read_text())
    truth, scores = np.array(told["y"], dtype=bool), np.array(told["scores"])
    names = tuple(str(column) for column in range(14))
    # Theirs were called where they exceed the threshold, ours where they reach it.
    found = classification_scores(truth, scores, findings=names, threshold=np.nextafter(0.5, 1))

    def ours(name):
        return list(found[name].per_finding.values())

    for name, theirs in (
        ("auroc", "auroc"),
        ("average_precision", "ap"),
        ("f1@0.5", "f1@0.5"),
        ("brier", "brier"),
    ):
        expected = [np.nan if value is None else value for value in told[theirs]]
        assert ours(name) == pytest.approx(expected, abs=1e-12, nan_ok=True), name
    for average in ("micro", "macro", "weighted"):
        assert getattr(found["f1@0.5"], average) == pytest.approx(told[f"{average}_f1"], abs=1e-12)
    # The last finding is nobody's: scikit-learn fills its correlation with 0, for us it has none.
    assert ours("mcc@0.5")[:13] == pytest.approx(told["mcc"][:13], abs=1e-12)
    assert found["mcc@0.5"].undefined == found["auroc"].undefined == ("13",)
    assert ours("kappa@0.5")[:13] == pytest.approx(told["kappa"], abs=1e-12)
    per_study = f1(confusion(truth, scores > 0.5).sum(axis=1))
    # A study with nothing said and nothing true is 0 there, and undefined here.
    assert np.nan_to_num(per_study).mean() == pytest.approx(told["samples_f1"], abs=1e-12)
