"""A segment's files to bytes and back: Parquet tables, packed previews and landmarks.

Knows formats and how a damaged file is told; knows nothing of what the rows mean. Parquet pages carry
checksums, so that damage is met when they are read and not taken for data.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from xemplar.contracts import Json
from xemplar.corpus.landmarks import COUNT, PACKED
from xemplar.errors import XemplarError
from xemplar.folders import file_sha256

LANDMARKS_SHAPE = (COUNT, PACKED)
"""Of one view's landmarks."""


def parquet_bytes(rows: list[Json], schema: pa.Schema) -> bytes:
    """Rows as a Parquet file."""
    sink = io.BytesIO()
    table = pa.Table.from_pylist(rows, schema=schema)
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def npy_bytes(arrays: Sequence[NDArray[np.uint8]], shape: tuple[int, ...]) -> bytes:
    """Arrays of one shape as an (arrays, *shape) .npy file."""
    stacked = np.stack(arrays) if arrays else np.empty((0, *shape), np.uint8)
    sink = io.BytesIO()
    np.save(sink, stacked, allow_pickle=False)
    return sink.getvalue()


def read_parquet(
    folder: Path, name: str, schema: pa.Schema, *, columns: Sequence[str] = (), sha256: str | None = None
) -> list[Json]:
    """The rows of a corpus's table, or of some of its columns; XemplarError where it can't be read.

    With `sha256`, what the manifest lists it with, a file of other bytes is refused.
    """
    try:
        data = (folder / name).read_bytes()
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            raise unreadable(folder, name)
        source = pa.BufferReader(data)
        table = pq.read_table(source, columns=list(columns) or None, page_checksum_verification=True)
        wanted = pa.schema([schema.field(column) for column in columns or schema.names])
        if not table.schema.equals(wanted):
            raise unreadable(folder, name)
        rows: list[Json] = table.to_pylist()
    except (OSError, ValueError, pa.ArrowException) as error:
        raise unreadable(folder, name) from error
    return rows


def open_array(
    folder: Path, name: str, shape: tuple[int, ...], *, sha256: str | None = None
) -> NDArray[np.uint8]:
    """An array of a segment, memory-mapped; XemplarError where it isn't uint8 of that shape.

    With `sha256`, what the manifest lists it with, a file of other bytes is refused: it is read once.
    """
    try:
        if sha256 is not None and file_sha256(folder / name) != sha256:
            raise unreadable(folder, name)
        loaded: NDArray[Any] = np.load(folder / name, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, SyntaxError) as error:
        raise unreadable(folder, name) from error
    if loaded.dtype != np.uint8 or loaded.shape != shape:
        raise unreadable(folder, name)
    return loaded


def unreadable(folder: Path, name: str) -> XemplarError:
    """What is raised for a file of a corpus that is damaged."""
    return XemplarError(
        f"{name} can't be read", where=str(folder),
        remedy="run `xemplar corpus check`, and put back the files that it names",
    )  # fmt: skip
