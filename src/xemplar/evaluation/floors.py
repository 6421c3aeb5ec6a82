"""Floors: what a constant report and a linear model reach on the same studies.

Knows previews, texts and scikit-learn; uses nothing that our own models learn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from xemplar.corpus import Corpus
from xemplar.errors import XemplarError
from xemplar.images import model_input
from xemplar.metrics.ranking import right_ranks
from xemplar.records import Image, Study, Vectors
from xemplar.report import text_key

LINEAR = "linear floor"
PIXELS = 32
DIMENSIONS = 128
STRENGTHS = (1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6)
INNER_SHARE = 0.2


class LinearFloor:
    """Ridge regression from standardised 32 x 32 pixels to TF-IDF + SVD-128 of the text.

    Its strength is the one with the best mean reciprocal rank on an inner split of the training
    studies, whole clusters held out; then it is fitted on all of them. `strength` says which. Fewer
    than 10 studies, a single cluster, or texts that share too few words raise XemplarError.
    """

    def __init__(
        self, images: Sequence[Image], texts: Sequence[str], clusters: Sequence[str], *, seed: int = 0
    ) -> None:
        if len(images) < 10:
            raise XemplarError(f"{len(images)} training studies for the linear floor", wanted="at least 10")
        if len(set(clusters)) < 2:
            raise XemplarError(
                "training studies of one patient or group for the linear floor", wanted="at least 2"
            )
        pixels, keys = _pixels(images), np.array([text_key(text) for text in texts])
        inner = _held_out(clusters, seed)
        learnt = [text for text, out in zip(texts, inner, strict=True) if not out]
        held = [text for text, out in zip(texts, inner, strict=True) if out]
        targets, relevant = self._fit_texts(learnt), keys[inner][:, None] == keys[inner][None]
        scores = {}
        for strength in STRENGTHS:
            self._fit_images(pixels[~inner], targets, strength)
            similar = self._images(pixels[inner]) @ self.encode_texts(held).T
            scores[strength] = float((1 / right_ranks(similar, relevant)).mean())
        self.strength = max(STRENGTHS, key=lambda strength: scores[strength])
        self._fit_images(pixels, self._fit_texts(list(texts)), self.strength)

    def _fit_texts(self, texts: list[str]) -> Vectors:
        """Fit words and dimensions; returns the texts in them, (n, dim) unit rows."""
        self._words = TfidfVectorizer(sublinear_tf=True, min_df=2)
        shared = _shared_words(self._words, texts)
        if shared < 2:
            raise XemplarError(
                f"{shared} words that two of {len(texts)} training texts share, for the linear floor",
                wanted="at least 2", remedy="evaluate over a larger corpus",
            )  # fmt: skip
        counts = self._words.fit_transform(texts)
        self._svd = TruncatedSVD(min(DIMENSIONS, counts.shape[1] - 1), random_state=0)
        return _unit(self._svd.fit_transform(counts))

    def _fit_images(self, pixels: NDArray[np.float32], targets: Vectors, strength: float) -> None:
        self._scaler = StandardScaler().fit(pixels)
        self._ridge = Ridge(alpha=strength).fit(self._scaler.transform(pixels), targets)

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """Previews -> (n, dim) unit rows in the space of the texts."""
        return self._images(_pixels(images))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Texts -> (n, dim) unit rows; a text of unknown words alone is all zeros."""
        return _unit(self._svd.transform(self._words.transform(texts)))

    def _images(self, pixels: NDArray[np.float32]) -> Vectors:
        guess = self._ridge.predict(self._scaler.transform(pixels))
        return _unit(guess.reshape(len(pixels), -1))  # of a single dimension it drops the axis


def fit_floor(corpus: Corpus, seed: int) -> LinearFloor:
    """The floor, fitted on a corpus's training part, as the model is."""
    studies = [study for study in corpus.part("train") if study.views and study.text]
    texts, clusters = [study.text for study in studies], [study.facets["cluster"] for study in studies]
    return LinearFloor(floor_films(corpus, studies), texts, clusters, seed=seed)


def floor_films(corpus: Corpus, studies: Sequence[Study]) -> list[Image]:
    """What the floor sees of each study: the frontal view where there is one, else the first."""
    firsts = [min(study.views, key=lambda view: view.position != "frontal") for study in studies]
    return corpus.previews([view.view_id for view in firsts])


def _pixels(images: Sequence[Image]) -> NDArray[np.float32]:
    return np.stack([model_input(image, PIXELS).ravel() for image in images])


def _held_out(clusters: Sequence[str], seed: int) -> NDArray[np.bool_]:
    """A fifth of the clusters, drawn with the seed; at least one, never all."""
    names = np.unique(list(clusters))
    drawn = np.random.default_rng(seed).permutation(names)[: max(1, round(INNER_SHARE * len(names)))]
    return np.isin(np.array(list(clusters)), drawn)


def _shared_words(words: TfidfVectorizer, texts: Sequence[str]) -> int:
    """How many of the words stand in two texts or more: what `min_df=2` leaves."""
    read = words.build_analyzer()
    counts = Counter(word for text in texts for word in set(read(text)))
    return sum(count >= 2 for count in counts.values())


def _unit(rows: NDArray[np.floating]) -> Vectors:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths == 0, 1, lengths), np.float32)
