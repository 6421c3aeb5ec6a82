"""What a system's drafts say, held against what is true and against what was written.

Knows texts, claims and truth; knows no system. The same for our drafts, for floors and for predictions
that somebody else made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from xemplar.evaluation.benchmark.asked import Asked, Columns, scattered
from xemplar.findings import read_claims, summarise
from xemplar.metrics.clinical import count_labels
from xemplar.metrics.wording import bleu2_rexrank, pair_texts, rouge_l
from xemplar.records import Claim, Draft, Presence
from xemplar.report import is_english, sentences

COUNTS, BLEU2, ROUGE, LENGTH = "draft counts", "draft BLEU-2", "draft ROUGE-L", "draft words"


def text_of(draft: Draft) -> str:
    """A draft's lines as one text."""
    return " ".join(line.text for line in draft.lines)


def claimed_in(draft: Draft) -> dict[str, Presence]:
    """Finding -> what a draft's lines say of it on the whole."""
    return summarise(claim for line in draft.lines for claim in line.claims)


def read_in(text: str) -> dict[str, Presence]:
    """Finding -> what a text says of it; of another language than English nothing is read."""
    if not text.strip() or not is_english(text):
        return {}
    claims: Iterable[Claim] = (claim for one in sentences(text) for claim in read_claims(one))
    return summarise(claims)


def draft_columns(asked: Asked, texts: Sequence[str], said: Sequence[Mapping[str, Presence]]) -> Columns:
    """Label counts (n, findings, 3), and wording of those that wrote a text; one draft a study, in order."""
    found: Columns = {LENGTH: np.array([float(len(text.split())) for text in texts])}
    if asked.findings:
        stated = [[one.get(name) == "present" for name in asked.findings] for one in said]
        table = np.array(stated, np.bool_).reshape(asked.truth.shape)
        found[COUNTS] = count_labels(table, asked.truth, findings=asked.findings).counts.astype(np.int8)
    rows = np.flatnonzero(asked.written).tolist()
    if rows:
        drafted, written = [texts[row] for row in rows], [asked.texts[row] for row in rows]
        found[BLEU2] = scattered(asked, rows, bleu2_rexrank(drafted, written).per_pair)
        found[ROUGE] = scattered(asked, rows, rouge_l(pair_texts(drafted, written)).per_pair)
    return found


def text_columns(asked: Asked, texts: Sequence[str]) -> Columns:
    """The same of texts that the labeler has still to read."""
    known: dict[str, dict[str, Presence]] = {}
    for text in texts:
        if text not in known:
            known[text] = read_in(text) if asked.findings else {}
    return draft_columns(asked, texts, [known[text] for text in texts])
