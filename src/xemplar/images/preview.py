"""The preview, the two functions that everything is encoded through, and what they were set to.

Knows which decoder a file's first bytes call for; doesn't know how any of them works.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from xemplar.contracts import Drawable, Written
from xemplar.errors import ImageError
from xemplar.images.decoded import MAX_BYTES, Decoded, decoder_border
from xemplar.images.dicom_file import is_dicom
from xemplar.images.grey import fitted, resized, to_grey
from xemplar.images.picture import JPEG_MAGIC, decode_picture, picture_kind
from xemplar.images.png import PNG_MAGIC
from xemplar.records import Domain, Film, Image, PixelHistory

DECODER = 2
"""Raised whenever the same bytes would give other pixels than before."""

WRITTEN = "written image"
"""What an image whose file is written on demand is called in errors."""

WANTED = "a PNG, JPEG, TIFF, WebP or DICOM image"
LOOKS_LIKE = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"II+\0", "a BigTIFF"),
    (b"MM\0+", "a BigTIFF"),
    (b"\0\0\0\x0cjP", "a JPEG 2000 file"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 stream"),
    (b"\x89HDF", "an HDF5 file"),
)


class PreviewSpec(BaseModel):
    """How previews are made: pixels a side, and the version of the procedure."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(default=384, ge=64, le=2048)
    version: int = Field(default=1, ge=1, le=1)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with any setting and with the decoder."""
        settings = json.dumps({**self.model_dump(), "decoder": DECODER}, sort_keys=True)
        return hashlib.sha256(settings.encode()).hexdigest()[:16]


def size_of(fingerprint: str | None) -> int | None:
    """The pixels a side of the previews that have this fingerprint; None where this program makes no such."""
    return next((n for n in range(64, 2049) if PreviewSpec(size=n).fingerprint == fingerprint), None)


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """One canonical image and what is known of it.

    `pixels` is (size, size) uint8, bone bright, black where the film doesn't reach, not writeable.
    `sop_instance_uid` and what follows it up to `pixel_spacing` are the header's, None for anything but
    DICOM. `sha256` is of the original's bytes, None for an array.
    """

    pixels: NDArray[np.uint8]
    history: PixelHistory
    sop_instance_uid: str | None = None
    position: str | None = None
    laterality: str | None = None
    pixel_spacing: tuple[float, float] | None = None
    domain: Domain | None = None
    sha256: str | None = None
    age_years: float | None = None

    @property
    def image(self) -> Image:
        """(size, size) float32 in [0, 1]."""
        return image_of(self.pixels)


def image_of(pixels: NDArray[np.uint8]) -> Image:
    """A preview's uint8 pixels, fresh or from a corpus -> float32 in [0, 1]."""
    return pixels.astype(np.float32) / np.float32(255)


def read_preview(source: Path | Drawable | Written, spec: PreviewSpec) -> Preview:
    """A file (known by its content, not its name), one written on demand, or a drawn image -> its preview.

    A Drawable is "synthetic". Raises ImageError, in one line that holds the file's name and nothing
    else of it, for whatever isn't one readable image.
    """
    if isinstance(source, Path):
        return _preview_of(read_file(source), spec, source.name)
    if isinstance(source, Written):
        return _preview_of(source.data(), spec, WRITTEN)
    return _preview_of_drawn(source, spec)


def preview_from_array(
    array: NDArray[Any], spec: PreviewSpec, *, domain: Domain | None = None, where: str = "array"
) -> Preview:
    """Pixels -> preview, by the same later half that files go through.

    array: (h, w) grey, bone bright, or (h, w, 3) RGB. uint8 is taken as displayed, uint16 is
    stretched between its 0.5th and 99.5th percentile, floats are as displayed in [0, 1]. A constant
    image gives an all-black preview with the step "blank". Raises ImageError for other arrays.
    """
    if array.ndim < 2 or 0 in array.shape:
        raise ImageError(f"an array of shape {array.shape}", wanted="(height, width)", where=where)
    bits = 16 if array.dtype == np.uint16 else 8
    photometric = "RGB" if array.ndim == 3 else "MONOCHROME2"
    history = PixelHistory("array", array.shape[0], array.shape[1], bits, photometric)
    return _finish(Decoded(array, history, domain), spec, sha256=None, where=where)


def load_film(path: Path | str, spec: PreviewSpec | None = None) -> Film:
    """A file as a query: the image is bit for bit what a corpus of this spec would store of it."""
    return film_of(read_file(Path(path)), spec or PreviewSpec(), where=Path(path).name)


def read_file(path: Path) -> bytes:
    """An image file's bytes; what can't be read or is too large to be one is refused."""
    try:
        if not path.is_file():
            raise ImageError("no such file", wanted="an image file", where=path.name)
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ImageError(f"a file of {size} bytes", wanted=f"at most {MAX_BYTES}", where=path.name)
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"can't be read: {error.strerror}", where=path.name) from error


def film_of(data: bytes, spec: PreviewSpec, *, where: str) -> Film:
    """A file's bytes as a query, as `load_film` has it; `where` is what errors call the file."""
    preview = _preview_of(data, spec, where)
    return Film(
        image=preview.image,
        pixels=preview.history,
        domain=preview.domain,
        position=preview.position,
        sha256=preview.sha256,
        preview=spec.fingerprint,
        age_years=preview.age_years,
    )


def model_input(image: Image, size: int) -> Image:
    """A preview -> (size, size) float32 in [0, 1]: area-averaged down, linear up, always a copy.

    Raises ImageError for an array that isn't a square float32 preview.
    """
    if image.ndim != 2 or image.shape[0] != image.shape[1] or image.dtype != np.float32:
        raise ImageError(f"{image.dtype} pixels of shape {image.shape}", wanted="a square float32 preview")
    if size < 1:
        raise ImageError(f"a model input of {size} pixels a side", wanted="at least 1")
    clipped: Image = np.clip(resized(image, size, size), np.float32(0), np.float32(1))
    return clipped


def _preview_of(data: bytes, spec: PreviewSpec, where: str) -> Preview:
    if not data:
        raise ImageError("an empty file (0 bytes)", wanted=WANTED, where=where)
    decoded = _decode(data, spec.size, where)
    return _finish(decoded, spec, sha256=hashlib.sha256(data).hexdigest(), where=where)


def _finish(decoded: Decoded, spec: PreviewSpec, *, sha256: str | None, where: str) -> Preview:
    steps: tuple[str, ...] = ()
    grey, table = decoded.pixels, decoded.table
    if table is None:
        grey, table, steps = to_grey(grey, where)
    pixels = fitted(grey, spec.size, aspect=decoded.aspect, table=table)
    pixels.flags.writeable = False
    history = replace(decoded.history, steps=decoded.history.steps + steps)
    tags = {name: getattr(decoded.tags, name) for name in decoded.tags.__slots__}
    return Preview(pixels, history, **tags, domain=decoded.domain, sha256=sha256)


def _preview_of_drawn(source: Drawable, spec: PreviewSpec) -> Preview:
    preview = preview_from_array(source.draw(), spec, domain="synthetic", where="drawn image")
    return replace(preview, history=replace(preview.history, format="drawn"))


def _decode(data: bytes, size: int, where: str) -> Decoded:
    kind = picture_kind(data)
    # A DICOM file's first 128 bytes are free, and slides start with a TIFF's header.
    if kind and not (kind == "TIFF" and data[128:132] == b"DICM"):
        return decode_picture(data, kind, size=size, where=where)
    if is_dicom(data):
        # Imported only for what is DICOM.
        from xemplar.images.dicom import decode_dicom

        with decoder_border("DICOM that can't be read", where):
            return decode_dicom(data, size, where)
    raise ImageError(f"looks like {_looks_like(data)}", wanted=WANTED, where=where)


def _looks_like(data: bytes) -> str:
    """What the first bytes say, in words of ours: no byte is quoted, since it may be a name's."""
    for magic, name in LOOKS_LIKE:
        if data.startswith(magic):
            return name
    if data[4:8] == b"ftyp":
        return "a HEIF, AVIF or MP4 file"
    start = data[:512]
    if not any(start):
        return "nothing but zero bytes"
    if PNG_MAGIC.startswith(data[:8]) or JPEG_MAGIC.startswith(data[:3]):
        return "an image cut off in its first bytes"
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in start):
        return "text"
    return "unknown binary data"
