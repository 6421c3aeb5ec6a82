"""Whether films asked about look like those a calibration was made on: a promise holds for such films alone.

Knows samples of numbers, one a patient; knows nothing of where they come from. A single film can't show
it: a batch of some dozens can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict

LEVEL = 0.01
"""Of batches that haven't moved, at most this share is warned of."""

KEPT = 512
"""Values kept of each feature; of more, as many evenly spaced quantiles."""

FEWEST = 20
"""Films below which nothing is said."""


DIRECTIONS = 8
"""In which an archive's films differ most, along which a batch is compared."""

ROWS = 4096
"""Films of an archive, evenly spaced, by which its directions are found."""


class Directions:
    """Where films lie along the directions in which an archive's own films differ most (Pearson 1901)."""

    def __init__(self, vectors: NDArray[np.floating]) -> None:
        """`vectors` (films, dim) are the archive's."""
        rows = np.asarray(vectors[:: -(-len(vectors) // ROWS)], np.float64)
        self._mean = rows.mean(axis=0)
        axes = np.linalg.svd(rows - self._mean, full_matrices=False)[2][:DIRECTIONS]
        # A direction has no sign of its own: its largest part is made positive.
        largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
        self._axes = axes * np.sign(largest)[:, None]

    def of(self, vectors: NDArray[np.floating]) -> dict[str, NDArray[np.float64]]:
        """(films, dim) -> direction -> (films,)."""
        found = (np.asarray(vectors, np.float64) - self._mean) @ self._axes.T
        return {f"direction {place + 1} of the archive": found[:, place] for place in range(len(self._axes))}


class Seen(BaseModel):
    """What was seen of the calibration's patients: feature -> rising values, one a patient."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    patients: int
    values: dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Drift:
    """How surprising a batch is, and whether it is too much so.

    `p` in 0..1 is of the batch as a whole; `what` names the features that have moved, the most surprising
    first. Below FEWEST films `p` is 1 and nothing warns.
    """

    films: int
    p: float
    warns: bool
    what: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What a user is told."""
        if self.films < FEWEST:
            return f"{self.films} films are too few to tell whether they are like the calibration's"
        if not self.warns:
            return f"no sign that the {self.films} films differ from the calibration's (p = {self.p:.2g})"
        moved = ", ".join(self.what[:3]) + (" ..." if len(self.what) > 3 else "")
        return (
            f"the {self.films} films are not like those calibrated on (p = {self.p:.1g}; moved: {moved}): "
            "what was promised need not hold; run `xemplar calibrate` on studies like these"
        )


def seen_of(values: Mapping[str, ArrayLike]) -> Seen:
    """A summary to keep: each feature's (patients,) values."""
    arrays = {name: np.sort(np.asarray(given, np.float64)) for name, given in values.items()}
    patients = max((len(array) for array in arrays.values()), default=0)
    return Seen(patients=patients, values={name: _thinned(array) for name, array in arrays.items()})


def drift(seen: Seen, values: Mapping[str, ArrayLike]) -> Drift:
    """Compare a batch, each feature's (films,) values, with what was seen of the calibration's patients.

    Each feature by a two-sample Kolmogorov-Smirnov test, the smallest p-value times their number
    (Bonferroni), warned of from LEVEL down: valid whatever ties the features to each other. A feature that
    either side doesn't have is left out.
    """
    shared = [name for name in seen.values if name in values and len(seen.values[name])]
    films = max((len(np.asarray(values[name])) for name in shared), default=0)
    if films < FEWEST:
        return Drift(films, 1.0, warns=False)
    p = {name: ks_p_value(seen.values[name], values[name]) * len(shared) for name in shared}
    moved = sorted((name for name in shared if p[name] <= LEVEL), key=lambda name: (p[name], name))
    return Drift(films, min(1.0, *p.values()), warns=bool(moved), what=tuple(moved))


def ks_p_value(one: ArrayLike, other: ArrayLike) -> float:
    """The p-value of "both samples are of one distribution", by the largest gap of their distributions.

    Kolmogorov's limit, with Stephens' correction for small samples (1970): Q((sqrt(m) + 0.12 + 0.11 /
    sqrt(m)) D) for m = n1 n2 / (n1 + n2), Q(x) = 2 sum_k (-1)^(k-1) exp(-2 k^2 x^2). With ties it is larger
    than it need be.
    """
    a, b = np.sort(np.asarray(one, np.float64)), np.sort(np.asarray(other, np.float64))
    at = np.concatenate([a, b])
    gap = np.abs(np.searchsorted(a, at, "right") / len(a) - np.searchsorted(b, at, "right") / len(b)).max()
    root = np.sqrt(len(a) * len(b) / (len(a) + len(b)))
    x = (root + 0.12 + 0.11 / root) * gap
    if x < 0.2:
        return 1.0  # Q is 1 to within 1e-12, and the sum below converges too slowly
    k = np.arange(1, 101)
    return float(np.clip(2 * np.sum((-1.0) ** (k - 1) * np.exp(-2 * (k * x) ** 2)), 0.0, 1.0))


def _thinned(values: NDArray[np.float64]) -> list[float]:
    if len(values) <= KEPT:
        return [float(value) for value in values]
    return [float(value) for value in np.quantile(values, (np.arange(KEPT) + 0.5) / KEPT)]
