"""Where a report speaks against itself: side, place, presence, degree, and "normal" beside what is not.

Knows which two claims can't both be true, and which only look so: one of each side is both, no large effusion
is no conflict with a small one, what is doubted contradicts nothing. Rules, nothing fitted. Knows no film.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from xemplar.check.alerts import Alert, Kind, Quote
from xemplar.check.denials import CLEAR, EXCEPT, MEANWHILE, OLD, contradicts, same
from xemplar.check.reading import Read, Said
from xemplar.check.sides import kin_apart, leans_apart, sides_apart
from xemplar.records import Claim

_REGIONS = {
    "upper lobe": "upper", "upper zone": "upper", "apex": "upper",
    "lower lobe": "lower", "lower zone": "lower", "base": "lower", "costophrenic angle": "lower",
}  # fmt: skip
"""Places that are far enough apart; what lies between the two conflicts with neither."""

_VAGUE = frozenset(
    ("Infection", "Malignancy", "Respiratory Distress", "Degenerative Change", "Bone Deformity")
)
"""Whose presence and absence are told of different things too often."""

_ELSEWHERE = re.compile(
    r"\b(?:otherwise|elsewhere|remain\w*|rest|remainder|grossly|essentially|relatively)\b"
)
_UNCLEAR = frozenset(("Consolidation", "Pneumonia", "Edema", "Lung Lesion", "Lung Opacity"))
"""What clear lungs don't show; atelectasis and scars are so often passed over that they say nothing."""
_CALM = re.compile(
    r"\b(?:no|without)\b(?! (?:\w+ )?(?:other|addition\w*|further|new))(?: \w+){0,4}? (?:acute|active)"
    r" (?:\w+ ){0,2}?"
    r"(?:disease|abnormalit(?:y|ies)|process(?:es)?|findings?|pathology)\b"
    r"|\bnormal (?:chest|study|examination|exam)\b"
)
_ACUTE = frozenset(("Consolidation", "Pneumonia", "Edema", "Pneumothorax"))

_SEEN = frozenset(
    ("Pneumothorax", "Pleural Effusion", "Cardiomegaly", "Fracture", "Lung Lesion", "Support Devices")
)
"""What is seen rather than concluded: an impression that names it rests on findings that do."""
_KIN = {
    "Pleural Effusion": {"Costophrenic Blunting", "Pleural Other", "Pleural Effusion"},
    "Cardiomegaly": {"Cardiomegaly", "Enlarged Cardiomediastinum", "Heart Failure"},
    "Lung Lesion": {"Lung Lesion", "Lung Opacity", "Granuloma", "Calcification", "Malignancy", "Cavity"},
    "Fracture": {"Fracture", "Bone Deformity", "Degenerative Change"},
}
_SPOKEN = {
    "Pleural Effusion": r"pleura|effusion|costophrenic|fluid|xxxx",
    "Cardiomegaly": r"heart|cardi|mediastin|xxxx",
    "Lung Lesion": r"nodul|mass|densit|opacit|lesion|xxxx",
    "Fracture": r"fractur|rib|bon|osseous|vertebra|spine|deformit|skelet|clavic|xxxx",
    "Support Devices": r"tube|line|cathet|lead|pacem|wire|clip|device|sternotomy|surg|post|valve|xxxx",
    "Pneumothorax": r"pneumothora|pleura|xxxx",
}
"""Words by which the findings have spoken of it after all, whatever was read of them."""
_SIDES = "on one side in the findings, on the other in the impression"
_ADDED = re.compile(r"\W*(?:addend|amended)", re.IGNORECASE)
_ENOUGH = 3
"""Sentences of findings from which on silence says something."""


def conflicts(read: Read) -> Iterator[Alert]:
    """Every conflict, at most one of a kind and finding: of findings with impression first.

    What an addendum says amends the rest, and contradicts nothing.
    """
    read = _unamended(read)
    told: list[Alert] = []
    for name in dict.fromkeys(one.claim.finding for one in read.said):
        told += _about(name, [one for one in read.said if one.claim.finding == name])
    yield from told
    if not any(one.kind == "side conflict" for one in told) and (pair := kin_apart(read)):
        yield _alert("side conflict", pair[1].claim.finding, pair, told=_SIDES)
    yield from _not_normal(read)
    yield from _unsupported(read)


def _unamended(read: Read) -> Read:
    """A report up to its addendum, which stands at its end."""
    places = (place for place, one in enumerate(read.sentences) if _is_added(one))
    end = next(places, len(read.sentences))
    return replace(
        read, said=tuple(one for one in read.said if one.order < end), sentences=read.sentences[:end]
    )


def _is_added(sentence: Quote) -> bool:
    return sentence.section == "addendum" or _ADDED.match(sentence.sentence) is not None


def _about(name: str, about: Sequence[Said]) -> Iterator[Alert]:
    stated = [one for one in about if one.claim.presence == "present" and one.claim.change != "resolved"]
    denied = [one for one in about if one.claim.presence == "absent"]
    if name not in _VAGUE and (pair := _both(stated, denied)):
        yield _alert("presence conflict", name, pair, told="stated in one place and denied in another")
    across = [
        (one, other)
        for one, other in product(stated, stated)
        if one.section == "findings" and other.section == "impression" and same(one, other)
    ]
    if pair := sides_apart(stated):
        yield _alert("side conflict", name, pair, told=_SIDES)
        return
    if pair := leans_apart(stated):
        yield _alert("side conflict", name, pair, told="more of it on one side here, on the other there")
    if pair := _places_apart(stated, across):
        yield _alert("place conflict", name, pair, told="in different places in findings and impression")
    if pair := _degrees_apart(stated, across):
        yield _alert(
            "degree conflict", name, pair, told="small in one part of the report and large in the other"
        )


def _both(stated: Sequence[Said], denied: Sequence[Said]) -> tuple[Said, Said] | None:
    """A statement and a denial that can't both be true; of two sections before of one."""
    found = [pair for pair in product(stated, denied) if contradicts(*pair)]
    return min(found, key=lambda pair: pair[0].section == pair[1].section, default=None)


def _only(stated: Sequence[Said], section: str, kind: str) -> set[str | None]:
    """What one section says of a kind of detail, mention by mention; None for one that says nothing."""
    return {getattr(one.claim, kind) for one in stated if one.section == section}


def _places_apart(stated: Sequence[Said], across: Sequence[tuple[Said, Said]]) -> tuple[Said, Said] | None:
    regions = [
        {_REGIONS.get(place or "") for place in _only(stated, section, "place")}
        for section in ("findings", "impression")
    ]
    if regions not in ([{"upper"}, {"lower"}], [{"lower"}, {"upper"}]):
        return None
    return next(iter(across), None)


def _degrees_apart(stated: Sequence[Said], across: Sequence[tuple[Said, Said]]) -> tuple[Said, Said] | None:
    if any(one.claim.degree and MEANWHILE.search(one.quote.sentence.lower()) for one in stated):
        return None
    if any(len(_only(stated, section, "degree")) != 1 for section in ("findings", "impression")):
        return None
    pairs = ((one, other) for one, other in across if _one_side(one.claim, other.claim))
    return next((p for p in pairs if {p[0].claim.degree, p[1].claim.degree} == {"small", "large"}), None)


def _one_side(one: Claim, other: Claim) -> bool:
    return None in (one.side, other.side) or one.side == other.side


def _not_normal(read: Read) -> Iterator[Alert]:
    """Clear lungs, or nothing acute, beside a finding that is neither."""
    for normal in read.said:
        clear = normal.claim.presence == "absent" and _is_clear(normal)
        one = _against(read, normal, _UNCLEAR) if clear and normal.claim.finding == "Lung Opacity" else None
        if one is not None:
            told = "the lungs are called clear, and this is stated"
            yield _alert("normal conflict", one.claim.finding, (one, normal), told=told)
            return
    for order, sentence in enumerate(read.sentences):
        if sentence.section == "impression" and _CALM.search(sentence.sentence.lower()):
            whole = Said(Claim("No Finding", "present"), sentence, order)
            if one := _against(read, whole, _ACUTE):
                told = "nothing acute is concluded, and this is stated"
                yield _alert("normal conflict", one.claim.finding, (one, whole), told=told)
                return


def _is_clear(said: Said) -> bool:
    """Whether lungs are called clear, and not but for something."""
    sentence = said.quote.sentence.lower()
    but = _ELSEWHERE.search(sentence) or EXCEPT.search(sentence)
    return bool(CLEAR.search(said.quote.text.lower())) and not but


def _against(read: Read, normal: Said, names: frozenset[str]) -> Said | None:
    """A statement that a normal one elsewhere can't stand beside; of the other section before of its own."""
    found = [
        one
        for one in read.said
        if one.claim.finding in names
        and one.claim.presence == "present"
        and one.order != normal.order
        and normal.claim.side in (None, "bilateral", one.claim.side)
        and one.claim.degree != "small"
        and one.claim.change not in ("resolved", "unchanged", "decreased")
        and not OLD.search(one.quote.sentence.lower())
    ]
    return min(found, key=lambda one: one.section == normal.section, default=None)


def _unsupported(read: Read) -> Iterator[Alert]:
    """Findings of the impression that were never spoken of before."""
    before = [one for one in read.sentences if one.section == "findings"]
    if len(before) < _ENOUGH:
        return
    told = {one.claim.finding for one in read.of("findings")}
    words = " ".join(one.sentence.lower() for one in before)
    done: set[str] = set()
    for one in read.of("impression"):
        name = one.claim.finding
        if name not in _SEEN or name in done or one.claim.presence != "present":
            continue
        if not told & (_KIN.get(name, set()) | {name}) and not re.search(_SPOKEN[name], words):
            done.add(name)
            message = f"{name}: in the impression, and the findings never speak of it"
            yield Alert("unsupported impression", name, message, (one.quote,))


def _alert(kind: Kind, name: str, pair: tuple[Said, Said], *, told: str) -> Alert:
    return Alert(kind, name, f"{name}: {told}", (pair[0].quote, pair[1].quote))
