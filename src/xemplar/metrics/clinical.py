"""Multi-label agreement on findings: precision, recall and F1, per finding, micro and macro.

Knows boolean tables, one row a study and one column a finding; knows nothing of who read the findings
out of a text, nor of what was done with uncertain ones: that is settled, and named, by the caller.
Every score is a function of counts that add up over studies, so that intervals resample the counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import XemplarError

Totals = NDArray[np.int64] | NDArray[np.float64]
"""(..., findings, 3): true positives, false positives, false negatives, summed over studies."""

Average = Literal["micro", "macro", "none"]


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """Sufficient statistics of a multi-label comparison, one row a study.

    `counts` (studies, findings, 3) holds 0 or 1 for true positive, false positive, false negative.
    """

    findings: tuple[str, ...]
    counts: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.counts.ndim != 3 or self.counts.shape[1:] != (len(self.findings), 3):
            raise XemplarError(
                f"counts of shape {self.counts.shape}", wanted=f"(studies, {len(self.findings)} findings, 3)"
            )
        if len(set(self.findings)) != len(self.findings):
            raise XemplarError("a finding named twice", wanted="each finding once")

    @property
    def tp(self) -> NDArray[np.int64]:
        """(studies, findings) true positives."""
        return self.counts[..., 0]

    @property
    def fp(self) -> NDArray[np.int64]:
        """(studies, findings) false positives."""
        return self.counts[..., 1]

    @property
    def fn(self) -> NDArray[np.int64]:
        """(studies, findings) false negatives."""
        return self.counts[..., 2]

    @property
    def totals(self) -> NDArray[np.int64]:
        """(findings, 3), summed over studies: what the scores below take."""
        return np.asarray(self.counts.sum(axis=0), dtype=np.int64)


def count_labels(
    predicted: NDArray[np.bool_], truth: NDArray[np.bool_], *, findings: Sequence[str]
) -> LabelCounts:
    """Compare two boolean tables (studies, findings) cell by cell.

    `findings` names the columns of both. Other shapes or types raise XemplarError.
    """
    wanted = f"two bool tables (studies, {len(findings)} findings)"
    for name, table in (("predicted", predicted), ("truth", truth)):
        if table.dtype != np.bool_ or table.ndim != 2 or table.shape[1] != len(findings):
            raise XemplarError(f"{name} of shape {table.shape} and type {table.dtype}", wanted=wanted)
    if len(predicted) != len(truth):
        raise XemplarError(f"{len(predicted)} predicted studies for {len(truth)} true ones", wanted=wanted)
    cells = (predicted & truth, predicted & ~truth, ~predicted & truth)
    return LabelCounts(tuple(findings), np.stack(cells, axis=-1).astype(np.int64))


def f1(totals: Totals, *, average: Average = "micro") -> NDArray[np.float64]:
    """2 tp / (2 tp + fp + fn), in 0..1.

    `totals` (..., findings, 3); returns (...) for "micro" (counts summed over findings) and "macro"
    (mean over defined findings), (..., findings) for "none". A finding that is positive neither in
    truth nor in prediction has no score: NaN, left out of the macro mean. NaN where nothing is left.
    """
    tp, fp, fn = _parts(totals, average)
    return _finish(2 * tp, 2 * tp + fp + fn, seen=tp + fp + fn, average=average)


def precision(totals: Totals, *, average: Average = "micro") -> NDArray[np.float64]:
    """Precision tp / (tp + fp), in 0..1; shapes and NaN as `f1`.

    A finding that is in the truth and never predicted scores 0 (scikit-learn's zero_division=0):
    silence does not lift a macro mean, and the three scores are means over the same findings.
    """
    tp, fp, fn = _parts(totals, average)
    return _finish(tp, tp + fp, seen=tp + fp + fn, average=average)


def recall(totals: Totals, *, average: Average = "micro") -> NDArray[np.float64]:
    """Recall tp / (tp + fn), in 0..1; shapes and NaN as `f1`.

    A finding that is predicted and never in the truth scores 0, as in `precision`.
    """
    tp, fp, fn = _parts(totals, average)
    return _finish(tp, tp + fn, seen=tp + fp + fn, average=average)


def _checked(totals: Totals) -> NDArray[np.float64]:
    if totals.ndim < 2 or totals.shape[-1] != 3:
        raise XemplarError(f"totals of shape {totals.shape}", wanted="(..., findings, 3)")
    return np.asarray(totals, dtype=np.float64)


def _parts(totals: Totals, average: Average) -> tuple[NDArray[np.float64], ...]:
    """True positives, false positives, false negatives; summed over findings for "micro"."""
    if average not in ("micro", "macro", "none"):
        raise XemplarError(f"average {average!r}", wanted="micro, macro or none")
    numbers = _checked(totals)
    if average == "micro":
        numbers = numbers.sum(axis=-2)
    return numbers[..., 0], numbers[..., 1], numbers[..., 2]


def _finish(
    numerator: NDArray[np.float64],
    denominator: NDArray[np.float64],
    *,
    seen: NDArray[np.float64],
    average: Average,
) -> NDArray[np.float64]:
    """The ratio, 0 where only its denominator is empty, NaN where the finding was never seen."""
    ratio = np.asarray(numerator / np.where(denominator > 0, denominator, 1.0))
    if average != "macro":
        return np.where(seen > 0, ratio, np.nan)
    over = np.count_nonzero(seen > 0, axis=-1)
    total = np.where(seen > 0, ratio, 0.0).sum(axis=-1)
    return np.where(over > 0, total / np.maximum(over, 1), np.nan)
