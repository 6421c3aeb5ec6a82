"""Proper films -> films that the gate has to refuse, made of them: what it learns from.

Knows pixels and chance; knows nothing of features. A spoiled film is made as a preview of the spoiled
original would be: its film alone is changed, and fitted into the black square again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xemplar.drafting.gate.features import framed
from xemplar.images.grey import fitted
from xemplar.records import Image

Random = np.random.Generator
Spoil = Callable[[Image, Image, Random], Image]
"""(film, another, chance) -> film, all of them without surround."""

UPSIDE_DOWN, SIDEWAYS, INVERTED, CROPPED, DOUBLED, CHILD, OTHER, LATERAL = (
    "upside down", "sideways", "inverted", "cropped", "doubled", "like a child's", "no chest film", "lateral"
)  # fmt: skip
"""Kinds of improper films; laterals aren't made but taken from the archive."""


def spoiled(kind: str, image: Image, other: Image, *, random: Random) -> Image:
    """A preview, (size, size) in [0, 1], spoiled in one of the ways of SPOILS; `other` is used by some."""
    film = SPOILS[kind](framed(image), framed(other), random)
    return as_preview(film, len(image))


def as_preview(film: Image, size: int) -> Image:
    """A film in [0, 1] fitted into a black square of `size`."""
    pixels = fitted(np.ascontiguousarray(film, np.float32), size)
    return pixels.astype(np.float32) / np.float32(255)


def varied(image: Image, random: Random) -> Image:
    """A proper film as it might as well have been: other contrast, slightly turned, mirrored at times."""
    film = framed(image)
    height, width = film.shape
    turned = cv2.getRotationMatrix2D(
        (width / 2, height / 2), random.uniform(-4, 4), random.uniform(1.0, 1.08)
    )
    moved = cv2.warpAffine(film, turned, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return as_preview(_exposed(np.asarray(moved, np.float32), random), len(image))


def _exposed(film: Image, random: Random) -> Image:
    grey = np.clip(film, 0, 1) ** np.exp(random.uniform(-0.45, 0.45))
    return np.asarray(np.clip(0.5 + (grey - 0.5) * random.uniform(0.7, 1.3), 0, 1), np.float32)


def _upside_down(film: Image, _: Image, random: Random) -> Image:
    return film[::-1] if random.random() < 0.5 else film[::-1, ::-1]


def _sideways(film: Image, _: Image, random: Random) -> Image:
    turned = np.rot90(film, 1 if random.random() < 0.5 else 3)
    return turned if random.random() < 0.7 else turned[:, ::-1]


def _inverted(film: Image, _: Image, random: Random) -> Image:
    return _exposed(1 - film, random)


def _cropped(film: Image, _: Image, random: Random) -> Image:
    """A part of 45 to 72 % of one side, or of both."""
    return _part(film, random, kept=(0.45, 0.72), both=random.random() < 0.5)


def _part(film: Image, random: Random, *, kept: tuple[float, float], both: bool) -> Image:
    shares = random.uniform(*kept, 2)
    if not both:
        shares[int(random.integers(2))] = 1.0
    sizes = [max(4, round(side * share)) for side, share in zip(film.shape, shares, strict=True)]
    top, left = (int(random.integers(side - size + 1)) for side, size in zip(film.shape, sizes, strict=True))
    return film[top : top + sizes[0], left : left + sizes[1]]


def _doubled(film: Image, other: Image, random: Random) -> Image:
    """Two films beside, or at times below, each other: of two patients, or one film twice."""
    second = film if random.random() < 0.3 else other
    if random.random() < 0.3:
        film, second = film.T, second.T
        return _beside(film, second, random).T
    return _beside(film, second, random)


def _beside(film: Image, second: Image, random: Random) -> Image:
    height = film.shape[0]
    second = _resized(second, height, max(4, round(second.shape[1] * height / second.shape[0])))
    apart = round(film.shape[1] * random.choice((0, 0, 0.03, 0.1)))
    gap = np.full((height, apart), random.choice((0.0, 1.0)), np.float32)
    return np.concatenate([film, gap, second], axis=1)


def _resized(film: Image, height: int, width: int) -> Image:
    even = np.ascontiguousarray(film, np.float32)
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _childlike(film: Image, _: Image, random: Random) -> Image:
    """A chest that is short, with more of the belly below it, or small within its film, or both."""
    height, width = film.shape
    way = random.random()
    if way < 0.7:
        short = film[: round(height * random.uniform(0.9, 1.0))]
        rows = round(height * random.uniform(0.58, 0.82))
        chest = _resized(short, rows, width)
        film = np.concatenate([chest, np.repeat(chest[-1:], height - rows, axis=0)])
    if way > 0.4:
        times = random.uniform(0.5, 0.85)
        small = _resized(film, max(4, round(height * times)), max(4, round(width * times)))
        film = np.full((height, width), small.min(), np.float32)
        top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
        film[top : top + small.shape[0], left : left + small.shape[1]] = small
    return film


def _other(film: Image, _: Image, random: Random) -> Image:
    """Something that is no chest film: a film in pieces, a small part blown up, shapes, clouds."""
    ways: tuple[Callable[..., Image], ...] = (_in_pieces, _magnified, _clouds, _ringed)
    return ways[int(random.integers(len(ways)))](film, random)


def _in_pieces(film: Image, random: Random) -> Image:
    count = int(random.integers(2, 5))
    size = min(film.shape) // count
    sheet = np.empty((count * size, count * size), np.float32)
    for place, piece in enumerate(random.permutation(count * count).tolist()):
        (row, column), (above, left) = divmod(place, count), (size * n for n in divmod(piece, count))
        tile = film[above : above + size, left : left + size]
        sheet[row * size : (row + 1) * size, column * size : (column + 1) * size] = tile
    return sheet


def _magnified(film: Image, random: Random) -> Image:
    return _part(film, random, kept=(0.12, 0.38), both=True)


def _clouds(film: Image, random: Random) -> Image:
    """A field of chance with a slope of its own, at times with shapes in it."""
    side, steep = 96, random.uniform(0.8, 2.2)
    far = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]) + 1 / side
    waves = np.fft.rfft2(random.standard_normal((side, side))) / far**steep
    field = np.fft.irfft2(waves, (side, side))
    low, high = np.quantile(field, (0.02, 0.98))
    sheet: Any = np.clip((field - low) / (high - low), 0, 1).astype(np.float32)
    for _ in range(int(random.integers(0, 5))):
        place = tuple(int(x) for x in random.integers(0, side, 2))
        axes = tuple(int(x) for x in random.integers(4, side // 2, 2))
        grey = float(random.random())
        cv2.ellipse(sheet, place, axes, random.uniform(0, 180), 0, 360, grey, int(random.choice((-1, 2, 5))))
    return _ringed(sheet, random) if random.random() < 0.4 else sheet


def _ringed(film: Image, random: Random) -> Image:
    """What lies within an ellipse, as a slice through a body does; turned and on black."""
    turned: NDArray[np.float32] = np.ascontiguousarray(np.rot90(film, int(random.integers(4))), np.float32)
    height, width = turned.shape
    mask: Any = np.zeros((height, width), np.float32)
    axes = (round(width * random.uniform(0.3, 0.47)), round(height * random.uniform(0.25, 0.47)))
    cv2.ellipse(mask, (width // 2, height // 2), axes, 0, 0, 360, 1.0, -1)
    ring = np.asarray(cv2.GaussianBlur(mask, (0, 0), 1.0))
    if random.random() < 0.5:
        rim: Any = np.zeros((height, width), np.float32)
        cv2.ellipse(rim, (width // 2, height // 2), axes, 0, 0, 360, 1.0, max(2, width // 24))
        turned = np.maximum(turned * 0.6, rim)
    return np.asarray(turned * ring, np.float32)


SPOILS: dict[str, Spoil] = {
    UPSIDE_DOWN: _upside_down,
    SIDEWAYS: _sideways,
    INVERTED: _inverted,
    CROPPED: _cropped,
    DOUBLED: _doubled,
    CHILD: _childlike,
    OTHER: _other,
}
