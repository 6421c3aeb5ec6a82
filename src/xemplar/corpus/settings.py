"""What a corpus is made with, and its manifest read and checked before anything is believed of it.

Knows the manifest's keys; knows nothing of the files that it lists.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from xemplar.contracts import Json
from xemplar.corpus import schema
from xemplar.errors import MismatchError
from xemplar.folders import check_whole, publish, read_unchecked
from xemplar.images import PreviewSpec
from xemplar.records import Domain, TextKind


class IngestSettings(BaseModel):
    """What a corpus is made with; fixed at its first ingest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    domain: Domain
    texts: TextKind
    source: str
    preview: PreviewSpec = PreviewSpec()
    split_salt: str = "xemplar"
    """Public: the same patients fall into the same splits wherever this word is the same."""
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2)
    """Of train, val and test; they count by their ratios."""
    segment_size: int = Field(default=256, ge=1, le=100_000)

    @property
    def provenance(self) -> str:
        """The domain, and for drawn films what drew them: "synthetic (phantom-v1 3f9a12bc)"."""
        drawn_by = " ".join(self.source.split()[:2])
        return f"{self.domain} ({drawn_by})" if drawn_by.startswith("phantom-v") else self.domain

    @field_validator("fractions")
    @classmethod
    def _are_shares(cls, fractions: tuple[float, float, float]) -> tuple[float, float, float]:
        if not all(math.isfinite(one) and one >= 0 for one in fractions) or not sum(fractions):
            raise ValueError("fractions of train, val and test are 0 or more, and not all 0")
        return fractions


class _File(BaseModel):
    bytes: int
    sha256: str


class _Cut(BaseModel):
    studies: int
    lines: dict[str, int]


class _Segment(BaseModel):
    studies: int
    views: int
    cut: _Cut | None = None
    """Not there in segments of programs that didn't count it."""
    files: dict[str, _File]


class _Refused(BaseModel):
    rows: int
    bytes: int
    sha256: str


class _Manifest(BaseModel):
    """The keys that a corpus.json has to have."""

    generation: int
    complete: bool
    settings: IngestSettings
    preview_fingerprint: str
    lexicon: str
    segments: dict[str, _Segment]
    rejected: _Refused
    salt: str
    checksum: str


def read_corpus_manifest(folder: Path, *, sealed: bool = True) -> tuple[Json, IngestSettings]:
    """The manifest of a corpus and the settings in it.

    Raises XemplarError for another kind of folder, MismatchError for another version, for a manifest that
    lacks a key, has one of another type, or has settings that this program doesn't know, and, if it is to
    be `sealed`, for one whose bytes are not those that were written.
    """
    manifest, data = read_unchecked(folder, "corpus.json", kind="corpus", version=schema.VERSION)
    try:
        settings = _Manifest.model_validate(manifest).settings
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise MismatchError(
            f"corpus.json does not fit this program ({place}: {first['msg']})",
            wanted=f"a corpus.json of version {schema.VERSION}, as `xemplar ingest` wrote it",
            where=str(folder),
            remedy="put it back as it was, or ingest again into a new folder",
        ) from None
    if sealed:
        check_whole(folder / "corpus.json", manifest, data)
    return manifest, settings


def publish_corpus(folder: Path, manifest: Json) -> None:
    """Swap a corpus's manifest."""
    publish(folder, "corpus.json", manifest)


def key_of(salt: bytes, what: str, value: str) -> str:
    """The salted hash by which a corpus knows a patient, study or view."""
    return hmac.new(salt, f"{what}\x1f{value}".encode(), hashlib.sha256).hexdigest()[:16]


def salt_check(salt: bytes) -> str:
    """What the manifest keeps of the salt: enough to tell another one, not to find it."""
    return hmac.new(salt, b"salt", hashlib.sha256).hexdigest()[:16]
