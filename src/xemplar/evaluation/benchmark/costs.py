"""What each system costs: seconds and memory of its steps, how long a draft takes, where it was measured.

Knows entries' results; knows no score.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xemplar.contracts import Json
from xemplar.evaluation.benchmark.folder import BenchmarkFolder
from xemplar.evaluation.benchmark.plan import FLOORS, Entry

Done = Sequence[tuple[Entry, Json]]


def costs_of(folder: BenchmarkFolder, done: Done, main: Sequence[str]) -> Json:
    """`entries`: each one's steps; `costs`: of the main systems, means over seeds; `notes`; filter rates."""
    entries = [
        {
            "name": entry.name, "system": entry.system, "seed": entry.seed, "shares": entry.shares,
            "changes": entry.changes, "part": entry.part, "steps": result["steps"],
            "patients": result.get("patients"), "index": result.get("index"),
            "encoder": result.get("encoder"), "policy": result.get("policy"), "model": result.get("model"),
            "weights_mb": result.get("weights_mb"),
        }
        for entry, result in done
    ]  # fmt: skip
    costs = [cost for system in main if (cost := _cost(system, done)) is not None]
    notes = {entry.name: result["notes"] for entry, result in done if result.get("notes")}
    rates = [
        {"system": entry.system, "seed": entry.seed, "set": name, **found["filter"]}
        for entry, result in done
        for name, found in result.get("asked", {}).items()
        if found.get("filter")
    ]
    seconds = sum(step["seconds"] for entry in entries for step in entry["steps"])
    return {
        "entries": entries, "costs": costs, "notes": notes, "filters": rates,
        "process_seconds": round(seconds, 1),
    }  # fmt: skip


def _cost(system: str, done: Done) -> Json | None:
    """Means over a system's seeds; None of what was never run as an entry of its own."""
    own = [result for entry, result in done if entry.system == system and entry.recipe != FLOORS]
    if not own:
        return None
    asked = [found for result in own for found in result.get("asked", {}).values()]
    latencies = [found["latency"] for found in asked if found.get("latency")]
    return {
        "system": system,
        "train_seconds": _mean(own, "train", "seconds"),
        "train_peak_mb": _mean(own, "train", "peak_mb"),
        "index_seconds": _mean(own, "index", "seconds"),
        "asked_peak_mb": _mean(own, "asked", "peak_mb"),
        "draft_median_ms": _ms([one["median"] for one in latencies]),
        "draft_p95_ms": _ms([one["p95"] for one in latencies]),
        "drafts_timed": sum(one["studies"] for one in latencies),
        "weights_mb": float(np.mean([result.get("weights_mb") or 0.0 for result in own])),
    }


def _mean(results: Sequence[Json], step: str, what: str) -> float | None:
    """Over results, of the largest of the steps so named."""
    found = [
        max(values)
        for result in results
        if (values := [row[what] for row in result["steps"] if row["step"].startswith(step)])
    ]
    return float(np.mean(found)) if found else None


def _ms(seconds: Sequence[float]) -> float | None:
    return 1000 * float(np.mean(seconds)) if seconds else None


def machine() -> Json:
    """Processor, cores and Python of the machine that makes the table."""
    info = Path("/proc/cpuinfo")
    rows = info.read_text().splitlines() if info.exists() else []
    names = [row.split(":", 1)[1].strip() for row in rows if row.startswith("model name")]
    return {
        "cpu": names[0] if names else "unknown",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
    }
