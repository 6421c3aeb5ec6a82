"""A map over its film: the film where the map is 0, more colour where it is more, words below."""

import io

import numpy as np
import pytest
from PIL import Image

from xemplar.errors import ImageError
from xemplar.images.overlay import COLOUR, MOST, WIDTH, overlay_png

FILM = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)


def pixels(heat, words=("A line.",)):
    return np.asarray(Image.open(io.BytesIO(overlay_png(FILM, heat, words))))


def test_a_map_of_nothing_leaves_the_film_in_grey():
    film = pixels(np.zeros_like(FILM))[:WIDTH]
    expected = np.rint(255 * FILM).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    assert np.array_equal(film, np.stack([expected] * 3, axis=-1))


def test_a_full_map_is_mixed_with_the_colour_by_its_share():
    film = pixels(np.ones_like(FILM))[:WIDTH]
    np.testing.assert_allclose(film[0, 0], MOST * np.array(COLOUR), atol=0.51)


def test_words_make_the_picture_taller_and_wrap():
    short = pixels(np.zeros_like(FILM))
    long = pixels(np.zeros_like(FILM), ("word " * 60,))
    assert short.shape[1] == long.shape[1] == WIDTH and len(long) > len(short) > WIDTH
    assert (long[:, -5:][WIDTH:] == 255).all()


def test_letters_beyond_ascii_are_written():
    one, two = (pixels(np.zeros_like(FILM), (word,))[WIDTH:] for word in ("Erguß", "выпот"))
    assert not np.array_equal(one, two)


def test_the_same_picture_has_the_same_bytes():
    assert overlay_png(FILM, FILM, ["a"]) == overlay_png(FILM, FILM, ["a"])


def test_a_map_of_other_pixels_is_refused():
    with pytest.raises(ImageError, match=r"\(32, 64\); wanted \(64, 64\)"):
        overlay_png(FILM, FILM[:32], [])


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_values_beyond_0_to_1_are_refused(value):
    with pytest.raises(ImageError, match="beyond"):
        overlay_png(FILM, np.full_like(FILM, value), [])
