"""The report folder of scored texts: written whole, and read again to be compared.

Knows file names; knows nothing of scores.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from xemplar.contracts import Json
from xemplar.evaluation.texts.pairs import Columns, Pairs, read_pairs
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
    scores = io.BytesIO()
    pq.write_table(pa.table(dict(per_study)), scores)
    told = json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False)
    with refusals_told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / PAIRS, "".join(rows).encode())
        write_atomic(folder / "scores.parquet", scores.getvalue())
        write_atomic(folder / "summary.json", (told + "\n").encode())


def read_run(path: Path, columns: Columns, *, references: Path | None = None) -> Pairs:
    """A table of predictions, or the report folder of a run scored before."""
    if path.is_dir():
        known = read_columns(path / PAIRS)
        return read_pairs(path / PAIRS, Columns(cluster=CLUSTER if CLUSTER in known else None))
    return read_pairs(path, columns, references=references)


def save_comparison(folder: Path, summary: Json) -> None:
    """Write the summary of two systems compared as summary.json."""
    told = json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False)
    with refusals_told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "summary.json", (told + "\n").encode())
