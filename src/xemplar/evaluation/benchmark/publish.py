"""A benchmark's table written down: JSON, Markdown, a page and its plots.

Knows which files there are; what stands in them is made next door.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from xemplar.contracts import Json
from xemplar.evaluation.benchmark.folder import BenchmarkFolder
from xemplar.evaluation.benchmark.markdown import markdown
from xemplar.evaluation.benchmark.page import write_page
from xemplar.evaluation.benchmark.predictions import asked_lines, read_predictions, refuse_taken
from xemplar.evaluation.benchmark.table import Table
from xemplar.folders import refusals_told, write_atomic


def read_all(folder: BenchmarkFolder, files: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    """Other systems' predictions, each file checked against whom the benchmark asks."""
    refuse_taken(files, folder.plan())
    sets = {asked.name: asked for asked in folder.asked()}
    return {name: read_predictions(path, sets) for name, path in files.items()}


def write_asked(folder: BenchmarkFolder) -> None:
    """Write asked.jsonl: whom every system is asked about."""
    sets = {asked.name: asked for asked in folder.asked()}
    write_atomic(folder.path / "asked.jsonl", asked_lines(sets).encode())


def publish(
    folder: BenchmarkFolder, *, predictions: Mapping[str, Mapping[str, str]] | None = None, command: str = ""
) -> Json:
    """Make the table of what is there and write table.json, table.md, benchmark.html and plots/."""
    table = Table(folder, predictions).json() | {"command": command}
    with refusals_told(folder.path):
        text = json.dumps(table, indent=1, ensure_ascii=False, allow_nan=False)
        write_atomic(folder.path / "table.json", (text + "\n").encode())
        write_atomic(folder.path / "table.md", markdown(table).encode())
        write_page(table, folder.path)
    return table
