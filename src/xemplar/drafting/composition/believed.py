"""Beliefs of a film, and of the one before it, -> which claims may be made, and how probable each is.

Knows claims and probabilities; knows nothing of sentences. A claim of change is one of both films: "new" is
there now and wasn't then, "resolved" the reverse, the others are there on both; and more or less of a
finding is claimed only where its degrees are believed to differ that way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from xemplar.drafting.beliefs import DETAILS, Belief, Beliefs, Limits
from xemplar.drafting.composition.weights import DETAIL
from xemplar.findings import FINDINGS
from xemplar.records import Claim

_DEGREES = ("small", "moderate", "large")
_WITHIN = ("Edema", "Consolidation", "Pneumonia", "Atelectasis", "Lung Lesion")
IMPLIED: Mapping[str, tuple[str, ...]] = {"Lung Opacity": _WITHIN, "Consolidation": ("Pneumonia",)}
"""What is denied with a finding, being a kind of it: "the lungs are clear" is wrong of a lung with edema."""


@dataclass(frozen=True, slots=True)
class Told:
    """How much is known of a claim: whether it is right, and what telling it is worth."""

    probability: float
    worth: float


UNTRUE = Told(0.0, -1.0)


@dataclass(frozen=True)
class Believed:
    """Beliefs of the film and, where one is given, of its prior."""

    now: Beliefs
    then: Beliefs | None = None

    def told(self, claim: Claim) -> Told:
        """Probability and worth of a claim; those of a wrong one where nothing is known."""
        p = self._probability(claim)
        if p == 0.0:
            return UNTRUE
        details = (claim.side, claim.place, claim.degree, claim.change)
        return Told(p, p * (1.0 + DETAIL * (4 - details.count(None))) - (1.0 - p))

    def _probability(self, claim: Claim) -> float:
        belief = self.now.get(claim.finding)
        if belief is None or claim.presence == "uncertain":
            return 0.0
        if claim.change is None:
            return 0.0 if _denies_a_part(claim) else belief.probability(claim)
        before = None if self.then is None else self.then.get(claim.finding)
        return 0.0 if before is None else _probability_of_change(claim, belief, before)

    def fits_prior(self, claim: Claim, limits: Limits) -> bool:
        """Whether a claim of change has the prior that it needs."""
        before = None if self.then is None else self.then.get(claim.finding)
        if before is None:
            return False
        if claim.change == "new":
            return claim.presence == "absent" or limits.may_deny(claim.finding, before.presence)
        return limits.may_state(before.presence)

    @cached_property
    def findings(self) -> frozenset[str]:
        """Those with a belief."""
        return frozenset(self.now)

    def stated(self, limits: Limits) -> frozenset[str]:
        """Findings sure enough to be stated."""
        return frozenset(name for name, belief in self.now.items() if limits.may_state(belief.presence))

    def denied(self, limits: Limits) -> frozenset[str]:
        """Findings sure enough to be denied; where limits allow both, it is stated."""
        low = {name for name, belief in self.now.items() if limits.may_deny(name, belief.presence)}
        return frozenset(low) - self.stated(limits)

    def denied_alone(self, denied: frozenset[str], limits: Limits) -> frozenset[str]:
        """Of the findings denied those that a draft may deny which states nothing: the surest of them.

        As many as keep the chance that any is there within the limit; findings are taken for independent.
        """
        absent, kept = 1.0, set()
        for name in sorted(denied, key=lambda one: (self.now[one].presence, one)):
            absent *= 1.0 - self.now[name].presence
            if 1.0 - absent > limits.normal_wrong:
                break
            kept.add(name)
        return frozenset(kept)


def all_denied(denied: frozenset[str]) -> bool:
    """Whether everything may be denied at once; a finding without a belief is in the way."""
    return denied.issuperset(FINDINGS)


def agrees(claim: Claim, said: Iterable[Claim]) -> bool:
    """Whether a claim tells no detail of its finding that differs from those said of it before.

    A detail that either leaves open agrees; both sides, told one by one, are bilateral.
    """
    before = [one for one in said if one.finding == claim.finding]
    if any(one.presence != claim.presence for one in before):
        return False
    for kind in (*DETAILS, "change"):
        told = {getattr(one, kind) for one in before} - {None}
        if told >= {"left", "right"}:
            told.add("bilateral")
        if told and getattr(claim, kind) not in {None, *told}:
            return False
    return True


def _denies_a_part(claim: Claim) -> bool:
    """Whether a denial is of one side, place or degree, which says less than that a finding is absent."""
    return claim.presence == "absent" and (claim.side, claim.place, claim.degree) != (None, None, None)


def _probability_of_change(claim: Claim, now: Belief, before: Belief) -> float:
    """Of both films' parts of a claim, taken for independent; 0 for what can't be."""
    alone = replace(claim, change=None)
    same = replace(alone, presence="present")
    if claim.presence == "absent":
        if claim.change == "new":
            return 0.0 if _denies_a_part(claim) else now.probability(alone)
        return (1.0 - now.presence) * before.probability(same) if claim.change == "resolved" else 0.0
    if claim.change == "new":
        return now.probability(alone) * (1.0 - before.presence)
    more, less = _moved(now, before), _moved(before, now)
    if claim.change == "unchanged":
        return now.probability(alone) * before.probability(same) if max(more, less) <= 0.5 else 0.0
    moved = {"increased": more, "decreased": less}.get(claim.change or "", 0.0)
    other = replace(same, degree=None)
    return now.probability(alone) * before.probability(other) * moved if moved > 0.5 else 0.0


def _moved(one: Belief, other: Belief) -> float:
    """Probability that a finding's degree is larger in the one than in the other; 0 where unknown."""
    first, second = _degrees(one), _degrees(other)
    return sum(p * q for i, p in enumerate(first) for j, q in enumerate(second) if i > j)


def _degrees(belief: Belief) -> tuple[float, ...]:
    """Probabilities of the three degrees, adding up to 1; none where nothing is known."""
    values = [belief.details.get("degree", {}).get(degree, 0.0) for degree in _DEGREES]
    total = sum(values)
    return tuple(value / total for value in values) if total > 0 else ()
