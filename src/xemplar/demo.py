"""Films for the demonstration: three drawn studies that no archive holds."""

from __future__ import annotations

from pathlib import Path

from xemplar.contracts import Arrival
from xemplar.sources import phantom

SEED = 20_001
"""Of an archive that the demonstration never ingests."""


def draw_unseen(folder: Path, count: int = 3) -> list[list[Path]]:
    """Draw the views of `count` studies with findings into `folder`, one list of files a study."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [arrival for arrival in phantom.studies(40, seed=SEED) if _interesting(arrival)][:count]
    return [
        [_save(arrival, view, folder / f"study-{number}-{view}.png") for view in range(len(arrival.images))]
        for number, arrival in enumerate(chosen, start=1)
    ]


def _interesting(arrival: Arrival) -> bool:
    return sum(value == "present" for value in arrival.study.labels.values()) >= 2


def _save(arrival: Arrival, view: int, path: Path) -> Path:
    return phantom.save_film(arrival, view, path)
