"""A draft as a file: every line with its source, and a record of how the draft was made.

Knows what has to be known to make a draft again, and how it is written, byte for byte; makes none again.
Of patients it holds no more than the quoted sentences, and paths as the user gave them.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from xemplar import __version__
from xemplar.archive.facade import Archive
from xemplar.contracts import Json
from xemplar.errors import MismatchError, XemplarError
from xemplar.findings import lexicon_version
from xemplar.records import Draft, Film
from xemplar.sources.dicom.headers import Unreadable, read_header

KIND, VERSION = "draft", 1

_WANTED = "what `xemplar draft --out` writes"
_REMEDY = "draft again: xemplar draft INDEX FILM --out draft.json"

_LIBRARIES = (
    "torch", "transformers", "tokenizers", "numpy", "faiss-cpu", "bm25s", "scikit-learn", "pyarrow",
    "opencv-python-headless", "pillow", "pydicom",
)  # fmt: skip


class _ShownFilm(BaseModel):
    path: str
    sha256: str


class _Machine(BaseModel):
    threads: dict[str, Annotated[int, Field(ge=1, le=4096)]]


class _Record(BaseModel):
    films: Annotated[list[_ShownFilm], Field(min_length=1)]
    prior: list[_ShownFilm]
    folders: dict[str, str | None]
    machine: _Machine


class _QuotedLine(BaseModel):
    text: str
    sentence_id: str
    span: tuple[int, int]


class _Told(BaseModel):
    """The keys of a draft's file that a replay goes by."""

    lines: list[_QuotedLine]
    abstained: dict[str, str]
    record: _Record


@dataclass(frozen=True, slots=True)
class Asked:
    """What a draft is asked for: the views of a study, and of its prior if there is one, by their files."""

    images: tuple[Path, ...]
    films: tuple[Film, ...]
    prior_images: tuple[Path, ...] = ()
    prior: tuple[Film, ...] = ()

    @classmethod
    def load(cls, archive: Archive, images: Sequence[Path], prior: Sequence[Path] = ()) -> Asked:
        """Read the files as the archive's own previews were made; all of them are one patient's.

        Refused where their headers name two: what a header names is compared, and kept nowhere.
        """
        _check_one_patient([*images, *prior])
        films, before = ([archive.load_film(path) for path in paths] for paths in (images, prior))
        return cls(tuple(images), tuple(films), tuple(prior), tuple(before))

    def drafted(self, archive: Archive) -> Draft:
        """The draft."""
        return archive.draft(self.films, self.prior or None)


def record_of(archive: Archive, asked: Asked) -> Json:
    """How a draft is made: films, folders, fingerprints, engine, machine and versions.

    A folder that is null is the one that the index names, or the calibration beside it.
    """
    from xemplar.models.computing import (
        processor,
        runs_with,
        threads,
    )  # torch is loaded by now, or not at all

    return {
        "films": _films(asked.images, asked.films),
        "prior": _films(asked.prior_images, asked.prior),
        "folders": dict(archive.folders),
        "parts": parts_of(archive),
        "engine": {"index": archive.index.manifest["engine"], **runs_with(archive.encoder)},
        "machine": {"processor": processor(), "threads": threads()},
        "versions": _versions(),
    }


def parts_of(archive: Archive) -> Json:
    """A fingerprint of each part that a draft depends on; null where there is none."""
    stages = archive.stages
    named = {"matcher": stages.matcher, "neighbours' head": stages.augmenter}
    calibration, classifier = archive.calibration, archive.classifier
    return {
        "archive": archive.fingerprint,
        "corpus": archive.corpus.fingerprint,
        "corpus generation": archive.corpus.generation,
        "index": archive.index.fingerprint,
        "index generation": archive.index.generation,
        "model": archive.encoder.fingerprint,
        **{name: None if stage is None else stage.fingerprint for name, stage in named.items()},
        "judge": None if stages.judge is None else stages.judge.name,
        "assembly": archive.assembly.model_dump(mode="json"),
        "calibration": None if calibration is None else calibration.fingerprint,
        "classifier": None if classifier is None else classifier.fitted.fingerprint,
        "gate": None if archive.gatekeeper.gate is None else archive.gatekeeper.gate.fingerprint,
        "previews": archive.corpus.settings.preview.fingerprint,
        "lexicon": lexicon_version()[:16],
    }


def file_bytes(draft: Draft, record: Json) -> bytes:
    """A draft's file: JSON with sorted keys, a float as the shortest text that reads back as itself."""
    said = asdict(draft)
    if not said["notes"]:
        del said["notes"]  # as it always was where there is nothing to note
    return canonical({"kind": KIND, "version": VERSION, **said, "record": record})


def read_draft(path: Path) -> Json:
    """A draft's file as JSON; what is none, or of another version, is refused."""
    try:
        told = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise XemplarError("no such file", wanted=_WANTED, where=str(path), remedy=_REMEDY) from None
    except OSError as error:
        raise XemplarError(f"{error.strerror}", wanted=_WANTED, where=str(path), remedy=_REMEDY) from None
    except (ValueError, RecursionError) as error:
        raise XemplarError(
            f"not readable JSON ({type(error).__name__})", wanted=_WANTED, where=str(path), remedy=_REMEDY
        ) from None
    if not isinstance(told, dict) or told.get("kind") != KIND or not isinstance(told.get("record"), dict):
        raise MismatchError(
            "not a draft with a record of how it was made", wanted=_WANTED, where=str(path), remedy=_REMEDY
        )  # fmt: skip
    if told.get("version") != VERSION:
        raise MismatchError(
            f"draft file of version {told.get('version')}", wanted=f"version {VERSION}", where=str(path),
            remedy="replay it with the program that made it",
        )  # fmt: skip
    try:
        _Told.model_validate(told)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise MismatchError(f"a draft file with a bad {place}", where=str(path), remedy=_REMEDY) from None
    return told


def said_in(told: Json) -> Json:
    """The draft of a file, without how it was made."""
    return {name: value for name, value in told.items() if name not in ("kind", "version", "record")}


def canonical(value: Json) -> bytes:
    """The one way in which a value is written here."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False, default=_number)
    return (text + "\n").encode()


def _number(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no JSON")


def _check_one_patient(paths: Sequence[Path]) -> None:
    """By PatientID, where two files have one of the same issuer, or of one that isn't told."""
    named: list[tuple[str, str | None]] = []
    for path in paths:
        try:
            header = read_header(path)
        except Unreadable:
            continue  # told when its pixels are read
        if header is None or header.patient is None:
            continue
        for patient, issuer in named:
            if patient != header.patient and (issuer == header.issuer or None in (issuer, header.issuer)):
                raise XemplarError("another patient's than the films before it", where=str(path))
        named.append((header.patient, header.issuer))


def _films(paths: Sequence[Path], films: Sequence[Film]) -> list[Json]:
    return [
        {
            "path": str(path), "sha256": film.sha256, "position": film.position, "domain": film.domain,
            "patient": film.sought,
        }
        for path, film in zip(paths, films, strict=True)
    ]  # fmt: skip


@cache
def _versions() -> Json:
    return {
        "xemplar": __version__,
        "python": platform.python_version(),
        **{n: version(n) for n in _LIBRARIES},
    }
