"""From a preview to what somebody else's model was trained to see."""

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from pydantic import ValidationError

from xemplar.errors import ImageError
from xemplar.models.preprocessing import (
    FILM_MEAN,
    FILM_STD,
    OPENAI_MEAN,
    OPENAI_STD,
    Preprocessing,
    film_of,
    film_preprocessing,
    letterboxed,
    openai_preprocessing,
)


@pytest.fixture
def preview():
    return (np.random.default_rng(0).integers(1, 256, (40, 40)).astype(np.float32)) / np.float32(255)


@pytest.mark.shared
def test_the_originals_letterbox(golden):
    held = np.load(golden / "cxr_repair" / "letterbox.npz")
    names = [name for name in held if name.startswith("in")]
    assert names
    for name in names:
        for size, wanted in ((32, f"out{name[2:]}"), (320, f"out320_{name[2:]}")):
            found = letterboxed(held[name], size).astype(int)
            assert np.abs(found - held[wanted].astype(int)).max() <= 1, (name, size)


@pytest.mark.parametrize(
    ("shape", "lit"), [((20, 40), (16, 32)), ((40, 20), (32, 16)), ((33, 100), (10, 32))]
)
def test_a_letterbox_is_black_around_the_film_in_the_middle(shape, lit):
    made = letterboxed(np.full(shape, 200, np.uint8), 32)
    assert made.shape == (32, 32)
    rows, columns = np.flatnonzero(made.any(1)), np.flatnonzero(made.any(0))
    assert (len(rows), len(columns)) == lit
    assert (rows[0], columns[0]) == ((32 - lit[0]) // 2, (32 - lit[1]) // 2)


def test_a_hair_keeps_a_pixel():
    assert letterboxed(np.full((1, 400), 200, np.uint8), 32).any()


def test_clips_own_means_and_deviations(preview):
    made = openai_preprocessing(40).prepare(preview)
    assert made.shape == (3, 40, 40) and made.dtype == np.float32
    for channel in range(3):
        wanted = (preview - OPENAI_MEAN[channel]) / OPENAI_STD[channel]
        np.testing.assert_allclose(made[channel], wanted, atol=1e-6)


def test_films_are_letterboxed_to_320_and_sampled_as_a_tensor(preview):
    made = film_preprocessing(224).prepare(preview)
    pixels = np.rint(preview * 255).astype(np.uint8)
    large = Picture.fromarray(pixels).resize((320, 320), Picture.Resampling.LANCZOS)
    tensor = (torch.from_numpy(np.asarray(large, np.float32)) - 255 * FILM_MEAN) / (255 * FILM_STD)
    wanted = torch.nn.functional.interpolate(tensor[None, None], (224, 224), mode="bicubic")
    np.testing.assert_allclose(made[0], wanted[0, 0].numpy(), atol=2e-5)


def test_pixels_are_resized_as_pictures_are(preview):
    made = Preprocessing(input_size=16, mean=(0.0,), std=(1.0,)).prepare(preview)
    pixels = Picture.fromarray(np.rint(preview * 255).astype(np.uint8))
    wanted = np.asarray(pixels.resize((16, 16), Picture.Resampling.BICUBIC), np.float32) / 255
    np.testing.assert_array_equal(made[1], wanted)


def _boxed(height, width, size=60):
    """A film with a bright left half, as a preview holds it."""
    image = np.zeros((size, size), np.float32)
    top, left = (size - height) // 2, (size - width) // 2
    image[top : top + height, left : left + width] = 0.2
    image[top : top + height, left : left + width // 2] = 1.0
    return image


@pytest.mark.parametrize("shape", [(60, 30), (30, 60), (60, 60), (60, 31)])
def test_a_film_is_found_between_its_bars(shape):
    assert film_of((_boxed(*shape) * 255).astype(np.uint8)).shape in (shape, (60, 32))


def test_a_black_preview_stays_as_it_is():
    assert film_of(np.zeros((9, 9), np.uint8)).shape == (9, 9)


def test_a_squashed_film_fills_the_square():
    made = Preprocessing(input_size=24, mean=(0.0,), std=(1.0,), fit="squash").prepare(_boxed(60, 30))
    assert made[0].min() > 0.1
    assert (made[0, :, :11] > 0.9).all() and (made[0, :, 13:] < 0.3).all()


def test_a_cropped_film_keeps_its_proportions():
    plain = {"input_size": 30, "mean": (0.0,), "std": (1.0,), "interpolation": "nearest"}
    image = _boxed(60, 30)
    image[:15], image[45:] = 0.5, 0.5
    image[:15, :15], image[:15, 45:], image[45:, :15], image[45:, 45:] = 0, 0, 0, 0
    made = Preprocessing(**plain, fit="crop").prepare(image)
    assert np.array_equal(made[0], np.rint(image[15:45, 15:45] * 255).astype(np.float32) / 255)


def test_a_letterboxed_film_is_the_preview_whole(preview):
    made = Preprocessing(input_size=40, mean=(0.0,), std=(1.0,)).prepare(preview)
    np.testing.assert_allclose(made[2], preview, atol=1e-7)


@pytest.mark.parametrize("image", [np.zeros((4, 5), np.float32), np.zeros((4, 4)), np.zeros((2, 4, 4))])
def test_what_is_no_preview_is_refused(image):
    with pytest.raises(ImageError, match="wanted a square float32 preview"):
        openai_preprocessing(8).prepare(image)


@pytest.mark.parametrize(("values", "said"), [
    ({"mean": (0.1, 0.2)}, "mean has 2 values"), ({"std": (0.0,)}, "is not above 0"),
    ({"interpolation": "lanczos", "antialias": False}, "never without antialias"),
])  # fmt: skip
def test_settings_that_make_no_sense_are_refused(values, said):
    with pytest.raises(ValidationError, match=said):
        Preprocessing(input_size=8, **values)
