"""Near-duplicates among a corpus's previews: candidates by landmarks, then held against each other.

Knows packed landmarks and previews; knows nothing of patients, splits or folders. A pair is found when
one film, turned by a few degrees, mirrored, inverted, moved and scaled, lies on the other and agrees
with it in detail. Two films of one patient don't; nor do blank ones, which have no landmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from xemplar.corpus.landmarks import MIRRORED, NEGATIVE, Landmarks, framed, unpacked

VERSION = 1
"""Raised whenever the same previews would give other pairs than before."""

AGREE = 0.8
"""Cosine from which two landmarks look alike."""

VOTES = 3
"""Landmarks of one view that have to say the same of another to make it a candidate."""

SAME = 0.88
"""Correlation of two films' detail, once aligned, from which they are one film."""

HOPELESS = 0.0
"""Correlation before the fine alignment below which that isn't tried."""

COVERED = 0.3
"""Share of the smaller film that the overlap has to cover."""

_NEIGHBOURS = 8
_FLAT_UP_TO = 20_000
"""Landmarks; above it they are sought in cells (faiss's IVF), which may miss a few."""

_VIEWS_AT_ONCE = 2048
_TURN = 24.0
"""Degrees by which a copy may be turned."""

_OCTAVES = 1.2
"""By which a copy may be scaled, either way."""

Pixels = Callable[[int], NDArray[np.uint8]]
"""The preview of a view, by its number."""

Pairs = NDArray[np.int64]
"""(n, 2) numbers of views, the smaller first, each pair once, in order."""


def near_duplicates(packed: NDArray[np.uint8], pixels: Pixels) -> Pairs:
    """All pairs of views that show the same film; `packed` (views, COUNT, PACKED)."""
    found = [pair for pair in candidates(packed).tolist() if _is_same(packed, pixels, *pair)]
    return np.array(found, np.int64).reshape(-1, 2)


def candidates(packed: NDArray[np.uint8]) -> Pairs:
    """Pairs of views that VOTES landmarks of one say look alike and lie on each other in one way."""
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
    pairs = np.unique(np.concatenate(found))
    return np.stack([pairs // len(packed), pairs % len(packed)], axis=1)


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
    """Pairs, as smaller * views + greater, that enough of the asking landmarks vote for."""
    alike, near = search(marks.looks[asking])
    row, column = np.nonzero((alike >= AGREE) & (near >= 0))
    left, right = asking[row], near[row, column]
    turn, octaves, form = _relation(marks, left, right)
    fits = (owners[left] != owners[right]) & (np.abs(turn) <= _TURN) & (np.abs(octaves) <= _OCTAVES)
    left, right, turn, octaves, form = (part[fits] for part in (left, right, turn, octaves, form))
    pairs = owners[left] * views + owners[right]
    found = [np.empty(0, np.int64)]
    # Bins of twice the spread expected, once as they are and once shifted by half of one.
    for turned in (0.0, 0.5):
        for scaled in (0.0, 0.5):
            bins = np.floor(turn / 24 + turned + 8) * 32 + np.floor(octaves / 0.6 + scaled + 8)
            votes = (pairs * 4 + form) * 1024 + bins.astype(np.int64)
            one_each = np.unique(np.stack([votes, left], axis=1), axis=0)[:, 0]
            said, count = np.unique(one_each, return_counts=True)
            found.append(said[count >= VOTES] // 4096)
    one, other = np.divmod(np.unique(np.concatenate(found)), views)
    return np.asarray(np.minimum(one, other) * views + np.maximum(one, other), np.int64)


def _relation(
    marks: Landmarks, left: NDArray[np.int64], right: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """How one landmark's film lies on the other's: turned (degrees), scaled (octaves), its form."""
    form = (marks.forms[left] ^ marks.forms[right]).astype(np.int64)
    mirrored = (form & MIRRORED) > 0
    turn = np.where(
        mirrored, marks.angles[left] + marks.angles[right] - 180, marks.angles[left] - marks.angles[right]
    )
    turn = turn + np.where(form & NEGATIVE, 180, 0)
    turn = (turn + 180) % 360 - 180
    return turn.astype(np.float32), marks.octaves[left] - marks.octaves[right], form


def _is_same(packed: NDArray[np.uint8], pixels: Pixels, one: int, other: int) -> bool:
    placed = _placed(packed[one], packed[other])
    return placed is not None and _agreement(pixels(one), pixels(other), placed) >= SAME


@dataclass(frozen=True, slots=True)
class _Placed:
    """How the second film lies on the first: (2, 3) from its pixels, their x negated where mirrored."""

    matrix: NDArray[np.float64]
    mirrored: bool
    negative: bool


def _placed(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> _Placed | None:
    """The similarity that most landmarks of two views agree on; None where fewer than VOTES do."""
    a, b = (unpacked(packed[packed[:, 2] > 0]) for packed in (one, other))
    left, right = np.nonzero(a.looks @ b.looks.T >= AGREE - 0.05)
    both = Landmarks(*(np.concatenate([getattr(a, n), getattr(b, n)]) for n in Landmarks.__slots__))
    turn, octaves, form = _relation(both, left, right + len(a.points))
    fits = (np.abs(turn) <= _TURN) & (np.abs(octaves) <= _OCTAVES)
    best, most = None, VOTES - 1
    for kind in np.unique(form[fits]):
        chosen = fits & (form == kind)
        source = b.points[right[chosen]] * ([-1, 1] if kind & MIRRORED else [1, 1])
        matrix, inside = _similarity(source, a.points[left[chosen]])
        agreeing = len(set(left[chosen][inside]))
        if agreeing > most:
            best, most = _Placed(matrix, bool(kind & MIRRORED), bool(kind & NEGATIVE)), agreeing
    return best


def _similarity(
    source: NDArray[np.float32], target: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The similarity (2, 3) that takes most points of `source` to `target`, and which it takes."""
    nothing = np.zeros((2, 3)), np.zeros(len(source), np.bool_)
    if len(source) < VOTES:
        return nothing
    matrix, inside = cv2.estimateAffinePartial2D(
        source.astype(np.float64), target.astype(np.float64), ransacReprojThreshold=3.0, maxIters=500
    )
    if matrix is None or abs(np.log2(max(np.hypot(*matrix[0, :2]), 1e-6))) > _OCTAVES:
        return nothing
    return matrix, inside.ravel() > 0


def _agreement(one: NDArray[np.uint8], other: NDArray[np.uint8], placed: _Placed) -> float:
    """Correlation, in [-1, 1], of two previews' detail where they overlap, aligned by an affine map.

    `placed` is where the search for that map begins (ECC: Evangelidis and Psarakis 2008, by OpenCV).
    """
    first, film, matrix = _detail(framed(one)), framed(other), placed.matrix.copy()
    if placed.mirrored:
        film = np.ascontiguousarray(film[:, ::-1])
        matrix[:, 2] -= matrix[:, 0] * (film.shape[1] - 1)
    second = _detail(film) * (-1 if placed.negative else 1)
    inverse = cv2.invertAffineTransform(matrix).astype(np.float32)
    rough = _overlap(first, second, inverse)
    if rough < HOPELESS:
        return rough
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    try:
        _, inverse = cv2.findTransformECC(first, second, inverse, cv2.MOTION_AFFINE, criteria, None, 3)
    except cv2.error:  # it says so where it doesn't converge
        return rough
    return max(rough, _overlap(first, second, inverse))


def _detail(film: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What is left of a film without its broad greys, at one contrast everywhere: (h, w)."""
    grey = film.astype(np.float32)
    band = cv2.GaussianBlur(grey, (0, 0), 1.0) - cv2.GaussianBlur(grey, (0, 0), 5.0)
    contrast = np.sqrt(cv2.GaussianBlur(band * band, (0, 0), 5.0))
    return np.asarray(band / (contrast + 1.5), np.float32)


def _overlap(first: NDArray[np.float32], second: NDArray[np.float32], inverse: NDArray[np.float32]) -> float:
    """Correlation where the second, taken by `inverse`, covers the first; -1 where that is too little."""
    size = first.shape[1], first.shape[0]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(second, inverse, size, flags=flags)
    covered = cv2.warpAffine(np.ones_like(second), inverse, size, flags=flags) > 0.99
    if covered.sum() < COVERED * min(first.size, second.size):
        return -1.0
    a, b = first[covered] - first[covered].mean(), moved[covered] - moved[covered].mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 0 else -1.0


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
