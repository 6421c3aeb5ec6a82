"""What a claim says of a term: that it is so, may be or isn't, leaves its side open, or is of another one.

The one place where that is decided: tables over all reports and the sentences that are shown both ask here.
Knows nothing of sentences or reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xemplar.records import Claim
from xemplar.retrieval.asked import DETAILS, Term
from xemplar.retrieval.kinds import GENERAL, HELD, OTHER

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

AGREES, NEAR, SILENT, DIFFERS = 3, 2, 1, 0
"""What a claim's side, place or degree is to the one asked for, in points."""
_NEIGHBOURS = (
    frozenset(("base", "lower lobe", "lower zone", "costophrenic angle", "retrocardiac")),
    frozenset(("apex", "upper lobe", "upper zone")),
    frozenset(("mid zone", "middle lobe", "lingula")),
)
_SIDE_OF = {"lingula": "left", "middle lobe": "right"}

Key = tuple[str | None, ...]
"""Presence, side, place and degree of a claim."""


class Verdict(IntEnum):
    """What a report says of a term, the highest of its claims' counting."""

    UNSAID = 0
    OTHER = 1
    """Stated or doubted of another side, place, degree or kind alone."""
    DENIED = 2
    LOOSE = 3
    """Stated or doubted without a word on the side, place, degree or kind asked for."""
    DOUBTED = 4
    STATED = 5


def key_of(claim: Claim) -> Key:
    """What of a claim a verdict is of."""
    return (claim.presence, *(getattr(claim, kind) for kind in DETAILS))


def verdict(term: Term, key: Key, related: int = HELD) -> Verdict:
    """What one claim says of a term; `related` is what the kind that it names is to the one asked for."""
    points = [points_of(term, kind, key) for kind in DETAILS if getattr(term, kind)]
    if DIFFERS in points or related == OTHER:
        return Verdict.UNSAID if key[0] == "absent" else Verdict.OTHER
    if key[0] == "absent":
        return Verdict.DENIED
    if SILENT in points or related == GENERAL:
        return Verdict.LOOSE
    return Verdict.STATED if key[0] == "present" else Verdict.DOUBTED


def sides_of(term: Term) -> Iterator[Term]:
    """A term of both sides as one of each."""
    return (replace(term, side=(side,)) for side in ("left", "right"))


def both_of(whole: ArrayLike, left: ArrayLike, right: ArrayLike) -> NDArray[np.int8]:
    """The verdict on a term of both sides, of its own and of those on each: both may be told apart."""
    each = np.minimum(left, right)
    return np.asarray(np.where(each >= Verdict.DENIED, np.maximum(whole, each), whole), np.int8)


def unlike(term: Term, key: Key, related: int) -> Iterable[tuple[str, bool]]:
    """In what a claim isn't as asked (side, place, degree, kind), and whether it says another one."""
    for kind in DETAILS:
        points = points_of(term, kind, key) if getattr(term, kind) else AGREES
        if points in (DIFFERS, SILENT):
            yield kind, points == DIFFERS
    if related in (OTHER, GENERAL):
        yield "kind", related == OTHER


def points_of(term: Term, kind: str, key: Key, *, both: bool = False) -> int:
    """How well a claim's side, place or degree is the one asked for; 0 where none is."""
    wanted: tuple[str, ...] = getattr(term, kind)
    said = key[1 + DETAILS.index(kind)]
    if not wanted:
        return 0
    if kind == "side":
        said = said or _SIDE_OF.get(key[2] or "")
        if said == "bilateral" or (both and said is not None):
            return AGREES
    if said is None:
        return SILENT
    if said in wanted:
        return AGREES
    near = kind == "place" and any(said in group and group & set(wanted) for group in _NEIGHBOURS)
    return NEAR if near else DIFFERS
