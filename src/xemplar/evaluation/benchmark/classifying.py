"""A system's scores of findings: the plain ways that any encoder has, and its own where it has one.

Knows the classification room and the archive; knows no truth.
"""

from __future__ import annotations

from xemplar.classify import Ways, fit_probe
from xemplar.classify.classifier import AUGMENTED
from xemplar.errors import XemplarError
from xemplar.evaluation.benchmark.asked import Columns, scattered
from xemplar.evaluation.benchmark.asking import Questions
from xemplar.evaluation.benchmark.systems import System
from xemplar.findings import FINDINGS

OWN = "combined"
"""Ours: the plain ways and the evidence together, fitted on validation patients."""

CLASS = "class "
"""How a column of scores (n, findings) begins; its way follows."""


class Classes:
    """A system's ways to classify, fitted once for all sets of studies.

    Every system has the plain ways; a head that looks at neighbours is X-TRA's, and the combination ours.
    """

    def __init__(self, system: System) -> None:
        archive = self.archive = system.archive
        if archive.evidence is None:
            raise XemplarError("no report in the index to learn findings from")
        self.probe = fit_probe(archive.corpus, archive.index)
        self.ways = Ways(archive.encoder, archive.evidence.features, self.probe, augmented=archive.head)
        self.classifier = archive.classifier if archive.assembly.policy == "evidence" else None
        if self.classifier is None and archive.assembly.policy == "evidence":
            system.notes["classification"] = f"not combined: {archive.unclassified}"

    @property
    def own(self) -> str | None:
        """The system's own way, where it has one."""
        return OWN if self.classifier else AUGMENTED if self.archive.head else None

    def columns(self, questions: Questions) -> Columns:
        """`class <way>` (n, findings), columns as the set's findings; NaN without a film."""
        asked, vectors = questions.asked, questions.vectors
        leaves = questions.leaves
        scores = dict(self.ways.scores(vectors, leaves))
        if self.classifier is not None:
            scores[OWN] = self.classifier.probabilities(vectors, leaves)
        at = [FINDINGS.index(name) for name in asked.findings]
        return {
            f"{CLASS}{way}": scattered(asked, questions.rows, values[:, at]) for way, values in scores.items()
        }
