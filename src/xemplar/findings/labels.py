"""A report -> CheXpert's 14 observations, each present, absent, uncertain or not mentioned.

Knows how the mentions of a report add up, in each profile. Knows nothing of words: they are the
lexicon's, and the engine reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from xemplar.errors import XemplarError
from xemplar.findings.claims import findings_of
from xemplar.findings.cleaning import cut, cut_cleaned
from xemplar.findings.engine import Scene, read
from xemplar.findings.lexicon import OBSERVATIONS, Profile, lexicon
from xemplar.records import Presence

VALUES: Mapping[Presence, int] = {"present": 1, "absent": 0, "uncertain": -1}
"""As CheXpert's tables write them; what is not mentioned is blank."""

REMEMBERED = 20_000
"""Distinct sentences whose reading is kept."""

_NO_FINDING = "No Finding"
_DEVICES = "Support Devices"
_FAILURE = ("chf", "heart failure")


@dataclass(frozen=True, slots=True)
class Said:
    """One mention of a report: what it says of an observation, where, in which sentence, by which rule."""

    observation: str
    presence: Presence
    span: tuple[int, int]
    """[start, end) in the report's text."""
    sentence: str
    rule: str
    implied: bool = False
    """Said without its name ("the lungs are clear"): a claim, but no label."""


@dataclass(frozen=True, slots=True)
class ReportLabels:
    """What a report says of the 14 observations; one that is missing is not mentioned."""

    profile: Profile
    presences: Mapping[str, Presence]
    mentions: tuple[Said, ...]
    text: str
    """What the spans of the mentions count in."""

    def row(self) -> tuple[int | None, ...]:
        """1, 0, -1 or None for each of OBSERVATIONS, in their order."""
        return tuple(
            VALUES[self.presences[name]] if name in self.presences else None for name in OBSERVATIONS
        )


@dataclass(frozen=True, slots=True)
class _Read:
    """A mention within its sentence; an empty observation only speaks against "No Finding"."""

    observations: tuple[str, ...]
    presence: Presence
    start: int
    end: int
    rule: str
    implied: bool
    words: str


class Labeler:
    """Labels reports by one profile, and keeps the readings of the sentences it met last.

    `remembered` bounds how many distinct sentences are kept in memory; 0 keeps none. English alone:
    what language a report is in is for the caller to know.
    """

    def __init__(self, profile: Profile = "default", *, remembered: int = REMEMBERED) -> None:
        words = lexicon(profile)
        self.profile = profile

        def reading(sentence: str) -> tuple[_Read, ...]:
            scene = read(sentence, words)
            return () if scene is None else tuple(_mentions(scene))

        self._read = lru_cache(maxsize=remembered)(reading) if remembered else reading

    def label(self, report: str | Mapping[str, str] | Sequence[str]) -> ReportLabels:
        """The labels of a report: a text, or its sections, which are joined by a line break."""
        text = _joined(report)
        said: list[Said] = []
        vetoed = False
        extra: list[tuple[str, Presence]] = []
        for part in cut_cleaned(text) if self.profile == "chexpert" else cut(text):
            for one in self._read(part.text):
                span = part.span(one.start, one.end)
                vetoed |= one.presence != "absent" and not one.implied and one.observations != (_DEVICES,)
                if self.profile == "chexpert" and one.words in _FAILURE and one.presence != "absent":
                    extra.append(("Cardiomegaly", "uncertain"))
                said += [
                    Said(name, one.presence, span, part.text.strip(), one.rule, one.implied)
                    for name in one.observations
                    if name != _NO_FINDING
                ]
        stated = [(one.observation, one.presence) for one in said if not one.implied] + extra
        presences = _added_up(stated, self.profile)
        if not vetoed and (self.profile == "chexpert" or any(map(str.isalpha, text))):
            presences[_NO_FINDING] = "present"
        return ReportLabels(self.profile, presences, tuple(said), text)


def label_report(
    report: str | Mapping[str, str] | Sequence[str], *, profile: Profile = "default"
) -> ReportLabels:
    """The 14 labels of an English report, and the mentions behind them.

    `report` is a text, or its sections in order (a mapping's values), joined by a line break. Profile
    "default" reads as well as we can; "chexpert" as chexpert-labeler does (Irvin et al. 2019), errors
    of its parser aside. Raises XemplarError for what is no text, and for an unknown profile.
    """
    return _labeler(profile).label(report)


@cache
def _labeler(profile: Profile) -> Labeler:
    return Labeler(profile)


def _joined(report: str | Mapping[str, str] | Sequence[str]) -> str:
    if isinstance(report, str):
        return report
    parts = list(report.values()) if isinstance(report, Mapping) else list(report)
    for part in parts:
        if not isinstance(part, str):
            raise XemplarError(f"a report's section is {type(part).__name__}", wanted="text")
    return "\n\n".join(parts)


def _mentions(scene: Scene) -> Iterator[_Read]:
    for mention in scene.mentions:
        if mention.presence is not None:
            structure = mention.label.startswith("@")
            yield _Read(
                observations=findings_of(scene, mention),
                presence=mention.presence,
                start=mention.start,
                end=mention.reach,
                rule=mention.rule,
                implied=structure and scene.words.structures[mention.label[1:]].implied,
                words=scene.text[mention.start : mention.end],
            )


def _added_up(stated: Iterable[tuple[str, Presence]], profile: Profile) -> dict[str, Presence]:
    """What a report says on the whole: present before uncertain before absent.

    As chexpert-labeler adds up, a report that says all three of one observation is uncertain of it.
    """
    said: dict[str, set[Presence]] = {}
    for name, presence in stated:
        said.setdefault(name, set()).add(presence)
    presences: dict[str, Presence] = {}
    for name in OBSERVATIONS:
        found = said.get(name)
        if found is None:
            continue
        if "present" in found and not (profile == "chexpert" and len(found) == 3):
            presences[name] = "present"
        else:
            presences[name] = "uncertain" if "uncertain" in found else "absent"
    return presences
