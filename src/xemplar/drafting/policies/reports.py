"""A retrieved report -> lines: each of its sentences, with every study that wrote it.

Knows a corpus and an index; knows nothing of why the report was retrieved.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from xemplar.corpus import Corpus
from xemplar.drafting.left_out import LeftOut
from xemplar.index import Index
from xemplar.records import Line, Sentence, Study
from xemplar.report import sentences, text_key
from xemplar.retrieval import Leave


class Reports:
    """Quotes whole reports of an index's studies, sentence by sentence."""

    def __init__(self, corpus: Corpus, index: Index) -> None:
        self.corpus, self._items = corpus, index.items["sentence"]
        self._left_out = LeftOut(corpus, self._items)

    def lines(self, study_id: str, leave: Leave, scores: Mapping[str, float]) -> tuple[Line, ...]:
        """A study's sentences in their order, each once; the study itself is the first of its sources.

        `scores` are the report's, and become each line's; how sure a line is nobody asked, so its
        confidence is None.
        """
        gone = self._left_out.of(leave)
        found: dict[str, Line] = {}
        for sentence in self._of(self.corpus.by_id[study_id]):
            sources = self._left_out.sources(self._row[sentence.sentence_id], gone)
            if sources and sentence.sentence_id not in found:
                found[sentence.sentence_id] = Line(
                    text=sentence.text,
                    sentence_id=sentence.sentence_id,
                    sentence_text=sentence.text,
                    span=(0, len(sentence.text)),
                    source_study_ids=tuple(sorted(sources, key=lambda source: source != study_id)),
                    claims=sentence.claims,
                    scores=dict(scores),
                )
        return tuple(found.values())

    def quotable(self, study_id: str) -> bool:
        """Whether any of a study's sentences can be quoted; in a language without a lexicon none can."""
        return bool(self._of(self.corpus.by_id[study_id]))

    def _of(self, study: Study) -> list[Sentence]:
        if self.corpus.settings.texts == "captions":
            texts = [" ".join(study.text.split())]
        else:
            texts = [one for part in (study.findings, study.impression) for one in sentences(part or "")]
        return [self._by_key[key] for key in map(text_key, texts) if key in self._by_key]

    @cached_property
    def _by_key(self) -> dict[str, Sentence]:
        """Those that the index holds."""
        return {one.sentence_id: one for one in self.corpus.sentences if one.sentence_id in self._row}

    @cached_property
    def _row(self) -> dict[str, int]:
        return {sentence_id: row for row, sentence_id in enumerate(self._items.ids)}
