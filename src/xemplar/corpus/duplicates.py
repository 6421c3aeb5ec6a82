"""Near-duplicates among a corpus's views: candidates by votes of their landmarks, then looked at.

Knows packed landmarks; knows nothing of patients, splits or folders, and leaves it to `alignment` to say
whether two films are one. Blank films have no landmarks and are nobody's duplicates.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from xemplar.corpus.alignment import AGREE, OCTAVES, TURN, VOTES, relation, shows_same
from xemplar.corpus.landmarks import Landmarks, unpacked

VERSION = 1
"""Raised whenever the same previews would give other pairs than before."""

BEST = 2
"""Candidates of a view that are looked at, those with the most votes ..."""

SURE = 12
"""... and any with as many votes as this."""

_NEIGHBOURS = 8
_FLAT_UP_TO = 20_000
"""Landmarks; above it they are sought in cells (faiss's IVF), which may miss a few."""

_VIEWS_AT_ONCE = 2048
Pixels = Callable[[int], NDArray[np.uint8]]
"""The preview of a view, by its number."""

Pairs = NDArray[np.int64]
"""(n, 2) numbers of views, the smaller first, each pair once, in order."""


def near_duplicates(packed: NDArray[np.uint8], pixels: Pixels) -> Pairs:
    """All pairs of views that show the same film; `packed` (views, COUNT, PACKED)."""
    pairs = candidates(packed)

    def same(pair: NDArray[np.int64]) -> bool:
        one, other = pair.tolist()
        return shows_same((packed[one], pixels(one)), (packed[other], pixels(other)))

    # Threads: nearly all of the time is OpenCV's, which lets others run.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        found = np.fromiter(threads.map(same, pairs), np.bool_, len(pairs))
    return pairs[found]


def candidates(packed: NDArray[np.uint8]) -> Pairs:
    """Pairs of views, among the BEST of either, that VOTES landmarks say lie on each other in one way.

    A pair's landmarks vote where they look alike, for how one film would lie on the other.
    """
    owners, rows = np.nonzero(packed[:, :, 2])
    if not len(owners):
        return np.empty((0, 2), np.int64)
    marks = unpacked(packed[owners, rows])
    search = _searcher(marks.looks)
    found = [np.empty(0, np.int64)]
    for start in range(0, len(packed), _VIEWS_AT_ONCE):
        first, last = np.searchsorted(owners, [start, start + _VIEWS_AT_ONCE])
        if first < last:
            found.append(_voted(marks, owners, np.arange(first, last), search, len(packed)))
    ordered = np.unique(np.concatenate(found))
    one, other = np.divmod(ordered, len(packed))
    pairs = np.stack([np.minimum(one, other), np.maximum(one, other)], axis=1)
    return np.asarray(np.unique(pairs, axis=0), np.int64).reshape(-1, 2)


Search = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.int64]]]


def _searcher(looks: NDArray[np.float32]) -> Search:
    import faiss

    dim = looks.shape[1]
    if len(looks) <= _FLAT_UP_TO:
        flat = faiss.IndexFlatIP(dim)
        flat.add(looks)
        return lambda queries: flat.search(queries, _NEIGHBOURS + 1)
    cells = int(4 * np.sqrt(len(looks)))
    quantizer = faiss.IndexFlatIP(dim)
    index = faiss.IndexIVFFlat(quantizer, dim, cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed, index.cp.max_points_per_centroid, index.cp.niter = 1, 48, 8
    index.train(looks[:: max(1, len(looks) // (48 * cells))])
    index.add(looks)
    index.nprobe = 6
    return lambda queries: index.search(queries, _NEIGHBOURS + 1)


def _voted(
    marks: Landmarks, owners: NDArray[np.int64], asking: NDArray[np.int64], search: Search, views: int
) -> NDArray[np.int64]:
    """Pairs, as asking view * views + other, that the asking landmarks vote for, the best of each view."""
    alike, near = search(marks.looks[asking])
    row, column = np.nonzero((alike >= AGREE) & (near >= 0))
    left, right = asking[row], near[row, column]
    turn, octaves, form = relation(marks, left, right)
    fits = (owners[left] != owners[right]) & (np.abs(turn) <= TURN) & (np.abs(octaves) <= OCTAVES)
    left, right, turn, octaves, form = (part[fits] for part in (left, right, turn, octaves, form))
    pairs = owners[left] * views + owners[right]
    best: dict[int, int] = {}
    # Bins of twice the spread expected, once as they are and once shifted by half of one.
    for turned in (0.0, 0.5):
        for scaled in (0.0, 0.5):
            bins = np.floor(turn / 24 + turned + 8) * 32 + np.floor(octaves / 0.6 + scaled + 8)
            said = (pairs * 4 + form) * 1024 + bins.astype(np.int64)
            one_each = np.unique(np.stack([said, left], axis=1), axis=0)[:, 0]
            ways, votes = np.unique(one_each, return_counts=True)
            for way, count in zip((ways // 4096).tolist(), votes.tolist(), strict=True):
                if count >= VOTES:
                    best[way] = max(count, best.get(way, 0))
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
