"""What the gate has learnt of an archive, as numbers in a file: `gate.json`, a part of the calibration.

Knows the file, what it must fit, and how one film is judged by it; knows nothing of how it was learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from xemplar.contracts import Json
from xemplar.drafting.gate import features
from xemplar.drafting.gate.looks import Looks
from xemplar.drafting.gate.reasons import FAR, SEEN
from xemplar.errors import MismatchError
from xemplar.folders import Parts, fingerprint, publish, read_part, writing
from xemplar.index import FittedTo
from xemplar.records import Image

NAME, VERSION = "gate.json", 1

NEIGHBOURS = 5
"""So many nearest studies make a film's distance to the archive, by the encoder."""


class Gate(BaseModel):
    """What was learnt of how films look, or why nothing was; and the index that it was learnt with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: FittedTo
    features: int = features.VERSION
    looks: Looks | None = None
    limits: list[float] = []
    """Of `Looks.strangeness`, in its order: above any a film is stopped."""
    spreads: list[float] = []
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
    manifest = {"kind": "gate", "version": VERSION, "generation": 1, **gate.model_dump(mode="json")}
    with writing(folder):
        publish(folder, NAME, manifest)


def open_gate(place: Path | str | Parts, *, index: FittedTo) -> Gate | None:
    """Open the file, out of a calibration's parts or the folder it lies in; None where there is none.

    One that doesn't serve the index is refused.
    """
    manifest = read_part(place, NAME, kind="gate", version=VERSION)
    if manifest is None:
        return None
    folder = place.folder if isinstance(place, Parts) else Path(place)
    values = {key: value for key, value in manifest.items() if key not in {"kind", "version", "generation"}}
    try:
        gate = Gate.model_validate(values)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise MismatchError(f"{NAME} has a bad {place or 'content'}", where=str(folder)) from None
    gate.index.check(index, folder)
    if gate.features != features.VERSION:
        raise MismatchError(
            f"{NAME} of features {gate.features}",
            wanted=f"features {features.VERSION}",
            where=str(folder),
            remedy="run `xemplar calibrate` again",
        )
    return gate
