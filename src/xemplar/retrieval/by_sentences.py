"""What is asked for -> what each report of an index says of it, by its sentences' claims and words.

Knows how well a claim answers a term: presence first, then side, place and degree, then the words it is named
with ("rib" of "rib fracture"). Knows nothing of what an answer is worth: that is fitted elsewhere. Everything
is an array over the reports, so that a hundred thousand are asked in milliseconds.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xemplar.records import Claim, Sentence
from xemplar.retrieval.asked import DETAILS, NORMAL, Term

DENIED, UNSAID, DOUBTED, STATED = 0, 1, 2, 3
"""What a report says of a term, in rising order of what speaks for it."""
STATUS = ("denied", "unmentioned", "uncertain", "stated")

_AGREES, _NEAR, _SILENT, _DIFFERS = 3, 2, 1, 0
"""What a claim's side, place or degree is to the one asked for, in points."""
_NEIGHBOURS = (
    frozenset(("base", "lower lobe", "lower zone", "costophrenic angle", "retrocardiac")),
    frozenset(("apex", "upper lobe", "upper zone")),
    frozenset(("mid zone", "middle lobe", "lingula")),
)
_SIDE_OF = {"lingula": "left", "middle lobe": "right"}
_TIER = {"absent": DENIED, "uncertain": DOUBTED, "present": STATED}
_STEPS = 255
"""In how many steps the share of a term's words is kept."""
_MOST = _AGREES * len(DETAILS) + 1
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
        claimed: dict[str, dict[tuple[str | None, ...], list[int]]] = defaultdict(lambda: defaultdict(list))
        held: dict[str, list[int]] = defaultdict(list)
        for sentence in sentences:
            rows = [row_of[study_id] for study_id in sentence.study_ids if study_id in row_of]
            if not rows:
                continue
            for claim in sentence.claims:
                key = (claim.presence, *(getattr(claim, kind) for kind in DETAILS))
                claimed[claim.finding][key].append(len(owners))
            for token in set(tokens(sentence.text)):
                held[token].append(len(owners))
            owners.append(np.array(rows, np.int32))
        self._starts = np.concatenate([[0], np.cumsum([len(rows) for rows in owners])]).astype(np.int64)
        self._owners = np.concatenate(owners) if owners else np.zeros(0, np.int32)
        self._claimed = {
            finding: [(key, np.unique(np.array(rows, np.int32))) for key, rows in keys.items()]
            for finding, keys in claimed.items()
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
        return _decoded(code, sum(bool(getattr(term, kind)) for kind in DETAILS))

    def excluded(self, term: Term) -> NDArray[np.int8]:
        """(n,) of a term that is not to be there: STATED, DOUBTED, UNSAID or DENIED, in that order of rank.

        Stated only with all its details; what is stated without a word on them is doubted.
        """
        asked = [kind for kind in DETAILS if getattr(term, kind)]
        worst = np.full(self.count, UNSAID, np.int8)
        for key, rows in self._claimed.get(term.finding, ()):
            presence, points = str(key[0]), [_points(term, kind, key) for kind in asked]
            if _DIFFERS in points:
                continue
            unsure = presence == "uncertain" or (presence == "present" and _SILENT in points)
            status = DENIED if presence == "absent" else DOUBTED if unsure else STATED
            reports = self._reports(rows)[0]
            if status == DENIED:
                reports = reports[worst[reports] == UNSAID]
                worst[reports] = DENIED
            else:
                below = (worst[reports] < status) | (worst[reports] == DENIED)
                worst[reports[below]] = status
        return worst

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
            points = sum(_points(term, kind, key, both=both) for kind in DETAILS)
            tier = _TIER[str(key[0])]
            if tier == DENIED and points < _SILENT * sum(bool(getattr(term, kind)) for kind in DETAILS):
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


def tokens(text: str) -> list[str]:
    """Words in lower case, without the s of a plural."""
    return [_singular(word) for word in _TOKEN.findall(text.lower())]


def answers(term: Term, claim: Claim) -> tuple[int, int] | None:
    """How a claim answers a term: its tier and its points; None where it speaks of something else."""
    if claim.finding != term.finding:
        return None
    key = (claim.presence, *(getattr(claim, kind) for kind in DETAILS))
    return _TIER[claim.presence], sum(_points(term, kind, key) for kind in DETAILS)


def _points(term: Term, kind: str, key: tuple[str | None, ...], *, both: bool = False) -> int:
    wanted: tuple[str, ...] = getattr(term, kind)
    said = key[1 + DETAILS.index(kind)]
    if not wanted:
        return 0
    if kind == "side":
        said = said or _SIDE_OF.get(key[2] or "")
        if said == "bilateral" or (both and said is not None):
            return _AGREES
    if said is None:
        return _SILENT
    if said in wanted:
        return _AGREES
    near = kind == "place" and any(said in group and group & set(wanted) for group in _NEIGHBOURS)
    return _NEAR if near else _DIFFERS


def _decoded(code: NDArray[np.int32], asked: int) -> Said:
    spoken = code >= 0
    rest, steps = np.divmod(np.where(spoken, code, 0), _STEPS + 1)
    tier, points = np.divmod(rest, _MOST)
    status = np.where(spoken, tier, UNSAID).astype(np.int8)
    stated = status >= DOUBTED
    details = points / (_AGREES * asked) if asked else np.ones(len(code))
    return Said(
        status,
        np.where(stated, details, 0).astype(np.float32),
        np.where(stated, steps / _STEPS, 0).astype(np.float32),
    )


def _singular(word: str) -> str:
    plural = len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "is", "us"))
    return word[:-1] if plural else word
