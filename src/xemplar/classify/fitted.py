"""What a classifier has learnt, as numbers in a file: `classifier.json`, a part of the calibration.

Knows the file and what it must fit; knows nothing of how it was learnt.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from xemplar.classify.combination import Combination
from xemplar.classify.kernel import Votes
from xemplar.classify.plain import Probe, load_prompts
from xemplar.contracts import Json
from xemplar.errors import MismatchError
from xemplar.folders import fingerprint, none_in
from xemplar.parts import FittedTo, Learnt, Place, folder_of, open_part, save_part

NAME, VERSION = "classifier.json", 1


def policy() -> str:
    """What is combined, and the prompts."""
    prompts = {name: one.model_dump(mode="json") for name, one in load_prompts().items()}
    return f"plain ways, learnt votes and evidence combined, v1, prompts {fingerprint(prompts)}"


class Fitted(Learnt):
    """What was learnt, the index it fits, and the ways that are combined."""

    kind = "classifier"
    version = VERSION

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
    return save_part(folder, fitted)


def open_fitted(place: Place, *, index: FittedTo) -> Fitted:
    """Open the file, out of a calibration's parts or the folder it lies in.

    One that doesn't serve the index, or was fitted by another policy, is refused.
    """
    fitted = open_part(place, Fitted, index=index)
    if fitted is None:
        raise none_in(folder_of(place), NAME, kind=Fitted.kind)
    if fitted.policy != policy():
        raise MismatchError(
            f"policy {fitted.policy!r}",
            wanted=repr(policy()),
            where=str(folder_of(place)),
            remedy="run `xemplar calibrate` again",
        )
    return fitted
