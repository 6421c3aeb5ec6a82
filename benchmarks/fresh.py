"""Drawn films of patients in no archive, as an archive's encoder sees them.

Knows previews and the encoder; chooses nobody and scores nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xemplar.archive import Archive
from xemplar.drafting.policies.case import Case
from xemplar.images import read_preview
from xemplar.retrieval import NOBODY


def encoded_cases(archive: Archive, arrivals: Sequence, place: Path) -> list[Case]:
    """Each study's case: the mean of its views' vectors, of length 1, with nobody left out.

    The vectors are kept at `place` (.npy), which appears whole or not at all, and are taken from there if
    it is there.
    """
    if not place.is_file():
        spec, rows = archive.corpus.settings.preview, []
        for arrival in arrivals:
            images = [read_preview(image, spec).image for image in arrival.images]
            rows.append(archive.encoder.encode_images(images).mean(axis=0))
        vectors = np.stack(rows)
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        np.save(place.with_suffix(".part.npy"), vectors)
        place.with_suffix(".part.npy").replace(place)
    return [Case((), vector, NOBODY) for vector in np.load(place)]
