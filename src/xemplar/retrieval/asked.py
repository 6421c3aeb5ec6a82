"""A text query -> what it asks for: findings that are to be there, findings that are not, facets, words.

Knows how searches are typed: commas part what is asked for, a denial reaches over "or" and not over a comma
("no rib fracture, pneumothorax" wants the pneumothorax), "or" joins findings of which any will do. What a
part says is read by the findings engine, as a report is (`parts.py`). What can't be told is refused, or left
out with a note; what is denied is never wanted. Knows no archive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any

from xemplar.errors import XemplarError
from xemplar.report import language_within, split_sentences
from xemplar.retrieval.denials import DENIES, EXCEPTS
from xemplar.retrieval.details import detailed, only_details, without_open
from xemplar.retrieval.filters import Filter
from xemplar.retrieval.handmade import checked
from xemplar.retrieval.kinds import HELD, kinds_asked, relation, told
from xemplar.retrieval.parts import PartRead, read_part
from xemplar.retrieval.shorthand import spelled_out
from xemplar.retrieval.spoken import check_filters, filters_in
from xemplar.retrieval.terms import (
    DETAILS,
    NORMAL,
    Term,
    blanked,
    distinct,
    one_of,
    points_at_something,
    words_of,
)

__all__ = [
    "A_REPORT", "A_SENTENCE", "DETAILS", "LONGEST", "NORMAL", "Asked", "Term", "asked_from", "check_sense",
    "read_query",
]  # fmt: skip

LONGEST = 20_000
"""Characters of a query; no report is longer."""

A_REPORT = 400
"""Characters from which a query of several sentences is taken for a report, to be answered by its like."""

A_SENTENCE = 1000
"""Characters of a sentence beyond which it is none, and isn't read: its words alone are searched for."""

_CLOSES_A_LIST = re.compile(r"\b(?:n?or)\b", re.I)
_SEPARATOR = re.compile(r"[,;]+\s*(?!\d)|\n+")
_LEADS = re.compile(r"\s*n?or\b", re.I)
_EITHER = re.compile(r"\s*(?:either|(?:any|(?:at\s+least\s+)?one)\s+of)\b", re.I)
_BRACKETS = re.compile(r"\(([^()]*)\)")
_LOGIC = re.compile(r"\b(?:or|and|not|no|without)\b|[,;]", re.I)
_DENIED = re.compile(rf"(?:{DENIES.pattern}|{EXCEPTS.pattern})\s*\Z", re.I)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a query was read as; given to a search in its place, it overrides the reading.

    `words` are what the claims leave over, `ranked` all that speak for what is wanted. `how` is "claims",
    "words" (nothing was read, or another language) or "report" (the text is one itself).
    """

    text: str
    wanted: tuple[Term, ...] = ()
    unwanted: tuple[Term, ...] = ()
    filters: tuple[Filter, ...] = ()
    words: tuple[str, ...] = ()
    ranked: str = ""
    how: str = "claims"
    language: str = "en"
    notes: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        """The reading in a line."""
        parts = [f"with {told(self, term)}" for term in self.wanted]
        parts += [f"without {told(self, term)}" for term in self.unwanted]
        parts += [str(one) for one in self.filters]
        if self.words:
            parts.append(f"words: {' '.join(self.words)}")
        return "; ".join([*parts, *self.notes]) or "nothing"

    @property
    def names_findings(self) -> bool:
        """Whether any finding is asked for, or excluded."""
        return bool(self.wanted or self.unwanted)

    @property
    def has_probability(self) -> bool:
        """Whether it wants a finding: the weights were fitted to no search that only excludes."""
        return bool(self.wanted)

    def json(self) -> dict[str, Any]:
        """As JSON objects; `asked_from` reads it back."""
        return asdict(self)


def asked_from(value: Mapping[str, Any]) -> Asked:
    """A reading that was written as JSON, or by hand.

    Whatever it can't hold (an unknown key, finding, side, presence or `how`, text where a list is wanted) and
    what no report can meet is refused.
    """
    fields = checked(value)
    for name in ("wanted", "unwanted"):
        fields[name] = tuple(_term(one) for one in fields[name])
    fields["filters"] = tuple(Filter(**one) for one in fields["filters"])
    asked = Asked(**fields)
    check_sense(asked)
    check_filters(asked.filters)
    if asked.how == "claims" and not (asked.names_findings or asked.filters or asked.words):
        raise XemplarError("a reading that asks for nothing", wanted="a finding, a filter or words")
    return asked


def _term(value: Mapping[str, Any]) -> Term:
    return Term(**{**value, "any_of": tuple(_term(one) for one in value.get("any_of", ()))})


def read_query(text: str) -> Asked:
    """What a query asks for.

    An empty one, one of more than LONGEST characters and one that wants what it excludes are refused.
    """
    if not text.strip():
        raise XemplarError("an empty query", wanted="words or an image")
    if len(text) > LONGEST:
        raise XemplarError(f"a query of {len(text):,} characters", wanted=f"at most {LONGEST:,}")
    if len(text) > A_REPORT and len(split_sentences(text)) > 1 and _longest(text) <= A_SENTENCE:
        note = "read as a report, and answered by its like"
        return Asked(text, ranked=text, how="report", notes=(note,))
    if len(text) > A_SENTENCE and _longest(text) > A_SENTENCE:
        every, note = tuple(words_of(text)), "too long to be read: by its words alone"
        return Asked(text, words=every, ranked=" ".join(every), how="words", notes=(note,))
    whole, shorthand = spelled_out(text)
    filters = filters_in(whole)
    bare = blanked(whole, [part.span for part in filters])
    own = tuple(dict.fromkeys(part.filter for part in filters))
    language = language_within(bare, "en") if bare.strip() else "en"
    if language != "en":
        words = tuple(words_of(bare))
        note = f"in another language ({language or 'unknown'}): by its words alone"
        return Asked(text, (), (), own, words, " ".join(words), "words", language or "unknown", (note,))
    asked = _of_parts(text, bare, own)
    check_sense(asked)
    return replace(asked, notes=(*shorthand, *asked.notes))


def check_sense(asked: Asked) -> None:
    """Refuse a reading that wants what it excludes."""
    for want in asked.wanted:
        for other in asked.unwanted:
            if all(_is_within(asked, one, other) for one in want.each):
                raise XemplarError(
                    f"the query wants {want} and excludes {other}: no report can do both",
                    wanted="one or the other, or another side, place or degree",
                )


def _is_within(asked: Asked, want: Term, other: Term) -> bool:
    """Whether whatever meets one term is excluded by another; a chest tube isn't, where a pacemaker is."""
    if other.finding != want.finding or not all(_within(want, other, kind) for kind in DETAILS):
        return False
    return relation(want.finding, kinds_asked(asked, other), kinds_asked(asked, want)) == HELD


def _longest(text: str) -> int:
    return max((end - start for start, end in split_sentences(text)), default=0)


# --- parts -----


def _of_parts(text: str, bare: str, filters: tuple[Filter, ...]) -> Asked:
    parts = _read(_opened(re.sub(r"\?\s*\Z", "", bare)))
    terms = distinct([term for part in parts for term in part.terms])
    notes = [note for part in parts for note in part.notes]
    wanted, doubled = _once([term for term in terms if term.presence != "absent"])
    unwanted = tuple(term for term in terms if term.presence == "absent")
    left = tuple(dict.fromkeys(word for part in parts for word in part.over))
    ranked = " ".join(word for part in parts for word in part.ranked)
    if not terms and left:
        notes.append("names no finding that is known: by its words and vectors")
    if not terms and not filters and not left and not points_at_something(bare):
        why = "; ".join(notes) or "no word that says something"
        raise XemplarError(f"a query that asks for nothing ({why})", wanted="a finding, a filter or words")
    how = "claims" if terms or not left else "words"
    return Asked(text, wanted, unwanted, filters, left, ranked, how, "en", (*notes, *doubled))


def _once(wanted: list[Term]) -> tuple[tuple[Term, ...], list[str]]:
    """What is wanted, without what is doubted and stated at once: "possible effusion, effusion"."""
    stated = {term.meaning: term for term in wanted if term.presence == "present"}
    doubled = [
        term
        for term in wanted
        if term.presence == "uncertain" and (term.finding, "present", *term.meaning[2:]) in stated
    ]
    notes = [f"{term} is left out beside the same without a doubt" for term in doubled]
    return tuple(term for term in wanted if term not in doubled), notes


def _opened(text: str) -> str:
    """A query without its brackets, place for place: around more than a detail they part as commas do."""
    for match in _BRACKETS.finditer(text):
        inside, before, after = match[1], text[: match.start()], text[match.end() :]
        parts = bool(_LOGIC.search(inside))
        begins = ";" if parts and not _DENIED.search(before) else " "
        if parts and (re.search(r"\bor\s*\Z", before, re.I) or re.match(r"\s*or\b", after, re.I)):
            raise XemplarError(
                f'"or" beside brackets: "{match[0]}"', wanted="or within brackets alone",
                remedy="ask for one after the other",
            )  # fmt: skip
        text = before + begins + inside + (";" if parts else " ") + after
    return text


@dataclass(frozen=True, slots=True)
class _Item:
    """A part with what stands at its beginning, and whether a comma stands before it."""

    part: PartRead
    leads: bool
    either: bool
    comma: bool


def _read(text: str) -> list[PartRead]:
    """Every part, read; those that "either" begins, or that a leading "or" joins to one other, made one."""
    items: list[_Item] = []
    for start, end, comma in _parts(text):
        said = text[start:end].rstrip(" ,;\n")
        leads, either = (bool(at.match(said)) for at in (_LEADS, _EITHER))
        if comma and items and _completes(items[-1].part, said):
            continue
        item = _Item(read_part(said, start), leads, either, comma)
        chain = _chain(items) if comma else []
        joins = (leads or item.part.is_either) and not either and bool(chain)
        if leads and item.part.denies and chain:
            raise _unclear_list(text[:end])
        if not joins or item.part.denies:
            items.append(item)
            continue
        first = next((place for place, one in enumerate(chain) if one.either), None)
        if first is None and (not leads or len(chain) > 1):
            raise _unclear_list(text[:end])
        joined = [one.part for one in (*chain[first or 0 :], item)]
        if any(len(part.terms) != 1 for part in joined):
            raise _unclear_list(text[:end])
        for part in joined[1:]:
            joined[0].terms = [one_of([*joined[0].terms, *part.terms])]
            for mine, theirs in zip(_lists(joined[0]), _lists(part), strict=True):
                mine.extend(theirs)
        del items[len(items) - len(joined) + 2 :]
    return [item.part for item in items]


def _completes(part: PartRead, said: str) -> bool:
    """Whether a side or a degree alone was the finding's of the part before it: "effusion, small, left"."""
    of = detailed(said)
    details = only_details(of.text)
    term = part.terms[0] if len(part.terms) == 1 else None
    if not details or "place" in details or of.bounds or term is None or term.finding == NORMAL:
        return False
    if (
        part.denies
        or term.any_of
        or term.presence == "absent"
        or any(getattr(term, name) for name in details)
    ):
        return False
    part.terms = [replace(term, **details)]
    part.ranked += words_of(said)
    part.notes += of.notes
    return True


def _chain(items: list[_Item]) -> list[_Item]:
    """The parts at the end that commas part and that want something, none of them denied."""
    chain: list[_Item] = []
    for item in reversed(items):
        if item.part.denies or not item.part.terms:
            break
        chain.insert(0, item)
        if not item.comma:
            break
    return chain


def _lists(part: PartRead) -> tuple[list[str], ...]:
    return part.over, part.ranked, part.notes


def _unclear_list(said: str) -> XemplarError:
    return XemplarError(
        f'unclear what "or" joins in "{" ".join(said.split())}"',
        wanted='"either A, B or C" of which any will do, or "A; B or C" with A in any case',
    )


def _parts(text: str) -> Iterator[tuple[int, int, bool]]:
    """[start, end) of what commas part, and if one stands before; a denied list that "or" closes is whole."""
    cuts = [0, *(match.end() for match in _SEPARATOR.finditer(text)), len(text)]
    parts = [(start, end) for start, end in pairwise(cuts) if text[start:end].strip(" ,;\n")]
    commas = ["," in (before := text[:start].rstrip())[-1:] and ";" not in before[-1:] for start, _ in parts]
    at = 0
    while at < len(parts):
        last = at
        if any(denial.search(text[slice(*parts[at])]) for denial in (DENIES, EXCEPTS)):
            for ahead in range(at + 1, len(parts)):
                said = text[slice(*parts[ahead])]
                plain = _CLOSES_A_LIST.sub("or", said)
                if not commas[ahead] or _EITHER.match(said) or DENIES.search(plain) or EXCEPTS.search(plain):
                    break
                if _CLOSES_A_LIST.search(without_open(said)):
                    last = ahead
                    break
        yield parts[at][0], parts[last][1], commas[at]
        at = last + 1


def _within(want: Term, other: Term, kind: str) -> bool:
    """Whether all that will do for one is excluded by the other."""
    mine, theirs = getattr(want, kind), getattr(other, kind)
    if not theirs:
        return True
    reached = set(theirs) | ({"bilateral"} if kind == "side" else set())
    return bool(mine) and set(mine) <= reached
