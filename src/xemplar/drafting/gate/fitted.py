"""What the gate has learnt of an archive, as numbers in a file: `gate.json`, a part of the calibration.

Knows the file, what it must fit, and how one film is judged by it; knows nothing of how it was learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xemplar.contracts import Json
from xemplar.drafting.gate import features
from xemplar.drafting.gate.looks import Looks
from xemplar.drafting.gate.reasons import FAR, SEEN
from xemplar.errors import MismatchError
from xemplar.folders import fingerprint
from xemplar.parts import FittedTo, Learnt, Place, folder_of, open_part, save_part
from xemplar.records import Image

NAME, VERSION = "gate.json", 1

NEIGHBOURS = 5
"""So many nearest studies make a film's distance to the archive, by the encoder."""


class Gate(Learnt):
    """What was learnt of how films look, or why nothing was; and the index that it was learnt with."""

    kind = "gate"
    version = VERSION

    features: int = features.VERSION
    looks: Looks | None = None
    limits: list[float] = Field(default_factory=list)
    """Of `Looks.strangeness`, in its order: above any a film is stopped."""
    spreads: list[float] = Field(default_factory=list)
    """Of the same, among proper films that nothing was learnt from."""
    far: float | None = None
    """Mean cosine to the NEIGHBOURS nearest studies below which a view, and its study with it, is stopped;
    set on studies by their farthest frontal view. None where too few were held back to say."""
    learnt_from: int = 0
    """Proper films."""
    held_out: int = 0
    """Proper films that the limits were set with."""
    stopped: float | None = None
    """Share of those that are stopped by how they look."""
    why: str = ""
    """Why nothing was learnt, and facts alone stop a film."""

    @cached_property
    def fingerprint(self) -> str:
        """Of everything in it."""
        return fingerprint(self.model_dump(mode="json"))

    @property
    def facts(self) -> Json:
        """What is told of it when it has been fitted."""
        told = ("learnt_from", "held_out", "stopped", "why")
        kinds = [] if self.looks is None else self.looks.kinds[1:]
        return {
            **{name: getattr(self, name) for name in told},
            "kinds": kinds,
            "by_encoder": self.far is not None,
        }

    def reason(self, image: Image) -> str | None:
        """Why a preview is no proper frontal film, by its looks; None where it is, or nothing was learnt."""
        if self.looks is None:
            return None
        strange = self._strange(image)
        above = strange > np.array(self.limits)
        if not above.any():
            return None
        if not above[1:].any():
            return FAR
        place = int(np.argmax(np.where(above[1:], strange[1:], -np.inf))) + 1
        return SEEN[self.looks.kinds[place]]

    def excess(self, image: Image) -> float:
        """How far a film lies above its worst limit, in spreads of proper ones; 0 or less where it passes."""
        if self.looks is None:
            return 0.0
        return float(np.max((self._strange(image) - np.array(self.limits)) / np.array(self.spreads)))

    def _strange(self, image: Image) -> NDArray[np.float64]:
        assert self.looks is not None
        found: NDArray[np.float64] = self.looks.strangeness(features.features_of(image)[None])[0]
        return found

    def is_far(self, cosines: Sequence[float]) -> bool:
        """Whether a film is too far, given the cosines of its nearest studies, best first."""
        if self.far is None or not cosines:
            return False
        return nearness(cosines) < self.far


def nearness(cosines: Sequence[float]) -> float:
    """Mean cosine of the NEIGHBOURS nearest."""
    return float(np.mean(np.asarray(cosines[:NEIGHBOURS], np.float64)))


def save_gate(folder: Path, gate: Gate) -> None:
    """Write the file into a calibration folder; a new fit takes the old one's place."""
    save_part(folder, gate)


def open_gate(place: Place, *, index: FittedTo) -> Gate | None:
    """Open the file, out of a calibration's parts or the folder it lies in; None where there is none.

    One that doesn't serve the index is refused.
    """
    gate = open_part(place, Gate, index=index)
    if gate is not None and gate.features != features.VERSION:
        raise MismatchError(
            f"{NAME} of features {gate.features}",
            wanted=f"features {features.VERSION}",
            where=str(folder_of(place)),
            remedy="run `xemplar calibrate` again",
        )
    return gate
