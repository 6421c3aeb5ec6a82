"""From what was drawn to what a reader writes: findings, impression, and what they plainly state.

Knows two readers' habits: the order of things, what goes unsaid, when they hedge. A reader may leave
a negative out, seldom a subtle finding, and may hedge over one; never states the opposite of the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from xemplar.records import Presence
from xemplar.sources.phantom.phrases import BOOKS, INDICATIONS, ORDER
from xemplar.sources.phantom.sampling import FILLS, Examination, stream
from xemplar.sources.phantom.truth import (
    CARDIOMEGALY,
    CONSOLIDATION,
    DEVICES,
    EFFUSION,
    PNEUMOTHORAX,
    Effusion,
    Pathology,
)

MISSED = 0.12
"""Chance that a subtle finding (mild, small, faint) goes unmentioned."""
HEDGED = 0.45
"""Chance that a subtle finding which is mentioned is put as a possibility."""
UNSAID = {1: 0.06, 2: 0.18}
"""Chance, for each reader, that a negative goes unmentioned."""
ADVERBS = {"mild": "mildly", "moderate": "moderately", "severe": "severely"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence, the findings it speaks of and what it says of them."""

    text: str
    says: tuple[tuple[str, Presence], ...] = ()
    compares: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What one reader wrote; `stated` holds only what is mentioned, a hedge as "uncertain"."""

    indication: str
    comparison: str | None
    findings: str
    impression: str
    stated: dict[str, Presence]


def write(seed: int, exam: Examination) -> Report:
    """The report: findings of some four to eight sentences, an impression of one to three."""
    return _Reader(exam, stream("words", seed, exam.number, site=exam.site)).report()


class _Reader:
    """One reader at one film: a phrase book, habits, and the dice."""

    def __init__(self, exam: Examination, rng: np.random.Generator) -> None:
        self.exam, self.rng, self.truth = exam, rng, exam.pathology
        self.habit = 1 + (exam.reader - 1) % len(BOOKS)
        self.book = BOOKS[self.habit]
        self.missed = {f for f in sorted(self._subtle()) if rng.random() < MISSED}
        self.hedged = {f for f in sorted(self._subtle()) if rng.random() < HEDGED}

    def report(self) -> Report:
        said = {
            "heart": self._heart(),
            "lungs": self._lungs(),
            "pleura": self._pleura(),
            "devices": self._devices(),
            "volumes": self._volumes(),
            "bones": self._bones(),
        }
        body = [statement for region in ORDER[self.habit] for statement in said[region]]
        body = self._padded(body)
        impression = self._impression(said)
        stated: dict[str, Presence] = {}
        for statement in body + impression:
            stated.update(statement.says)
        at = self.exam.prior_at
        named = f"Chest radiograph of {at.day} {at:%B %Y}." if at else None
        reason = INDICATIONS[int(self.rng.integers(len(INDICATIONS)))]
        return Report(reason, named, _joined(body), _joined(impression), stated)

    def _subtle(self) -> set[str]:
        truth = self.truth
        subtle = set()
        if truth.heart.degree == "mild":
            subtle.add(CARDIOMEGALY)
        if [e.degree for e in truth.effusions] == ["small"]:
            subtle.add(EFFUSION)
        if truth.pneumothorax and truth.pneumothorax.degree == "small":
            subtle.add(PNEUMOTHORAX)
        if [c.degree for c in truth.consolidations] == ["faint"]:
            subtle.add(CONSOLIDATION)
        return subtle

    def _say(self, key: str, *says: tuple[str, Presence], **slots: str) -> Statement:
        variants = self.book[key]
        text = variants[int(self.rng.integers(len(variants)))].format(**slots)
        return Statement(text[0].upper() + text[1:], says)

    def _unsaid(self) -> bool:
        return bool(self.rng.random() < UNSAID[self.habit])

    def _heart(self) -> list[Statement]:
        degree = self.truth.heart.degree
        if degree is None:
            said = [] if self._unsaid() else [self._say("heart normal", (CARDIOMEGALY, "absent"))]
        elif CARDIOMEGALY in self.missed:
            said = []
        elif CARDIOMEGALY in self.hedged:
            said = [self._say("heart perhaps", (CARDIOMEGALY, "uncertain"))]
        else:
            said = [
                self._say("heart large", (CARDIOMEGALY, "present"), degree=degree, adverb=ADVERBS[degree])
            ]
        if self.exam.body.unfolded_aorta:
            said.append(self._say("aorta"))
        return said

    def _lungs(self) -> list[Statement]:
        places = self.truth.consolidations
        said: list[Statement] = []
        if not places and not self._unsaid():
            said = [self._say("no consolidation", (CONSOLIDATION, "absent"))]
        if CONSOLIDATION not in self.missed:
            for place in places:
                slots = {"side": place.side, "zone": place.zone, "degree": place.degree}
                if CONSOLIDATION in self.hedged:
                    said.append(self._say("consolidation perhaps", (CONSOLIDATION, "uncertain"), **slots))
                else:
                    said.append(self._say("consolidation", (CONSOLIDATION, "present"), **slots))
        said += self._change(CONSOLIDATION, "consolidation")
        if self.exam.body.granuloma:
            said.append(self._say("granuloma", place=" ".join(self.exam.body.granuloma)))
        return said

    def _pleura(self) -> list[Statement]:
        fluid, air = self.truth.effusions, self.truth.pneumothorax
        said: list[Statement] = []
        if fluid and EFFUSION not in self.missed:
            said.append(self._effusion(fluid))
        said += self._change(EFFUSION, "pleural effusion")
        if air and PNEUMOTHORAX not in self.missed:
            slots = {"side": air.side, "degree": air.degree}
            if PNEUMOTHORAX in self.hedged:
                said.append(self._say("pneumothorax perhaps", (PNEUMOTHORAX, "uncertain"), **slots))
            else:
                said.append(self._say("pneumothorax", (PNEUMOTHORAX, "present"), **slots))
        said += self._change(PNEUMOTHORAX, "pneumothorax")
        if not self._unsaid():
            if not fluid and not air:
                said.append(self._say("no air no fluid", (EFFUSION, "absent"), (PNEUMOTHORAX, "absent")))
            elif not fluid:
                said.append(self._say("no fluid", (EFFUSION, "absent")))
            elif not air:
                said.append(self._say("no air", (PNEUMOTHORAX, "absent")))
        return said

    def _effusion(self, fluid: tuple[Effusion, ...]) -> Statement:
        present: tuple[str, Presence] = (EFFUSION, "present")
        if len(fluid) == 2:
            degrees = {e.side: e.degree for e in fluid}
            if degrees["left"] == degrees["right"]:
                return self._say("effusion both", present, degree=degrees["left"])
            return self._say("effusion unequal", present, right=degrees["right"], left=degrees["left"])
        if EFFUSION in self.hedged:
            return self._say("effusion perhaps", (EFFUSION, "uncertain"), side=fluid[0].side)
        return self._say("effusion", present, side=fluid[0].side, degree=fluid[0].degree)

    def _devices(self) -> list[Statement]:
        said = [self._say(d.kind, (DEVICES, "present"), side=d.side or "") for d in self.truth.devices]
        if not said and self.rng.random() < 0.12:
            said.append(self._say("no devices", (DEVICES, "absent")))
        return said

    def _volumes(self) -> list[Statement]:
        body, said = self.exam.body, []
        if body.hyperinflated:
            said.append(self._say("hyperinflated"))
        elif self.exam.shots[0].breath < -0.6:
            said.append(self._say("low volumes"))
        if body.raised:
            said.append(self._say("raised", place=body.raised))
        if self.exam.shots[0].bubble > 0.85:
            said.append(self._say("bubble"))
        return said

    def _bones(self) -> list[Statement]:
        marks = ("scoliosis", "fracture", "spondylosis")
        return [self._say(what, place=place) for what, place in self.exam.body.incidental() if what in marks]

    def _padded(self, body: list[Statement]) -> list[Statement]:
        """Reader 1 closes with the mediastinum and bones where little else was said."""
        if self.habit == 1 and len(body) < 6:
            body = [*body, self._say("mediastinum")]
        if len(body) < 4:
            body = [*body, self._say("bones")]
        if len(body) < 4 and self.habit == 2:
            body = [self._say("mediastinum"), *body]
        return body

    def _change(self, finding: str, thing: str) -> list[Statement]:
        """More often than not, how a finding that is not hedged over compares with the prior film."""
        prior = self.exam.prior
        if prior is None or finding in self.hedged | self.missed or self.rng.random() < 0.4:
            return []
        now, before = _burden(self.truth, finding), _burden(prior, finding)
        if not now and not before:
            return []
        if not before:
            key = "new"
        elif not now:
            key = "resolved"
        else:
            key = "unchanged" if now == before else "increased" if now > before else "decreased"
        said = self._say(key, (finding, "present" if now else "absent"), thing=thing)
        return [replace(said, compares=True)]

    def _impression(self, said: dict[str, list[Statement]]) -> list[Statement]:
        """What matters, shortly; devices last; one line where nothing does."""
        lines: list[Statement] = []
        for region in ("pleura", "lungs", "heart"):
            for statement in said[region]:
                if not statement.compares and any(says != "absent" for _, says in statement.says):
                    lines.append(_short(statement))
        lines = lines[:2]
        if not lines:
            lines = [self._say("all well")]
        elif self.rng.random() < 0.25:
            lines.append(self._say("nothing more"))
        if said["devices"] and self.truth.devices and len(lines) < 3 and self.rng.random() < 0.4:
            lines.append(self._say("impression devices"))
        return lines


def _short(line: Statement) -> Statement:
    """The line without its opening words ("There is a")."""
    for opening in ("There is a ", "There is ", "There are "):
        if line.text.startswith(opening):
            rest = line.text[len(opening) :]
            return Statement(rest[0].upper() + rest[1:], line.says)
    return line


def _burden(truth: Pathology, finding: str) -> float:
    if finding == EFFUSION:
        return float(sum(1 + list(FILLS).index(e.degree) for e in truth.effusions))
    if finding == PNEUMOTHORAX:
        return truth.pneumothorax.gap if truth.pneumothorax else 0.0
    return sum(c.density * c.radius for c in truth.consolidations)


def _joined(statements: list[Statement]) -> str:
    return " ".join(statement.text for statement in statements)
