"""The benchmark's folder: its settings, plan and corpora, and what every entry came to.

Knows names of files and when a result is still that of the same entry; runs nothing and scores nothing.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from xemplar import __version__
from xemplar.contracts import Json
from xemplar.corpus import Corpus
from xemplar.errors import XemplarError
from xemplar.evaluation.benchmark.asked import Asked, Columns, asked_of
from xemplar.evaluation.benchmark.plan import BenchmarkSettings, Entry, Plan
from xemplar.folders import file_sha256, fingerprint, refusals_told, write_atomic
from xemplar.models.layout import STAGES

WAY = 2
"""Raised whenever the same entry of the same version comes to other results. 2: calibrated by claims."""


class Sets(BaseModel):
    """Which corpora a benchmark is run on: one that is learnt from, and every set that is asked about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    learnt: str
    """Relative to the benchmark's folder, or absolute."""
    asked: dict[str, str]
    """Set -> corpus; its test part is asked."""


class BenchmarkFolder:
    """One folder; opened by the process that schedules and by every entry's own."""

    def __init__(self, path: Path) -> None:
        self.path, self.runs = path, path / "runs"

    def begin(self, settings: BenchmarkSettings, plan: Plan, sets: Sets) -> None:
        """Write what is to be run."""
        said = {
            "settings": settings.model_dump(mode="json"),
            "plan": plan.model_dump(mode="json"),
            "sets": sets.model_dump(mode="json"),
        }
        with refusals_told(self.path):
            self.runs.mkdir(parents=True, exist_ok=True)
            write_atomic(self.path / "plan.json", (json.dumps(said, indent=1) + "\n").encode())

    @cached_property
    def _said(self) -> Json:
        try:
            said: Json = json.loads((self.path / "plan.json").read_bytes())
        except (OSError, ValueError):
            raise XemplarError(
                "no plan.json in it", wanted="a benchmark's folder", where=str(self.path)
            ) from None
        return said

    def plan(self) -> Plan:
        """What is run."""
        return Plan.model_validate(self._said["plan"])

    def settings(self) -> BenchmarkSettings:
        """How it was asked for."""
        return BenchmarkSettings.model_validate(self._said["settings"])

    @cached_property
    def sets(self) -> Sets:
        """Where the corpora lie."""
        return Sets.model_validate(self._said["sets"])

    def corpus(self) -> Corpus:
        """What is learnt and retrieved from."""
        return self._opened(self.sets.learnt)

    def asked(self) -> list[Asked]:
        """The sets of studies that every system is asked about."""
        return [asked_of(name, self._opened(place)) for name, place in self.sets.asked.items()]

    def _opened(self, place: str) -> Corpus:
        if place not in self._corpora:
            self._corpora[place] = Corpus.open(self.path / place)
        return self._corpora[place]

    @cached_property
    def _corpora(self) -> dict[str, Corpus]:
        return {}

    def run(self, entry: Entry) -> Path:
        """The folder of an entry."""
        return self.runs / entry.name

    def origin(self, entry: Entry) -> str:
        """Of all that an entry's result follows from; the program's own text is taken at its version."""
        shared = self.origin(self.plan().entry(entry.shares)) if entry.shares else None
        corpora = [self._opened(place).fingerprint for place in (self.sets.learnt, *self.sets.asked.values())]
        said = entry.model_dump(mode="json")
        taken = None if entry.model is None else _manifests(entry.model)
        return fingerprint([said, taken, shared, corpora, list(self.sets.asked), __version__, WAY])

    def ready(self, entry: Entry) -> None:
        """Make room for an entry: what another origin left is removed, its own is kept and goes on."""
        run, origin = self.run(entry), self.origin(entry)
        mark = run / "origin"
        if mark.exists() and mark.read_text().strip() != origin:
            shutil.rmtree(run)
        with refusals_told(self.path):
            run.mkdir(parents=True, exist_ok=True)
            (run / "failed.json").unlink(missing_ok=True)
            write_atomic(mark, f"{origin}\n".encode())

    def save(self, entry: Entry, file: str, columns: Mapping[str, NDArray[np.generic]]) -> None:
        """Write what each study got."""
        sink = io.BytesIO()
        arrays: dict[str, Any] = dict(columns)
        np.savez_compressed(sink, **arrays)
        self.run(entry).mkdir(parents=True, exist_ok=True)
        write_atomic(self.run(entry) / file, sink.getvalue())

    def columns(self, entry: Entry, file: str) -> Columns:
        """What each study got."""
        with np.load(self.run(entry) / file, allow_pickle=False) as held:
            return {name: held[name] for name in held.files}

    def finish(self, entry: Entry, result: Json) -> None:
        """Write an entry's result; from here on it is done."""
        mark = self.run(entry) / "origin"  # as it was when the entry was started
        origin = mark.read_text().strip() if mark.exists() else self.origin(entry)
        text = json.dumps({"origin": origin, **result}, indent=1, allow_nan=False)
        write_atomic(self.run(entry) / "result.json", (text + "\n").encode())

    def fail(self, entry: Entry, why: str) -> None:
        """Write why an entry can't be run."""
        self.run(entry).mkdir(parents=True, exist_ok=True)
        write_atomic(self.run(entry) / "failed.json", (json.dumps({"why": why}) + "\n").encode())

    def result(self, entry: Entry) -> Json | None:
        """An entry's result; None where it isn't done, or is that of another origin."""
        found = _read(self.run(entry) / "result.json")
        return found if found is not None and found.get("origin") == self.origin(entry) else None

    def failure(self, entry: Entry) -> str | None:
        """Why an entry couldn't be run; None where it wasn't tried or was done."""
        found = _read(self.run(entry) / "failed.json")
        return None if found is None else str(found["why"])


def _manifests(model: Path) -> Json:
    """Every manifest of a model taken as it is, those of its later stages too: file -> its SHA-256.

    A manifest lists the weights' own, so that other weights are another model.
    """
    places = [model, *(model / stage for stage in STAGES)]
    return {
        str(path.relative_to(model)): file_sha256(path)
        for one in places
        for path in sorted(one.glob("*.json"))
    }


def _read(path: Path) -> Json | None:
    try:
        found: Json = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found
