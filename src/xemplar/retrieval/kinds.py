"""Of which kind a finding is: "chest tube" and "pacemaker", which the engine reads as support devices both.

Knows the words that tell kinds of one finding apart (`kinds.toml`), where a claim or a query says them, and
how the kind said answers the one asked for. Knows nothing of sides, of reports, or of what is denied.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from xemplar.records import Claim
from xemplar.retrieval.denials import DENIES, EXCEPTS, TURNS

if TYPE_CHECKING:
    from xemplar.retrieval.asked import Asked, Term

Named = frozenset[str]
"""Kinds by their names."""
NONE: Named = frozenset()

OTHER, GENERAL, HELD = 0, 1, 2
"""What is named to the kinds asked for: none of them, nothing that tells, one of them."""

_TOKEN = re.compile(r"[^\W_]+")
_ANY = re.compile(r"\b(?:or|either)\b|/", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds of one finding."""

    pattern: re.Pattern[str]
    of_phrase: Mapping[str, str]
    includes: Mapping[str, Named]
    """Kind -> itself and those that are of it, too."""
    broad: Named

    def found(self, text: str) -> list[tuple[str, int, int]]:
        """Every kind that a text names, and where."""
        return [
            (self.of_phrase[_key(match[0])], *match.span()) for match in self.pattern.finditer(text.lower())
        ]


def relation(finding: str, asked: Named, named: Named) -> int:
    """How what is named answers the kinds asked for; everything does where none is asked for."""
    kinds = every().get(finding)
    if not asked or kinds is None:
        return HELD
    if any(kinds.includes[kind] & named for kind in asked):
        return HELD
    return OTHER if named - kinds.broad else GENERAL


def named_by(text: str, claims: Sequence[Claim], finding: str) -> list[Named]:
    """For each claim, the kinds of a finding that a sentence names nearest to it; none for other claims."""
    kinds, own = every().get(finding), [one for one in claims if one.finding == finding]
    found: dict[int, set[str]] = {}
    for kind, start, end in kinds.found(text) if kinds and own else ():
        away = {id(one): max(one.span[0] - end, start - one.span[1], 0) for one in own}
        for one, distance in away.items():
            if distance == min(away.values()):
                found.setdefault(one, set()).add(kind)
    return [frozenset(found.get(id(one), ())) for one in claims]


def kinds_asked(asked: Asked, term: Term) -> Named:
    """The kinds that a term asks for: those its words name, and the words about it in the query.

    A term whose words were changed by hand is taken at these.
    """
    kinds = every().get(term.finding)
    if kinds is None or not term.words:
        return NONE
    named = frozenset(kind for kind, _, _ in kinds.found(_said_of(asked, term)))
    return named - kinds.broad or named


def kinds_held(asked: Asked, term: Term) -> tuple[Named, ...]:
    """Sets of kinds, of each of which a report must say one: of a wanted "chest tube and pacemaker" two.

    Of what isn't to be there, and of what "or" joins, there is one set.
    """
    named, said = kinds_asked(asked, term), _said_of(asked, term)
    if len(named) < 2 or _ANY.search(said) or not any(term in whole.each for whole in asked.wanted):
        return (named,)
    return tuple(frozenset((kind,)) for kind in sorted(named))


def words_held(asked: Asked) -> frozenset[str]:
    """The words of a query by which a report is held to a term or to its kinds."""
    held: set[str] = set()
    for term in (one for whole in (*asked.wanted, *asked.unwanted) for one in whole.each):
        kinds, said = every().get(term.finding), _said_of(asked, term)
        for _, start, end in kinds.found(said) if kinds else ():
            held |= set(_TOKEN.findall(said[start:end].lower()))
        held |= {word.lower() for word in term.words}
    return frozenset(held)


def told(asked: Asked, term: Term) -> str:
    """A term as it is shown, with the kinds it asks for: "Support Devices [chest tube]"."""
    if term.any_of:
        return " or ".join(told(asked, one) for one in term.each)
    sets = [" or ".join(sorted(kinds)) for kinds in kinds_held(asked, term) if kinds]
    return f"{term} [{' and '.join(sets)}]" if sets else str(term)


def _said_of(asked: Asked, term: Term) -> str:
    """A term's words with those about them in the query: as far as another term, a denial or a turn."""
    start, end = term.span
    said = " ".join(term.words)
    if start >= end or _TOKEN.findall(asked.text[start:end].lower()) != _TOKEN.findall(said.lower()):
        return said
    others = [one.span for whole in (*asked.wanted, *asked.unwanted) for one in whole.each]
    others = [span for span in others if span != term.span]
    others += [match.span() for cue in (DENIES, EXCEPTS, TURNS) for match in cue.finditer(asked.text)]
    first = max((stop for _, stop in others if stop <= start), default=0)
    last = min((begin for begin, _ in others if begin >= end), default=len(asked.text))
    return asked.text[first:last]


@cache
def every() -> Mapping[str, Kinds]:
    """Finding -> its kinds; findings that are one thing alone have none."""
    data = tomllib.loads(files(__package__).joinpath("kinds.toml").read_text("utf-8"))
    return {finding: _kinds(tables) for finding, tables in data.items()}


def _kinds(tables: Mapping[str, Mapping[str, Sequence[str]]]) -> Kinds:
    of_phrase = {_key(phrase): kind for kind, table in tables.items() for phrase in table["phrases"]}
    longest = sorted(of_phrase, key=len, reverse=True)
    words = "|".join(r"[\W_]+".join(f"{word}s?" for word in phrase.split()) for phrase in longest)
    includes = {kind: frozenset((kind, *table.get("includes", ()))) for kind, table in tables.items()}
    broad = frozenset(kind for kind, table in tables.items() if table.get("broad"))
    return Kinds(re.compile(rf"(?<!\w)(?:{words})(?!\w)"), of_phrase, includes, broad)


def _key(phrase: str) -> str:
    """Words without what stands between them and without the s of a plural."""
    return " ".join(word.removesuffix("s") for word in _TOKEN.findall(phrase.lower()))
