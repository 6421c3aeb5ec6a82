"""A region of a film to search by: how it is written, what is refused, and the vector of what lies in it.

Knows where a film lies in its preview, and asks an encoder that can look at a part; what an encoder makes of
one is known in its own room.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xemplar.contracts import Box, Encoder, RegionEncoder
from xemplar.errors import XemplarError
from xemplar.records import Film

SMALLEST = 0.1
"""Of a region's sides, as a share of the film's: an encoder's own places are mostly larger still."""

_WANTED = "left,top,width,height in shares of the film, such as 0.5,0.4,0.4,0.4"
_SLACK = 1e-6
_RESHAPED = frozenset({"made square", "exif turn"})
"""Steps after which a film's shape is another than its file's."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a film: left, top, width and height in shares of its own width and height, 0 top left.

    As it is displayed: the patient's right is on the left. One that reaches beyond the film, is empty or
    has a side below SMALLEST is refused.
    """

    left: float
    top: float
    width: float
    height: float

    def __post_init__(self) -> None:
        sides = (self.left, self.top, self.width, self.height)
        if not all(math.isfinite(value) for value in sides):
            raise XemplarError(f"a region of {self}", wanted=_WANTED)
        if max(sides) > 1 + _SLACK:
            remedy = "divide pixels by the film's width and height"
            raise XemplarError(f"a region of {self}, outside the film", wanted=_WANTED, remedy=remedy)
        if self.width <= 0 or self.height <= 0:
            raise XemplarError(f"an empty region, {self}", wanted="a width and a height above 0")
        ends = (self.left + self.width, self.top + self.height)
        if min(self.left, self.top) < 0 or max(ends) > 1 + _SLACK:
            wanted = "left + width and top + height of at most 1, nothing below 0"
            raise XemplarError(f"a region of {self}, outside the film", wanted=wanted)
        if min(self.width, self.height) < SMALLEST - _SLACK:
            raise XemplarError(
                f"a region of {self}, too small to be told from what lies around it",
                wanted=f"a width and a height of at least {SMALLEST:g}",
                remedy="take more of the film around it",
            )

    def __str__(self) -> str:
        return ",".join(f"{value:g}" for value in (self.left, self.top, self.width, self.height))


def read_region(text: str) -> Region:
    """A region as it is typed: four numbers with commas or spaces between."""
    parts = re.split(r"[,\s]+", text.strip(" ,()[]"))
    try:
        left, top, width, height = (float(part) for part in parts)
    except ValueError:
        found = f"{len(parts)} numbers" if _numbers(parts) else "what is no four numbers"
        raise XemplarError(f"a region of {found}", wanted=_WANTED) from None
    return Region(left, top, width, height)


def _numbers(parts: list[str]) -> bool:
    return all(re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", part) for part in parts)


def box_of(region: Region, film: Film) -> Box:
    """Where a region of the film lies in its preview, in which the film is centred."""
    wide, high = _extent(film)
    return (
        (1 - wide) / 2 + region.left * wide,
        (1 - high) / 2 + region.top * high,
        region.width * wide,
        region.height * high,
    )


def _extent(film: Film) -> tuple[float, float]:
    """How much of the preview's width and height the film fills."""
    width, height = float(film.pixels.width), float(film.pixels.height)
    if not _RESHAPED.isdisjoint(film.pixels.steps):  # the stored width and height don't tell it
        lit = [np.flatnonzero(film.image.any(axis=axis)) for axis in (0, 1)]
        if all(len(one) for one in lit):
            side = len(film.image)
            width, height = (side - 2.0 * min(one[0], side - 1 - one[-1]) for one in lit)
    longer = max(width, height)
    return width / longer, height / longer


def region_vector(encoder: Encoder, views: Film | Sequence[Film], region: Region) -> NDArray[np.float32]:
    """(dim,) of length 1: what the encoder sees of a region of one film; refused where it can't."""
    films = [views] if isinstance(views, Film) else views
    if len(films) != 1:
        raise XemplarError(f"a region of {len(films)} views", wanted="one film, of which it is a region")
    if not isinstance(encoder, RegionEncoder):
        raise XemplarError(
            "no region: this archive's model sees whole films alone",
            wanted="a dual encoder of ours that pools over places",
            remedy="cut the region out as a picture and search with that, or search with the whole film",
        )
    vector: NDArray[np.float32] = encoder.encode_regions([films[0].image], [box_of(region, films[0])])[0]
    return vector
