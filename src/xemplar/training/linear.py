"""The fit of a linear space: how strong the ridge regression is, chosen within the training part.

Knows previews, texts and scikit-learn; uses nothing that a network learns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from xemplar.contracts import Encoder, Json
from xemplar.corpus import Corpus
from xemplar.errors import XemplarError
from xemplar.folders import check_new, fingerprint, read_finished, writing
from xemplar.metrics.ranking import right_ranks
from xemplar.models.linear import (
    MANIFEST,
    VERSION,
    LinearSpace,
    Numbers,
    save_linear,
    small_pixels,
    unit,
)
from xemplar.records import Image, Study, Vectors
from xemplar.report import text_key
from xemplar.training.recipe import Linear

STRENGTHS = (1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6)
INNER_SHARE = 0.2
FEWEST = 10
_OURS = r"\.?(weights\.safetensors|words\.json)(\.tmp)?"


def fit_linear(
    images: Sequence[Image],
    texts: Sequence[str],
    clusters: Sequence[str],
    *,
    settings: Linear | None = None,
    seed: int = 0,
) -> tuple[LinearSpace, float]:
    """Ridge regression from standardised pixels to TF-IDF + SVD of the text; the space and its strength.

    The strength is the one with the best mean reciprocal rank on an inner split of the studies, whole
    clusters held out; then it is fitted on all of them. Fewer than 10 studies, a single cluster, or
    texts that share too few words raise XemplarError.
    """
    asked = settings or Linear(centred=False)
    if len(images) < FEWEST:
        raise XemplarError(
            f"{len(images)} training studies for the linear floor", wanted=f"at least {FEWEST}"
        )
    if len(set(clusters)) < 2:
        raise XemplarError(
            "training studies of one patient or group for the linear floor", wanted="at least 2"
        )
    pixels, keys = small_pixels(images, asked.pixels), np.array([text_key(text) for text in texts])
    inner = _held_out(clusters, seed)
    learnt = [text for text, out in zip(texts, inner, strict=True) if not out]
    held = [text for text, out in zip(texts, inner, strict=True) if out]
    fit, relevant = _Fit(learnt, asked), keys[inner][:, None] == keys[inner][None]
    scores = {}
    for strength in STRENGTHS:
        similar = fit.guessed(pixels[~inner], pixels[inner], strength) @ fit.texts(held).T
        scores[strength] = float((1 / right_ranks(similar, relevant)).mean())
    best = max(STRENGTHS, key=lambda strength: scores[strength])
    return _Fit(list(texts), asked).space(pixels, list(texts), best), best


def train_linear(corpus: Corpus, settings: Linear, folder: Path, *, encoder: Encoder, seed: int = 0) -> Json:
    """Fit a recipe's linear space on a corpus's training part, to stand beside an encoder.

    It is fitted on one view of each study, the frontal where there is one, and serves every view: fitted
    on all views it finds as much (docs/log.md). `seed` draws the inner split that its strength is chosen on.

    A finished one of the same settings, encoder and corpus is returned as it is; others are refused.
    """
    origin = fingerprint([settings.model_dump(mode="json"), seed, encoder.fingerprint, corpus.fingerprint])
    with writing(folder):
        if (folder / MANIFEST).exists():
            what = "linear space of other settings, encoder or corpus"
            return read_finished(folder, "linear", version=VERSION, origin=origin, what=what)
        check_new(folder, but=_OURS)
        studies = [study for study in corpus.part("train") if study.views and study.text]
        space, strength = fit_linear(
            first_views(corpus, studies),
            [study.text for study in studies],
            [study.facets["cluster"] for study in studies],
            settings=settings,
            seed=seed,
        )
        facts = {"weight": settings.weight, "encoder": encoder.fingerprint, "origin": origin}
        return save_linear(folder, space, facts={**facts, "strength": strength, "studies": len(studies)})


def first_views(corpus: Corpus, studies: Sequence[Study]) -> list[Image]:
    """What a linear space sees of each study: the frontal view where there is one, else the first."""
    firsts = [min(study.views, key=lambda view: view.position != "frontal") for study in studies]
    return corpus.previews([view.view_id for view in firsts])


class _Fit:
    """Words and latent dimensions of some texts, and ridge regressions towards them."""

    def __init__(self, texts: list[str], settings: Linear) -> None:
        self.settings = settings
        self.reader = TfidfVectorizer(sublinear_tf=True, min_df=2)
        shared = _shared_words(self.reader, texts)
        if shared < 2:
            raise XemplarError(
                f"{shared} words that two of {len(texts)} training texts share, for the linear floor",
                wanted="at least 2", remedy="evaluate over a larger corpus",
            )  # fmt: skip
        counts = self.reader.fit_transform(texts)
        self.svd = TruncatedSVD(min(settings.dimensions, counts.shape[1] - 1), random_state=0)
        self.targets = unit(self.svd.fit_transform(counts))

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Unit rows; a text of unknown words alone is all zeros."""
        return unit(self.svd.transform(self.reader.transform(texts)))

    def guessed(self, pixels: Numbers, others: Numbers, strength: float) -> Vectors:
        """Unit rows of other pixels, by a regression fitted on these."""
        scaler, ridge = self._ridge(pixels, strength)
        return unit(ridge.predict(scaler.transform(others)).reshape(len(others), -1))

    def space(self, pixels: Numbers, texts: list[str], strength: float) -> LinearSpace:
        """All that was fitted, as numbers."""
        scaler, ridge = self._ridge(pixels, strength)
        dim = self.targets.shape[1]
        slope = np.asarray(ridge.coef_, np.float32).reshape(
            dim, -1
        )  # of a single dimension it drops the axis
        start = np.asarray(ridge.intercept_, np.float32).reshape(dim)
        own = unit(ridge.predict(scaler.transform(pixels)).reshape(len(pixels), -1))
        nothing = np.zeros(dim, np.float32)
        centred = self.settings.centred
        weights = {
            "mean": scaler.mean_, "scale": scaler.scale_, "slope": slope, "start": start,
            "idf": self.reader.idf_, "latent": self.svd.components_,
            "image_centre": own.mean(0) if centred else nothing,
            "text_centre": self.texts(texts).mean(0) if centred else nothing,
        }  # fmt: skip
        numbers = {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}
        words = tuple(str(word) for word in self.reader.get_feature_names_out())
        return LinearSpace(self.settings.pixels, words, numbers)

    def _ridge(self, pixels: Numbers, strength: float) -> tuple[StandardScaler, Ridge]:
        scaler = StandardScaler().fit(pixels)
        return scaler, Ridge(alpha=strength).fit(scaler.transform(pixels), self.targets)


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
