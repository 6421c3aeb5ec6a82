"""The plain ways from an image's vector to scores of findings: prompts, a linear probe, neighbours' labels.

Knows vectors, labels and texts of prompts; knows nothing of thresholds, nor who may not be asked (the
evidence that is handed in leaves them out). Every way gives scores (queries, findings) in 0..1, in the
order of FINDINGS, NaN for a finding that it can't tell.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from xemplar.contracts import Encoder
from xemplar.corpus import Corpus
from xemplar.errors import XemplarError
from xemplar.findings import FINDINGS, summarise
from xemplar.index import Index
from xemplar.records import Study, Vectors
from xemplar.retrieval import Leave

Scores = NDArray[np.float64]
"""(queries, findings)"""

TEMPERATURE = 0.1
"""Of the softmax of a finding's two prompts; the order of films doesn't depend on it."""

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
"""Of the probe, scikit-learn's C: the inverse of the penalty's weight."""

FOLDS = 5
LEAST = 8
"""Training studies with a finding, and without it, below which the probe doesn't learn it."""

_TRIED = 4000
"""At most so many studies choose the strength; all are fitted."""


class Augmented(Protocol):
    """What is read from a vector that has looked at its neighbours (after X-TRA)."""

    @property
    def fingerprint(self) -> str:
        """Of whatever it was trained to."""
        ...

    def probabilities(self, vectors: Vectors, leaves: Sequence[Leave]) -> NDArray[np.floating]:
        """(queries, dim) -> (queries, findings) in the order of FINDINGS."""
        ...


# --- by prompts ---


class Prompts(BaseModel):
    """A finding's sentences: those of a film that has it, and of one that hasn't."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    present: tuple[str, ...]
    absent: tuple[str, ...]


def load_prompts() -> dict[str, Prompts]:
    """The shipped table: finding -> its prompts."""
    text = files("xemplar.classify").joinpath("prompts.toml").read_text(encoding="utf-8")
    return {name: Prompts.model_validate(sides) for name, sides in tomllib.loads(text).items()}


class ZeroShot:
    """Softmax of an image's cosines to a finding's two mean prompts (CheXzero, Tiu et al. 2022)."""

    def __init__(self, encoder: Encoder, prompts: Mapping[str, Prompts]) -> None:
        self._known = np.array([name in prompts for name in FINDINGS])
        asked = [prompts[name] for name in FINDINGS if name in prompts]
        texts = list(dict.fromkeys(text for one in asked for text in (*one.present, *one.absent)))
        vectors = dict(zip(texts, encoder.encode_texts(texts), strict=True)) if texts else {}
        self._sides = [
            [_unit(np.mean([vectors[text] for text in side], axis=0)) for side in (one.present, one.absent)]
            for one in asked
        ]

    def scores(self, vectors: Vectors) -> Scores:
        """(queries, dim) -> (queries, findings)."""
        scores = np.full((len(vectors), len(FINDINGS)), np.nan)
        if self._sides and len(vectors):
            # One product a query: several at once are rounded by how many they are.
            cosines = np.stack([np.asarray(self._sides, np.float64) @ vector for vector in vectors])
            scores[:, self._known] = _sigmoid((cosines[..., 0] - cosines[..., 1]) / TEMPERATURE)
        return scores


# --- by a linear probe ---


class Probe(BaseModel):
    """Logistic regressions of an image's standardised vector, one a finding that enough studies have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: list[float]
    scale: list[float]
    weights: dict[str, list[float]]
    intercepts: dict[str, float]
    strength: float
    studies: int
    """Training studies it was fitted on."""

    def scores(self, vectors: Vectors) -> Scores:
        """(queries, dim) -> (queries, findings)."""
        scores = np.full((len(vectors), len(FINDINGS)), np.nan)
        scaled = (vectors.astype(np.float64) - self.mean) / self.scale
        for name, weights in self.weights.items():
            # Summed row by row: a product of several at once is rounded by how many they are.
            logits = (scaled * weights).sum(axis=1) + self.intercepts[name]
            scores[:, FINDINGS.index(name)] = _sigmoid(logits)
        return scores


def unfit(corpus: Corpus, index: Index) -> XemplarError | None:
    """Why a corpus teaches no classifier; None where it may."""
    where = str(corpus.folder)
    if corpus.settings.texts == "captions":
        return XemplarError("a corpus of captions: no finding is read from them to classify by", where=where)
    if "image" not in index.items:
        return XemplarError("no image in the index: texts alone don't teach to classify films", where=where)
    if "sentence" not in index.items:
        return XemplarError("no report in the index: nothing says what its films show", where=where)
    return None


def fit_probe(corpus: Corpus, index: Index) -> Probe:
    """The probe of an index's English training studies with films and text, labelled by their claims.

    What a report doesn't mention counts as absent, what it is unsure of isn't learnt from. Its
    strength has the best log-likelihood on folds that no patient is in twice. An index of fewer than
    ten such studies, or of a single patient or group, raises XemplarError.
    """
    studies, vectors = training_films(index, readable(corpus))
    groups = np.array([study.facets.get("cluster") or study.study_id for study in studies])
    if len(studies) < 10 or len(set(groups)) < 2:
        raise XemplarError(
            f"{len(studies)} training studies of {len(set(groups))} patients or groups have films and an"
            " English report",
            wanted="ten of at least two", where=str(corpus.folder),
        )  # fmt: skip
    labels = labels_of(studies)
    mean, scale = vectors.mean(axis=0), vectors.std(axis=0)
    scale[scale < 1e-9] = 1.0
    scaled = (vectors - mean) / scale
    learnt = [name for place, name in enumerate(FINDINGS) if enough(labels[:, place])]
    strength = _strength(scaled, labels[:, [FINDINGS.index(name) for name in learnt]], groups)
    weights, intercepts = {}, {}
    for name in learnt:
        model = _logistic(scaled, labels[:, FINDINGS.index(name)], strength)
        weights[name], intercepts[name] = model.coef_[0].tolist(), float(model.intercept_[0])
    return Probe(
        mean=mean.tolist(), scale=scale.tolist(), weights=weights, intercepts=intercepts,
        strength=strength, studies=len(studies),
    )  # fmt: skip


def labels_of(studies: Sequence[Study]) -> NDArray[np.float64]:
    """(studies, findings): 1 where the report states it, 0 where not, NaN where it is unsure."""
    value = {"present": 1.0, "absent": 0.0, "uncertain": np.nan}
    said = [summarise(study.claims) for study in studies]
    return np.array([[value[one.get(name, "absent")] for name in FINDINGS] for one in said], np.float64)


def readable(corpus: Corpus) -> dict[str, Study]:
    """study_id -> training study whose report can be read: there is one, and it is English."""
    return {study.study_id: study for study in corpus.part("train") if study.text and study.language == "en"}


def training_films(index: Index, by_id: Mapping[str, Study]) -> tuple[list[Study], NDArray[np.float64]]:
    """Those of the studies that have films in the index, in its order, and the unit mean of their views.

    (studies, dim): as a query's vector is made.
    """
    items = index.items["image"]
    rows: dict[str, list[int]] = {}
    for row, study_ids in enumerate(items.study_ids):
        if study_ids[0] in by_id:
            rows.setdefault(study_ids[0], []).append(row)
    held = np.asarray(items.vectors, np.float64)
    vectors = np.array([_unit(held[places].mean(axis=0)) for places in rows.values()])
    return [by_id[study_id] for study_id in rows], vectors.reshape(len(rows), held.shape[1])


def enough(labels: NDArray[np.float64]) -> bool:
    """Whether a finding's labels let it be learnt."""
    return bool((labels == 1).sum() >= LEAST and (labels == 0).sum() >= LEAST)


def _strength(scaled: NDArray[np.float64], labels: NDArray[np.float64], groups: NDArray[np.str_]) -> float:
    """The strength under which the labels of patients not learnt from are likeliest, over all findings."""
    if not labels.shape[1]:
        return STRENGTHS[0]
    scaled, labels, groups = scaled[:_TRIED], labels[:_TRIED], groups[:_TRIED]
    folds = list(GroupKFold(min(FOLDS, len(set(groups)))).split(scaled, groups=groups))

    def lost(strength: float) -> float:
        total = 0.0
        for learn, held in folds:
            for column in labels.T:
                known = ~np.isnan(column[held])
                truth, learnt = column[held][known] == 1, column[learn][~np.isnan(column[learn])]
                given = np.full(len(truth), learnt.mean() if len(learnt) else 0.5)
                if len(np.unique(learnt)) == 2:
                    model = _logistic(scaled[learn], column[learn], strength)
                    given = model.predict_proba(scaled[held][known])[:, 1]
                total -= float(np.log(np.where(truth, given, 1 - given).clip(1e-6)).sum())
        return total

    return min(STRENGTHS, key=lost)


def _logistic(
    scaled: NDArray[np.float64], labels: NDArray[np.float64], strength: float
) -> LogisticRegression:
    known = ~np.isnan(labels)
    return LogisticRegression(C=strength, max_iter=500, solver="newton-cholesky").fit(
        scaled[known], labels[known] == 1
    )


# --- by neighbours ---


def knn_vote(features: NDArray[np.float32]) -> Scores:
    """(queries, findings, features) of the evidence -> the weighted share of near images that state it."""
    return np.asarray(features[:, :, 0], np.float64)


def logits(scores: Scores, *, least: float = 1e-3) -> Scores:
    """Scores in 0..1 as logits, none beyond that of `least`; NaN stays."""
    held = scores.clip(least, 1 - least)
    return np.asarray(np.log(held / (1 - held)), np.float64)


def _unit(row: NDArray[np.floating]) -> NDArray[np.float64]:
    length = float(np.linalg.norm(row))
    return np.asarray(row, np.float64) / (length if length > 0 else 1.0)


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-values.clip(-50, 50))), np.float64)
