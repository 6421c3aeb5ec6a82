"""A corpus folder looked at from outside: its manifest, its files, its tables, and what leaks.

Knows all that a corpus has to keep to; repairs nothing. One line for each thing wrong, the file first. What
is said of tables is said only of files whose bytes are those listed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from xemplar.contracts import Json
from xemplar.corpus import content, copies, refused, schema
from xemplar.corpus.reader import Corpus
from xemplar.corpus.settings import read_corpus_manifest, salt_check
from xemplar.errors import XemplarError
from xemplar.folders import file_sha256, is_whole

UNLISTED = re.compile(r"corpus\.json|salt|rejected\.jsonl|near_duplicates\.json|\.lock|(.*/)?\..+\.\d+\.tmp")
"""Files of ours that no manifest lists: each is checked by itself, or is empty or a killed writer's."""

_MANIFEST = "corpus.json: its bytes are not those that were written (its checksum differs)"
_DIFFERS = "SHA-256 differs from the manifest's"


@dataclass
class Checked:
    """What was looked at, by count, and a line for each thing wrong; `notes` are told and are not wrong."""

    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: int = 0
    studies: int = 0
    views: int = 0

    @property
    def summary(self) -> str:
        """What was looked at, in a line."""
        looked = f"{self.files} files, {self.studies} studies, {self.views} views looked at"
        return f"{looked}; {len(self.wrong)} wrong" if self.wrong else f"{looked}; all as it should be"


def check_corpus(folder: Path | str) -> Checked:
    """Look at everything in a corpus folder.

    Raises XemplarError where it isn't one, or of another version; a damaged one is told line by line.
    """
    folder, found = Path(folder), Checked()
    manifest = _manifest(folder, found)
    if manifest is None:
        return found
    damaged = _files(folder, manifest, found)
    _strangers(folder, manifest, found)
    whole = {name for name, segment in manifest["segments"].items() if not damaged & set(segment["files"])}
    tables = content.Tables(folder, manifest, whole)
    told = tables.wrong()
    found.notes += tables.notes()
    found.studies, found.views = len(tables.studies), len(tables.views)
    readable = _MANIFEST not in found.wrong and all(line.startswith("leak: ") for line in told)
    found.wrong += told
    if manifest["segments"] and readable and not damaged:
        found.notes += _copies_across_splits(folder)
    return found


def _manifest(folder: Path, found: Checked) -> Json | None:
    """The manifest, if it is one at all; what is wrong with its bytes is told first."""
    path = folder / "corpus.json"
    data = path.read_bytes() if path.is_file() else b""
    found.files += bool(data)
    manifest, whole = None, False
    try:
        manifest = json.loads(data)
        whole = "checksum" in manifest and is_whole(manifest, data)
    except (ValueError, KeyError, TypeError):
        whole = False
    if data and not whole and not _is_of_another_version(manifest):
        found.wrong.append(_MANIFEST)
        try:
            return read_corpus_manifest(folder, sealed=False)[0]
        except (XemplarError, ValidationError, RecursionError):
            found.notes.append("corpus.json can't be relied on: nothing else could be checked")
            return None
    return read_corpus_manifest(folder)[0]


def _is_of_another_version(manifest: object) -> bool:
    # An older corpus had no checksum: it is refused by its version and not called damaged.
    held = manifest if isinstance(manifest, dict) else {}
    return "checksum" not in held and held.get("version", schema.VERSION) != schema.VERSION


def _files(folder: Path, manifest: Json, found: Checked) -> set[str]:
    """Compare every listed file with the manifest; the names of those that differ."""
    damaged = set()
    for segment in manifest["segments"].values():
        for name, entry in segment["files"].items():
            path = folder / name
            found.files += 1
            if not path.is_file():
                wrong = "is missing"
            elif path.stat().st_size != entry["bytes"]:
                wrong = f"has {path.stat().st_size} bytes; wanted {entry['bytes']}"
            elif file_sha256(path) != entry["sha256"]:
                wrong = _DIFFERS
            else:
                continue
            damaged.add(name)
            found.wrong.append(f"{name}: {wrong}")
    found.wrong += _rejected(folder, manifest["rejected"]) + _salt(folder, manifest, found)
    if (folder / copies.NAME).exists() and copies.read_kept(folder) is None:
        found.wrong.append(
            f"{copies.NAME}: its bytes are not those that were written; remove it, it is made again"
        )
    return damaged


def _rejected(folder: Path, entry: Json) -> list[str]:
    path = folder / refused.NAME
    if not path.exists():
        return [f"{refused.NAME}: is missing"] if entry["bytes"] else []
    data = path.read_bytes()[: entry["bytes"]]  # what follows is a torn tail and doesn't count
    if len(data) < entry["bytes"]:
        return [f"{refused.NAME}: has {len(data)} bytes; wanted {entry['bytes']}"]
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        return [f"{refused.NAME}: {_DIFFERS}"]
    rows = data.count(b"\n")
    return [] if rows == entry["rows"] else [f"{refused.NAME}: {rows} lines; wanted {entry['rows']}"]


def _salt(folder: Path, manifest: Json, found: Checked) -> list[str]:
    path = folder / "salt"
    if not path.exists():
        found.notes.append("salt: not here, so this copy can be read and not added to")
        return []
    return [] if salt_check(path.read_bytes()) == manifest["salt"] else ["salt: not the one of this corpus"]


def _strangers(folder: Path, manifest: Json, found: Checked) -> None:
    """Files that no manifest lists; those of the next segment are what a killed ingest leaves."""
    listed = {name for segment in manifest["segments"].values() for name in segment["files"]}
    coming = f"{len(manifest['segments']):06d}"
    left = 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or name in listed or UNLISTED.fullmatch(name):
            left += name.endswith(".tmp")
        elif path.stem == coming and path.parent.name in content.FOLDERS:
            left += 1
        else:
            found.wrong.append(f"{name}: the manifest doesn't list it")
    if left:
        found.notes.append(f"{left} files left by an ingest that was stopped; the next one clears them")


def _copies_across_splits(folder: Path) -> list[str]:
    """A line for each study of val and test of which a film is in another split as well."""
    corpus = Corpus.open(folder)
    lines = []
    for study_id, others in corpus.copies.items():
        study = corpus.by_id[study_id]
        elsewhere = Counter(corpus.by_id[other].split for other in others)
        if study.split != "train":
            told = ", ".join(f"{count} in {split}" for split, count in sorted(elsewhere.items(), key=str))
            lines.append(
                f"study {study_id} in {study.split} shows a film, or nearly, of {told}; "
                "it is left out of scoring and calibration"
            )
    return lines
