"""Ours: evidence for each finding, calibrated; then the span of a real sentence that says what is believed.

Knows the order of the three; what each does is next door.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from xemplar.drafting.beliefs import DETAILS, Belief, Limits
from xemplar.drafting.calibration import POLICY, Calibration
from xemplar.drafting.composition import Composer
from xemplar.drafting.evidence import Evidence
from xemplar.drafting.policies.case import Assembled, Case


class ByEvidence:
    """Features of every finding -> probabilities -> what is stated, denied, left unsaid -> lines."""

    def __init__(self, evidence: Evidence, composer: Composer, calibration: Calibration) -> None:
        self.evidence, self.composer, self.calibration = evidence, composer, calibration

    @property
    def policy(self) -> str:
        """Of the calibration's kind."""
        return POLICY

    def drafts(self, cases: Sequence[Case]) -> list[Assembled]:
        """Lines for what is believed present, then for what is denied."""
        if not cases:
            return []
        vectors, leaves = np.stack([case.vector for case in cases]), [case.leave for case in cases]
        images = [[film.image for film in case.films] for case in cases]
        probabilities = self.calibration.probabilities(self.evidence.features(vectors, leaves, images))
        return [
            self._draft(case, {finding: float(values[row]) for finding, values in probabilities.items()})
            for row, case in enumerate(cases)
        ]

    def _draft(self, case: Case, probabilities: dict[str, float]) -> Assembled:
        silent = {name: self.calibration.decide(name, 0.0)[1] for name in self.calibration.too_few}
        fits = self.calibration.findings
        limits = Limits(
            min(one.state_at for one in fits.values()), {name: one.deny_at for name, one in fits.items()}
        )
        beliefs = {name: Belief(p, self._any_detail) for name, p in probabilities.items()}
        made = self.composer.compose(case.vector, beliefs, limits, leave=case.leave)
        return Assembled(made.lines, {**silent, **made.silent})

    @cached_property
    def _any_detail(self) -> Mapping[str, Mapping[str, float]]:
        """Every detail that the archive tells, each as sure as its finding."""
        claims = [claim for sentence in self.composer.sentences for claim in sentence.claims]
        told = {kind: {getattr(claim, kind) for claim in claims} - {None} for kind in DETAILS}
        return {kind: dict.fromkeys(values, 1.0) for kind, values in told.items()}
