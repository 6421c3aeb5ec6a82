"""Beliefs -> lines: the spans of real sentences that together say best what is believed.

Knows sentences, their claims and beliefs; knows nothing of how the beliefs came about. What is said is a
choice of spans S, no two of the same finding, with the largest

    (findings stated, findings told, V(S)),  compared from left to right, where

    V(S)    = sum over spans s:  sum over findings f of s:  worth(f) + SIMILAR cos(image, s)
                                 - LINE - RARE rare(s) - SELDOM seldom(s) - RAGGED ragged(s)
                                 - NUMBER numbers(s) - WORD words(s)
    worth(f) = the smallest, over the claims c of f in s, of  p (1 + DETAIL d) - (1 - p)

p is the probability that c is right, d how many details it tells (side, place, degree, change). The best
choice is found, not sought (`cover`). The weights are in `weights`; the rules that no value outweighs are in
`believed` (what may be claimed) and `quotable` (what may be quoted); docs/composition.md tells them all.
"""

from xemplar.drafting.composition.composer import Composer
from xemplar.drafting.composition.gathered import Composed, Gathered
from xemplar.drafting.composition.order import ORDER
from xemplar.drafting.composition.spans import spans

__all__ = ["ORDER", "Composed", "Composer", "Gathered", "spans"]
