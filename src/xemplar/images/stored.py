"""A DICOM data set -> the pixels as they are stored, whatever they are packed or compressed in.

Knows where the bytes lie and what the header must say of them; doesn't know how they are displayed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import ImageError
from xemplar.images.codestream import Codestream, read_codestream
from xemplar.images.decoded import check_size
from xemplar.images.frames import decode_frame, decode_rle

if TYPE_CHECKING:
    from pydicom import Dataset

ITEM = b"\xfe\xff\x00\xe0"
RLE = "1.2.840.10008.1.2.5"
SAMPLES = {"MONOCHROME1": 1, "MONOCHROME2": 1, "PALETTE COLOR": 1, "RGB": 3} | dict.fromkeys(
    ("YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT"), 3
)
"""Photometric interpretation -> samples a pixel; others (HSV, ARGB, CMYK) are retired and refused."""
CODED_AS_RGB = ("YBR_ICT", "YBR_RCT")
"""Transforms of JPEG 2000's own, undone by its decoder."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the header says of its pixels, checked."""

    height: int
    width: int
    samples: int
    allocated: int
    bits: int
    high_bit: int
    signed: bool
    photometric: str
    planar: bool
    syntax: str

    @property
    def shift(self) -> int:
        """How many bits stand below a value's own."""
        return self.high_bit + 1 - self.bits


@dataclass(frozen=True, slots=True)
class Stored:
    """Pixels as stored: patterns of uint8 or uint16, (h, w), or (h, w, 3) RGB.

    A pattern's value is its `bits` bits above `shift`, two's complement where `signed`. A luminance that
    stands for colour is (h, w) and `colour`.
    """

    pixels: NDArray[Any]
    bits: int
    shift: int
    signed: bool
    colour: bool
    steps: tuple[str, ...] = ()

    def values(self) -> NDArray[np.int32]:
        """(256,) or (65536,) the value of every pattern."""
        patterns = np.arange(1 << (8 * self.pixels.dtype.itemsize), dtype=np.int32)
        values = (patterns >> self.shift) & ((1 << self.bits) - 1)
        if self.signed:
            sign = 1 << (self.bits - 1)
            values = (values ^ sign) - sign
        return values


def read_layout(dataset: Dataset, syntax: str, where: str) -> Layout:
    """The header's description of the pixels; ImageError for whatever can't be a radiograph."""
    for keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored", "PhotometricInterpretation"):
        if dataset.get(keyword) in (None, ""):
            raise ImageError(f"pixel data without its {keyword}", wanted="an image", where=where)
    frames = number(dataset, "NumberOfFrames", where, default=1)
    if frames > 1:
        raise ImageError(f"a multi-frame object of {frames} frames", wanted="one frame", where=where)
    height, width = number(dataset, "Rows", where), number(dataset, "Columns", where)
    check_size(height, width, where)
    bits, allocated = number(dataset, "BitsStored", where), number(dataset, "BitsAllocated", where)
    if allocated not in (8, 16) or not 1 <= bits <= allocated:
        raise ImageError(
            f"{bits} bits stored in {allocated}", wanted="up to 16 bits in 8 or 16 bits", where=where
        )
    photometric = str(dataset.PhotometricInterpretation).strip().upper()
    samples = number(dataset, "SamplesPerPixel", where, default=1)
    if SAMPLES.get(photometric) != samples:
        known = photometric if photometric in SAMPLES else "an unknown photometric interpretation"
        raise ImageError(
            f"{known} of {samples} samples a pixel", wanted="grey, palette or three colours", where=where
        )
    high_bit = number(dataset, "HighBit", where, default=bits - 1)
    return Layout(
        height,
        width,
        samples,
        allocated,
        bits,
        high_bit if bits - 1 <= high_bit < allocated else bits - 1,
        bool(number(dataset, "PixelRepresentation", where, default=0)),
        photometric,
        bool(number(dataset, "PlanarConfiguration", where, default=0)),
        syntax,
    )


def number(dataset: Dataset, keyword: str, where: str, *, default: int | None = None) -> int:
    """A tag that must be a whole number, the first where there are several."""
    try:
        value = dataset.get(keyword)
        if not isinstance(value, (str, int, float)) and value is not None:
            value = value[0] if len(value) else None
        if value in (None, "") and default is not None:
            return default
        return int(value)
    except (ValueError, TypeError, LookupError, ArithmeticError, NotImplementedError) as error:
        raise ImageError(f"a {keyword} that is no whole number", where=where) from error


def read_stored(dataset: Dataset, layout: Layout, *, least: int, where: str) -> Stored:
    """Pixels of a checked data set; `least` is the longer side below which nothing may be reduced."""
    element = dataset["PixelData"]
    data: bytes = element.value or b""
    if element.is_undefined_length or data[:4] == ITEM:
        stored = _compressed(_frame(data, where), layout, least=least, where=where)
    elif layout.syntax.startswith("1.2.840.10008.1.2.4") or layout.syntax == RLE:
        raise ImageError(
            "pixel data that is not compressed as the transfer syntax says", wanted="fragments", where=where
        )
    else:
        swapped = not dataset.original_encoding[1] and layout.allocated == 8 and element.VR == "OW"
        stored = _native(data, layout, order=(not dataset.original_encoding[1], swapped), where=where)
    if layout.photometric == "PALETTE COLOR":
        return _palette(dataset, stored)
    return stored


def _frame(data: bytes, where: str) -> bytes:
    """The one frame of encapsulated pixel data, its fragments joined (DICOM PS3.5 annex A.4)."""
    at, items = 0, []
    while data[at : at + 4] == ITEM:
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        if end > len(data):
            raise ImageError("a compressed frame that is cut short", where=where)
        items.append((at + 8, end))
        at = end
    if len(items) < 2:
        raise ImageError("compressed pixel data without a frame", where=where)
    # The first item is the table of the frames' offsets, empty or not.
    offsets = (items[0][1] - items[0][0]) // 4
    if offsets > 1:
        raise ImageError(f"a multi-frame object of {offsets} frames", wanted="one frame", where=where)
    return b"".join(data[start:end] for start, end in items[1:])


def _compressed(frame: bytes, layout: Layout, *, least: int, where: str) -> Stored:
    if layout.syntax == RLE:
        # A run spends two bytes on 128 at most.
        if layout.height * layout.width * layout.samples * layout.allocated // 8 > 64 * len(frame):
            raise ImageError("an RLE frame that is cut short", where=where)
        shape = (layout.height, layout.width, layout.samples)
        return _by_header(decode_rle(frame, shape, layout.allocated, where=where), layout)
    stream = read_codestream(frame, where)
    if (stream.height, stream.width, stream.components) != (layout.height, layout.width, layout.samples):
        raise ImageError(
            f"a frame of {stream.height} x {stream.width} x {stream.components}",
            wanted=f"{layout.height} x {layout.width} x {layout.samples} as the header says",
            where=where,
        )
    luminance = _luminance_first(stream, layout)
    pixels, steps = decode_frame(stream, least, where, luminance=luminance)
    bits, shift = layout.bits, layout.shift
    if stream.signed:
        bits, shift = 8 * pixels.dtype.itemsize, 0
    elif stream.precision < layout.high_bit + 1 or stream.kind == "jpeg 2000":
        bits, shift = stream.precision, 0
    stored = _coloured(pixels, layout, luminance=luminance, bits=(shift, bits))
    return replace(stored, signed=layout.signed or stream.signed, steps=(*steps, *stored.steps))


def _luminance_first(stream: Codestream, layout: Layout) -> bool:
    """Whether the first of three components is the luminance: the stream says, else the header."""
    if stream.components != 3:
        return False
    if stream.kind == "jpeg":
        if stream.adobe is not None:
            return stream.adobe == 1
        if stream.component_ids == b"RGB":
            return False
        if stream.jfif:
            return True
    return layout.photometric.startswith("YBR") and layout.photometric not in CODED_AS_RGB


def _native(data: bytes, layout: Layout, *, order: tuple[bool, bool], where: str) -> Stored:
    """Uncompressed pixels; `order` tells big endian, and bytes swapped in pairs."""
    pixels, size = layout.height * layout.width, layout.allocated // 8
    wanted = pixels * layout.samples * size
    halved = layout.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422") and len(data) < wanted
    if halved:
        wanted = pixels * 2 * size
    if len(data) < wanted:
        raise ImageError(
            f"pixel data (7FE0,0010) of {len(data)} bytes, cut short", wanted=f"{wanted}", where=where
        )
    if len(data) >= 2 * wanted:
        raise ImageError(
            f"pixel data (7FE0,0010) of {len(data)} bytes", wanted=f"{wanted} for one frame", where=where
        )
    big, swapped = order
    if swapped:
        even = np.frombuffer(data, np.uint8, len(data) // 2 * 2)
        data = even.reshape(-1, 2)[:, ::-1].tobytes() + data[len(even) :]
    array = np.frombuffer(data, f"{'>' if big else '<'}u{size}", wanted // size)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if halved:
        array = np.ascontiguousarray(array.reshape(-1, 4)[:, :2]).reshape(layout.height, layout.width)
    elif layout.samples == 1:
        array = array.reshape(layout.height, layout.width)
    elif layout.planar:
        array = array.reshape(layout.samples, layout.height, layout.width).transpose(1, 2, 0)
    else:
        array = array.reshape(layout.height, layout.width, layout.samples)
    return _by_header(array, layout)


def _by_header(pixels: NDArray[Any], layout: Layout) -> Stored:
    """Pixels whose bits and colours are as the header says, for there is no codestream to say otherwise."""
    luminance = layout.photometric.startswith("YBR")
    return _coloured(pixels, layout, luminance=luminance, bits=(layout.shift, layout.bits))


def _coloured(pixels: NDArray[Any], layout: Layout, *, luminance: bool, bits: tuple[int, int]) -> Stored:
    """Grey as it is; of luminance and two colours the luminance; RGB as uint8.

    `bits` are those below a value that aren't its own, and its own.
    """
    shift, depth = bits
    if layout.samples == 1:
        return Stored(np.ascontiguousarray(pixels), depth, shift, layout.signed, False)
    pixels = pixels[..., 0] if luminance and pixels.ndim == 3 else pixels
    pixels = (pixels >> max(0, shift + depth - 8)).astype(np.uint8)
    if layout.photometric.startswith("YBR_PARTIAL"):
        # Black is 16 and white 235 (ITU-R BT.601).
        span = np.clip((np.arange(256) - 16) * 255 / 219, 0, 255)
        pixels = np.rint(span).astype(np.uint8)[pixels]
    steps = ("grey from colour",) if luminance else ()
    return Stored(np.ascontiguousarray(pixels), 8, 0, False, True, steps)


def _palette(dataset: Dataset, stored: Stored) -> Stored:
    """Codes -> RGB by the palette's three tables (segmented ones too), brought to uint8."""
    from pydicom.pixels import apply_color_lut

    # Every code is coloured once.
    codes = stored.values()
    table = apply_color_lut(codes.astype(np.uint16), dataset)
    if table.dtype.itemsize == 2 and int(table.max()) > 255:
        table = table >> 8
    return Stored(table.astype(np.uint8)[stored.pixels][..., :3], 8, 0, False, True, stored.steps)
