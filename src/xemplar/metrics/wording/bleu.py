"""BLEU-1..4 as coco-caption computes it, and the BLEU-2 of ReXrank and CXR-Report-Metric.

Knows pairs in words. K. Papineni et al., BLEU (2002); the small constants, the brevity rule and the
smoothing are those of the programs named, so that the numbers compare with published ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np

from xemplar.metrics.wording.pairs import GramCounts, Ints, Pairs, pair_texts
from xemplar.metrics.wording.score import Floats, WordingScore, mean_score

Order = Literal[1, 2, 3, 4]

_TINY, _SMALL = 1e-15, 1e-9
_EPSILON = 0.1


def bleu(pairs: Pairs) -> tuple[WordingScore, WordingScore, WordingScore, WordingScore]:
    """BLEU-1, -2, -3 and -4 of coco-caption, in 0..1.

    The whole is the corpus score: clipped matches and guesses summed over pairs, the reference nearest
    in length for brevity (the shorter of two equally near; the mean length where there is but one
    pair). `sums` (n, 10): matches of order 1..4, guesses of order 1..4, words predicted, words of the
    reference. A pair without words on either side gets 0.
    """
    sums = np.concatenate(
        [
            np.stack([matches_of_order(pairs, order) for order in range(1, 5)], axis=1),
            np.maximum(pairs.lengths[:, None] - np.arange(4), 0),
            pairs.lengths[:, None],
            _reference_lengths(pairs)[:, None],
        ],
        axis=1,
    ).astype(np.float64)

    def score(order: Order) -> WordingScore:
        from_sums = partial(bleu_from_sums, order=order)
        per_pair = np.where(pairs.nothing, 0.0, from_sums(sums))
        return WordingScore(f"BLEU-{order}", pairs.tokeniser, per_pair, sums, from_sums)

    return score(1), score(2), score(3), score(4)


def bleu_from_sums(sums: Floats, *, order: Order) -> Floats:
    """(..., 10) sums of `bleu` -> (...) BLEU of that order."""
    precision = np.prod((sums[..., :order] + _TINY) / (sums[..., 4 : 4 + order] + _SMALL), axis=-1)
    score = precision ** (1 / order) * _brevity((sums[..., 8] + _TINY) / (sums[..., 9] + _SMALL))
    # The constants would give a little to the wordless: they get nothing.
    wordless = (sums[..., 8] == 0) | ((sums[..., 9] == 0) & (sums[..., 0] == 0))
    return np.asarray(np.where(wordless, 0.0, score))


def bleu2_rexrank(predictions: Sequence[str], references: Sequence[str | Sequence[str]]) -> WordingScore:
    """BLEU-2 as CXR-Report-Metric gives it to ReXrank's boards and to RadCliQ: the mean over reports.

    Splits texts in its own way (`cxr_report_metric`). Sentence BLEU with weights 1/2 and 1/2, where an
    order without a match counts as 0.1 matches (method 1 of B. Chen and C. Cherry, A Systematic
    Comparison of Smoothing Techniques, 2014); no common word gives 0.
    """
    pairs = pair_texts(predictions, references, tokeniser="cxr_report_metric")
    matches = np.stack([matches_of_order(pairs, order) for order in (1, 2)], axis=1)
    guesses = np.maximum(pairs.lengths[:, None] - np.arange(2), 1)
    precisions = np.where(matches > 0, matches, _EPSILON) / guesses
    nearest = nearest_lengths(pairs)
    brevity = _brevity(pairs.lengths / np.maximum(nearest, 1))
    per_pair = np.where(matches[:, 0] > 0, np.sqrt(precisions.prod(axis=1)) * brevity, 0.0)
    return mean_score("BLEU-2 (ReXrank)", pairs.tokeniser, per_pair)


def matches_of_order(pairs: Pairs, order: int) -> Ints:
    """(n,) n-grams predicted that a reference holds, each at most as often as one reference holds it."""
    predicted, referred = pairs.grams[order - 1]
    most = _most_in_a_reference(referred, pairs.owners)
    _, mine, theirs = np.intersect1d(
        predicted.text * predicted.kinds + predicted.gram,
        most.text * most.kinds + most.gram,
        assume_unique=True,
        return_indices=True,
    )
    clipped = np.minimum(predicted.count[mine], most.count[theirs])
    return np.bincount(predicted.text[mine], clipped, minlength=len(pairs)).astype(np.int64)


def nearest_lengths(pairs: Pairs) -> Ints:
    """(n,) length of each prediction's reference that is nearest in length, the shorter of two."""
    lengths, owners = pairs.reference_lengths, pairs.owners
    order = np.lexsort((lengths, np.abs(lengths - pairs.lengths[owners]), owners))
    first = np.searchsorted(owners, np.arange(len(pairs)))
    return lengths[order[first]]


def _reference_lengths(pairs: Pairs) -> Floats:
    if len(pairs) == 1:
        return np.array([pairs.reference_lengths.mean()])
    return nearest_lengths(pairs).astype(np.float64)


def _most_in_a_reference(referred: GramCounts, owners: Ints) -> GramCounts:
    """For each prediction and n-gram, its largest count in any one reference."""
    cells = owners[referred.text] * referred.kinds + referred.gram
    known, where = np.unique(cells, return_inverse=True)
    most = np.zeros(len(known), dtype=np.int64)
    np.maximum.at(most, where, referred.count)
    return GramCounts(known // referred.kinds, known % referred.kinds, most, referred.kinds)


def _brevity(ratios: Floats) -> Floats:
    """exp(1 - 1 / ratio) where the prediction is the shorter, 1 elsewhere."""
    safe = np.where(ratios > 0, ratios, 1.0)
    short = np.exp(np.minimum(1 - 1 / safe, 0.0))
    return np.asarray(np.where(ratios > 0, short, 0.0))
