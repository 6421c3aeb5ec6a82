"""How probable each side, place and degree of a finding is for a film, given that the finding is there.

Knows query vectors and what was learnt (`details_fit`); knows nothing of whether a finding is there. A
side's, a place's or a degree's score is linear in the film's standardised vector; the softmax over the
classes of its kind makes probabilities of them. Claims are of those classes: a side is left alone, right
alone or both, a place is one of three regions. A query's answer rests on its vector alone: no neighbour is
asked, so that nobody is left out; a film that it was learnt from is no test of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from xemplar.records import Vectors

Kind = Literal["side", "place", "degree"]

CLASSES: Mapping[Kind, tuple[str, str, str]] = {
    "side": ("left alone", "right alone", "bilateral"),
    "place": ("upper", "mid", "lower"),
    "degree": ("small", "moderate", "large"),
}
"""Kind -> what excludes each other of one claim."""

REGIONS: Mapping[str, str] = {
    "upper lobe": "upper", "upper zone": "upper", "apex": "upper",
    "middle lobe": "mid", "lingula": "mid", "mid zone": "mid", "hilum": "mid",
    "lower lobe": "lower", "lower zone": "lower", "base": "lower",
    "costophrenic angle": "lower", "retrocardiac": "lower",
}  # fmt: skip
"""The lexicon's places -> the third of the lungs that they lie in, as a frontal film shows it. Readers call
one place by several names; a place is right where the report names any of its region."""

OF_VALUE: Mapping[Kind, Mapping[str, tuple[str, ...]]] = {
    "side": {
        "left": ("left alone", "bilateral"),
        "right": ("right alone", "bilateral"),
        "bilateral": ("bilateral",),
    },
    "place": {place: (region,) for place, region in REGIONS.items()},
    "degree": {degree: (degree,) for degree in CLASSES["degree"]},
}
"""Kind -> value that a claim may name -> the classes under which it is right."""


class DetailFit(BaseModel):
    """One kind of detail of one finding."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: list[str]
    """Those that the archive's training reports state of the finding: of no other is anything known."""
    start: list[float]
    """(classes,) scores of a film of which nothing is known."""
    weights: list[list[float]]
    """(classes, dim) of the standardised vector; none where the shares of the classes are all there is."""
    studies: int
    """Training studies whose report names it."""


class DetailsFit(BaseModel):
    """Every finding's details, as numbers for a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: list[float]
    scale: list[float]
    """(dim,) by which a vector is standardised."""
    findings: dict[str, dict[Kind, DetailFit]]
    fitted_on: dict[Kind, int]
    """Kind -> how many findings of validation studies its weights were fitted on; 0: shares alone."""


class Details:
    """Answers for any number of films; each is the same as it would be alone."""

    def __init__(self, fit: DetailsFit) -> None:
        self.fit = fit
        self._mean, self._scale = np.array(fit.mean), np.array(fit.scale)
        self._places = [(name, kind) for name, kinds in fit.findings.items() for kind in kinds]
        fits = [fit.findings[name][kind] for name, kind in self._places]
        dim = len(fit.mean)
        self._start = np.array([one.start for one in fits]).reshape(-1, 3)
        weights = [one.weights or np.zeros((3, dim)) for one in fits]
        self._weights = np.array(weights, np.float64).reshape(-1, dim)
        self._least = [
            1 / (2 + (fit.fitted_on[kind] if one.weights else one.studies))
            for (_, kind), one in zip(self._places, fits, strict=True)
        ]

    def of(self, vectors: Vectors) -> list[dict[str, dict[str, dict[str, float]]]]:
        """(queries, dim) unit rows -> for each finding -> kind -> value -> the probability that it is right.

        "left" is right of both sides too. Kinds and values that the training reports never state of a
        finding are not in it. None is nearer to 0 or 1 than the number of studies behind it lets anybody
        say (Laplace's rule of succession).
        """
        return [self._of((row - self._mean) / self._scale) for row in vectors.astype(np.float64)]

    def _of(self, scaled: NDArray[np.float64]) -> dict[str, dict[str, dict[str, float]]]:
        # One product a query: several at once are rounded by how many they are.
        chances = softmax(self._start + (self._weights @ scaled).reshape(-1, 3))
        found: dict[str, dict[str, dict[str, float]]] = {}
        for (name, kind), row, least in zip(self._places, chances, self._least, strict=True):
            by_class = dict(zip(CLASSES[kind], row.tolist(), strict=True))
            found.setdefault(name, {})[kind] = {
                value: min(max(sum(by_class[one] for one in OF_VALUE[kind][value]), least), 1 - least)
                for value in self.fit.findings[name][kind].values
            }
        return found


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., classes) -> the same, adding up to 1 over the last axis."""
    grown = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True), np.float64)
