"""What a query asks of a study beside its report: age, sex, view, modality, and any facet by its name.

Knows how a corpus keeps such a thing and who has it; knows nothing of findings, nor of how it is said. A
facet that is asked for and that no study has is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import XemplarError
from xemplar.records import Study

_AGE = re.compile(r"0*(\d+)\s*([YMWD]?)\s*\Z", re.IGNORECASE)
_PER_YEAR = {"Y": 1.0, "": 1.0, "M": 12.0, "W": 52.0, "D": 365.0}
_FRONTAL = frozenset(("frontal", "pa", "ap"))
STUDY_FACETS = ("modality", "language", "view")
"""What may be asked for by name though it stands in the study itself, not among its facets."""

FEW, REPEATED = 12, 2
"""A facet's values are told in an error where they are this few, and each is of this many studies."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One thing that a study must have: an age from `low` to `high` years, or one of `values`.

    `spoken` is one that was said in words ("over 60"), which an archive that doesn't know of it can't keep.
    `negated` is one that a study must not have ("not in men"); one that doesn't say has neither.
    """

    name: str
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    spoken: bool = False
    negated: bool = False

    def __str__(self) -> str:
        return f"not {self._told()}" if self.negated else self._told()

    def _told(self) -> str:
        if self.values:
            return f"{self.name} {' or '.join(self.values)}"
        if self.low is not None and self.high is not None:
            return f"{self.name} {self.low:g}" + ("" if self.low == self.high else f" to {self.high:g}")
        return (
            f"{self.name} from {self.low:g}" if self.low is not None else f"{self.name} up to {self.high:g}"
        )


class Facets:
    """What a list of studies says of itself, column by column, each made when it is first asked for."""

    def __init__(self, studies: Sequence[Study]) -> None:
        self.studies = studies
        self._columns: dict[str, NDArray[np.str_]] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every facet that any study has, those of the study itself among them."""
        names = {name for study in self.studies for name in study.facets}
        own = {name for name in STUDY_FACETS if any(self._of(study, name) for study in self.studies)}
        return tuple(sorted(names | own))

    def column(self, name: str) -> NDArray[np.str_]:
        """(studies,) each one's value, "" where it says none; of views "frontal lateral"."""
        if name not in self._columns:
            self._columns[name] = np.array([self._of(study, name) for study in self.studies], np.str_)
        return self._columns[name]

    @cached_property
    def ages(self) -> NDArray[np.float64]:
        """(studies,) in years; NaN where it isn't said."""
        values, places = np.unique(self.column("age"), return_inverse=True)
        return np.array([years_of(value) for value in values])[places.reshape(-1)]

    def kept(self, one: Filter) -> NDArray[np.bool_]:
        """(studies,) which have it; one that doesn't say has it not, nor lacks what is negated."""
        if one.negated:
            said = self.column(one.name) != "" if one.values else ~np.isnan(self.ages)
            return np.asarray(said & ~self.kept(replace(one, negated=False)))
        if one.values:
            values, places = np.unique(self.column(one.name), return_inverse=True)
            wanted = {value.casefold() for value in one.values}
            if one.name == "view":
                fits = [bool(wanted & _views(value)) for value in values]
            elif one.name == "sex":
                fits = [_sex(value) in {_sex(each) for each in wanted} for value in values]
            else:
                fits = [value.casefold() in wanted for value in values]
            return np.array(fits, np.bool_)[places.reshape(-1)]
        ages = self.ages
        low, high = -np.inf if one.low is None else one.low, np.inf if one.high is None else one.high
        with np.errstate(invalid="ignore"):
            return np.asarray((ages >= low) & (ages < np.floor(high) + 1))

    def check(self, one: Filter, where: str) -> None:
        """Refuse a facet that was named, or a value of it, that no study has."""
        if one.name not in self.names:
            raise XemplarError(
                f"no study has the facet {one.name}",
                wanted=f"one of {', '.join(self.names) or 'none: this archive has no facets'}",
                where=where,
            )
        if one.values and not self.kept(replace(one, negated=False)).any():
            raise XemplarError(
                f"no study has {one.name}={' or '.join(one.values)}", wanted=self._told(one.name), where=where
            )

    def _told(self, name: str) -> str:
        """The values of a facet, where they are few and each is of several studies; else none of them."""
        values, counts = np.unique(self.column(name), return_counts=True)
        counts, values = counts[values != ""], values[values != ""]
        if 0 < len(values) <= FEW and counts.min() >= REPEATED:
            return f"one of {', '.join(map(str, values))}"
        return "a value that a study has (which there are isn't told: some stand for a single study)"

    def _of(self, study: Study, name: str) -> str:
        if name == "view":
            return study.facets.get(name) or " ".join(sorted({v.position or "" for v in study.views} - {""}))
        if name in STUDY_FACETS:
            return study.facets.get(name) or getattr(study, name) or ""
        return study.facets.get(name, "")


def named(parts: Mapping[str, str]) -> tuple[Filter, ...]:
    """Facets by name, as options give them."""
    return tuple(ranged(name, value) for name, value in parts.items())


def ranged(name: str, value: str) -> Filter:
    """The filter of a facet's name and value: `age=60-70` is a range, anything else is a value."""
    ends = re.fullmatch(r"(\d+)(?:-(\d+))?", value) if name == "age" else None
    if ends is None:
        return Filter(name, (value,))
    return Filter(name, low=float(ends[1]), high=float(ends[2] or ends[1]))


def years_of(value: str) -> float:
    """An age as facets have it ("61", "061Y", "6M"), in years; NaN where it is none."""
    said = _AGE.match(value)
    return float("nan") if said is None else int(said[1]) / _PER_YEAR[said[2].upper()]


def _sex(value: str) -> str:
    first = value[:1].casefold()
    return "f" if first in ("f", "w") else first


def _views(value: str) -> set[str]:
    """The views that a study's positions answer to: a PA film is a frontal one, too."""
    said = set(value.casefold().split())
    return said | ({"frontal"} if said & _FRONTAL else set()) | ({"lateral"} if "ll" in said else set())
