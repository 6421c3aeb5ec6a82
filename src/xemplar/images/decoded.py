"""What a decoder hands on, the limits every decoder keeps, and the border its exceptions stop at.

Knows sizes and errors; doesn't know any file format.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import ImageError
from xemplar.records import Domain, PixelHistory

MAX_BYTES = 1 << 28
"""Of a file, and of what a deflated one inflates to."""

MAX_PIXELS = 1 << 26
MAX_SIDE = 30_000
MIN_SIDE = 8


@dataclass(frozen=True, slots=True)
class Tags:
    """What a DICOM header says of a film, in the source's own words; all None elsewhere."""

    sop_instance_uid: str | None = None
    position: str | None = None
    laterality: str | None = None
    pixel_spacing: tuple[float, float] | None = None
    age_years: float | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """Pixels at (about) their stored size, bright where the film is bright.

    `pixels` is (h, w) or (h, w, 3): uint8 as displayed, uint16 still to be stretched, or float32 in
    [0, 1]. With a `table`, (256,) or (65536,) float32 in [0, 1], they are uint8 or uint16 places in it.
    `aspect` is a pixel's height over its width.
    """

    pixels: NDArray[Any]
    history: PixelHistory
    domain: Domain | None = None
    aspect: float = 1.0
    table: NDArray[np.float32] | None = None
    tags: Tags = field(default_factory=Tags)


def check_size(height: int, width: int, where: str) -> None:
    """Refuse a size that no radiograph has, before anything is allocated for it."""
    if min(height, width) < MIN_SIDE:
        raise ImageError(
            f"an image of {height} x {width} pixels", wanted=f"{MIN_SIDE} pixels a side or more", where=where
        )
    if max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
        raise ImageError(
            f"an image of {height} x {width} pixels",
            wanted=f"at most {MAX_SIDE} a side and {MAX_PIXELS} in all",
            where=where,
        )


@contextmanager
def decoder_border(doing: str, where: str) -> Iterator[None]:
    """Turn whatever a decoder throws at bad bytes into one ImageError, and let our own pass.

    Only the kind of the exception is told: its message may quote the file.
    """
    try:
        yield
    except ImageError:
        raise
    # Third-party decoders throw anything at all on bad bytes (KeyError, struct.error, SyntaxError,
    # RecursionError ...): this is the only place where that is met.
    except Exception as error:
        raise ImageError(f"{doing} ({type(error).__name__})", where=where) from error
