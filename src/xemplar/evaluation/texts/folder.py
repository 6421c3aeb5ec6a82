"""The report folder of scored or compared texts: written whole, and a scored one read again to be compared.

Knows file names; knows nothing of how scores come about.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from xemplar.contracts import Json
from xemplar.errors import MismatchError, XemplarError
from xemplar.evaluation.texts.pairs import Columns, Pairs, read_pairs
from xemplar.evaluation.texts.run import TextComparison
from xemplar.folders import refusals_told, write_atomic
from xemplar.sources.rows import read_columns

PAIRS = "pairs.jsonl"
CLUSTER = "cluster"
"""Column of `pairs.jsonl`, beside id, prediction and reference, where patients are known."""


def save_texts(
    folder: Path, summary: Json, pairs: Pairs, *, per_study: Mapping[str, NDArray[np.generic]]
) -> None:
    """Write summary.json, scores.parquet and pairs.jsonl; the last holds the texts themselves."""
    rows = []
    for row, name in enumerate(pairs.ids):
        one = {"id": name, "prediction": pairs.predictions[row], "reference": pairs.references[row]}
        known = {CLUSTER: str(pairs.clusters[row])} if pairs.by_patient else {}
        rows.append(json.dumps({**one, **known}, ensure_ascii=False) + "\n")
    _write(folder, summary, pa.table(dict(per_study)), texts={PAIRS: "".join(rows)})


def save_comparison(folder: Path, found: TextComparison) -> None:
    """Write summary.json and scores.parquet, whose column `system` says whose score a row holds."""
    systems = found.summary["systems"]
    parts = [
        pa.table({"system": [system] * len(found.read), **columns})
        for system, columns in zip(systems, found.per_study, strict=True)
    ]
    _write(folder, found.summary, pa.concat_tables(parts))


def _write(folder: Path, summary: Json, scores: pa.Table, *, texts: Mapping[str, str] | None = None) -> None:
    table = io.BytesIO()
    pq.write_table(scores, table)
    told = json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False)
    with refusals_told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (texts or {}).items():
            write_atomic(folder / name, text.encode())
        write_atomic(folder / "scores.parquet", table.getvalue())
        write_atomic(folder / "summary.json", (told + "\n").encode())


PATIENTS = ("patient", "patient_id", "patientid", "subject", "subject_id")


@dataclass(frozen=True, slots=True)
class Run:
    """One system's pairs, what it is called, and how it was scored, where it comes from a report folder."""

    pairs: Pairs
    name: str
    settings: Json | None = None


def read_run(path: Path, columns: Columns, *, references: Path | None = None) -> Run:
    """A table of predictions, or the report folder of a run scored before."""
    if not path.is_dir():
        return Run(read_pairs(path, columns, references=references), path.stem)
    known = read_columns(path / PAIRS)
    pairs = read_pairs(path / PAIRS, Columns(cluster=CLUSTER if CLUSTER in known else None))
    try:
        settings = json.loads((path / "summary.json").read_bytes())["settings"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise XemplarError(
            "no summary.json that can be read", wanted="a folder that `score` or `evaluate` wrote",
            where=str(path),
        ) from error  # fmt: skip
    return Run(pairs, path.resolve().name, settings)


def patient_column(table: Path) -> str | None:
    """The column of a table that by its name says whose study a row is, if there is one."""
    if table.is_dir():
        return None
    return next((name for name in read_columns(table) if name.lower() in PATIENTS), None)


def agreed(first: Run, second: Run) -> dict[str, str | None] | None:
    """How both were scored, of folders alone or beside a table; None for two tables.

    Raises MismatchError where two folders differ in what makes scores comparable.
    """
    found = [
        {name: run.settings.get(name) for name in ("texts", "section", "tokeniser", "profile", "domain")}
        for run in (first, second)
        if run.settings is not None
    ]
    if len(found) == 2 and (odd := [name for name in found[0] if found[0][name] != found[1][name]]):
        raise MismatchError(
            f"{odd[0]} {found[0][odd[0]]!r} and {found[1][odd[0]]!r}", wanted="two runs scored alike",
            remedy="score one of them again",
        )  # fmt: skip
    return found[0] if found else None


def names_of(first: Path, second: Path) -> tuple[str, str]:
    """What two systems are called: their files' names, with their folders' where these are the same."""
    names = [path.resolve().name if path.is_dir() else path.stem for path in (first, second)]
    if names[0] == names[1]:
        names = [
            f"{path.resolve().parent.name}/{name}" for path, name in zip((first, second), names, strict=True)
        ]
    return (names[0], names[1]) if names[0] != names[1] else (f"{names[0]} (1)", f"{names[1]} (2)")


def make_ready(out: Path, *inputs: Path | None) -> None:
    """Make the folder to write into, before anything is computed.

    Refuses one that can't be made, that holds other files than an earlier report of scored texts, and that
    would overwrite what is read.
    """
    with refusals_told(out):
        out.mkdir(parents=True, exist_ok=True)
        held = [path.name for path in out.iterdir()]
    if held and not _is_report(out):
        raise XemplarError(
            "the folder holds other files", wanted="a new or empty folder for --out", where=str(out)
        )
    written = {(out / name).resolve() for name in held} | {out.resolve()}
    if any(path is not None and path.resolve() in written for path in inputs):
        raise XemplarError(
            "what is read would be overwritten", wanted="a folder of its own for --out", where=str(out)
        )


def _is_report(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / "summary.json").read_bytes()).get("kind") == "texts")
    except (OSError, ValueError, AttributeError):
        return False
