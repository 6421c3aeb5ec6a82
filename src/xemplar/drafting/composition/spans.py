"""A sentence -> the spans of it that may be quoted without its rest.

Knows where a sentence may be cut and how its claims are read. A part is offered only where, read again, it
makes the claims that it made inside its sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from xemplar.findings import read_claims
from xemplar.records import Claim, Sentence

Span = tuple[int, int]

_CUTS = re.compile(r"(?:[;,]\s+|\s+)(?:and|but|with|without)\s+|[;,]\s+")
_JOINS = re.compile(r"\b(?:and|or|nor)\b")
_JOINED = re.compile(r"\b(?:and|but|with|without|or|nor|no|is|are|was|were|there)\b", re.IGNORECASE)
_LABEL = re.compile(r"\A(?:(?:[A-Z][A-Za-z]*(?:[ /][A-Za-z]+){0,3}:|\d{1,2}[.)])\s+)+")
"""What a part of a report is headed with, where it stands in the sentence: "Heart: ...", "2. ..."."""
_BESIDE = re.compile(
    r"\b(?:adjacent|adjoining|associated|accompanying|overlying|underlying|resultant|concomitant)\b",
    re.IGNORECASE,
)
"""Told of something that the sentence names: a part that lacks it leans on what isn't there."""


def spans(sentence: Sentence) -> tuple[tuple[Span, tuple[Claim, ...]], ...]:
    """The whole sentence, then every part of it that keeps its claims when read alone; longest first."""
    return _spans(sentence.text, sentence.claims)


def label_of(text: str) -> int:
    """Where a label at the start of a sentence ends; 0 where there is none."""
    found = _LABEL.match(text)
    return 0 if found is None else found.end()


def can_be_cut(text: str) -> bool:
    """Whether there is any place to cut at."""
    return label_of(text) > 0 or _CUTS.search(text) is not None


@lru_cache(maxsize=20_000)
def _spans(text: str, whole: tuple[Claim, ...]) -> tuple[tuple[Span, tuple[Claim, ...]], ...]:
    """Kept by text and claims alone: a sentence may name 20,000 studies, all of which it would hash."""
    found = [((0, len(text)), whole)]
    for start, end in sorted(_parts(text), key=lambda part: part[0] - part[1]):
        inside = [claim for claim in whole if start <= claim.span[0] and claim.span[1] <= end]
        crossing = [c for c in whole if c not in inside and c.span[0] < end and c.span[1] > start]
        if not inside or crossing or _leaves_a_list_open(text, start, end):
            continue
        if _BESIDE.search(text, start, end) and start > label_of(text):
            continue
        again = read_claims(text[start:end])
        if {c.meaning for c in again} == {c.meaning for c in inside}:
            found.append(((start, end), again))
    return tuple(found)


def _leaves_a_list_open(text: str, start: int, end: int) -> bool:
    """Whether a part ends within a list, as "no edema, effusion" does of "no edema, effusion or fracture"."""
    head, comma, last = text[start:end].rpartition(",")
    return bool(comma and head and not _JOINED.search(last) and _JOINS.search(text[end:]))


def _parts(text: str) -> Iterator[Span]:
    """Every stretch between two places where a sentence may be cut."""
    cuts = [(match.start(), match.end()) for match in _CUTS.finditer(text)]
    label = label_of(text)
    starts = [0, *([label] if 0 < label < len(text) else []), *[end for _, end in cuts]]
    ends = [*[start for start, _ in cuts], len(text)]
    for start in starts:
        for end in ends:
            if start < end and (start, end) != (0, len(text)):
                yield start, end
