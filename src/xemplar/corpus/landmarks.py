"""A preview -> its landmarks: what is kept of every view to tell a near-duplicate by.

Knows pixels; knows nothing of corpora. Landmarks are SIFT keypoints (Lowe 2004, by OpenCV) of the film
at 96 pixels, each brought into one form under mirroring and negation, projected to 32 dimensions and
packed into 37 bytes, so that a crop, a turn by a few degrees, another contrast, a recompressed, a
mirrored or an inverted copy keeps most of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 96
"""Longer side, in pixels, of the film that landmarks are sought on."""

COUNT = 40
"""Landmarks kept of a view, the strongest first."""

DIM = 32
PACKED = 5 + DIM
"""Bytes of a landmark: x, y, size, angle, form, and DIM of what it looks like."""

MIRRORED, NEGATIVE = 1, 2
"""Bits of a landmark's form: what was done to it to bring it into the one form."""

_DARK = 10
_SIZES = (0.5, 32.0)
"""Of keypoints, in pixels: the smallest, and steps an octave."""


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Landmarks unpacked: row by row of one view or of several.

    points: (n, 2) x and y in pixels of `framed`; octaves: (n,) log2 of their size; angles: (n,) degrees;
    forms: (n,) bits; looks: (n, DIM) float32 of about length 1.
    """

    points: NDArray[np.float32]
    octaves: NDArray[np.float32]
    angles: NDArray[np.float32]
    forms: NDArray[np.uint8]
    looks: NDArray[np.float32]


def framed(pixels: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """The film of a preview without its black surround, its longer side `side` pixels: (h, w) uint8."""
    bright = pixels > _DARK
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    film = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else pixels
    height, width = film.shape
    longer = max(height, width)
    inner = [max(8, (2 * each * side + longer) // (2 * longer)) for each in (width, height)]
    interpolation = cv2.INTER_AREA if longer > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(film, inner, interpolation=interpolation), np.uint8)


def landmarks_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A preview's landmarks, (COUNT, PACKED) uint8; rows of zeros where there are fewer."""
    packed = np.zeros((COUNT, PACKED), np.uint8)
    film = framed(pixels)
    sift = cv2.SIFT.create(nfeatures=COUNT, contrastThreshold=0.005, edgeThreshold=20)
    points, looks = sift.detectAndCompute(film, None)
    if not points:
        return packed
    # OpenCV keeps ties and gives no order; ours is the same wherever the numbers are.
    order = sorted(range(len(points)), key=lambda n: (-points[n].response, *points[n].pt, points[n].angle))
    chosen = order[:COUNT]
    forms, small = _small(np.asarray(looks, np.float32)[chosen])
    table = np.array([(*points[n].pt, points[n].size, points[n].angle) for n in chosen], np.float64)
    octaves = np.log2(np.maximum(table[:, 2], _SIZES[0]) / _SIZES[0])
    rows = packed[: len(chosen)]
    rows[:, :2] = np.rint(table[:, :2] * 255 / SIDE).clip(0, 255)
    rows[:, 2] = np.rint(octaves * _SIZES[1]).clip(1, 255)  # never 0, which says that there is none
    rows[:, 3] = np.rint(table[:, 3] * 256 / 360).astype(np.int64) % 256
    rows[:, 4] = forms
    rows[:, 5:] = np.rint(small * 127).clip(-127, 127).astype(np.int8).view(np.uint8)
    return packed


def unpacked(packed: NDArray[np.uint8]) -> Landmarks:
    """Packed rows, (n, PACKED), as numbers; rows of zeros have to be left out before."""
    numbers = packed[:, :4].astype(np.float32)
    return Landmarks(
        points=numbers[:, :2] * np.float32(SIDE / 255),
        octaves=numbers[:, 2] / np.float32(_SIZES[1]),
        angles=numbers[:, 3] * np.float32(360 / 256),
        forms=packed[:, 4],
        looks=np.ascontiguousarray(packed[:, 5:]).view(np.int8).astype(np.float32) / np.float32(127),
    )


def _small(looks: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """SIFT descriptors, (n, 128) -> the form each had, and (n, DIM) in the one form.

    A descriptor is 4 x 4 cells of 8 directions, its columns along the keypoint's own angle. A negative
    turns that angle round, and so the cells; a mirror image swaps the cells' rows and the directions.
    Which half of the cells holds more decides what is taken for upright.
    """
    cells = looks.reshape(-1, 4, 4, 8)
    held = cells.sum(axis=3)
    negative = held[:, :, :2].sum(axis=(1, 2)) < held[:, :, 2:].sum(axis=(1, 2))
    cells = np.where(negative[:, None, None, None], cells[:, ::-1, ::-1], cells)
    held = cells.sum(axis=3)
    mirrored = held[:, :2].sum(axis=(1, 2)) < held[:, 2:].sum(axis=(1, 2))
    directions = -np.arange(8) % 8
    cells = np.where(mirrored[:, None, None, None], cells[:, ::-1][..., directions], cells)
    flat = cells.reshape(-1, 128)
    # Square roots of shares, compared by cosine: the Hellinger kernel (Arandjelovic and Zisserman 2012).
    shares = np.sqrt(flat / np.maximum(flat.sum(axis=1, keepdims=True), 1e-6))
    small = shares @ _projection()
    small /= np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1e-6)
    return (negative * NEGATIVE + mirrored * MIRRORED).astype(np.uint8), small


@cache
def _projection() -> NDArray[np.float32]:
    """(128, DIM): orthonormal columns, always the same."""
    drawn = np.random.default_rng(7).standard_normal((128, 128))
    return np.asarray(np.linalg.qr(drawn)[0][:, :DIM], np.float32)
