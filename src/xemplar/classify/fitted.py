"""What a classifier has learnt, as numbers in a file: `classifier.json`, a part of the calibration.

Knows the file and what it must fit; knows nothing of how it was learnt.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from xemplar.classify.combination import Combination
from xemplar.classify.kernel import Votes
from xemplar.classify.plain import Probe, load_prompts
from xemplar.contracts import Json
from xemplar.errors import MismatchError
from xemplar.folders import Parts, fingerprint, none_in, publish, read_part, writing
from xemplar.index import FittedTo

NAME, VERSION = "classifier.json", 1


def policy() -> str:
    """What is combined, and the prompts."""
    prompts = {name: one.model_dump(mode="json") for name, one in load_prompts().items()}
    return f"plain ways, learnt votes and evidence combined, v1, prompts {fingerprint(prompts)}"


class Fitted(BaseModel):
    """What was learnt, the index it fits, and the ways that are combined."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: FittedTo
    policy: str
    """The ways and the prompts: what was fitted by others is refused."""
    augmenter: str | None = None
    """Fingerprint of the head that looks at neighbours, where one is among the ways."""
    probe: Probe
    votes: Votes
    combination: Combination
    near_duplicates: int = 0
    title: str

    @cached_property
    def fingerprint(self) -> str:
        """Of everything in it; every draft asks for it."""
        return fingerprint(self.model_dump(mode="json"))

    @property
    def facts(self) -> Json:
        """What is told of it when it has been fitted."""
        return {
            "called": sorted(self.combination.findings),
            "learnt_from": self.probe.studies,
            "fitted_on": self.combination.studies,
        }


def save_fitted(folder: Path, fitted: Fitted) -> Json:
    """Write the file into a calibration folder; a new fit takes the old one's place."""
    manifest = {"kind": "classifier", "version": VERSION, "generation": 1, **fitted.model_dump(mode="json")}
    with writing(folder):
        publish(folder, NAME, manifest)
    return manifest


def open_fitted(place: Path | str | Parts, *, index: FittedTo) -> Fitted:
    """Open the file, out of a calibration's parts or the folder it lies in.

    One that doesn't serve the index, or was fitted by another policy, is refused.
    """
    folder = place.folder if isinstance(place, Parts) else Path(place)
    manifest = read_part(place, NAME, kind="classifier", version=VERSION)
    if manifest is None:
        raise none_in(folder, NAME, kind="classifier")
    values = {key: value for key, value in manifest.items() if key not in {"kind", "version", "generation"}}
    try:
        fitted = Fitted.model_validate(values)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise MismatchError(f"{NAME} has a bad {place or 'content'}", where=str(folder)) from None
    fitted.index.check(index, folder)
    if fitted.policy != policy():
        raise MismatchError(
            f"policy {fitted.policy!r}",
            wanted=repr(policy()),
            where=str(folder),
            remedy="run `xemplar calibrate` again",
        )
    return fitted
