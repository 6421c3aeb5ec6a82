"""PNG, JPEG, TIFF and WebP bytes -> pixels as they are displayed.

Knows the four formats' turns, palettes, transparency and depths, and the mark that a drawn image
carries; doesn't know DICOM, and stretches nothing. A file that is cut short or damaged is refused as far
as its format lets damage be seen, never filled with grey.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from xemplar.errors import ImageError
from xemplar.images.codestream import read_codestream
from xemplar.images.decoded import MAX_PIXELS, MAX_SIDE, Decoded, check_size, decoder_border
from xemplar.images.jpeg import load_jpeg, open_jpeg
from xemplar.images.marks import DOMAIN_KEY, domain_of
from xemplar.images.png import PNG_MAGIC, walk_png
from xemplar.images.webp import is_webp, walk_webp
from xemplar.records import Domain, PixelHistory

JPEG_MAGIC = b"\xff\xd8\xff"
TIFF_MAGICS = (b"II*\0", b"MM\0*")
ORIENTATION, PHOTOMETRIC, BITS, TILE_WIDTH, TILE_HEIGHT = 0x0112, 262, 258, 322, 323
TURNS: dict[int, tuple[int, bool]] = {
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (3, True),
    6: (3, False),
    7: (1, True),
    8: (1, False),
}
"""EXIF orientation -> quarter turns to the left, then mirrored left to right."""


def picture_kind(data: bytes) -> str | None:
    """PNG, JPEG, TIFF or WEBP by the first bytes; None for anything else."""
    if data.startswith(PNG_MAGIC):
        return "PNG"
    if data.startswith(JPEG_MAGIC):
        return "JPEG"
    if data.startswith(TIFF_MAGICS):
        return "TIFF"
    return "WEBP" if is_webp(data) else None


def decode_picture(data: bytes, kind: str, *, size: int, where: str) -> Decoded:
    """The bytes of a file of that kind -> Decoded; `size` is the preview's, which a JPEG needn't exceed much.

    Raises ImageError for damage, more than one frame or page, and sizes that no radiograph has.
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise ImageError(
            "Pillow is set to fill in what is missing of an image",
            wanted="PIL.ImageFile.LOAD_TRUNCATED_IMAGES = False",
            where=where,
        )
    with decoder_border(f"a {kind} that can't be decoded", where):
        try:
            if kind == "JPEG":
                return _jpeg(data, size, where)
            return {"PNG": _png, "TIFF": _tiff, "WEBP": _webp}[kind](data, where)
        except Pillow.DecompressionBombError as error:
            raise ImageError(
                "an image of far too many pixels", wanted=f"at most {MAX_PIXELS}", where=where
            ) from error


def _jpeg(data: bytes, size: int, where: str) -> Decoded:
    """At 1/2, 1/4 or 1/8 where the longer side stays >= size, and only the luminance."""
    read_codestream(data, where)
    with open_jpeg(data, where) as film:
        (width, height), mode, longer = film.size, film.mode, max(film.size)
        film.draft("L", (max(1, width * size // longer), max(1, height * size // longer)))
        steps = ["draft decoded"] * (film.size != (width, height))
        steps += ["grey from colour"] * (film.mode == "L" != mode)
        load_jpeg(film, where)
        pixels, more = _flat(film, where)
        pixels, turned = _turned(pixels, film.getexif().get(ORIENTATION, 1))
    history = PixelHistory("JPEG", height, width, 8, _photometric(mode), steps=(*steps, *more, *turned))
    return Decoded(pixels, history)


def _png(data: bytes, where: str) -> Decoded:
    header = walk_png(data, where)
    with Pillow.open(io.BytesIO(data), formats=("PNG",)) as film:
        if getattr(film, "n_frames", 1) > 1:
            raise ImageError("an animated PNG", wanted="one frame", where=where)
        deep = _deep(data, where) if header.deep_colour else None
        film.load()
        domain = _domain(film, where)
        decoded = _decoded(film, "PNG", where=where, bits=header.depth, deep=deep)
        return replace(decoded, domain=domain)


def _tiff(data: bytes, where: str) -> Decoded:
    with Pillow.open(io.BytesIO(data), formats=("TIFF",)) as film:
        assert isinstance(film, TiffImageFile)
        check_size(film.height, film.width, where)
        tags = film.tag_v2
        if tags.next:
            raise ImageError("a TIFF of several pages", wanted="one page", where=where)
        sides = [int(tags.get(tag, 1)) for tag in (TILE_WIDTH, TILE_HEIGHT)]
        if max(sides) > MAX_SIDE or sides[0] * sides[1] > MAX_PIXELS:
            raise ImageError("a TIFF of absurdly large tiles", where=where)
        depths = tags.get(BITS, (1,))
        bits = int(depths[0] if isinstance(depths, tuple) else depths)
        deep = None
        if bits == 16 and film.mode not in ("I;16", "I;16B", "I;16L", "I", "F"):
            deep = _deep(data, where)
        film.load()
        # White is 0: turned for 8 bits by Pillow, not for more.
        inverted = bits > 8 and int(tags.get(PHOTOMETRIC, 1)) == 0
        return _decoded(film, "TIFF", where=where, bits=bits, deep=deep, inverted=inverted)


def _webp(data: bytes, where: str) -> Decoded:
    walk_webp(data, where)
    with Pillow.open(io.BytesIO(data), formats=("WEBP",)) as film:
        check_size(film.height, film.width, where)
        film.load()
        return _decoded(film, "WEBP", where=where)


def _decoded(
    film: Pillow.Image,
    kind: str,
    *,
    where: str,
    bits: int = 8,
    deep: NDArray[np.uint16] | None = None,
    inverted: bool = False,
) -> Decoded:
    height, width = film.height, film.width
    pixels, more = (deep, []) if deep is not None else _flat(film, where)
    if inverted:
        pixels = np.iinfo(pixels.dtype).max - pixels
    # Pillow turns a TIFF by itself.
    orientation = 1 if kind == "TIFF" and deep is None else film.getexif().get(ORIENTATION, 1)
    pixels, turned = _turned(pixels, orientation)
    steps = (*["inverted"] * inverted, *more, *turned)
    return Decoded(pixels, PixelHistory(kind, height, width, bits, _photometric(film.mode), steps=steps))


def _deep(data: bytes, where: str) -> NDArray[np.uint16]:
    """16-bit colour, (h, w, 3) RGB, by OpenCV, for Pillow cuts it to 8; transparency laid on black."""
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16 or found.ndim != 3 or found.shape[2] not in (3, 4):
        raise ImageError("16-bit colour that can't be decoded", where=where)
    if found.shape[2] == 4:
        found = (found[..., :3].astype(np.float32) * (found[..., 3:] / np.float32(65_535))).astype(np.uint16)
    return np.ascontiguousarray(found[..., ::-1])


def _flat(film: Pillow.Image, where: str) -> tuple[NDArray[Any], list[str]]:
    """(h, w) uint8 or uint16, or (h, w, 3) uint8; transparency laid on black."""
    if film.mode == "F":
        raise ImageError("floating-point pixels", wanted="whole numbers", where=where)
    if film.mode.startswith("I"):
        values = np.asarray(film)
        low, high = int(values.min()), int(values.max())
        if high - min(low, 0) > 65_535:
            raise ImageError(f"pixels between {low} and {high}", wanted="16 bits", where=where)
        return (values.astype(np.int32) - min(low, 0)).astype(np.uint16), []
    if "A" in film.mode or "transparency" in film.info:
        film = film.convert("RGBA")
        black = Pillow.new("RGB", film.size)
        black.paste(film, mask=film.getchannel("A"))
        return np.asarray(black), ["flattened on black"]
    return np.asarray(film.convert("L" if film.mode in ("1", "L") else "RGB")), []


def _turned(pixels: NDArray[Any], orientation: object) -> tuple[NDArray[Any], tuple[str, ...]]:
    if not isinstance(orientation, int) or orientation not in TURNS:
        return pixels, ()
    quarters, mirrored = TURNS[orientation]
    pixels = np.rot90(pixels, quarters)
    return np.ascontiguousarray(pixels[:, ::-1] if mirrored else pixels), ("exif turn",)


def _photometric(mode: str) -> str:
    if mode == "P":
        return "PALETTE COLOR"
    return "MONOCHROME2" if mode[:1] in ("1", "L", "I") else "RGB"


def _domain(film: Pillow.Image, where: str) -> Domain | None:
    """What the image says of itself in its text chunk."""
    mark = getattr(film, "text", {}).get(DOMAIN_KEY)
    return None if mark is None else domain_of(str(mark), where)
