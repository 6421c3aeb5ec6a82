"""DICOM bytes -> pixels as they are displayed, bone bright, and the few tags that a corpus may hold.

Knows single-frame grey and colour images: modality rescale or table, window, photometric
interpretation. Doesn't know multi-frame objects, VOI tables or presentation states. pydicom is
imported on the first call, because start-up matters.
"""

from __future__ import annotations

import io
import math
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import ImageError
from xemplar.images.decoded import MAX_BYTES, Decoded, check_size, decoder_border
from xemplar.images.grey import ramp, stretch_ends
from xemplar.images.tags import read_tags
from xemplar.records import PixelHistory

if TYPE_CHECKING:
    from pydicom import Dataset

DEFLATED = "1.2.840.10008.1.2.1.99"
NOT_IMAGES = ("1.2.840.10008.5.1.4.1.1.66.", "1.2.840.10008.5.1.4.1.1.481.2", "1.2.840.10008.5.1.4.1.1.30")
"""Segmentations and registrations, doses, parametric maps: pixels that are no picture."""

MONOCHROME = ("MONOCHROME1", "MONOCHROME2")
Window = tuple[float, float]


def decode_dicom(data: bytes, where: str) -> Decoded:
    """A DICOM file's bytes -> Decoded: float32 in [0, 1] for grey, uint8 RGB for colour.

    Grey follows the pipeline of DICOM PS3.3 C.11: stored bits, modality rescale (or table), window,
    and is inverted for MONOCHROME1. Raises ImageError for objects without pixels, more than one
    frame, compression that can't be decoded here, and pixel data cut short.
    """
    import pydicom
    from pydicom import config

    _refuse_inflation(data, where)
    # pydicom's warnings about odd values quote them, and a value may be a patient's.
    with config.disable_value_validation():
        with decoder_border("a DICOM header that can't be read", where):
            dataset = pydicom.dcmread(io.BytesIO(data))
            _refuse_non_images(dataset, where)
            _refuse_layout(dataset, where)
            tags = read_tags(dataset)
        with decoder_border("DICOM pixel data that can't be decoded", where):
            stored = _stored(dataset)
            check_size(stored.shape[0], stored.shape[1], where)
        with decoder_border("DICOM pixel data that can't be displayed", where):
            pixels, history = _displayed(dataset, stored)
    return Decoded(pixels, history, tags=tags)


def _refuse_inflation(data: bytes, where: str) -> None:
    """A deflated data set is inflated whole by the reader, so its size is tried first, piecewise."""
    start = 144 + int.from_bytes(data[140:144], "little")
    if DEFLATED.encode() not in data[132:start]:
        return
    inflater, size, rest = zlib.decompressobj(-zlib.MAX_WBITS), 0, data[start:]
    with decoder_border("a deflated DICOM file that can't be inflated", where):
        while rest and not inflater.eof:
            size += len(inflater.decompress(rest, 1 << 24))
            rest = inflater.unconsumed_tail
            if size > MAX_BYTES:
                raise ImageError(
                    "a DICOM file that inflates", wanted=f"at most {MAX_BYTES} bytes", where=where
                )


def _refuse_non_images(dataset: Dataset, where: str) -> None:
    # pydicom answers the end of a file within an element with an empty data set.
    if not len(dataset):
        raise ImageError("a DICOM file that is cut short", wanted="a whole data set", where=where)
    sop_class = dataset.get("SOPClassUID")
    name = _named(sop_class) if sop_class else "object of no stated class"
    if "PixelData" not in dataset:
        raise ImageError(f"{name}: no pixel data (7FE0,0010)", wanted="an image", where=where)
    if sop_class and str(sop_class).startswith(NOT_IMAGES):
        raise ImageError(f"{name}: its pixels are not a picture", wanted="an image", where=where)


def _named(uid: Any) -> str:  # noqa: ANN401 - pydicom's UID
    """The standard's name of a uid; one that the standard doesn't know is not quoted."""
    return "something private" if uid.name == str(uid) else str(uid.name)


def _refuse_layout(dataset: Dataset, where: str) -> None:
    """What can't be decoded, told before decoding it."""
    from pydicom.pixels import get_decoder

    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if not syntax:
        raise ImageError("DICOM without a Transfer Syntax UID (0002,0010)", where=where)
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames > 1:
        raise ImageError(f"a multi-frame object of {frames} frames", wanted="one frame", where=where)
    for keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored", "PhotometricInterpretation"):
        if dataset.get(keyword) is None:
            raise ImageError(f"pixel data without its {keyword}", wanted="an image", where=where)
    check_size(int(dataset.Rows), int(dataset.Columns), where)
    bits, allocated = int(dataset.BitsStored), int(dataset.BitsAllocated)
    if allocated not in (8, 16) or not 1 <= bits <= allocated:
        raise ImageError(
            f"{bits} bits stored in {allocated}", wanted="up to 16 bits in 8 or 16 bits", where=where
        )
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        available = False
    if not available:
        raise ImageError(
            f"compressed as {_named(syntax)}: no decoder for it here",
            remedy="decompress it first",
            where=where,
        )
    if not syntax.is_encapsulated:
        _refuse_short(dataset, where)


def _refuse_short(dataset: Dataset, where: str) -> None:
    pixels = int(dataset.Rows) * int(dataset.Columns)
    samples = int(dataset.get("SamplesPerPixel") or 1)
    if dataset.PhotometricInterpretation == "YBR_FULL_422":
        samples = 2
    wanted = pixels * samples * int(dataset.BitsAllocated) // 8
    found = len(dataset.PixelData)
    if found < wanted:
        raise ImageError(
            f"pixel data (7FE0,0010) of {found} bytes, cut short", wanted=f"{wanted}", where=where
        )


def _stored(dataset: Dataset) -> NDArray[Any]:
    """(h, w) int32 with the bits that aren't stored put right, or (h, w, 3) uint8 RGB."""
    from pydicom.pixels import apply_color_lut, pixel_array

    array: NDArray[Any] = pixel_array(dataset)
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    bits = int(dataset.BitsStored)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        array = apply_color_lut(array, dataset)
        bits = 8 * array.dtype.itemsize
    if array.ndim == 3:
        return (array >> max(0, bits - 8)).astype(np.uint8)
    # Bits beyond those stored may hold anything (old overlays); PS3.5 8.1.1.
    array = array.astype(np.int32) & ((1 << bits) - 1)
    if dataset.get("PixelRepresentation"):
        sign = 1 << (bits - 1)
        array = (array ^ sign) - sign
    return array


def _displayed(dataset: Dataset, stored: NDArray[Any]) -> tuple[NDArray[Any], PixelHistory]:
    """Stored pixels -> as displayed, and what was done."""
    photometric = str(dataset.PhotometricInterpretation)
    history: dict[str, Any] = {
        "format": "DICOM",
        "height": stored.shape[0],
        "width": stored.shape[1],
        "bits_stored": int(dataset.BitsStored),
        "photometric": photometric,
        "transfer_syntax": str(dataset.file_meta.TransferSyntaxUID),
    }
    if stored.ndim == 3:
        return stored, PixelHistory(**history)
    low = int(stored.min())
    codes = np.arange(low, int(stored.max()) + 1, dtype=np.int32)
    values, history["rescale"], steps = _modality(dataset, codes)
    window = _window(dataset)
    if window is None:
        counts = np.bincount((stored - low).ravel(), minlength=len(codes))
        table = ramp(values, *stretch_ends(values, _without_padding(dataset, codes, counts)))
        if dataset.get("VOILUTSequence"):
            steps.append("VOI table not applied")
        steps.append("percentile-stretched")
    else:
        table = _windowed(values, window, str(dataset.get("VOILUTFunction") or "LINEAR"))
        steps.append("windowed")
    if photometric == "MONOCHROME1":
        table = np.float32(1) - table
        steps.append("inverted")
    history |= {"window": window, "steps": tuple(steps)}
    # Every stored code is worked out once, in double precision, and looked up.
    return table[stored - low], PixelHistory(**history)


def _modality(
    dataset: Dataset, codes: NDArray[np.int32]
) -> tuple[NDArray[np.float64], tuple[float, float] | None, list[str]]:
    """Stored codes -> modality values, the rescale (slope, intercept) if there is one, steps."""
    from pydicom.pixels import apply_modality_lut

    if dataset.get("ModalityLUTSequence"):
        return np.asarray(apply_modality_lut(codes, dataset), np.float64), None, ["modality table"]
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    if slope is None and intercept is None:
        return codes.astype(np.float64), None, []
    rescale = (1.0 if slope is None else float(slope), float(intercept or 0.0))
    if not (all(map(math.isfinite, rescale)) and rescale[0]):
        return codes.astype(np.float64), None, ["rescale ignored"]
    return np.asarray(codes * rescale[0] + rescale[1], np.float64), rescale, ["rescaled"]


def _window(dataset: Dataset) -> Window | None:
    """The first (centre, width) that the file offers; None where there is none, or it can't be used."""
    pair = []
    for keyword in ("WindowCenter", "WindowWidth"):
        value = dataset.get(keyword)
        if isinstance(value, (list, tuple)) or hasattr(value, "append"):
            value = value[0] if len(value) else None
        if value is None or value == "" or not math.isfinite(float(value)):
            return None
        pair.append(float(value))
    exact = dataset.get("VOILUTFunction") in ("LINEAR_EXACT", "SIGMOID")
    if pair[1] <= 0 or (pair[1] < 1 and not exact):
        return None
    return pair[0], pair[1]


def _windowed(values: NDArray[np.float64], window: Window, function: str) -> NDArray[np.float32]:
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


def _without_padding(
    dataset: Dataset, codes: NDArray[np.int32], counts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Counts less the padding's pixels, unless there are no others."""
    padding = dataset.get("PixelPaddingValue")
    if not isinstance(padding, int):
        return counts
    kept = np.where(codes == padding, 0, counts)
    return kept if kept.any() else counts
