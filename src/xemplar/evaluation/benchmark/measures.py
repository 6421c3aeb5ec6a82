"""What is measured: from what each study got to a score, its interval, and the difference of two.

Knows columns and statistics; knows no system. Every measure is a function of sums over studies, or of how
often each study is drawn. Over several seeds the sums are added up, so that the interval is that of one
patient's luck and not of one training's; what each seed alone gives stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xemplar.evaluation.benchmark import papers, said
from xemplar.evaluation.benchmark.asked import Columns
from xemplar.evaluation.benchmark.classifying import CLASS
from xemplar.evaluation.benchmark.retrieving import (
    DEPTHS,
    IMAGE_IMAGE,
    IMAGE_REPORT,
    LABEL_MAP,
    MRR,
    REPORT_IMAGE,
    REPORT_REPORT,
)
from xemplar.metrics import clinical
from xemplar.metrics.classification import auroc_of_weights, average_precision_of_weights
from xemplar.metrics.meteor import meteor_from_sums
from xemplar.metrics.retrieved import RetrievedScores
from xemplar.metrics.statistics import Interval, Resampler, SumStatistic, WeightStatistic, ratio
from xemplar.metrics.wording import bleu_from_sums

Group = Literal["retrieval", "drafts", "classification", "TxtRayAlign", "MedCLIP", "X-REM"]
Runs = Sequence[Columns]
"""One system's columns on one set, a run a seed."""

Numbers = NDArray[np.float64]


Made = Callable[[Runs, str], WeightStatistic]
"""A system's runs and the column in question -> the score as a function of how often each study is drawn."""


def of_sums(statistic: SumStatistic = ratio) -> Made:
    """A score that is a function of sums over studies; those of several runs are added up."""

    def made(runs: Runs, column: str) -> WeightStatistic:
        sums = np.asarray(sum(_sums_of(run[column]) for run in runs), np.float64)
        flat = sums.reshape(len(sums), -1)
        return lambda weights: statistic((weights @ flat).reshape(len(weights), *sums.shape[1:]))

    return made


def of_scores(weighted: Callable[..., WeightStatistic]) -> Made:
    """A score of who ranks above whom, such as an AUROC; over several runs the mean.

    A finding that a way can't tell is as if all films looked alike to it.
    """

    def alone(run: Columns, column: str) -> WeightStatistic:
        scores = np.asarray(run[column], np.float64)
        known = np.broadcast_to(_known(scores)[:, None], scores.shape)
        return weighted(np.asarray(run["truth"], np.bool_), np.nan_to_num(scores), known=known)

    def made(runs: Runs, column: str) -> WeightStatistic:
        each = [alone(run, column) for run in runs]
        return lambda weights: np.asarray(np.mean([one(weights) for one in each], axis=0), np.float64)

    return made


@dataclass(frozen=True, slots=True)
class Measure:
    """A score by its name; `column` is what it is made of, and `made` how."""

    name: str
    group: Group
    column: str
    made: Made = of_sums()  # noqa: RUF009  a function, the same for all

    def has(self, runs: Runs) -> bool:
        """Whether every run has what it is made of, and somebody was asked."""
        return bool(runs) and all(self.column in run and _known(run[self.column]).any() for run in runs)

    def of(self, runs: Runs) -> WeightStatistic:
        """The score over all runs, as a function of how often each study is drawn."""
        return self.made(runs, self.column)

    def at(self, runs: Runs) -> float:
        """The score, every study once."""
        return float(self.of(runs)(np.ones((1, len(runs[0][self.column]))))[0])

    def interval(self, runs: Runs, resampler: Resampler) -> Interval:
        """The score and its interval."""
        return resampler.weight_interval(self.of(runs))


def difference(first: WeightStatistic, second: WeightStatistic, resampler: Resampler) -> Interval:
    """One score less another of the same studies, paired."""
    return resampler.weight_interval(lambda weights: first(weights) - second(weights))


def apart(first: WeightStatistic, second: WeightStatistic, resampler: Resampler, *, count: int) -> Interval:
    """A score on one set less one on another: the draws are of both, of the first set's `count` first."""
    return resampler.weight_interval(lambda w: first(w[:, :count]) - second(w[:, count:]))


def _known(values: NDArray[np.generic]) -> NDArray[np.bool_]:
    """(n,) who was asked."""
    if values.dtype.kind != "f":
        return np.ones(len(values), np.bool_)
    missing: NDArray[np.bool_] = np.isnan(values.reshape(len(values), -1).astype(np.float64))
    return np.asarray(~missing.all(axis=1), np.bool_)


def _sums_of(values: NDArray[np.generic]) -> Numbers:
    """A column's sums: of single numbers (n, 2) value and 1, else as they stand; 0 for who wasn't asked."""
    numbers = np.asarray(values, np.float64)
    if numbers.ndim == 1:
        return np.stack([np.nan_to_num(numbers), ~np.isnan(numbers)], axis=1).astype(np.float64)
    return np.nan_to_num(numbers)


def only(runs: Runs, rows: NDArray[np.bool_]) -> list[Columns]:
    """The same runs over some of the studies."""
    return [{name: values[rows] for name, values in run.items()} for run in runs]


def _defined(totals: Numbers) -> Numbers:
    """Precision of those that state nothing is 0, as their F1 is."""
    return np.nan_to_num(clinical.precision(totals))


RETRIEVAL = (
    *(
        Measure(f"{direction} {what}", "retrieval", f"{direction} {what}")
        for direction in (IMAGE_REPORT, REPORT_IMAGE)
        for what in (MRR, *(f"success@{k}" for k in DEPTHS))
    ),
    *(
        Measure(f"{direction} {LABEL_MAP}", "retrieval", f"{direction} {LABEL_MAP}")
        for direction in (IMAGE_IMAGE, REPORT_REPORT)
    ),
)
MICRO_F1 = Measure("draft micro-F1", "drafts", said.COUNTS, of_sums(clinical.f1))
MACRO_F1 = Measure("draft macro-F1", "drafts", said.COUNTS, of_sums(partial(clinical.f1, average="macro")))
BLEU_2 = Measure("draft BLEU-2 (ReXrank's)", "drafts", said.BLEU2)
DRAFTS = (
    MICRO_F1,
    MACRO_F1,
    Measure("draft micro-precision", "drafts", said.COUNTS, of_sums(_defined)),
    Measure("draft micro-recall", "drafts", said.COUNTS, of_sums(clinical.recall)),
    BLEU_2,
    Measure("draft ROUGE-L", "drafts", said.ROUGE),
)
AUROC, PRECISION = "mean AUROC", "mean average precision"
IMAGE_REPORT_MRR, REPORT_IMAGE_MRR = f"{IMAGE_REPORT} {MRR}", f"{REPORT_IMAGE} {MRR}"
IMAGE_MAP, REPORT_MAP = f"{IMAGE_IMAGE} {LABEL_MAP}", f"{REPORT_REPORT} {LABEL_MAP}"


def classes(way: str) -> tuple[Measure, Measure]:
    """Means over findings of a way's AUROC and average precision."""
    column = f"{CLASS}{way}"
    return (
        Measure(AUROC, "classification", column, of_scores(auroc_of_weights)),
        Measure(PRECISION, "classification", column, of_scores(average_precision_of_weights)),
    )


def of_txtrayalign() -> list[Measure]:
    """TxtRayAlign's scores at 1 to 3 sentences, put right and as its program computes them."""
    nothing = np.zeros(0)
    found = []
    for flavour in papers.FLAVOURS:
        for k in papers.DEPTHS:
            form = RetrievedScores(flavour, k, nothing, nothing, nothing, nothing, nothing, 0, 0)
            found += [
                Measure(name, "TxtRayAlign", f"{papers.TXTRAYALIGN}{flavour}@{k}", of_sums(statistic))
                for name, statistic in form.statistics.items()
                if not name.startswith("duplicates")
            ]
    return found


def of_medclip() -> list[Measure]:
    """MedCLIP's scores of the three texts retrieved for each film."""
    orders: tuple[Literal[1, 2, 3, 4], ...] = (1, 2, 3, 4)
    return [
        *(
            Measure(f"BLEU-{n}", "MedCLIP", papers.BLEU, of_sums(partial(bleu_from_sums, order=n)))
            for n in orders
        ),
        Measure("METEOR (exact and stems)", "MedCLIP", papers.METEOR, of_sums(meteor_from_sums)),
        Measure("ROUGE-L", "MedCLIP", papers.ROUGE),
        Measure("CIDEr-D", "MedCLIP", papers.CIDER),
    ]


def of_xrem() -> list[Measure]:
    """X-REM's scores of the drafts, with our labeler in the place of CheXbert."""
    return [
        Measure("BLEU-2", "X-REM", said.BLEU2),
        Measure("label F1, macro", "X-REM", said.COUNTS, of_sums(partial(clinical.f1, average="macro"))),
    ]
