"""What is asked for -> what each report of an index says of it, by its sentences' claims and words.

Knows how well a claim answers a term, to rank by: presence first, then side, place and degree, then the
words it is named with ("rib" of "rib fracture"); and what its verdict is, to hold by (`verdicts.py`). Knows
nothing of what an answer is worth: that is fitted elsewhere. Everything is an array over the reports, so that
a hundred thousand are asked in milliseconds.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xemplar.records import Sentence
from xemplar.retrieval.asked import DETAILS, NORMAL, Term
from xemplar.retrieval.kinds import HELD, NONE, Named, every, named_by, relation
from xemplar.retrieval.verdicts import (
    AGREES,
    SILENT,
    Key,
    Verdict,
    both_of,
    key_of,
    points_of,
    sides_of,
    verdict,
)

DENIED, UNSAID, DOUBTED, STATED = 0, 1, 2, 3
"""What a report says of a term, in rising order of what speaks for it."""

_TIER = {"absent": DENIED, "uncertain": DOUBTED, "present": STATED}
_STEPS = 255
"""In how many steps the share of a term's words is kept."""
_MOST = AGREES * len(DETAILS) + 1
_EXCLUDED = np.array(
    [
        {
            Verdict.UNSAID: UNSAID,
            Verdict.OTHER: UNSAID,
            Verdict.DENIED: DENIED,
            Verdict.LOOSE: DOUBTED,
            Verdict.DOUBTED: DOUBTED,
            Verdict.STATED: STATED,
        }[one]
        for one in Verdict
    ],
    np.int8,
)
_TOKEN = re.compile(r"[^\W_]+")

Rows = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Said:
    """What each report (n,) says of one term: status, how far its details agree and its words are there."""

    status: NDArray[np.int8]
    details: Floats
    """In 0..1; 1 where no detail is asked for, 0 where nothing is stated."""
    words: Floats
    """In 0..1: of the words that name it, by rarity, those in the sentence that answers best."""


class SentenceTable:
    """The sentences of an index's reports by what they claim and which words they hold, built once."""

    def __init__(self, sentences: Iterable[Sentence], study_ids: Sequence[str]) -> None:
        """`study_ids` names the reports in the order of their rows; other studies' sentences are left out."""
        row_of = {study_id: row for row, study_id in enumerate(study_ids)}
        self.count = len(study_ids)
        owners: list[Rows] = []
        claimed: dict[str, dict[Key, list[int]]] = defaultdict(lambda: defaultdict(list))
        held: dict[str, list[int]] = defaultdict(list)
        apart: dict[str, dict[tuple[Key, Named], list[int]]] = defaultdict(lambda: defaultdict(list))
        for sentence in sentences:
            rows = [row_of[study_id] for study_id in sentence.study_ids if study_id in row_of]
            if not rows:
                continue
            for claim in sentence.claims:
                claimed[claim.finding][key_of(claim)].append(len(owners))
            for finding in every().keys() & {claim.finding for claim in sentence.claims}:
                named = named_by(sentence.text, sentence.claims, finding)
                for claim, kinds in zip(sentence.claims, named, strict=True):
                    if claim.finding == finding:
                        apart[finding][key_of(claim), kinds].append(len(owners))
            for token in set(tokens(sentence.text)):
                held[token].append(len(owners))
            owners.append(np.array(rows, np.int32))
        self._starts = np.concatenate([[0], np.cumsum([len(rows) for rows in owners])]).astype(np.int64)
        self._owners = np.concatenate(owners) if owners else np.zeros(0, np.int32)
        self._claimed = {
            finding: [(key, np.unique(np.array(rows, np.int32))) for key, rows in keys.items()]
            for finding, keys in claimed.items()
        }
        self._by_kind = {
            finding: [(*told, np.unique(np.array(rows, np.int32))) for told, rows in keys.items()]
            for finding, keys in apart.items()
        }
        self._held = {token: np.array(rows, np.int32) for token, rows in held.items()}

    def __bool__(self) -> bool:
        """Whether any report claims anything."""
        return bool(self._claimed)

    def says(self, term: Term) -> Said:
        """What each report says of a term that is wanted: the best of its sentences counts."""
        if term.finding == NORMAL:
            raise ValueError("that all is normal is no claim: ask `positive`")
        code = self._codes(term, both=False)
        if term.side == ("bilateral",):
            sides = [self._stated(Term(term.finding, side=(side,))) for side in ("left", "right")]
            both = sides[0] & sides[1]
            code = np.where(both, np.maximum(code, self._codes(term, both=True)), code)
        said = _decoded(code, sum(bool(getattr(term, kind)) for kind in DETAILS))
        if term.presence == "uncertain":  # it is doubt that was asked for
            doubt = np.choose(said.status, (DENIED, UNSAID, STATED, DOUBTED)).astype(np.int8)
            return Said(doubt, said.details, said.words)
        return said

    def excluded(self, term: Term, kinds: Named = NONE) -> NDArray[np.int8]:
        """(n,) of a term that is not to be there: STATED, DOUBTED, UNSAID or DENIED, in that order of rank.

        Stated only with all its details and as one of the `kinds`; what is stated without a word on them is
        doubted.
        """
        return np.asarray(_EXCLUDED[self.verdicts(term, kinds)], np.int8)

    def met(self, term: Term, kinds: Named = NONE) -> NDArray[np.bool_]:
        """(n,) whether a term is stated (doubted, if asked so), with its details and as one of `kinds`."""
        as_asked = Verdict.DOUBTED if term.presence == "uncertain" else Verdict.STATED
        return np.asarray(self.verdicts(term, kinds) == as_asked, np.bool_)

    def verdicts(self, term: Term, kinds: Named = NONE) -> NDArray[np.int8]:
        """(n,) the `Verdict` of each report."""
        if term.finding == NORMAL:
            return np.where(self.positive() == 0, Verdict.STATED, Verdict.DENIED).astype(np.int8)
        if term.side == ("bilateral",):
            whole, left, right = (self._verdicts(one, kinds) for one in (term, *sides_of(term)))
            return np.asarray(both_of(whole, left, right), np.int8)
        return self._verdicts(term, kinds)

    def _verdicts(self, term: Term, kinds: Named) -> NDArray[np.int8]:
        best = np.full(self.count, Verdict.UNSAID, np.int8)
        for key, named, rows in self._claims_of(term.finding, told=bool(kinds)):
            found = verdict(term, key, relation(term.finding, kinds, named) if kinds else HELD)
            np.maximum.at(best, self._reports(rows)[0], np.int8(found))
        return best

    def _claims_of(self, finding: str, *, told: bool) -> Iterable[tuple[Key, Named, Rows]]:
        """What is claimed of a finding, and in which sentences; by kind where these are to be `told`."""
        if told and finding in every():
            return self._by_kind.get(finding, ())
        return [(key, NONE, rows) for key, rows in self._claimed.get(finding, ())]

    def positive(self, besides: Iterable[str] = ()) -> NDArray[np.int32]:
        """(n,) how many findings a report states or doubts, those of `besides` not counted."""
        total = np.zeros(self.count, np.int32)
        for finding, keys in self._claimed.items():
            if finding in set(besides):
                continue
            own = np.zeros(self.count, np.bool_)
            for key, rows in keys:
                if key[0] != "absent":
                    own[self._reports(rows)[0]] = True
            total += own
        return total

    def holds(self, words: Sequence[str]) -> Floats:
        """(n,) of these words, by rarity, the share that a report has; 1 where there are none."""
        total, found = 0.0, np.zeros(self.count, np.float32)
        for token in dict.fromkeys(token for word in words for token in tokens(word)):
            reports = np.unique(self._reports(self._held.get(token, np.zeros(0, np.int32)))[0])
            rarity = np.float32(np.log1p(self.count / (1 + len(reports))))
            found[reports] += rarity
            total += float(rarity)
        return found / np.float32(total) if total else np.ones(self.count, np.float32)

    def _stated(self, term: Term) -> NDArray[np.bool_]:
        said = _decoded(self._codes(term, both=False), 1)
        return np.asarray((said.status >= DOUBTED) & (said.details == 1))

    def _codes(self, term: Term, *, both: bool) -> NDArray[np.int32]:
        """(n,) tier, points and words of the best sentence as one number; -1 where none speaks of it."""
        share = self._share(term.words)
        best = np.full(self.count, -1, np.int32)
        for key, rows in self._claimed.get(term.finding, ()):
            points = sum(points_of(term, kind, key, both=both) for kind in DETAILS)
            tier = _TIER[str(key[0])]
            if tier == DENIED and points < SILENT * sum(bool(getattr(term, kind)) for kind in DETAILS):
                continue  # "no right effusion" denies no left one
            reports, sentences = self._reports(rows)
            steps = np.rint(share[sentences] * _STEPS).astype(np.int32)
            np.maximum.at(best, reports, (tier * _MOST + points) * (_STEPS + 1) + steps)
        return best

    def _share(self, words: Sequence[str]) -> Floats:
        """(sentences,) of the words that name a term, by rarity, those that a sentence has."""
        found, total = np.zeros(len(self._starts) - 1, np.float32), 0.0
        for token in dict.fromkeys(token for word in words for token in tokens(word)):
            rows = self._held.get(token, np.zeros(0, np.int32))
            rarity = np.float32(np.log1p(len(found) / (1 + len(rows))))
            found[rows] += rarity
            total += float(rarity)
        return found / np.float32(total) if total else np.ones_like(found)

    def _reports(self, sentences: Rows) -> tuple[Rows, Rows]:
        """The reports of some sentences, and beside each the sentence it is there for."""
        lengths = self._starts[sentences + 1] - self._starts[sentences]
        beside = np.repeat(sentences, lengths)
        first = np.repeat(self._starts[sentences] - np.cumsum(lengths) + lengths, lengths)
        return self._owners[first + np.arange(len(beside))], beside


def best_of(several: Sequence[Said]) -> Said:
    """Of terms any of which will do, for each report what it says best."""
    ranks = np.stack([one.status + (one.details + one.words / 4) / 2 for one in several])
    best = ranks.argmax(axis=0)[None]
    columns = (
        [one.status for one in several],
        [one.details for one in several],
        [one.words for one in several],
    )
    status, details, words = (np.take_along_axis(np.stack(column), best, 0)[0] for column in columns)
    return Said(status, details, words)


def tokens(text: str) -> list[str]:
    """Words in lower case, without the s of a plural."""
    return [_singular(word) for word in _TOKEN.findall(text.lower())]


def _decoded(code: NDArray[np.int32], asked: int) -> Said:
    spoken = code >= 0
    rest, steps = np.divmod(np.where(spoken, code, 0), _STEPS + 1)
    tier, points = np.divmod(rest, _MOST)
    status = np.where(spoken, tier, UNSAID).astype(np.int8)
    stated = status >= DOUBTED
    details = points / (AGREES * asked) if asked else np.ones(len(code))
    return Said(
        status,
        np.where(stated, details, 0).astype(np.float32),
        np.where(stated, steps / _STEPS, 0).astype(np.float32),
    )


def _singular(word: str) -> str:
    plural = len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "is", "us"))
    return word[:-1] if plural else word
