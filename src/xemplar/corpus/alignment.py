"""Two films -> whether they are one: laid on each other by their landmarks, then compared in detail.

Knows two previews and their packed landmarks; knows nothing of any others. One film lies on the other
when it may be turned by a few degrees, mirrored, inverted, moved and scaled until they agree in detail
nearly everywhere. Two films of one patient don't, nor do drawn films with one skeleton.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from xemplar.corpus.landmarks import MIRRORED, NEGATIVE, SIDE, Landmarks, framed, unpacked

AGREE = 0.8
"""Cosine from which two landmarks look alike."""

VOTES = 3
"""Landmarks of one view that have to say the same of another to make it a candidate."""

TURN = 24.0
"""Degrees by which a copy may be turned."""

OCTAVES = 1.2
"""By which a copy may be scaled, either way."""

SAME = 0.84
"""Correlation of detail from which two films are one, in all but ALLOWED of the places compared."""

ALLOWED = 0.2
"""Share of places that may differ: a letter burned in, a black corner."""

HOPELESS = 0.5
"""The same before the fine alignment, below which that isn't tried."""

LEAST = 0.15
"""Share of the first film's places that have to be compared."""

_FINE = 2
"""Times SIDE: pixels of the fine comparison."""

_PLACE = 24
"""Pixels a side of a place compared."""

Film = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""A view: its packed landmarks, and its preview."""


def shows_same(one: Film, other: Film) -> bool:
    """Whether two views are one film, or nearly."""
    placed = _placed(one[0], other[0])
    return placed is not None and _agreement(one[1], other[1], placed) >= SAME


def relation(
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


@dataclass(frozen=True, slots=True)
class _Placed:
    """How the second film lies on the first: (2, 3) from its pixels, their x negated where mirrored."""

    matrix: NDArray[np.float64]
    mirrored: bool
    negative: bool


def _placed(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> _Placed | None:
    """The similarity that most landmarks of two views agree on; None where fewer than VOTES do."""
    a, b = (unpacked(packed[packed[:, 2] > 0]) for packed in (one, other))
    # Somewhat less alike than candidates have to be: now few pairs are left to be wrong.
    left, right = np.nonzero(a.looks @ b.looks.T >= AGREE - 0.05)
    both = Landmarks(*(np.concatenate([getattr(a, n), getattr(b, n)]) for n in Landmarks.__slots__))
    turn, octaves, form = relation(both, left, right + len(a.points))
    fits = (np.abs(turn) <= TURN) & (np.abs(octaves) <= OCTAVES)
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
    if matrix is None or abs(np.log2(max(np.hypot(*matrix[0, :2]), 1e-6))) > OCTAVES:
        return nothing
    return matrix, inside.ravel() > 0


def _agreement(one: NDArray[np.uint8], other: NDArray[np.uint8], placed: _Placed) -> float:
    """Correlation, in [-1, 1], of two previews' detail in all but ALLOWED of the places where they overlap.

    The search for the affine map that lays one on the other begins at `placed`, and goes from coarse to
    fine (ECC: Evangelidis and Psarakis 2008, by OpenCV).
    """
    matrix = placed.matrix.copy()
    if placed.mirrored:
        matrix[:, 2] -= matrix[:, 0] * (framed(other).shape[1] - 1)
    inverse = cv2.invertAffineTransform(matrix).astype(np.float32)
    inverse = _in_fine(_aligned(_detail(one, 1), _detail(other, 1, placed), inverse, rounds=15))
    first, second = _detail(one, _FINE), _detail(other, _FINE, placed)
    rough = _overlap(first, second, inverse)
    if rough < HOPELESS:
        return rough
    return max(rough, _overlap(first, second, _aligned(first, second, inverse, rounds=15)))


def _aligned(
    first: NDArray[np.float32], second: NDArray[np.float32], inverse: NDArray[np.float32], *, rounds: int
) -> NDArray[np.float32]:
    """The map (2, 3) from the first's pixels to the second's, made better; the same where it can't be."""
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, rounds, 1e-4)
    try:
        found = cv2.findTransformECC(first, second, inverse.copy(), cv2.MOTION_AFFINE, criteria, None, 3)[1]
    except cv2.error:  # it says so where it doesn't converge
        return inverse
    return np.asarray(found, np.float32)


def _in_fine(inverse: NDArray[np.float32]) -> NDArray[np.float32]:
    """A map between films of SIDE pixels, for films of _FINE times that; pixels go by their centres."""
    fine = inverse.astype(np.float64)
    shift = (_FINE - 1) / 2
    fine[:, 2] = _FINE * fine[:, 2] + shift - fine[:, :2] @ [shift, shift]
    return fine.astype(np.float32)


def _detail(pixels: NDArray[np.uint8], times: int, placed: _Placed | None = None) -> NDArray[np.float32]:
    """What is left of a film without its broad greys, at one contrast everywhere: (h, w)."""
    grey = framed(pixels, times * SIDE).astype(np.float32)
    far = 5.0 if times == 1 else 4.0
    band = cv2.GaussianBlur(grey, (0, 0), 1.0) - cv2.GaussianBlur(grey, (0, 0), far)
    detail = band / (np.sqrt(cv2.GaussianBlur(band * band, (0, 0), far)) + 1.5)
    if placed is not None and placed.mirrored:
        detail = detail[:, ::-1]
    sign = -1 if placed is not None and placed.negative else 1
    return np.ascontiguousarray(sign * detail, np.float32)


def _overlap(first: NDArray[np.float32], second: NDArray[np.float32], inverse: NDArray[np.float32]) -> float:
    """Correlation by places, where `inverse` lays the second on the first: what ALLOWED fall short of."""
    size, flags = (first.shape[1], first.shape[0]), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(second, inverse, size, flags=flags)
    covered = cv2.warpAffine(np.ones_like(second), inverse, size, flags=flags) > 0.99
    a, b = first * covered, moved * covered
    products = [_by_place(each) for each in (covered.astype(np.float32), a * b, a * a, b * b)]
    share, ab, aa, bb = products
    compared = (share > 0.9) & (np.maximum(aa, bb) > 0.15)  # where either has any detail
    if compared.sum() < LEAST * compared.size:
        return -1.0
    return float(np.quantile(ab[compared] / np.sqrt(aa[compared] * bb[compared] + 1e-3), ALLOWED))


def _by_place(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means over squares of _PLACE pixels, one every half a square."""
    means = cv2.boxFilter(values, -1, (_PLACE, _PLACE), borderType=cv2.BORDER_CONSTANT)
    half = _PLACE // 2
    return np.asarray(means[half::half, half::half], np.float32)
