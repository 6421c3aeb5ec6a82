"""PNG and JPEG bytes -> pixels as they are displayed.

Knows the two formats, their turns, palettes and transparency, and the mark that a drawn image
carries; doesn't know DICOM, and stretches nothing.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageFile, ImageOps

from xemplar.errors import ImageError
from xemplar.images.decoded import Decoded, check_size, decoder_border
from xemplar.images.marks import DOMAIN_KEY, domain_of
from xemplar.records import Domain, PixelHistory

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC = b"\xff\xd8\xff"
ORIENTATION = 0x0112


def decode_picture(data: bytes, size: int, where: str) -> Decoded:
    """A PNG's or JPEG's bytes -> Decoded; `size` is the preview's, which a big JPEG needn't exceed much.

    A file that is cut short or damaged is refused, never filled with grey; so is one with more than
    one frame.
    """
    is_png = data.startswith(PNG_MAGIC)
    kind = "PNG" if is_png else "JPEG"
    _refuse_damage(data, is_png, where)
    with (
        decoder_border(f"a {kind} that can't be decoded", where),
        Pillow.open(io.BytesIO(data), formats=(kind,)) as film,
    ):
        width, height = film.size
        check_size(height, width, where)
        if is_png and getattr(film, "n_frames", 1) > 1:
            raise ImageError("an animated PNG", wanted="one frame", where=where)
        mode, steps = film.mode, []
        if not is_png:
            _draft(film, size)
            steps += ["draft decoded"] * (film.size != (width, height))
            steps += ["grey from colour"] * (film.mode == "L" != mode)
        film.load()
        domain = _domain(film, where) if is_png else None
        turned = ImageOps.exif_transpose(film)
        if film.getexif().get(ORIENTATION, 1) in range(2, 9):
            steps.append("exif turn")
        pixels, flattened = _array(turned)
    steps += flattened
    history = PixelHistory(
        format=kind,
        height=height,
        width=width,
        bits_stored=data[24] if is_png else 8,
        photometric=_photometric(mode),
        steps=tuple(steps),
    )
    return Decoded(pixels, history, domain)


def _draft(film: Pillow.Image, size: int) -> None:
    """Let libjpeg decode at 1/2, 1/4 or 1/8, longer side still >= size, and only the luminance."""
    width, height = film.size
    longer = max(width, height)
    film.draft("L", (max(1, width * size // longer), max(1, height * size // longer)))


def _array(film: Pillow.Image) -> tuple[NDArray[Any], list[str]]:
    """(h, w) uint8 or uint16, or (h, w, 3) uint8; transparency laid on black."""
    if film.mode.startswith("I"):
        return np.asarray(film).astype(np.uint16), []
    if "A" in film.mode or "transparency" in film.info:
        film = film.convert("RGBA")
        black = Pillow.new("RGB", film.size)
        black.paste(film, mask=film.getchannel("A"))
        return np.asarray(black), ["flattened on black"]
    return np.asarray(film.convert("L" if film.mode in ("1", "L") else "RGB")), []


def _photometric(mode: str) -> str:
    if mode == "P":
        return "PALETTE COLOR"
    return "MONOCHROME2" if mode[:1] in ("1", "L", "I") else "RGB"


def _domain(film: Pillow.Image, where: str) -> Domain | None:
    """What the image says of itself in its text chunk."""
    mark = getattr(film, "text", {}).get(DOMAIN_KEY)
    return None if mark is None else domain_of(str(mark), where)


def _refuse_damage(data: bytes, is_png: bool, where: str) -> None:
    """What Pillow forgives (or can be told to by anyone in the process): ends that are missing."""
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise ImageError(
            "Pillow is set to fill in what is missing of an image",
            wanted="PIL.ImageFile.LOAD_TRUNCATED_IMAGES = False",
            where=where,
        )
    if is_png:
        if len(data) >= 24:
            width, height = struct.unpack_from(">II", data, 16)
            check_size(height, width, where)
        _walk_chunks(data, where)
    # Within compressed data 0xff is always followed by 0 or a restart mark, so that the last scan is
    # whole only if an end mark follows its start.
    elif data.rfind(b"\xff\xd9") <= data.rfind(b"\xff\xda"):
        raise ImageError("a JPEG that is cut short", wanted="its end mark", where=where)


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
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
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
