"""Scores of columns: over seeds, with intervals by patient, paired."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from xemplar.evaluation.benchmark import measures
from xemplar.evaluation.benchmark.measures import MICRO_F1, Measure
from xemplar.metrics.statistics import Resampler

MRR = Measure("MRR", "retrieval", "rr")
CLUSTERS = np.array(["a", "a", "b", "c", "d", "e"])


@pytest.fixture
def resampler():
    return Resampler(CLUSTERS, seed=0, replicates=200)


def run(*values):
    return {"rr": np.array(values, np.float64)}


def test_a_mean_leaves_out_who_was_not_asked():
    assert MRR.at([run(1, 0, 0.5, np.nan, np.nan, np.nan)]) == 0.5


def test_seeds_are_averaged():
    assert MRR.at([run(1, 1, 1, 1, 1, 1), run(0, 0, 0, 0, 0, 0.0)]) == 0.5


def test_the_same_twice_differs_by_exactly_nothing(resampler):
    one = [run(0.1, 0.7, 0.3, 0.9, 0.2, 0.5)]
    less = measures.difference(MRR.of(one), MRR.of(one), resampler)
    assert (less.value, less.low, less.high) == (0, 0, 0)


def test_a_difference_is_paired(resampler):
    own = np.array([0.1, 0.9, 0.3, 0.8, 0.2, 0.5])
    less = measures.difference(MRR.of([run(*(own + 0.05))]), MRR.of([run(*own)]), resampler)
    assert less.low == pytest.approx(0.05)
    assert less.high == pytest.approx(0.05)


def test_a_measure_is_there_only_where_every_seed_has_it():
    assert MRR.has([run(1, 1)])
    assert not MRR.has([run(1, 1), {"other": np.ones(2)}])
    assert not MRR.has([run(np.nan, np.nan)])
    assert not MRR.has([])


def test_micro_f1_pools_counts_of_studies_and_seeds():
    first, second = np.zeros((2, 1, 3), np.int8), np.zeros((2, 1, 3), np.int8)
    first[0, 0, 0] = first[1, 0, 2] = 1  # one right, one missed
    second[0, 0, 1] = 1  # one wrong
    assert MICRO_F1.at([{"draft counts": first}, {"draft counts": second}]) == pytest.approx(2 / (2 + 1 + 1))


def classified(scores, truth):
    return {"class x": np.array(scores, np.float64)[:, None], "truth": np.array(truth, np.bool_)[:, None]}


def test_auroc_is_scikit_learns_averaged_over_seeds(resampler):
    auroc, _ = measures.classes("x")
    truth = [1, 0, 1, 0, 0, 1]
    runs = [
        classified(row, truth) for row in ([0.9, 0.1, 0.4, 0.5, 0.2, 0.3], [0.1, 0.9, 0.2, 0.3, 0.4, 0.8])
    ]
    wanted = np.mean([roc_auc_score(truth, one["class x"][:, 0]) for one in runs])
    assert auroc.interval(runs, resampler).value == pytest.approx(wanted)


def test_a_finding_that_a_way_cannot_tell_is_as_if_all_looked_alike():
    auroc, precision = measures.classes("x")
    blind = {
        "class x": np.array([[0.9, np.nan], [0.1, np.nan]]),
        "truth": np.array([[1, 1], [0, 0]], np.bool_),
    }
    assert auroc.at([blind]) == pytest.approx((1 + 0.5) / 2)
    assert precision.at([blind]) == pytest.approx((1 + 0.5) / 2)


def test_two_sets_are_told_apart_by_patients_of_both():
    names = np.array([*(f"0 {one}" for one in "abcd"), *(f"1 {one}" for one in "efg")])
    here, there = MRR.of([run(0.4, 0.6, 0.5, 0.5)]), MRR.of([run(0.1, 0.1, 0.1)])
    less = measures.apart(here, there, Resampler(names, seed=0, replicates=300), count=4)
    assert less.value == pytest.approx(0.4)
    assert 0.3 < less.low < 0.4 < less.high < 0.5


def test_the_papers_measures_have_names_of_their_own():
    found = (*measures.of_txtrayalign(), *measures.of_medclip(), *measures.of_xrem())
    names = {one.name for one in found}
    assert len({(one.group, one.name) for one in found}) == len(found)
    assert {"flat_hit@1", "f1@3[txtrayalign]", "BLEU-4", "CIDEr-D", "label F1, macro"} <= names
