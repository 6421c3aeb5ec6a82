"""The texts of a segment's studies -> distinct sentences with claims, and each study's language.

Knows reports and findings; knows nothing of files. Text in a language without a lexicon, a caption's
too, is left whole: it can be searched, and gives no sentence to draft from. Nor does a sentence in
another language within an English report.
"""

from __future__ import annotations

import re
from dataclasses import replace

from xemplar.contracts import Json
from xemplar.corpus import schema
from xemplar.findings import read_claims
from xemplar.records import Sentence, Study, TextKind
from xemplar.report import (
    compares_with_prior,
    is_english,
    language_of,
    language_within,
    normalise,
    sentences,
    text_key,
)


class SentenceTable:
    """The sentences of one segment: equal text is one, with every study that wrote it."""

    def __init__(self, texts: TextKind) -> None:
        self.texts = texts
        self.by_id: dict[str, tuple[str, dict[str, None]]] = {}

    def read(self, study: Study) -> Study:
        """Add a study's sentences; returns it with its language and claims filled in."""
        if not study.text:
            return study
        if not (_says_english(study.language) and is_english(study.text)):
            return replace(study, language=_other_language(study))
        if self.texts == "captions":
            self._add(" ".join(study.text.split()), study.study_id)
            return replace(study, language="en")
        claims = {}
        for part in (study.findings, study.impression):
            for sentence in sentences(part or ""):
                if language_within(sentence, "en") != "en":
                    continue
                self._add(sentence, study.study_id)
                claims.update({claim.meaning: claim for claim in read_claims(sentence)})
        return replace(study, language="en", claims=tuple(claims.values()))

    def _add(self, text: str, study_id: str) -> None:
        if normalise(text):
            self.by_id.setdefault(text_key(text), (text, {}))[1][study_id] = None

    def rows(self) -> list[Json]:
        """One row a sentence, in the order first seen."""
        reads = self.texts == "reports"
        return [
            schema.sentence_row(
                Sentence(
                    sentence_id=key,
                    text=text,
                    study_ids=tuple(study_ids),
                    claims=read_claims(text) if reads else (),
                    compares_with_prior=reads and compares_with_prior(text),
                )
            )
            for key, (text, study_ids) in self.by_id.items()
        ]


def _other_language(study: Study) -> str:
    """The source's own word, "other" where that is English and wrong; without one, what the text shows."""
    if study.language is None:
        return language_of(study.text) or "other"
    return "other" if _says_english(study.language) else study.language


def _says_english(language: str | None) -> bool:
    """Whether a source's own word ("en", "en-GB", "eng", "English") says so, or it has none."""
    return language is None or re.split("[-_]", language.casefold())[0] in ("en", "eng", "english")
