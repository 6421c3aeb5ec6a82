"""What a study is held to: findings, and where it is known their sides and degrees; what makes a line wrong.

Knows a study's labels, facets and report; knows nothing of drafts' making. Of a drawn study the truth is
what was drawn, its sides and degrees as the facets tell them (docs/phantom.md); of any other it is
its source's labels, else what its own report claims.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from xemplar.findings import summarise
from xemplar.records import Claim, Line, Presence, Study

Fault = Literal["presence", "side", "degree"]

_DRAWN: Mapping[str, str] = {
    "cardiomegaly": "Cardiomegaly",
    "effusion": "Pleural Effusion",
    "pneumothorax": "Pneumothorax",
    "consolidation": "Consolidation",
    "devices": "Support Devices",
    "edema": "Edema",
    "atelectasis": "Atelectasis",
    "lesion": "Lung Lesion",
    "fracture": "Fracture",
}
_DEGREES = {
    "small": "small", "mild": "small", "moderate": "moderate",
    "large": "large", "severe": "large", "marked": "large",
}  # fmt: skip

_Detail = tuple[str, frozenset[str], str | None]
"""A finding, the sides affected and a degree."""


@dataclass(frozen=True, slots=True)
class Truth:
    """Findings with their presence; of those that are there the sides and degrees, where known.

    A finding that isn't in `sides` has sides that nobody knows, and no claim of a side is held against it.
    So have devices: "a left pacemaker with a lead in the right atrium" has both, and neither is the device's.
    """

    presence: Mapping[str, Presence]
    sides: Mapping[str, frozenset[str]] = field(default_factory=dict)
    degrees: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def fault(self, claim: Claim) -> Fault | None:
        """What is wrong with a claim, the worst first; None where nothing is, or nothing is known.

        Of a finding whose truth is uncertain, or unknown, nothing is wrong to say. A claim of one side is
        right where both are affected; one of both is wrong where one is.
        """
        true = self.presence.get(claim.finding)
        if true is None or true == "uncertain" or claim.presence == "uncertain":
            return None
        if true != claim.presence:
            return "presence"
        if true == "absent":
            return None
        sides = self.sides.get(claim.finding)
        said = {"left", "right"} if claim.side == "bilateral" else {claim.side} & {"left", "right"}
        if sides and said and not said <= sides:
            return "side"
        degrees = self.degrees.get(claim.finding)
        if degrees and claim.degree is not None and claim.degree not in degrees:
            return "degree"
        return None

    def wrong(self, line: Line) -> bool:
        """Whether any claim of a line has a wrong presence or a wrong side; degrees are told apart."""
        return any(self.fault(claim) in ("presence", "side") for claim in line.claims)

    def fails(self, line: Line) -> bool:
        """Whether a promise counts a line as wrong: it is, or states a finding of which nothing is known.

        Where a report doesn't mention a finding, probabilities are fitted as if it were absent; were such
        a statement not counted, reports alone could hardly ever break a promise.
        """
        unknown = any(c.presence == "present" and c.finding not in self.presence for c in line.claims)
        return unknown or self.wrong(line)


def truth_of(study: Study) -> Mapping[str, Presence]:
    """Findings alone: a source's labels where it has any, else the claims of the report."""
    return study.labels or summarise(study.claims)


def claims_of(study: Study) -> Mapping[str, Presence]:
    """What a study's report says of each finding, whatever its source knows beside it."""
    return summarise(study.claims)


def held_to(study: Study) -> Truth:
    """All that a study is held to."""
    drawn = study.domain == "synthetic" and bool(study.labels)
    return _truth(truth_of(study), _drawn(study) if drawn else _claimed(study.claims))


def held_to_report(study: Study) -> Truth:
    """What the report alone says, whatever its source knows beside it."""
    return _truth(claims_of(study), _claimed(study.claims))


def _truth(presence: Mapping[str, Presence], details: Iterator[_Detail]) -> Truth:
    sides: dict[str, frozenset[str]] = {}
    degrees: dict[str, frozenset[str]] = {}
    for finding, affected, degree in details:
        if affected:
            sides[finding] = sides.get(finding, frozenset()) | affected
        if degree is not None:
            degrees[finding] = degrees.get(finding, frozenset()) | {degree}
    return Truth(presence, sides, degrees)


def _drawn(study: Study) -> Iterator[_Detail]:
    for name, value in study.facets.items():
        finding = _DRAWN.get(name.partition("_")[0])
        if finding is None or study.labels.get(finding) != "present":
            continue
        for part in value.split(";"):
            words = set(re.findall(r"[a-z]+", f"{name} {part}".replace("_", " ")))
            if finding == "Support Devices":
                words -= {"left", "right"}
            degree = next((_DEGREES[word] for word in sorted(words) if word in _DEGREES), None)
            yield finding, frozenset(words & {"left", "right"}), degree


def _claimed(claims: tuple[Claim, ...]) -> Iterator[_Detail]:
    for claim in claims:
        if claim.presence == "present":
            both = {"left", "right"} if claim.side == "bilateral" else {claim.side} & {"left", "right"}
            yield claim.finding, frozenset(str(side) for side in both), claim.degree
