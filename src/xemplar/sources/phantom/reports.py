"""From what was drawn to what a reader writes: findings, impression, addendum, and what they state.

Knows how a reader's habits are used. A reader may leave a negative out, seldom a subtle finding, and may
hedge over one; never states the opposite of the truth. Doesn't know any words: those are in the books.
"""

from __future__ import annotations

import numpy as np

from xemplar.records import Presence
from xemplar.sources.phantom import changes
from xemplar.sources.phantom.readers import FOREIGN, habit
from xemplar.sources.phantom.sampling import Examination, stream
from xemplar.sources.phantom.slips import slipped, unstopped
from xemplar.sources.phantom.telling import Says, Teller
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
)
from xemplar.sources.phantom.words import Habit, Report, Statement

__all__ = ["Report", "Statement", "write"]

SLIPS = {"A": 0.03, "B": 0.05}
"""Share of sentences with a typing error."""
UNSTOPPED = 0.012
"""Share of impressions whose last full stop is missing; elsewhere two sentences would run together."""
AMENDED = 0.03
"""Share of reports with an addendum; NOTICES of them only tell that somebody was told."""
NOTICES = 0.3
BESIDE_CLEAR = 0.4
"""What is left of the wish to deny more of the lungs once they were called clear (unless by habit)."""


def write(seed: int, exam: Examination) -> Report:
    """The report of one study: the same for the same seed, site and number, whatever else is written."""
    rng = stream("words", seed, exam.number, site=exam.site)
    foreign = bool(rng.random() < FOREIGN)
    return _Reader(exam, habit(exam.site, exam.reader, foreign=foreign), rng).report()


class _Reader(Teller):
    """One reader at one film: the whole report, region by region."""

    def __init__(self, exam: Examination, habits: Habit, rng: np.random.Generator) -> None:
        super().__init__(exam, habits, rng)
        self.amended = bool(rng.random() < AMENDED)
        self.late = self._late() if self.amended else None
        self.missed |= {self.late} if self.late and self.late != DEVICES else set()
        self.joint = self._all_in_one()
        """Whether consolidation, fluid and air are denied in one sentence."""

    def report(self) -> Report:
        said = {
            "devices": self._devices(),
            "lungs": self._lungs(),
            "pleura": self._pleura(),
            "heart": self._heart(),
            "mediastinum": self._mediastinum(),
            "diaphragm": self._diaphragm(),
            "bones": self._bones(),
        }
        self._pad(said)
        impression = self._impression(said)
        addendum = self._addendum() if self.amended else []
        stated: dict[str, Presence] = {}
        for statement in [line for region in said.values() for line in region] + impression + addendum:
            stated.update(statement.says)
        tongue = self.habit.tongue
        return Report(
            indication=self._indication(),
            comparison=self._comparison(),
            findings=self._written(said),
            impression=self._concluded(impression, addendum),
            stated={finding: stated[finding] for finding in FINDINGS if finding in stated},
            language=tongue.language,
            status="amended" if addendum else "final",
            version=2 if addendum else 1,
        )

    # --- region by region -----

    def _heart(self) -> list[Statement]:
        if self._denies(CARDIOMEGALY):
            return [self._say("heart normal", (CARDIOMEGALY, "absent"))]
        return self._told(CARDIOMEGALY)

    def _mediastinum(self) -> list[Statement]:
        if self.exam.body.unfolded_aorta:
            return [self._say("aorta")]
        return [self._say("mediastinum")] if self.habit.labels or self.rng.random() < 0.12 else []

    def _lungs(self) -> list[Statement]:
        body, truth = self.exam.body, self.truth
        said: list[Statement] = []
        if body.hyperinflated:
            said.append(self._say("hyperinflated"))
        elif self.exam.shots[0].breath < -0.6:
            said.append(self._say("low volumes"))
        factor = 1.0
        if not self.joint and self._denies(CONSOLIDATION):
            clear = not (truth.edema or truth.atelectases or truth.lesions) and self.rng.random() < 0.5
            factor = BESIDE_CLEAR if clear and not self.habit.labels else 1.0
            said.append(self._say("lungs clear" if clear else "no consolidation", (CONSOLIDATION, "absent")))
        kind = "mass" if any(lesion.kind == "mass" for lesion in truth.lesions) else "nodule"
        for finding, noun in ((CONSOLIDATION, ""), (EDEMA, ""), (ATELECTASIS, ""), (LESION, kind)):
            said += self._told(finding, noun)
        for finding, key in ((EDEMA, "no edema"), (ATELECTASIS, "no atelectasis"), (LESION, "no lesion")):
            if self._denies(finding, factor):
                said.append(self._say(key, (finding, "absent")))
        if body.granuloma:
            side, zone = body.granuloma
            said.append(self._say("granuloma", side=side, zone=zone))
        return said

    def _all_in_one(self) -> bool:
        none = not (self.truth.consolidations or self.truth.effusions or self.truth.pneumothorax)
        return bool(self.rng.random() < 0.33) and none and "nothing at all" in self.habit.book

    def _pleura(self) -> list[Statement]:
        said = self._told(EFFUSION) + self._told(PNEUMOTHORAX)
        no_fluid: Says = (EFFUSION, "absent")
        no_air: Says = (PNEUMOTHORAX, "absent")
        if self.joint:
            return [*said, self._say("nothing at all", (CONSOLIDATION, "absent"), no_fluid, no_air)]
        if self.truth.effusions or self.truth.pneumothorax:
            if self._denies(EFFUSION):
                said.append(self._say("no fluid", no_fluid))
            if self._denies(PNEUMOTHORAX):
                said.append(self._say("no air", no_air))
        elif self._denies(EFFUSION):
            said.append(self._say("no air no fluid", no_fluid, no_air))
        return said

    def _devices(self) -> list[Statement]:
        worn, before = self.truth.devices, self.exam.prior
        if self.late == DEVICES:
            worn = worn[:-1]
        said = [self._say(d.kind, (DEVICES, "present"), side=d.side or "") for d in worn]
        if before is None or self.late == DEVICES or self.rng.random() >= self.habit.compares:
            placed = removed = None
        else:
            placed, removed = changes.placed(self.truth, before), changes.removed(self.truth, before)
        if placed:
            said.append(self._remark("placed", (DEVICES, "present"), placed.kind, placed.side or ""))
        if removed:
            said.append(self._remark("removed", (DEVICES, "absent"), removed.kind, removed.side or ""))
        elif self._denies(DEVICES):
            said.append(self._say("no devices", (DEVICES, "absent")))
        return said

    def _diaphragm(self) -> list[Statement]:
        said = [self._say("raised", side=self.exam.body.raised)] if self.exam.body.raised else []
        return said + ([self._say("bubble")] if self.exam.shots[0].bubble > 0.85 else [])

    def _bones(self) -> list[Statement]:
        body, said = self.exam.body, self._told(FRACTURE)
        if body.scoliosis:
            said.append(self._say("scoliosis", side=body.scoliosis))
        if body.spondylosis:
            said.append(self._say("spondylosis"))
        if self._denies(FRACTURE):
            said.append(self._say("no fracture", (FRACTURE, "absent")))
        return said

    def _pad(self, said: dict[str, list[Statement]]) -> None:
        """Where little was said, the mediastinum and the bones are named as well."""
        if sum(map(len, said.values())) < 4 and not said["mediastinum"]:
            said["mediastinum"] = [self._say("mediastinum")]
        if sum(map(len, said.values())) < 4 and not said["bones"] and not self.truth.fractures:
            said["bones"] = [self._say("bones", (FRACTURE, "absent"))]

    # --- impression and addendum -----

    def _impression(self, said: dict[str, list[Statement]]) -> list[Statement]:
        """What matters, shortly; devices last; one line where nothing does."""
        lines: list[Statement] = []
        for region in ("pleura", "lungs", "heart", "bones"):
            for statement in said[region]:
                worth = any(presence != "absent" for _, presence in statement.says)
                if worth and (not statement.compares or self.rng.random() < self.habit.trend):
                    lines.append(self._shortened(statement))
        more = len(lines) > self.habit.lines
        lines = lines[: self.habit.lines]
        if not lines:
            lines = [self._well()]
        elif self.rng.random() < 0.3 and not more:
            lines.append(self._say("nothing more"))
        told = self.truth.devices and any(
            says == (DEVICES, "present") for s in said["devices"] for says in s.says
        )
        if told and len(lines) < 3 and self.rng.random() < 0.4:
            lines.append(self._say("impression devices", (DEVICES, "present")))
        return lines

    def _well(self) -> Statement:
        """Nothing acute; or normal, where the reader says so and there is nothing else to be seen either."""
        plain = not (self.truth.devices or self.exam.body.incidental())
        normal = plain and "normal" in self.habit.book and self.rng.random() < 0.6
        return self._say("normal" if normal else "all well")

    def _late(self) -> str | None:
        """What is left out at first and added later: something missed, else any finding, else nothing."""
        if self.rng.random() < NOTICES:
            return None
        labels = self.truth.labels
        there = [finding for finding in FINDINGS if labels[finding] == "present"]
        chosen = [finding for finding in there if finding in self.missed] or there
        return chosen[int(self.rng.integers(len(chosen)))] if chosen else None

    def _addendum(self) -> list[Statement]:
        if self.late is None:
            return [self._say("notice")]
        if self.late == DEVICES:
            device = self.truth.devices[-1]
            lines = [self._say(device.kind, (DEVICES, "present"), side=device.side or "")]
        else:
            lines = self._present(self.late)
        first = lines[0]
        lowered = self.habit.tongue.language != "de" and not first.text[1:2].isupper()
        spoken = first.text[0].lower() + first.text[1:] if lowered else first.text
        return [self._say("addendum", *first.says, line=spoken), *lines[1:]]

    # --- on paper -----

    def _written(self, said: dict[str, list[Statement]]) -> str:
        """The findings: region after region, under labels where the reader has them."""
        regions: list[str] = []
        if self.habit.technique and self.rng.random() < self.habit.technique:
            key = "technique" if len(self.exam.shots) > 1 else "technique one"
            regions.append(self._typed(self._say(key).text))
        for region in self.habit.order:
            if said[region]:
                text = " ".join(self._typed(statement.text) for statement in said[region])
                regions.append(f"{self.habit.labels[region]}: {text}" if self.habit.labels else text)
        return ("\n" if self.habit.labels else " ").join(regions)

    def _concluded(self, impression: list[Statement], addendum: list[Statement]) -> str:
        lines = [self._typed(statement.text) for statement in impression]
        if self.habit.numbered and len(lines) > 1:
            text = "\n".join(f"{number}. {line}" for number, line in enumerate(lines, start=1))
        else:
            text = " ".join(lines)
        if self.rng.random() < UNSTOPPED:
            text = unstopped(text)
        if not addendum:
            return text
        late = " ".join(self._typed(statement.text) for statement in addendum)
        return f"{text}\n\n{self.habit.tongue.addendum}: {late}"

    def _typed(self, text: str) -> str:
        """As the keyboard had it; slips are made in English alone."""
        if self.habit.tongue.language != "en" or self.rng.random() >= SLIPS[self.exam.site]:
            return text
        return slipped(text, self.rng)

    def _indication(self) -> str:
        tongue, body = self.habit.tongue, self.exam.body
        reasons = tongue.indications
        reason = reasons[int(self.rng.integers(len(reasons)))]
        return reason.format(age=body.age, sex=tongue.sexes[body.sex])

    def _comparison(self) -> str:
        tongue, at = self.habit.tongue, self.exam.prior_at
        if at is None:
            return tongue.none
        return tongue.comparison.format(day=at.day, month=tongue.months[at.month - 1], year=at.year)
