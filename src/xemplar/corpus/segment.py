"""One segment of a corpus while it fills: studies, views, sentences, previews, and what reports lost.

Knows which files a segment has and what the manifest says of it; knows nothing of keys, splits or folders.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from xemplar.contracts import Json
from xemplar.corpus import schema
from xemplar.corpus.decode import ReadView
from xemplar.corpus.tables import LANDMARKS_SHAPE, npy_bytes, parquet_bytes
from xemplar.corpus.texts import SentenceTable
from xemplar.records import Study, TextKind, View


class Segment:
    """Studies that enter a corpus together; `cut` counts lines that are in no text of theirs, by kind."""

    def __init__(self, texts: TextKind, preview_size: int) -> None:
        self.studies: list[Json] = []
        self.views: list[Json] = []
        self.cut: Counter[str] = Counter()
        self.cut_studies = 0
        self._sentences = SentenceTable(texts)
        self._preview_shape = (preview_size, preview_size)
        self._pixels: list[NDArray[np.uint8]] = []
        self._landmarks: list[NDArray[np.uint8]] = []

    def add(
        self,
        study: Study,
        films: Sequence[tuple[View, ReadView]],
        *,
        content_key: str,
        cut: Mapping[str, int],
    ) -> None:
        """Add a study, keyed and placed by now, its texts unread; `cut` as its source counted it."""
        study = self._sentences.read(study)
        for view, film in films:
            self.views.append(schema.view_row(view, study.study_id, len(self._pixels)))
            self._pixels.append(film.preview.pixels)
            self._landmarks.append(film.landmarks)
        self.studies.append(schema.study_row(study, content_key))
        self.cut.update(cut)
        self.cut_studies += bool(cut)

    def files(self, name: str) -> dict[str, bytes]:
        """Path within the corpus -> what the file holds."""
        return {
            f"studies/{name}.parquet": parquet_bytes(self.studies, schema.STUDIES),
            f"views/{name}.parquet": parquet_bytes(self.views, schema.VIEWS),
            f"sentences/{name}.parquet": parquet_bytes(self._sentences.rows(), schema.SENTENCES),
            f"previews/{name}.npy": npy_bytes(self._pixels, self._preview_shape),
            f"landmarks/{name}.npy": npy_bytes(self._landmarks, LANDMARKS_SHAPE),
        }

    @property
    def entry(self) -> Json:
        """What the manifest says of it, but for its files."""
        return {
            "studies": len(self.studies),
            "views": len(self.views),
            "cut": {"studies": self.cut_studies, "lines": dict(sorted(self.cut.items()))},
        }
