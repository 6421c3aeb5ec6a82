"""How sure a score is, and whether two runs differ: bootstrap and randomisation of whole patients.

Knows numbers for each unit (a study, a query) and which cluster (patient) each unit belongs to; knows
nothing of what the numbers measure. Whole clusters are drawn and whole clusters change sides, for the
studies of one patient are no independent witnesses. Works on sums: units are added up within their
cluster once, and a replicate is one row of integer weights times those sums, so that no text is ever
scored twice. Draws come from a generator of their own, whose seed stands in the result.
B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), chapters 8 and 13; E. Noreen,
Computer-Intensive Methods for Testing Hypotheses (1989); S. Holm, Scand. J. Statistics 6 (1979).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import XemplarError

Numbers = NDArray[np.floating[Any]] | NDArray[np.integer[Any]] | NDArray[np.bool_]

SumStatistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Sums (replicates, ...) -> (replicates,): a score that is a function of sums over units."""

WeightStatistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""How often each unit is drawn (replicates, n) -> (replicates,): a score such as an AUROC."""

UnitStatistic = Callable[[NDArray[Any]], float]
"""Units (m, ...) -> a number: any score at all, such as a median."""

Clusters = Sequence[str] | NDArray[Any]
"""(n,) the cluster each unit belongs to: patient ids, say."""

_BLOCK_CELLS = 1 << 22
"""Weights in work at once."""

_ROUNDING = 1e-10
"""Of two scores' size: differences closer than this are one difference, summed in another order."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its percentile interval and what that rests on.

    `undefined` counts replicates in which the statistic was NaN; they are left out of the quantiles.
    `level` is the coverage aimed at; `seed` gives the same draws again.
    """

    low: float
    high: float
    value: float
    replicates: int
    clusters: int
    undefined: int = 0
    level: float = 0.95
    seed: int | None = None

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside: for a difference, whether it is told apart from none."""
        return self.low > 0 or self.high < 0

    def format(self, digits: int = 2) -> str:
        """The value and its interval: "0.52 [0.47, 0.57]"."""
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"

    def __str__(self) -> str:
        return self.format()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs on the same units under one score; p-values are two-sided.

    `difference` is first minus second. `p_bootstrap` says at which level the percentile interval just
    reaches 0. `p_randomised` says how often a difference as large comes about where the two results
    of each cluster change sides by the toss of a coin. A replicate in which the score is undefined
    counts against a difference. Both are NaN where the difference is.
    """

    first: float
    second: float
    difference: Interval
    p_bootstrap: float
    p_randomised: float


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


class Resampler:
    """Draws of whole clusters, made once and shared by every score, so that scores can be set side by side.

    `clusters` (n,) says whose each unit is. `level` in 0..1 is the intervals' coverage. The same seed
    gives the same draws. No unit, one cluster and no replicate raise XemplarError; so do units of
    another number, NaN among them and sums of two runs that differ in shape, wherever they are given.
    """

    def __init__(self, clusters: Clusters, *, seed: int, replicates: int = 1000, level: float = 0.95) -> None:
        if replicates < 1 or seed < 0:
            raise XemplarError(f"{replicates} replicates, seed {seed}", wanted="1 and 0 at least")
        if not 0 < level < 1:
            raise XemplarError(f"level {level}", wanted="a coverage between 0 and 1")
        self.seed, self.replicates, self.level = seed, replicates, level
        self._codes, self.clusters = _numbered(clusters)

    def intervals(
        self, statistics: Mapping[str, SumStatistic], per_unit_sums: Numbers
    ) -> dict[str, Interval]:
        """The interval of every score that is a function of the same sums (n, ...)."""
        sums = self._within(per_unit_sums)
        drawn, whole = self._drawn(sums), sums.sum(axis=0, keepdims=True)
        return {
            name: self._interval(_rowwise(statistic(drawn), self.replicates), _one(statistic, whole))
            for name, statistic in statistics.items()
        }

    def interval(self, statistic: SumStatistic, per_unit_sums: Numbers) -> Interval:
        """The interval of one score; `statistic` sees (replicates, ...) sums, returns (replicates,)."""
        return self.intervals({"": statistic}, per_unit_sums)[""]

    def comparisons(
        self, statistics: Mapping[str, SumStatistic], first: Numbers, second: Numbers
    ) -> dict[str, Comparison]:
        """Two runs compared under every score that is a function of the same sums (n, ...).

        `first` and `second` hold the runs' sums over the same units in the same order. The smallest
        p-value there can be is 1 / (replicates + 1), for the bootstrap twice that; `holm` adjusts
        them for their number.
        """
        both = self._within_both(first, second)
        whole, drawn = both.sum(axis=0, keepdims=True), self._drawn(both)
        moved = self._moved(both[:, 1] - both[:, 0])
        swapped = whole[:, 0] + moved, whole[:, 1] - moved
        found = {}
        for name, statistic in statistics.items():
            values = _one(statistic, whole[:, 0]), _one(statistic, whole[:, 1])
            draws, tosses = (
                _rowwise(statistic(one), self.replicates) - _rowwise(statistic(other), self.replicates)
                for one, other in ((drawn[:, 0], drawn[:, 1]), swapped)
            )
            found[name] = self._comparison(values, draws, tosses)
        return found

    def comparison(self, statistic: SumStatistic, first: Numbers, second: Numbers) -> Comparison:
        """Two runs compared under one score; arguments as `comparisons`."""
        return self.comparisons({"": statistic}, first, second)[""]

    def unit_interval(self, statistic: UnitStatistic, units: Numbers) -> Interval:
        """The interval of a score that is no function of sums, such as a median rank.

        `statistic` sees the units (m, ...) of the drawn clusters, repeated as often as they were
        drawn, once for each replicate: slower than `interval` by the cost of the statistic.
        """
        numbers = self._units(units)
        draws = [statistic(np.repeat(numbers, row[self._codes], axis=0)) for row in self._weights]
        return self._interval(np.array(draws, dtype=np.float64), float(statistic(numbers)))

    def weight_interval(self, statistic: WeightStatistic) -> Interval:
        """The interval of a score that takes weights, such as an AUROC.

        `statistic` holds the units itself, sees how often each is drawn, (rows, n) block by block,
        and returns (rows,). For a paired difference it may hold both runs and subtract.
        """
        draws = [
            _rowwise(statistic(block[:, self._codes]), len(block))
            for block in self._blocks(self._weights, len(self._codes))
        ]
        return self._interval(np.concatenate(draws), _one(statistic, np.ones((1, len(self._codes)))))

    @cached_property
    def _weights(self) -> NDArray[np.uint16]:
        """(replicates, clusters) how often each cluster is drawn, with replacement."""
        rng, count = np.random.default_rng(self.seed), self.clusters
        weights = np.empty((self.replicates, count), dtype=np.uint16)
        for rows in _row_slices(self.replicates, count):
            drawn = rng.integers(0, count, size=(rows.stop - rows.start, count))
            drawn += np.arange(len(drawn))[:, None] * count
            weights[rows] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        return weights

    @cached_property
    def _sides(self) -> NDArray[np.bool_]:
        """(replicates, clusters) which clusters change sides; not from the draws' own generator."""
        rng = np.random.default_rng([self.seed, 1])
        return rng.integers(0, 2, size=(self.replicates, self.clusters), dtype=np.uint8).astype(np.bool_)

    def _blocks(self, rows: NDArray[Any], width: int) -> Iterator[NDArray[np.float64]]:
        return (rows[part].astype(np.float64) for part in _row_slices(len(rows), width))

    def _drawn(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums (clusters, ...) of what each replicate drew: (replicates, ...)."""
        return self._times(self._weights, sums)

    def _moved(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums (clusters, ...) of what changes sides in each replicate: (replicates, ...)."""
        return self._times(self._sides, sums)

    def _times(self, rows: NDArray[Any], sums: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = sums.reshape(len(sums), -1)
        product = np.concatenate([block @ flat for block in self._blocks(rows, rows.shape[1])])
        return product.reshape(len(rows), *sums.shape[1:])

    def _units(self, units: Numbers) -> NDArray[np.float64]:
        numbers = np.asarray(units, dtype=np.float64)
        if numbers.ndim < 1 or len(numbers) != len(self._codes):
            raise XemplarError(
                f"units of shape {numbers.shape} for clusters of shape {self._codes.shape}",
                wanted="one cluster for each unit",
            )
        if np.isnan(numbers).any():
            raise XemplarError(
                "NaN among the units", wanted="numbers", remedy="leave out what is undefined and count it"
            )
        return numbers

    def _within(self, units: Numbers) -> NDArray[np.float64]:
        """(n, ...) -> (clusters, ...): added up within clusters, in the order of the units."""
        numbers = self._units(units)
        if np.isinf(numbers).any():
            raise XemplarError("an infinite number among the units", wanted="numbers that can be summed")
        total = np.zeros((self.clusters, *numbers.shape[1:]), dtype=np.float64)
        np.add.at(total, self._codes, numbers)
        return total

    def _within_both(self, first: Numbers, second: Numbers) -> NDArray[np.float64]:
        """Two runs' (n, ...) -> (clusters, 2, ...)."""
        if np.shape(first) != np.shape(second):
            raise XemplarError(
                f"sums of shapes {np.shape(first)} and {np.shape(second)}",
                wanted="two systems over the same units",
            )
        return np.stack([self._within(first), self._within(second)], axis=1)

    def _interval(self, draws: NDArray[np.float64], value: float) -> Interval:
        known = draws[~np.isnan(draws)]
        tail = (1 - self.level) / 2
        low, high = np.quantile(known, [tail, 1 - tail]) if len(known) else (np.nan, np.nan)
        undefined = len(draws) - len(known)
        return Interval(
            float(low), float(high), value, len(draws), self.clusters, undefined, self.level, self.seed
        )

    def _comparison(
        self, values: tuple[float, float], draws: NDArray[np.float64], tosses: NDArray[np.float64]
    ) -> Comparison:
        difference = values[0] - values[1]
        interval = self._interval(draws, difference)
        if np.isnan(difference):
            return Comparison(*values, interval, np.nan, np.nan)
        slack = _ROUNDING * (abs(values[0]) + abs(values[1]))
        # An undefined replicate is NaN: no comparison with it holds, and so it counts on both sides.
        sides = (np.count_nonzero(~(draws > slack)), np.count_nonzero(~(draws < -slack)))
        as_large = np.count_nonzero(~(np.abs(tosses) < abs(difference) - slack))
        bootstrapped, randomised = (
            min(1.0, float(count + 1) / (self.replicates + 1) * tails)
            for count, tails in ((min(sides), 2), (as_large, 1))
        )
        return Comparison(*values, interval, bootstrapped, randomised)


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
    F1: `bootstrap(f1, label_counts.counts, ...)`. Arguments and errors as `Resampler`.
    """
    draws = Resampler(clusters, seed=seed, replicates=replicates, level=level)
    return draws.interval(statistic, per_unit_sums)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P-values adjusted for their number, so that all may be held against one level (S. Holm, 1979).

    The i-th smallest of m, from 0, is multiplied by m - i; none falls below a smaller one's, none
    exceeds 1. NaN, a test that could not be made, stays NaN and is not counted in m. Values outside
    0..1 raise XemplarError.
    """
    known = {name: p for name, p in p_values.items() if not np.isnan(p)}
    if any(not 0 <= p <= 1 for p in known.values()):
        raise XemplarError("a p-value outside 0..1", wanted="probabilities")
    adjusted, reached = dict(p_values), 0.0
    for place, name in enumerate(sorted(known, key=known.__getitem__)):
        reached = max(reached, min(1.0, known[name] * (len(known) - place)))
        adjusted[name] = reached
    return adjusted


def _numbered(clusters: Clusters) -> tuple[NDArray[np.int64], int]:
    """Clusters of units numbered from 0, and how many there are."""
    names = np.asarray(clusters)
    if names.ndim != 1:
        raise XemplarError(f"clusters of shape {names.shape}", wanted="one cluster for each unit")
    unknown = sum(name is None or name != name for name in names)
    if unknown:
        raise XemplarError(f"{unknown} units of an unknown cluster", wanted="the patient of each unit")
    if not len(names):
        raise XemplarError("no unit to resample", wanted="units of two clusters at least")
    unique, codes = np.unique(names, return_inverse=True)
    if len(unique) < 2:
        raise XemplarError(
            f"{len(names)} units of a single cluster",
            wanted="two clusters at least",
            remedy="give the patient of each unit",
        )
    return codes.reshape(-1).astype(np.int64), len(unique)


def _row_slices(rows: int, width: int) -> Iterator[slice]:
    height = max(1, _BLOCK_CELLS // width)
    return (slice(start, min(start + height, rows)) for start in range(0, rows, height))


def _one(statistic: SumStatistic, row: NDArray[np.float64]) -> float:
    return float(_rowwise(statistic(row), 1)[0])


def _rowwise(values: NDArray[Any], rows: int) -> NDArray[np.float64]:
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (rows,):
        raise XemplarError(
            f"a statistic that turns {rows} rows of sums into shape {values.shape}",
            wanted="one number for each row",
        )
    return values
