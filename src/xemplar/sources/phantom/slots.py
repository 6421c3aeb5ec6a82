"""What fills the braces of a phrase: sides, zones, degrees, ribs and sizes in a reader's words.

Knows how a drawn thing becomes words for its slots; doesn't know which phrase they go into.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xemplar.sources.phantom.truth import Atelectasis, Consolidation, Effusion, Fracture, Heart, Lesion

CENTIMETRES = 0.11
"""Of one pixel of a nominal film; what makes the drawn lungs as large as real ones."""
ADVERBS = {"mild": "mildly", "moderate": "moderately", "severe": "severely"}
_RIBS = {
    3: "third",
    4: "fourth",
    5: "fifth",
    6: "sixth",
    7: "seventh",
    8: "eighth",
    9: "ninth",
    10: "tenth",
}
_CASES = ("m", "f", "n", "p")
"""Forms that an inflected language asks for: masculine, feminine, neuter (oblique), plural."""

Slots = dict[str, str]


def of_heart(heart: Heart) -> Slots:
    """Degree, adverb and the cardiothoracic ratio in per cent."""
    degree = heart.degree or ""
    return {"degree": degree, "adverb": ADVERBS.get(degree, ""), "ratio": str(round(100 * heart.ratio))}


def of_fluid(fluid: Sequence[Effusion]) -> Slots:
    """Of one effusion its side and degree; of two both degrees."""
    if len(fluid) == 1:
        return {"side": fluid[0].side, "degree": fluid[0].degree}
    found = {"side": "bilateral", "degree": fluid[0].degree}
    return found | {str(e.side): e.degree for e in fluid}


def of_opacity(place: Consolidation | Atelectasis) -> Slots:
    """Side, zone, degree, and the lobe that lies there."""
    slots = {"side": place.side, "zone": place.zone, "degree": place.degree}
    return slots | {"lobe": f"{place.side} {place.zone} lobe"}


def of_lesions(lesions: Sequence[Lesion]) -> Slots:
    """Of the largest one, with its diameter in centimetres and millimetres; how many, which side."""
    largest = max(lesions, key=lambda lesion: lesion.radius)
    width = f"{2 * largest.radius * CENTIMETRES:.1f} cm"
    sides = {lesion.side for lesion in lesions}
    return {
        "side": largest.side if len(sides) == 1 else "bilateral",
        "zone": largest.zone,
        "degree": largest.degree,
        "size": width,
        "a_size": f"a {width}",
        "mm": str(5 * round(2 * largest.radius * CENTIMETRES * 2)),
        "count": str(len(lesions)),
    }


def of_fractures(fractures: Sequence[Fracture]) -> Slots:
    """Side and rib, or the range of neighbouring ribs, in words and numbers."""
    levels = sorted(fracture.level for fracture in fractures)
    first, last = levels[0], levels[-1]
    joint = " and " if last - first == 1 else " to "
    return {
        "side": fractures[0].side,
        "level": str(first),
        "levels": f"{first}-{last}",
        "rib": _RIBS[first],
        "ribs": f"{_RIBS[first]}{joint}{_RIBS[last]}",
        "nth": _nth(first),
        "nths": f"{_nth(first)}-{_nth(last)}",
    }


def _nth(number: int) -> str:
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number, 'th') }"


def worded(slots: Mapping[str, str], key: str, terms: Mapping[str, str]) -> Slots:
    """The slots in a reader's words: "<key> <word>" of its terms before "<word>", else the word itself.

    Each slot has its forms for inflected languages beside it: `side_m` is the term "right m".
    """
    found: Slots = {}
    for name, word in slots.items():
        found[name] = terms.get(f"{key} {word}", terms.get(word, word))
        if name in ("side", "zone"):
            found |= {f"{name}_{case}": terms.get(f"{word} {case}", found[name]) for case in _CASES}
    if "zone" in slots and "lobe" in slots:
        found["lobe_n"] = terms.get(f"{slots['zone']} lobe", "")
    return found
