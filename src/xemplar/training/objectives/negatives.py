"""Which reports are wrong for a study: by the findings that they claim, or any of another text.

Knows reports and what they claim; knows no image and no tensor. After X-REM's fine-tuning (Jeong et al.,
2023), whose labels are CheXpert's 14.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xemplar.findings import FINDINGS
from xemplar.report import text_key
from xemplar.training.objectives.mining import FindingTable, Mined
from xemplar.training.sampling import Claimed, Pair

_DEVICES = "Support Devices"


class Negatives:
    """Two wrong reports for each study: by what its report claims, or any of another text."""

    def __init__(self, pairs: Sequence[Pair], by: str) -> None:
        keys = [text_key(pair.report) for pair in pairs]
        labels = np.stack([finding_vector(pair.claims) for pair in pairs]) if pairs else np.zeros((0, 1))
        self._table = FindingTable(labels, keys=keys) if by == "labels" else None
        self._numbers = np.unique(keys, return_inverse=True)[1].reshape(-1).astype(np.int64)

    def draw(self, rng: np.random.Generator) -> Mined:
        """Two for each row that has any."""
        if self._table is not None:
            return self._table.draw(rng)
        return any_two(self._numbers, rng)


def any_two(numbers: NDArray[np.int64], rng: np.random.Generator) -> Mined:
    """For each row two of another number, each such row equally likely; the two may be one."""
    _, group, sizes = np.unique(numbers, return_inverse=True, return_counts=True)
    order, starts = np.argsort(group, kind="stable"), np.cumsum(sizes) - sizes
    has = np.flatnonzero(sizes[group] < len(numbers))
    size, start = sizes[group[has]], starts[group[has]]

    def draw() -> NDArray[np.int64]:
        places = rng.integers(len(numbers) - size) if len(has) else np.empty(0, np.int64)
        return np.asarray(order[places + size * (places >= start)], np.int64)

    return Mined(has, draw(), draw(), np.flatnonzero(sizes[group] == len(numbers)))


def finding_vector(claims: Claimed) -> NDArray[np.float64]:
    """CheXpert's 14 of a report's claims, 1 where present and else 0; the last is "No Finding".

    Uncertain is 0, as CXR-RePaiR takes it; no finding is that nothing but devices is present.
    """
    present = {finding for finding, presence, _ in claims if presence == "present"}
    row = [float(name in present) for name in FINDINGS]
    return np.array([*row, float(not present & (set(FINDINGS) - {_DEVICES}))])
