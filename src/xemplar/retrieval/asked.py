"""A text query -> what it asks for: findings that are to be there, findings that are not, facets, words.

Knows how searches are typed: commas part what is asked for, a denial reaches over "or" and not over a comma
("without pneumothorax, enlarged heart" wants the heart), a degree or a place may be one of two. What a part
says is read by the findings engine, as a report is. Knows no archive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, get_args

from xemplar.errors import XemplarError
from xemplar.findings import FINDINGS, OTHER_FINDINGS, label_report, read_claims
from xemplar.findings.engine import read
from xemplar.findings.lexicon import lexicon
from xemplar.records import Claim, Presence
from xemplar.report import language_within, split_sentences
from xemplar.retrieval.filters import Filter
from xemplar.retrieval.spoken import filters_in

LONGEST = 20_000
"""Characters of a query; no report is longer."""

A_REPORT = 400
"""Characters from which a query of several sentences is taken for a report, to be answered by its like."""

A_SENTENCE = 1000
"""Characters of a sentence beyond which it is none, and isn't read: its words alone are searched for."""

NORMAL = "No Finding"
"""What is asked for by "normal chest": a report that states no finding."""

DETAILS = ("side", "place", "degree")
_DENIES = re.compile(
    r"\b(?:no|not|without|w/o|neither|nor|never|absent|absence of|free of|negative for|excluding|except)\b",
    re.I,
)
_CLOSES_A_LIST = re.compile(r"\b(?:n?or)\b", re.I)
_SEPARATOR = re.compile(r"[,;]+\s*(?!\d)|\n+")
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_EITHER = re.compile(r"[\s,]*(?:-?(?:or|to|and/or)-?|[/-])\s*\Z")
_JOINT = re.compile(r"\s*-?\b(?:to|or)\b-?\s*")
_TURNS = re.compile(r"\b(?:but|with|however|although|though|only)\b", re.I)
_DEGREES = ("small", "moderate", "large")
_ALIKE = re.compile(
    r"\b(?:like|similar to|same as|as)\s+(?:this|that|these|it)(?:\s+(?:one|film|image|case|study))?\b", re.I
)
_SILENT = frozenset(
    """a an the of in on at with and or nor but for to from by is are be was were this that these those it any
    some all no not without who have has had show shows showing seen there here find me please patient study
    patients studies case cases report reports film films radiograph radiographs image images one ones both
    either only also than as like same similar place evidence signs sign""".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Term:
    """One finding that is asked for, or that is not to be there.

    `side`, `place` and `degree` hold what will do (none: any); `words` are those that named it, `span` is
    where, in the query.
    """

    finding: str
    presence: Presence = "present"
    side: tuple[str, ...] = ()
    place: tuple[str, ...] = ()
    degree: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    span: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if self.finding not in (*FINDINGS, *OTHER_FINDINGS, NORMAL):
            raise XemplarError(f"no finding {self.finding!r}", wanted=", ".join((*FINDINGS, *OTHER_FINDINGS)))
        if self.presence not in get_args(Presence):
            raise XemplarError(f"presence {self.presence!r}", wanted=", ".join(get_args(Presence)))

    @property
    def agrees_from(self) -> float:
        """The share of points from which a claim's details are those asked for; a place may be next to it."""
        asked = sum(bool(values) for values in (self.side, self.place, self.degree))
        return 0.999 - (1 / (3 * asked) if self.place else 0.0)

    def __str__(self) -> str:
        details = [" or ".join(values) for values in (self.degree, self.side, self.place) if values]
        named = "nothing abnormal" if self.finding == NORMAL else self.finding
        return named + (f" ({', '.join(details)})" if details else "")


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
        told = [f"with {term}" for term in self.wanted] + [f"without {term}" for term in self.unwanted]
        told += [str(one) for one in self.filters]
        if self.words:
            told.append(f"words: {' '.join(self.words)}")
        return "; ".join([*told, *self.notes]) or "nothing"

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
    """A reading that was written as JSON, or by hand; an unknown key or finding is refused."""
    try:
        known = _tuples(value)
        for name in ("wanted", "unwanted"):
            known[name] = tuple(Term(**_tuples(one)) for one in value.get(name, ()))
        known["filters"] = tuple(Filter(**_tuples(one)) for one in value.get("filters", ()))
        asked = Asked(**known)
    except TypeError as error:
        raise XemplarError(f"a reading that is none: {error}", wanted="what `search --json` gives") from None
    check_sense(asked)
    return asked


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
        every, note = tuple(_words(text)), "too long to be read: by its words alone"
        return Asked(text, words=every, ranked=" ".join(every), how="words", notes=(note,))
    filters = filters_in(text)
    bare = _blanked(text, [part.span for part in filters])
    told = tuple(dict.fromkeys(part.filter for part in filters))
    language = language_within(bare, "en") if bare.strip() else "en"
    if language != "en":
        words = tuple(_words(bare))
        note = f"in another language ({language or 'unknown'}): by its words alone"
        return Asked(text, (), (), told, words, " ".join(words), "words", language or "unknown", (note,))
    asked = _of_parts(text, bare, told)
    check_sense(asked)
    return asked


def check_sense(asked: Asked) -> None:
    """Refuse a reading that wants what it excludes."""
    for want in asked.wanted:
        for other in asked.unwanted:
            if other.finding == want.finding and all(_within(want, other, kind) for kind in DETAILS):
                raise XemplarError(
                    f"the query wants {want} and excludes {other}: no report can do both",
                    wanted="one or the other, or another side, place or degree",
                )


def _longest(text: str) -> int:
    return max((end - start for start, end in split_sentences(text)), default=0)


def _tuples(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(one) if isinstance(one, list) else one for name, one in value.items()}


# --- parts -----


def _of_parts(text: str, bare: str, filters: tuple[Filter, ...]) -> Asked:
    parts = [_read_part(bare, start, end) for start, end in _parts(bare)]
    terms: dict[object, Term] = {}
    for part in parts:
        for term in part.terms:
            terms.setdefault(_meaning(term), term)
    wanted = tuple(term for term in terms.values() if term.presence != "absent")
    unwanted = tuple(term for term in terms.values() if term.presence == "absent")
    left = tuple(dict.fromkeys(word for part in parts for word in part.over))
    ranked = " ".join(word for part in parts for word in part.ranked)
    notes = [f'"{one}" is not understood and left out' for part in parts for one in part.lost]
    if not terms and left:
        notes.append("names no finding that is known: by its words and vectors")
    how = "claims" if terms or not left else "words"
    return Asked(text, wanted, unwanted, filters, left, ranked, how, "en", tuple(notes))


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """[start, end) of what commas part; a denied list that "or" closes stays whole."""
    cuts = [0, *(match.end() for match in _SEPARATOR.finditer(text)), len(text)]
    parts = [(start, end) for start, end in pairwise(cuts) if text[start:end].strip(" ,;\n")]
    at = 0
    while at < len(parts):
        last = at
        if _DENIES.search(text[slice(*parts[at])]):
            for ahead in range(at + 1, len(parts)):
                told = text[slice(*parts[ahead])]
                if _DENIES.search(_CLOSES_A_LIST.sub("or", told)):
                    break
                if _CLOSES_A_LIST.search(told):
                    last = ahead
                    break
        yield parts[at][0], parts[last][1]
        at = last + 1


@dataclass(frozen=True, slots=True)
class _Part:
    """What one part asks for; `over` are words that no term took, `lost` what was denied and isn't known."""

    terms: tuple[Term, ...]
    over: tuple[str, ...] = ()
    ranked: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def _read_part(text: str, start: int, end: int) -> _Part:
    part = text[start:end].rstrip(" ,;\n")
    claims = read_claims(part)
    if not claims and label_report(part).presences.get(NORMAL) == "present":
        return _Part((Term(NORMAL, words=tuple(_words(part)), span=(start, start + len(part))),))
    taken, denied = _taken(part, claims)
    lost = [one for one in _denials(part) if not any(one[0] < at[1] and at[0] < one[1] for at in denied)]
    gone = [*_denials(part), *denied]
    return _Part(
        tuple(_term(part, claim, start) for claim in claims),
        tuple(_words(_blanked(part, [*taken, *gone]))),
        tuple(_words(_blanked(part, gone))),
        tuple(" ".join(part[slice(*one)].split()) for one in lost if _words(part[slice(*one)])),
    )


def _denials(part: str) -> list[tuple[int, int]]:
    """Each denial with what it reaches."""
    found: list[tuple[int, int]] = []
    for match in _DENIES.finditer(part):
        ends = _TURNS.search(part, match.end())
        found.append((match.start(), ends.start() if ends else len(part)))
    return found


def _taken(part: str, claims: Sequence[Claim]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Where claims, their modifiers and cues stand; and where what is denied does."""
    words = lexicon("default")
    scene = read(part, words)
    if scene is None:
        return [], []
    spans = [scene.typed(start, end) for _, start, end in scene.cues] + [claim.span for claim in claims]
    for kind in DETAILS:
        if any(getattr(claim, kind) for claim in claims):
            found = words.modifiers[kind].pattern.finditer(scene.text)
            spans += [scene.typed(*match.span()) for match in found]
    return spans, [scene.typed(one.start, one.reach) for one in scene.mentions if one.presence == "absent"]


def _term(part: str, claim: Claim, at: int) -> Term:
    start, end = claim.span
    details = {kind: _either(part, claim, kind) for kind in DETAILS}
    words = tuple(_words(part[start:end]))
    return Term(claim.finding, claim.presence, words=words, span=(at + start, at + end), **details)


def _either(part: str, claim: Claim, kind: str) -> tuple[str, ...]:
    """What will do of a kind of detail: the claim's, and another that "or" or "to" joins to it."""
    value: str | None = getattr(claim, kind)
    if value is None:
        return ()
    if kind == "side":
        return (value,)
    found = _said(part.lower(), kind)
    for (one, before), (two, after) in pairwise(found):
        if value in (one, two) and one != two and _EITHER.match(part[before[1] : after[0]]):
            if kind == "degree":
                first, last = sorted((_DEGREES.index(one), _DEGREES.index(two)))
                return _DEGREES[first : last + 1]
            return (one, two)
    return (value,)


def _said(low: str, kind: str) -> list[tuple[str, tuple[int, int]]]:
    """The modifiers of a kind and where they stand; "small to moderate" are two."""
    matcher, found = lexicon("default").modifiers[kind], list[tuple[str, tuple[int, int]]]()
    for match in matcher.pattern.finditer(low):
        joint = _JOINT.search(match[0])
        halves = [(0, joint.start()), (joint.end(), len(match[0]))] if joint else []
        parts = [(matcher.pattern.fullmatch(match[0][slice(*half)]), half) for half in halves]
        if joint and all(part for part, _ in parts):
            found += [
                (matcher.label(part), (match.start() + half[0], match.start() + half[1]))
                for part, half in parts
                if part is not None
            ]
        else:
            found.append((matcher.label(match), match.span()))
    return found


def _meaning(term: Term) -> tuple[object, ...]:
    return (term.finding, term.presence, term.side, term.place, term.degree)


def _within(want: Term, other: Term, kind: str) -> bool:
    """Whether all that will do for one is excluded by the other."""
    mine, theirs = getattr(want, kind), getattr(other, kind)
    if not theirs:
        return True
    reached = set(theirs) | ({"bilateral"} if kind == "side" else set())
    return bool(mine) and set(mine) <= reached


def _blanked(text: str, spans: Sequence[tuple[int, int]]) -> str:
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _words(text: str) -> list[str]:
    """The words that say something, in order, none twice."""
    text = _ALIKE.sub(" ", text)
    return list(dict.fromkeys(word for word in _WORD.findall(text.lower()) if word not in _SILENT))
