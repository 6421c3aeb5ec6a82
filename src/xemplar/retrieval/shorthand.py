"""Radiologists' shorthand in a query, spelled out before it is read: "RLL" is the right lower lobe.

Knows abbreviations that have one meaning in a search of chest films; what has several ("PE", "ASD") stays as
it is. Knows nothing of how the words are read then.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_LOBES = {
    "rul": "right upper lobe", "rml": "right middle lobe", "rll": "right lower lobe",
    "lul": "left upper lobe", "lll": "left lower lobe",
    "ruz": "right upper zone", "rmz": "right mid zone", "rlz": "right lower zone",
    "luz": "left upper zone", "lmz": "left mid zone", "llz": "left lower zone",
}  # fmt: skip

_WORDS = {
    **_LOBES,
    "lt": "left", "rt": "right", "bilat": "bilateral", "b/l": "bilateral", "mod": "moderate",
    "pulm": "pulmonary", "pna": "pneumonia", "ptx": "pneumothorax", "fx": "fracture", "fxs": "fractures",
    "ngt": "nasogastric tube", "ett": "endotracheal tube", "cvc": "central venous catheter",
    "ppm": "pacemaker", "wnl": "normal", "ddd": "degenerative disc disease", "s/p": "status post",
    "w/": "with", "cp angle": "costophrenic angle", "cp angles": "costophrenic angles",
    "c-spine": "cervical spine", "t-spine": "thoracic spine", "l-spine": "lumbar spine",
    "cxr": "chest radiograph",
}  # fmt: skip

_WORD = re.compile(
    r"(?<![\w/-])(?:" + "|".join(sorted(map(re.escape, _WORDS), key=len, reverse=True)) + r")(?![\w/-]|/o\b)",
    re.IGNORECASE,
)
_SIDE = re.compile(r"(?<![\w/.'-])([LR])(?=\s+[A-Za-z]{2,})(?!\s+(?:to|and|or|than)\b)")
_FRACTURE = re.compile(r"(?<=[A-Za-z])\s*#(?=\s|[,;.)]|\Z)|(?<!\S)#(?=\s+[A-Za-z])")
_GREATER = re.compile(r"(?<![\w/.'-])([LR])(\s*[<>]\s*)([LR])(?!\w)")
_SIDES = {"L": "left", "R": "right"}


def spelled_out(text: str) -> tuple[str, tuple[str, ...]]:
    """The query in whole words, and a note for each kind of shorthand that was in it."""
    notes: dict[str, None] = {}

    def by(meaning: Callable[[str], str]) -> Callable[[re.Match[str]], str]:
        def one(match: re.Match[str]) -> str:
            said = match[0].strip()
            notes[f"{said} is read as {meaning(said).strip()}"] = None
            return meaning(said)

        return one

    text = _WORD.sub(by(lambda said: _WORDS[said.lower()]), text)
    text = _GREATER.sub(lambda match: f"{_SIDES[match[1]]}{match[2]}{_SIDES[match[3]]}", text)
    text = _SIDE.sub(by(lambda said: _SIDES[said]), text)
    text = _FRACTURE.sub(by(lambda _: " fracture"), text)
    return text, tuple(notes)
