"""The reference engine: every query against every row, in numpy.

Knows its rows; knows nothing of faiss or of what a vector stands for. Memory is bounded: queries are
taken a block at a time, so that 512 queries over 200,000 rows never hold more than a few blocks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from xemplar.records import Vectors
from xemplar.vectors import rows as shared

_BLOCK_CELLS = 1 << 23
"""Query x row products in work at once: 32 MB, and as much again to partition them."""


class ExactIndex:
    """Nearest unit vectors by exhaustive search; keeps `contracts.VectorIndex`.

    Rows loaded from a folder stay memory-mapped until the first change.
    """

    def __init__(self, dim: int) -> None:
        self.dim = shared.check_dim(dim)
        self._ids = shared.Ids()
        self._last = shared.LastAnswer()
        self._buffer: Vectors = np.empty((0, dim), dtype=np.float32)  # the rows, then room to grow

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def _vectors(self) -> Vectors:
        return self._buffer[: len(self._ids)]

    def add(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        """Append rows (n, dim) under new, unique ids (n,); refused whole where one row is refused."""
        ids, vectors = shared.check_new(ids, vectors, self.dim)
        self._last.forget()
        start = len(self._ids)
        self._ids.append(ids)
        if len(self._ids) > len(self._buffer):
            grown = np.empty((max(len(self._ids), 2 * start), self.dim), dtype=np.float32)
            grown[:start] = self._buffer[:start]
            self._buffer = grown
        if len(ids):
            self._buffer[start : start + len(ids)] = vectors

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Drop rows by id; an unknown or repeated id is refused and nothing changes."""
        rows = self._ids.rows(shared.check_once(ids), what="to remove")
        self._last.forget()
        kept = self._vectors
        self._buffer = np.ascontiguousarray(kept[self._ids.drop(rows)])

    def search(
        self, queries: Vectors, k: int, *, allow: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """(q, dim) unit rows -> ids and cosines (q, k), best first, equal scores by rising id.

        `allow` limits the answer to those ids; unknown ones are refused, none leaves all unfilled.
        Where rows run short of k: id -1, score -inf.
        """
        queries = shared.check_unit_rows(queries, self.dim, what="queries")
        if allow is None and (known := self._last.of(queries, shared.check_k(k))):
            return known
        out = shared.unfilled(len(queries), shared.check_k(k))
        vectors, ids, barred = self._eligible(allow)
        if len(ids) == len(barred):
            return out
        height = max(1, _BLOCK_CELLS // len(ids))
        for start in range(0, len(queries), height):
            block = queries[start : start + height]
            products = block @ vectors.T
            products[:, barred] = -np.inf
            pairs = self._candidates(products, min(k, len(ids) - len(barred)))
            scores = shared.score_pairs(block, vectors, pairs)
            shared.best_of(pairs[0] + start, ids[pairs[1]], scores, out=out)
        if allow is None:
            self._last.keep(queries, out)
        return out

    def _eligible(
        self, allow: NDArray[np.int64] | None
    ) -> tuple[Vectors, NDArray[np.int64], NDArray[np.int64]]:
        """Vectors and ids to search, and the rows among them that may not be answered."""
        vectors, ids = self._vectors, self._ids.values
        if allow is None:
            return vectors, ids, np.empty(0, dtype=np.int64)
        allowed = self._ids.rows(shared.check_ids(allow), what="allowed")
        barred = np.ones(len(ids), dtype=np.bool_)
        barred[allowed] = False
        if 2 * np.count_nonzero(barred) < len(ids):  # cheaper to score them than to copy the others
            return vectors, ids, np.flatnonzero(barred)
        return vectors[~barred], ids[~barred], np.empty(0, dtype=np.int64)

    def _candidates(self, products: NDArray[np.float32], k: int) -> shared.Pairs:
        """Pairs (query row, item row) that hold the true top k whatever the products' rounding was.

        The k best by product truly score at least the k-th product less the error; a row more than
        two errors below that product truly scores less than all of them.
        """
        place = products.shape[1] - k
        boundary = np.partition(products, place, axis=1)[:, place]
        floor = (boundary - 2 * shared.score_error(self.dim)).astype(np.float32)
        floor = np.nextafter(floor, np.float32(-np.inf))  # so that its own rounding loses no row
        query_rows, item_rows = np.nonzero(products >= floor[:, None])
        return query_rows.astype(np.int64), item_rows.astype(np.int64)

    def save(self, folder: Path) -> None:
        """Write ids.npy and vectors.npy into a folder, made where missing."""
        shared.save_rows(folder, self._ids.values, self._vectors)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Open a saved folder, vectors memory-mapped; parts that don't fit raise MismatchError."""
        ids, vectors = shared.load_rows(folder)
        index = cls(vectors.shape[1])
        index._ids, index._buffer = shared.Ids(ids), vectors
        return index
