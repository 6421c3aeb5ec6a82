"""Which items are right for which query, how right, and which are no candidates at all.

Knows keys (of studies, patients, texts) and tables of findings; knows no scores. Rows are queries and
columns are items, as in `ranking.py`, which takes these tables as `relevance` and as `exclude`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import XemplarError


def same_key(
    query_keys: Sequence[Hashable | None], item_keys: Sequence[Hashable | None]
) -> NDArray[np.bool_]:
    """(q, n) true where query and item carry an equal key: the same study, patient or text.

    Equal text is equally right. None is a key that nobody knows, and is equal to nothing.
    """
    codes: dict[Hashable, int] = {}
    queries, items = (
        np.fromiter(
            (unknown if key is None else codes.setdefault(key, len(codes)) for key in keys),
            dtype=np.int64,
            count=len(keys),
        )
        for keys, unknown in ((query_keys, -1), (item_keys, -2))
    )
    return np.equal(queries[:, None], items[None, :])


def equal_findings(query_findings: NDArray[np.bool_], item_findings: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(q, n) true where the two have exactly the same findings; none equals none.

    `query_findings` (q, f) and `item_findings` (n, f) are bool, columns in one order. Other shapes or
    types raise XemplarError.
    """
    queries, items = _findings(query_findings, item_findings)
    return same_key(*([row.tobytes() for row in np.packbits(table, axis=1)] for table in (queries, items)))


def shared_findings(
    query_findings: NDArray[np.bool_], item_findings: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(q, n) how many positive findings the two share, 0..f; arguments as `equal_findings`.

    A query without a finding shares none, so it has no answer: for it and its like use
    `jaccard_of_findings`, or a column "no finding".
    """
    queries, items = _findings(query_findings, item_findings)
    return queries.astype(np.float32) @ items.T.astype(np.float32)


def jaccard_of_findings(
    query_findings: NDArray[np.bool_], item_findings: NDArray[np.bool_], *, of_empty: float = 1.0
) -> NDArray[np.float32]:
    """(q, n) findings both have over findings either has, 0..1 (P. Jaccard, 1912).

    `of_empty` is said of two sets that are both empty: by default they are equal, hence 1. Arguments
    as `equal_findings`. In single precision; compare with a bar as `>= np.float32(bar)`.
    """
    if not 0 <= of_empty <= 1:
        raise XemplarError(f"of_empty={of_empty}", wanted="0..1")
    queries, items = _findings(query_findings, item_findings)
    both = queries.astype(np.float32) @ items.T.astype(np.float32)
    either = np.subtract.outer(queries.sum(axis=1, dtype=np.float32), -items.sum(axis=1, dtype=np.float32))
    either -= both
    empty = either == 0
    both[empty], either[empty] = of_empty, 1.0
    both /= either
    return both


def left_out(
    *kinds: tuple[Sequence[Hashable | None], Sequence[Hashable | None]],
) -> NDArray[np.bool_]:
    """(q, n) true where query and item share any key: what to hand to `ranking.py` as `exclude`.

    One pair (keys of queries, keys of items) for each reason, all of the same two lengths: the studies'
    own ids leave out self, patients leave out the same patient, texts the same text. An unknown key
    (None) leaves out nothing. No pair, or unequal lengths, raise XemplarError.
    """
    lengths = {(len(queries), len(items)) for queries, items in kinds}
    if len(lengths) != 1:
        raise XemplarError(
            f"keys of lengths {sorted(lengths)}",
            wanted="one key for each query and each item, of a kind at least",
        )
    out = np.zeros(lengths.pop(), dtype=np.bool_)
    for queries, items in kinds:
        out |= same_key(queries, items)
    return out


def _findings(
    queries: NDArray[np.bool_], items: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    for name, table in (("query", queries), ("item", items)):
        if table.ndim != 2 or table.dtype != np.bool_:
            raise XemplarError(
                f"{name} findings of shape {table.shape} and type {table.dtype}",
                wanted="bool of shape (studies, findings)",
            )
    if queries.shape[1] != items.shape[1]:
        raise XemplarError(
            f"{queries.shape[1]} findings of queries and {items.shape[1]} of items",
            wanted="the same findings in the same order",
        )
    return queries, items
