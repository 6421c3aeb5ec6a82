"""What the labels of the top k retrieved items say about a query's: TxtRayAlign's scores.

Knows label tables and which rows of a bank were retrieved; knows nothing of vectors or texts. Each
score is there twice. As TxtRayAlign's program computes it (nhsx/txt-ray-align, evaluate.py, under
pandas 1): a flat hit is divided by all queries, precision and recall by those that were not skipped,
precision counts a label once for every row but its hit only once, and F1 is of the two means. And
put right: one denominator for all, every label counted once, F1 of each query. Agreeing negatives
and uncertain labels count as hits in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import MismatchError, XemplarError
from xemplar.metrics.labels import ABSENT, NOT_MENTIONED, UNCERTAIN, LabelTable
from xemplar.metrics.statistics import SumStatistic, ratio

COMPAT_DEPTH = 10
"""TxtRayAlign never looks beyond the top ten, whatever k says."""

Flavour = Literal["txtrayalign", "corrected"]


@dataclass(frozen=True, slots=True, eq=False)
class RetrievedScores:
    """Scores of every query, NaN where it was skipped, and what was skipped.

    All (queries,): `hit` 0 or 1, `precision`, `recall` and `f1` in 0..1, `duplicates` how many of the
    retrieved rows repeat another's labels. Of the flavour "txtrayalign" every query has a `hit`, and
    `f1` takes no part in the score.
    """

    flavour: Flavour
    k: int
    hit: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    duplicates: NDArray[np.float64]
    skipped_no_query_label: int
    skipped_no_bank_label: int
    """Of "corrected" these are not skipped: they found nothing, score 0 and are counted here."""

    @property
    def sums(self) -> NDArray[np.float64]:
        """(queries, 7): what the statistics below take, added up over queries."""
        scored, kept = ~np.isnan(self.hit), ~np.isnan(self.recall)
        columns = [self.hit, scored, kept, self.precision, self.recall, self.f1, self.duplicates]
        return np.nan_to_num(np.stack(columns, axis=1).astype(np.float64))

    @property
    def statistics(self) -> Mapping[str, SumStatistic]:
        """By key, such as `flat_hit@2[txtrayalign]`: sums (..., 7) -> (...); NaN without a query."""
        compat = self.flavour == "txtrayalign"
        named: dict[str, SumStatistic] = {
            "flat_hit": lambda sums: ratio(sums[..., [0, 1]]),
            "precision": lambda sums: ratio(sums[..., [3, 2]]),
            "recall": lambda sums: ratio(sums[..., [4, 2]]),
            "f1": _f1_of_means if compat else lambda sums: ratio(sums[..., [5, 2]]),
            "duplicates": lambda sums: ratio(sums[..., [6, 2]]),
        }
        mark = "[txtrayalign]" if compat else ""
        return {f"{name}@{self.k}{mark}": statistic for name, statistic in named.items()}

    @property
    def values(self) -> dict[str, float]:
        """Every score over all queries."""
        total = self.sums.sum(axis=0, keepdims=True)
        return {key: float(statistic(total)[0]) for key, statistic in self.statistics.items()}


def retrieved_scores(
    queries: LabelTable,
    bank: LabelTable,
    top: NDArray[np.integer],
    *,
    k: int = 2,
    flavour: Flavour = "corrected",
) -> RetrievedScores:
    """Hold the labels of the top k rows against the query's.

    `top` (queries, at least k) holds rows of the bank, best first, and -1 where nothing was found;
    the bank's columns are found by name. A hit is a finding of which some retrieved row says what the
    query says. "txtrayalign" stops at ten rows, and calls that k. Fewer than k columns, another number
    of queries or a row that is not in the bank raises XemplarError.
    """
    if flavour not in ("txtrayalign", "corrected"):
        raise XemplarError(f"flavour {flavour!r}", wanted="txtrayalign or corrected")
    compat = flavour == "txtrayalign"
    rows, filled = _rows(queries, bank, top, k=min(k, COMPAT_DEPTH) if compat else k)
    labelled, asked = rows != NOT_MENTIONED, queries.codes != NOT_MENTIONED
    no_query, no_bank = ~asked.any(axis=1), ~labelled.any(axis=(1, 2))
    agreed = ((rows == queries.codes[:, None]) & asked[:, None]).any(axis=1)
    hits = np.count_nonzero(agreed, axis=1).astype(np.float64)
    kept = ~no_query & ~no_bank if compat else ~no_query
    stated = np.count_nonzero(labelled, axis=(1, 2)) if compat else _distinct_labels(rows)
    filled = filled if compat else filled & labelled.any(axis=2)
    repeated = np.count_nonzero(filled, axis=1) - _distinct_rows(rows, filled)
    precision = hits / np.maximum(stated, 1)
    recall = hits / np.maximum(np.count_nonzero(asked, axis=1), 1)
    both = np.where(precision + recall > 0, precision + recall, 1.0)
    found = ((hits > 0) & kept).astype(np.float64)
    # Their program looks at the rows first.
    skipped = (no_query & ~no_bank, no_bank) if compat else (no_query, no_bank & ~no_query)
    return RetrievedScores(
        flavour=flavour,
        k=k,
        hit=found if compat else np.where(kept, found, np.nan),
        precision=np.where(kept, precision, np.nan),
        recall=np.where(kept, recall, np.nan),
        f1=np.where(kept, 2 * precision * recall / both, np.nan),
        duplicates=np.where(kept, repeated.astype(np.float64), np.nan),
        skipped_no_query_label=int(np.count_nonzero(skipped[0])),
        skipped_no_bank_label=int(np.count_nonzero(skipped[1])),
    )


def pandas2_labels(table: LabelTable) -> LabelTable:
    """What TxtRayAlign's program makes of these labels under pandas 2 and later, unnoticed.

    `get_dummies` gives bool there, in which its `replace(0, nan)` finds nothing: beside any label,
    every finding not mentioned becomes absent, and uncertain becomes absent where another finding is
    labelled too, since 0 is the larger. For showing what a published number is worth, and no more.
    """
    mentioned = table.codes != NOT_MENTIONED
    several = np.count_nonzero(mentioned, axis=1, keepdims=True) > 1
    lost = ~mentioned | ((table.codes == UNCERTAIN) & several)
    codes = np.where(mentioned.any(axis=1, keepdims=True) & lost, ABSENT, table.codes)
    return LabelTable(table.findings, codes.astype(np.int8))


def study_labels(sentences: LabelTable, studies: NDArray[np.integer], count: int) -> LabelTable:
    """The labels of studies from those of their sentences: present before absent before uncertain.

    `studies` (sentences,) says to which of `count` studies each belongs, from 0.
    """
    if studies.shape != (len(sentences),) or (
        len(studies) and not 0 <= studies.min() <= studies.max() < count
    ):
        raise MismatchError(f"studies of shape {studies.shape}", wanted=f"one in 0..{count - 1} a sentence")
    codes = np.full((count, len(sentences.findings)), NOT_MENTIONED, np.int8)
    np.maximum.at(codes, studies, sentences.codes)
    return LabelTable(sentences.findings, codes)


def _rows(
    queries: LabelTable, bank: LabelTable, top: NDArray[np.integer], *, k: int
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Codes (queries, k, findings) of the top rows, and which of them there are."""
    if top.ndim != 2 or len(top) != len(queries) or top.shape[1] < k or k < 1:
        raise MismatchError(
            f"a top of shape {top.shape}", wanted=f"({len(queries)} queries, {max(k, 1)} rows at least)"
        )
    top = top[:, :k]
    if top.size and not -1 <= top.min() <= top.max() < len(bank):
        raise MismatchError(
            f"rows from {top.min()} to {top.max()}", wanted=f"rows of a bank of {len(bank)}, or -1"
        )
    nothing = np.full((1, len(queries.findings)), NOT_MENTIONED, np.int8)
    codes = np.concatenate([bank.of(queries.findings).codes, nothing])
    return codes[top], top >= 0


def _distinct_labels(rows: NDArray[np.int8]) -> NDArray[np.int64]:
    """How many different (finding, presence) pairs the rows of each query hold."""
    values = np.arange(UNCERTAIN, 2, dtype=np.int8)
    held = (rows[..., None] == values).any(axis=1)
    return np.asarray(np.count_nonzero(held, axis=(1, 2)), np.int64)


def _distinct_rows(rows: NDArray[np.int8], filled: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many different label vectors the rows of each query hold; rows that aren't there don't count."""
    equal = (rows[:, :, None] == rows[:, None]).all(axis=-1) & filled[:, None]
    earlier = np.tril(np.ones((rows.shape[1],) * 2, np.bool_), -1)
    return np.asarray(np.count_nonzero(filled & ~(equal & earlier).any(axis=2), axis=1), np.int64)


def _f1_of_means(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    precision, recall = ratio(sums[..., [3, 2]]), ratio(sums[..., [4, 2]])
    return ratio(np.stack([2 * precision * recall, precision + recall], axis=-1))
