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
from xemplar.findings.cleaning import Cut, cut, cut_cleaned
from xemplar.findings.engine import Scene, read
from xemplar.findings.lexicon import Profile, lexicon
from xemplar.records import OBSERVATIONS, Presence

VALUES: Mapping[Presence, int] = {"present": 1, "absent": 0, "uncertain": -1}
"""As CheXpert's tables write them; what is not mentioned is blank."""

REMEMBERED = 20_000
"""Distinct sentences whose reading is kept."""

_NO_FINDING = "No Finding"
_DEVICES = "Support Devices"
_BETWEEN = "\n\n"
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

    def stated(self, profile: Profile) -> list[tuple[str, Presence]]:
        """What it adds to the labels; to the original, a failing heart may be a large one."""
        if self.implied:
            return []
        stated = [(name, self.presence) for name in self.observations if name != _NO_FINDING]
        if profile == "chexpert" and self.words in _FAILURE and self.presence != "absent":
            stated.append(("Cardiomegaly", "uncertain"))
        return stated


_NORMAL = _Read((), "absent", 0, 0, "normal", True, "")
"""A sentence that names no finding, and says that there is none."""


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
            said = () if scene is None else tuple(_mentions(scene))
            if not said and words.normal is not None and words.normal.search(sentence.lower()):
                return (_NORMAL,)
            return said

        self._read = lru_cache(maxsize=remembered)(reading) if remembered else reading

    def label(self, report: str | Mapping[str, str] | Sequence[str]) -> ReportLabels:
        """The labels of a report: a text, or its sections, no sentence of which runs into the next."""
        sections = _sections(report)
        text = _BETWEEN.join(sections)
        said: list[Said] = []
        stated: list[tuple[str, Presence]] = []
        vetoed, recognised = False, self.profile == "chexpert"
        for at, part in self._sentences(sections):
            for one in self._read(part.text):
                start, end = part.span(one.start, one.end)
                recognised = True
                vetoed |= one.presence != "absent" and one.observations != (_DEVICES,)
                stated += one.stated(self.profile)
                said += [
                    Said(name, one.presence, (at + start, at + end), part.text.strip(), one.rule, one.implied)
                    for name in one.observations
                    if name != _NO_FINDING
                ]
        presences = _added_up(stated, self.profile)
        if recognised and not vetoed:
            presences[_NO_FINDING] = "present"
        return ReportLabels(self.profile, presences, tuple(said), text)

    def _sentences(self, sections: Sequence[str]) -> Iterator[tuple[int, Cut]]:
        """Every sentence, and where its section begins in the whole text."""
        at = 0
        for section in sections:
            for part in cut_cleaned(section) if self.profile == "chexpert" else cut(section):
                yield at, part
            at += len(section) + len(_BETWEEN)


def label_report(
    report: str | Mapping[str, str] | Sequence[str], *, profile: Profile = "default"
) -> ReportLabels:
    """The 14 labels of an English report, and the mentions behind them.

    `report` is a text, or its sections in order (a mapping's values), joined by a blank line. Profile
    "default" reads as well as we can; "chexpert" as chexpert-labeler does (Irvin et al. 2019), errors
    of its parser aside. Raises XemplarError for what is no text, and for an unknown profile.
    """
    return _labeler(profile).label(report)


@cache
def _labeler(profile: Profile) -> Labeler:
    return Labeler(profile)


def _sections(report: str | Mapping[str, str] | Sequence[str]) -> list[str]:
    if isinstance(report, str):
        return [report]
    sectioned: object = report
    if isinstance(sectioned, bytes) or not isinstance(sectioned, (Mapping, Sequence)):
        raise XemplarError(f"a report is {type(report).__name__}", wanted="text or sections")
    parts = list(report.values()) if isinstance(report, Mapping) else list(report)
    for part in parts:
        if not isinstance(part, str):
            raise XemplarError(f"a report's section is {type(part).__name__}", wanted="text")
    return parts


def _mentions(scene: Scene) -> Iterator[_Read]:
    for mention in scene.mentions:
        if mention.presence is not None:
            structure = mention.label.startswith("@")
            start, end = scene.typed(mention.start, mention.reach)
            yield _Read(
                observations=findings_of(scene, mention),
                presence=mention.presence,
                start=start,
                end=end,
                rule=mention.rule,
                implied=structure
                and mention.presence == "absent"
                and scene.words.structures[mention.label[1:]].implied,
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
