"""All that may be quoted of one archive, laid out once so that a draft weighs every sentence of it.

Knows sentences, their claims and what they cost to quote; knows nothing of images or beliefs. Sentences that
make the same claims share one reading, so that a draft judges readings, thousands, and not sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xemplar.drafting.composition import quotable
from xemplar.drafting.composition.believed import IMPLIED
from xemplar.drafting.composition.order import ORDER
from xemplar.drafting.composition.spans import Span, can_be_cut, label_of, spans
from xemplar.drafting.composition.weights import LINE, NUMBER, RAGGED, RARE, SELDOM
from xemplar.records import Claim, Sentence

_HEART_TOO = re.compile(r"cardio-?\s?(?:mediastin|pericardi)", re.IGNORECASE)
_PLEURA_TOO = re.compile(r"\bpleural\s+spaces?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Quote:
    """A span that may be quoted, and all of it that no film changes.

    `tells` and `implies` are findings as bits: those claimed, and those denied with them unsaid. `cost` is
    what quoting it costs.
    """

    row: int
    span: Span
    claims: tuple[Claim, ...]
    tells: int
    implies: int
    denies_all: bool
    cost: float
    words: int

    @property
    def states(self) -> bool:
        """Whether it says more than that findings are absent."""
        return any(claim.presence != "absent" or claim.change is not None for claim in self.claims)


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Distinct sets of claims, laid flat: reading r is `flat[starts[r]:starts[r + 1]]` of `claims`.

    Within a reading the claims of a finding stand together; `finding_starts` says where each begins,
    and `finding_of` at which of those a reading does. Of each claim: the finding as a bit, whether it is
    said to be present, and whether to have changed.
    """

    claims: tuple[Claim, ...]
    flat: NDArray[np.int64]
    starts: NDArray[np.int64]
    finding_starts: NDArray[np.int64]
    finding_of: NDArray[np.int64]
    bit: NDArray[np.int64]
    present: NDArray[np.bool_]
    changed: NDArray[np.bool_]


class Shelf:
    """The whole sentences that may be quoted, by what they tell, and those of which parts may be."""

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        self.sentences = sentences
        others = {claim.finding for one in sentences for claim in one.claims} - set(ORDER)
        self.findings: tuple[str, ...] = (*ORDER, *sorted(others))
        self.bits = {finding: 1 << place for place, finding in enumerate(self.findings)}
        self._vocabulary = quotable.Words(sentences)
        self._parts: dict[int, tuple[Quote, ...]] = {}
        wholes: list[Quote] = []
        cuttable: dict[tuple[str, str], list[int]] = {}
        self.denying_all: list[int] = []
        """Rows that deny everything at once, and name no finding."""
        for row, sentence in enumerate(sentences):
            if not sentence.claims:
                if quotable.denies_all_alone(sentence.text) and quotable.quotable(sentence):
                    self.denying_all.append(row)
                continue
            if _compares_unread(sentence) or not quotable.quotable(sentence):
                continue
            stands = self._may_stand(sentence.text, sentence.claims)
            if stands:
                wholes.append(self._quote(row, (0, len(sentence.text)), sentence.claims))
            if _worth_cutting(sentence, stands=stands):
                for key in {(claim.finding, claim.presence) for claim in sentence.claims}:
                    cuttable.setdefault(key, []).append(row)
        wholes.sort(key=lambda one: (one.tells, -len(sentences[one.row].study_ids), one.row))
        self.wholes = tuple(wholes)
        self.cuttable = {key: np.array(rows, np.int64) for key, rows in cuttable.items()}
        self._lay_out()

    def mask(self, findings: frozenset[str]) -> int:
        """Findings as bits; one that no sentence names has none."""
        return sum(self.bits.get(finding, 0) for finding in findings)

    def parts(self, row: int) -> tuple[Quote, ...]:
        """The parts of a sentence that may be quoted; kept once they are read."""
        if row not in self._parts:
            sentence = self.sentences[row]
            self._parts[row] = tuple(
                self._quote(row, span, claims)
                for span, claims in spans(sentence)[1:]
                if self._may_stand(sentence.text[slice(*span)], claims)
            )
        return self._parts[row]

    def _may_stand(self, text: str, claims: tuple[Claim, ...]) -> bool:
        """Whether a span may ever be quoted: sure of what it says, all of it read, and no measurement."""
        readable = not self._vocabulary.strange(text) and not quotable.tells_unread(text, claims)
        return readable and _is_sure(claims) and not quotable.is_own(text)

    def _quote(self, row: int, span: Span, claims: tuple[Claim, ...]) -> Quote:
        sentence, words = self.sentences[row], self._vocabulary
        text, cut = sentence.text[slice(*span)], span != (0, len(sentence.text))
        cost = LINE + RARE * words.rare(text) + SELDOM * words.seldom(len(sentence.study_ids))
        cost += RAGGED * quotable.ragged(text, cut=cut) + NUMBER * quotable.numbers(text)
        return Quote(
            row=row,
            span=span,
            claims=claims,
            tells=self.mask(frozenset(claim.finding for claim in claims)),
            implies=self.mask(frozenset(_implied(text, claims))),
            denies_all=quotable.denies_all(text),
            cost=cost,
            words=len(text.split()),
        )

    def _lay_out(self) -> None:
        """The whole sentences as arrays; groups of those that tell the same stand together."""
        known: dict[tuple[int, ...], int] = {}
        claims: dict[object, int] = {}
        distinct: list[Claim] = []
        readings: list[tuple[int, ...]] = []
        of_quote = np.zeros(len(self.wholes), np.int64)
        for place, quote in enumerate(self.wholes):
            for claim in quote.claims:
                if claims.setdefault(claim.meaning, len(distinct)) == len(distinct):
                    distinct.append(claim)
            ids = {claims[claim.meaning] for claim in quote.claims}
            reading = tuple(sorted(ids, key=lambda one: (distinct[one].finding, one)))
            if known.setdefault(reading, len(readings)) == len(readings):
                readings.append(reading)
            of_quote[place] = known[reading]
        self.readings = _readings(tuple(distinct), readings, self.bits)
        self.reading = of_quote
        self.row = np.array([quote.row for quote in self.wholes], np.int64)
        self.tells = np.array([quote.tells for quote in self.wholes], np.int64)
        self.states = np.array([quote.states for quote in self.wholes], np.bool_)
        self.told = np.array([quote.tells.bit_count() for quote in self.wholes], np.float64)
        self.implies = np.array([quote.implies for quote in self.wholes], np.int64)
        self.denies_all = np.array([quote.denies_all for quote in self.wholes], np.bool_)
        self.cost = np.array([quote.cost for quote in self.wholes], np.float64)
        self.words = np.array([quote.words for quote in self.wholes], np.float64)
        masks, starts = np.unique(self.tells, return_index=True)
        ends = [*starts.tolist(), len(self.wholes)][1:]
        self.groups = list(zip(masks.tolist(), starts.tolist(), ends, strict=True))


def _readings(
    claims: tuple[Claim, ...], readings: Sequence[tuple[int, ...]], bits: Mapping[str, int]
) -> Readings:
    flat = [one for reading in readings for one in reading]
    starts: list[int] = []
    finding_starts: list[int] = []
    finding_of: list[int] = []
    at = 0
    for reading in readings:
        starts.append(at)
        finding_of.append(len(finding_starts))
        names = [claims[one].finding for one in reading]
        finding_starts += [at + i for i, name in enumerate(names) if i == 0 or name != names[i - 1]]
        at += len(reading)
    return Readings(
        claims,
        flat=np.array(flat, np.int64),
        starts=np.array(starts, np.int64),
        finding_starts=np.array(finding_starts, np.int64),
        finding_of=np.array(finding_of, np.int64),
        bit=np.array([bits[claim.finding] for claim in claims], np.int64),
        present=np.array([claim.presence == "present" for claim in claims], np.bool_),
        changed=np.array([claim.change is not None for claim in claims], np.bool_),
    )


def _is_sure(claims: tuple[Claim, ...]) -> bool:
    """Whether nothing in it is uncertain, and no finding both stated and denied."""
    said: dict[str, str] = {}
    for claim in claims:
        if claim.presence == "uncertain" or said.setdefault(claim.finding, claim.presence) != claim.presence:
            return False
    return True


def _compares_unread(sentence: Sentence) -> bool:
    """Whether it compares with a prior in words of which no claim tells what has changed."""
    return sentence.compares_with_prior and not any(claim.change for claim in sentence.claims)


def _worth_cutting(sentence: Sentence, *, stands: bool) -> bool:
    """Whether a part may say what the whole can't; of what compares with a prior none is taken."""
    if sentence.compares_with_prior or any(claim.change for claim in sentence.claims):
        return False
    several = len({claim.finding for claim in sentence.claims}) > 1
    return (several or not stands or label_of(sentence.text) > 0) and can_be_cut(sentence.text)


def _implied(text: str, claims: tuple[Claim, ...]) -> Iterator[str]:
    for claim in claims:
        if claim.presence == "absent":
            yield from IMPLIED.get(claim.finding, ())
            if claim.finding == "Enlarged Cardiomediastinum" and _HEART_TOO.search(text):
                yield "Cardiomegaly"
            if claim.finding == "Pleural Effusion" and _PLEURA_TOO.search(text):
                yield from ("Pneumothorax", "Pleural Other")
