"""How long each step of an entry took, and how much memory it needed at most.

Knows clocks and the process's own memory; knows nothing of what is done in a step.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xemplar.contracts import Json
from xemplar.folders import write_atomic

_STATUS, _REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Steps:
    """A row for each step: its name, seconds, and the highest resident memory in MB.

    Rows are kept in a file, where there is one: the same step done again has its time added to it.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.rows: list[Json] = []
        self._file = file
        self._earlier = _read(file) if file is not None else {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure what is done within, processes included that it waits for; what fails leaves no row."""
        _forget_peak()
        began, before = time.monotonic(), _of_children()
        yield
        took, after = time.monotonic() - began, _of_children()
        peak = max(peak_mb(), after if after > before else 0.0)
        if name in self._earlier:
            took, peak = took + self._earlier[name]["seconds"], max(peak, self._earlier[name]["peak_mb"])
        self.rows.append({"step": name, "seconds": round(took, 2), "peak_mb": round(peak)})
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._file, json.dumps(self.rows).encode())

    def taken(self, file: Path) -> None:
        """Put the times and memory that another process kept in the place of what is seen of it here."""
        told = _read(file)
        self.rows = [told.get(row["step"], row) for row in self.rows]


def _read(file: Path) -> dict[str, Json]:
    try:
        return {row["step"]: row for row in json.loads(file.read_bytes())}
    except (OSError, ValueError):
        return {}


def peak_mb() -> float:
    """The process's highest resident memory since that was last forgotten, or else since its start."""
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _of_children() -> float:
    """The highest resident memory of any process that was waited for."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def _forget_peak() -> None:
    try:
        _REFS.write_text("5")
    except OSError:  # another system, or not allowed: the peak is then of all that came before, too
        return
