"""Drift: p-values are scipy's, batches that have moved are told, and those that haven't seldom are."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from xemplar.drafting.drift import FEWEST, KEPT, LEVEL, Directions, drift, ks_p_value, seen_of


def features(rng, count, *, shift=0.0, width=1.0):
    return {
        "nearest cosine": rng.beta(20, 3, count),
        "p(Edema)": rng.normal(shift, width, count),
        "lines": rng.integers(3, 9, count),
    }


@pytest.mark.parametrize("shift", [0.0, 0.3, 0.8])
def test_the_p_value_is_near_scipys(shift):
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=70), rng.normal(shift, size=100)
    assert ks_p_value(one, other) == pytest.approx(ks_2samp(one, other, method="exact").pvalue, rel=0.15)


def test_equal_samples_are_no_surprise():
    assert ks_p_value([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) == 1.0


def test_a_batch_that_has_not_moved_is_seldom_warned_of():
    rng = np.random.default_rng(1)
    warned = [drift(seen_of(features(rng, 70)), features(rng, 100)).warns for _ in range(1500)]
    assert np.mean(warned) <= LEVEL + 2 * np.sqrt(LEVEL / 1500)


@pytest.mark.parametrize("moved", [{"shift": 1.0}, {"width": 4.0}])
def test_a_batch_that_has_moved_is_warned_of_and_says_what(moved):
    rng = np.random.default_rng(2)
    found = [drift(seen_of(features(rng, 70)), features(rng, 100, **moved)) for _ in range(50)]
    assert np.mean([one.what == ("p(Edema)",) for one in found]) > 0.95
    assert "moved: p(Edema)" in found[0].sentence


def test_a_few_films_show_nothing():
    rng = np.random.default_rng(3)
    one = drift(seen_of(features(rng, 70)), features(rng, FEWEST - 1, shift=9.0))
    assert (one.warns, one.p) == (False, 1.0)
    assert "too few" in one.sentence


def test_a_large_calibration_is_kept_by_its_quantiles():
    rng = np.random.default_rng(4)
    many = features(rng, 20_000)
    seen = seen_of(many)
    assert seen.patients == 20_000
    assert {len(kept) for kept in seen.values.values()} == {KEPT}
    assert not drift(seen, features(rng, 200)).warns


def test_a_feature_of_one_side_alone_is_left_out():
    rng = np.random.default_rng(5)
    seen = seen_of({"p(Fracture)": rng.random(50), "lines": rng.random(50)})
    assert drift(seen, {"lines": rng.random(50), "p(Edema)": rng.random(50)}).films == 50


def test_directions_are_those_in_which_the_archive_differs_most():
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(300, 6)) * [9, 1, 5, 0.1, 0.1, 0.1]
    found = Directions(vectors).of(vectors)
    assert len(found) == 6
    first, second = (found[f"direction {place} of the archive"] for place in (1, 2))
    assert abs(np.corrcoef(first, vectors[:, 0])[0, 1]) > 0.99
    assert abs(np.corrcoef(second, vectors[:, 2])[0, 1]) > 0.99


def test_directions_have_one_sign_however_the_archive_is_ordered():
    rng = np.random.default_rng(6)
    vectors, query = rng.normal(size=(50, 4)), rng.normal(size=(3, 4))
    one, other = Directions(vectors).of(query), Directions(vectors[::-1]).of(query)
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], atol=1e-9)
