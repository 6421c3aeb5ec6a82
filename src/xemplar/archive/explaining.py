"""What of a study's films a line of its draft rests on, as an array and as a picture.

Knows which part of a model chose a line; how a map comes about is known in the model's room, how it looks
in `images`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import XemplarError
from xemplar.images.overlay import overlay_png
from xemplar.records import UNVERIFIED, Draft, Film, Line

if TYPE_CHECKING:
    from xemplar.archive.facade import Archive

MATCHER = "matcher"
"""The score by which a line is known to have been chosen by a matcher."""


def heatmaps_of(archive: Archive, films: Sequence[Film], line: Line) -> list[NDArray[np.float32]]:
    """For each film a map (h, w) of its preview's pixels, in 0..1, the largest value of them all 1.

    Of the line's own words: by the matcher's attention where a matcher's score chose the line, else what
    the cosine loses when a part of the film is hidden. It says what moved the model, not where a finding
    is: on drawn films two thirds of it lay on the finding's side, where half would by chance, and of a
    matcher's hardly more than half (docs/heatmap.md).
    Raises XemplarError for a model of which no map is known.
    """
    from xemplar.models.heatmap import Way, explainer_of  # torch is loaded only once a map is wanted

    matcher = archive.stages.matcher if MATCHER in line.scores else None
    way: Way = "hiding" if matcher is None else "gradient"
    return explainer_of(archive.encoder, matcher, way=way).explain([film.image for film in films], line.text)


def write_heatmaps(archive: Archive, films: Sequence[Film], draft: Draft, *, folder: Path) -> list[Path]:
    """A PNG for every line and film, `line-01-view-1.png` and so on; those of an earlier draft go."""
    said = f"{UNVERIFIED} What moved the model, not where a finding is. Domain: {draft.domain}."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("line-[0-9][0-9]-view-[0-9]*.png"):
            old.unlink()
        written = []
        for number, line in enumerate(draft.lines, 1):
            for view, heat in enumerate(heatmaps_of(archive, films, line), 1):
                path = folder / f"line-{number:02}-view-{view}.png"
                path.write_bytes(overlay_png(films[view - 1].image, heat, [line.text, said]))
                written.append(path)
    except OSError as error:
        raise XemplarError(f"can't be written: {error.strerror}", where=str(folder)) from error
    return written
