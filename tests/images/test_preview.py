"""The two functions everything is encoded through: shape, padding, determinism, equality of routes."""

import hashlib
import subprocess
import sys
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from xemplar.errors import ImageError
from xemplar.images import (
    PreviewSpec,
    image_of,
    load_film,
    model_input,
    preview_from_array,
    read_preview,
    size_of,
)

SPEC = PreviewSpec(size=64)


def noise(shape=(64, 64), seed=1):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


@dataclass(frozen=True)
class Drawn:
    shape: tuple

    def draw(self):
        return noise(self.shape)


def test_wide_film_is_centred_on_black():
    shown = preview_from_array(np.clip(noise((100, 200)), 1, 255), SPEC).pixels
    assert shown.shape == (64, 64) and shown.dtype == np.uint8
    assert not shown[:16].any() and not shown[48:].any() and shown[16:48].all()


def test_tall_film_is_centred_on_black():
    shown = preview_from_array(np.clip(noise((200, 100)), 1, 255), SPEC).pixels
    assert not shown[:, :16].any() and not shown[:, 48:].any() and shown[:, 16:48].all()


def test_shrinking_by_a_whole_number_averages_blocks():
    pixels = noise((256, 256))
    by_hand = pixels.reshape(64, 4, 64, 4).mean((1, 3))
    assert np.abs(preview_from_array(pixels, SPEC).pixels - by_hand).max() <= 0.5


def test_growing_is_linear():
    ramp = np.tile(np.linspace(0, 1, 32), (32, 1))
    shown = preview_from_array(ramp, SPEC).pixels[32].astype(int)
    assert np.abs(np.diff(shown)[1:-1] - 255 / 62).max() < 1.1


def test_very_long_film_keeps_a_line():
    assert preview_from_array(noise((8, 4000)), SPEC).pixels.any(axis=1).sum() == 1


@pytest.mark.parametrize(
    "array", [np.full((9, 9), 255, np.uint8), np.full((9, 9), 9, np.uint16), np.ones((9, 9))]
)
def test_constant_image_is_blank(array):
    shown = preview_from_array(array, SPEC)
    assert not shown.pixels.any() and shown.history.steps == ("blank",)


def test_two_valued_sixteen_bits_keep_both_values():
    # One pixel in 4096 lies beyond either percentile.
    pixels = np.full((64, 64), 500, np.uint16)
    pixels[5, 5] = 900
    assert preview_from_array(pixels, SPEC).pixels.max() == 255


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(9, np.uint8), r"an array of shape \(9,\)"),
        (np.zeros((0, 9), np.uint8), r"an array of shape \(0, 9\)"),
        (np.zeros((9, 9, 4), np.uint8), r"an array of shape \(9, 9, 4\)"),
        (np.zeros((9, 9), np.int32), "pixels of int32; wanted uint8, uint16 or float"),
        (np.full((9, 9), 1.5), r"outside \[0, 1\]"),
        (np.full((9, 9), np.nan), r"outside \[0, 1\]"),
    ],
)
def test_arrays_that_are_no_film(array, message):
    with pytest.raises(ImageError, match=message):
        preview_from_array(array, SPEC)


def test_drawn_image_is_synthetic_and_equals_its_array():
    drawn = read_preview(Drawn((90, 70)), SPEC)
    assert np.array_equal(drawn.pixels, preview_from_array(noise((90, 70)), SPEC).pixels)
    assert (drawn.domain, drawn.history.format, drawn.sha256) == ("synthetic", "drawn", None)


def test_sha256_is_of_the_original(tmp_path):
    path = tmp_path / "film.png"
    cv2.imwrite(str(path), noise())
    assert read_preview(path, SPEC).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_film_holds_what_a_corpus_stores(tmp_path):
    path = tmp_path / "film.jpg"
    cv2.imwrite(str(path), cv2.GaussianBlur(noise((500, 400)), (0, 0), 5))
    stored = read_preview(path, SPEC).pixels.tobytes()
    from_corpus = image_of(np.frombuffer(stored, np.uint8).reshape(64, 64))
    film = load_film(path, SPEC)
    assert film.image.tobytes() == from_corpus.tobytes() and film.image.dtype == np.float32
    assert film.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_image_is_pixels_over_255():
    shown = preview_from_array(noise(), SPEC)
    assert np.array_equal(shown.image, (shown.pixels / 255).astype(np.float32))


def test_preview_cannot_be_drawn_on():
    with pytest.raises(ValueError, match="read-only"):
        preview_from_array(noise(), SPEC).pixels[0, 0] = 1


def test_thread_count_changes_nothing(tmp_path):
    path, threads = tmp_path / "film.png", cv2.getNumThreads()
    cv2.imwrite(str(path), noise((1500, 1301)))
    try:
        cv2.setNumThreads(1)
        one = read_preview(path, SPEC)
        cv2.setNumThreads(4)
        four = read_preview(path, SPEC)
    finally:
        cv2.setNumThreads(threads)
    assert one.pixels.tobytes() == four.pixels.tobytes()


def test_another_process_makes_the_same_bytes(tmp_path):
    path = tmp_path / "film.png"
    cv2.imwrite(str(path), noise((700, 500)))
    code = (
        "import sys, hashlib; from pathlib import Path; from xemplar.images import *;"
        "print(hashlib.sha256(read_preview(Path(sys.argv[1]), PreviewSpec(size=64)).pixels).hexdigest(),"
        "'pydicom' in sys.modules)"
    )
    there = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    here = hashlib.sha256(read_preview(path, SPEC).pixels).hexdigest()
    assert there.stdout.split() == [here, "False"]


def test_model_input_averages_blocks():
    image = preview_from_array(noise(), SPEC).image
    by_hand = image.reshape(32, 2, 32, 2).mean((1, 3))
    assert np.abs(model_input(image, 32) - by_hand).max() < 1e-6


@pytest.mark.parametrize("size", [17, 64, 100])
def test_model_input_has_its_size_and_range(size):
    image = preview_from_array(noise() // 128 * 255, SPEC).image
    made = model_input(image, size)
    assert made.shape == (size, size) and made.dtype == np.float32
    assert made.min() >= 0 and made.max() <= 1 and not np.shares_memory(made, image)


@pytest.mark.parametrize("image", [np.zeros((8, 9), np.float32), np.zeros((8, 8), np.uint8)])
def test_model_input_takes_previews_alone(image):
    with pytest.raises(ImageError, match="wanted a square float32 preview"):
        model_input(image, 8)


def test_fingerprint_follows_the_settings():
    assert PreviewSpec(size=64).fingerprint == SPEC.fingerprint != PreviewSpec(size=65).fingerprint
    assert len(SPEC.fingerprint) == 16 and int(SPEC.fingerprint, 16)


def test_fingerprint_follows_the_decoder(monkeypatch):
    before = SPEC.fingerprint
    monkeypatch.setattr("xemplar.images.preview.DECODER", 99)
    assert SPEC.fingerprint != before


@pytest.mark.parametrize("settings", [{"size": 63}, {"size": 2049}, {"version": 2}, {"depth": 8}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValidationError):
        PreviewSpec(**settings)


def test_a_size_is_told_from_the_previews_fingerprint():
    assert size_of(PreviewSpec(size=128).fingerprint) == 128
    assert size_of("0123456789abcdef") is None
