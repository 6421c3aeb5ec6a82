"""Floors: what a linear model reaches on the same studies.

Knows a corpus and the linear space; uses nothing that our own networks learn.
"""

from __future__ import annotations

from collections.abc import Sequence

from xemplar.corpus import Corpus
from xemplar.records import Image, Study, Vectors
from xemplar.training.linear import first_views, fit_linear

LINEAR = "linear floor"


class LinearFloor:
    """Ridge regression from standardised 32 x 32 pixels to TF-IDF + SVD-128 of the text.

    `strength` is the one chosen within the training studies; `fit_linear` says how, and what is refused.
    """

    def __init__(
        self, images: Sequence[Image], texts: Sequence[str], clusters: Sequence[str], *, seed: int = 0
    ) -> None:
        self._space, self.strength = fit_linear(images, texts, clusters, seed=seed)

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """Previews -> (n, dim) unit rows in the space of the texts."""
        return self._space.encode_images(images)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Texts -> (n, dim) unit rows; a text of unknown words alone is all zeros."""
        return self._space.encode_texts(texts)


def fit_floor(corpus: Corpus, seed: int) -> LinearFloor:
    """The floor, fitted on a corpus's training part, as the model is."""
    studies = [study for study in corpus.part("train") if study.views and study.text]
    texts, clusters = [study.text for study in studies], [study.facets["cluster"] for study in studies]
    return LinearFloor(floor_films(corpus, studies), texts, clusters, seed=seed)


def floor_films(corpus: Corpus, studies: Sequence[Study]) -> list[Image]:
    """What the floor sees of each study: the frontal view where there is one, else the first."""
    return first_views(corpus, studies)
