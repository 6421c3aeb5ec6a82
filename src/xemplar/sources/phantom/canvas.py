"""Soft shapes on a sheet of density: polygons, strokes and blobs, placed by one affine map.

Knows points, masks and sums. Knows nothing of what a shape stands for.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]
"""(n, 2) x right, y down, in nominal pixels; x is measured from the midline."""
Mask = NDArray[np.uint8]
Path = list[tuple[float, float]]
"""Points as they are written down, before they are made smooth."""

_SHIFT = 4  # sub-pixel bits of OpenCV's fixed-point coordinates


def curve(points: ArrayLike, *, closed: bool = False, rounds: int = 3) -> Points:
    """Corner-cut (Chaikin 1974) polyline: smooth, inside the hull; an open one keeps its ends."""
    line = np.asarray(points, dtype=np.float64)
    for _ in range(rounds):
        after = np.roll(line, -1, axis=0) if closed else line[1:]
        before = line if closed else line[:-1]
        cut = np.empty((2 * len(before), 2))
        cut[0::2] = 0.75 * before + 0.25 * after
        cut[1::2] = 0.25 * before + 0.75 * after
        line = cut if closed else np.concatenate([line[:1], cut, line[-1:]])
    return line


def moved(points: ArrayLike, x: float, *, y: float = 0.0) -> Points:
    """The points, `x` to the right and `y` down."""
    shifted: Points = np.asarray(points, dtype=np.float64) + np.array([x, y])
    return shifted


def mirrored(points: ArrayLike, sign: float) -> Points:
    """The points with x multiplied by `sign`: -1 for the patient's right, 1 for the left."""
    return np.asarray(points, dtype=np.float64) * (sign, 1.0)


class Canvas:
    """A sheet (height, width) of float32 density and the map from nominal points to its pixels."""

    def __init__(
        self, shape: tuple[int, int], *, scale: tuple[float, float], tilt: float, shift: tuple[float, float]
    ) -> None:
        self.shape = shape
        self.density: NDArray[np.float32] = np.zeros(shape, np.float32)
        turn = np.deg2rad(tilt)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        self._linear = rotation @ np.diag(scale)
        middle = np.array([shape[1] / 2 + shift[0], shape[0] / 2 + shift[1]])
        self._offset = middle - self._linear @ np.array([0.0, 160.0])
        self.unit = float(np.sqrt(scale[0] * scale[1]))

    def placed(self, points: ArrayLike) -> Points:
        """Nominal points -> pixel positions."""
        placed: Points = np.asarray(points, dtype=np.float64) @ self._linear.T + self._offset
        return placed

    def _fixed(self, points: ArrayLike) -> NDArray[np.int32]:
        return np.round(self.placed(points) * (1 << _SHIFT)).astype(np.int32)

    def empty(self) -> Mask:
        """A mask of nothing."""
        return np.zeros(self.shape, np.uint8)

    def fill(self, points: ArrayLike, *, value: int = 255, onto: Mask | None = None) -> Mask:
        """A filled polygon with smooth edges, drawn over what the mask holds."""
        mask = self.empty() if onto is None else onto
        cv2.fillPoly(mask, [self._fixed(points)], (value,), cv2.LINE_AA, _SHIFT)
        return mask

    def stroke(
        self,
        points: ArrayLike,
        width: float,
        *,
        value: int = 255,
        onto: Mask | None = None,
        closed: bool = False,
    ) -> Mask:
        """A polyline `width` nominal pixels thick (at least one of the film's)."""
        mask = self.empty() if onto is None else onto
        thick = max(1, round(width * self.unit))
        cv2.polylines(mask, [self._fixed(points)], closed, (value,), thick, cv2.LINE_AA, _SHIFT)
        return mask

    def strokes(
        self, lines: ArrayLike, width: float, *, value: int, onto: Mask, closed: bool = False
    ) -> None:
        """Many polylines (n, points, 2) of one thickness at once."""
        thick = max(1, round(width * self.unit))
        cv2.polylines(onto, list(self._fixed(lines)), closed, (value,), thick, cv2.LINE_AA, _SHIFT)

    def fills(self, rings: ArrayLike, *, value: int, onto: Mask) -> None:
        """Many polygons (n, points, 2) that do not overlap."""
        cv2.fillPoly(onto, list(self._fixed(rings)), (value,), cv2.LINE_AA, _SHIFT)

    def blob(
        self, centre: ArrayLike, radii: ArrayLike, *, value: int = 255, onto: Mask | None = None
    ) -> Mask:
        """A filled ellipse along the axes of the body."""
        turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        ring = np.stack([np.cos(turn), np.sin(turn)], axis=1) * np.asarray(radii) + np.asarray(centre)
        return self.fill(ring, value=value, onto=onto)

    def add(
        self, mask: NDArray[Any], weight: float, *, blur: float = 0.0, within: Mask | None = None
    ) -> None:
        """Add `weight` where the mask is full; `blur` (sigma, pixels) first, then cut to `within`."""
        soft = soften(mask, blur)
        if within is not None:
            soft = cv2.multiply(soft, within, scale=1 / 255)
        if soft.dtype == np.uint8:
            cv2.scaleAdd(soft.astype(np.float32), weight / 255, self.density, self.density)
        else:
            self.density += weight * soft


def soften(mask: NDArray[Any], blur: float) -> NDArray[Any]:
    """The mask under a Gaussian of sigma `blur` pixels; wide ones are done at a quarter of the size."""
    if blur <= 0:
        return mask
    if blur < 6:
        near: NDArray[Any] = cv2.GaussianBlur(mask, (0, 0), blur)
        return near
    height, width = mask.shape
    small = cv2.resize(mask, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), blur / 4)
    wide: NDArray[Any] = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return wide


def clouds(rng: np.random.Generator, shape: tuple[int, int], *, cell: int) -> NDArray[np.float32]:
    """Smooth noise of mean 0 and deviation about 1, its lumps about `cell` pixels wide."""
    coarse = rng.standard_normal((shape[0] // cell + 3, shape[1] // cell + 3), dtype=np.float32)
    grown: NDArray[np.float32] = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return grown
