"""The nearest studies that speak for a finding and against it, with the words they do it in.

Knows the retriever and the claims of reports; knows nothing of probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xemplar.findings import summarise
from xemplar.records import Film, Hit, Kind, Presence, Sentence
from xemplar.retrieval import Leave, Retriever

NEAR = 100
"""So many of the nearest studies are heard."""

SHOWN = 3
"""So many on each side are told, and so many of the most similar studies where nothing is called."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What one study's report says of a finding, and how near its film is."""

    study_id: str
    cosine: float
    presence: Presence
    sentence_id: str
    text: str
    span: tuple[int, int]
    """[start, end) of the claim in the sentence's text."""


class Precedents:
    """Finds the studies near a film, and what they say."""

    def __init__(self, retriever: Retriever) -> None:
        self.retriever = retriever

    def near(
        self, films: Sequence[Film], vector: NDArray[np.float32], leave: Leave, *, count: int = NEAR
    ) -> tuple[Hit, ...]:
        """The nearest studies by their films (their reports, where no film is indexed), best first."""
        kind: Kind = "image" if "image" in self.retriever.index.items else "report"
        return self.retriever.search(films, kind, count, leave=leave, vector=vector)

    def sides(self, finding: str, hits: Sequence[Hit]) -> tuple[tuple[Spoken, ...], tuple[Spoken, ...]]:
        """The first few of `hits` that state a finding or suspect it, and the first few that deny it."""
        sides: tuple[list[Spoken], list[Spoken]] = ([], [])
        for hit in hits:
            spoken = self._spoken(finding, hit)
            if spoken is not None:
                side = sides[spoken.presence == "absent"]
                if len(side) < SHOWN:
                    side.append(spoken)
            if min(map(len, sides)) == SHOWN:
                break
        return tuple(sides[0]), tuple(sides[1])

    def _spoken(self, finding: str, hit: Hit) -> Spoken | None:
        study_id = hit.study_ids[0]
        presence = summarise(self.retriever.corpus.by_id[study_id].claims).get(finding)
        if presence is None:
            return None
        for sentence in self._sentences.get(study_id, ()):
            for claim in sentence.claims:
                if (claim.finding, claim.presence) == (finding, presence):
                    return Spoken(
                        study_id, hit.score, presence, sentence.sentence_id, sentence.text, claim.span
                    )
        return None

    @cached_property
    def _sentences(self) -> dict[str, list[Sentence]]:
        """study_id -> its sentences that claim something."""
        wrote: dict[str, list[Sentence]] = {}
        for sentence in self.retriever.corpus.sentences:
            if sentence.claims:
                for study_id in sentence.study_ids:
                    wrote.setdefault(study_id, []).append(sentence)
        return wrote
