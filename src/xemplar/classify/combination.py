"""Several scores of a finding -> one calibrated probability and a call, fitted on validation patients.

Knows columns of numbers, truths and who belongs together; knows nothing of images or studies. Each
finding has a logistic regression of its columns (Platt 1999, on several scores). What tells of its
quality, its thresholds and its strength, is taken from folds that no patient is in twice, so that no
probability is judged by a fit that has seen its patient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from xemplar.errors import XemplarError
from xemplar.findings import FINDINGS
from xemplar.records import Presence

WANTED = 8
"""Validation studies with a finding, and without it, below which it isn't called."""

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
"""scikit-learn's C of a combination; one serves all findings."""

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
    present: int
    """Validation studies with it."""
    auroc: float | None
    """On validation's folds; None where it is undefined."""


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


def fit_combination(
    columns: Columns, truths: Sequence[Mapping[str, Presence]], groups: Sequence[str]
) -> Combination:
    """Fit every finding that enough validation studies have, `groups` saying who belongs together.

    Raises XemplarError where no finding is both there and not there often enough.
    """
    present = np.array([[truth.get(name) == "present" for name in FINDINGS] for truth in truths], np.bool_)
    present = present.reshape(len(truths), len(FINDINGS))
    belong = np.unique(list(groups), return_inverse=True)[1]
    cases: dict[str, _Cases] = {}
    too_few: dict[str, int] = {}
    for place, name in enumerate(FINDINGS):
        has = present[:, place]
        known = {c: values[:, place] for c, values in columns.items() if np.isfinite(values[:, place]).all()}
        if min(has.sum(), (~has).sum()) < WANTED or not known:
            too_few[name] = int(has.sum())
        else:
            cases[name] = _Cases(known, has, belong)
    if not cases:
        raise XemplarError(
            f"none of {len(FINDINGS)} findings is both present and absent often enough"
            f" among {len(truths)} validation studies",
            wanted=f"at least {WANTED} with a finding and {WANTED} without it",
            remedy="ingest more",
        )
    strength = min(STRENGTHS, key=lambda one: sum(case.lost(one) for case in cases.values()))
    return Combination(
        findings={name: case.fitted(strength) for name, case in cases.items()},
        too_few=too_few,
        studies=len(truths),
        strength=strength,
    )


class _Cases:
    """One finding's columns on validation, who has it, and folds of whole patients."""

    def __init__(
        self,
        columns: Mapping[str, NDArray[np.float64]],
        present: NDArray[np.bool_],
        groups: NDArray[np.int64],
    ) -> None:
        self.names, self.present = list(columns), present
        values = np.stack(list(columns.values()), axis=1)
        self.mean, self.scale = values.mean(axis=0), values.std(axis=0)
        self.scale[self.scale < 1e-9] = 1.0
        self.values = (values - self.mean) / self.scale
        folds = min(FOLDS, len(np.unique(groups)))
        self.folds = (
            list(StratifiedGroupKFold(folds).split(self.values, present, groups)) if folds > 1 else []
        )

    def lost(self, strength: float) -> float:
        """Negative log-likelihood per study, of studies whose patients weren't learnt from."""
        given = self._held_out(strength)
        return float(-np.log(np.where(self.present, given, 1 - given)).mean())

    def fitted(self, strength: float) -> FindingFit:
        model = _logistic(self.values, self.present, strength)
        held = self._held_out(strength)
        present_at = best_f1(held, self.present)
        below = float(np.nextafter(present_at, 0))
        return FindingFit(
            columns=self.names, mean=self.mean.tolist(), scale=self.scale.tolist(),
            weights=model.coef_[0].tolist(), intercept=float(model.intercept_[0]),
            present_at=present_at, absent_up_to=min(absent_up_to(held, self.present), below),
            present=int(self.present.sum()), auroc=_auroc(held, self.present),
        )  # fmt: skip

    def _held_out(self, strength: float) -> NDArray[np.float64]:
        """Each study's probability by a fit that has not seen its patient."""
        given = np.full(len(self.present), self.present.mean())
        for learn, held in self.folds:
            has = self.present[learn]
            if has.any() and not has.all():
                model = _logistic(self.values[learn], has, strength)
                given[held] = model.predict_proba(self.values[held])[:, 1]
        return _clipped(given, len(given))


def best_f1(probability: NDArray[np.float64], present: NDArray[np.bool_]) -> float:
    """The threshold with the best F1, half way to the next lower probability."""
    order = np.argsort(-probability, kind="stable")
    ranked = probability[order]
    hits = np.cumsum(present[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + present.sum())
    # Only where the probability falls: equal ones are called together or not at all.
    falls = np.append(ranked[:-1] > ranked[1:], True)
    best = int(np.flatnonzero(falls)[np.argmax(f1[falls])])
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float((ranked[best] + below) / 2)


def absent_up_to(probability: NDArray[np.float64], present: NDArray[np.bool_]) -> float:
    """The highest probability up to which at most the settled share has the finding; 0 without one."""
    order = np.argsort(probability, kind="stable")
    ranked = probability[order]
    wrong = np.cumsum(present[order]) / np.arange(1, len(order) + 1)
    rises = np.append(ranked[:-1] < ranked[1:], True)
    fine = np.flatnonzero(rises & (wrong <= ABSENT_WRONG))
    return float(ranked[fine[-1]]) if len(fine) else 0.0


def _auroc(probability: NDArray[np.float64], present: NDArray[np.bool_]) -> float | None:
    from xemplar.metrics.classification import auroc

    area = float(auroc(present[:, None], probability[:, None])[0])
    return None if np.isnan(area) else area


def _logistic(values: NDArray[np.float64], present: NDArray[np.bool_], strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=500).fit(values, present)


def _clipped(probability: NDArray[np.float64], studies: int) -> NDArray[np.float64]:
    least = 1 / (studies + 2)
    return np.asarray(probability.clip(least, 1 - least), np.float64)


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-values.clip(-50, 50))), np.float64)
