"""Scores of wording: BLEU, ROUGE-L, CIDEr-D, as the programs compute them that made them famous.

Knows texts and their references; knows nothing of findings. Each result says with which tokeniser it
was computed; `xemplar.metrics.meteor` has the aligned score.
"""

from xemplar.metrics.wording.bleu import bleu, bleu2_rexrank, bleu_from_sums
from xemplar.metrics.wording.cider import cider_d
from xemplar.metrics.wording.pairs import Pairs, pair_texts
from xemplar.metrics.wording.rouge import rouge_l, rouge_l_f1
from xemplar.metrics.wording.score import WordingScore, mean_score

__all__ = [
    "Pairs",
    "WordingScore",
    "bleu",
    "bleu2_rexrank",
    "bleu_from_sums",
    "cider_d",
    "mean_score",
    "pair_texts",
    "rouge_l",
    "rouge_l_f1",
]
