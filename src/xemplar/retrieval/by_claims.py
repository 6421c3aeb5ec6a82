"""What a text claims -> how far each report of an index agrees with it.

Knows claims and how much each is worth; knows neither vectors nor words, and no filter. Like words in
BM25, claims that few reports make weigh more (K. Spärck Jones, 1972), so that "no pneumothorax", which
most reports say, finds next to nothing, and a pneumothorax finds its like.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xemplar.findings import read_claims, summarise
from xemplar.records import Claim, Presence
from xemplar.report import language_within, sentences

_DETAILS = ("side", "place", "degree")
_SIDES = ("left", "right")
_ANY = ""
"""Of a detail: whatever it is."""

Rows = NDArray[np.int32]
Detail = tuple[str, str, str]
"""Finding, kind of detail, value."""


@dataclass(frozen=True, slots=True)
class ClaimWeights:
    """What agreement is worth: 1 for a finding that both assert, times its rarity; all of these in 0..1.

    Denial, contradiction and length were chosen by human labels (benchmarks/text_search.py), on the half of
    the reports that nothing is scored on; doubt and detail, of which those labels say nothing, by hand.
    """

    denial: float = 0.1
    """A finding that both deny."""
    contradiction: float = 0.5
    """What one asserts and the other denies, taken off."""
    doubt: float = 0.5
    """What is present for one and uncertain for the other, as a share."""
    detail: float = 0.2
    """Side, place or degree of a finding, each: added where it is the same, taken off where it differs."""
    length: float = 0.1
    """How much a report that claims much else is held back: 0 not at all, 1 as in a cosine."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What a text says on the whole: each finding's presence, and the details of those it doesn't deny."""

    presence: Mapping[str, Presence]
    details: frozenset[Detail]


def claims_in(text: str) -> tuple[Claim, ...]:
    """The claims of a text's English sentences, no meaning twice, as the corpus reads a report."""
    claims: dict[object, Claim] = {}
    for sentence in sentences(text):
        if language_within(sentence, "en") == "en":
            claims.update({claim.meaning: claim for claim in read_claims(sentence)})
    return tuple(claims.values())


class ClaimIndex:
    """The claims of an index's reports by what is claimed: finding and presence -> rows, built once."""

    def __init__(self, claims: Sequence[Sequence[Claim]], weights: ClaimWeights | None = None) -> None:
        """`claims` are each report's; a row stands for the report of that place."""
        self.weights = weights or ClaimWeights()
        self.count = len(claims)
        said: dict[tuple[str, ...], list[int]] = {}
        for row, own in enumerate(claims):
            summary = _said(own)
            for key in (*summary.presence.items(), *summary.details):
                said.setdefault(key, []).append(row)
        self._rows: dict[tuple[str, ...], Rows] = {
            key: np.array(rows, np.int32) for key, rows in said.items()
        }
        self._findings = {key[0] for key in said}
        self._scale = self._lengths() ** -self.weights.length

    def __bool__(self) -> bool:
        """Whether any report claims anything."""
        return bool(self._rows)

    def scores(self, claims: Sequence[Claim]) -> NDArray[np.float64]:
        """(reports,) how far each agrees with these claims: above 0 where more speaks for it than against.

        Equal claims have equal scores. All are 0 where nothing is claimed that any report speaks of.
        """
        asked = _said(claims)
        total = np.zeros(self.count)
        for finding, presence in asked.presence.items():
            for theirs, worth in self._agreement(finding, presence):
                total[self._of(finding, theirs)] += worth
        for finding, kind in sorted({detail[:2] for detail in asked.details}):
            values = sorted(value for f, k, value in asked.details if (f, k) == (finding, kind) and value)
            worth = self.weights.detail * self.rarity(finding, denied=False)
            total[self._of(finding, kind, _ANY)] -= worth
            for value in values:
                total[self._of(finding, kind, value)] += 2 * worth / len(values)
        # What is the same but for the order of its sum is to be a tie.
        return np.round(total * self._scale, 9)

    def rarity(self, finding: str, *, denied: bool) -> float:
        """ln(1 + reports / (1 + those that say so)): of asserting it, surely or not, or of denying it."""
        kinds = ("absent",) if denied else ("present", "uncertain")
        saying = sum(len(self._of(finding, kind)) for kind in kinds)
        return float(np.log1p(self.count / (1 + saying)))

    def _agreement(self, finding: str, asked: Presence) -> Iterator[tuple[Presence, float]]:
        """What each presence of a report is worth to what was asked."""
        weights = self.weights
        sure = self.rarity(finding, denied=asked == "absent") * (weights.denial if asked == "absent" else 1.0)
        against = -weights.contradiction * sure
        if asked == "absent":
            yield from (("absent", sure), ("present", against), ("uncertain", weights.doubt * against))
            return
        other: Presence = "uncertain" if asked == "present" else "present"
        yield from ((asked, sure), (other, weights.doubt * sure))
        yield "absent", against if asked == "present" else weights.doubt * against

    def _of(self, *key: str) -> Rows:
        return self._rows.get(key, np.zeros(0, np.int32))

    def _lengths(self) -> NDArray[np.float64]:
        """(reports,) of each one's weighted claims; 1 where there is none."""
        squares = np.zeros(self.count)
        for finding in sorted(self._findings):
            for presence in ("present", "uncertain", "absent"):
                denied = presence == "absent"
                worth = self.rarity(finding, denied=denied) * (self.weights.denial if denied else 1.0)
                squares[self._of(finding, presence)] += worth**2
        return np.sqrt(np.where(squares > 0, squares, 1.0))


def _said(claims: Sequence[Claim]) -> _Said:
    details: set[Detail] = set()
    for claim in claims:
        if claim.presence == "absent":
            continue
        for kind in _DETAILS:
            if (value := getattr(claim, kind)) is not None:
                both = _SIDES if value == "bilateral" else ()
                details |= {(claim.finding, kind, each) for each in (_ANY, value, *both)}
    return _Said(summarise(claims), frozenset(details))
