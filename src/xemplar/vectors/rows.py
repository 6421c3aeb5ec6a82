"""What every engine shares: checks on what comes in, the id column, and the scoring that decides order.

Knows ids and unit vectors; knows nothing of how an engine finds its candidates. Engines may find them
with any arithmetic within `score_error` of the truth; the scores they return come from `score_pairs`
alone, whose result for a pair depends on nothing but that pair. So engines, batch sizes and thread
counts agree bit for bit, and so do equal rows.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import MismatchError, XemplarError
from xemplar.records import Vectors

Found = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Ids (q, k) and scores (q, k)."""

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Query rows and the item rows they are held against, (pairs,) each."""

UNIT_TOLERANCE = 1e-3
_PAIRS_AT_ONCE = 1 << 13


class Ids:
    """A column of unique int64 ids, one a row, with look-up from id to row."""

    def __init__(self, values: NDArray[np.int64] | None = None) -> None:
        self.values = np.empty(0, dtype=np.int64) if values is None else values
        self._order: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def append(self, ids: NDArray[np.int64]) -> None:
        """Add rows at the end; a repeated or a known id is refused and nothing changes."""
        repeated = len(ids) - len(np.unique(ids))
        if repeated:
            raise XemplarError(f"{repeated} of {len(ids)} new ids repeated", wanted="each id once")
        known = int(np.count_nonzero(self._find(ids) >= 0))
        if known:
            raise XemplarError(
                f"{known} of {len(ids)} new ids already in the index",
                wanted="new ids",
                remedy="remove them first",
            )
        self.values, self._order = np.concatenate([self.values, ids]), None

    def drop(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Forget rows; returns (n,) which of the former rows stay, in their order."""
        keep = np.ones(len(self.values), dtype=np.bool_)
        keep[rows] = False
        self.values, self._order = self.values[keep], None
        return keep

    def rows(self, ids: NDArray[np.int64], *, what: str) -> NDArray[np.int64]:
        """The row of each id; unknown ones are refused, told as `what`."""
        rows = self._find(ids)
        unknown = int(np.count_nonzero(rows < 0))
        if unknown:
            raise XemplarError(
                f"{unknown} of {len(ids)} ids {what} are not in the index", wanted="ids that were added"
            )
        return rows

    def _find(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each id, -1 where unknown."""
        if not len(self.values):
            return np.full(len(ids), -1, dtype=np.int64)
        if self._order is None:
            self._order = np.argsort(self.values, kind="stable")
        place = np.searchsorted(self.values, ids, sorter=self._order)
        rows = self._order[np.minimum(place, len(self._order) - 1)]
        return np.where(self.values[rows] == ids, rows, -1)


class LastAnswer:
    """The answer to the last single query of a whole index, kept until the index changes.

    A draft asks for one film's neighbours at several depths, and fewer of them are the first of more: so
    the vectors, which don't fit into the processor's cache, are read once.
    """

    def __init__(self) -> None:
        self._held: tuple[bytes, Found] | None = None

    def of(self, queries: Vectors, k: int) -> Found | None:
        """A copy of what `keep` kept for this query, (1, k) each; None where it didn't, or fewer."""
        held = self._held
        if held is None or held[1][0].shape[1] < k or len(queries) != 1 or queries.tobytes() != held[0]:
            return None
        return held[1][0][:, :k].copy(), held[1][1][:, :k].copy()

    def keep(self, queries: Vectors, found: Found) -> None:
        """Keep an answer, where it is to one query."""
        if len(queries) == 1:
            self._held = queries.tobytes(), (found[0].copy(), found[1].copy())

    def forget(self) -> None:
        """The index has changed."""
        self._held = None


def check_ids(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) int64 as it came; anything but a row of integers is refused."""
    column = np.asarray(ids)
    if column.ndim != 1 or (column.size and column.dtype.kind not in "iu"):
        raise XemplarError(f"ids of shape {column.shape} and type {column.dtype}", wanted="a row of integers")
    return column.astype(np.int64)


def check_dim(dim: int) -> int:
    """The number of dimensions, at least 1."""
    if dim < 1:
        raise XemplarError(f"an index of {dim} dimensions", wanted="at least 1")
    return dim


def check_unit_rows(vectors: Vectors, dim: int, *, what: str) -> Vectors:
    """(n, dim) as C-contiguous float32; another shape or a row that isn't a finite unit is refused."""
    table = np.asarray(vectors)
    if table.ndim != 2 or table.shape[1] != dim or table.dtype.kind != "f":
        raise XemplarError(
            f"{what} of shape {table.shape} and type {table.dtype}", wanted=f"float rows of {dim}"
        )
    rows = np.ascontiguousarray(table, dtype=np.float32)
    # NaN and infinity fail the comparison as well.
    squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    unit = np.abs(np.sqrt(squares) - 1.0) <= UNIT_TOLERANCE
    if not unit.all():
        raise XemplarError(
            f"{np.count_nonzero(~unit)} of {len(rows)} {what} not finite or not of length 1, "
            f"the first at row {int(np.argmin(unit))}",
            wanted=f"unit rows within {UNIT_TOLERANCE}",
            remedy="normalise them, and look for empty or failed encodings",
        )
    return rows


def check_new(ids: NDArray[np.int64], vectors: Vectors, dim: int) -> tuple[NDArray[np.int64], Vectors]:
    """Ids and their rows, checked one by one and against each other."""
    ids, rows = check_ids(ids), check_unit_rows(vectors, dim, what="vectors")
    if len(ids) != len(rows):
        raise XemplarError(f"{len(ids)} ids for {len(rows)} vectors", wanted="one id for each vector")
    if len(ids) and ids.min() < 0:
        raise XemplarError(
            "a negative id", wanted="ids from 0 on", remedy="-1 marks an empty place in answers"
        )
    return ids, rows


def check_once(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ids, each named once."""
    column = check_ids(ids)
    if len(np.unique(column)) != len(column):
        raise XemplarError("an id named twice", wanted="each id once")
    return column


def check_k(k: int) -> int:
    """How many to find, at least 1."""
    if k < 1:
        raise XemplarError(f"k = {k}", wanted="k of at least 1")
    return k


def score_error(dim: int) -> float:
    """How far any float32 dot product of two unit rows can lie from `score_pairs`.

    The bound dim * u / (1 - dim * u) with u = 2^-24 holds for every order of summation, fused or not
    (N. Higham, Accuracy and Stability of Numerical Algorithms, section 3.1); some slack covers rows
    that are unit within the tolerance, and the last rounding.
    """
    unit_roundoff = 2.0**-24
    return 1.01 * (dim + 8) * unit_roundoff / (1 - dim * unit_roundoff)


def score_pairs(queries: Vectors, vectors: Vectors, pairs: Pairs) -> NDArray[np.float32]:
    """Cosine of each (query row, item row) pair: (pairs,), summed in float64, rounded once.

    Blocks have one layout and sum along their rows, so a pair scores the same in any company.
    """
    query_rows, item_rows = pairs
    scores = np.empty(len(query_rows), dtype=np.float32)
    for start in range(0, len(query_rows), _PAIRS_AT_ONCE):
        chosen = slice(start, start + _PAIRS_AT_ONCE)
        products = vectors[item_rows[chosen]].astype(np.float64)
        products *= queries[query_rows[chosen]]
        scores[chosen] = products.sum(axis=1)
    return scores


def best_of(
    query_rows: NDArray[np.int64], ids: NDArray[np.int64], scores: NDArray[np.float32], *, out: Found
) -> None:
    """Write each query's best candidates into `out`: falling score, equal scores by rising id.

    Candidates come as flat columns (query row, id, score) in any order; `out` (q, k) holds -1 and
    -inf, which stay where candidates run short.
    """
    order = np.lexsort((ids, -scores, query_rows))
    query_rows, ids, scores = query_rows[order], ids[order], scores[order]
    place = np.arange(len(query_rows)) - np.searchsorted(query_rows, query_rows)
    kept = place < out[0].shape[1]
    out[0][query_rows[kept], place[kept]] = ids[kept]
    out[1][query_rows[kept], place[kept]] = scores[kept]


def unfilled(queries: int, k: int) -> Found:
    """Ids -1 and scores -inf, (q, k) each."""
    return np.full((queries, k), -1, dtype=np.int64), np.full((queries, k), -np.inf, dtype=np.float32)


def save_rows(folder: Path, ids: NDArray[np.int64], vectors: Vectors) -> None:
    """Write ids.npy and vectors.npy, each swapped in whole: an open memory map keeps its old file."""
    folder.mkdir(parents=True, exist_ok=True)
    columns: dict[str, NDArray[Any]] = {"vectors.npy": vectors, "ids.npy": ids}
    for name, column in columns.items():
        fresh = folder / f"{name}.new"
        with fresh.open("wb") as file:
            np.save(file, column, allow_pickle=False)
        os.replace(fresh, folder / name)


def load_rows(folder: Path) -> tuple[NDArray[np.int64], Vectors]:
    """Read what `save_rows` wrote, the vectors memory-mapped; parts that don't fit are refused."""
    for name in ("ids.npy", "vectors.npy"):
        if not (folder / name).is_file():
            raise XemplarError(f"no {name}", wanted="a saved vector index", where=str(folder))
    try:
        ids = np.load(folder / "ids.npy", allow_pickle=False)
        vectors = np.load(folder / "vectors.npy", allow_pickle=False, mmap_mode="r")
    except (ValueError, EOFError) as error:
        raise XemplarError("an array that can't be read", where=str(folder), remedy="index again") from error
    if ids.ndim != 1 or ids.dtype != np.int64 or vectors.ndim != 2 or vectors.dtype != np.float32:
        raise MismatchError(
            f"ids.npy of shape {ids.shape} and type {ids.dtype}, vectors.npy of shape {vectors.shape} "
            f"and type {vectors.dtype}",
            wanted="int64 (rows,) and float32 (rows, dim)",
            where=str(folder),
        )
    if len(ids) != len(vectors):
        raise MismatchError(
            f"{len(ids)} ids in ids.npy and {len(vectors)} rows in vectors.npy",
            wanted="as many of one as of the other",
            where=str(folder),
            remedy="index again",
        )
    if len(np.unique(ids)) != len(ids):
        raise MismatchError("repeated ids in ids.npy", wanted="each id once", where=str(folder))
    return ids, np.ascontiguousarray(vectors)
