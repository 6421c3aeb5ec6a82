"""Where a cue's reach ends within a list: "No effusion, large right pneumothorax" denies no pneumothorax.

Knows what begins something new behind a comma, a dash, a bracket or an "and": a side, a degree, a change,
or a predicate of its own. Knows nothing of what a cue says, nor of the words, which are the lexicon's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

Span = tuple[str, int, int]
KIND = "closes"
"""The kind of cue that a closing is."""

_OR = re.compile(r"\b(?:n?or)\b")
_EITHER_SIDE = re.compile(r"\b(?:right|left)\s+or\b")
_CLAUSE = re.compile(r"[,;(]|\bn?or\b|\.\s")
_ENDS = frozenset(("ends", "turns", "deny"))


class Mentioned(Protocol):
    """What a closing asks of a mention."""

    @property
    def label(self) -> str:
        """What it mentions; a structure begins with "@"."""

    @property
    def start(self) -> int:
        """Where it begins in the text."""

    @property
    def end(self) -> int:
        """Where its own words end."""


@dataclass(frozen=True, slots=True)
class Closings:
    """The words that close a list, compiled."""

    separator: re.Pattern[str]
    """What may stand before a new beginning; before one with a predicate of its own "and" does as well."""
    opening: re.Pattern[str]
    """A separator, and behind it words that begin something new."""
    affirmed: re.Pattern[str]
    there: re.Pattern[str]
    verbs: re.Pattern[str]

    def spans(self, text: str, mentions: Sequence[Mentioned], cues: Sequence[Span]) -> list[Span]:
        """Empty spans of kind "closes", one at each separator behind which something new begins."""
        found: list[Span] = []
        for one, two in pairwise(mentions):
            separator = self.separator.search(text, one.end, two.start)
            if separator is None:
                continue
            limit = min((at for kind, at, _ in cues if kind in _ENDS and at >= two.end), default=len(text))
            opens = self.opening.search(text, one.end, two.end)
            if opens is not None and not self._listed(text, two, mentions, limit=limit):
                found.append((KIND, opens.start(), opens.start()))
            elif self._is_clause(text, two, separator.end(), limit=limit) or self._affirmed(
                text, two, mentions, limit=limit, beside=_is_first(text, one, cues, separator=separator)
            ):
                found.append((KIND, separator.start(), separator.start()))
        return found

    def _listed(self, text: str, one: Mentioned, mentions: Sequence[Mentioned], *, limit: int) -> bool:
        """Whether "or" or "nor" and another mention close the list that a mention stands in."""
        if _EITHER_SIDE.search(text, max(0, one.start - 40), one.start):
            return True
        verb = self.verbs.search(text, one.end, limit)
        closing = _OR.search(text, one.end, verb.start() if verb else limit)
        return closing is not None and any(closing.end() <= other.start < limit for other in mentions)

    def _is_clause(self, text: str, one: Mentioned, begin: int, *, limit: int) -> bool:
        """Whether a mention is said of something else ("lungs are hyperinflated"), or is a structure so."""
        if one.label.startswith("@"):
            clause = _CLAUSE.search(text, one.end, limit)
            return self.verbs.search(text, one.end, clause.start() if clause else limit) is not None
        return self.verbs.search(text, begin, one.start) is not None

    def _affirmed(
        self, text: str, one: Mentioned, mentions: Sequence[Mentioned], *, limit: int, beside: bool
    ) -> bool:
        """Whether a mention has a predicate of its own; `beside`: it is the second of two, by a comma."""
        clause = _CLAUSE.search(text, one.end, limit)
        limit = clause.start() if clause else limit
        for pattern, enough in ((self.affirmed, True), (self.there, beside)):
            found = pattern.search(text, one.end, limit)
            if not enough or found is None or self.verbs.search(text, one.end, found.start()):
                continue
            if enough and pattern is self.there:
                return not any(one.end <= other.start < found.start() for other in mentions)
            return True
        return False


def _is_first(text: str, one: Mentioned, cues: Sequence[Span], *, separator: re.Match[str]) -> bool:
    """Whether a separator is no "and", and no other comma stands between the cue and the mention before."""
    if "and" in separator[0] or "&" in separator[0]:
        return False
    begin = max((end for kind, _, end in cues if kind == "deny" and end <= one.start), default=0)
    return "," not in text[begin : one.start]


def closings(
    data: Mapping[str, Sequence[str]], beginnings: Iterable[str], verbs: re.Pattern[str]
) -> Closings:
    """Compile a lexicon's closings; `beginnings` are its sides, degrees and changes."""
    openers = "|".join((*data["openers"], *beginnings)).replace(" ?", r"\s*").replace(" ", r"\s+")
    separators = "|".join(data["separators"])
    affirmed, there = (
        re.compile(rf"(?<!\w)(?:{'|'.join(data[name])})(?!\w)".replace(" ", r"\s+"))
        for name in ("affirmed", "there")
    )
    opening = re.compile(rf"(?:{separators})\s*(?:and\s+)?(?:\w+ly\s+)?(?:{openers})(?!\w)")
    return Closings(re.compile(rf"{separators}|\sand\s|&"), opening, affirmed, there, verbs)
