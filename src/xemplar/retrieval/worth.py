"""What reports say of what is asked -> how probably each is relevant, and from where the promise holds.

Knows which parts of an agreement are weighed, and the weights, which were fitted on human labels of other
reports (`worth.toml` says on which). Knows nothing of how a query was read or who wrote a report.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from xemplar.findings import lexicon_version
from xemplar.retrieval.asked import NORMAL, Asked, Term
from xemplar.retrieval.by_sentences import DENIED, DOUBTED, STATED, UNSAID, Said, SentenceTable, best_of
from xemplar.retrieval.kinds import kinds_asked, kinds_held

PARTS = (
    "stated", "uncertain", "unmentioned", "terms stated", "details", "named", "words", "likeness",
    "denied", "doubted", "met", "met in its words",
)  # fmt: skip
"""What is weighed, each in 0..1: whether the least met term is stated, uncertain or unmentioned (else it is
denied); the share of terms stated; agreement of side, place and degree; the words that name the terms, in
the sentences that answer; the other words, in the report; BM25 over its best; of what is not to be there
the share that is denied, and that is doubted; whether every term is met, as it is wanted and of its kind, and
that times the shares of words that name it and of the others."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """Reports (n,) by what is asked for: their parts, and what each says of each term."""

    parts: NDArray[np.float32]
    """(n, len(PARTS))."""
    wanted: tuple[NDArray[np.int8], ...]
    unwanted: tuple[NDArray[np.int8], ...]
    agreed: tuple[NDArray[np.bool_], ...]
    """Of each wanted term, whether it is stated (or doubted, if asked so) with the side, place and degree
    asked for, and as the kind: "chest tube" of support devices."""

    @property
    def asserted(self) -> NDArray[np.bool_]:
        """(n,) whether it states what is not to be there."""
        none = np.zeros(len(self.parts), np.bool_)
        stated = [none, *(status == STATED for status in self.unwanted)]
        return np.asarray(np.logical_or.reduce(stated), np.bool_)

    @property
    def met(self) -> NDArray[np.bool_]:
        """(n,) whether it states every term that is wanted, as it is wanted."""
        every = np.ones(len(self.parts), np.bool_)
        return np.asarray(np.logical_and.reduce([every, *self.agreed]), np.bool_)


@dataclass(frozen=True, slots=True)
class Worth:
    """The weights, and the promise: at `cut_off` and above, `precision` of what is found is relevant.

    `stale` says why nothing is promised of them here, and no probability told: they rank, and that is all.
    """

    intercept: float
    weights: tuple[float, ...]
    knots: tuple[tuple[float, float], ...]
    """(score, probability), both rising: what was right of reports with such a score; straight between."""
    cut_off: float | None
    precision: float
    confidence: float
    fitted_on: str
    stale: str | None = None

    def probability(self, weighed: Weighed) -> NDArray[np.float64]:
        """(n,) of being relevant; 0 for what states what is not to be there."""
        scores = self.intercept + weighed.parts.astype(np.float64) @ np.array(self.weights)
        at, chances = np.array(self.knots).T
        return np.where(weighed.asserted, 0.0, np.round(np.interp(scores, at, chances), 9))


@cache
def shipped() -> Worth:
    """The weights that come with the package."""
    table = tomllib.loads(files(__package__).joinpath("worth.toml").read_text("utf-8"))
    stale = None
    if table["lexicon"] != lexicon_version():
        stale = "the weights were fitted to reports as another version of the findings engine read them"
    return Worth(
        intercept=table["intercept"],
        weights=tuple(table["weights"][name] for name in PARTS),
        knots=tuple((score, chance) for score, chance in table["calibration"]["knots"]),
        cut_off=None if stale else table["promise"].get("cut_off"),
        precision=table["promise"]["precision"],
        confidence=table["promise"]["confidence"],
        fitted_on=table["fitted_on"],
        stale=stale,
    )


def weigh(table: SentenceTable, asked: Asked, likeness: NDArray[np.float32]) -> Weighed:
    """What each report says of what is asked for; `likeness` (n,) are BM25's scores of the wanted words."""
    said = [_said(table, asked, term) for term in asked.wanted]
    unwanted = tuple(
        np.maximum.reduce([table.excluded(one, kinds_asked(asked, one)) for one in term.each])
        for term in asked.unwanted
    )
    count = table.count
    least = np.minimum.reduce([np.full(count, STATED, np.int8), *(one.status for one in said)])
    detailed = [
        one.details
        for one, term in zip(said, asked.wanted, strict=True)
        if any(another.side or another.place or another.degree for another in term.each)
    ]
    most = float(likeness.max(initial=0.0))
    columns = {
        "stated": least == STATED,
        "uncertain": least == DOUBTED,
        "unmentioned": least == UNSAID,
        "terms stated": _mean([one.status == STATED for one in said], count),
        "details": _mean(detailed, count),
        "named": _mean([one.words for one in said], count),
        "words": table.holds(asked.words),
        "likeness": likeness / most if most > 0 else np.zeros(count),
        "denied": _mean([status == DENIED for status in unwanted], count),
        "doubted": _mean([status == DOUBTED for status in unwanted], count, none=0.0),
    }
    agreed = tuple(
        np.logical_or.reduce([_met(table, asked, one) for one in term.each]) for term in asked.wanted
    )
    columns["met"] = np.logical_and.reduce([np.ones(count, np.bool_), *agreed])
    columns["met in its words"] = columns["met"] * columns["named"] * columns["words"]
    parts = np.stack([np.asarray(columns[name], np.float32) for name in PARTS], axis=1)
    return Weighed(parts, tuple(one.status for one in said), unwanted, agreed)


def _said(table: SentenceTable, asked: Asked, term: Term) -> Said:
    """Of one wanted term; a report says that all else is normal where it states nothing besides."""
    if term.any_of:
        return best_of([_said(table, asked, one) for one in term.each])
    if term.finding != NORMAL:
        return table.says(term)
    clean = table.positive(_others(asked)) == 0
    ones = np.ones(table.count, np.float32)
    return Said(np.where(clean, STATED, DENIED).astype(np.int8), ones, np.where(clean, ones, 0))


def _met(table: SentenceTable, asked: Asked, term: Term) -> NDArray[np.bool_]:
    """(n,) whether a term is as it is wanted."""
    if term.finding == NORMAL:
        return np.asarray(table.positive(_others(asked)) == 0, np.bool_)
    held = [table.met(term, kinds) for kinds in kinds_held(asked, term)]
    return np.asarray(np.logical_and.reduce(held), np.bool_)


def _others(asked: Asked) -> list[str]:
    return [one.finding for term in asked.wanted for one in term.each if one.finding != NORMAL]


def _mean(columns: Sequence[NDArray[np.generic]], count: int, *, none: float = 1.0) -> NDArray[np.float32]:
    if not columns:
        return np.full(count, none, np.float32)
    return np.asarray(np.stack(columns).astype(np.float32).mean(axis=0), np.float32)
