"""Near-duplicates among a corpus's views: candidates by votes of their landmarks, then looked at.

Knows packed landmarks, and that views may be of several parts; knows nothing of patients or folders, and
leaves it to `alignment` to say whether two films are one. Blank films have no landmarks and are nobody's
duplicates.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xemplar.corpus.alignment import AGREE, OCTAVES, TURN, VOTES, Looked, relation, shows_same
from xemplar.corpus.landmarks import COUNT, unpacked

VERSION = 2
"""Raised whenever the same previews would give other pairs than before."""

BEST = 2
"""Candidates of a view that are looked at, those with the most votes ..."""

SURE = 12
"""... and any with as many votes as this."""

_NEIGHBOURS = 8
_FLAT_UP_TO = 20_000
"""Landmarks; above it they are sought in cells (faiss's IVF), which may miss a few."""

_VIEWS_AT_ONCE = 2048
_HELD = 512
"""Films whose details are kept for their next pair; up to 180 kB each."""

_UNIT = 127.0
"""Length of a packed look."""

Pixels = Callable[[int], NDArray[np.uint8]]
"""The preview of a view, by its number."""

Parts = NDArray[np.int64]
"""(views,) the number of the part that each view is of."""

Pairs = NDArray[np.int64]
"""(n, 2) numbers of views, the smaller first, each pair once, in order."""


def near_duplicates(
    packed: NDArray[np.uint8], pixels: Pixels, parts: Parts | None = None, *, across: bool = False
) -> Pairs:
    """Pairs of views of one part that show the same film; `packed` (views, COUNT, PACKED).

    All are of one part where none are named. With `across`, the pairs of views of different parts.
    """
    pairs = candidates(packed, parts, across=across)
    looked = lru_cache(_HELD)(lambda view: Looked(packed[view], pixels(view)))

    def same(pair: NDArray[np.int64]) -> bool:
        one, other = pair.tolist()
        return shows_same(looked(one), looked(other))

    # Threads: nearly all of the time is OpenCV's, which lets others run.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        found = np.fromiter(threads.map(same, pairs), np.bool_, len(pairs))
    return pairs[found]


def candidates(packed: NDArray[np.uint8], parts: Parts | None = None, *, across: bool = False) -> Pairs:
    """Pairs of views, among the BEST of either, that VOTES landmarks say lie on each other in one way.

    A pair's landmarks vote where they look alike, for how one film would lie on the other. For pairs
    across parts the largest part isn't asked: of each pair at least one view is of another.
    """
    views = len(packed)
    parts = np.zeros(views, np.int64) if parts is None else parts
    owners, rows = np.nonzero(packed[:, :, 2])
    if not len(owners):
        return np.empty((0, 2), np.int64)
    marks, part_of = packed[owners, rows], parts[owners]
    search = _searcher(marks)
    asked = np.unique(part_of)
    found = [np.empty(0, np.int64)]
    for part in asked[asked != np.bincount(parts).argmax()] if across else asked:
        # Looked for only where pairs are wanted, or many copies in one part would hide those in another.
        allowed = (part_of == part) != across
        for start in range(0, views, _VIEWS_AT_ONCE):
            first, last = np.searchsorted(owners, [start, start + _VIEWS_AT_ONCE])
            asking = first + np.flatnonzero(part_of[first:last] == part)
            left, right = _alike(marks, asking, search=search, allowed=allowed)
            left, right = (side[owners[left] != owners[right]] for side in (left, right))
            pairs = owners[left] * views + owners[right]
            found.append(_voted(marks, (left, right), pairs=pairs, views=views))
    one, other = np.divmod(np.concatenate(found), views)
    pairs = np.stack([np.minimum(one, other), np.maximum(one, other)], axis=1)
    return np.asarray(np.unique(pairs, axis=0), np.int64).reshape(-1, 2)


Search = Callable[[NDArray[np.float32], NDArray[np.bool_]], tuple[NDArray[np.float32], NDArray[np.int64]]]


def _looks(marks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What packed landmarks look like, of about length _UNIT."""
    return np.ascontiguousarray(marks[:, 5:]).view(np.int8).astype(np.float32)


def _searcher(marks: NDArray[np.uint8]) -> Search:
    faiss = _import_faiss()
    count, dim = len(marks), marks.shape[1] - 5
    if count <= _FLAT_UP_TO:
        flat = faiss.IndexFlatIP(dim)
        flat.add(_looks(marks))
        return lambda queries, allowed: flat.search(
            queries, _NEIGHBOURS + 1, params=faiss.SearchParameters(sel=_selector(faiss, allowed))
        )
    cells, seen = int(2 * np.sqrt(count)), 24
    quantizer = faiss.IndexFlatIP(dim)
    # Looks are signed bytes: kept as they are, nothing is lost.
    kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
    index = faiss.IndexIVFScalarQuantizer(quantizer, dim, cells, kind, faiss.METRIC_INNER_PRODUCT, False)
    index.cp.seed, index.cp.niter = 1, 5
    index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, seen
    index.train(_looks(marks[:: max(1, count // (seen * cells))]))
    step = _VIEWS_AT_ONCE * COUNT
    for start in range(0, count, step):
        index.add(_looks(marks[start : start + step]))
    return lambda queries, allowed: index.search(
        queries, _NEIGHBOURS + 1, params=faiss.SearchParametersIVF(sel=_selector(faiss, allowed), nprobe=8)
    )


def _import_faiss() -> Any:  # noqa: ANN401  faiss has few types, some wrong
    import faiss

    return faiss


def _selector(faiss: Any, allowed: NDArray[np.bool_]) -> object:  # noqa: ANN401  faiss has few types
    if allowed.all():
        return faiss.IDSelectorAll()
    return faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))


def _alike(
    marks: NDArray[np.uint8], asking: NDArray[np.int64], *, search: Search, allowed: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of landmarks among `asking`, and of `allowed` ones that look like them."""
    if not len(asking):
        return asking, asking
    alike, near = search(_looks(marks[asking]), allowed)
    row, column = np.nonzero((alike >= AGREE * _UNIT**2) & (near >= 0))
    return asking[row], near[row, column]


def _voted(
    marks: NDArray[np.uint8],
    alike: tuple[NDArray[np.int64], NDArray[np.int64]],
    *,
    pairs: NDArray[np.int64],
    views: int,
) -> NDArray[np.int64]:
    """Which `pairs` (asking view * views + other) their landmarks `alike` vote for, the best of each view."""
    # A pair without VOTES asking landmarks can't have them for any one way: nearly all go here.
    _, of, often = np.unique(pairs, return_inverse=True, return_counts=True)
    enough = (often >= VOTES)[of]
    left, right, pairs = alike[0][enough], alike[1][enough], pairs[enough]
    numbers, inverse = np.unique(np.concatenate([left, right]), return_inverse=True)
    turn, octaves, form = relation(unpacked(marks[numbers]), inverse[: len(left)], inverse[len(left) :])
    fits = (np.abs(turn) <= TURN) & (np.abs(octaves) <= OCTAVES)
    left, pairs, form, turn, octaves = left[fits], pairs[fits], form[fits], turn[fits], octaves[fits]
    best: dict[int, int] = {}
    # Bins of twice the spread expected, once as they are and once shifted by half of one.
    for turned in (0.0, 0.5):
        for scaled in (0.0, 0.5):
            bins = np.floor(turn / 24 + turned + 8) * 32 + np.floor(octaves / 0.6 + scaled + 8)
            said = (pairs * 4 + form) * 1024 + bins.astype(np.int64)
            one_each = np.unique(said * 64 + left % 64)  # a view's COUNT landmarks, or fewer, are in a row
            ways, votes = np.unique(one_each // 64, return_counts=True)
            enough = votes >= VOTES
            for pair, voted in zip((ways[enough] // 4096).tolist(), votes[enough].tolist(), strict=True):
                best[pair] = max(voted, best.get(pair, 0))
    chosen, taken = [], Counter[int]()
    for pair, count in sorted(best.items(), key=lambda one: (-one[1], one[0])):
        taken[pair // views] += 1
        if taken[pair // views] <= BEST or count >= SURE:
            chosen.append(pair)
    return np.array(chosen, np.int64)


def groups(pairs: Iterable[tuple[int, int]], count: int) -> list[list[int]]:
    """What hangs together by pairs among `count` things: groups of two or more, each in rising order."""
    head = list(range(count))

    def find(one: int) -> int:
        while head[one] != one:
            head[one] = head[head[one]]
            one = head[one]
        return one

    for one, other in pairs:
        low, high = sorted((find(one), find(other)))
        head[high] = low
    held: dict[int, list[int]] = {}
    for one in range(count):
        held.setdefault(find(one), []).append(one)
    return [group for group in held.values() if len(group) > 1]
