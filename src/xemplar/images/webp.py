"""A WebP's container walked before it is decoded.

Knows the chunks' headers (RFC 9649); decodes no pixels.
"""

from __future__ import annotations

import struct

from xemplar.errors import ImageError
from xemplar.images.decoded import check_size

ANIMATED = 0x02


def is_webp(data: bytes) -> bool:
    """Whether bytes start as a WebP does."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def walk_webp(data: bytes, where: str) -> None:
    """ImageError for a WebP that is cut short, animated, or of a size no radiograph has."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise ImageError("a WebP that is cut short", wanted=f"{end} bytes", where=where)
    at, sizes = 12, []
    while at + 8 <= end:
        name, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + min(length, 16)]
        if at + 8 + length > end:
            raise ImageError("a damaged WebP: a chunk beyond its end", where=where)
        if name == b"ANIM" or name == b"ANMF" or (name == b"VP8X" and body and body[0] & ANIMATED):
            raise ImageError("an animated WebP", wanted="one frame", where=where)
        if name in (b"VP8X", b"VP8 ", b"VP8L"):
            sizes.append(_size(name, body, where))
        at += 8 + length + length % 2
    if not sizes:
        raise ImageError("a WebP without a picture", where=where)
    for height, width in sizes:
        check_size(height, width, where)
    if len(set(sizes)) > 1:
        raise ImageError("a damaged WebP: its picture is not of its own size", where=where)


def _size(name: bytes, body: bytes, where: str) -> tuple[int, int]:
    """(height, width) that a chunk's header states."""
    if len(body) < 10 and not (name == b"VP8L" and len(body) >= 5):
        raise ImageError("a WebP that is cut short", where=where)
    if name == b"VP8X":
        width, height = (1 + int.from_bytes(body[i : i + 3], "little") for i in (4, 7))
    elif name == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    else:
        width, height = (int.from_bytes(body[i : i + 2], "little") & 0x3FFF for i in (6, 8))
    return height, width
