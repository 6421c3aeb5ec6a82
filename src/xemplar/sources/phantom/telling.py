"""How one reader states one thing: as present, as a possibility, as absent, or against the prior film.

Knows a reader's habits and which findings are easily missed or doubted. Doesn't know in what order a
report is written. Nothing here ever states the opposite of the truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from xemplar.records import Presence
from xemplar.sources.phantom import changes, slots
from xemplar.sources.phantom.sampling import Examination
from xemplar.sources.phantom.truth import (
    ATELECTASIS,
    CARDIOMEGALY,
    CONSOLIDATION,
    DEVICES,
    EDEMA,
    EFFUSION,
    FINDINGS,
    FRACTURE,
    LESION,
    PNEUMOTHORAX,
    Pathology,
)
from xemplar.sources.phantom.words import Habit, Statement

Says = tuple[str, Presence]

HEDGEABLE = frozenset(FINDINGS) - {DEVICES}
"""A device is there or it isn't; all else is doubted at times."""

MISSED = 0.12
"""Chance that a subtle finding (mild, small, faint) goes unmentioned."""


class Teller:
    """One reader at one film: habits, the dice, and what slips the eye or is only suspected."""

    def __init__(self, exam: Examination, habits: Habit, rng: np.random.Generator) -> None:
        self.exam, self.habit, self.rng, self.truth = exam, habits, rng, exam.pathology
        subtle = _subtle(self.truth)
        self.missed = {finding for finding in subtle if rng.random() < MISSED}
        self.hedged = {finding for finding in subtle if rng.random() < habits.hedges}
        if self.truth.fractures and self.truth.fractures[0].healed:
            self.hedged.discard(FRACTURE)

    # --- saying one thing -----

    def _say(self, key: str, *says: Says, **given: str) -> Statement:
        return self._worded(key, says, given)

    def _worded(self, key: str, says: tuple[Says, ...], given: Mapping[str, str]) -> Statement:
        variants = self.habit.book[key]
        text = variants[int(self.rng.integers(len(variants)))]
        text = text.format(**slots.worded(given, key.removeprefix("impression "), self.habit.terms))
        return Statement(opened(text), says, key=key, slots=given)

    def _find(self, finding: str, key: str, given: Mapping[str, str], doubt: str = "") -> Statement:
        """The finding as present, or as a possibility where the reader hedges over it."""
        if doubt and finding in self.hedged:
            return self._worded(doubt, ((finding, "uncertain"),), given)
        return self._worded(key, ((finding, "present"),), given)

    def _denies(self, finding: str, factor: float = 1.0) -> bool:
        """Whether a finding that isn't there is said not to be."""
        absent = self.truth.labels[finding] == "absent"
        return bool(self.rng.random() < self.habit.denies[finding] * factor) and absent

    # --- findings that are there -----

    def _present(self, finding: str) -> list[Statement]:
        """How a finding is stated; nothing where it isn't there."""
        truth = self.truth
        if finding == CARDIOMEGALY and truth.heart.degree:
            return [self._find(finding, "heart large", slots.of_heart(truth.heart), "heart perhaps")]
        if finding == EFFUSION and truth.effusions:
            return [self._fluid()]
        if finding == PNEUMOTHORAX and (air := truth.pneumothorax):
            given = {"side": air.side, "degree": air.degree}
            return [self._find(finding, "pneumothorax", given, "pneumothorax perhaps")]
        if finding == CONSOLIDATION:
            return [
                self._find(finding, "consolidation", slots.of_opacity(place), "consolidation perhaps")
                for place in truth.consolidations
            ]
        if finding == EDEMA and truth.edema:
            return [self._find(finding, "edema", {"degree": truth.edema.degree}, "edema perhaps")]
        if finding == ATELECTASIS and truth.atelectases:
            return self._collapses()
        if finding == LESION and truth.lesions:
            noun = "nodules" if len(truth.lesions) > 1 else str(truth.lesions[0].kind)
            return [self._find(finding, noun, slots.of_lesions(truth.lesions), "lesion perhaps")]
        if finding == FRACTURE and (broken := truth.fractures):
            key = f"{'healed' if broken[0].healed else 'recent'} fracture{'s' if len(broken) > 1 else ''}"
            return [self._find(finding, key, slots.of_fractures(broken), "fracture perhaps")]
        return []

    def _fluid(self) -> Statement:
        fluid = self.truth.effusions
        key = "effusion"
        if len(fluid) == 2:
            key = "effusion both" if fluid[0].degree == fluid[1].degree else "effusion unequal"
        return self._find(EFFUSION, key, slots.of_fluid(fluid), "effusion perhaps")

    def _collapses(self) -> list[Statement]:
        """Two bands at one height are said in one sentence."""
        places = self.truth.atelectases
        if len(places) == 2:
            return [self._find(ATELECTASIS, "bilateral atelectasis", slots.of_opacity(places[0]))]
        key = f"{places[0].kind} atelectasis"
        return [self._find(ATELECTASIS, key, slots.of_opacity(places[0]), "atelectasis perhaps")]

    def _told(self, finding: str, noun: str = "") -> list[Statement]:
        """A finding unless it is missed, and how it compares with the prior film."""
        if finding in self.missed:
            return []
        return self._present(finding) + self._change(finding, noun or finding)

    # --- comparing -----

    def _change(self, finding: str, noun: str) -> list[Statement]:
        """At times, how a finding that is not hedged over compares with the prior film."""
        prior = self.exam.prior
        many = finding == LESION and len(self.truth.lesions) > 1
        if prior is None or many or finding not in changes.COMPARED:
            return []
        if finding in self.hedged or self.rng.random() >= self.habit.compares:
            return []
        change = changes.change(self.truth, prior, finding)
        if change is None:
            return []
        side = changes.sides(prior if change == "resolved" else self.truth, finding)
        presence: Presence = "absent" if change == "resolved" else "present"
        return [self._remark(change, (finding, presence), noun, side)]

    def _remark(self, key: str, says: Says, noun: str, side: str) -> Statement:
        """A comparing sentence about one thing, which goes by its reader's name for it."""
        terms = self.habit.terms
        thing = " ".join(self.habit.things[noun].format(side=terms.get(side, side)).split())
        article = "an" if thing[0] in "aeiou" else "a"
        said = self._say(key, says, thing=thing, device=thing, a_device=f"{article} {thing}")
        return replace(said, compares=True)

    def _shortened(self, line: Statement) -> Statement:
        """As the book words it for impressions, else without its opening words ("There is a")."""
        key = f"impression {line.key}"
        if key in self.habit.book:
            return self._worded(key, line.says, line.slots)
        for opening in ("There is a ", "There is ", "There are "):
            if line.text.startswith(opening):
                return replace(line, text=opened(line.text.removeprefix(opening)))
        return line


def opened(text: str) -> str:
    """With a capital first."""
    return text[:1].upper() + text[1:]


def _subtle(truth: Pathology) -> list[str]:
    """The findings that are easily missed or doubted, in their usual order."""
    air, edema = truth.pneumothorax, truth.edema
    there = {
        CARDIOMEGALY: truth.heart.degree == "mild",
        EFFUSION: [e.degree for e in truth.effusions] == ["small"],
        PNEUMOTHORAX: air is not None and air.degree == "small",
        CONSOLIDATION: [c.degree for c in truth.consolidations] == ["faint"],
        EDEMA: edema is not None and edema.degree == "mild",
        ATELECTASIS: [(a.kind, a.degree) for a in truth.atelectases] == [("linear", "mild")],
        LESION: [n.degree for n in truth.lesions] == ["small"],
        FRACTURE: len(truth.fractures) == 1,
    }
    return [finding for finding in FINDINGS if there.get(finding)]
