"""Ours: evidence for each finding, calibrated; then the span of a real sentence that says what is believed.

Knows the order of the three; what each does is next door.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xemplar.drafting.calibration import POLICY, Calibration
from xemplar.drafting.compose import Composer
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
        beliefs: dict[str, float] = {}
        denials: dict[str, float] = {}
        silent = {name: self.calibration.decide(name, 0.0)[1] for name in self.calibration.too_few}
        for finding, probability in probabilities.items():
            decision, why = self.calibration.decide(finding, probability)
            if decision == "abstain":
                silent[finding] = why
            else:
                (beliefs if decision == "state" else denials)[finding] = probability
        lines, unsaid = self.composer.compose(case.vector, beliefs, denials, leave=case.leave)
        return Assembled(lines, {**silent, **unsaid})
