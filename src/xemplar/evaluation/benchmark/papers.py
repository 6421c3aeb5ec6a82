"""Each recipe's own paper's scores, of every system: TxtRayAlign's, MedCLIP's, and X-REM's rates.

Knows an archive's vectors, texts and claims; all queries are films, and what is retrieved is of the
training part, so that nobody's own text is in the bank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from xemplar.contracts import Json
from xemplar.drafting.judges import ByVerdict
from xemplar.drafting.policies.consistent import Consistent
from xemplar.evaluation.benchmark.asked import Asked, Columns, scattered
from xemplar.evaluation.benchmark.asking import Questions
from xemplar.findings import FINDINGS, summarise
from xemplar.metrics.labels import presence_table
from xemplar.metrics.meteor import meteor_es
from xemplar.metrics.retrieved import Flavour, retrieved_scores
from xemplar.metrics.wording import bleu, cider_d, pair_texts, rouge_l
from xemplar.report import text_key
from xemplar.rerank import VERDICTS

DEPTHS = (1, 2, 3)
"""Sentences that TxtRayAlign retrieves."""

CAPTIONS = 3
"""Captions that MedCLIP retrieves; each is scored by itself."""

FLAVOURS: tuple[Flavour, ...] = ("corrected", "txtrayalign")
TXTRAYALIGN, MEDCLIP = "TxtRayAlign ", "MedCLIP "
BLEU, METEOR, CIDER, ROUGE = (f"{MEDCLIP}{name}" for name in ("BLEU", "METEOR", "CIDEr-D", "ROUGE-L"))


def label_columns(questions: Questions) -> Columns:
    """`TxtRayAlign <flavour>@k` (n, 7): sums over the labels of the nearest k labelled sentences.

    A query's labels are what its own report claims, as theirs were.
    """
    corpus, items = questions.archive.corpus, questions.archive.index.items.get("sentence")
    if items is None or not questions.rows:
        return {}
    claims = {sentence.sentence_id: sentence.claims for sentence in corpus.sentences}
    known = [_known(summarise(claims[sentence_id])) for sentence_id in items.ids]
    bank = [row for row, said in enumerate(known) if said]
    if len(bank) < max(DEPTHS):
        return {}
    scores = questions.vectors @ np.asarray(items.vectors)[bank].T
    top = np.argsort(-scores, axis=1, kind="stable")[:, : max(DEPTHS)]
    asked = questions.asked
    queries = presence_table(
        [_known(summarise(asked.studies[row].claims)) for row in questions.rows], FINDINGS
    )
    table = presence_table([known[row] for row in bank], FINDINGS)
    return {
        f"{TXTRAYALIGN}{flavour}@{k}": scattered(
            asked, questions.rows, retrieved_scores(queries, table, top, k=k, flavour=flavour).sums
        )
        for flavour in FLAVOURS
        for k in DEPTHS
    }


def _known(said: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in said.items() if name in FINDINGS}


def caption_columns(questions: Questions) -> Columns:
    """MedCLIP's scores of the nearest distinct texts of the index, each held against the study's own."""
    items = questions.archive.index.items.get("report")
    rows = np.flatnonzero(np.isin(questions.rows, np.flatnonzero(questions.asked.written)))
    if items is None or not len(rows):
        return {}
    corpus = questions.archive.corpus
    texts = [" ".join(corpus.by_id[study_id].text.split()) for study_id in items.ids]
    first = np.unique([text_key(text) for text in texts], return_index=True)[1]
    scores = questions.vectors[rows] @ np.asarray(items.vectors)[first].T
    top = first[np.argsort(-scores, axis=1, kind="stable")[:, :CAPTIONS]]
    said = [[texts[row] for row in best] for best in top]
    return wording_columns(questions.asked, [questions.rows[row] for row in rows], said)


def wording_columns(asked: Asked, rows: Sequence[int], said: Sequence[Sequence[str]]) -> Columns:
    """Sums of BLEU (n, 10) and METEOR (n, 11), means of CIDEr-D and ROUGE-L (n,), over each one's texts."""
    count = len(said[0])
    flat = [text for texts in said for text in texts]
    pairs = pair_texts(flat, [asked.texts[row] for row in rows for _ in range(count)])

    def added(values: NDArray[np.generic]) -> NDArray[np.float64]:
        each = np.asarray(values, np.float64).reshape(len(rows), count, *values.shape[1:])
        return np.asarray(each.sum(axis=1), np.float64)

    return {
        BLEU: scattered(asked, rows, added(bleu(pairs)[0].sums)),
        METEOR: scattered(asked, rows, added(meteor_es(pairs).sums)),
        CIDER: scattered(asked, rows, added(cider_d(pairs).per_pair) / count),
        ROUGE: scattered(asked, rows, added(rouge_l(pairs).per_pair) / count),
    }


def forget_verdicts(questions: Questions) -> None:
    """Count the judge's verdicts from here on, so that rates are of one set's drafts alone."""
    if (judge := _judge(questions)) is not None:
        judge.said.clear()


def filter_rates(questions: Questions) -> Json | None:
    """How often X-REM's judge said what, since that was last forgotten; None where nobody judges so."""
    if (judge := _judge(questions)) is None:
        return None
    said = judge.said
    return {
        "judge": judge.name,
        "asked": said.total(),
        **{verdict: said[verdict] / max(1, said.total()) for verdict in VERDICTS},
    }


def _judge(questions: Questions) -> ByVerdict | None:
    if questions.archive.assembly.policy != "consistent":
        return None
    drafter = questions.archive.drafter
    if not isinstance(drafter, Consistent) or not isinstance(drafter.filter, ByVerdict):
        return None
    return drafter.filter
