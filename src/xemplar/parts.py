"""The smaller manifests that a folder's own lists, and what was learnt of an index, kept as one of them.

Knows how all of them are read as they were at one moment, and which index what is in one serves; knows
nothing of what is learnt, nor how.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from xemplar.contracts import Json
from xemplar.errors import MismatchError
from xemplar.folders import (
    changed,
    check_whole,
    parsed,
    publish,
    read_manifest,
    read_unchecked,
    unsealed,
    writing,
)

DRIFT = 0.5
"""How far the number of indexed reports may move, as a share, before what was fitted is refused."""

_OF_THE_FILE = {"kind", "version", "generation"}


@dataclass(frozen=True, slots=True)
class Parts:
    """A folder's manifest and the smaller manifests that it lists, as they were at one moment."""

    folder: Path
    manifest: Json
    held: Mapping[str, bytes]
    """Bytes of each, by its name without its generation's."""


Place = Path | str | Parts
"""Where a part is: among those read, or in a folder by itself."""


def read_parts(folder: Path, kind: str, *, version: int, older: Sequence[str] = ()) -> Parts:
    """Read `kind`.json and every part it lists, all of one generation; one missing or changed is refused.

    Should the folder be swapped meanwhile it is read once more. `older` names what lies beside a manifest of
    a program that listed nothing.
    """
    name = f"{kind}.json"
    for last in (False, True):
        manifest, data = read_unchecked(folder, name, kind=kind, version=version)
        check_whole(folder / name, manifest, data)
        error: MismatchError | None = None
        held: dict[str, bytes] = {}
        try:
            held = _held(folder, manifest, older)
        except MismatchError as found:
            error = found
        if last or (folder / name).read_bytes() == data:
            break
    if error is not None:
        raise error
    return Parts(folder, unsealed(manifest), held)


def _held(folder: Path, manifest: Json, older: Sequence[str]) -> dict[str, bytes]:
    if "files" not in manifest:
        return {name: (folder / name).read_bytes() for name in older if (folder / name).exists()}
    held = {}
    for listed, entry in manifest["files"].items():
        path = folder / listed
        data = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise changed(folder, listed, f"{manifest['kind']}.json")
        held[path.name] = data
    return held


def read_part(place: Place, name: str, *, kind: str, version: int) -> Json | None:
    """A part's manifest, out of those read or of the folder it lies in itself; None where there is none."""
    folder = folder_of(place)
    if not isinstance(place, Parts):
        return read_manifest(folder, name, kind=kind, version=version) if (folder / name).exists() else None
    if name not in place.held:
        return None
    manifest = parsed(place.held[name], folder, name, kind=kind, version=version)
    check_whole(folder / name, manifest, place.held[name])
    return unsealed(manifest)


def folder_of(place: Place) -> Path:
    """The folder by whose name is told what is wrong with its parts."""
    return place.folder if isinstance(place, Parts) else Path(place)


class FittedTo(BaseModel):
    """The index that something was fitted with, as far as it has to be told from others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str
    generation: int
    corpus: str
    model: str
    reports: int

    def refuses(self, other: FittedTo) -> str:
        """Why what was fitted with this doesn't serve `other`; empty where it does.

        It serves the very index, and one over more (or fewer) parts of the same corpus by the same
        model, so that an index for service can draft, as long as its size has not drifted too far.
        """
        if self.fingerprint == other.fingerprint:
            return ""
        if (self.corpus, self.model) != (other.corpus, other.model):
            return f"fitted with corpus {self.corpus} and model {self.model} (index {self.fingerprint})"
        drift = abs(other.reports - self.reports) / max(1, self.reports)
        return f"fitted with {self.reports} reports, {drift:.0%} away" if drift > DRIFT else ""

    def check(self, other: FittedTo, where: Path) -> None:
        """Raise MismatchError, naming both sides, where what was fitted doesn't serve `other`."""
        if refusal := self.refuses(other):
            wanted = f"corpus {other.corpus} and model {other.model} (index {other.fingerprint})"
            raise MismatchError(
                refusal,
                wanted=f"{wanted} of {other.reports} reports, within {DRIFT:.0%}",
                where=str(where),
                remedy="run `xemplar calibrate` again",
            )


class Learnt(BaseModel):
    """What was learnt with an index, settled once: the values of a manifest, `kind`.json.

    A subclass names its `kind`, and the `version` of it that this program reads and writes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str]
    version: ClassVar[int]

    index: FittedTo

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy that has worked out nothing yet: pydantic would hand on what was worked out of this one."""
        copied = super().model_copy(update=update, deep=deep)
        for owner in type(self).__mro__:
            for name, value in vars(owner).items():
                if isinstance(value, cached_property):
                    copied.__dict__.pop(name, None)
        return copied

    def manifest(self, generation: int = 1) -> Json:
        """What its file holds."""
        head = {"kind": self.kind, "version": self.version, "generation": generation}
        return {**head, **self.model_dump(mode="json")}


L = TypeVar("L", bound=Learnt)


def save_part(folder: Path, learnt: Learnt) -> Json:
    """Write what was learnt into a folder, and give its manifest; a new fit takes the old one's place."""
    manifest = learnt.manifest()
    with writing(folder):
        publish(folder, f"{learnt.kind}.json", manifest)
    return manifest


def open_part(place: Place, what: type[L], *, index: FittedTo) -> L | None:
    """What was learnt, out of a folder's parts or the folder it lies in itself; None where there is none.

    Raises MismatchError for values that aren't such a one's, and for one that doesn't serve `index`.
    """
    manifest = read_part(place, f"{what.kind}.json", kind=what.kind, version=what.version)
    return None if manifest is None else learnt_in(manifest, what, where=folder_of(place), index=index)


def learnt_in(manifest: Json, what: type[L], *, where: Path, index: FittedTo) -> L:
    """What was learnt, of the manifest that was read in the folder `where`; refused as in `open_part`."""
    values = {key: value for key, value in manifest.items() if key not in _OF_THE_FILE}
    try:
        learnt = what.model_validate(values)
    except ValidationError as error:
        value = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise MismatchError(f"{what.kind}.json has a bad {value or 'content'}", where=str(where)) from None
    learnt.index.check(index, where)
    return learnt
