"""Two films -> whether they are one: laid on each other by their landmarks, then compared in detail.

Knows two previews and their packed landmarks; knows nothing of any others. One film lies on the other
when it may be turned by a few degrees, mirrored, inverted, moved and scaled until they agree in detail
nearly everywhere. Two films of one patient don't, nor do drawn films with one skeleton.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

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

COARSE = 0.82
"""The same at SIDE pixels, below which the fine comparison isn't tried; a copy has more there."""

HOPELESS = 0.25, 0.65
"""The same in the fine comparison, as laid by the coarse one and after a few steps, to go on."""

LEAST = 0.15
"""Share of the first film's places that have to be compared."""

_FINE = 2
"""Times SIDE: pixels of the fine comparison."""

_PLACE = 24
"""Pixels a side of a place compared."""


class Looked:
    """A view as it is compared: its packed landmarks, its preview, and what is made of them once."""

    def __init__(self, packed: NDArray[np.uint8], pixels: NDArray[np.uint8]) -> None:
        self._packed, self._pixels = packed, pixels

    @cached_property
    def landmarks(self) -> Landmarks:
        """Those that there are."""
        return unpacked(self._packed[self._packed[:, 2] > 0])

    @cached_property
    def coarse(self) -> NDArray[np.float32]:
        """Detail at SIDE pixels: (h, w)."""
        return _detail(self._pixels, 1)

    @cached_property
    def fine(self) -> NDArray[np.float32]:
        """Detail at _FINE times SIDE pixels: (h, w)."""
        return _detail(self._pixels, _FINE)


def shows_same(one: Looked, other: Looked) -> bool:
    """Whether two views are one film, or nearly."""
    placed = _placed(one.landmarks, other.landmarks)
    return placed is not None and _agreement(one, other, placed) >= SAME


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

    def applied(self, detail: NDArray[np.float32]) -> NDArray[np.float32]:
        """The second film's detail, mirrored and inverted as it has to be."""
        turned = np.ascontiguousarray(detail[:, ::-1]) if self.mirrored else detail
        return -turned if self.negative else turned


def _placed(a: Landmarks, b: Landmarks) -> _Placed | None:
    """The similarity that most landmarks of two views agree on; None where fewer than VOTES do."""
    # Somewhat less alike than candidates have to be: now few pairs are left to be wrong.
    left, right = np.nonzero(a.looks @ b.looks.T >= AGREE - 0.05)
    both = Landmarks(*(np.concatenate([getattr(a, n), getattr(b, n)]) for n in Landmarks.__slots__))
    turn, octaves, form = relation(both, left, right + len(a.points))
    fits = (np.abs(turn) <= TURN) & (np.abs(octaves) <= OCTAVES)
    best, most = None, VOTES - 1
    for kind in np.unique(form[fits]):
        chosen = fits & (form == kind)
        if len(np.unique(left[chosen])) <= most:
            continue
        source = b.points[right[chosen]] * ([-1, 1] if kind & MIRRORED else [1, 1])
        matrix, inside = _similarity(source, a.points[left[chosen]])
        agreeing = len(np.unique(left[chosen][inside]))
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


def _agreement(one: Looked, other: Looked, placed: _Placed) -> float:
    """Correlation, in [-1, 1], of two films' detail in all but ALLOWED of the places where they overlap.

    The search for the affine map that lays one on the other begins at `placed`, and goes from coarse to
    fine (ECC: Evangelidis and Psarakis 2008, by OpenCV); it ends as soon as there is no hope, or no need.
    """
    first, second = one.coarse, placed.applied(other.coarse)
    matrix = placed.matrix.copy()
    if placed.mirrored:
        matrix[:, 2] -= matrix[:, 0] * (second.shape[1] - 1)
    inverse = cv2.invertAffineTransform(matrix).astype(np.float32)
    inverse = _aligned(first, second, inverse, rounds=3)
    agreement = _overlap(first, second, inverse)
    if agreement < COARSE:
        return agreement
    first, second, inverse = one.fine, placed.applied(other.fine), _in_fine(inverse)
    agreement = _overlap(first, second, inverse)
    for hopeless, rounds in zip(HOPELESS, (4, 12), strict=True):
        if not hopeless <= agreement < SAME:
            break
        inverse = _aligned(first, second, inverse, rounds=rounds)
        agreement = max(agreement, _overlap(first, second, inverse))
    return agreement


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


def _detail(pixels: NDArray[np.uint8], times: int) -> NDArray[np.float32]:
    """What is left of a film without its broad greys, at one contrast everywhere: (h, w)."""
    grey = framed(pixels, times * SIDE).astype(np.float32)
    far = 5.0 if times == 1 else 4.0
    band = cv2.GaussianBlur(grey, (0, 0), 1.0) - cv2.GaussianBlur(grey, (0, 0), far)
    return np.asarray(band / (np.sqrt(cv2.GaussianBlur(band * band, (0, 0), far)) + 1.5), np.float32)


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
    agreeing = np.sort(ab[compared] / np.sqrt(aa[compared] * bb[compared] + 1e-3))
    # The quantile, interpolated; numpy's own takes as long as all else here.
    return float(np.interp(ALLOWED * (len(agreeing) - 1), np.arange(len(agreeing)), agreeing))


def _by_place(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means over squares of _PLACE pixels, one every half a square."""
    means = cv2.boxFilter(values, -1, (_PLACE, _PLACE), borderType=cv2.BORDER_CONSTANT)
    half = _PLACE // 2
    return np.asarray(means[half::half, half::half], np.float32)
