"""Texts and labels -> what is measured of them: sums for each study, and scores as functions of the sums.

Knows which measures there are and in which family they are printed; knows no interval, floor or page. A text
is read once; intervals and paired differences are made of the sums.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from xemplar.metrics.labels import (
    SUBSETS,
    LabelTable,
    Question,
    count_presences,
    finding_scores,
    label_scores,
    only,
)
from xemplar.metrics.meteor import meteor_es
from xemplar.metrics.statistics import SumStatistic
from xemplar.metrics.tokenisers import TokeniserName
from xemplar.metrics.wording import WordingScore, bleu, bleu2_rexrank, cider_d, pair_texts, rouge_l

QUESTIONS = (
    Question("present", "present"),
    Question("present", "absent"),
    Question("absent", "own"),
    Question("uncertain"),
    Question("mentioned"),
)
"""What is asked of the labels; the first is the one that a page begins with."""


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Measures that are functions of the same per-study sums (studies, ...), by their keys."""

    name: str
    sums: NDArray[np.float64]
    statistics: Mapping[str, SumStatistic]
    per_study: Mapping[str, NDArray[np.float64]]
    """(studies,) what a study got on its own, for those measures that have it."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Findings, or studies, that a mean leaves out because neither side names them; where there are any."""


def wording_families(
    predictions: tuple[str, ...], references: tuple[str, ...], tokeniser: TokeniserName
) -> Iterator[Family]:
    """BLEU-1..4, ROUGE-L, CIDEr-D and meteor_es with one tokeniser, and ReXrank's BLEU-2 with its own."""
    pairs = pair_texts(predictions, references, tokeniser=tokeniser)
    scores = [*bleu(pairs), rouge_l(pairs), cider_d(pairs), meteor_es(pairs)]
    for score in (*scores, bleu2_rexrank(predictions, references)):
        yield _wording_family(score)


def _wording_family(score: WordingScore) -> Family:
    key = f"{score.name}[{score.tokeniser}]"
    sums = np.asarray(score.sums, np.float64)
    return Family("wording", sums, {key: score.from_sums}, {key: score.per_pair})


def label_families(predicted: LabelTable, truth: LabelTable) -> Iterator[Family]:
    """Precision, recall and F1 for every question, average and subset, and of each finding by itself."""
    for question in QUESTIONS:
        counts = count_presences(predicted, truth, question)
        everything = counts.counts.astype(np.float64)
        statistics: dict[str, SumStatistic] = {}
        left_out: dict[str, int] = {}
        for subset, names in SUBSETS.items():
            places = [truth.findings.index(name) for name in names]
            for score in label_scores(counts, question, subset=subset):
                if "_samples_" in score.key:
                    own, alone = {score.key: score.statistic}, {score.key: _mean_of(score.sums)}
                    yield Family("labels", score.sums, own, alone, {score.key: score.undefined})
                else:
                    statistics[score.key] = _of_columns(score.statistic, places)
                    left_out[score.key] = score.undefined
        yield Family("labels", everything, statistics, {}, left_out)
        each: dict[str, SumStatistic] = {}
        for place, finding in enumerate(truth.findings):
            for score in finding_scores(only(counts, [finding]), question):
                each[score.key] = _of_columns(score.statistic, [place])
        yield Family("by finding", everything, each, {})


def _of_columns(statistic: SumStatistic, places: Sequence[int]) -> SumStatistic:
    """The same score of the sums over all findings."""
    return lambda totals: statistic(totals[..., places, :])


def _mean_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2) values and whether they count -> (n,), NaN where they don't."""
    return np.where(sums[:, 1] > 0, sums[:, 0], np.nan)
