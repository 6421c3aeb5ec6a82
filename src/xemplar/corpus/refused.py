"""What was rejected: counted, and kept line by line in rejected.jsonl.

Knows that file and how a torn tail is told; knows nothing of why anything is rejected. The manifest
says how many of its bytes count and what their SHA-256 is.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from xemplar.contracts import Json
from xemplar.corpus.tables import unreadable
from xemplar.errors import MismatchError
from xemplar.records import Rejected

NAME = "rejected.jsonl"
NOTHING: Json = {"rows": 0, "bytes": 0, "sha256": hashlib.sha256(b"").hexdigest()}
"""The manifest's entry before anything was rejected."""


class Refused:
    """The rejected lines of one corpus, and those still to be written; only while its writer holds it."""

    def __init__(self, folder: Path, entry: Json) -> None:
        """Read what earlier runs rejected; a torn tail beyond the manifest's `entry` is cut off."""
        self.path, self.entry = folder / NAME, entry
        data = self._counted()
        self._hash = hashlib.sha256(data)
        try:
            rows = [json.loads(line) for line in data.decode().splitlines()]
            self.known = {(row["key"], row["reason"], row["where"]) for row in rows}
        except (ValueError, KeyError, TypeError) as error:
            raise unreadable(folder, NAME) from error
        self.pending: list[Rejected] = []

    def add(self, rejected: Rejected) -> None:
        """Keep a rejection, its key salted by now, unless the very same is on file."""
        line = (rejected.key, rejected.reason, rejected.where)
        if line not in self.known:
            self.known.add(line)
            self.pending.append(rejected)

    def write(self) -> None:
        """Write what is pending to the file, and what it holds now to the manifest's entry."""
        if not self.pending:
            return
        lines = [
            json.dumps({"key": r.key, "reason": r.reason, "where": r.where}) + "\n" for r in self.pending
        ]
        data = "".join(lines).encode()
        with self.path.open("ab") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        self._hash.update(data)
        self.entry["rows"] += len(lines)
        self.entry["bytes"] += len(data)
        self.entry["sha256"] = self._hash.hexdigest()
        self.pending = []

    def _counted(self) -> bytes:
        size = self.entry["bytes"]
        held = self.path.stat().st_size if self.path.exists() else 0
        if held < size:
            raise MismatchError(
                f"{NAME} has {held} bytes", wanted=f"{size} bytes", where=str(self.path.parent)
            )
        if not held:
            return b""
        with self.path.open("rb+") as stream:
            data = stream.read(size)
            stream.truncate(size)
        return data
