"""A map laid over its film, as a PNG: the film in grey, the map in one colour, what it is written below.

Knows pixels, letters and one colour; knows nothing of where a map comes from.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from xemplar.errors import ImageError
from xemplar.records import Image

COLOUR = (255, 140, 0)
"""Orange, whatever the value: more of it is more of the map, and no step between hues looks like an edge."""

MOST = 0.6
"""Share of the colour where a map is 1; where it is 0 the film alone is seen."""

WIDTH = 512
_LETTER, _MARGIN, _SCALE = 13, 10, 12
_PAPER, _INK = 255, (28, 33, 38)

Rgb = NDArray[np.uint8]


def overlay_png(image: Image, heat: NDArray[np.float32], words: Sequence[str]) -> bytes:
    """A preview and its map (both (h, w), in 0..1) -> PNG at least WIDTH wide, the same bytes every time.

    Below the film stand a scale and `words`, a paragraph each. Raises ImageError where the map has other
    pixels than the preview, or values beyond 0..1.
    """
    if heat.shape != image.shape or heat.ndim != 2:
        raise ImageError(f"a map of shape {heat.shape}", wanted=f"{image.shape}, the preview's")
    if not (np.isfinite(heat).all() and heat.min() >= 0 and heat.max() <= 1):
        raise ImageError("a map with values beyond 0..1", wanted="shares of its largest")
    larger = max(1, -(-WIDTH // image.shape[1]))
    film = _coloured(*(np.kron(part, np.ones((larger, larger), np.float32)) for part in (image, heat)))
    below = _below(film.shape[1], words)
    made = io.BytesIO()
    Pillow.fromarray(np.concatenate([film, below])).save(made, "PNG")
    return made.getvalue()


def _coloured(image: NDArray[np.floating], heat: NDArray[np.floating]) -> Rgb:
    share = MOST * heat[..., None]
    mixed = (1 - share) * (255 * np.clip(image, 0, 1))[..., None] + share * np.array(COLOUR)
    return np.asarray(np.rint(mixed), np.uint8)


def _below(width: int, words: Sequence[str]) -> Rgb:
    font = _font()
    rows = [row for paragraph in words for row in _wrapped(paragraph, font, width - 2 * _MARGIN)]
    step = _LETTER + 5
    paper = Pillow.new("RGB", (width, 3 * _MARGIN + _SCALE + step * (len(rows) + 1)), (_PAPER,) * 3)
    ramp = np.tile(np.linspace(0, 1, width // 3, dtype=np.float32), (_SCALE, 1))
    paper.paste(Pillow.fromarray(_coloured(np.full_like(ramp, 0.5), ramp)), (_MARGIN, _MARGIN))
    drawing = ImageDraw.Draw(paper)
    said = "0 to 1, the largest value of this line's maps"
    drawing.text((2 * _MARGIN + width // 3, _MARGIN - 2), said, font=font, fill=_INK)
    for place, row in enumerate(rows, 1):
        drawing.text((_MARGIN, 2 * _MARGIN + _SCALE + step * (place - 1)), row, font=font, fill=_INK)
    return np.asarray(paper)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> Iterator[str]:
    """Rows no wider than `width`; a word that is wider stands alone."""
    row = ""
    for word in text.split():
        longer = f"{row} {word}".strip()
        if row and font.getlength(longer) > width:
            yield row
            row = word
        else:
            row = longer
    yield row


def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib: Latin, Greek and Cyrillic letters, on every machine alike."""
    import matplotlib  # not at the top: whoever reads a film needs no letters

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(path, _LETTER, layout_engine=ImageFont.Layout.BASIC)
