"""What a random order would get, against every order there is; label mAP against one made by hand."""

from itertools import permutations

import numpy as np
import pytest

from xemplar.evaluation.benchmark.retrieving import (
    Gallery,
    chance_precision,
    chance_reciprocal,
    retrieval_columns,
)


def every_order(right, n, score):
    items = np.arange(n) < right
    return np.mean([score(items[list(order)]) for order in permutations(range(n))])


def precision(order):
    places = np.flatnonzero(order) + 1
    return np.mean([(place_number + 1) / place for place_number, place in enumerate(places)])


@pytest.mark.parametrize(("right", "n"), [(1, 5), (2, 5), (5, 5), (3, 6)])
def test_expected_reciprocal_rank_is_the_mean_over_all_orders(right, n):
    wanted = every_order(right, n, lambda order: 1 / (np.argmax(order) + 1))
    assert chance_reciprocal(np.array([right]), n)[0] == pytest.approx(wanted)


@pytest.mark.parametrize(("right", "n"), [(1, 5), (2, 5), (5, 5), (3, 6)])
def test_expected_average_precision_is_the_mean_over_all_orders(right, n):
    wanted = every_order(right, n, precision)
    assert chance_precision(np.array([right]), np.array([n]))[0] == pytest.approx(wanted)


class Four:
    """Four studies: the first two of one patient; the last has no finding."""

    truth = np.array([[1, 0], [1, 0], [1, 1], [0, 0]], np.bool_)
    clusters = np.array(["p", "p", "q", "r"])
    findings = ("a", "b")
    filmed = written = np.ones(4, np.bool_)
    keys = ("t", "t", "u", "v")

    def __len__(self):
        return 4


def test_films_that_share_a_finding_are_right_and_ones_own_patient_is_none():
    scores = np.array([[9, 8, 1, 2], [8, 9, 3, 2], [1, 2, 9, 3], [1, 1, 1, 9]], np.float32)
    got = retrieval_columns(Four(), Gallery(image_image=scores))["image to image label mAP"]
    # The first two see the third alone as right, behind or before the fourth; the third sees both before
    # none; who has no finding isn't asked.
    assert got[:3].tolist() == pytest.approx([1 / 2, 1.0, (1 / 2 + 2 / 3) / 2])
    assert np.isnan(got[3])


def test_equal_texts_are_equally_right():
    scores = np.array([[1, 9, 2, 3], [9, 1, 2, 3], [1, 2, 3, 9], [1, 2, 3, 9]], np.float32)
    got = retrieval_columns(Four(), Gallery(image_report=scores))
    assert got["image to report success@1"].tolist() == [1, 1, 0, 1]
    assert got["image to report MRR"].tolist() == [1, 1, 1 / 2, 1]


def test_ties_earn_nothing():
    got = retrieval_columns(Four(), Gallery(report_image=np.zeros((4, 4), np.float32)))
    assert got["report to image MRR"].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 4, 1 / 4])
