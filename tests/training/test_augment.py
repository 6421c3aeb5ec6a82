"""Augmentation: drawn from its generator alone, nothing at zero, and never a mirror."""

import pytest
import torch

from xemplar.training.augment import augment
from xemplar.training.recipe import Augmentation

NONE = Augmentation(rotation=0, shift=0, zoom=0, contrast=0, brightness=0)
MOST = Augmentation(rotation=45, shift=0.1, zoom=0.5, contrast=0.5, brightness=0.2)
IMAGES = torch.rand(6, 1, 24, 24, generator=torch.Generator().manual_seed(0))


def drawn(settings, seed=1, images=IMAGES):
    return augment(images, settings, torch.Generator().manual_seed(seed))


def test_the_same_generator_gives_the_same_images():
    assert torch.equal(drawn(MOST), drawn(MOST))


def test_another_seed_gives_others():
    assert not torch.allclose(drawn(MOST), drawn(MOST, seed=2), atol=0.05)


def test_each_image_is_moved_by_itself():
    same = IMAGES[:1].expand(6, -1, -1, -1)
    assert len(torch.unique(drawn(MOST, images=same).flatten(1), dim=0)) == 6


def test_the_global_generator_is_left_alone():
    before = torch.random.get_rng_state()
    drawn(MOST)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_settings_of_zero_change_nothing():
    torch.testing.assert_close(drawn(NONE), IMAGES, atol=1e-5, rtol=0)


@pytest.mark.parametrize("field", ["rotation", "shift", "zoom", "contrast", "brightness", "erase"])
def test_every_setting_does_something(field):
    assert not torch.allclose(drawn(NONE.model_copy(update={field: 0.4})), IMAGES, atol=1e-3)


def test_values_stay_in_range():
    found = drawn(Augmentation(contrast=0.9, brightness=0.9))
    assert found.min() >= 0 and found.max() <= 1


def test_no_image_is_ever_mirrored():
    """Three spots of rising brightness, clockwise: a mirror would reverse their turn, nothing else does."""
    image = torch.zeros(200, 1, 48, 48)
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    spots = [(18.0, 18.0, 0.3), (18.0, 30.0, 0.6), (30.0, 24.0, 0.9)]
    for row, column, bright in spots:
        image[:, 0] += bright * ((y - row) ** 2 + (x - column) ** 2 < 9)
    moved = drawn(MOST.model_copy(update={"contrast": 0.0, "brightness": 0.0}), images=image)
    turns = []
    for one in moved[:, 0]:
        (ay, ax), (by, bx), (cy, cx) = (
            [float((mask * grid).sum() / mask.sum()) for grid in (y, x)]
            for low, high in ((0.25, 0.35), (0.55, 0.65), (0.85, 0.95))
            for mask in [((one > low) & (one < high)).float()]
        )
        turns.append((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
    assert min(turns) > 0


def test_a_rotation_turns_by_as_much_as_is_said():
    image = torch.zeros(300, 1, 65, 65)
    image[:, 0, 30:35, 52:57] = 1.0
    moved = drawn(NONE.model_copy(update={"rotation": 20.0}), images=image)[:, 0]
    y, x = torch.meshgrid(torch.arange(65.0) - 32, torch.arange(65.0) - 32, indexing="ij")
    total = moved.sum((1, 2))
    angles = torch.rad2deg(torch.atan2((moved * y).sum((1, 2)) / total, (moved * x).sum((1, 2)) / total))
    assert 18 < angles.abs().max() < 20.5
    assert (angles > 10).any() and (angles < -10).any()


def test_a_shift_moves_by_as_much_as_is_said():
    image = torch.zeros(300, 1, 100, 100)
    image[:, 0, 48:52, 48:52] = 1.0
    moved = drawn(NONE.model_copy(update={"shift": 0.2}), images=image)[:, 0]
    places = torch.arange(100.0) - 49.5
    offset = (moved.sum(1) * places).sum(1) / moved.sum((1, 2))
    assert 18 < offset.abs().max() < 20.5


def test_an_erased_square_is_black_and_no_larger_than_said():
    found = drawn(NONE.model_copy(update={"erase": 0.5}), images=torch.ones(100, 1, 40, 40))
    black = (found == 0).float().mean((1, 2, 3))
    assert 0 < black.max() <= 0.25
