"""How long each step of an entry took, and how much memory it needed at most.

Knows clocks and the process's own memory; knows nothing of what is done in a step.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xemplar.contracts import Json

_STATUS, _REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Steps:
    """A row for each step: its name, seconds, and the highest resident memory in MB."""

    def __init__(self) -> None:
        self.rows: list[Json] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure what is done within; what fails leaves no row."""
        _forget_peak()
        began = time.monotonic()
        yield
        took = round(time.monotonic() - began, 2)
        self.rows.append({"step": name, "seconds": took, "peak_mb": round(peak_mb())})


def peak_mb() -> float:
    """The process's highest resident memory since that was last forgotten, or else since its start."""
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _forget_peak() -> None:
    try:
        _REFS.write_text("5")
    except OSError:  # another system, or not allowed: the peak is then of all that came before, too
        return
