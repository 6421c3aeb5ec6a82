"""A preview -> the few hundred numbers that the gate judges a film by.

Knows pixels alone: coarse greys, edges, symmetry, borders and shape, by numpy and OpenCV. Doesn't know what
a proper film is, nor any encoder.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xemplar.records import Image

Row = NDArray[np.float64]
"""Numbers of one film: (WIDTH,)."""

VERSION = 1
"""Raised whenever the same preview would give other numbers than before."""

_DARK = 10 / 255
"""Up to here a pixel may be the surround of a film."""

_SMALL, _LARGE = 32, 64
"""Pixels a side of the film whose greys, and whose edges, are looked at."""

_WAVES = 9
"""Low frequencies kept, each way."""

_CELLS, _WAYS = 5, 8
"""Cells a side, and directions of edges in each."""


def framed(image: Image) -> Image:
    """A preview without its black surround; the whole of one that is dark all over."""
    bright = image > _DARK
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    if not len(rows):
        return image
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def features_of(image: Image) -> Row:
    """A preview, (size, size) in [0, 1] -> (WIDTH,) finite numbers; about a millisecond."""
    film = framed(image)
    large = cv2.resize(film, (_LARGE, _LARGE), interpolation=cv2.INTER_AREA).astype(np.float64)
    small = cv2.resize(large, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA)
    even = (small - small.mean()) / (small.std() + 1e-3)
    parts = [_waves(even), _edges(large), _symmetry(even), _borders(even), _greys(large), _detail(film)]
    height, width = film.shape
    shape = [np.log(height / width), height / len(image), width / len(image)]
    return np.concatenate([*parts, shape])


def _waves(even: NDArray[np.float64]) -> Row:
    """The lowest frequencies of a film of one mean and contrast (DCT-II), but for the mean."""
    found = np.asarray(cv2.dct(even))[:_WAVES, :_WAVES].ravel()[1:] / _SMALL
    return np.asarray(found, np.float64)


def _edges(large: NDArray[np.float64]) -> Row:
    """Shares of edges by cell and direction (histograms of oriented gradients: Dalal and Triggs 2005).

    Directions go all the way round, so that a negative has others; square roots, for contrast.
    """
    smooth = cv2.GaussianBlur(large, (0, 0), 1.0)
    across = np.asarray(cv2.Sobel(smooth, cv2.CV_64F, 1, 0))
    down = np.asarray(cv2.Sobel(smooth, cv2.CV_64F, 0, 1))
    way = np.floor((np.arctan2(down, across) + np.pi) * (_WAYS / (2 * np.pi))).astype(np.int64) % _WAYS
    size = np.hypot(across, down)
    held = np.bincount((_cell() * _WAYS + way).ravel(), size.ravel(), minlength=_CELLS**2 * _WAYS)
    return np.asarray(np.sqrt(held / (held.sum() + 1e-6)), np.float64)


@cache
def _cell() -> NDArray[np.int64]:
    """The number of the cell that each pixel is in."""
    place = np.arange(_LARGE) * _CELLS // _LARGE
    return np.asarray(place[:, None] * _CELLS + place[None], np.int64)


def _symmetry(even: NDArray[np.float64]) -> Row:
    """How like a film is to itself mirrored, upside down and turned, and its halves to each other."""
    half = _SMALL // 2
    pairs = [
        (even, even[:, ::-1]), (even, even[::-1]), (even, even[::-1, ::-1]), (even, even.T),
        (even[:, :half], even[:, half:]), (even[:half], even[half:]),
        (even[:, :half], even[:, half - 1 :: -1]), (even[:, half:], even[:, : half - 1 : -1]),
    ]  # fmt: skip
    found = [_alike(one, other) for one, other in pairs]
    jump = [np.abs(np.diff(even, axis=axis)).mean(axis=1 - axis) for axis in (0, 1)]
    found += [float(one[half - 2 : half + 1].max() / (one.mean() + 1e-3)) for one in jump]
    return np.array(found)


def _alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Correlation of two pictures of one size."""
    a, b = one - one.mean(), other - other.mean()
    return float((a * b).sum() / (np.sqrt((a * a).sum() * (b * b).sum()) + 1e-6))


def _borders(even: NDArray[np.float64]) -> Row:
    """Mean and spread along each of the four borders, and of the middle."""
    rim, third = 3, _SMALL // 3
    strips = [even[:rim], even[-rim:], even[:, :rim], even[:, -rim:], even[third:-third, third:-third]]
    return np.array([number for one in strips for number in (one.mean(), one.std())])


def _greys(large: NDArray[np.float64]) -> Row:
    """Quantiles of the greys as they are, and how much is black or white."""
    marks = np.quantile(large, (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98))
    return np.concatenate([marks, [(large < 0.04).mean(), (large > 0.97).mean(), large.std()]])


def _detail(film: Image) -> Row:
    """How much detail there is at each of four sizes, as logarithms of its spread."""
    height, width = film.shape
    times = 128 / max(height, width)
    size = (max(8, round(width * times)), max(8, round(height * times)))
    level: Any = cv2.resize(film, size, interpolation=cv2.INTER_AREA)
    found = []
    for _ in range(4):
        lower = cv2.GaussianBlur(level, (0, 0), 1.0)
        found.append(float(np.log((level - lower).std() + 1e-4)))
        level = lower[::2, ::2]
    return np.array(found)
