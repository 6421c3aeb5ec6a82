"""CIDEr-D as coco-caption computes it, under the name it gives it.

Knows pairs in words. R. Vedantam et al., CIDEr: Consensus-based Image Description Evaluation (2015),
with what the program does otherwise than the paper: see `cider_d`.
"""

from __future__ import annotations

import numpy as np

from xemplar.metrics.wording.pairs import GramCounts, Ints, Pairs
from xemplar.metrics.wording.score import Floats, WordingScore, mean_score

_SIGMA = 6.0
_ORDERS = 4


def cider_d(pairs: Pairs) -> WordingScore:
    """CIDEr-D of coco-caption, in 0..10; the whole is the mean over pairs.

    The mean over n = 1..4 of the cosine of tf-idf vectors, the prediction's clipped at the reference's,
    times a Gaussian of the difference in length with sigma 6, times 10, averaged over references. As
    in the program, a length is the number of bigrams, and the idf is log(pairs) - log(pairs whose
    references hold the n-gram) over the very pairs being scored: one pair alone gets 0, and scores of
    different sets don't compare. An interval from `sums` keeps that idf as it is in every replicate.
    """
    total = np.zeros(len(pairs.owners))
    for predicted, referred in pairs.grams:
        total += _cosines(pairs, predicted, referred)
    bigrams, other_bigrams = np.maximum(pairs.lengths - 1, 0), np.maximum(pairs.reference_lengths - 1, 0)
    apart = bigrams[pairs.owners] - other_bigrams
    each = 10 / _ORDERS * total * np.exp(-(apart**2) / (2 * _SIGMA**2))
    several = np.bincount(pairs.owners, minlength=len(pairs))
    per_pair = np.bincount(pairs.owners, each, minlength=len(pairs)) / several
    return mean_score("CIDEr-D", pairs.tokeniser, per_pair)


def _cosines(pairs: Pairs, predicted: GramCounts, referred: GramCounts) -> Floats:
    """(r,) of each reference with its prediction, for one order."""
    owners, kinds = pairs.owners, predicted.kinds
    holding = np.unique(owners[referred.text] * kinds + referred.gram) % kinds
    idf = np.log(len(pairs)) - np.log(np.maximum(np.bincount(holding, minlength=kinds), 1.0))
    mine, theirs = predicted.count * idf[predicted.gram], referred.count * idf[referred.gram]
    cells = predicted.text * kinds + predicted.gram
    at = _find(cells, owners[referred.text] * kinds + referred.gram)
    both = at >= 0
    clipped = np.minimum(mine[at[both]], theirs[both]) * theirs[both]
    products = np.bincount(referred.text[both], clipped, minlength=len(owners))
    norms = np.sqrt(np.bincount(predicted.text, mine**2, minlength=len(pairs)))[owners]
    norms = norms * np.sqrt(np.bincount(referred.text, theirs**2, minlength=len(owners)))
    return np.asarray(products / np.where(norms > 0, norms, 1.0))


def _find(cells: Ints, wanted: Ints) -> Ints:
    """Where each wanted cell stands among the ordered cells, -1 where it doesn't."""
    if not len(cells):
        return np.full(len(wanted), -1)
    at = np.minimum(np.searchsorted(cells, wanted), len(cells) - 1)
    return np.where(cells[at] == wanted, at, -1)
