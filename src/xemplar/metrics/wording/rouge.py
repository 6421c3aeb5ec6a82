"""ROUGE-L: how long a run of words, gaps allowed, two texts share.

Knows pairs in words. C.-Y. Lin, ROUGE (2004), in the two forms that the field prints: coco-caption's
F of recall-heavy beta 1.2, and the plain F1 of Google's rouge_score. They aren't the same number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xemplar.metrics.tokenisers import Tokens
from xemplar.metrics.wording.pairs import Pairs, pair_texts
from xemplar.metrics.wording.score import WordingScore, mean_score

_BETA = 1.2


def rouge_l(pairs: Pairs) -> WordingScore:
    """ROUGE-L of coco-caption, in 0..1; the whole is the mean over pairs.

    F with beta 1.2 of the best precision and the best recall, which may come from two references. A
    pair without words on either side gets 0 (the original calls two empty texts equal).
    """
    both = zip(pairs.predictions, pairs.references, strict=True)
    per_pair = np.array([_coco(predicted, others) for predicted, others in both])
    return mean_score("ROUGE-L", pairs.tokeniser, per_pair)


def rouge_l_f1(predictions: Sequence[str], references: Sequence[str | Sequence[str]]) -> WordingScore:
    """ROUGE-L F1 of rouge_score without stemming, in 0..1; the whole is the mean over pairs.

    Splits texts in its own way (`rouge_score`); of several references the best counts.
    """
    pairs = pair_texts(predictions, references, tokeniser="rouge_score")
    both = zip(pairs.predictions, pairs.references, strict=True)
    per_pair = np.array([max(_f1(predicted, other) for other in others) for predicted, others in both])
    return mean_score("ROUGE-L F1", pairs.tokeniser, per_pair)


def _coco(predicted: Tokens, others: Sequence[Tokens]) -> float:
    shared = [common_length(predicted, other) for other in others]
    precision = max(shared) / max(len(predicted), 1)
    recall = max(count / max(len(other), 1) for count, other in zip(shared, others, strict=True))
    if not precision or not recall:
        return 0.0
    return (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)


def _f1(predicted: Tokens, other: Tokens) -> float:
    return 2 * common_length(predicted, other) / max(len(predicted) + len(other), 1)


def common_length(first: Tokens, second: Tokens) -> int:
    """Words of the longest common subsequence.

    The table's row is kept as the bits of one number, a 0 where the length grows (M. Crochemore et al.,
    A fast and practical bit-vector algorithm for the longest common subsequence problem, 2001).
    """
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << place
    every = (1 << len(first)) - 1
    row = every
    for word in second:
        if hits := places.get(word, 0) & row:
            row = ((row + hits) | (row - hits)) & every
    return len(first) - row.bit_count()
