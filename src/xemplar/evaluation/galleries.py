"""Retrieval, ranked in a temporary gallery of the evaluated studies alone.

Knows both systems' vectors of films and texts; knows nothing of drafts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xemplar.archive import Archive
from xemplar.contracts import Json
from xemplar.drafting import truth_of
from xemplar.errors import XemplarError
from xemplar.evaluation.floors import LINEAR, LinearFloor, floor_films
from xemplar.evaluation.scores import Resampling, Run, ranking_scores
from xemplar.metrics import ranking
from xemplar.metrics.relevance import same_key
from xemplar.records import Study, Vectors
from xemplar.report import text_key


@dataclass(frozen=True, slots=True)
class Gallery:
    """The evaluated studies that have images and text, and both systems' vectors of them."""

    studies: tuple[Study, ...]
    keys: tuple[str, ...]
    images: dict[str, Vectors]
    texts: dict[str, Vectors]


def make_gallery(
    archive: Archive, studies: Sequence[Study], *, vectors: Vectors, floor: LinearFloor
) -> Gallery:
    """Encode the texts of all that have one; `vectors` (studies, dim) are ours of their films."""
    rows = [row for row, study in enumerate(studies) if study.text]
    held = tuple(studies[row] for row in rows)
    if len(held) < 2:
        raise XemplarError(f"{len(held)} studies with images and text to rank", wanted="at least 2")
    texts = [" ".join(study.text.split()) for study in held]
    films = floor.encode_images(floor_films(archive.corpus, held))
    return Gallery(
        studies=held,
        keys=tuple(text_key(text) for text in texts),
        images={"ours": vectors[rows], LINEAR: films},
        texts={"ours": archive.encoder.encode_texts(texts), LINEAR: floor.encode_texts(texts)},
    )


def score_gallery(gallery: Gallery, resampling: Resampling, *, reports: bool) -> Json:
    """Every measure in both directions, over all queries and over those with a present finding."""
    relevant = same_key(gallery.keys, gallery.keys)
    similar = {name: gallery.images[name] @ gallery.texts[name].T for name in gallery.images}
    subsets = {"all": np.ones(len(gallery.studies), np.bool_)}
    if reports:
        present = ["present" in truth_of(study).values() for study in gallery.studies]
        subsets["with a present finding"] = np.array(present, np.bool_)
    tables = []
    for direction in ("image to text", "text to image"):
        for subset, rows in subsets.items():
            if rows.sum() < 2:
                continue
            matrices = {n: (m if direction == "image to text" else m.T)[rows] for n, m in similar.items()}
            runs = [Run(name, matrix) for name, matrix in matrices.items()]
            scores = ranking_scores(runs, relevant[rows], resampling.of(rows))
            tables.append(
                {
                    "direction": direction,
                    "queries": int(rows.sum()),
                    "subset": subset,
                    "gallery": len(gallery.studies),
                    "scores": [score.json() for score in scores],
                }
            )
    return {
        "gallery": len(gallery.studies),
        "distinct_texts": len(set(gallery.keys)),
        "equal_text": "equally right",
        "tables": tables,
    }


def rank_columns(gallery: Gallery, studies: Sequence[Study]) -> dict[str, NDArray[np.generic]]:
    """For each system, the rank of every study's own text; -1 where it has none."""
    relevant = same_key(gallery.keys, gallery.keys)
    place = {study.study_id: row for row, study in enumerate(gallery.studies)}
    columns: dict[str, NDArray[np.generic]] = {}
    for name in gallery.images:
        ranks = ranking.right_ranks(gallery.images[name] @ gallery.texts[name].T, relevant)
        at = [ranks[place[s.study_id]] if s.study_id in place else -1 for s in studies]
        columns[f"rank image to text, {name}"] = np.array(at, np.int64)
    return columns
