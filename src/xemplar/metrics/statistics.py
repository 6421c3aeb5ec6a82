"""Intervals by the percentile bootstrap that resamples clusters (patients), never single units.

Knows numbers for each unit (a study, a query) and which cluster each unit belongs to; knows nothing
of what the numbers measure. Works on sums: units are added up within their cluster once, and a
replicate is one row of integer weights times those sums, so that no text is ever scored twice.
B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), chapters 8 and 13.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import XemplarError

Numbers = NDArray[np.floating[Any]] | NDArray[np.integer[Any]] | NDArray[np.bool_]

SumStatistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Sums (replicates, ...) -> (replicates,): a score that is a function of sums over units."""

UnitStatistic = Callable[[NDArray[Any]], float]
"""Units (m, ...) -> a number: any score at all, such as a median."""

Clusters = Sequence[str] | NDArray[Any]
"""(n,) the cluster each unit belongs to: patient ids, say."""

_BLOCK_CELLS = 1 << 22
"""Weights in work at once."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its percentile interval and what that rests on.

    `undefined` counts replicates in which the statistic was NaN; they are left out of the quantiles.
    """

    low: float
    high: float
    value: float
    replicates: int
    clusters: int
    undefined: int = 0

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside: for a difference, whether it is told apart from none."""
        return self.low > 0 or self.high < 0

    def format(self, digits: int = 2) -> str:
        """The value and its interval: "0.52 [0.47, 0.57]"."""
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"

    def __str__(self) -> str:
        return self.format()


def with_counts(values: Numbers) -> NDArray[np.float64]:
    """(n,) values -> (n, 2) value and 1: the sums from which `ratio` takes their mean."""
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1:
        raise XemplarError(f"values of shape {numbers.shape}", wanted="one value for each unit")
    return np.stack([numbers, np.ones_like(numbers)], axis=1)


def ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 2) -> (...): the first sum over the second, NaN where that is 0."""
    numerator, denominator = sums[..., 0], sums[..., 1]
    safe = np.where(denominator != 0, denominator, 1.0)
    return np.where(denominator != 0, numerator / safe, np.nan)


def bootstrap(
    statistic: SumStatistic,
    per_unit_sums: Numbers,
    *,
    clusters: Clusters,
    seed: int,
    replicates: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Interval of a score that is a function of sums over units.

    `per_unit_sums` (n, ...) is added up within clusters; `statistic` sees (replicates, ...) sums and
    returns (replicates,). Mean of successes: `bootstrap(ratio, with_counts(successes), ...)`; micro
    F1: `bootstrap(f1, label_counts.counts, ...)`. `level` in 0..1 is the interval's coverage. No
    unit, one cluster, unequal lengths or NaN sums raise XemplarError.
    """
    sums, codes, count = _checked(per_unit_sums, clusters)
    by_cluster = _within_clusters(sums, codes, count)
    weights = _weight_blocks(count, replicates, seed)
    shape = sums.shape[1:]
    draws = np.concatenate([_apply(statistic, block, by_cluster, shape=shape) for block in weights])
    value = _apply(statistic, np.ones((1, count)), by_cluster, shape=shape)[0]
    return _interval(draws, float(value), clusters=count, level=level)


def paired_difference(
    statistic: SumStatistic,
    per_unit_sums: tuple[Numbers, Numbers],
    *,
    clusters: Clusters,
    seed: int,
    replicates: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Interval of the difference first minus second, both from the same resamples.

    `per_unit_sums` holds the sums of two systems over the same units in the same order; the rest and
    the errors as `bootstrap`. `excludes_zero` of the result says whether they are told apart.
    """
    first, second = (np.asarray(sums, dtype=np.float64) for sums in per_unit_sums)
    if first.shape != second.shape:
        raise XemplarError(
            f"sums of shapes {first.shape} and {second.shape}", wanted="two systems over the same units"
        )

    def difference(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return statistic(sums[:, 0]) - statistic(sums[:, 1])

    both = np.stack([first, second], axis=1) if first.ndim else first
    return bootstrap(difference, both, clusters=clusters, seed=seed, replicates=replicates, level=level)


def bootstrap_units(
    statistic: UnitStatistic,
    units: Numbers,
    *,
    clusters: Clusters,
    seed: int,
    replicates: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Interval of a score that is no function of sums, such as a median rank.

    `statistic` sees the units (m, ...) of the drawn clusters, repeated as often as they were drawn,
    once for each replicate: slower than `bootstrap` by the cost of the statistic. For a paired
    difference let `units` hold both systems in columns and `statistic` subtract. Errors as
    `bootstrap`.
    """
    numbers, codes, count = _checked(units, clusters)
    draws = np.array(
        [
            statistic(np.repeat(numbers, row[codes].astype(np.int64), axis=0))
            for block in _weight_blocks(count, replicates, seed)
            for row in block
        ],
        dtype=np.float64,
    )
    return _interval(draws, float(statistic(numbers)), clusters=count, level=level)


def _checked(units: Numbers, clusters: Clusters) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    """Units as floats, their clusters numbered from 0, and how many clusters there are."""
    numbers, names = np.asarray(units, dtype=np.float64), np.asarray(clusters)
    if names.ndim != 1 or numbers.ndim < 1 or len(numbers) != len(names):
        raise XemplarError(
            f"units of shape {numbers.shape} for clusters of shape {names.shape}",
            wanted="one cluster for each unit",
        )
    if not len(numbers):
        raise XemplarError("no unit to resample", wanted="units of two clusters at least")
    if np.isnan(numbers).any():
        raise XemplarError(
            "NaN among the units", wanted="numbers", remedy="leave out what is undefined and count it"
        )
    unique, codes = np.unique(names, return_inverse=True)
    if len(unique) < 2:
        raise XemplarError(
            f"{len(names)} units of a single cluster",
            wanted="two clusters at least",
            remedy="give the patient of each unit",
        )
    return numbers, codes.reshape(-1).astype(np.int64), len(unique)


def _within_clusters(sums: NDArray[np.float64], codes: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """(n, ...) -> (clusters, columns): added up within clusters, in the order of the units."""
    flat = sums.reshape(len(sums), -1)
    total = np.zeros((count, flat.shape[1]), dtype=np.float64)
    np.add.at(total, codes, flat)
    return total


def _weight_blocks(count: int, replicates: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each cluster is drawn: rows of `count` draws with replacement, block by block."""
    if replicates < 1:
        raise XemplarError(f"{replicates} replicates", wanted="one at least")
    rng = np.random.default_rng(seed)
    height = max(1, _BLOCK_CELLS // count)
    for start in range(0, replicates, height):
        rows = min(height, replicates - start)
        drawn = rng.integers(0, count, size=(rows, count))
        drawn += np.arange(rows)[:, None] * count
        yield np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)


def _apply(
    statistic: SumStatistic,
    weights: NDArray[np.float64],
    by_cluster: NDArray[np.float64],
    *,
    shape: tuple[int, ...],
) -> NDArray[np.float64]:
    values = np.asarray(statistic((weights @ by_cluster).reshape(len(weights), *shape)), dtype=np.float64)
    if values.shape != (len(weights),):
        raise XemplarError(
            f"a statistic that turns {len(weights)} rows of sums into shape {values.shape}",
            wanted="one number for each row",
        )
    return values


def _interval(draws: NDArray[np.float64], value: float, *, clusters: int, level: float) -> Interval:
    if not 0 < level < 1:
        raise XemplarError(f"level {level}", wanted="a coverage between 0 and 1")
    known = draws[~np.isnan(draws)]
    tail = (1 - level) / 2
    low, high = np.quantile(known, [tail, 1 - tail]) if len(known) else (np.nan, np.nan)
    return Interval(float(low), float(high), value, len(draws), clusters, len(draws) - len(known))
