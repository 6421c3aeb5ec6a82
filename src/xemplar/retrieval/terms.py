"""A term: one finding that a query asks for or excludes, with its side, place and degree; and its words.

Knows what a term can say and how it reads in a line. Knows nothing of how queries are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from xemplar.errors import XemplarError
from xemplar.findings import FINDINGS, OTHER_FINDINGS
from xemplar.records import Presence

NORMAL = "No Finding"
"""What is asked for by "normal chest": a report that states no finding."""

DETAILS = ("side", "place", "degree")
DEGREES = ("small", "moderate", "large")
"""In rising order."""

_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_ALIKE = re.compile(
    r"\b(?:like|similar to|same as|as)\s+(?:this|that|these|it)(?:\s+(?:one|film|image|case|study))?\b", re.I
)
_SILENT = frozenset(
    """a an the of in on at with and or nor but for to from by is are be was were this that these those it any
    some all no not without who have has had show shows showing seen there here find me please patient study
    patients studies case cases report reports film films radiograph radiographs image images one ones both
    either only also than as like same similar place evidence signs sign
    which does do did everything anything everyone anyone""".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Term:
    """One finding that is asked for, or that is not to be there.

    `side`, `place` and `degree` hold what will do (none: any); `words` are those that named it, `span` is
    where, in the query. With `any_of` it is whichever of those (two or more) a report says best: "effusion or
    pneumothorax"; `finding` and `presence` are then the first's, the details are each one's own.
    """

    finding: str
    presence: Presence = "present"
    side: tuple[str, ...] = ()
    place: tuple[str, ...] = ()
    degree: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    span: tuple[int, int] = (0, 0)
    any_of: tuple[Term, ...] = ()

    def __post_init__(self) -> None:
        if self.finding not in (*FINDINGS, *OTHER_FINDINGS, NORMAL):
            raise XemplarError(f"no finding {self.finding!r}", wanted=", ".join((*FINDINGS, *OTHER_FINDINGS)))
        if self.presence not in get_args(Presence):
            raise XemplarError(f"presence {self.presence!r}", wanted=", ".join(get_args(Presence)))

    @property
    def each(self) -> tuple[Term, ...]:
        """What will do: the term itself, or those of which any will."""
        return self.any_of or (self,)

    @property
    def meaning(self) -> tuple[object, ...]:
        """What it asks for, without the words that said so."""
        others = tuple(one.meaning for one in self.any_of)
        return (self.finding, self.presence, self.side, self.place, self.degree, others)

    def __str__(self) -> str:
        if self.any_of:
            return " or ".join(map(str, self.any_of))
        details = [" or ".join(values) for values in (self.degree, self.side, self.place) if values]
        named = "nothing abnormal" if self.finding == NORMAL else self.finding
        doubted = "possible " if self.presence == "uncertain" else ""
        return doubted + named + (f" ({', '.join(details)})" if details else "")


def one_of(terms: Sequence[Term]) -> Term:
    """The term that any of these is."""
    own = distinct([one for term in terms for one in term.each])
    if len(own) == 1:
        return own[0]
    words = tuple(dict.fromkeys(word for term in own for word in term.words))
    span = (min(term.span[0] for term in own), max(term.span[1] for term in own))
    return Term(own[0].finding, own[0].presence, words=words, span=span, any_of=tuple(own))


def distinct(terms: Iterable[Term]) -> list[Term]:
    """The first term of each meaning."""
    first: dict[object, Term] = {}
    for term in terms:
        first.setdefault(term.meaning, term)
    return list(first.values())


def excluded(term: Term) -> Term:
    """The same, not to be there."""
    return replace(term, presence="absent")


def blanked(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """A text with blanks at some places, so that every other keeps its own."""
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def words_of(text: str) -> list[str]:
    """The words that say something, in order, none twice."""
    text = _ALIKE.sub(" ", text)
    return list(dict.fromkeys(word for word in _WORD.findall(text.lower()) if word not in _SILENT))


def points_at_something(text: str) -> bool:
    """Whether a text speaks of something shown beside it: "like this one"."""
    return _ALIKE.search(text) is not None or re.search(r"\b(?:like|similar|same)\b", text, re.I) is not None
