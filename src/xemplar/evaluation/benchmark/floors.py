"""What knows nothing, or is linear, on the same studies: the rows that every system has to beat.

Knows the corpus that is learnt from and the sets that are asked; knows no recipe.
"""

from __future__ import annotations

from collections.abc import Iterator

import bm25s
import numpy as np
from numpy.typing import NDArray

from xemplar.corpus import Corpus
from xemplar.errors import XemplarError
from xemplar.evaluation.benchmark import retrieving
from xemplar.evaluation.benchmark.asked import Asked, Columns
from xemplar.evaluation.benchmark.classifying import CLASS
from xemplar.evaluation.benchmark.papers import CAPTIONS, wording_columns
from xemplar.evaluation.benchmark.plan import BM25, CHANCE
from xemplar.evaluation.benchmark.retrieving import Gallery, chance_columns, retrieval_columns
from xemplar.evaluation.benchmark.said import text_columns
from xemplar.evaluation.floors import LINEAR, LinearFloor, fit_floor, floor_films
from xemplar.evaluation.texts.floors import CONSTANT, NORMAL, RANDOM
from xemplar.index import tokens_of
from xemplar.records import Study

ALIKE = "all films alike"
"""The way to classify that tells nothing: an AUROC of a half, and as average precision the prevalence."""


class Floors:
    """All floors of a corpus; `notes` say what of them there can't be."""

    def __init__(self, corpus: Corpus, seed: int) -> None:
        self.corpus, self.seed = corpus, seed
        self.notes: dict[str, str] = {}
        self.train = [study for study in corpus.part("train") if study.text.strip()]
        self.linear = self._linear()

    def columns(self, asked: Asked) -> Iterator[tuple[str, Columns]]:
        """Each floor's name and what every study got of it."""
        alike: Columns = (
            {f"{CLASS}{ALIKE}": np.zeros(asked.truth.shape)} if asked.findings and asked.filmed.any() else {}
        )
        yield CHANCE, chance_columns(asked) | alike
        if self.linear is not None:
            yield LINEAR, self._by_linear(self.linear, asked)
        if len(retrieving.texts(asked)) > 1 and asked.findings:
            yield BM25, retrieval_columns(asked, Gallery(report_report=_bm25(asked)))
        if asked.filmed.any() and self.train:
            yield RANDOM, self._at_random(asked)
        if asked.findings and asked.filmed.any():
            yield CONSTANT, text_columns(asked, [NORMAL] * len(asked)) | self._captions(asked, [[NORMAL]])

    def _linear(self) -> LinearFloor | None:
        if not any(study.views for study in self.train):
            self.notes[LINEAR] = "no study with film and text to fit it on"
            return None
        try:
            return fit_floor(self.corpus, self.seed)
        except XemplarError as error:
            self.notes[LINEAR] = str(error)
            return None

    def _by_linear(self, floor: LinearFloor, asked: Asked) -> Columns:
        """Retrieval by the linear model, and the training report nearest to its guess as a draft."""
        both, filmed = retrieving.both(asked), retrieving.films(asked)
        if not len(filmed):
            return {}
        films = floor.encode_images(floor_films(asked.corpus, [asked.studies[row] for row in filmed]))
        written = floor.encode_texts([asked.texts[row] for row in retrieving.texts(asked)])
        mine = films[np.isin(filmed, both)] @ written[np.isin(retrieving.texts(asked), both)].T
        gallery = Gallery(
            image_report=mine, report_image=mine.T, image_image=films @ films.T,
            report_report=written @ written.T,
        )  # fmt: skip
        texts = floor.encode_texts([study.text for study in self.train])
        order = np.argsort(-(films @ texts.T), axis=1, kind="stable")[:, :CAPTIONS]
        drafted = np.full(len(asked), "", object)
        drafted[filmed] = [_flat(self.train[row]) for row in order[:, 0]]
        return (
            retrieval_columns(asked, gallery)
            | text_columns(asked, drafted.tolist())
            | self._captions(asked, [[_flat(self.train[row]) for row in best] for best in order])
        )

    def _at_random(self, asked: Asked) -> Columns:
        """Any training report; of MedCLIP's scores any few."""
        rng = np.random.default_rng([self.seed, 1])
        drawn = rng.integers(0, len(self.train), (len(asked), CAPTIONS))
        texts = [[_flat(self.train[row]) for row in best] for best in drawn]
        return text_columns(asked, [best[0] for best in texts]) | self._captions(
            asked, [texts[row] for row in retrieving.films(asked)]
        )

    def _captions(self, asked: Asked, said: list[list[str]]) -> Columns:
        """MedCLIP's scores of what is said for each study that has a film, or of one for all."""
        rows = retrieving.films(asked).tolist()
        given = said * len(rows) if len(said) == 1 else said
        kept = [place for place, row in enumerate(rows) if asked.written[row]]
        if not kept:
            return {}
        return wording_columns(asked, [rows[place] for place in kept], [given[place] for place in kept])


def _bm25(asked: Asked) -> NDArray[np.float32]:
    """(written, written) scores of each text as a query."""
    texts = [asked.texts[row] for row in retrieving.texts(asked)]
    tokens = tokens_of(texts)
    words = bm25s.BM25(backend="numpy")
    vocabulary = {token: n for n, token in enumerate(dict.fromkeys(t for text in tokens for t in text))}
    words.index(([[vocabulary[token] for token in text] for text in tokens], vocabulary), show_progress=False)
    return np.stack([np.asarray(words.get_scores(text), np.float32) for text in tokens])


def _flat(study: Study) -> str:
    return " ".join(study.text.split())
