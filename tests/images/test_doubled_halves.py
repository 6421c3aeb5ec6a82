"""A film with one of its halves on both sides."""

from __future__ import annotations

import numpy as np
import pytest

from xemplar.images.halves import doubled


@pytest.mark.parametrize("width", [1, 2, 7, 8])
def test_each_is_one_half_and_its_mirror_image(width: int) -> None:
    image = np.random.default_rng(1).random((5, width)).astype(np.float32)
    before = image.copy()
    left, right = doubled(image)
    half = width // 2
    for made in (left, right):
        assert made.shape == image.shape and (made == np.fliplr(made)).all()
    assert (left[:, width - half :] == image[:, width - half :]).all()  # the patient's left is on the right
    assert (right[:, :half] == image[:, :half]).all()
    assert (image == before).all()


def test_of_a_mirrored_film_they_change_places() -> None:
    image = np.random.default_rng(2).random((4, 6)).astype(np.float32)
    left, right = doubled(image)
    other_left, other_right = doubled(np.fliplr(image))
    assert (other_left == right).all() and (other_right == left).all()
