"""A PNG's chunks walked before it is decoded: nothing cut, broken, or claimed and not there.

Knows the container (PNG specification, 3rd edition, 5 and 11); decodes no pixels.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from xemplar.errors import ImageError
from xemplar.images.decoded import check_size, decoder_border

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
COLOURS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Colour type -> samples a pixel."""


@dataclass(frozen=True, slots=True)
class PngHeader:
    """What IHDR says."""

    height: int
    width: int
    depth: int
    colour: int

    @property
    def deep_colour(self) -> bool:
        """16 bits of anything but plain grey, which Pillow would cut to 8."""
        return self.depth == 16 and self.colour != 0


def walk_png(data: bytes, where: str) -> PngHeader:
    """A PNG's bytes -> its header; ImageError for whatever isn't a whole one of a credible size."""
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise ImageError("a PNG that is cut short", wanted="its header", where=where)
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    check_size(height, width, where)
    _walk_chunks(data, where)
    return PngHeader(height, width, depth, colour)


def _walk_chunks(data: bytes, where: str) -> None:
    """Every chunk up to IEND is there and keeps its checksum, and the pixels are all there."""
    at, inflater, missing = len(PNG_MAGIC), zlib.decompressobj(), 0
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        body = memoryview(data)[at + 8 : end - 4]
        if zlib.crc32(body, zlib.crc32(name)) != int.from_bytes(data[end - 4 : end], "big"):
            raise ImageError("a damaged PNG: a chunk breaks its checksum", where=where)
        if name == b"IHDR":
            missing = _png_bytes(body)
        elif name == b"IDAT":
            with decoder_border("a PNG that can't be inflated", where):
                missing -= _inflated(inflater, body, missing)
        elif name == b"IEND":
            if missing > 0:
                raise ImageError("a PNG short of pixels", where=where)
            return
        at = end
    raise ImageError("a PNG that is cut short", wanted="its IEND chunk", where=where)


def _png_bytes(header: memoryview) -> int:
    """How many bytes the pixels inflate to; at least so many where they are interlaced."""
    width, height, depth, colour = struct.unpack_from(">IIBB", header)
    bits = depth * COLOURS.get(colour, 1)
    if header[12]:
        return int(width * height * bits // 8)
    return int(height * (1 + (width * bits + 7) // 8))


def _inflated(inflater: zlib._Decompress, body: memoryview, most: int) -> int:
    """How many bytes come out of a chunk, kept nowhere, counted no further than `most`."""
    count, rest = 0, bytes(body)
    while rest and count < most and not inflater.eof:
        count += len(inflater.decompress(rest, 1 << 20))
        rest = inflater.unconsumed_tail
    return count
