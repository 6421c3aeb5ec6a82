"""X-REM's way: the nearest reports, ranked again by a matcher, kept while they agree and add something.

Knows the order of the stages; matcher and filter are handed in. Jeong et al., 2023: whole reports, as
theirs were whole impressions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from xemplar.assembly import Assembly
from xemplar.contracts import Matcher, TextStates
from xemplar.drafting.judges import Filter, closed
from xemplar.drafting.matched import Choosable
from xemplar.drafting.policies.case import Assembled, Case
from xemplar.drafting.policies.reports import Reports
from xemplar.drafting.policies.top import distinct
from xemplar.folders import fingerprint
from xemplar.records import Hit, Line
from xemplar.report import text_key
from xemplar.rerank import reranked
from xemplar.retrieval import Retriever


@runtime_checkable
class KeepsTexts(Protocol):
    """A matcher that can write what it prepares to a folder, and is told from others."""

    fingerprint: str

    def prepare_to(self, folder: Path, texts: Sequence[str]) -> TextStates:
        """Prepared texts, memory-mapped."""
        ...


class Consistent:
    """Of the `first` distinct reports by cosine the matcher's best `keep`, of which up to `count` stay.

    Without a matcher cosine alone says which `keep` are best. The archive's reports are prepared once,
    in memory or, with `folder`, on disk, where another process finds them again. A study's several
    films are matched one by one, and their scores averaged. Lines have the report's `cosine` and
    `matcher` score, and no confidence: nothing here is calibrated.
    """

    def __init__(
        self,
        retriever: Retriever,
        assembly: Assembly,
        by: Filter,
        *,
        matcher: Matcher | None,
        folder: Path | None = None,
    ) -> None:
        self.retriever, self.assembly, self.filter, self.matcher = retriever, assembly, by, matcher
        self.folder = folder
        self._reports = Reports(retriever.corpus, retriever.index)

    @property
    def policy(self) -> str:
        """Names every stage, who ranks and who judges."""
        one = self.assembly
        ranked = f"{one.keep} of {one.first} by {'cosine alone' if self.matcher is None else 'matcher'}"
        return f"up to {one.count} whole reports of {ranked}, judged by {self.filter.name}, v1"

    def drafts(self, cases: Sequence[Case]) -> list[Assembled]:
        """The kept reports' sentences, best report first, each sentence once."""
        return [Assembled(self._lines(case)) for case in cases]

    def kept(self, case: Case) -> list[Hit]:
        """The reports that stay, best first, with the scores of both stages."""
        near = self.candidates(case)
        chosen = self.filter.kept([self._judged(hit) for hit in near], self.assembly.count)
        return [near[place] for place in chosen]

    def candidates(self, case: Case) -> list[Hit]:
        """What the filter chooses from: the matcher's best `keep`, best first."""
        near = distinct(self.retriever, case, self._reports, unit="report", count=self.assembly.first)
        if self.matcher is None or not near:
            return near[: self.assembly.keep]
        return reranked(near, self._match(self.matcher, case, near), keep=self.assembly.keep)

    def _lines(self, case: Case) -> tuple[Line, ...]:
        lines: dict[str, Line] = {}
        for hit in self.kept(case):
            scores = {"cosine" if stage == "vectors" else stage: value for stage, value in hit.scores.items()}
            for line in self._reports.lines(hit.study_ids[0], case.leave, scores):
                lines.setdefault(line.sentence_id, line)
        return tuple(lines.values())

    def _judged(self, hit: Hit) -> str:
        """A report as a judge reads it: findings and impression, neither running into the other."""
        study = self.retriever.corpus.by_id[hit.study_ids[0]]
        return " ".join(closed(part) for part in (study.findings, study.impression) if part)

    def _match(self, matcher: Matcher, case: Case, near: Sequence[Hit]) -> NDArray[np.float64]:
        """A score for each hit's report."""
        states = self._states
        if isinstance(states, Choosable):
            chosen = states.take([self._texts[text_key(hit.text or "")][0] for hit in near])
        else:
            chosen = matcher.prepare([_flat(hit.text or "") for hit in near])
        images = [film.image for film in case.films]
        scores = np.asarray(matcher.match(images, chosen).scores, np.float64)
        return np.asarray(scores.mean(axis=0), np.float64)

    @cached_property
    def _texts(self) -> dict[str, tuple[int, str]]:
        """Key of every distinct report that can be retrieved -> its row and text, by rising key."""
        items = self.retriever.items("report")
        studies = (self.retriever.corpus.by_id[name] for ids in items.study_ids for name in ids)
        first: dict[str, str] = {}
        for study in studies:
            if study.text:
                first.setdefault(text_key(study.text), _flat(study.text))
        return {key: (row, first[key]) for row, key in enumerate(sorted(first))}

    @cached_property
    def _states(self) -> TextStates:
        assert self.matcher is not None
        texts = [text for _, text in self._texts.values()]
        if self.folder is None or not isinstance(self.matcher, KeepsTexts):
            return self.matcher.prepare(texts)
        # Named by what it holds, and its manifest is written last: what is there is whole and fits.
        place = self.folder / fingerprint([self.matcher.fingerprint, texts])
        if (place / "texts.json").is_file():
            from xemplar.models.matching import PreparedTexts  # torch is loaded with the matcher

            return PreparedTexts.open(place)
        return self.matcher.prepare_to(place, texts)


def _flat(text: str) -> str:
    """A report as it is trained on and indexed: in one line."""
    return " ".join(text.split())
