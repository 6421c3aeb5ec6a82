"""The later half, pure arrays: colour to grey, stretched, fitted into a black square.

Knows numbers only; doesn't know where an array comes from. Every file format and every drawn image
passes through here, which is what makes one image one preview.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xemplar.errors import ImageError
from xemplar.images.decoded import check_size

TAIL = 0.005
"""Share of the pixels beyond either end of a percentile stretch."""


ROWS = 64
"""Looked up at a time."""


def stretch_ends(values: NDArray[np.float64], counts: NDArray[np.int64]) -> tuple[float, float]:
    """Values between which lie all but `TAIL` of the pixels at either end.

    The lower end is the smallest value with at least that share of pixels at or below it, the upper
    end its mirror image, so that a negative stretches exactly as its positive. Falls back on the
    extremes where nearly all pixels are equal.

    values: (n,) in any order; counts: (n,) pixels of each value, at least one of them > 0.
    """
    present = counts > 0
    order = np.argsort(values[present], kind="stable")
    values, counts = values[present][order], counts[present][order]
    rank = max(1, int(np.ceil(TAIL * counts.sum())))
    low = values[np.searchsorted(np.cumsum(counts), rank)]
    high = values[::-1][np.searchsorted(np.cumsum(counts[::-1]), rank)]
    if low >= high:
        low, high = values[0], values[-1]
    return float(low), float(high)


def ramp(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float32]:
    """Values to [0, 1], clipped outside low..high; all 0 where low equals high."""
    if high <= low:
        return np.zeros(values.shape, np.float32)
    return np.clip((values - low) / (high - low), 0.0, 1.0).astype(np.float32)


def counted(pixels: NDArray[Any]) -> NDArray[np.int64]:
    """(256,) or (65536,) how many pixels hold each value of uint8 or uint16."""
    levels = 1 << (8 * pixels.dtype.itemsize)
    return np.asarray(cv2.calcHist([pixels], [0], None, [levels], [0, levels])).ravel().astype(np.int64)


def without_border(
    pixels: NDArray[Any], values: NDArray[np.float64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], bool]:
    """Counts less a burned-in border's pixels, and whether there is one.

    A border is one grey, give or take a 256th of the range (compression), that holds half of the
    outermost pixels: a frame, what collimation left, a white or black surround of any outline. Left as
    they were where it is too small to matter, or where next to nothing else is left.

    pixels: (h, w) indices of `values`; values: (n,); counts: (n,) pixels of each.
    """
    ring = values[np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])]
    present, total = counts > 0, counts.sum()
    middle = np.sort(ring)[(len(ring) - 1) // 2]
    near = np.abs(values - middle) <= np.ptp(values[present]) / 256
    share = np.count_nonzero(np.abs(ring - middle) <= np.ptp(values[present]) / 256) / len(ring)
    if share < 0.5 or counts[near].sum() < 4 * TAIL * total:
        return counts, False
    kept = np.where(near, 0, counts)
    if kept.sum() < 0.05 * total or np.count_nonzero(kept) < 2:
        return counts, False
    return kept, True


def to_grey(
    array: NDArray[Any], where: str
) -> tuple[NDArray[Any], NDArray[np.float32] | None, tuple[str, ...]]:
    """(h, w) or (h, w, 3) of uint8, uint16 or float in [0, 1] -> (h, w), its table, and steps.

    8 bits and floats are taken as displayed and need no table, 16 bits get one that stretches them.
    Colour is weighed 0.299, 0.587, 0.114 (ITU-R BT.601).
    """
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise ImageError(
            f"an array of shape {array.shape}", wanted="(height, width) or (height, width, 3)", where=where
        )
    check_size(array.shape[0], array.shape[1], where)
    if np.issubdtype(array.dtype, np.floating):
        array = array.astype(np.float32, copy=False)
        # NaN fails both comparisons.
        if not (array.min() >= 0.0 and array.max() <= 1.0):
            raise ImageError("floating-point pixels outside [0, 1]", wanted="finite in [0, 1]", where=where)
    elif array.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"pixels of {array.dtype}", wanted="uint8, uint16 or float", where=where)
    steps: tuple[str, ...] = ()
    array = np.ascontiguousarray(array)
    if array.ndim == 3:
        array = np.asarray(cv2.cvtColor(array, cv2.COLOR_RGB2GRAY))
        steps += ("grey from colour",)
    if array.min() == array.max():
        return np.zeros(array.shape, np.uint8), None, (*steps, "blank")
    table = None
    if array.dtype == np.uint16:
        values = np.arange(1 << 16, dtype=np.float64)
        counts, without = without_border(array, values, counted(array))
        steps += ("border left out",) * without
        table = ramp(values, *stretch_ends(values, counts))
        steps += ("percentile-stretched",)
    return array, table, steps


def resized(grey: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Area-averaged where it shrinks, linear where it grows, the same array where it does neither."""
    if grey.shape == (height, width):
        return grey
    if (
        (height < grey.shape[0]) != (width < grey.shape[1])
        and grey.shape[0] != height
        and grey.shape[1] != width
    ):
        # One side shrinks and the other grows (pixels that aren't square): each in its own way.
        first = (min(height, grey.shape[0]), min(width, grey.shape[1]))
        grey = resized(grey, *first)
    shrinks = height * width < grey.shape[0] * grey.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, (width, height), interpolation=interpolation))


def looked_up(grey: NDArray[Any], table: NDArray[np.float32], size: tuple[int, int]) -> NDArray[Any]:
    """Places in a table -> its values, resized to `size` (height, width) float32, as `resized` would do it.

    Where both sides shrink, rows are looked up and narrowed a few at a time, so that they stay in the
    processor's cache: the values of a whole film take longer to write to memory than to work out.
    """
    (height, width), row = size, table.reshape(1, -1)
    if height >= grey.shape[0] or width >= grey.shape[1]:
        return resized(np.asarray(cv2.LUT(grey, row)), height, width)
    # Blocks of four average several times faster than odd shares of pixels; where at least 4 x 4 become one,
    # that a block is shared out whole is not to be seen.
    block = (
        2
        if min(grey.shape[0] // height, grey.shape[1] // width) >= 4 and not any(n % 2 for n in grey.shape)
        else 1
    )
    narrow = np.empty((grey.shape[0] // block, width), np.float32)
    for top in range(0, grey.shape[0], ROWS):
        values = np.asarray(cv2.LUT(grey[top : top + ROWS], row))
        rows = len(values) // block
        values = resized(values, rows, grey.shape[1] // block)
        narrow[top // block : top // block + rows] = resized(values, rows, width)
    return resized(narrow, height, width)


def fitted(
    grey: NDArray[Any], size: int, *, aspect: float = 1.0, table: NDArray[np.float32] | None = None
) -> NDArray[np.uint8]:
    """Aspect kept, longer side `size`, centred in a black (size, size) square of uint8.

    aspect: height of a pixel over its width. table: what the pixels are places in, if they are.
    """
    # Rounded in integers: the same on every machine.
    height, width = (round(1000 * aspect) * grey.shape[0], 1000 * grey.shape[1])
    longer = max(height, width)
    inner = [max(1, (2 * side * size + longer) // (2 * longer)) for side in (height, width)]
    small = resized(grey, *inner) if table is None else looked_up(grey, table, (inner[0], inner[1]))
    if small.dtype != np.uint8:
        small = np.rint(np.clip(small, 0.0, 1.0) * np.float32(255)).astype(np.uint8)
    square = np.zeros((size, size), np.uint8)
    top, left = (size - inner[0]) // 2, (size - inner[1]) // 2
    square[top : top + inner[0], left : left + inner[1]] = small
    return square
