"""What a compressed frame says of itself before anything is decoded: size, depth, components.

Knows the headers of JPEG (baseline to lossless), JPEG-LS and JPEG 2000; decodes nothing. After
ITU-T T.81 (JPEG), T.87 (JPEG-LS) and T.800 (JPEG 2000).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from xemplar.errors import ImageError
from xemplar.images.decoded import check_size

Kind = Literal["jpeg", "jpeg 12 bit", "jpeg lossless", "jpeg-ls", "jpeg 2000"]

J2K_MAGIC = b"\xff\x4f\xff\x51"
JP2_MAGIC = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
MAX_TILES = 65_535
DCT_FRAMES = (0xC0, 0xC1, 0xC2)
STANDALONE = (0x01, *range(0xD0, 0xD9))


@dataclass(frozen=True, slots=True)
class Codestream:
    """The header of a frame; `data` starts at the codestream itself."""

    kind: Kind
    data: bytes
    height: int
    width: int
    components: int
    precision: int
    signed: bool = False
    levels: int = 0
    """Of a JPEG 2000 wavelet: how often the size can be halved."""
    plain: bool = False
    """A JPEG 2000 grid that starts at 0 and isn't subsampled."""
    adobe: int | None = None
    """The colour transform that a JPEG's Adobe marker names: 0 none, 1 YCbCr."""
    jfif: bool = False
    component_ids: bytes = b""


def read_codestream(frame: bytes, where: str) -> Codestream:
    """A frame's bytes -> its header.

    Raises ImageError where they aren't a codestream, are cut short, hold a size no radiograph has, or
    too few bytes for the size they claim.
    """
    if frame.startswith(JP2_MAGIC):
        frame = frame[max(0, frame.find(J2K_MAGIC)) :]
    try:
        if frame.startswith(J2K_MAGIC):
            return _jpeg2000(frame, where)
        if frame.startswith(b"\xff\xd8"):
            return _jpeg(frame, where)
    except (struct.error, IndexError) as error:
        raise ImageError("a compressed frame that is cut short", where=where) from error
    raise ImageError("a compressed frame that is neither JPEG, JPEG-LS nor JPEG 2000", where=where)


def marker_at(data: bytes, at: int, where: str, *, of: str) -> tuple[int, int]:
    """A JPEG's marker at a place, and where it starts, less what fills up before it (T.81, B.1.1.2).

    Raises ImageError where `of` ("a header") has none there, IndexError where the data end before it does.
    """
    lead, marker = data[at], data[at + 1]
    if lead != 0xFF:
        raise ImageError(f"a damaged JPEG: {of} without its marker", where=where)
    while marker == 0xFF:
        at += 1
        marker = data[at + 1]
    return marker, at


def _jpeg(frame: bytes, where: str) -> Codestream:
    at, adobe, jfif = 2, None, False
    while True:
        marker, at = marker_at(frame, at, where, of="a header")
        if marker in STANDALONE:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", frame, at + 2)
        body = frame[at + 4 : at + 2 + length]
        if marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
            adobe = body[11]
        elif marker == 0xE0 and body.startswith(b"JFIF"):
            jfif = True
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            break
        elif marker in (0xD9, 0xDA) or length < 2:
            raise ImageError("a damaged JPEG: no frame header", where=where)
        at += 2 + length
    precision, height, width, components = struct.unpack_from(">BHHB", frame, at + 4)
    check_size(height, width, where)
    kind = _jpeg_kind(marker, precision, where)
    stream = Codestream(
        kind,
        frame,
        height,
        width,
        components,
        precision,
        adobe=adobe,
        jfif=jfif,
        component_ids=bytes(body[6 : 6 + 3 * components : 3]),
    )
    _refuse_short_jpeg(stream, where)
    return stream


def _jpeg_kind(marker: int, precision: int, where: str) -> Kind:
    if marker == 0xF7 and 2 <= precision <= 16:
        return "jpeg-ls"
    if marker == 0xC3 and 2 <= precision <= 16:
        return "jpeg lossless"
    if marker in DCT_FRAMES and precision == 8:
        return "jpeg"
    if marker in DCT_FRAMES and precision == 12:
        return "jpeg 12 bit"
    raise ImageError(
        f"a JPEG of process {marker - 0xC0} with {precision} bits: no decoder for it here",
        remedy="decompress it first",
        where=where,
    )


def _refuse_short_jpeg(stream: Codestream, where: str) -> None:
    """Fewer bytes than the size can possibly take, or no end mark after the last scan."""
    data, pixels = stream.data, stream.height * stream.width
    # An end mark can't occur within compressed data; only padding follows it, as a rule.
    if b"\xff\xd9" not in data[-64:] and data.rfind(b"\xff\xd9") <= data.rfind(b"\xff\xda"):
        raise ImageError("a JPEG that is cut short", wanted="its end mark", where=where)
    # One bit at least for a pixel (lossless), two for a block of 64 (DCT); runs (JPEG-LS) have no least.
    least = {"jpeg lossless": pixels // 8, "jpeg": pixels // 256, "jpeg 12 bit": pixels // 256}
    if len(data) < least.get(stream.kind, 0):
        raise ImageError(
            f"a JPEG of {len(data)} bytes that claims {stream.height} x {stream.width} pixels", where=where
        )


def _jpeg2000(frame: bytes, where: str) -> Codestream:
    grid = struct.unpack_from(">8I", frame, 8)
    (components,) = struct.unpack_from(">H", frame, 40)
    x1, y1, x0, y0, tile_width, tile_height = grid[:6]
    width, height = x1 - x0, y1 - y0
    check_size(height, width, where)
    if not (tile_width and tile_height and 1 <= components <= 4):
        raise ImageError("a damaged JPEG 2000 header", where=where)
    if -(-x1 // tile_width) * -(-y1 // tile_height) > MAX_TILES:
        raise ImageError("a JPEG 2000 frame of too many tiles", wanted=f"at most {MAX_TILES}", where=where)
    # Of each component: depth, and the steps of its own grid.
    depths = frame[42 : 42 + 3 * components]
    if any(depths[3 * i] != depths[0] for i in range(components)):
        raise ImageError("a JPEG 2000 frame whose components differ in depth", where=where)
    signed, precision = bool(depths[0] & 0x80), (depths[0] & 0x7F) + 1
    if precision > 16:
        raise ImageError(f"a JPEG 2000 frame of {precision} bits", wanted="up to 16", where=where)
    plain = (x0, y0, *grid[6:8]) == (0, 0, 0, 0) and all(
        depths[3 * i + 1] == depths[3 * i + 2] == 1 for i in range(components)
    )
    levels = _walk(frame, where)
    return Codestream(
        "jpeg 2000", frame, height, width, components, precision, signed=signed, levels=levels, plain=plain
    )


def _walk(frame: bytes, where: str) -> int:
    """Every tile-part is there to its end -> decomposition levels, the least that any header names."""
    at, levels = 2, 33
    while (marker := struct.unpack_from(">H", frame, at)[0]) != 0xFF90:
        (length,) = struct.unpack_from(">H", frame, at + 2)
        if marker < 0xFF00 or length < 2:
            raise ImageError("a damaged JPEG 2000 header", where=where)
        if marker == 0xFF52:
            levels = min(levels, frame[at + 9])
        elif marker == 0xFF53:
            # Coding of one component, which may differ: no reduction is worth the doubt.
            levels = 0
        at += 2 + length
    _walk_tiles(frame, at, where)
    return 0 if levels == 33 else levels


def _walk_tiles(frame: bytes, at: int, where: str) -> None:
    while (marker := struct.unpack_from(">H", frame, at)[0]) != 0xFFD9:
        (length,) = struct.unpack_from(">I", frame, at + 6)
        if marker != 0xFF90 or 0 < length < 14:
            raise ImageError("a damaged JPEG 2000 frame: a tile without its header", where=where)
        if length == 0:
            # The last tile-part may leave its length open, up to the end mark.
            length = frame.rfind(b"\xff\xd9") - at
        at += length
        if length <= 0 or at >= len(frame):
            raise ImageError("a JPEG 2000 frame that is cut short", where=where)
