"""What a random order of the items would score, exactly: the floors beside `ranking.py`.

Knows how many items are right for each query and how many there are; knows no scores.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import XemplarError


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
