"""A head that looks at neighbours, asked by vectors for findings: one more way to classify.

Knows a neighbourhood and the order of FINDINGS; knows nothing of films or drafts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xemplar.drafting.policies.augmented import Neighbourhood
from xemplar.drafting.policies.case import Case
from xemplar.findings import FINDINGS
from xemplar.records import Vectors
from xemplar.retrieval import Leave


class Head:
    """The probabilities of a neighbourhood's augmenter, in the order of FINDINGS."""

    def __init__(self, around: Neighbourhood) -> None:
        self.around = around

    @property
    def fingerprint(self) -> str:
        """The augmenter's."""
        return self.around.augmenter.fingerprint

    def probabilities(self, vectors: Vectors, leaves: Sequence[Leave]) -> NDArray[np.float64]:
        """(queries, dim) -> (queries, findings) in 0..1, uncalibrated; NaN for a finding it doesn't know."""
        cases = [Case((), vector, leave) for vector, leave in zip(vectors, leaves, strict=True)]
        given = self.around.probabilities(cases)
        found = np.full((len(vectors), len(FINDINGS)), np.nan)
        for column, name in enumerate(self.around.findings):
            if name in FINDINGS:
                found[:, FINDINGS.index(name)] = given[:, column]
        return found
