"""Agreement of two readings of the same studies: what is present, absent, uncertain, mentioned.

Knows tables of presences, one row a study and one named column a finding, matched by name and never by
order. Knows nothing of who read them out of a text. What was done with uncertain cells, and over which
findings and studies a mean was taken, stands in every score's key: published numbers called "F1-14"
differ in just that. Each score comes as per-study sums and a function of them, so that intervals
resample counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import MismatchError, XemplarError
from xemplar.metrics import clinical
from xemplar.metrics.clinical import LabelCounts
from xemplar.metrics.statistics import SumStatistic, ratio
from xemplar.records import OBSERVATIONS

PRESENT, ABSENT, UNCERTAIN, NOT_MENTIONED = 1, 0, -1, -2
"""CheXpert's numbers; its blank is -2 here, so that the larger of two readings is its study-level label."""

CODES: Mapping[str, int] = {"present": PRESENT, "absent": ABSENT, "uncertain": UNCERTAIN}

SUBSETS: Mapping[str, tuple[str, ...]] = {
    "14": OBSERVATIONS,
    "13": OBSERVATIONS[1:],
    "5": ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion"),
}
"""By the name that goes into a key: all, without "No Finding", and the five of CheXpert's competition."""

About = Literal["present", "absent", "uncertain", "mentioned"]
Policy = Literal["present", "absent", "own", "left_out"]
Average = Literal["micro", "macro", "weighted", "samples"]
Undefined = Literal["left_out", "zero"]

_POLICIES: tuple[Policy, ...] = ("present", "absent", "own", "left_out")
_MEASURES: Mapping[str, Callable[..., NDArray[np.float64]]] = {
    "precision": clinical.precision,
    "recall": clinical.recall,
    "f1": clinical.f1,
}
_AVERAGES: tuple[Average, ...] = ("micro", "macro", "weighted", "samples")


@dataclass(frozen=True, slots=True, eq=False)
class LabelTable:
    """What each study says of each finding.

    `codes` (studies, findings) holds PRESENT, ABSENT, UNCERTAIN or NOT_MENTIONED; `findings` names
    the columns. Another shape, another value or a name twice raises XemplarError.
    """

    findings: tuple[str, ...]
    codes: NDArray[np.int8]

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or self.codes.shape[1] != len(self.findings) or self.codes.dtype != np.int8:
            raise XemplarError(
                f"labels of shape {self.codes.shape} and type {self.codes.dtype}",
                wanted=f"int8 of shape (studies, {len(self.findings)} findings)",
            )
        if len(set(self.findings)) != len(self.findings):
            raise XemplarError("a finding named twice", wanted="each finding once")
        known = (self.codes >= NOT_MENTIONED) & (self.codes <= PRESENT)
        if not known.all():
            row, column = np.argwhere(~known)[0]
            raise XemplarError(
                f"label {self.codes[row, column]}",
                wanted="1 (present), 0 (absent), -1 (uncertain) or -2 (not mentioned)",
                where=f"row {row}, {self.findings[column]}",
            )

    def __len__(self) -> int:
        return len(self.codes)

    def of(self, findings: Sequence[str]) -> LabelTable:
        """The same studies with these columns in this order; one that is missing raises MismatchError."""
        return LabelTable(tuple(findings), self.codes[:, _places(self.findings, findings)])


def presence_table(
    rows: Iterable[Mapping[str, str]],
    findings: Sequence[str] = OBSERVATIONS,
    *,
    ignore_others: bool = False,
) -> LabelTable:
    """A table from one mapping a study, finding -> "present", "absent" or "uncertain".

    A finding that a study does not name is not mentioned. One that is not among `findings` raises
    XemplarError, unless `ignore_others`; another presence always does.
    """
    place = {name: column for column, name in enumerate(findings)}
    rows = list(rows)
    codes = np.full((len(rows), len(findings)), NOT_MENTIONED, np.int8)
    for row, said in enumerate(rows):
        for name, presence in said.items():
            if presence not in CODES:
                raise XemplarError(
                    f"presence {presence!r}", wanted=", ".join(CODES), where=f"row {row}, {name}"
                )
            if name in place:
                codes[row, place[name]] = CODES[presence]
            elif not ignore_others:
                raise XemplarError(f"finding {name!r}", wanted=", ".join(findings), where=f"row {row}")
    return LabelTable(tuple(findings), codes)


def value_table(
    values: Sequence[Sequence[float | None]] | NDArray[Any], findings: Sequence[str]
) -> LabelTable:
    """A table from CheXpert's numbers 1, 0, -1 and blank (NaN or None): (studies, findings).

    The order of `findings` is that of the columns. Any other value or shape raises XemplarError.
    """
    try:
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise XemplarError("labels that are no table of numbers", wanted="1, 0, -1 or blank") from error
    if not len(numbers):
        numbers = numbers.reshape(0, len(findings))
    codes = np.where(np.isnan(numbers), NOT_MENTIONED, numbers)
    if wrong := sorted(set(np.unique(numbers[~np.isnan(numbers)]).tolist()) - {1.0, 0.0, -1.0}):
        raise XemplarError(f"label {wrong[0]:g}", wanted="1, 0, -1 or blank")
    return LabelTable(tuple(findings), codes.astype(np.int8))


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of each cell, and what an uncertain one counts as.

    `about` present or absent needs the policy `uncertain`: "present" or "absent" (it counts as that,
    in both tables), "own" (a class of its own: neither) or "left_out" (cells whose truth is uncertain
    are not scored; a prediction can't take itself out of the score: where the truth is certain, an
    uncertain prediction is neither). About uncertain or mentioned no policy applies and none is given.
    Published F1 of present findings is of either kind: "present" in f1chexbert, ORGan and WCL, "absent"
    in R2Gen and CXR-RePaiR.
    """

    about: About = "present"
    uncertain: Policy | None = None

    def __post_init__(self) -> None:
        if self.about not in ("present", "absent", "uncertain", "mentioned"):
            raise XemplarError(f"about {self.about!r}", wanted="present, absent, uncertain or mentioned")
        needs = self.about in ("present", "absent")
        if needs and self.uncertain not in _POLICIES:
            raise XemplarError(
                f"uncertain={self.uncertain!r} for {self.about} findings",
                wanted="a policy: " + ", ".join(_POLICIES),
            )
        if not needs and self.uncertain is not None:
            raise XemplarError(
                f"uncertain={self.uncertain!r} for {self.about} findings",
                wanted="no policy: none applies",
            )

    @property
    def suffix(self) -> str:
        """The policy as it ends a key: `[uncertain=present]`; empty where none applies."""
        return f"[uncertain={self.uncertain}]" if self.uncertain else ""

    def positive(self, codes: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Which cells answer yes."""
        if self.about == "mentioned":
            return np.asarray(codes != NOT_MENTIONED)
        asked = codes == CODES[self.about]
        return np.asarray(asked | (codes == UNCERTAIN) if self.uncertain == self.about else asked)


def count_presences(predicted: LabelTable, truth: LabelTable, question: Question) -> LabelCounts:
    """True positives, false positives and false negatives of every study and finding of the truth.

    Columns of `predicted` are found by name: another order is put right, one that is missing raises
    MismatchError, and so does another number of studies. Further columns are not counted.
    """
    _same_studies(predicted, truth)
    said, true = question.positive(predicted.of(truth.findings).codes), question.positive(truth.codes)
    cells = np.stack([said & true, said & ~true, ~said & true], axis=-1)
    if question.uncertain == "left_out":
        cells &= (truth.codes != UNCERTAIN)[..., None]
    return LabelCounts(truth.findings, cells.astype(np.int64))


def only(counts: LabelCounts, findings: Sequence[str]) -> LabelCounts:
    """The counts of some findings, in this order; one that was not counted raises MismatchError."""
    return LabelCounts(tuple(findings), counts.counts[:, _places(counts.findings, findings)])


@dataclass(frozen=True, slots=True, eq=False)
class LabelScore:
    """One score: its key, and per-study sums (studies, ...) with the score as a function of them.

    `undefined` counts what had no score and was left out (or made 0, then the key says so): findings
    named on neither side for "macro" and "weighted", studies that name none for "samples".
    """

    key: str
    sums: NDArray[np.float64]
    statistic: SumStatistic
    undefined: int

    @property
    def value(self) -> float:
        """Over all studies; NaN where nothing is defined."""
        return float(self.statistic(self.sums.sum(axis=0, keepdims=True))[0])


def label_scores(
    counts: LabelCounts, question: Question, *, subset: str = "14", undefined: Undefined = "left_out"
) -> list[LabelScore]:
    """Precision, recall and F1: micro, macro, weighted by support, and the mean over studies.

    Keys read `f1_present_micro_14[uncertain=present]`; "samples" is scikit-learn's name for the mean
    over studies. `subset` is a name of SUBSETS, or "all" for the findings counted. `undefined="zero"`
    gives what is positive on neither side a score of 0 in macro and per-study means, as scikit-learn
    and CXR-RePaiR do, and adds `[undefined=0]` to those keys. As in `clinical`, a finding that is in
    the truth and never predicted has precision 0, one that is only predicted has recall 0.
    """
    if undefined not in ("left_out", "zero"):
        raise XemplarError(f"undefined={undefined!r}", wanted="left_out or zero")
    if subset != "all":
        counts = only(counts, _subset(subset))
    scores = []
    for measure, score in _MEASURES.items():
        for average in _AVERAGES:
            one = _averaged(score, counts, average=average, undefined=undefined)
            key = f"{measure}_{question.about}_{average}_{subset}{question.suffix}{one.key}"
            scores.append(replace(one, key=key))
    return scores


def finding_scores(counts: LabelCounts, question: Question) -> list[LabelScore]:
    """Precision, recall and F1 of each finding, keyed `f1_present_edema[uncertain=own]`.

    A finding that is positive on neither side has NaN and `undefined` 1.
    """
    scores = []
    for finding in counts.findings:
        one = only(counts, (finding,))
        name = finding.lower().replace(" ", "_")
        for measure, score in _MEASURES.items():
            found = _averaged(score, one, average="micro", undefined="left_out")
            scores.append(replace(found, key=f"{measure}_{question.about}_{name}{question.suffix}"))
    return scores


def per_study(counts: LabelCounts, measure: str) -> NDArray[np.float64]:
    """(studies,) precision, recall or f1 of each study's findings; NaN where none is on either side."""
    if measure not in _MEASURES:
        raise XemplarError(f"measure {measure!r}", wanted=", ".join(_MEASURES))
    return _MEASURES[measure](counts.counts, average="micro")


def _averaged(
    score: Callable[..., NDArray[np.float64]],
    counts: LabelCounts,
    *,
    average: Average,
    undefined: Undefined,
) -> LabelScore:
    zero = undefined == "zero"
    mark = "[undefined=0]" if zero and average in ("macro", "samples") else ""
    if average == "samples":
        values = score(counts.counts, average="micro")
        known = ~np.isnan(values)
        sums = np.stack([np.nan_to_num(values), np.ones(len(values)) if zero else known], axis=1)
        return LabelScore(mark, sums, ratio, int(np.count_nonzero(~known)))

    def statistic(totals: NDArray[np.float64]) -> NDArray[np.float64]:
        if average == "micro" or (average == "macro" and not zero):
            return score(totals, average=average)
        each = np.nan_to_num(score(totals, average="none"))
        if average == "macro":
            return np.asarray(each.mean(axis=-1))
        support = totals[..., 0] + totals[..., 2]
        return ratio(np.stack([(each * support).sum(axis=-1), support.sum(axis=-1)], axis=-1))

    missing = counts.totals.sum(axis=-1) == 0
    count = int(missing.all()) if average == "micro" else int(np.count_nonzero(missing))
    return LabelScore(mark, counts.counts.astype(np.float64), statistic, count)


def confusion(predicted: LabelTable, truth: LabelTable) -> NDArray[np.int64]:
    """(studies, findings, 4, 4) with a 1 at [truth, prediction] of each cell.

    Both axes in the order present, absent, uncertain, not mentioned. Columns and errors as in
    `count_presences`.
    """
    _same_studies(predicted, truth)
    classes = np.arange(4)
    true, said = ((PRESENT - table) for table in (truth.codes, predicted.of(truth.findings).codes))
    cells = (true[..., None, None] == classes[:, None]) & (said[..., None, None] == classes)
    return np.asarray(cells, np.int64)


def cell_accuracy(totals: NDArray[Any]) -> NDArray[np.float64]:
    """Share of cells with the same of four presences: (..., findings, 4, 4) -> (...)."""
    agreed = np.trace(totals, axis1=-2, axis2=-1).sum(axis=-1)
    return ratio(np.stack([agreed, totals.sum(axis=(-3, -2, -1))], axis=-1).astype(np.float64))


def kappa(totals: NDArray[Any]) -> NDArray[np.float64]:
    """Cohen's kappa of the four presences, each finding by itself: (..., findings, 4, 4) -> (..., findings).

    NaN where both sides say one and the same thing of every study, or there is none (J. Cohen, 1960).
    """
    table = np.asarray(totals, np.float64)
    count = table.sum(axis=(-2, -1))
    chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1)
    agreed = np.trace(table, axis1=-2, axis2=-1) * count
    return ratio(np.stack([agreed - chance, count * count - chance], axis=-1))


def exact_studies(predicted: LabelTable, truth: LabelTable) -> NDArray[np.bool_]:
    """(studies,) whether every finding has the same presence on both sides."""
    _same_studies(predicted, truth)
    return np.asarray((predicted.of(truth.findings).codes == truth.codes).all(axis=1))


def _subset(name: str) -> tuple[str, ...]:
    if name not in SUBSETS:
        raise XemplarError(f"subset {name!r}", wanted=", ".join([*SUBSETS, "all"]))
    return SUBSETS[name]


def _same_studies(predicted: LabelTable, truth: LabelTable) -> None:
    if len(predicted) != len(truth):
        raise MismatchError(
            f"{len(predicted)} predicted studies for {len(truth)} true ones", wanted="the same studies"
        )


def _places(found: Sequence[str], wanted: Sequence[str]) -> list[int]:
    place = {name: column for column, name in enumerate(found)}
    if missing := [name for name in wanted if name not in place]:
        raise MismatchError(
            f"no column {', '.join(missing)}",
            wanted=", ".join(wanted),
            remedy="columns are matched by name, in any order",
        )
    return [place[name] for name in wanted]
