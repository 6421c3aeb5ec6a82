"""A text's words -> how well each report of an index agrees with them, by BM25.

Knows how a long text is scored in good time; how words are cut and weighed is known in the index.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from xemplar.index import Index, tokens_of

LONG = 300
"""Words from which each is looked up once, and counted: more than a report of a chest film has. The sum is
the same but for the order in which it is rounded."""


def word_scores(index: Index, text: str) -> NDArray[np.float32] | None:
    """(reports,) BM25 of a text's words, each as often as it is there; None where there are none."""
    tokens = tokens_of([text])[0] if text else []
    if index.words is None or not tokens:
        return None
    if len(tokens) <= LONG:
        return np.asarray(index.words.get_scores(tokens), np.float32)
    of_count: dict[int, list[str]] = {}
    for token, count in Counter(tokens).items():
        of_count.setdefault(count, []).append(token)
    parts = (np.float32(count) * index.words.get_scores(own) for count, own in sorted(of_count.items()))
    return np.asarray(sum(parts), np.float32)
