"""The lexicon: the words and rules of a profile, read once from its data file and compiled.

Knows the data files and nothing of how their words are used.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, cast

from xemplar.errors import XemplarError
from xemplar.findings.closings import Closings, closings
from xemplar.findings.spelling import Spelling, spelling
from xemplar.records import Presence

Profile = Literal["default", "chexpert"]
Reach = Literal["forward", "back", "either"]
Span = tuple[str, int, int]

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

PROFILES: Mapping[Profile, str] = {"default": "lexicon.toml", "chexpert": "chexpert.toml"}
"""Profile -> its data file."""

_MODIFIERS = ("side", "place", "degree", "change")
_TABLES = (
    *("findings", "others", "structures", "predicates", "cues", *_MODIFIERS),
    *("not_mentions", "exceptions", "alternatives", "barriers", "closings", "normal"),
)
_ENGINE = ("claims", "cleaning", "closings", "engine", "labels", "lexicon", "spelling")
"""The modules whose code makes a difference to what is read."""

_WORDED = frozenset(("", "mentions", "doubtful", "names"))


@dataclass(frozen=True, slots=True)
class Matcher:
    """One regular expression over several labelled lists; a match tells which list it came from."""

    pattern: re.Pattern[str]
    labels: tuple[str, ...]

    def label(self, match: re.Match[str]) -> str:
        """The label of the list that matched."""
        return self.labels[(match.lastindex or 1) - 1]

    def spans(self, text: str) -> list[Span]:
        """Every match as (label, start, end), left to right, none overlapping."""
        labels = self.labels
        return [
            (labels[(match.lastindex or 1) - 1], match.start(), match.end())
            for match in self.pattern.finditer(text)
        ]


@dataclass(frozen=True, slots=True)
class Structure:
    """Something that is looked at, and the predicates that make its findings absent or present.

    An `implied` one says something of its findings without naming them: "the lungs are clear".
    """

    findings: tuple[str, ...]
    normal: frozenset[str]
    abnormal: frozenset[str]
    implied: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """What cues of some kinds make of a mention that they reach; the first rule that reaches decides."""

    name: str
    presence: Presence | Literal["unsaid"]
    """ "unsaid": the mention claims nothing of this film."""
    kinds: frozenset[str]
    reach: Reach
    stops: frozenset[str]
    """Kinds of cues it can't pass on its way to the mention."""
    barrier: re.Pattern[str] | None
    """Words it can't pass."""
    words: re.Pattern[str] | None
    """What must stand within the mention, where a rule is for some words alone."""
    labels: frozenset[str]
    """The findings it is for; empty: all."""
    next_only: bool
    own_clause: bool
    """Whether, going back, it stops at a comma that no "and" or "or" makes part of a list."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """A compiled profile; `version` is `lexicon_version`."""

    profile: Profile
    version: str
    mentions: tuple[Matcher, ...]
    """Matchers whose mentions may overlap one another's."""
    structures: Mapping[str, Structure]
    predicates: Matcher | None
    cues: Matcher
    rules: tuple[Rule, ...]
    exceptions: re.Pattern[str] | None
    alternatives: re.Pattern[str] | None
    closings: Closings | None
    """What ends a cue's reach within a list, where a profile asks for it."""
    normal: re.Pattern[str] | None
    """What says that there is no finding without naming one, where a profile asks for it."""
    verbs: re.Pattern[str]
    modifiers: Mapping[str, Matcher]
    passed: frozenset[str]
    """Findings over which the modifiers of the next one reach."""
    spelling: Spelling | None
    """What mends mistyped key words, where a profile does."""


def _compile(lists: Sequence[tuple[str, Sequence[str]]], *, whole: bool = True) -> Matcher:
    """One matcher over lists; `whole` words, or anywhere within them."""
    groups = "|".join(f"({'|'.join(words)})" for _, words in lists)
    groups = groups.replace(" ?", r"\s*").replace(" ", r"\s+") if whole else groups
    # A comma, a colon or a question mark stands right behind a word.
    pattern = re.compile(rf"(?:(?<!\w)|(?=[,;:?]))(?:{groups})(?!\w)" if whole else groups)
    if pattern.groups != len(lists):
        raise ValueError("a lexicon entry has a capturing group")
    return Matcher(pattern, tuple(label for label, _ in lists))


def _phrases(data: Mapping[str, Any], table: str) -> re.Pattern[str] | None:
    return _compile([(table, data[table]["phrases"])]).pattern if table in data else None


def _mentions(data: Mapping[str, Any]) -> tuple[Matcher, ...]:
    """Not-mentions first, so that they win; then findings, their doubtful words, and structures.

    Where a profile looks within words, every finding has its own matcher, and a not-mention may be
    of one finding alone.
    """
    if data.get("within_words"):
        none = data["not_mentions"]
        return tuple(
            _compile([("", none.get(finding, ["(?!)"])), (finding, table["mentions"])], whole=False)
            for finding, table in data["findings"].items()
        )
    lists: list[tuple[str, Sequence[str]]] = [("", data["not_mentions"]["phrases"])]
    for finding, table in (*data["findings"].items(), *data.get("others", {}).items()):
        lists.append((finding, table["mentions"]))
        if table.get("doubtful"):
            lists.append((f"?{finding}", table["doubtful"]))
    lists += [(f"@{name}", table["names"]) for name, table in data.get("structures", {}).items()]
    return (_compile(lists),)


def _verbs(data: Mapping[str, Any]) -> re.Pattern[str]:
    return _compile([("verbs", data["barriers"]["verbs"])]).pattern


def _closings(data: Mapping[str, Any]) -> Closings | None:
    if "closings" not in data:
        return None
    kinds = ("side", "degree", "change")
    beginnings = [entry for kind in kinds for entries in data[kind].values() for entry in entries]
    return closings(data["closings"], beginnings, _verbs(data))


def _rule(table: Mapping[str, Any], barriers: Mapping[str, Sequence[str]]) -> Rule:
    barrier = "|".join(phrase for name in table.get("barrier", ()) for phrase in barriers[name])
    words = "|".join(table.get("words", ()))
    return Rule(
        name=table["name"],
        presence=cast("Presence | Literal['unsaid']", table["presence"]),
        kinds=frozenset(table["cues"]),
        reach=cast("Reach", table["reach"]),
        stops=frozenset(table.get("stops", ())),
        barrier=re.compile(rf"(?<!\w)(?:{barrier})(?!\w)") if barrier else None,
        words=re.compile(words) if words else None,
        labels=frozenset(table.get("labels", ())),
        next_only=bool(table.get("next_only", False)),
        own_clause=bool(table.get("own_clause", False)),
    )


def _entries(data: Mapping[str, Any]) -> list[str]:
    """Every regular expression of a profile that is made of words."""
    lists = [
        (name, entries)
        for table in _TABLES
        for one in data.get(table, {}).values()
        for name, entries in (one.items() if isinstance(one, dict) else [("", one)])
    ]
    return [entry for name, entries in lists if name in _WORDED for entry in entries]


@cache
def _data(profile: Profile) -> tuple[dict[str, Any], str]:
    if profile not in PROFILES:
        raise XemplarError(f"the labeler has no profile {profile!r}", wanted=f"one of {', '.join(PROFILES)}")
    raw = files("xemplar.findings").joinpath(PROFILES[profile]).read_bytes()
    version = hashlib.sha256(raw)
    for name in _ENGINE:
        code = files("xemplar.findings").joinpath(f"{name}.py").read_bytes()
        version.update(hashlib.sha256(code.replace(b"\r\n", b"\n")).digest())
    return tomllib.loads(raw.decode("utf-8")), version.hexdigest()


def lexicon_version(profile: Profile = "default") -> str:
    """SHA-256 of a profile's data file and of the modules that read by it: `findings/` but for its door.

    It changes whenever a word, a rule, or what the engine makes of them does.
    """
    return _data(profile)[1]


def other_findings() -> tuple[str, ...]:
    """The findings beyond CheXpert's that the default profile reads, as its data file names them."""
    return tuple(_data("default")[0]["others"])


@cache
def lexicon(profile: Profile = "default") -> Lexicon:
    """A profile's lexicon, compiled at the first call."""
    data, version = _data(profile)
    return Lexicon(
        profile=profile,
        version=version,
        mentions=_mentions(data),
        structures={
            name: Structure(
                tuple(table["findings"]),
                frozenset(table["normal"]),
                frozenset(table["abnormal"]),
                bool(table.get("implied", False)),
            )
            for name, table in data.get("structures", {}).items()
        },
        predicates=_compile(list(data["predicates"].items())) if "predicates" in data else None,
        cues=_compile(list(data["cues"].items())),
        rules=tuple(_rule(table, data.get("barriers", {})) for table in data["rules"]),
        closings=_closings(data),
        normal=_phrases(data, "normal"),
        exceptions=_phrases(data, "exceptions"),
        alternatives=_phrases(data, "alternatives"),
        verbs=_verbs(data),
        modifiers={kind: _compile(list(data[kind].items())) for kind in _MODIFIERS if kind in data},
        passed=frozenset(name for name, table in data.get("others", {}).items() if table.get("passed")),
        spelling=spelling(_entries(data), data["spelling"]) if "spelling" in data else None,
    )
