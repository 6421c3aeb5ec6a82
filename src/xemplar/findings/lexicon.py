"""The lexicon: the words of the findings engine, read once from `lexicon.toml` and compiled.

Knows the data file and nothing of how its words are used.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

FINDINGS: tuple[str, ...] = (
    "Cardiomegaly",
    "Pleural Effusion",
    "Pneumothorax",
    "Consolidation",
    "Support Devices",
    "Atelectasis",
    "Edema",
    "Lung Lesion",
    "Fracture",
    "Pneumonia",
    "Lung Opacity",
    "Enlarged Cardiomediastinum",
    "Pleural Other",
)
"""CheXpert's names; "No Finding" is not one of them."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One regular expression over several labelled lists; a match tells which list it came from."""

    pattern: re.Pattern[str]
    labels: tuple[str, ...]

    def label(self, match: re.Match[str]) -> str:
        """The label of the list that matched."""
        return self.labels[(match.lastindex or 1) - 1]

    def spans(self, text: str) -> list[tuple[str, int, int]]:
        """Every match as (label, start, end), left to right, none overlapping."""
        labels = self.labels
        return [
            (labels[(match.lastindex or 1) - 1], match.start(), match.end())
            for match in self.pattern.finditer(text)
        ]


@dataclass(frozen=True, slots=True)
class Structure:
    """Something that is looked at, and the predicates that make its findings absent or present."""

    findings: tuple[str, ...]
    normal: frozenset[str]
    abnormal: frozenset[str]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The compiled lexicon; `version` is the SHA-256 of the data file."""

    version: str
    mentions: Matcher
    structures: Mapping[str, Structure]
    predicates: Matcher
    cues: Matcher
    exceptions: re.Pattern[str]
    alternatives: re.Pattern[str]
    verbs: re.Pattern[str]
    modifiers: Mapping[str, Matcher]


def _compile(lists: Sequence[tuple[str, Sequence[str]]]) -> Matcher:
    groups = "|".join(f"({'|'.join(words)})" for _, words in lists)
    groups = groups.replace(" ?", r"\s*").replace(" ", r"\s+")
    pattern = re.compile(rf"(?<!\w)(?:{groups})(?!\w)")
    if pattern.groups != len(lists):
        raise ValueError("a lexicon entry has a capturing group")
    return Matcher(pattern, tuple(label for label, _ in lists))


def _phrases(data: Mapping[str, Any], table: str) -> re.Pattern[str]:
    return _compile([(table, data[table]["phrases"])]).pattern


def _mentions(data: Mapping[str, Any]) -> Matcher:
    """Not-mentions first, so that they win; then findings, their doubtful words, and structures."""
    lists: list[tuple[str, Sequence[str]]] = [("", data["not_mentions"]["phrases"])]
    for finding in FINDINGS:
        lists.append((finding, data["findings"][finding]["mentions"]))
        doubtful = data["findings"][finding].get("doubtful")
        if doubtful:
            lists.append((f"?{finding}", doubtful))
    lists += [(f"@{name}", table["names"]) for name, table in data["structures"].items()]
    return _compile(lists)


@cache
def _data() -> tuple[dict[str, Any], str]:
    raw = files("xemplar.findings").joinpath("lexicon.toml").read_bytes()
    return tomllib.loads(raw.decode("utf-8")), hashlib.sha256(raw).hexdigest()


def lexicon_version() -> str:
    """SHA-256 of the data file: changes whenever a word does."""
    return _data()[1]


@cache
def lexicon() -> Lexicon:
    """The lexicon, compiled at the first call."""
    data, version = _data()
    return Lexicon(
        version=version,
        mentions=_mentions(data),
        structures={
            name: Structure(
                tuple(table["findings"]), frozenset(table["normal"]), frozenset(table["abnormal"])
            )
            for name, table in data["structures"].items()
        },
        predicates=_compile(list(data["predicates"].items())),
        cues=_compile(list(data["cues"].items())),
        exceptions=_phrases(data, "exceptions"),
        alternatives=_phrases(data, "alternatives"),
        verbs=_phrases(data, "verbs"),
        modifiers={
            kind: _compile(list(data[kind].items())) for kind in ("side", "place", "degree", "change")
        },
    )
