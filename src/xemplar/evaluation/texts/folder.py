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

PAIRS = "pairs.jsonl"
COLUMNS = Columns(cluster="cluster")
"""Of `pairs.jsonl`: an id, whose study it is, what was predicted and what was written."""


def save_texts(
    folder: Path, summary: Json, pairs: Pairs, per_study: Mapping[str, NDArray[np.generic]]
) -> None:
    """Write summary.json, scores.parquet and pairs.jsonl; the last holds the texts themselves."""
    rows = [
        json.dumps({"id": name, "cluster": str(cluster), "prediction": prediction, "reference": reference},
                   ensure_ascii=False) + "\n"
        for name, cluster, prediction, reference in zip(
            pairs.ids, pairs.clusters, pairs.predictions, pairs.references, strict=True
        )
    ]  # fmt: skip
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
        return read_pairs(path / PAIRS, COLUMNS)
    return read_pairs(path, columns, references=references)


def save_comparison(folder: Path, summary: Json) -> None:
    """Write the summary of two systems compared as summary.json."""
    told = json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False)
    with refusals_told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "summary.json", (told + "\n").encode())
