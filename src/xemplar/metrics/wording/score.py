"""A wording score: what each pair got, and the sums from which the whole, and its interval, follow.

Knows that a score is a function of sums over pairs; knows no text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xemplar.metrics.statistics import ratio, with_counts

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WordingScore:
    """One score over n pairs.

    `per_pair` (n,) is what each pair gets on its own. `sums` (n, k) add up over pairs, and `from_sums`
    turns (..., k) sums into (...) scores: `bootstrap(score.from_sums, score.sums, clusters=...)` is an
    interval for which no text is read again.
    """

    name: str
    tokeniser: str
    per_pair: Floats
    sums: NDArray[Any]
    from_sums: Callable[[Floats], Floats]

    @property
    def value(self) -> float:
        """The score of all pairs together."""
        return float(self.from_sums(np.asarray(self.sums.sum(axis=0), dtype=np.float64)))

    @property
    def full_name(self) -> str:
        """The name under which the score may be printed: with its tokeniser."""
        return f"{self.name} ({self.tokeniser})"


def mean_score(name: str, tokeniser: str, per_pair: Floats) -> WordingScore:
    """A score of the whole that is the mean over pairs."""
    return WordingScore(name, tokeniser, per_pair, with_counts(per_pair), ratio)
