"""Votes of the archive's studies on a finding, each weighing as it was learnt and as its film is near.

Knows vectors and labels; knows nothing of thresholds. Kernel ridge regression (Saunders et al. 1998) of
the reports' labels with a Gaussian kernel; above a few thousand studies only some of them vote, and all
are learnt from (Nystrom's way: Smola and Schoelkopf 2000).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from xemplar.classify.plain import Scores, enough, labels_of, readable, training_films
from xemplar.corpus import Corpus
from xemplar.errors import MismatchError
from xemplar.findings import FINDINGS
from xemplar.index import Index
from xemplar.records import Vectors
from xemplar.retrieval import NOBODY, Leave

NARROWNESS = (0.03, 0.1, 0.3)
"""Of the kernel: exp(-narrowness * mean squared difference of standardised dimensions)."""

PENALTIES = (0.01, 0.03, 0.1, 0.3)
"""On the size of the votes; both are those with the least squared error on validation."""

VOTERS = 2000
_BLOCK = 2048


class Votes(BaseModel):
    """The voting studies and how each votes on every finding that was learnt."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    study_ids: list[str]
    learnt: list[str]
    votes: list[list[float]]
    """(voters, learnt)"""
    shares: list[float]
    """Of the training studies that have each finding learnt."""
    mean: list[float]
    scale: list[float]
    narrowness: float
    penalty: float
    studies: int


class KernelVote:
    """Scores films by votes; the vectors of the voters are the index's own."""

    def __init__(self, corpus: Corpus, index: Index, votes: Votes) -> None:
        by_id = {name: corpus.by_id[name] for name in votes.study_ids if name in corpus.by_id}
        studies, vectors = training_films(index, by_id) if "image" in index.items else ([], None)
        if vectors is None or len(studies) != len(votes.study_ids):
            raise MismatchError(
                f"the index holds {len(studies)} of the studies that vote",
                wanted=f"all {len(votes.study_ids)}",
                remedy="run `xemplar calibrate` again",
            )
        place = {study.study_id: row for row, study in enumerate(studies)}
        order = [place[name] for name in votes.study_ids]
        self._fitted, self._studies = votes, [studies[row] for row in order]
        self._mean, self._scale = np.array(votes.mean), np.array(votes.scale)
        self._voters = (vectors[order] - self._mean) / self._scale
        self._votes = np.array(votes.votes).reshape(len(order), len(votes.learnt))
        self._columns = [FINDINGS.index(name) for name in votes.learnt]

    def scores(self, vectors: Vectors, leaves: Sequence[Leave]) -> Scores:
        """(queries, dim) -> (queries, findings), about 0..1; who is left out of a query has no vote."""
        scores = np.full((len(vectors), len(FINDINGS)), np.nan)
        scaled = (vectors.astype(np.float64) - self._mean) / self._scale
        for row, leave in enumerate(leaves):
            # One query at a time: several at once are rounded by how many they are.
            near = kernel(scaled[row : row + 1], self._voters, self._fitted.narrowness)[0]
            if leave != NOBODY:
                near[[leave.drops(study) for study in self._studies]] = 0.0
            scores[row, self._columns] = near @ self._votes + self._fitted.shares
        return scores


def fit_votes(corpus: Corpus, index: Index, *, held: Vectors, present: NDArray[np.bool_]) -> Votes:
    """Learn the votes of the training studies `fit_probe` learns from; `held` (studies, dim) choose how.

    `present` (studies, findings) is what is true of those held.
    """
    studies, vectors = training_films(index, readable(corpus))
    labels = labels_of(studies)
    learnt = [name for place, name in enumerate(FINDINGS) if enough(labels[:, place])]
    columns = [FINDINGS.index(name) for name in learnt]
    wanted = np.nan_to_num(labels[:, columns], nan=0.5)
    shares = wanted.mean(axis=0)
    mean, scale = vectors.mean(axis=0), vectors.std(axis=0)
    scale[scale < 1e-9] = 1.0
    scaled, asked = (vectors - mean) / scale, (held.astype(np.float64) - mean) / scale
    voting = np.unique(np.linspace(0, len(studies) - 1, min(VOTERS, len(studies))).round().astype(int))
    tried: list[tuple[float, float, float, NDArray[np.float64]]] = []
    for narrowness in NARROWNESS:
        between, heard = _summed(scaled, voting, wanted - shares, narrowness=narrowness)
        own = kernel(scaled[voting], scaled[voting], narrowness)
        near = kernel(asked, scaled[voting], narrowness)
        for penalty in PENALTIES:
            votes = _solved(between + penalty * own, heard)
            errors = (near @ votes + shares - present[:, columns]) ** 2
            tried.append((float(errors.mean()) if columns else 0.0, narrowness, penalty, votes))
    _, narrowness, penalty, votes = min(tried, key=lambda one: one[0])
    return Votes(
        study_ids=[studies[row].study_id for row in voting], learnt=learnt,
        votes=[[float(f"{value:.6g}") for value in row] for row in votes.tolist()],
        shares=shares.tolist(), mean=mean.tolist(), scale=scale.tolist(), narrowness=narrowness,
        penalty=penalty, studies=len(studies),
    )  # fmt: skip


def kernel(one: NDArray[np.float64], other: NDArray[np.float64], narrowness: float) -> NDArray[np.float64]:
    """(n, dim), (m, dim), both standardised -> (n, m) in 0..1."""
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None] - 2 * one @ other.T
    return np.asarray(np.exp(-narrowness * squares.clip(0) / one.shape[1]), np.float64)


def _summed(
    scaled: NDArray[np.float64], voting: NDArray[np.int64], wanted: NDArray[np.float64], *, narrowness: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The kernel's products over all studies, (voters, voters) and (voters, learnt), block by block."""
    between = np.zeros((len(voting), len(voting)))
    heard = np.zeros((len(voting), wanted.shape[1]))
    for start in range(0, len(scaled), _BLOCK):
        near = kernel(scaled[start : start + _BLOCK], scaled[voting], narrowness)
        between += near.T @ near
        heard += near.T @ wanted[start : start + _BLOCK]
    return between, heard


def _solved(system: NDArray[np.float64], heard: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equal films make the system singular; a trace of a ridge, and it has one answer."""
    system.flat[:: len(system) + 1] += 1e-8 * np.trace(system) / len(system)
    return np.asarray(np.linalg.solve(system, heard), np.float64)
