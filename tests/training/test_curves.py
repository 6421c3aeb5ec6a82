"""The curve of the loss stays small and true, and the picture is drawn from it."""

import json

import numpy as np
import pytest

from xemplar.training import curves
from xemplar.training.curves import add_point, draw, new_curve


def curve_of(values):
    curve = new_curve()
    for value in values:
        add_point(curve, value)
    return curve


def test_a_short_curve_has_every_step():
    assert curve_of([3.0, 2.0, 1.0]) == {"every": 1, "points": [3.0, 2.0, 1.0], "rest": []}


@pytest.mark.parametrize("steps", [1999, 2000, 2001, 12345])
def test_a_long_one_has_means_of_as_many_steps_as_it_says(steps):
    values = np.random.default_rng(0).random(steps)
    curve = curve_of(values.tolist())
    every = curve["every"]
    whole = values[: len(curve["points"]) * every].reshape(-1, every).mean(1)
    np.testing.assert_allclose(curve["points"], whole)
    assert curve["rest"] == values[len(whole) * every :].tolist()
    assert len(whole) < 2 * curves.POINTS


def test_it_goes_on_from_what_was_kept_as_json():
    kept = json.loads(json.dumps(curve_of(range(2500))))
    for value in range(2500, 5000):
        add_point(kept, value)
    assert kept == curve_of(range(5000))


ROWS = [
    {"epoch": n, "val_mrr": 0.1 * n, "val_success_at_1": 0.05 * n, "val_success_at_5": 0.2 * n,
     "val_success_at_10": 0.25 * n} for n in (1, 2, 3)
]  # fmt: skip


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], [{"epoch": 1, "val_mrr": 0.2}]])
def test_the_picture_is_a_png_and_the_same_each_time(rows):
    first, second = (draw("tiny", curve_of([3, 2, 1]), rows, best_epoch=1) for _ in range(2))
    assert first.startswith(b"\x89PNG") and first == second


def test_the_picture_shows_what_is_in_the_curve():
    assert draw("t", curve_of([3, 2, 1]), ROWS, best_epoch=1) != draw(
        "t", curve_of([3, 2, 2]), ROWS, best_epoch=1
    )
