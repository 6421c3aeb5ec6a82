"""The default engine: faiss IndexFlatIP finds the candidates, the shared scoring orders them.

Knows its rows; knows nothing of what a vector stands for. faiss is imported when an index is made.
It orders equal scores as it likes and rounds by batch size, so it is asked for a margin beyond k;
a query whose margin doesn't reach clear of the k-th score is asked again by range.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import MismatchError, XemplarError
from xemplar.records import Vectors
from xemplar.vectors import rows as shared

_MARGIN = 16
"""Rows asked for beyond k: enough for the boundary to lie clear of rounding on distinct vectors."""

_FEW_QUERIES = 4
"""Below this faiss' path with a selector is up to four times faster than the one without."""


class FlatIndex:
    """Nearest unit vectors by faiss' exhaustive search; keeps `contracts.VectorIndex`.

    The vectors live once, inside faiss; row i of its index has the i-th id.
    """

    def __init__(self, dim: int) -> None:
        self.dim = shared.check_dim(dim)
        self._ids = shared.Ids()
        self._last = shared.LastAnswer()
        self._faiss = _import_faiss()
        self._index: Any = self._faiss.IndexFlatIP(dim)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def _vectors(self) -> Vectors:
        """(n, dim) a view of faiss' own memory, good until the next change."""
        if not len(self._ids):
            return np.empty((0, self.dim), dtype=np.float32)
        flat = self._faiss.rev_swig_ptr(self._index.get_xb(), len(self._ids) * self.dim)
        return np.asarray(flat, dtype=np.float32).reshape(-1, self.dim)

    def add(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        """Append rows (n, dim) under new, unique ids (n,); refused whole where one row is refused."""
        ids, vectors = shared.check_new(ids, vectors, self.dim)
        self._ids.append(ids)
        self._last.forget()
        if len(ids):
            self._index.add(vectors)

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Drop rows by id; an unknown or repeated id is refused and nothing changes."""
        rows = self._ids.rows(shared.check_once(ids), what="to remove")
        self._last.forget()
        if len(rows):
            keep = self._ids.drop(rows)
            self._index.remove_ids(self._selector(~keep))  # closes the gaps in order, as the ids did

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
        params, eligible = None, len(self._ids)
        if len(queries) < _FEW_QUERIES:
            params = self._faiss.SearchParameters(sel=self._faiss.IDSelectorAll())
        if allow is not None:
            mask = np.zeros(len(self._ids), dtype=np.bool_)
            mask[self._ids.rows(shared.check_ids(allow), what="allowed")] = True
            eligible = int(np.count_nonzero(mask))
            if eligible < len(mask):
                params = self._faiss.SearchParameters(sel=self._selector(mask))
        if not eligible or not len(queries):
            return out
        _prefer_blas(self._faiss)
        k = min(k, eligible)
        products, rows = self._index.search(queries, min(k + _MARGIN, eligible), params=params)
        self._settle(queries, _each(rows.astype(np.int64)), out)
        if k + _MARGIN < eligible:
            error = shared.score_error(self.dim)
            unclear = np.flatnonzero(products[:, k - 1] - products[:, -1] <= 2 * error)
            for query in unclear:
                radius = float(products[query, k - 1]) - 3 * error
                found = self._beyond(queries[query : query + 1], radius, params)
                self._settle(queries, (np.full(len(found), query), found), out)
        if allow is None:
            self._last.keep(queries, out)
        return out

    def _settle(self, queries: Vectors, pairs: shared.Pairs, out: shared.Found) -> None:
        """Score candidates and write each query's best."""
        query_rows, rows = pairs
        scores = shared.score_pairs(queries, self._vectors, pairs)
        shared.best_of(query_rows, self._ids.values[rows], scores, out=out)

    def _beyond(self, query: Vectors, radius: float, params: Any) -> NDArray[np.int64]:  # noqa: ANN401  faiss
        """Every row whose product with one query (1, dim) is beyond `radius`.

        The radius lies three errors below the k-th product: one for it, one for the row, and one
        because a range search may round otherwise than the search that gave the boundary.
        """
        _, _, found = self._index.range_search(query, radius, params=params)
        return np.asarray(found, dtype=np.int64)

    def _selector(self, mask: NDArray[np.bool_]) -> Any:  # noqa: ANN401  faiss has no types
        """The choice, in faiss' terms, of the rows where `mask` is true."""
        return self._faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))

    def save(self, folder: Path) -> None:
        """Write ids.npy, vectors.npy and index.faiss into a folder, made where missing."""
        shared.save_rows(folder, self._ids.values, self._vectors)
        fresh = folder / "index.faiss.new"
        self._faiss.write_index(self._index, str(fresh))
        os.replace(fresh, folder / "index.faiss")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Open a saved folder; parts that don't fit raise MismatchError."""
        ids, vectors = shared.load_rows(folder)
        index = cls(vectors.shape[1])
        stored = index._read(folder)
        if (stored.ntotal, stored.d) != vectors.shape:
            raise MismatchError(
                f"{stored.ntotal} rows of {stored.d} in index.faiss and {vectors.shape[0]} rows of "
                f"{vectors.shape[1]} in vectors.npy",
                wanted="the same rows in both",
                where=str(folder),
                remedy="index again",
            )
        index._ids, index._index = shared.Ids(ids), stored
        if not np.array_equal(index._vectors, vectors):
            raise MismatchError(
                "index.faiss and vectors.npy hold different vectors",
                wanted="the same rows in both",
                where=str(folder),
                remedy="index again",
            )
        return index

    def _read(self, folder: Path) -> Any:  # noqa: ANN401  faiss has no types
        path = folder / "index.faiss"
        if not path.is_file():
            raise XemplarError("no index.faiss", wanted="a saved faiss index", where=str(folder))
        try:
            stored = self._faiss.read_index(str(path))
        except RuntimeError as error:
            raise XemplarError(
                "index.faiss can't be read", where=str(folder), remedy="index again"
            ) from error
        if (
            not isinstance(stored, self._faiss.IndexFlat)
            or stored.metric_type != self._faiss.METRIC_INNER_PRODUCT
        ):
            raise MismatchError(
                f"a {type(stored).__name__} in index.faiss", wanted="IndexFlatIP", where=str(folder)
            )
        return stored


def _each(rows: NDArray[np.int64]) -> shared.Pairs:
    """Item rows (q, m) as pairs with the query that found them."""
    return np.repeat(np.arange(len(rows)), rows.shape[1]), rows.ravel()


def _import_faiss() -> Any:  # noqa: ANN401  faiss has no types
    import faiss

    return faiss


def _prefer_blas(faiss: Any) -> None:  # noqa: ANN401  faiss has no types
    """Multiply matrices from 20 queries on: its own choice is ten times slower in small batches."""
    faiss.cvar.distance_compute_blas_threshold = 20
