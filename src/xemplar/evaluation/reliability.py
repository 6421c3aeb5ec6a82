"""Whether a calibrated probability means what it says, on studies that calibration never saw.

Knows probabilities, truths and what was claimed; knows nothing of how any of them came about. Brier
(Monthly Weather Review 78, 1950); expected calibration error over bins of equal count as in Nixon et
al. (CVPR workshops 2019), where equal probabilities share a bin.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from xemplar.contracts import Json
from xemplar.evaluation.scores import Resampling, Score
from xemplar.metrics.classification import calibration_error
from xemplar.metrics.statistics import Interval, ratio

BINS = 10
PREVALENCE = "prevalence at calibration"
BRIER = "Brier score"
Table = NDArray[np.bool_]
"""(studies, findings)"""


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What was believed of each study and finding with a fit, and what is true.

    `probabilities` and `truth` (studies, findings); `prevalence` (findings,) is the share of the
    calibration studies that had each finding, all that one would know without looking.
    """

    findings: tuple[str, ...]
    probabilities: NDArray[np.float64]
    truth: Table
    prevalence: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Claimed:
    """What the drafts of the same studies state and deny, of findings whose truth is known."""

    stated: Table
    denied: Table
    truth: Table


def reliability(beliefs: Beliefs, claimed: Claimed, resampling: Resampling) -> Json:
    """Brier score beside its floor, calibration error by bins, and which share of claims is wrong."""
    bins = equal_count_bins(beliefs.probabilities)
    rows, error = _bins(beliefs, bins, resampling)
    wrong = {
        "stated": (claimed.stated & ~claimed.truth, claimed.stated),
        "denied": (claimed.denied & claimed.truth, claimed.denied),
    }
    return {
        "findings": list(beliefs.findings),
        "studies": len(beliefs.truth),
        "pairs": beliefs.truth.size,
        "brier": _brier(beliefs, resampling).json(),
        "expected_calibration_error": asdict(error),
        "bins": rows,
        **{
            f"wrong_among_{name}": {**asdict(_share(part, of, resampling)), "claims": int(of.sum())}
            for name, (part, of) in wrong.items()
        },
    }


def equal_count_bins(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bin of every probability, numbered from 0 upwards: as near to equal counts as ties allow."""
    ranked = np.sort(probabilities, axis=None)
    edges = np.unique(ranked[[part * len(ranked) // BINS for part in range(1, BINS)]])
    found = np.searchsorted(edges, probabilities, side="right")
    return np.unique(found, return_inverse=True)[1].reshape(probabilities.shape).astype(np.int64)


def _brier(beliefs: Beliefs, resampling: Resampling) -> Score:
    def sums(guess: NDArray[np.float64]) -> NDArray[np.float64]:
        squares = (guess - beliefs.truth) ** 2
        return np.stack([squares.sum(axis=1), np.full(len(squares), squares.shape[1])], axis=1)

    ours = sums(beliefs.probabilities)
    floor = sums(np.broadcast_to(beliefs.prevalence, beliefs.truth.shape))
    return Score(
        BRIER,
        resampling.interval(ratio, ours),
        None,
        {PREVALENCE: resampling.interval(ratio, floor)},
        {PREVALENCE: resampling.gain(ratio, ours, floor)},
    )


def _bins(beliefs: Beliefs, bins: NDArray[np.int64], resampling: Resampling) -> tuple[list[Json], Interval]:
    """Each bin's means, and the error over all of them; resamples keep the bins as they are."""
    inside = bins[:, :, None] == np.arange(bins.max() + 1)
    parts = (np.ones(bins.shape)[:, :, None], beliefs.probabilities[:, :, None], beliefs.truth[:, :, None])
    sums = np.stack([(inside * part).sum(axis=1) for part in parts], axis=-1)  # (studies, bins, 3)
    rows: list[Json] = []
    for place, (count, predicted, _) in enumerate(sums.sum(axis=0)):
        observed = resampling.interval(ratio, sums[:, place, [2, 0]])
        rows.append({"predicted": float(predicted / count), "observed": asdict(observed), "n": int(count)})
    return rows, resampling.interval(calibration_error, sums)


def _share(part: Table, of: Table, resampling: Resampling) -> Interval:
    return resampling.interval(ratio, np.stack([part.sum(axis=1), of.sum(axis=1)], axis=1))
