"""Several scores of a finding -> one calibrated probability and a call, fitted on validation patients.

Knows columns of numbers, truths and who belongs together; knows nothing of images or studies. A
logistic regression of the columns (Platt 1999, on several scores), whose thresholds and strength come
from folds that no patient is in twice: no probability is judged by a fit that has seen its patient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from xemplar.errors import XemplarError
from xemplar.findings import FINDINGS
from xemplar.metrics.thresholds import absent_up_to, best_f1

WANTED = 8
"""Validation studies with a finding, and without it, below which it isn't called."""

STRENGTHS = (1e-2, 3e-2, 1e-1, 3e-1, 1.0)
"""scikit-learn's C, the inverse of the penalty's weight."""

OWN = 0.3
"""How freely a finding's weights may differ from those that all share."""

_FREE = 10.0
"""An intercept's input: large, so that the penalty hardly holds it."""

FOLDS = 5
ABSENT_WRONG = 0.05
"""At most this share of those called absent has the finding, on validation."""

Columns = Mapping[str, NDArray[np.float64]]
"""Name -> (queries, findings), any range; NaN all through a finding that it can't tell."""

Word = Literal["present", "absent", "undecided"]


class FindingFit(BaseModel):
    """One finding's logistic regression of its standardised columns, and its thresholds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: list[str]
    mean: list[float]
    scale: list[float]
    weights: list[float]
    intercept: float
    present_at: float
    """Called present from here on: the best F1 on validation."""
    absent_up_to: float
    """Called absent up to here: few of those below have it, and it is no likelier than its share is."""
    present: int
    """Validation studies with it."""


class Combination(BaseModel):
    """Every finding's fit; one with too few validation studies has none and is never called."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    findings: dict[str, FindingFit]
    too_few: dict[str, int]
    """Findings left out, and how many validation studies have them."""
    studies: int
    strength: float

    def probabilities(self, columns: Columns) -> NDArray[np.float64]:
        """(queries, findings), NaN for a finding that isn't called.

        None is nearer to 0 or 1 than the number of validation studies lets anybody say (Laplace's rule
        of succession).
        """
        queries = len(next(iter(columns.values())))
        found = np.full((queries, len(FINDINGS)), np.nan)
        for name, one in self.findings.items():
            if missing := [column for column in one.columns if column not in columns]:
                raise XemplarError(f"no column {missing[0]!r}", wanted="what the combination was fitted with")
            asked = np.stack([columns[c][:, FINDINGS.index(name)] for c in one.columns], axis=1)
            # Summed row by row: a product of several at once is rounded by how many they are.
            logits = ((asked - one.mean) / one.scale * one.weights).sum(axis=1) + one.intercept
            found[:, FINDINGS.index(name)] = _clipped(_sigmoid(logits), self.studies)
        return found

    def call(self, finding: str, probability: float) -> tuple[Word | None, str]:
        """What a finding is called at a probability, and why where nothing is called."""
        one = self.findings.get(finding)
        if one is None:
            return None, self._why_too_few(self.too_few.get(finding, 0))
        if probability >= one.present_at:
            return "present", ""
        if probability <= one.absent_up_to:
            return "absent", ""
        return "undecided", f"between {one.absent_up_to:.2f}, absent up to, and {one.present_at:.2f}"

    def _why_too_few(self, having: int) -> str:
        count, what = having, "it"
        if having >= WANTED:
            count, what = self.studies - having, "no sign of it"
        verb = "study has" if count == 1 else "studies have"
        return f"not called: {count or 'no'} validation {verb} {what}, {WANTED} wanted"


def fit_combination(columns: Columns, present: NDArray[np.bool_], groups: Sequence[str]) -> Combination:
    """Fit every finding that enough validation studies have: `present` (studies, findings).

    `groups` says who belongs together. Raises XemplarError where no finding is both there and not
    there often enough.
    """
    counts = present.sum(axis=0)
    chosen = [place for place, count in enumerate(counts) if WANTED <= count <= len(present) - WANTED]
    if not chosen:
        raise XemplarError(
            f"none of {len(FINDINGS)} findings is both present and absent often enough"
            f" among {len(present)} validation studies",
            wanted=f"at least {WANTED} with a finding and {WANTED} without it",
            remedy="ingest more",
        )
    cases = _Cases(columns, chosen, present=present, groups=groups)
    strength = min(STRENGTHS, key=cases.lost)
    return Combination(
        findings=cases.fitted(strength),
        too_few={name: int(counts[place]) for place, name in enumerate(FINDINGS) if place not in chosen},
        studies=len(present),
        strength=strength,
    )


class _Cases:
    """The columns of the chosen findings on validation, who has them, and folds of whole patients.

    One regression serves all: weights that all findings share, what a finding's own differ by (drawn
    to 0 the harder), and an intercept a finding. A few dozen studies with a finding can't tell which of
    its columns are good; all findings together can.
    """

    def __init__(
        self, columns: Columns, chosen: Sequence[int], *, present: NDArray[np.bool_], groups: Sequence[str]
    ) -> None:
        self.names, self.chosen = list(columns), chosen
        self.present: NDArray[np.bool_] = present[:, chosen]
        values = np.stack([columns[name][:, chosen] for name in self.names], axis=2)
        self.known: NDArray[np.bool_] = np.asarray(np.isfinite(values).all(axis=0))
        self.mean = np.where(self.known, np.where(np.isfinite(values), values, 0.0).mean(axis=0), 0.0)
        centred = np.where(self.known, values - self.mean, 0.0)
        self.scale = np.sqrt((centred**2).mean(axis=(0, 1)))
        self.scale[self.scale < 1e-9] = 1.0
        self.values = centred / self.scale
        belong = np.unique(list(groups), return_inverse=True)[1]
        folds = min(FOLDS, int(belong.max()) + 1)
        self.folds = list(GroupKFold(folds).split(self.values, groups=belong)) if folds > 1 else []

    def lost(self, strength: float) -> float:
        """Negative log-likelihood of studies whose patients weren't learnt from."""
        given = self._held_out(strength)
        return float(-np.log(np.where(self.present, given, 1 - given)).mean())

    def fitted(self, strength: float) -> dict[str, FindingFit]:
        """Finding -> its part of the regression, and thresholds from the folds."""
        weights, intercepts = self._learnt(np.arange(len(self.present)), strength)
        held = self._held_out(strength)
        return {
            FINDINGS[place]: self._fit(row, held[:, row], weights[row], intercept=float(intercepts[row]))
            for row, place in enumerate(self.chosen)
        }

    def _fit(
        self, row: int, held: NDArray[np.float64], weights: NDArray[np.float64], *, intercept: float
    ) -> FindingFit:
        known, present = self.known[row], self.present[:, row]
        present_at = best_f1(held, present)
        below = float(np.nextafter(present_at, 0))
        return FindingFit(
            columns=[name for name, there in zip(self.names, known, strict=True) if there],
            mean=self.mean[row, known].tolist(),
            scale=self.scale[known].tolist(),
            weights=weights[known].tolist(),
            intercept=intercept,
            present_at=present_at,
            absent_up_to=min(absent_up_to(held, present, share=ABSENT_WRONG), float(present.mean()), below),
            present=int(present.sum()),
        )

    def _held_out(self, strength: float) -> NDArray[np.float64]:
        """Each study's probabilities by a fit that has not seen its patient."""
        given = np.broadcast_to(self.present.mean(axis=0), self.present.shape).copy()
        for learn, held in self.folds:
            has = self.present[learn]
            if bool(has.any()) and not bool(has.all()):
                weights, intercepts = self._learnt(learn, strength)
                given[held] = _sigmoid((self.values[held] * weights).sum(axis=2) + intercepts)
        return _clipped(given, len(given))

    def _learnt(
        self, rows: NDArray[np.int64], strength: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(findings, columns) weights and (findings,) intercepts, from some of the studies."""
        _, findings, columns = self.values.shape
        asked = np.zeros((len(rows), findings, columns + findings * columns + findings))
        asked[:, :, :columns] = self.values[rows]
        for row in range(findings):
            own = columns + row * columns
            asked[:, row, own : own + columns] = self.values[rows, row] * OWN
            asked[:, row, columns + findings * columns + row] = _FREE
        model = LogisticRegression(C=strength, max_iter=1000, fit_intercept=False)
        model.fit(asked.reshape(-1, asked.shape[2]), self.present[rows].ravel())
        learnt = model.coef_[0]
        own_weights = learnt[columns : columns + findings * columns].reshape(findings, columns)
        return learnt[:columns] + OWN * own_weights, learnt[columns + findings * columns :] * _FREE


def _clipped(probability: NDArray[np.float64], studies: int) -> NDArray[np.float64]:
    least = 1 / (studies + 2)
    return np.asarray(probability.clip(least, 1 - least), np.float64)


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-values.clip(-50, 50))), np.float64)
