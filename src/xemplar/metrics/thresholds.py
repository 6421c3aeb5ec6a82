"""Where to cut probabilities: by the best F1, or by a share of misses that is put up with.

Knows arrays alone. Equal probabilities are always on one side of a cut.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best_f1(probability: NDArray[np.float64], present: NDArray[np.bool_]) -> float:
    """The threshold with the best F1, half way to the next lower probability.

    `probability` (n,) and `present` (n,), n of at least 1; at or above the threshold is called present.
    """
    order = np.argsort(-probability, kind="stable")
    ranked = probability[order]
    hits = np.cumsum(present[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + present.sum())
    falls = np.append(ranked[:-1] > ranked[1:], True)
    best = int(np.flatnonzero(falls)[np.argmax(f1[falls])])
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float((ranked[best] + below) / 2)


def absent_up_to(probability: NDArray[np.float64], present: NDArray[np.bool_], *, share: float) -> float:
    """The highest probability up to which at most a share (0..1) is present; 0 where there is none.

    `probability` (n,) and `present` (n,), n of at least 1.
    """
    order = np.argsort(probability, kind="stable")
    ranked = probability[order]
    wrong = np.cumsum(present[order]) / np.arange(1, len(order) + 1)
    rises = np.append(ranked[:-1] < ranked[1:], True)
    fine = np.flatnonzero(rises & (wrong <= share))
    return float(ranked[fine[-1]]) if len(fine) else 0.0
