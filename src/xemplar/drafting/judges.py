"""Who says whether a retrieved report may join those before it: rules over claims, a network, or likeness.

Knows claims and texts; a network is handed in as a callable. X-REM asks a network trained on RadNLI
(Jeong et al., 2023); the rules here stand in for it where there is none, and a draft's policy says which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from xemplar.assembly import Assembly
from xemplar.corpus import Corpus
from xemplar.errors import XemplarError
from xemplar.findings import read_claims
from xemplar.records import Claim, Sentence
from xemplar.report import sentences, text_key
from xemplar.rerank import TOO_ALIKE, Judge, Verdict, keep_consistent, keep_dissimilar

RULES = "rules over claims v1"
REMEMBERED = 20_000
"""Distinct texts whose reading is kept."""

_OPPOSITE = {("present", "absent"), ("absent", "present")}
_BOTH = "bilateral"
_ENDS = (".", "!", "?", ":", ";")


class Filter(Protocol):
    """Which of some texts are kept."""

    @property
    def name(self) -> str:
        """What it is, for a draft's policy."""
        ...

    def kept(self, texts: Sequence[str], count: int) -> list[int]:
        """Places of those kept, at most `count`, in their order."""
        ...


@dataclass(slots=True)
class ByVerdict:
    """Keeps what a judge calls neutral to all that is kept before it (X-REM's filter).

    `said` counts its verdicts, for the rates that a benchmark prints.
    """

    judge: Judge
    name: str
    said: Counter[Verdict] = field(default_factory=Counter)

    def kept(self, texts: Sequence[str], count: int) -> list[int]:
        """The first, and what is neither entailed nor contradicted by those before it."""
        return keep_consistent([closed(text) for text in texts], self._counted, count)

    def _counted(self, premise: str, hypothesis: str) -> Verdict:
        verdict = self.judge(premise, hypothesis)
        self.said[verdict] += 1
        return verdict


@dataclass(frozen=True, slots=True)
class ByLikeness:
    """Keeps what isn't too much like what is kept (X-REM's variant by BERTScore)."""

    alike: Callable[[str, str], float]
    name: str
    below: float = TOO_ALIKE

    def kept(self, texts: Sequence[str], count: int) -> list[int]:
        """The first, and what is alike by less than `below` to those before it."""
        return keep_dissimilar([closed(text) for text in texts], self.alike, count, below=self.below)


@dataclass(frozen=True, slots=True)
class Everything:
    """Keeps the first `count`: the control that a filter has to beat."""

    name: str = "nobody"

    def kept(self, texts: Sequence[str], count: int) -> list[int]:
        """The first that aren't blank."""
        return [place for place, text in enumerate(texts) if text.strip()][:count]


def filter_for(assembly: Assembly, corpus: Corpus, *, given: Filter | None = None) -> Filter:
    """The filter an assembly names; "nli" and "bertscore" need a network, which is `given`."""
    if assembly.filter == "none":
        return Everything()
    if assembly.filter == "claims":
        return ByVerdict(ClaimJudge(corpus.sentences), RULES)
    if given is None:
        raise XemplarError(
            f"the assembly's filter is {assembly.filter!r}, and no network for it is given",
            wanted="a model by name or folder",
            remedy='name one, or set assembly.filter = "claims" for rules that need none',
        )
    return given


class ClaimJudge:
    """A judge by the findings engine: what two texts claim, sentence by sentence.

    Contradiction: one finding present in one text and absent in the other, unless they name different
    sides or places for it. Entailment: every claim of the hypothesis is made by the premise, with the
    side, place, degree and change that the hypothesis names (what is absent anywhere is absent there).
    Else neutral. Sentences without claims count only where the hypothesis has no others: it is entailed
    if the premise holds each of them. `known` sentences are read as their corpus has them, so that one in
    another language claims nothing; others are taken to be English.
    """

    name = RULES

    def __init__(self, known: Iterable[Sentence] = ()) -> None:
        self._known = {sentence.sentence_id: sentence.claims for sentence in known}
        self._read = lru_cache(maxsize=REMEMBERED)(self._reading)

    def __call__(self, premise: str, hypothesis: str) -> Verdict:
        """What the premise says of the hypothesis."""
        said, keys = self._read(premise)
        claims, parts = self._read(hypothesis)
        if not claims:
            return "entailment" if parts and parts <= keys else "neutral"
        if any(_contradicts(old, new) for new in claims for old in said):
            return "contradiction"
        return "entailment" if all(any(_entails(old, new) for old in said) for new in claims) else "neutral"

    def _reading(self, text: str) -> tuple[tuple[Claim, ...], frozenset[str]]:
        """All that a text claims, and the keys of its sentences."""
        found: list[Claim] = []
        keys = set()
        for sentence in sentences(text):
            keys.add(key := text_key(sentence))
            found.extend(self._known[key] if key in self._known else read_claims(sentence))
        return tuple({claim.meaning: claim for claim in found}.values()), frozenset(keys)


def _contradicts(old: Claim, new: Claim) -> bool:
    if old.finding != new.finding or (old.presence, new.presence) not in _OPPOSITE:
        return False
    return _meet(old.side, new.side) and _meet(old.place, new.place)


def _meet(one: str | None, other: str | None) -> bool:
    """Whether two sides or places can be of one spot."""
    return one is None or other is None or one == other or _BOTH in (one, other)


def _entails(old: Claim, new: Claim) -> bool:
    if (old.finding, old.presence) != (new.finding, new.presence):
        return False
    if old.presence == "absent":  # what is nowhere isn't on the left either
        where = ((old.side, new.side), (old.place, new.place))
        return all(mine is None or mine == theirs for mine, theirs in where)
    pairs = zip(old.meaning[2:], new.meaning[2:], strict=True)
    return all(theirs is None or mine == theirs for mine, theirs in pairs)


def closed(text: str) -> str:
    """A text with an end, so that another joined to it runs into none of its sentences."""
    text = " ".join(text.split())
    return text if not text or text.endswith(_ENDS) else f"{text}."
