"""How well scores or probabilities tell who has a finding: per finding, and averaged.

Knows tables (studies, findings) of truth, of scores and of which cells are known; knows nothing of who
made them. What is undefined, such as the AUROC of a finding that nobody has, is NaN, stays out of
averages and is counted. What scikit-learn defines is as scikit-learn defines it, but that it fills
some undefined scores with 0. For intervals: counts and squared errors add up over studies
(`Resampler.interval`), AUROC and average precision take weights (`Resampler.weight_interval`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import XemplarError
from xemplar.metrics.statistics import WeightStatistic

Truth = NDArray[np.bool_]
"""(studies, findings) who has it."""

Known = NDArray[np.bool_] | None
"""(studies, findings) which cells count; None for all."""

Scores = NDArray[np.floating[Any]]
"""(studies, findings) higher where the finding is more likely."""

Totals = NDArray[np.int64] | NDArray[np.float64]
"""(..., 4) true positives, false positives, false negatives, true negatives, summed over studies."""

Binning = Literal["width", "mass"]


# --- of the order of the scores ---


def auroc(truth: Truth, scores: Scores, *, known: Known = None) -> NDArray[np.float64]:
    """Area under the ROC curve of every finding, 0..1, a tie counted half: (findings,).

    NaN where all known studies have the finding or none has it. Infinite scores are allowed. Shapes
    that differ, NaN among the known scores and other types raise XemplarError.
    """
    from sklearn.metrics import roc_auc_score

    return _by_finding(
        lambda y, s: roc_auc_score(y, s) if not y.all() else np.nan, truth, scores, known=known
    )


def average_precision(truth: Truth, scores: Scores, *, known: Known = None) -> NDArray[np.float64]:
    """Area under the steps of the precision-recall curve of every finding, 0..1: (findings,).

    Tied scores are one step. NaN where no known study has the finding. Errors as `auroc`.
    """
    from sklearn.metrics import average_precision_score

    return _by_finding(average_precision_score, truth, scores, known=known)


def _by_finding(
    score: Callable[[NDArray[Any], NDArray[Any]], float], truth: Truth, scores: Scores, *, known: Known
) -> NDArray[np.float64]:
    """A score of each column's known cells, NaN where none of them is true."""
    counted = _checked(truth, scores, known)
    values = np.full(truth.shape[1], np.nan)
    for column, cells in enumerate(counted.T):
        y = truth[cells, column]
        if y.any():
            # Only the order matters, and ranks are finite.
            ranks = np.unique(scores[cells, column], return_inverse=True)[1]
            values[column] = score(y, ranks.reshape(-1))
    return values


def auroc_of_weights(truth: Truth, scores: Scores, *, known: Known = None) -> WeightStatistic:
    """The mean AUROC over findings as a function of how often each study is drawn.

    Returns a function of weights (rows, studies) -> (rows,): for one finding give one column. Findings
    undefined in a draw stay out of its mean; NaN where all are. Arguments and errors as `auroc`.
    """
    return _of_weights(_weighted_auroc, truth, scores, known=known)


def average_precision_of_weights(truth: Truth, scores: Scores, *, known: Known = None) -> WeightStatistic:
    """The mean average precision over findings; all else as `auroc_of_weights`."""
    return _of_weights(_weighted_average_precision, truth, scores, known=known)


_Weighted = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def _of_weights(score: _Weighted, truth: Truth, scores: Scores, *, known: Known) -> WeightStatistic:
    """`score` sees the weight of positives and of negatives at every score, highest first."""
    counted = _checked(truth, scores, known)
    columns = []
    for column, cells in enumerate(counted.T):
        rows = np.flatnonzero(cells)
        order = rows[np.argsort(-scores[rows, column], kind="stable")]
        level = scores[order, column]
        starts = np.flatnonzero(np.r_[True, level[1:] != level[:-1]]) if len(order) else order
        columns.append((order, starts, truth[order, column]))

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        values = np.full((len(columns), len(weights)), np.nan)
        for column, (order, starts, has) in enumerate(columns):
            if len(order):
                drawn = weights[:, order]
                parts = (np.add.reduceat(drawn * side, starts, axis=1) for side in (has, ~has))
                values[column] = score(*parts)
        return mean_of_defined(values.T)

    return statistic


def _weighted_auroc(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> NDArray[np.float64]:
    below = negative.sum(axis=1, keepdims=True) - np.cumsum(negative, axis=1)
    won = (positive * (below + negative / 2)).sum(axis=1)
    return _ratio(won, positive.sum(axis=1) * negative.sum(axis=1))


def _weighted_average_precision(
    positive: NDArray[np.float64], negative: NDArray[np.float64]
) -> NDArray[np.float64]:
    true = np.cumsum(positive, axis=1)
    called = true + np.cumsum(negative, axis=1)
    gained = positive * true / np.where(called > 0, called, 1.0)
    return _ratio(gained.sum(axis=1), true[:, -1])


# --- at a threshold ---


def confusion(truth: Truth, predicted: Truth, *, known: Known = None) -> NDArray[np.int64]:
    """Sufficient statistics, one row a study: (studies, findings, 4) of 0 and 1, as in `Totals`.

    A cell that isn't known is 0 in all four. The scores below take their sums over studies. Shapes
    that differ and types other than bool raise XemplarError.
    """
    if predicted.dtype != np.bool_:
        raise XemplarError(f"predictions of type {predicted.dtype}", wanted="bool")
    counted = _checked(truth, predicted, known)
    cells = (truth & predicted, ~truth & predicted, truth & ~predicted, ~truth & ~predicted)
    return np.stack([cell & counted for cell in cells], axis=-1).astype(np.int64)


def above(scores: Scores, threshold: float | NDArray[np.floating[Any]] = 0.5) -> Truth:
    """(studies, findings) whether the score reaches the threshold, one for all or one a finding."""
    bars = np.asarray(threshold, dtype=np.float64)
    if bars.shape not in ((), scores.shape[1:]) or np.isnan(bars).any():
        raise XemplarError(f"thresholds of shape {bars.shape}", wanted="a number, or one for each finding")
    return np.asarray(scores >= bars, dtype=np.bool_)


def sensitivity(totals: Totals) -> NDArray[np.float64]:
    """Share of those who have it that is called, tp / (tp + fn), 0..1: (..., 4) -> (...).

    Also called recall. NaN where nobody has the finding.
    """
    tp, _, fn, _ = _parts(totals)
    return _ratio(tp, tp + fn)


def specificity(totals: Totals) -> NDArray[np.float64]:
    """Share of those who don't that is not called, tn / (tn + fp): (..., 4) -> (...).

    NaN where everybody has the finding.
    """
    _, fp, _, tn = _parts(totals)
    return _ratio(tn, tn + fp)


def f1(totals: Totals) -> NDArray[np.float64]:
    """2 tp / (2 tp + fp + fn), 0..1: (..., 4) -> (...), NaN where it neither is nor is predicted."""
    tp, fp, fn, _ = _parts(totals)
    return _ratio(2 * tp, 2 * tp + fp + fn)


def mcc(totals: Totals) -> NDArray[np.float64]:
    """Matthews' correlation, -1..1: (..., 4) -> (...), NaN where a side is constant (scikit-learn: 0).

    B. Matthews, Biochim. Biophys. Acta 405 (1975).
    """
    tp, fp, fn, tn = _parts(totals)
    spread = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    return _ratio(tp * tn - fp * fn, spread)


def kappa(totals: Totals) -> NDArray[np.float64]:
    """Cohen's kappa, up to 1: (..., 4) -> (...), NaN where chance alone agrees on everything.

    J. Cohen, Educational and Psychological Measurement 20 (1960).
    """
    tp, fp, fn, tn = _parts(totals)
    return _ratio(2 * (tp * tn - fp * fn), (tp + fp) * (fp + tn) + (tp + fn) * (fn + tn))


# --- of probabilities ---


def squared_errors(truth: Truth, probabilities: Scores, *, known: Known = None) -> NDArray[np.float64]:
    """Sufficient statistics of the Brier score: (studies, findings, 2) squared error and 1, or 0 and 0.

    Probabilities outside 0..1 and what `auroc` refuses raise XemplarError.
    """
    counted = _checked(truth, probabilities, known)
    given = _probable(probabilities, counted)
    return np.stack([np.where(counted, (given - truth) ** 2, 0.0), counted], axis=-1)


def brier(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean squared error of probabilities, 0..1, lower is better: (..., 2) sums -> (...).

    G. Brier, Monthly Weather Review 78 (1950), the form for two classes. NaN where nothing is known.
    """
    return _ratio(sums[..., 0], sums[..., 1])


def calibration_sums(
    truth: Truth, probabilities: Scores, *, known: Known = None, bins: int = 15, binning: Binning = "width"
) -> NDArray[np.float64]:
    """Sufficient statistics of `calibration_error`: (studies, findings, bins, 3), 0 but in one bin.

    The three are 1, the probability, and 1 where the finding is there. "width": bins of equal width
    over 0..1, each without its lower and with its upper end, the first with both. "mass": bins between
    the quantiles of each finding's known probabilities, closed alike; equal probabilities share one.
    """
    counted = _checked(truth, probabilities, known)
    given = _probable(probabilities, counted)
    if bins < 1 or binning not in ("width", "mass"):
        raise XemplarError(f"{bins} bins by {binning!r}", wanted="one at least, by width or mass")
    sums = np.zeros((*truth.shape, bins, 3), dtype=np.float64)
    for column, cells in enumerate(counted.T):
        rows = np.flatnonzero(cells)
        shares = np.arange(1, bins) / bins
        by_mass = binning == "mass" and len(rows)
        edges = np.quantile(given[rows, column], shares, method="inverted_cdf") if by_mass else shares
        place = np.searchsorted(edges, given[rows, column], side="left")
        sums[rows, column, place] = np.stack(
            [np.ones(len(rows)), given[rows, column], truth[rows, column]], axis=-1
        )
    return sums


def calibration_error(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expected calibration error, 0..1, lower is better: (..., bins, 3) sums -> (...).

    Mean over studies of |mean probability - share that has the finding| in their bin; of the finding's
    own probability, not of the predicted class's. M. Pakdaman Naeini et al. (2015), C. Guo et al.
    (2017). It depends on the binning, so its name must say it. NaN where nothing is known.
    """
    return _ratio(np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1), sums[..., 0].sum(axis=-1))


# --- all of them, and averages ---


@dataclass(frozen=True, slots=True)
class FindingScores:
    """One measure per finding, and its averages over those findings for which it is defined.

    `macro` is their mean, `weighted` their mean by how many studies have the finding, `micro` the
    measure of all known cells thrown together. NaN where nothing is left; `undefined` names who is NaN.
    """

    per_finding: dict[str, float]
    macro: float
    weighted: float
    micro: float

    @property
    def undefined(self) -> tuple[str, ...]:
        """The findings for which the measure is NaN."""
        return tuple(name for name, value in self.per_finding.items() if np.isnan(value))


def classification_scores(
    truth: Truth,
    scores: Scores,
    *,
    findings: Sequence[str],
    threshold: float = 0.5,
    known: Known = None,
    bins: int = 15,
) -> dict[str, FindingScores]:
    """Every measure of this module; those at a threshold are named "f1@0.5", the binning "ece_width15".

    `scores` (studies, findings) are probabilities for Brier and calibration error, which are left out
    where a known one lies outside 0..1. `findings` names the columns. Errors as `auroc`.
    """
    counted = _checked(truth, scores, known)
    if len(findings) != truth.shape[1] or len(set(findings)) != len(findings):
        raise XemplarError(f"{len(findings)} names for {truth.shape[1]} findings", wanted="each one once")
    support = np.count_nonzero(truth & counted, axis=0)
    pooled = truth[counted][:, None], scores[counted][:, None]

    def said(each: NDArray[np.float64], micro: NDArray[np.float64] | np.float64) -> FindingScores:
        weight = np.where(np.isnan(each), 0, support)
        weighted = float(_ratio(np.asarray(np.nansum(each * weight)), np.asarray(weight.sum())))
        values = dict(zip(findings, each.tolist(), strict=True))
        return FindingScores(values, float(mean_of_defined(each)), weighted, float(micro))

    found = {
        name: said(score(truth, scores, known=known), score(pooled[0], pooled[1])[0])
        for name, score in (("auroc", auroc), ("average_precision", average_precision))
    }
    totals = confusion(truth, above(scores, threshold), known=known).sum(axis=0)
    for at in (f1, sensitivity, specificity, mcc, kappa):
        found[f"{at.__name__}@{threshold:g}"] = said(at(totals), at(totals.sum(axis=0)))
    if ((scores >= 0) & (scores <= 1) | ~counted).all():
        errors = squared_errors(truth, scores, known=known).sum(axis=0)
        found["brier"] = said(brier(errors), brier(errors.sum(axis=0)))
        calibration = calibration_sums(truth, scores, known=known, bins=bins).sum(axis=0)
        found[f"ece_width{bins}"] = said(
            calibration_error(calibration), calibration_error(calibration.sum(0))
        )
    return found


def mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., findings) -> (...): the mean of what isn't NaN, NaN where all is."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1))


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[Any]) -> NDArray[np.float64]:
    known = denominator > 0
    return np.where(known, numerator / np.where(known, denominator, 1.0), np.nan)


def _parts(totals: Totals) -> tuple[NDArray[np.float64], ...]:
    if totals.ndim < 1 or totals.shape[-1] != 4:
        raise XemplarError(f"totals of shape {totals.shape}", wanted="(..., 4)")
    return tuple(np.moveaxis(np.asarray(totals, dtype=np.float64), -1, 0))


def _checked(truth: Truth, scores: Scores | Truth, known: Known) -> NDArray[np.bool_]:
    """Which cells count, after shapes, types and NaN were looked at."""
    counted = np.ones(truth.shape, dtype=np.bool_) if known is None else known
    for name, table, kinds in (("truth", truth, "b"), ("scores", scores, "bfiu"), ("known", counted, "b")):
        if table.ndim != 2 or table.shape != truth.shape or table.dtype.kind not in kinds:
            raise XemplarError(
                f"{name} of shape {table.shape} and type {table.dtype}",
                wanted=f"{'bool' if kinds == 'b' else 'numbers'} (studies, findings) like the truth",
            )
    nan = np.isnan(scores) & counted
    if nan.any():
        raise XemplarError(
            f"NaN among the scores of {np.count_nonzero(nan.any(axis=1))} studies",
            wanted="a number in every known cell",
            remedy="say in `known` which cells count",
        )
    return counted


def _probable(probabilities: Scores, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    given = np.where(counted, probabilities, 0.0).astype(np.float64)
    if ((given < 0) | (given > 1)).any():
        raise XemplarError(
            f"values from {given.min():g} to {given.max():g} as probabilities", wanted="0 to 1"
        )
    return given
