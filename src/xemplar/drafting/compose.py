"""Beliefs -> lines: for each finding the best span of a real sentence, with every study that wrote it.

Knows sentences and their claims; knows nothing of how the beliefs came about. A span may be cut from
its sentence only where, read again, it makes the claims that it made inside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from xemplar.corpus import Corpus
from xemplar.drafting.left_out import Gone, LeftOut
from xemplar.findings import read_claims, summarise
from xemplar.index import Index
from xemplar.records import Claim, Line, Sentence, Vectors
from xemplar.report import points_elsewhere
from xemplar.retrieval import Leave

ORDER = (
    "Support Devices",
    "Cardiomegaly",
    "Enlarged Cardiomediastinum",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Lung Opacity",
    "Lung Lesion",
    "Pleural Effusion",
    "Pneumothorax",
    "Pleural Other",
    "Fracture",
)
"""The usual order of a report: devices, heart and mediastinum, lungs, pleura, bones."""

_LOOKED_AT = 40
"""Nearest sentences tried for a finding before it is given up."""

_CUTS = re.compile(r"(?:[;,]\s+|\s+)(?:and|but|with|without)\s+|[;,]\s+")
Span = tuple[int, int]


class Composer:
    """Composes the lines of a draft from one index's sentences."""

    def __init__(self, corpus: Corpus, index: Index) -> None:
        self.corpus, self.index = corpus, index
        by_id = {sentence.sentence_id: sentence for sentence in corpus.sentences}
        self.sentences = tuple(by_id[sentence_id] for sentence_id in index.items["sentence"].ids)
        self._left_out = LeftOut(corpus, index.items["sentence"])

    @cached_property
    def _stating(self) -> dict[tuple[str, str], NDArray[np.int64]]:
        """(finding, presence) -> rows of sentences with such a claim that can stand alone.

        One that compares with a prior, or points to something said elsewhere, can't.
        """
        rows: dict[tuple[str, str], list[int]] = {}
        for row, sentence in enumerate(self.sentences):
            if sentence.compares_with_prior or any(claim.change for claim in sentence.claims):
                continue
            if points_elsewhere(sentence.text):
                continue
            for finding, presence in summarise(sentence.claims).items():
                rows.setdefault((finding, presence), []).append(row)
        return {key: np.array(values, np.int64) for key, values in rows.items()}

    def compose(
        self, vector: Vectors, beliefs: Mapping[str, float], denials: Mapping[str, float], leave: Leave
    ) -> tuple[tuple[Line, ...], dict[str, str]]:
        """Lines for what is believed present, then for what is denied; and what no sentence says.

        `vector` is (dim,); `beliefs` and `denials` map findings to the probability of presence.
        """
        similar = np.asarray(self.index.items["sentence"].vectors) @ vector
        gone = self._left_out.of(leave)
        lines: list[Line] = []
        silent: dict[str, str] = {}
        covered: set[str] = set()
        for presence, findings in (("present", beliefs), ("absent", denials)):
            for finding in ORDER:
                if finding not in findings or finding in covered:
                    continue
                line = self._best(finding, presence, similar, (beliefs, denials), gone)
                if line is None:
                    silent[finding] = (
                        f"no sentence of the archive says it is {presence} and nothing unbelieved"
                    )
                else:
                    lines.append(line)
                    covered.update(claim.finding for claim in line.claims)
        # A later line may say what none of the nearest sentences said by themselves.
        return tuple(lines), {name: why for name, why in silent.items() if name not in covered}

    def _best(
        self,
        finding: str,
        presence: str,
        similar: NDArray[np.float32],
        believed: tuple[Mapping[str, float], Mapping[str, float]],
        gone: Gone,
    ) -> Line | None:
        """The span nearest to the image that says this and nothing that isn't believed."""
        rows = self._stating.get((finding, presence))
        if rows is None:
            return None
        for row in rows[np.lexsort((rows, -similar[rows]))][:_LOOKED_AT].tolist():
            sentence = self.sentences[row]
            sources = self._left_out.sources(row, gone)
            if not sources:
                continue
            for span, claims in spans(sentence):
                if _says(claims, finding, presence) and _all_believed(claims, believed):
                    return _line(sentence, span, claims, (sources, believed, float(similar[row])))
        return None


def spans(sentence: Sentence) -> tuple[tuple[Span, tuple[Claim, ...]], ...]:
    """The whole sentence, then every part of it that keeps its claims when read alone; longest first."""
    return _spans(sentence.text, sentence.claims)


@lru_cache(maxsize=20_000)
def _spans(text: str, whole: tuple[Claim, ...]) -> tuple[tuple[Span, tuple[Claim, ...]], ...]:
    """Kept by text and claims alone: a sentence may name 20,000 studies, all of which it would hash."""
    found = [((0, len(text)), whole)]
    for start, end in sorted(_parts(text), key=lambda part: part[0] - part[1]):
        inside = [claim for claim in whole if start <= claim.span[0] and claim.span[1] <= end]
        crossing = [c for c in whole if c not in inside and c.span[0] < end and c.span[1] > start]
        again = read_claims(text[start:end])
        if inside and not crossing and {c.meaning for c in again} == {c.meaning for c in inside}:
            found.append(((start, end), again))
    return tuple(found)


def _parts(text: str) -> Iterator[Span]:
    """Every stretch between two places where a sentence may be cut."""
    cuts = [(match.start(), match.end()) for match in _CUTS.finditer(text)]
    starts = [0, *[end for _, end in cuts]]
    ends = [*[start for start, _ in cuts], len(text)]
    for start in starts:
        for end in ends:
            if start < end and (start, end) != (0, len(text)):
                yield start, end


def _says(claims: tuple[Claim, ...], finding: str, presence: str) -> bool:
    return any(claim.finding == finding and claim.presence == presence for claim in claims)


def _all_believed(
    claims: tuple[Claim, ...], believed: tuple[Mapping[str, float], Mapping[str, float]]
) -> bool:
    beliefs, denials = believed
    allowed = {"present": beliefs, "absent": denials, "uncertain": {}}
    return all(claim.finding in allowed[claim.presence] for claim in claims)


def _line(
    sentence: Sentence,
    span: Span,
    claims: tuple[Claim, ...],
    rest: tuple[tuple[str, ...], tuple[Mapping[str, float], Mapping[str, float]], float],
) -> Line:
    sources, (beliefs, denials), cosine = rest
    sure = [beliefs[c.finding] if c.presence == "present" else 1 - denials[c.finding] for c in claims]
    return Line(
        text=sentence.text[span[0] : span[1]],
        sentence_id=sentence.sentence_id,
        sentence_text=sentence.text,
        span=span,
        source_study_ids=sources,
        claims=claims,
        scores={"cosine": cosine},
        confidence=min(sure),
    )
