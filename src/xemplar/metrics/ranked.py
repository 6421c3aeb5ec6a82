"""Score matrices put in order: each row sorted once, for every measure of `ranking.py` to read.

Knows scores, grades and three ways to break a tie; knows no measure. Works on blocks of rows, so that
memory doesn't grow with the matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import XemplarError

Scores = NDArray[np.floating[Any]]
Relevance = NDArray[np.bool_] | NDArray[np.floating[Any]] | NDArray[np.integer[Any]]
Ties = Literal["pessimistic", "optimistic", "trec"]

_BLOCK_CELLS = 1 << 20
"""Cells of the score matrix in work at once: temporaries stay within some 60 MB."""


@dataclass(frozen=True)
class Ranked:
    """Some rows in ranked order.

    `grades` (b, n), best place first, are 0 where an item is wrong, left out or not retrieved;
    `judged` (b, n) holds the same rows' grades in any order, those not retrieved included.
    """

    grades: NDArray[np.float32]
    judged: NDArray[np.float32]

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """(b, n) whether a right item stands there."""
        return self.grades > 0

    @cached_property
    def right_count(self) -> NDArray[np.int64]:
        """(b,) right items, those not retrieved included."""
        return np.asarray(np.count_nonzero(self.judged, axis=1), dtype=np.int64)

    @cached_property
    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Of every right item that is ranked: its row, its place from 1, how many right ones up to it."""
        rows, columns = np.nonzero(self.right)
        before = np.searchsorted(rows, np.arange(len(self.right)))
        return rows, columns + 1, np.arange(1, len(rows) + 1) - before[rows]

    @cached_property
    def rank(self) -> NDArray[np.int64]:
        """(b,) place of the first right item, n + 1 where there is none."""
        none = self.right.shape[1] + 1
        first = np.where(self.right.any(axis=1), self.right.argmax(axis=1) + 1, none)
        return np.asarray(first, dtype=np.int64)

    @cached_property
    def best_order(self) -> NDArray[np.float32]:
        """(b, n) grades in the order that no other betters."""
        return np.sort(self.judged, axis=1)[:, ::-1]

    def hits(self, k: int) -> NDArray[np.int64]:
        """How many of the top k are right."""
        return np.asarray(np.count_nonzero(self.right[:, :k], axis=1), dtype=np.int64)

    def over_right(self, amount: NDArray[Any]) -> NDArray[np.float64]:
        """`amount` as a share of the right items, 0 where there is none."""
        return np.asarray(amount / np.maximum(self.right_count, 1), dtype=np.float64)


def ranked_blocks(
    scores: Scores,
    relevance: Relevance,
    *,
    ties: Ties,
    item_names: Sequence[str] | None = None,
    exclude: NDArray[np.bool_] | None = None,
) -> Iterator[tuple[slice, Ranked]]:
    """Rows in ranked order, block by block; arguments and errors as `ranking.per_query`."""
    _check(scores, relevance, exclude)
    order = _trec_order(ties, item_names, scores.shape[1])
    for rows in _row_blocks(*scores.shape):
        out = None if exclude is None else exclude[rows]
        grades = _grades(relevance[rows], out, rows.start)
        yield rows, _ranked(_no_nan(scores[rows], out, rows.start), grades, out, order=order, ties=ties)


def _ranked(
    scores: Scores,
    grades: NDArray[np.float32],
    out: NDArray[np.bool_] | None,
    *,
    order: NDArray[np.int64] | None,
    ties: Ties,
) -> Ranked:
    """Sort each row once, as integers: the score above, what decides a tie below it.

    A grade that isn't negative orders as its bits do, so that the sorted keys hold the grades
    themselves and nothing has to be looked up.
    """
    keys = _falling(scores).astype(np.uint64)
    if out is not None:
        keys[out] = np.iinfo(np.uint32).max  # behind all: no score has this key
    keys <<= np.uint64(32)
    if order is not None:
        ranked = np.where(np.isneginf(scores), np.float32(0), grades)
        place = np.empty(len(order), dtype=np.uint64)
        place[order] = np.arange(len(order), dtype=np.uint64)
        keys |= place
        keys.sort(axis=1)
        columns = order[keys.astype(np.uint32)]
        return Ranked(np.take_along_axis(ranked, columns, axis=1), grades)
    bits = grades.view(np.uint32)
    keys |= bits if ties == "pessimistic" else ~bits
    keys.sort(axis=1)
    low = keys.astype(np.uint32)
    return Ranked((low if ties == "pessimistic" else ~low).view(np.float32), grades)


def _falling(scores: Scores) -> NDArray[np.uint32]:
    """Integers that rise as the scores of a row fall, equal where they are equal."""
    if scores.dtype.kind == "f" and scores.dtype.itemsize <= 4:
        bits = (scores.astype(np.float32) + np.float32(0)).view(np.uint32)  # + 0: minus zero is zero
        # Rising floats have rising bits, but for the negative ones, which fall, and stand behind.
        rising = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
        return np.asarray(~rising, dtype=np.uint32)
    order = np.argsort(scores, axis=1)
    level = np.take_along_axis(scores, order, axis=1)
    rising = np.zeros(scores.shape, dtype=np.uint32)
    np.cumsum(level[:, 1:] != level[:, :-1], axis=1, out=rising[:, 1:])
    falling = np.empty_like(rising)
    np.put_along_axis(falling, order, np.uint32(scores.shape[1]) - rising, axis=1)
    return falling


def _grades(relevance: Relevance, out: NDArray[np.bool_] | None, first: int) -> NDArray[np.float32]:
    with np.errstate(over="ignore", under="ignore"):
        grades = np.ascontiguousarray(relevance, dtype=np.float32)
    if relevance.dtype != np.bool_:
        # What single precision turns into 0 would be a right item lost.
        bad = ~(grades >= 0) | np.isinf(grades) | ((grades == 0) & (relevance != 0))
        if bad.any():
            raise XemplarError(
                f"grades of query {first + int(np.argmax(bad.any(axis=1)))} negative, NaN or out of range",
                wanted="grades from 0 on, in single precision",
            )
        grades = grades + np.float32(0)  # minus zero is zero
    return grades if out is None else np.where(out, np.float32(0), grades)


def _trec_order(ties: Ties, item_names: Sequence[str] | None, items: int) -> NDArray[np.int64] | None:
    """Columns by falling name, where ties are broken so."""
    if ties not in ("pessimistic", "optimistic", "trec"):
        raise XemplarError(f"ties={ties!r}", wanted="pessimistic, optimistic or trec")
    if ties != "trec":
        return None
    if item_names is None or len(item_names) != items or len(set(item_names)) != items:
        found = "no" if item_names is None else f"{len(set(item_names))} different"
        raise XemplarError(
            f"{found} names for {items} items", wanted='a name of its own for each item with ties="trec"'
        )
    return np.array(sorted(range(items), key=lambda item: item_names[item], reverse=True), dtype=np.int64)


def _row_blocks(queries: int, items: int) -> Iterator[slice]:
    height = max(1, _BLOCK_CELLS // max(items, 1))
    return (slice(start, min(start + height, queries)) for start in range(0, queries, height))


def _check(scores: Scores, relevance: Relevance, exclude: NDArray[np.bool_] | None) -> None:
    if scores.ndim != 2 or scores.shape[1] == 0 or scores.dtype.kind not in "fiu":
        raise XemplarError(
            f"scores of shape {scores.shape} and type {scores.dtype}",
            wanted="numbers of shape (queries, items) with an item at least",
        )
    tables = [("relevance", relevance, "bfiu"), ("exclude", exclude, "b")]
    for name, table, kinds in tables:
        if table is not None and (table.shape != scores.shape or table.dtype.kind not in kinds):
            raise XemplarError(
                f"{name} of shape {table.shape} and type {table.dtype}",
                wanted=f"{'bool' if kinds == 'b' else 'bool or grades'} of the scores' shape {scores.shape}",
            )


def _no_nan(block: Scores, out: NDArray[np.bool_] | None, first: int) -> Scores:
    unordered = np.isnan(block) if out is None else np.isnan(block) & ~out
    if unordered.any():
        raise XemplarError(
            f"NaN among the scores of query {first + int(np.argmax(unordered.any(axis=1)))}",
            wanted="scores that can be ordered",
            remedy="give what has no score -inf",
        )
    return block
