"""What every policy is asked and answers: a study's films and vector, and the lines made for them.

Knows records alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from xemplar.records import Film, Line, Vectors
from xemplar.retrieval import Leave


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One study asked about: its films, their vector (dim,) of length 1, who is left out, and its prior."""

    films: Sequence[Film]
    vector: Vectors
    leave: Leave
    prior: Case | None = None
    """An earlier study of the same patient; policies that compare with none don't ask."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """Lines, and which findings nothing is said of, with the reason."""

    lines: tuple[Line, ...]
    abstained: Mapping[str, str] = field(default_factory=dict)


class Drafter(Protocol):
    """A way to draft."""

    @property
    def policy(self) -> str:
        """What it is called in every draft, with all that changes what it does."""
        ...

    def drafts(self, cases: Sequence[Case]) -> list[Assembled]:
        """Lines for each case; the same whatever it is asked together with."""
        ...
