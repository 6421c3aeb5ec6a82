"""Which sentences are true of a study, false of it, or neither, by what its report claims; pairs of both.

Knows sentences, their claims and their flips; knows no image and no tensor, and never what was drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from xemplar.corpus import Corpus
from xemplar.findings import FINDINGS
from xemplar.records import Claim, Sentence
from xemplar.report import text_key
from xemplar.training.objectives.flips import every_flip
from xemplar.training.objectives.mining import FindingTable
from xemplar.training.sampling import Claimed, Pair

NEGATIVES = ("flip", "mined", "random", "film")
"""A sentence turned round, one of the study whose findings differ least, any one; or the same sentence
with another study's film."""
OWN, MINED, RANDOM = 3, 1, 2
"""Of each kind at most so many are drawn for a study; each own sentence has a flip and another study."""

_TRIES = 8
_BOTH = "bilateral"
_NONE: tuple[tuple[()], ...] = ((), (), ())
Rows = NDArray[np.int64]


@lru_cache(maxsize=200_000)
def verdict(claims: Claimed, own: Claimed) -> bool | None:
    """Whether a study that claims `own` says all of `claims` (True), or speaks against one (False).

    A finding that its report doesn't mention isn't there; whether it is denied or doubted nobody said,
    nor is the side of what was said without one: that is None. A claim of one side is said by one of both.
    """
    found = [_of_one(claim, own) for claim in claims]
    if False in found:
        return False
    return None if None in found or not found else True


def _of_one(claim: tuple[str, str, str | None], own: Claimed) -> bool | None:
    finding, presence, side = claim
    sides = {
        kind: {s for name, said, s in own if name == finding and said == kind}
        for kind in ("present", "absent", "uncertain")
    }
    if claim in own:
        return True
    there, denied = sides["present"], sides["absent"]
    if presence == "present":
        if there:
            return _holds(side, there)
        return None if sides["uncertain"] else False
    if presence == "absent":
        if there:
            return False if side is None or _holds(side, there) else None
        return True if None in denied else None
    return False if denied and not there else None


def _holds(side: str | None, sides: set[str | None]) -> bool | None:
    """Whether what is there on `sides` is there on one of them."""
    if side is None or side in sides or (_BOTH in sides) or (side == _BOTH and {"left", "right"} <= sides):
        return True
    return None if None in sides else False


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Pairs of a study and a text, and whether they match; each (pairs,).

    `starts` say where the pairs begin that were drawn for one study: its own, and others for its texts.
    """

    studies: Rows
    texts: Rows
    match: NDArray[np.bool_]
    starts: Rows


@dataclass(frozen=True, slots=True, eq=False)
class Against:
    """For studies a sentence of their own, and a study and a sentence that is false of it; each (pairs,)."""

    studies: Rows
    own: Rows
    other_studies: Rows
    other: Rows


class Sentences:
    """Every sentence of some studies that claims anything, and every flip of one; and pairs of them.

    `texts` are all of them, flips last; `own` are each study's, by row. Flips and others' sentences that
    are true of a study match it too, so that a text's wording tells nothing. Where the first `learnt` of
    the studies alone are learnt from, what is drawn at random is a text of theirs or its flip, as rare as
    it is among them.
    """

    def __init__(self, corpus: Corpus, pairs: Sequence[Pair], *, learnt: int | None = None) -> None:
        self.pairs = pairs
        self.texts: list[str] = []
        self.claims: list[Claimed] = []
        self._place: dict[str, int] = {}
        by_key = {sentence.sentence_id: sentence for sentence in corpus.sentences if sentence.claims}
        said = [[text for text in pair.sentences if text_key(text) in by_key] for pair in pairs]
        self.own: list[Rows] = [
            np.unique([self._row(text, by_key[text_key(text)].claims) for text in texts]).astype(np.int64)
            for texts in said
        ]
        self.kinds: tuple[str, ...] = NEGATIVES
        drawn = np.concatenate([np.zeros(0, np.int64), *self.own[:learnt]])
        counts = np.bincount(drawn, minlength=len(self.texts))
        self._weights = np.maximum(counts, 1) ** -0.5
        """Common sentences are drawn less often, as where a dual encoder is trained."""
        self._flips = [self._turned(by_key[key]) for key in list(self._place)]
        theirs = [[row, *self._flips[row]] for row in np.unique(drawn).tolist()]
        self.pool: Rows = np.unique([text for texts in theirs for text in texts]).astype(np.int64)
        """Rows of the texts that are drawn at random."""

    def draw(self, rows: Rows, rng: np.random.Generator) -> Drawn:
        """Pairs to learn from, of the studies `rows`.

        For each study some of its own sentences; for each of these a flip that is false of it, and another
        study of which the sentence is false, so that what a text is tells nothing; a sentence of the
        study whose findings differ least; and any texts, of which it is told what holds of them.
        """
        hard = self._hard(rows, rng)
        found: list[tuple[int, int, bool]] = []
        starts = []
        for place in rng.permutation(len(rows)).tolist():
            row = int(rows[place])
            starts.append(len(found))
            own = self._some(self.own[row], OWN, rng)
            false = self._false_flips(row, own, rng)
            if place in hard:
                theirs = self.own[rows[hard[place]]]
                false += self._some(self._false_of(row, theirs), MINED, rng)
            found += [(row, text, True) for text in own] + [(row, text, False) for text in false]
            for text in rng.choice(self.pool, RANDOM if len(self.pool) else 0).tolist():
                told = verdict(self.claims[text], self.pairs[row].claims)
                if told is not None:
                    found.append((row, text, told))
            found += self._elsewhere(own, rows, rng)
        studies, texts, match = zip(*found, strict=True) if found else _NONE
        return Drawn(
            np.array(studies, np.int64), np.array(texts, np.int64), np.array(match, np.bool_),
            np.array(starts, np.int64),
        )  # fmt: skip

    def against(self, kind: str, rows: Rows, rng: np.random.Generator) -> Against:
        """For every own sentence of the studies `rows` a pair that is false, where there is any of a kind."""
        hard = self._hard(rows, rng)
        found: list[tuple[int, int, int, int]] = []
        for place, row in enumerate(rows.tolist()):
            for own in self.own[row].tolist():
                other = [(row, text) for text in self._false(kind, row, own, rng=rng)]
                if kind == "mined" and place in hard:
                    theirs = self._false_of(row, self.own[rows[hard[place]]])
                    other = [(row, text) for text in self._some(theirs, 1, rng)]
                if kind == "film":
                    other = [(study, text) for study, text, _ in self._elsewhere([own], rows, rng)]
                found += [(row, own, *one) for one in other]
        table_of = np.array(found, np.int64).reshape(-1, 4)
        return Against(*table_of.T)

    def _false(self, kind: str, row: int, own: int, *, rng: np.random.Generator) -> list[int]:
        """A flip of an own sentence, or any sentence, that is false of the study."""
        if kind == "flip":
            return self._false_flips(row, [own], rng)
        if kind == "random":
            return [int(one) for one in self._false_of(row, rng.integers(self.count, size=_TRIES))[:1]]
        return []

    @property
    def count(self) -> int:
        """Sentences that were written, without the flips."""
        return len(self._flips)

    def _hard(self, rows: Rows, rng: np.random.Generator) -> dict[int, int]:
        """Place in `rows` -> that of a study whose report states what differs least."""
        stated = np.zeros((len(rows), len(FINDINGS)))
        for place, row in enumerate(rows.tolist()):
            for finding, presence, _ in self.pairs[row].claims:
                if presence == "present" and finding in FINDINGS:
                    stated[place, FINDINGS.index(finding)] = 1.0
        mined = FindingTable(stated).draw(rng)
        return dict(zip(mined.rows.tolist(), mined.hard.tolist(), strict=True))

    def _row(self, text: str, claims: Iterable[Claim]) -> int:
        key = text_key(text)
        if key not in self._place:
            self._place[key] = len(self.texts)
            self.texts.append(text)
            self.claims.append(frozenset((c.finding, c.presence, c.side) for c in claims))
        return self._place[key]

    def _turned(self, sentence: Sentence) -> list[int]:
        """Rows of a sentence's flips; one in degree alone claims what it did, as claims are told here."""
        return [
            self._row(one.text, [one.after if claim == one.before else claim for claim in sentence.claims])
            for one in every_flip(sentence.text, sentence.claims, aspects=("presence", "side"))
        ]

    def _false_of(self, row: int, texts: Rows) -> Rows:
        own = self.pairs[row].claims
        return texts[[verdict(self.claims[text], own) is False for text in texts.tolist()]]

    def _false_flips(self, row: int, texts: Iterable[int], rng: np.random.Generator) -> list[int]:
        """One flip of each text that has any that is false of the study."""
        options = (self._false_of(row, np.array(self._flips[text], np.int64)) for text in texts)
        return [int(some[rng.integers(len(some))]) for some in options if len(some)]

    def _elsewhere(
        self, texts: Sequence[int], rows: Rows, rng: np.random.Generator
    ) -> list[tuple[int, int, bool]]:
        """For each text a study that it is false of, of a few that are tried."""
        found = []
        for text in texts:
            for row in rows[rng.integers(len(rows), size=_TRIES)].tolist():
                if verdict(self.claims[text], self.pairs[row].claims) is False:
                    found.append((row, text, False))
                    break
        return found

    def _some(self, texts: Rows, count: int, rng: np.random.Generator) -> list[int]:
        """At most `count` sentences, rare ones sooner."""
        if not len(texts):
            return []
        weights = self._weights[texts]
        drawn = rng.choice(texts, min(count, len(texts)), replace=False, p=weights / weights.sum())
        return [int(one) for one in drawn]
