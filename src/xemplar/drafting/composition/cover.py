"""Which spans to take: the best choice of them in which no finding is told twice.

Knows sets of findings as bits, and values; knows nothing of sentences. Exact: findings are decided one by
one, and of all choices that have told the same of those still to come only the best is carried on
(a weighted set packing, by dynamic programming over bit masks).
"""

from __future__ import annotations

from collections.abc import Mapping

Key = tuple[int, int, int]
"""How many findings are stated, how many told, and the value."""

_Kept = dict[int, tuple[Key, tuple[int, ...]]]
"""Bits told of findings to come -> the best so far, and the masks it took."""


def best_cover(values: Mapping[int, int], *, stated: int) -> tuple[int, ...]:
    """Masks of the best choice, disjoint, in the order of their lowest bits.

    `values` maps a mask, not 0, to the best value of a span that tells these findings; `stated` are the
    bits that count first. Of equal choices the one that takes the smaller masks first.
    """
    starting: dict[int, list[int]] = {}
    for mask in sorted(values):
        starting.setdefault(mask & -mask, []).append(mask)
    kept: _Kept = {0: ((0, 0, 0), ())}
    for bit in sorted(starting):
        following: _Kept = {}
        for told, (key, taken) in kept.items():
            _keep(following, told & ~(2 * bit - 1), (key, taken))
            for mask in starting[bit]:
                if not told & mask:
                    worth = ((mask & stated).bit_count(), mask.bit_count(), values[mask])
                    more = (key[0] + worth[0], key[1] + worth[1], key[2] + worth[2])
                    _keep(following, (told | mask) & ~(2 * bit - 1), (more, (*taken, mask)))
        kept = following
    return max(kept.values(), key=lambda one: one[0], default=((0, 0, 0), ()))[1]


def _keep(kept: _Kept, told: int, new: tuple[Key, tuple[int, ...]]) -> None:
    known = kept.get(told)
    if known is None or new[0] > known[0]:
        kept[told] = new
