"""Beliefs -> lines: for each finding the best span of a real sentence, with every study that wrote it.

Knows sentences and their claims; knows nothing of how the beliefs came about. A span may be cut from
its sentence only where, read again, it makes the claims that it made inside it, and none that speaks
against a line before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from xemplar.corpus import Corpus
from xemplar.drafting.left_out import Gone, LeftOut
from xemplar.findings import read_claims, summarise
from xemplar.index import Index
from xemplar.records import Claim, Line, Sentence, Vectors
from xemplar.report import stands_alone
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

_OWN = re.compile(
    r"\d\s*(?:%|percent\b|per cent\b|[cm]m\b|ml\b|degrees?\b)"
    r"|\b\d{1,4}[/:]\d{1,2}(?:/\d{2,4})?\b|\b\d{1,4}[.-]\d{1,2}[.-]\d{1,4}\b",
    re.IGNORECASE,
)
"""Measurements, dates and times: true of the study they were written for and of no other."""

_CUTS = re.compile(r"(?:[;,]\s+|\s+)(?:and|but|with|without)\s+|[;,]\s+")
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Allowed:
    """What a draft may say: findings with their probability of presence, and what it has said before."""

    beliefs: Mapping[str, float]
    denials: Mapping[str, float]
    said: tuple[Claim, ...]

    def allows(self, claim: Claim) -> bool:
        """Believed as it stands, and of no other side or degree than what the draft said before."""
        believed = {"present": self.beliefs, "absent": self.denials, "uncertain": {}}[claim.presence]
        before = [said for said in self.said if said.finding == claim.finding]
        return claim.finding in believed and (not before or any(_agrees(claim, said) for said in before))

    def least_sure(self, claims: tuple[Claim, ...]) -> float:
        """The smallest probability that a finding is there, or absent, as it is said."""
        return min(
            self.beliefs[claim.finding] if claim.presence == "present" else 1 - self.denials[claim.finding]
            for claim in claims
        )


@dataclass(frozen=True, slots=True)
class _Cut:
    """A span of a sentence, and what it claims."""

    sentence: Sentence
    span: Span
    claims: tuple[Claim, ...]


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

        One that compares with a prior, points to something said elsewhere, holds a notice, or measures
        something of its own study can't.
        """
        rows: dict[tuple[str, str], list[int]] = {}
        for row, sentence in enumerate(self.sentences):
            if sentence.compares_with_prior or any(claim.change for claim in sentence.claims):
                continue
            if not sentence.claims or not stands_alone(sentence.text) or _OWN.search(sentence.text):
                continue
            for finding, presence in summarise(sentence.claims).items():
                rows.setdefault((finding, presence), []).append(row)
        return {key: np.array(values, np.int64) for key, values in rows.items()}

    def compose(
        self, vector: Vectors, beliefs: Mapping[str, float], denials: Mapping[str, float], *, leave: Leave
    ) -> tuple[tuple[Line, ...], dict[str, str]]:
        """Lines for what is believed present, then for what is denied; and what no sentence says.

        `vector` is (dim,); `beliefs` and `denials` map findings to the probability of presence.
        """
        similar = np.asarray(self.index.items["sentence"].vectors) @ vector
        gone = self._left_out.of(leave)
        lines: list[Line] = []
        silent: dict[str, str] = {}
        said: list[Claim] = []
        for presence, findings in (("present", beliefs), ("absent", denials)):
            for finding in ORDER:
                if finding not in findings or any(claim.finding == finding for claim in said):
                    continue
                allowed = _Allowed(beliefs, denials, tuple(said))
                line = self._best((finding, presence), similar, allowed=allowed, gone=gone)
                if line is None:
                    silent[finding] = (
                        f"no sentence of the archive says it is {presence} and nothing unbelieved"
                    )
                else:
                    lines.append(line)
                    said.extend(line.claims)
        covered = {claim.finding for claim in said}
        # A later line may say what none of the nearest sentences said by themselves.
        return tuple(lines), {name: why for name, why in silent.items() if name not in covered}

    def _best(
        self,
        wanted: tuple[str, str],
        similar: NDArray[np.float32],
        *,
        allowed: _Allowed,
        gone: Gone,
    ) -> Line | None:
        """The span nearest to the image that says this and nothing that isn't allowed."""
        rows = self._stating.get(wanted)
        if rows is None:
            return None
        for row in rows[np.lexsort((rows, -similar[rows]))][:_LOOKED_AT].tolist():
            sentence = self.sentences[row]
            sources = self._left_out.sources(row, gone)
            if not sources:
                continue
            for span, claims in spans(sentence):
                if _says(claims, wanted) and all(allowed.allows(claim) for claim in claims):
                    cut = _Cut(sentence, span, claims)
                    sure = allowed.least_sure(claims)
                    return _line(cut, sources, confidence=sure, cosine=float(similar[row]))
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


def _says(claims: tuple[Claim, ...], wanted: tuple[str, str]) -> bool:
    return any((claim.finding, claim.presence) == wanted for claim in claims)


def _agrees(claim: Claim, said: Claim) -> bool:
    """Whether two claims of one finding can both hold: none names a side or degree the other doesn't."""
    return all(
        mine is None or theirs is None or mine == theirs
        for mine, theirs in ((claim.side, said.side), (claim.degree, said.degree))
    )


def _line(cut: _Cut, sources: tuple[str, ...], *, confidence: float, cosine: float) -> Line:
    return Line(
        text=cut.sentence.text[cut.span[0] : cut.span[1]],
        sentence_id=cut.sentence.sentence_id,
        sentence_text=cut.sentence.text,
        span=cut.span,
        source_study_ids=sources,
        claims=cut.claims,
        scores={"cosine": cosine},
        confidence=confidence,
    )
