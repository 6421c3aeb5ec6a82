"""Ours: evidence for each finding, calibrated; then spans of real sentences that cover what is believed.

Knows the order of the three, and why nothing is said of a finding; what each does is next door.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xemplar.drafting.beliefs import DETAILS, Belief, Beliefs
from xemplar.drafting.calibration import POLICY, Calibration
from xemplar.drafting.composition import Composer, Gathered
from xemplar.drafting.drift import Directions
from xemplar.drafting.evidence import Evidence
from xemplar.drafting.policies.case import Assembled, Case


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of one case before anything is said: beliefs, its prior's, and its nearest film."""

    case: Case
    beliefs: Beliefs
    prior: Beliefs | None
    nearest: float
    """Cosine of the nearest film that isn't left out."""


class ByEvidence:
    """Features of every finding -> beliefs -> what is stated, denied, left unsaid -> lines."""

    def __init__(
        self, evidence: Evidence, composer: Composer, calibration: Calibration, *, promised: bool = True
    ) -> None:
        """`promised` is false where what the calibration promises isn't of these drafts."""
        self.evidence, self.composer, self.calibration = evidence, composer, calibration
        self.promised = promised

    @property
    def policy(self) -> str:
        """Of the calibration's kind."""
        return POLICY

    def drafts(self, cases: Sequence[Case]) -> list[Assembled]:
        """Lines that cover what is believed of each case, and why nothing is said of the rest."""
        return [self._draft(one) for one in self.held(cases)]

    def held(self, cases: Sequence[Case]) -> list[Held]:
        """What is believed of each case, the same whatever it is asked together with."""
        if not cases:
            return []
        vectors, leaves = np.stack([case.vector for case in cases]), [case.leave for case in cases]
        nearest = self.evidence.nearest(vectors, leaves)
        priors = iter(self._beliefs([case.prior for case in cases if case.prior is not None]))
        return [
            Held(case, beliefs, None if case.prior is None else next(priors), float(cosine))
            for case, beliefs, cosine in zip(cases, self._beliefs(cases), nearest, strict=True)
        ]

    def gathered(self, held: Held) -> Gathered:
        """All that may be quoted of a case, to be composed under any limits."""
        case = held.case
        cosines = self.evidence.cosines(case.vector)
        return self.composer.gather(
            case.vector, held.beliefs, leave=case.leave, prior=held.prior, cosines=cosines
        )

    def features(self, held: Sequence[Held], made: Sequence[Assembled]) -> dict[str, NDArray[np.float64]]:
        """What is compared to tell drift: feature -> (cases,) values, of cases and their drafts."""
        found = {"nearest cosine": np.array([one.nearest for one in held], np.float64)}
        if held and self._directions is not None:
            found |= self._directions.of(np.stack([one.case.vector for one in held]))
        for name in self.calibration.findings:
            found[f"p({name})"] = np.array([one.beliefs[name].presence for one in held], np.float64)
        return {**found, "lines": np.array([len(one.lines) for one in made], np.float64)}

    def _beliefs(self, cases: Sequence[Case]) -> list[Beliefs]:
        if not cases:
            return []
        vectors, leaves = np.stack([case.vector for case in cases]), [case.leave for case in cases]
        images = [[film.image for film in case.films] for case in cases]
        found = self.calibration.probabilities(self.evidence.features(vectors, leaves, images))
        details = self.calibration.told_details
        told = [{}] * len(cases) if details is None else details.of(vectors)
        unknown = {} if details is not None else self._any_detail
        return [
            {name: Belief(float(p[row]), told[row].get(name, unknown)) for name, p in found.items()}
            for row in range(len(cases))
        ]

    def _draft(self, held: Held) -> Assembled:
        outside, promise = self.calibration.outside, self.calibration.promise
        limits = self.calibration.limits_of(promised=self.promised and held.prior is None)
        least = self.calibration.nearest
        if least is not None and held.nearest < least:
            why = f"no near neighbours: cosine {held.nearest:.2f} of the nearest film, {least:.2f} wanted"
            return Assembled((), {**outside, **dict.fromkeys(held.beliefs, why)})
        if limits is None:
            why = f"not promised: {promise.why}" if promise is not None else "no limits"
            return Assembled((), {**outside, **dict.fromkeys(held.beliefs, why)})
        made = self.gathered(held).compose(limits)
        told = {claim.finding for line in made.lines for claim in line.claims}
        silent = {
            name: self.calibration.undecided(name, one.presence) or made.silent[name]
            for name, one in held.beliefs.items()
            if name not in told
        }
        return Assembled(made.lines, {**outside, **silent})

    @cached_property
    def _directions(self) -> Directions | None:
        films = self.evidence.index.items.get("image")
        return None if films is None else Directions(films.vectors)

    @cached_property
    def _any_detail(self) -> Mapping[str, Mapping[str, float]]:
        """Every detail that the archive tells, each as sure as its finding: where none was learnt."""
        claims = [claim for sentence in self.composer.sentences for claim in sentence.claims]
        told = {kind: {getattr(claim, kind) for claim in claims} - {None} for kind in DETAILS}
        return {kind: dict.fromkeys(values, 1.0) for kind, values in told.items()}
