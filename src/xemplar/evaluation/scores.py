"""Rows of the result: ours, the floors, chance and paired differences, for one measure each.

Knows metrics and intervals; knows nothing of archives or pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xemplar.contracts import Json
from xemplar.metrics import clinical, ranking
from xemplar.metrics.chance import chance_median_rank, chance_recall, chance_success
from xemplar.metrics.clinical import LabelCounts
from xemplar.metrics.statistics import (
    Interval,
    Resampler,
    ratio,
    with_counts,
)

DEPTHS = (1, 5, 10)
Numbers = NDArray[np.float64]
Counts = NDArray[np.float64] | NDArray[np.int64]
Statistic = Callable[[Numbers], Numbers]
"""(replicates, ...) sums -> (replicates,) values."""


@dataclass(frozen=True)
class Resampling:
    """How intervals are made: what stays together, how often, from which seed; drawn once for all scores."""

    clusters: NDArray[np.str_]
    replicates: int = 1000
    seed: int = 0

    def of(self, rows: NDArray[np.bool_]) -> Resampling:
        """The same for some of the studies."""
        return Resampling(self.clusters[rows], self.replicates, self.seed)

    def interval(self, statistic: Statistic, sums: Counts) -> Interval:
        """A statistic of summed units, with its interval."""
        return self._draws.interval(statistic, sums)

    def gain(self, statistic: Statistic, ours: Counts, theirs: Counts) -> Interval:
        """Ours less theirs, paired."""
        return self._draws.comparison(statistic, ours, theirs).difference

    def units(self, statistic: Callable[[Numbers], float], units: Numbers) -> Interval:
        """A statistic that needs the units themselves, such as a median."""
        return self._draws.unit_interval(statistic, units)

    def weighted(self, statistic: Statistic) -> Interval:
        """A statistic of how often each study is drawn: (rows, studies) -> (rows,)."""
        return self._draws.weight_interval(statistic)

    @cached_property
    def _draws(self) -> Resampler:
        return Resampler(self.clusters, seed=self.seed, replicates=self.replicates)


@dataclass(frozen=True, slots=True)
class Score:
    """One measure of ours with its interval, beside its floors on the same studies."""

    measure: str
    ours: Interval
    chance: float | None = None
    floors: dict[str, Interval] = field(default_factory=dict)
    differences: dict[str, Interval] = field(default_factory=dict)
    """Ours less the floor, paired."""

    def json(self) -> Json:
        """As it stands in summary.json."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Run:
    """One system's ranking of a gallery: a score for every query and item."""

    name: str
    scores: NDArray[np.float32]


def ranking_scores(runs: Sequence[Run], relevant: NDArray[np.bool_], resampling: Resampling) -> list[Score]:
    """Measures of the first run, the others as floors; every run over the same queries and items."""
    ours, *floors = runs
    count, counts = relevant.shape[1], relevant.sum(axis=1)

    def means(name: str, values: Callable[[Run], Numbers], chance: Numbers | None) -> Score:
        mine = with_counts(values(ours))
        theirs = {floor.name: with_counts(values(floor)) for floor in floors}
        return Score(
            name,
            resampling.interval(ratio, mine),
            None if chance is None else float(chance.mean()),
            {floor: resampling.interval(ratio, sums) for floor, sums in theirs.items()},
            {floor: resampling.gain(ratio, mine, sums) for floor, sums in theirs.items()},
        )

    rows = [
        means(
            f"success@{k}",
            lambda run, k=k: ranking.success_at_k(run.scores, relevant, k),  # type: ignore[misc]
            chance_success(counts, count, k),
        )
        for k in DEPTHS
    ]
    rows.append(
        means(
            "recall@10",
            lambda run: ranking.recall_at_k(run.scores, relevant, 10),
            chance_recall(counts, count, 10),
        )
    )
    rows.append(means("MRR", lambda run: ranking.reciprocal_ranks(run.scores, relevant), None))
    rows.append(_median_rank(runs, relevant, resampling))
    return rows


def _median_rank(runs: Sequence[Run], relevant: NDArray[np.bool_], resampling: Resampling) -> Score:
    ranks = [ranking.right_ranks(run.scores, relevant).astype(np.float64) for run in runs]
    intervals = [resampling.units(_median, one) for one in ranks]
    gains = [resampling.units(_median_gain, np.stack([ranks[0], one], axis=1)) for one in ranks[1:]]
    names = [run.name for run in runs[1:]]
    chance = chance_median_rank(relevant.sum(axis=1), relevant.shape[1])
    return Score(
        "median rank",
        intervals[0],
        chance,
        dict(zip(names, intervals[1:], strict=True)),
        dict(zip(names, gains, strict=True)),
    )


def draft_scores(ours: LabelCounts, floors: dict[str, LabelCounts], resampling: Resampling) -> list[Score]:
    """Micro and macro F1, precision and recall over present findings."""
    measures: list[tuple[str, Statistic]] = [
        ("micro-F1, present", clinical.f1),
        ("micro-precision, present", _defined(clinical.precision)),
        ("micro-recall, present", clinical.recall),
        ("macro-F1, present", lambda totals: clinical.f1(totals, average="macro")),
    ]
    return [
        _labels(name, statistic, ours, floors=floors, resampling=resampling) for name, statistic in measures
    ]


def finding_scores(ours: LabelCounts, floors: dict[str, LabelCounts], resampling: Resampling) -> list[Score]:
    """F1 of each finding that is present in the truth."""
    rows = []
    for place, name in enumerate(ours.findings):
        true_positives, _, false_negatives = ours.totals[place]
        if true_positives + false_negatives == 0:
            continue
        one = slice(place, place + 1)
        rows.append(
            _labels(
                f"F1 {name}",
                clinical.f1,
                _only(ours, one),
                floors={floor: _only(counts, one) for floor, counts in floors.items()},
                resampling=resampling,
            )
        )
    return rows


def _only(counts: LabelCounts, part: slice) -> LabelCounts:
    return LabelCounts(counts.findings[part], counts.counts[:, part])


def _labels(
    name: str,
    statistic: Statistic,
    ours: LabelCounts,
    *,
    floors: dict[str, LabelCounts],
    resampling: Resampling,
) -> Score:
    return Score(
        name,
        resampling.interval(statistic, ours.counts),
        None,
        {floor: resampling.interval(statistic, counts.counts) for floor, counts in floors.items()},
        {floor: resampling.gain(statistic, ours.counts, counts.counts) for floor, counts in floors.items()},
    )


def _defined(statistic: Statistic) -> Statistic:
    """A draft that states nothing has no precision; it counts as 0 here, as its F1 does."""
    return lambda totals: np.nan_to_num(statistic(totals))


def _median(ranks: Numbers) -> float:
    return float(np.median(ranks))


def _median_gain(ranks: Numbers) -> float:
    return float(np.median(ranks[:, 0]) - np.median(ranks[:, 1]))
