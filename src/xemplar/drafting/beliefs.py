"""What is believed of a film's findings, as probabilities, and what follows for a claim.

Knows claims and numbers; knows nothing of where the numbers come from, nor of sentences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xemplar.records import Claim

SIDES = ("left", "right", "bilateral")
DETAILS = ("side", "place", "degree")


@dataclass(frozen=True, slots=True)
class Belief:
    """One finding: how probable it is, and, where it is there, how probable each detail of it is.

    `presence` in 0..1. `details` maps a kind of detail (side, place, degree) to value -> the probability
    that a claim which names that value is right, given that the finding is there: "left" is right of a
    bilateral effusion too, so that values of one kind needn't add up to 1. A value that isn't listed
    is one of which nothing is known, and no claim that names it is believed.
    """

    presence: float
    details: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = [self.presence, *(p for values in self.details.values() for p in values.values())]
        if not all(0.0 <= p <= 1.0 for p in given):
            raise ValueError("a belief holds probabilities")

    def probability(self, claim: Claim) -> float:
        """That all the claim says of this finding is right: presence, side, place and degree together.

        Details are taken for independent, given that the finding is there. Of an absent finding there are
        none; an uncertain claim is right for neither, 0.
        """
        if claim.presence == "absent":
            return 1.0 - self.presence
        if claim.presence == "uncertain":
            return 0.0
        p = self.presence
        for kind in DETAILS:
            value = getattr(claim, kind)
            if value is not None:
                p *= self.details.get(kind, {}).get(value, 0.0)
        return p


Beliefs = Mapping[str, Belief]
"""Finding -> belief; a finding that isn't in it is never spoken of."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From which probability on what is said: chosen on patients held back (`promise`), or by F1.

    A line that states a finding is said only with a confidence of `state_at` or more; a finding may be
    denied whose probability of being there is `deny_at` at most, one limit for all or each its own; one
    without a limit is never denied. A draft that states nothing reads as if the film were normal: it denies
    only so much that with a chance of `normal_wrong` at most any of it is there.
    """

    state_at: float
    deny_at: float | Mapping[str, float]
    normal_wrong: float = 1.0

    def may_state(self, presence: float) -> bool:
        """Whether a finding is sure enough for a line that states it, if that line is."""
        return presence >= self.state_at

    def may_deny(self, finding: str, presence: float) -> bool:
        """Whether a finding is improbable enough to be denied."""
        one = self.deny_at.get(finding, -1.0) if isinstance(self.deny_at, Mapping) else self.deny_at
        return presence <= one
