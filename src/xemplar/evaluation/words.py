"""The words of drafts against the words really written, beside floors drawn from the training part.

Knows drafts, studies and the scores of texts; knows no image.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xemplar.contracts import Json
from xemplar.corpus import Corpus
from xemplar.evaluation.scores import Resampling
from xemplar.evaluation.texts.floors import Pool
from xemplar.evaluation.texts.pairs import pair_up
from xemplar.evaluation.texts.run import HEADLINES, TextScores, TextSettings, score_texts
from xemplar.findings import summarise
from xemplar.records import Draft, Study


def score_words(
    corpus: Corpus, studies: Sequence[Study], drafts: Sequence[Draft], *, resampling: Resampling
) -> TextScores | None:
    """Each draft's lines against its study's text; None where fewer than two patients wrote one.

    Floors draw from the training part, which holds no patient evaluated here.
    """
    written = {study.study_id: study.text for study in studies if study.text}
    clusters = {study.study_id: study.facets["cluster"] for study in studies if study.text}
    if len(set(clusters.values())) < 2:
        return None
    said = {
        study.study_id: " ".join(line.text for line in draft.lines)
        for study, draft in zip(studies, drafts, strict=True)
    }
    settings = TextSettings(
        texts=corpus.settings.texts,
        section="both" if corpus.settings.texts == "reports" else "caption",
        replicates=resampling.replicates,
        seed=resampling.seed,
        domain=corpus.settings.domain,
    )
    return score_texts(pair_up(said, written, clusters), settings, system="drafts", pool=_pool(corpus))


def in_short(scores: TextScores | None) -> Json | None:
    """What the summary of an evaluation tells of them: wording, and the main label scores."""
    if scores is None:
        return None
    labels = [row for row in scores.summary["labels"] if row["measure"] in HEADLINES]
    return {
        "studies": scores.summary["studies"],
        "counted": scores.summary["counted"],
        "settings": scores.summary["settings"],
        "scores": [*scores.summary["wording"], *labels],
    }


def _pool(corpus: Corpus) -> Pool:
    """The English texts of the training part; normal are those that deny something and state nothing."""
    train = [study for study in corpus.part("train") if study.text and study.language in (None, "en")]
    return Pool(
        tuple(study.text for study in train),
        np.array([study.facets["cluster"] for study in train], np.str_),
        np.array([_is_normal(study) for study in train], np.bool_),
    )


def _is_normal(study: Study) -> bool:
    said = {name: value for name, value in summarise(study.claims).items() if name != "Support Devices"}
    return bool(said) and all(value == "absent" for value in said.values())
