"""How high the right items stand in a ranking, and how high they would stand by chance.

Knows score matrices and which items are right for which query; knows nothing of where either came
from. A tie earns nothing: wherever a right and a wrong item share a score, the wrong one is ahead, so
that no order of rows and no name can win a rank.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import XemplarError

Scores = NDArray[np.floating[Any]]
Ties = Literal["pessimistic", "optimistic"]

_BLOCK_CELLS = 1 << 21
"""Cells of the score matrix in work at once: temporaries stay within some 40 MB."""


def right_ranks(
    scores: Scores, relevant: NDArray[np.bool_], *, ties: Ties = "pessimistic"
) -> NDArray[np.int64]:
    """Rank, from 1, of the best-placed right item of every query.

    `scores` (q, n), higher is better, infinite allowed; `relevant` (q, n) says which items are right.
    Returns (q,) in 1..n+1: one more than the number of wrong items that score no less. A query
    without a right item gets n+1 and still counts. `ties="optimistic"` lets the right item win every
    tie; it is there to show how much ties hide, never to be reported alone. NaN scores and shapes
    that differ raise XemplarError.
    """
    _check(scores, relevant)
    if ties not in ("pessimistic", "optimistic"):
        raise XemplarError(f"ties={ties!r}", wanted="pessimistic or optimistic")
    queries, items = scores.shape
    ranks = np.empty(queries, dtype=np.int64)
    for rows in _row_blocks(queries, items):
        block, right = _no_nan(scores[rows], rows.start), relevant[rows]
        best = np.where(right, block, -np.inf).max(axis=1, keepdims=True)
        ahead = block >= best if ties == "pessimistic" else block > best
        ahead &= ~right
        ranks[rows] = np.where(right.any(axis=1), 1 + np.count_nonzero(ahead, axis=1), items + 1)
    return ranks


def success_at_k(scores: Scores, relevant: NDArray[np.bool_], k: int) -> NDArray[np.float64]:
    """1.0 where a right item stands in the top k, else 0.0: (q,). "R@k" in CLIP papers.

    Arguments and errors as `right_ranks`; k at least 1.
    """
    _check_k(k)
    ranks = right_ranks(scores, relevant)
    # With k beyond n a query without a right item must still fail, though its rank is n + 1.
    return np.asarray(ranks <= min(k, scores.shape[1]), dtype=np.float64)


def recall_at_k(scores: Scores, relevant: NDArray[np.bool_], k: int) -> NDArray[np.float64]:
    """Share of a query's right items that stand in the top k, wrong ones ahead in a tie: (q,).

    A query without a right item gets 0, as in trec_eval. Arguments and errors as `success_at_k`.
    """
    _check(scores, relevant)
    _check_k(k)
    queries, items = scores.shape
    k = min(k, items)
    shares = np.zeros(queries, dtype=np.float64)
    for rows in _row_blocks(queries, items):
        block, right = _no_nan(scores[rows], rows.start), relevant[rows]
        boundary = np.partition(block, items - k, axis=1)[:, items - k, None]
        above, level = block > boundary, block == boundary
        places = k - np.count_nonzero(above, axis=1) - np.count_nonzero(level & ~right, axis=1)
        tied = np.clip(places, 0, np.count_nonzero(level & right, axis=1))
        found = np.count_nonzero(above & right, axis=1) + tied
        shares[rows] = found / np.maximum(np.count_nonzero(right, axis=1), 1)
    return shares


def reciprocal_ranks(scores: Scores, relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
    """1 / `right_ranks` for each query, 0 for a query without a right item (trec_eval): (q,)."""
    ranks = right_ranks(scores, relevant)
    return np.where(ranks <= scores.shape[1], 1.0 / ranks, 0.0)


def same_key(query_keys: Sequence[Hashable], item_keys: Sequence[Hashable]) -> NDArray[np.bool_]:
    """(q, n) true where query and item carry an equal key: equal text is equally right."""
    codes: dict[Hashable, int] = {}
    queries, items = (
        np.fromiter((codes.setdefault(key, len(codes)) for key in keys), dtype=np.int64, count=len(keys))
        for keys in (query_keys, item_keys)
    )
    return np.equal(queries[:, None], items[None, :])


def chance_success(relevant_counts: NDArray[np.integer[Any]], n: int, k: int) -> NDArray[np.float64]:
    """Probability that a random order of n items puts a right one in the top k: (q,).

    `relevant_counts` (q,) says how many items r are right for each query, 0..n. The hypergeometric
    1 - C(n-r, k) / C(n, k), as a sum of logarithms so that chances near 0 keep their digits.
    """
    counts = _check_counts(relevant_counts, n)
    _check_k(k)
    k = min(k, n)
    kinds, which = np.unique(counts, return_inverse=True)
    drawn = n - np.arange(k, dtype=np.float64)
    chances = np.ones(len(kinds), dtype=np.float64)
    for place, right in enumerate(kinds):
        if right <= n - k:  # otherwise too few wrong items are left to fill the top k
            chances[place] = -np.expm1(np.log1p(-right / drawn).sum())
    return chances[which.reshape(-1)]


def chance_recall(relevant_counts: NDArray[np.integer[Any]], n: int, k: int) -> NDArray[np.float64]:
    """Expected `recall_at_k` of a random order: k / n, and 0 for a query without a right item: (q,)."""
    counts = _check_counts(relevant_counts, n)
    _check_k(k)
    return np.where(counts > 0, min(k, n) / n, 0.0)


def chance_median_rank(relevant_counts: NDArray[np.integer[Any]], n: int) -> float:
    """Median of the best right item's rank, over queries and random orders of n items together.

    Exact: the rank of a query with r right items exceeds m with probability C(n-r, m) / C(n, m);
    the median is that of the mixture over queries, half-way where the middle falls between two
    ranks. A query without a right item has rank n+1. No query: XemplarError.
    """
    counts = _check_counts(relevant_counts, n)
    _check_any(len(counts))
    within = np.zeros(n + 1, dtype=np.float64)  # within[m]: share of the mixture with rank <= m
    kinds, weights = np.unique(counts, return_counts=True)
    remaining = n - np.arange(n, dtype=np.float64)
    for right, weight in zip(kinds, weights, strict=True):
        beyond = np.cumprod(np.maximum(1.0 - right / remaining, 0.0))
        within[1:] += weight * (1.0 - beyond)
    within /= len(counts)
    rounding = 1e-12
    lower = int(np.argmax(np.append(within, 1.0) >= 0.5 - rounding))
    upper = int(np.argmax(np.append(within, 1.0) > 0.5 + rounding))
    return (lower + upper) / 2


def _row_blocks(queries: int, items: int) -> Iterator[slice]:
    height = max(1, _BLOCK_CELLS // max(items, 1))
    return (slice(start, min(start + height, queries)) for start in range(0, queries, height))


def _check(scores: Scores, relevant: NDArray[np.bool_]) -> None:
    if scores.ndim != 2 or scores.shape[1] == 0 or scores.dtype.kind not in "fiu":
        raise XemplarError(
            f"scores of shape {scores.shape} and type {scores.dtype}",
            wanted="numbers of shape (queries, items) with an item at least",
        )
    if relevant.shape != scores.shape or relevant.dtype != np.bool_:
        raise XemplarError(
            f"relevance of shape {relevant.shape} and type {relevant.dtype}",
            wanted=f"bool of the scores' shape {scores.shape}",
        )


def _no_nan(block: Scores, first: int) -> Scores:
    unordered = np.isnan(block).any(axis=1)
    if unordered.any():
        raise XemplarError(
            f"NaN among the scores of query {first + int(np.argmax(unordered))}",
            wanted="scores that can be ordered",
            remedy="give what has no score -inf",
        )
    return block


def _check_k(k: int) -> None:
    if k < 1:
        raise XemplarError(f"k = {k}", wanted="k of at least 1")


def _check_any(queries: int) -> None:
    if not queries:
        raise XemplarError("no query", wanted="a query at least")


def _check_counts(relevant_counts: NDArray[np.integer[Any]], n: int) -> NDArray[np.int64]:
    counts = np.asarray(relevant_counts)
    if n < 1 or counts.ndim != 1 or (counts.size and counts.dtype.kind not in "iu"):
        raise XemplarError(
            f"counts of shape {counts.shape} and type {counts.dtype} for {n} items",
            wanted="an integer for each query and an item at least",
        )
    if counts.size and not 0 <= counts.min() <= counts.max() <= n:
        raise XemplarError(
            f"between {counts.min()} and {counts.max()} right items of {n}", wanted=f"counts in 0..{n}"
        )
    return counts.astype(np.int64)
