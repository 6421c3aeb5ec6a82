"""From a preview to what a checkpoint of somebody else's was trained to see.

Knows pixels and the few ways in which the field brings a film to a square; knows no torch. Our own models
take `xemplar.images.model_input` instead.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from pydantic import BaseModel, ConfigDict, Field, model_validator

from xemplar.errors import ImageError
from xemplar.records import Image

Fit = Literal["letterbox", "squash", "crop"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
"""Of the pictures CLIP was trained on (Radford et al. 2021), in units of 0..1."""

FILM_MEAN, FILM_STD = 101.48761 / 255, 83.43944 / 255
"""Of the letterboxed films of MIMIC-CXR and CheXpert, as CheXzero and X-REM normalise them."""

_FILTERS = {
    "nearest": Picture.Resampling.NEAREST,
    "bilinear": Picture.Resampling.BILINEAR,
    "bicubic": Picture.Resampling.BICUBIC,
    "lanczos": Picture.Resampling.LANCZOS,
}
_ALIASED = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


class Preprocessing(BaseModel):
    """How a preview becomes a tensor; kept in the model's manifest and part of its fingerprint.

    `fit` says what becomes of a film that isn't square: "letterbox" leaves it whole on black, as previews
    hold it; "squash" stretches it over the square; "crop" takes the square in its middle (CLIP's own).
    The latter two take the film to be what lies between the preview's black bars. `letterbox` is a size
    that is gone through first. Without `antialias` the last step samples as a tensor's resize does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_size: int = Field(ge=1, le=2048)
    mean: tuple[float, ...] = OPENAI_MEAN
    std: tuple[float, ...] = OPENAI_STD
    fit: Fit = "letterbox"
    letterbox: int | None = Field(default=None, ge=1, le=4096)
    interpolation: Interpolation = "bicubic"
    antialias: bool = True

    @model_validator(mode="after")
    def _is_whole(self) -> Preprocessing:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, 3):
                raise ValueError(f"{name} has {len(values)} values; wanted 1 or 3")
        if min(self.std) <= 0:
            raise ValueError(f"std {self.std} is not above 0")
        if not self.antialias and self.interpolation not in _ALIASED:
            raise ValueError(f"{self.interpolation} is never without antialias")
        return self

    def prepare(self, image: Image) -> NDArray[np.float32]:
        """A preview -> (3, input_size, input_size), normalised.

        Raises ImageError for an array that isn't a square float32 preview.
        """
        if image.ndim != 2 or image.shape[0] != image.shape[1] or image.dtype != np.float32:
            raise ImageError(
                f"{image.dtype} pixels of shape {image.shape}", wanted="a square float32 preview"
            )
        pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
        if self.fit != "letterbox":
            pixels = film_of(pixels)
        if self.fit == "crop":
            pixels = _middle(pixels)
        if self.letterbox is not None:
            pixels = letterboxed(pixels, self.letterbox)
        grey = self._resized(pixels)
        mean, std = (np.array(values, np.float32).reshape(-1, 1, 1) for values in (self.mean, self.std))
        return np.broadcast_to((grey[None] - mean) / std, (3, *grey.shape)).astype(np.float32)

    def _resized(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        side = (self.input_size, self.input_size)
        if pixels.shape == side:
            return pixels.astype(np.float32) / np.float32(255)
        if self.antialias:
            made = np.asarray(Picture.fromarray(pixels).resize(side, _FILTERS[self.interpolation]))
            return made.astype(np.float32) / np.float32(255)
        # OpenCV's cubic has torch's constant, centres and borders, and no more than them.
        grey = pixels.astype(np.float32) / np.float32(255)
        return np.asarray(cv2.resize(grey, side, interpolation=_ALIASED[self.interpolation]), np.float32)


def openai_preprocessing(size: int) -> Preprocessing:
    """CLIP's own, with the film whole: what its image processor makes of a preview."""
    return Preprocessing(input_size=size)


def film_preprocessing(size: int) -> Preprocessing:
    """CheXzero's and CXR-RePaiR's: letterboxed to 320, then to the input without antialias."""
    return Preprocessing(
        input_size=size, mean=(FILM_MEAN,), std=(FILM_STD,), letterbox=320, antialias=False
    )  # fmt: skip


def letterboxed(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(h, w) grey -> (size, size): the longest side fitted, the rest black, the film in the middle.

    As CXR-RePaiR prepares its films (Lanczos, the shorter side rounded down); a side that would vanish
    keeps one pixel.
    """
    height, width = pixels.shape
    ratio = float(size) / max(height, width)
    inside = (max(1, int(width * ratio)), max(1, int(height * ratio)))
    canvas = Picture.new("L", (size, size))
    corner = ((size - inside[0]) // 2, (size - inside[1]) // 2)
    canvas.paste(Picture.fromarray(pixels).resize(inside, Picture.Resampling.LANCZOS), corner)
    return np.asarray(canvas)


def film_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A square preview without the black bars on two opposite sides; a black one stays as it is.

    What is black at the edge of the film itself can't be told from a bar, and goes with it.
    """
    bars = [_bar(np.asarray(pixels.any(axis=axis))) for axis in (1, 0)]
    if bars[0] >= bars[1]:
        return pixels[bars[0] : len(pixels) - bars[0]]
    return pixels[:, bars[1] : pixels.shape[1] - bars[1]]


def _bar(lit: NDArray[np.bool_]) -> int:
    """How many lines are dark at both ends; 0 where all are."""
    places = np.flatnonzero(lit)
    return int(min(places[0], len(lit) - 1 - places[-1])) if len(places) else 0


def _middle(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    side = min(pixels.shape)
    top, left = ((length - side) // 2 for length in pixels.shape)
    return pixels[top : top + side, left : left + side]
