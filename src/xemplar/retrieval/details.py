"""Side, place and degree as queries leave them open: "left or right", "upper or lower lobe", "at most small".

Knows which values will do of a claim's detail, given the words about it. Knows nothing of denials.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from xemplar.errors import XemplarError
from xemplar.findings.lexicon import lexicon
from xemplar.records import Claim
from xemplar.retrieval.terms import DEGREES, DETAILS, blanked, words_of

_EITHER = re.compile(r"[\s,]*(?:-?(?:or|to|and/or)-?|[/-])\s*\Z")
_JOINT = re.compile(r"\s*-?\b(?:to|or)\b-?\s*")
_SIDE = r"(?:right|left)(?:-sided)?"
_ZONE = r"(?:upper|mid|middle|lower)"
_OR = r"\s*(?:-?\s*\b(?:or|and/or)\b\s*-?|/)\s*"
_SIDES = re.compile(rf"\b{_SIDE}{_OR}(?:(?:on|in)\s+)?(?:the\s+)?{_SIDE}\b")
_ZONES = re.compile(
    rf"\b(?P<one>{_ZONE}){_OR}(?P<two>{_ZONE})\s+(?P<noun>(?:lung\s+)?(?:lobe|zone|field)s?|lungs?)\b"
)
_CROSSED = re.compile(rf"\b{_SIDE}\s+{_ZONE}{_OR}{_SIDE}\s+{_ZONE}\b")
_BOTH_SIDES = re.compile(r"\b(?:left\s*(?:and|&|\+)\s*right|right\s*(?:and|&|\+)\s*left)(?=\s*\Z)")
_APART = re.compile(r"\b(?:with|and|or|but)\b|,")
_LARGER = re.compile(
    rf"\b(?:{_SIDE})\s*(?:>+|<+|\u2265|\u2264|\b(?:greater|more|larger|less|worse|smaller)\s+than\s+(?:the\s+)?)\s*{_SIDE}\b"
)
_SIDE_NOUN = re.compile(r"\b(?:sides?|lungs?|hemithorax)\b")
_FROM = re.compile(r"(?:\bat\s+least|\b(?:no|not)\s+(?:less|smaller)\s+than|\bminimum|>=|\u2265)\s*\Z")
_TO = re.compile(
    r"(?:\bat\s+most|\bup\s+to|\b(?:no|not)\s+(?:more|larger|greater|bigger|worse)\s+than|\bmaximum|<=|\u2264)\s*\Z"
)
_OVER = re.compile(r"(?:\b(?:more|larger|greater|bigger|worse)\s+than|>)\s*\Z")
_UNDER = re.compile(r"(?:\b(?:less|smaller)\s+than|<)\s*\Z")
_AND_MORE = re.compile(r"\s*(?:\+|\b(?:or|and)\s+(?:more|greater|larger|bigger|worse|above)\b(?!\s+than))")
_AND_LESS = re.compile(r"\s*\b(?:or|and)\s+(?:less|smaller|below|under|milder)\b(?!\s+than)")


@dataclass(frozen=True, slots=True)
class Detailed:
    """A text whose open details were noted, and made such as a report would have them, place for place."""

    text: str
    bounds: tuple[tuple[tuple[int, int], tuple[str, ...]], ...] = ()
    """Of a degree [start, end) with a bound: every degree that will do."""
    notes: tuple[str, ...] = ()


def detailed(text: str) -> Detailed:
    """Bounds on degrees noted, then blanked; "right > left" made bilateral; what none meets is refused."""
    bounds, gone = list[tuple[tuple[int, int], tuple[str, ...]]](), list[tuple[int, int]]()
    low = text.lower() if len(text.lower()) == len(text) else text
    for value, (start, end) in said(low, "degree"):
        place = DEGREES.index(value)
        before = ((_FROM, slice(place, None)), (_TO, slice(0, place + 1)), (_OVER, slice(place + 1, None)),
                  (_UNDER, slice(0, place)))  # fmt: skip
        found = [(match, which) for pattern, which in before if (match := pattern.search(low[:start]))][:1]
        if not found:
            after = ((_AND_MORE, slice(place, None)), (_AND_LESS, slice(0, place + 1)))
            found = [(match, which) for pattern, which in after if (match := pattern.match(low, end))]
        for match, which in found:
            values = tuple(DEGREES[which])
            if not values:
                raise XemplarError(
                    f'no degree is as "{match[0].strip()} {value}" asks', wanted=", ".join(DEGREES)
                )
            bounds.append(((start, end), values))
            gone.append(match.span())
    text = blanked(text, gone)
    notes = []
    if (crossed := _CROSSED.search(low)) is not None:
        raise XemplarError(
            f'"{crossed[0]}", a side to each place', wanted="places of one side, or the finding with each"
        )
    for match in _BOTH_SIDES.finditer(low):
        text = text[: match.start()] + "bilateral".ljust(len(match[0])) + text[match.end() :]
    for match in list(_LARGER.finditer(low)):
        text = text[: match.start()] + "bilateral".ljust(len(match[0])) + text[match.end() :]
        notes.append(f'of "{match[0]}" only that both sides have it is asked')
    return Detailed(text, tuple(bounds), tuple(notes))


def without_open(text: str) -> str:
    """The same without what joins two details, so that an "or" that is left joins something else."""
    for match in [*_SIDES.finditer(text), *_ZONES.finditer(text), *_LARGER.finditer(text)]:
        text = blanked(text, [match.span()])
    found = said(text, "degree")
    for (_, one), (_, two) in pairwise(found):
        if _EITHER.match(text[one[1] : two[0]]):
            text = blanked(text, [(one[1], two[0])])
    for _, (_, end) in found:
        for pattern in (_AND_MORE, _AND_LESS):
            bound = pattern.match(text, end)
            text = blanked(text, [bound.span()] if bound else [])
    return text


def will_do(of: Detailed, claim: Claim, window: tuple[int, int]) -> dict[str, Any]:
    """For side, place and degree what will do: the claim's own, and what is joined to it within a window."""
    return {kind: _either(of, claim, kind, window=window) for kind in DETAILS}


def _either(of: Detailed, claim: Claim, kind: str, *, window: tuple[int, int]) -> tuple[str, ...]:
    value: str | None = getattr(claim, kind)
    low = of.text.lower()
    if value is None:
        zones = _ZONES.search(low, *window) if kind == "place" else None
        gap = zones and low[min(claim.span[1], zones.end()) : max(zones.start(), claim.span[0])]
        return () if zones is None or _APART.search(gap or "") else _places(low, window)
    if kind == "side":
        both = value in ("left", "right") and _SIDES.search(low, *window)
        return ("left", "right") if both else (value,)
    if kind == "place" and (places := _places(low, window)) and value in places:
        return places
    found = said(low, kind)
    for span, values in of.bounds if kind == "degree" else ():
        if any(one == value and at == span for one, at in found) and window[0] <= span[0] < window[1]:
            return values
    for (one, before), (two, after) in pairwise(found):
        if value in (one, two) and one != two and _EITHER.match(low[before[1] : after[0]]):
            if kind == "degree":
                first, last = sorted((DEGREES.index(one), DEGREES.index(two)))
                return DEGREES[first : last + 1]
            return (one, two)
    return (value,)


def _places(low: str, window: tuple[int, int]) -> tuple[str, ...]:
    """Both places of "upper or lower lobe"; none where it isn't said."""
    match, found = _ZONES.search(low, *window), list[str]()
    matcher = lexicon("default").modifiers["place"]
    for name in ("one", "two"):
        whole = matcher.pattern.fullmatch(f"{match[name]} {match['noun']}") if match else None
        if whole is not None:
            found.append(matcher.label(whole))
    return tuple(found)


def only_details(text: str) -> dict[str, Any]:
    """Side, place and degree of a text that says nothing else; empty where it says more, or nothing."""
    low, told = text.lower(), dict[str, tuple[str, ...]]()
    rest = low
    for kind in DETAILS:
        found = said(low, kind)
        if found:
            told[kind] = tuple(dict.fromkeys(value for value, _ in found))
            rest = blanked(rest, [span for _, span in found])
    return {} if words_of(_SIDE_NOUN.sub(" ", rest)) else told


def said(low: str, kind: str) -> list[tuple[str, tuple[int, int]]]:
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
