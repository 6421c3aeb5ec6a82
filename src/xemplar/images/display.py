"""Stored DICOM values -> [0, 1] as they are displayed, bone bright.

Knows the grey pipeline of DICOM PS3.3 C.11 and C.7.6.3: modality rescale or table, VOI table or window,
padding, inversion. Doesn't know how pixels are stored. Every stored value is worked out once, in double
precision, and looked up.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xemplar.images.grey import counted, ramp, stretch_ends, without_border
from xemplar.images.stored import Stored

if TYPE_CHECKING:
    from pydicom import Dataset

Window = tuple[float, float]
Values = NDArray[np.float64]

FEW = 0.05
"""A padding that leaves a smaller share of the film than this is not believed."""


def display(
    dataset: Dataset, stored: Stored, *, inverted: bool
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Grey patterns -> [0, 1] for each, 0 for all of a blank film, and what PixelHistory tells of it."""
    codes, counts = stored.values(), counted(stored.pixels)
    values, rescale, steps = _modality(dataset, codes)
    padding = _padding(dataset, codes) & (counts > 0)
    if counts[~padding].sum() < FEW * counts.sum():
        steps += ["padding ignored"]
        padding[:] = False
    film = np.where(padding, 0, counts)
    table, window, step = _voi(dataset, values)
    if table is not None and np.ptp(table[film > 0]) == 0 and np.ptp(values[film > 0]) > 0:
        steps.append(f"{step} in vain")
        table, window = None, None
    if table is None:
        film, without = without_border(stored.pixels, values, film)
        steps += ["border left out"] * without
        table, step = ramp(values, *stretch_ends(values, film)), "percentile-stretched"
    steps.append(step)
    if inverted:
        table = np.float32(1) - table
        steps.append("inverted")
    if padding.any():
        table = np.where(padding, np.float32(0), table)
        steps.append("padding black")
    if np.ptp(table[counts > 0]) == 0:
        steps.append("blank")
        table = np.zeros_like(table)
    told = {"rescale": rescale, "window": window, "steps": stored.steps + tuple(steps)}
    return np.asarray(table, np.float32), told


def _modality(
    dataset: Dataset, codes: NDArray[np.int32]
) -> tuple[Values, tuple[float, float] | None, list[str]]:
    """Stored values -> modality values, the rescale (slope, intercept) if there is one, steps."""
    table = _table(dataset, "ModalityLUTSequence")
    if table is not None:
        first, entries, _ = table
        return entries[np.clip(codes - first, 0, len(entries) - 1)], None, ["modality table"]
    slope, intercept = _decimal(dataset, "RescaleSlope"), _decimal(dataset, "RescaleIntercept")
    if slope is None and intercept is None:
        present = dataset.get("RescaleSlope") is not None or dataset.get("RescaleIntercept") is not None
        return codes.astype(np.float64), None, ["rescale ignored"] * present
    rescale = (1.0 if slope is None else slope, intercept or 0.0)
    if not rescale[0]:
        return codes.astype(np.float64), None, ["rescale ignored"]
    return np.asarray(codes * rescale[0] + rescale[1], np.float64), rescale, ["rescaled"]


def _voi(dataset: Dataset, values: Values) -> tuple[NDArray[np.float32] | None, Window | None, str]:
    """Modality values -> [0, 1] by the VOI table, else by the first window; None where there is neither."""
    table = _table(dataset, "VOILUTSequence")
    if table is not None:
        first, entries, top = table
        places = np.clip(np.rint(values) - first, 0, len(entries) - 1).astype(np.int64)
        return np.clip(entries[places] / top, 0.0, 1.0).astype(np.float32), None, "VOI table"
    window = _window(dataset)
    if window is None:
        return None, None, ""
    function = str(dataset.get("VOILUTFunction") or "LINEAR").strip().upper()
    return _windowed(values, window, function), window, "windowed"


def _table(dataset: Dataset, keyword: str) -> tuple[int, Values, float] | None:
    """The first table of a sequence -> first value mapped, entries, highest output; None without one.

    After DICOM PS3.3 C.11.1.1: a length of 0 is 65536, and the first value's sign follows the pixels'.
    """
    sequence = dataset.get(keyword)
    if not sequence:
        return None
    descriptor, data = sequence[0].LUTDescriptor, sequence[0].LUTData
    length, first, bits = (int(number) for number in descriptor)
    length = (length & 0xFFFF) or 65_536
    if dataset.get("PixelRepresentation") and first > 32_767:
        first -= 65_536
    if isinstance(data, bytes):
        big = not dataset.original_encoding[1]
        kind = np.uint8 if len(data) < 2 * length else np.dtype(">u2" if big else "<u2")
        entries = np.frombuffer(data, kind)
    else:
        entries = np.asarray(data, np.int64).reshape(-1) & 0xFFFF
        if len(entries) == (length + 1) // 2 and bits <= 8:
            # Two entries of 8 bits in a word, the earlier one in the lower byte.
            entries = np.column_stack((entries & 0xFF, entries >> 8)).reshape(-1)
    if len(entries) < length:
        raise ValueError("a table short of entries")
    outputs = np.asarray(entries[:length], np.float64)
    return first, outputs, max(float((1 << min(16, bits)) - 1), float(outputs.max()))


def _decimal(dataset: Dataset, keyword: str) -> float | None:
    """The first number of a tag; None where it is absent, empty or not finite."""
    value = dataset.get(keyword)
    if hasattr(value, "__len__") and not isinstance(value, str):
        value = value[0] if len(value) else None
    if value is None or value == "" or not math.isfinite(float(value)):
        return None
    return float(value)


def _window(dataset: Dataset) -> Window | None:
    """The first (centre, width) that the file offers; None where there is none, or it can't be used."""
    centre, width = _decimal(dataset, "WindowCenter"), _decimal(dataset, "WindowWidth")
    if centre is None or width is None:
        return None
    exact = str(dataset.get("VOILUTFunction")).strip().upper() in ("LINEAR_EXACT", "SIGMOID")
    if width <= 0 or (width < 1 and not exact):
        return None
    return centre, width


def _windowed(values: Values, window: Window, function: str) -> NDArray[np.float32]:
    """Modality values -> [0, 1], after DICOM PS3.3 C.11.2.1.2 (LINEAR, LINEAR_EXACT, SIGMOID)."""
    centre, width = window
    if function == "SIGMOID":
        steepness = np.clip(-4.0 * (values - centre) / width, -700.0, 700.0)
        return np.asarray(1.0 / (1.0 + np.exp(steepness)), np.float32)
    if function == "LINEAR_EXACT":
        return ramp(values, centre - width / 2, centre + width / 2)
    if width == 1:
        return (values > centre - 0.5).astype(np.float32)
    return ramp(values, centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2)


def _padding(dataset: Dataset, codes: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which patterns are padding, after DICOM PS3.3 C.7.5.1.1.2: one value, or a range of them.

    The value may be written in the other sign, or in bits beyond those stored.
    """
    ends = [dataset.get(keyword) for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    if not isinstance(ends[0], int):
        return np.zeros(len(codes), np.bool_)
    patterns = np.arange(len(codes))
    padding = (codes == ends[0]) | (patterns == ends[0] & (len(codes) - 1))
    if isinstance(ends[1], int):
        signed = bool(dataset.get("PixelRepresentation"))
        low, high = sorted(end - 65_536 if signed and end > 32_767 else end for end in ends)
        padding |= (codes >= low) & (codes <= high)
    return np.asarray(padding)
