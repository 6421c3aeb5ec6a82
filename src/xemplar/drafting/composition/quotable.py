"""What of an archive's sentences may be quoted of another film, and how well it reads.

Knows words; knows nothing of beliefs. Adds to the report room's judgement (`stands_alone`) what a draft
may not repeat: measurements, days and names, and what leans on a sentence that isn't quoted with it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from xemplar.drafting.beliefs import DETAILS
from xemplar.drafting.composition.spans import label_of
from xemplar.findings.lexicon import lexicon
from xemplar.records import Claim, Sentence
from xemplar.report import stands_alone

_OWN = re.compile(
    r"\d\s*(?:%|percent\b|per cent\b|[cm]m\b|ml\b|degrees?\b)|\b(?:centi|milli)met(?:er|re)s?\b"
    r"|\b\d+\s*x\s*\d+\b"
    r"|\b\d{1,4}[/:]\d{1,2}(?:/\d{2,4})?\b|\b\d{1,4}[.-]\d{1,2}[.-]\d{1,4}\b",
    re.IGNORECASE,
)
"""Measurements, dates and times: true of the study they were written for and of no other."""

_ELSEWHERE = re.compile(
    r"""
    \b(?:cta?|hrct|mri?|pet|ultrasound|sonogra\w+|echocardiogra\w+|scintigra\w+|lateral\s+(?:view|film))\b
    | \b(?:hours?|days?|weeks?|months?|years?|yesterday|today|tonight|overnight|this\s+(?:morning|evening))\b
    | \b(?:also|additional(?:ly)?|another|otherwise|remainder|remaining|rest\s+of|elsewhere|furthermore)\b
    | \b(?:these|those|such)\s+(?:findings?|changes?|appearances?|abnormalit\w+)\b
    | \A\W*(?:it|they|these|those|this|that|which|who)\s+(?:is|are|was|were|may|might|could|can|would|has|have
        |had|appears?|represents?|likely|probably|in\s+turn)\b
    | \baddend\w+ | \b(?:mrn|accession|patient)\b | \b(?=\w*\d)(?=\w*[A-Z])[A-Z0-9]{5,}\b | \d{5,}
    | _{2,} | X{3,}
    | \b(?-i:D(?:r|R)s?)\b\.? | \bas\s+(?:discussed|per)\b | \?\s*\Z
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Another examination, time, what "also" was found, "it", ids and blanked names."""

_NOTHING_ACUTE = (
    r"(?:no|without|negative\s+for)\s+(?:\w+ly\s+)?(?:(?:evidence\s+(?:of|for)|signs?\s+of|radiographic|definite"
    r"|significant|focal|acute|active|any|or|and|chronic)\s+)*"
    r"(?:(?:cardio-?\s?pulmonary|cardio-?\s?thoracic|cardiac|pulmonary|thoracic|intra-?\s?thoracic|chest|lung"
    r"|cardiovascular|pleural|or|and)\W+)*"
    r"(?:abnormalit(?:y|ies)|disease|process(?:es)?|findings?|patholog(?:y|ies))"
)
_FILM = r"(?:chest|radiographs?|stud(?:y|ies)|exam(?:ination)?s?|x-?rays?|films?)"
_ALL_NORMAL = (
    rf"(?:normal|unremarkable|negative)\s+(?:(?!heart|lung|cardi|mediast)[\w-]+\s+){{0,2}}?{_FILM}(?:\s+{_FILM})*"
    rf"|(?:(?:the|this)\s+)?{_FILM}(?:\s+{_FILM})*\s+(?:(?:is|are|appears?|within|a)\s+)*"
    r"(?:normal(?:\s+limits?)?|unremarkable|negative)"
    r"|(?:this\s+is\s+)?(?:an?\s+)?(?:entirely\s+|completely\s+)?(?:normal|negative)\s+(?:chest|study|examination)"
)
_GLOBAL = re.compile(rf"\b(?:{_NOTHING_ACUTE}|{_ALL_NORMAL})\b", re.IGNORECASE)
_ALL_GLOBAL = re.compile(
    rf"\W*(?:there\s+(?:is|are)\s+)?(?:{_NOTHING_ACUTE}|{_ALL_NORMAL})"
    r"(?:\s+(?:is|are)?\s*(?:seen|identified|present|demonstrated|evident|noted|detected))?\W*",
    re.IGNORECASE,
)

_ORGANS = re.compile(r"\b(?:lung|pulmonary|pleural|cardiac|cardiovascular|focal)\b", re.IGNORECASE)

_NUMBERS = re.compile(
    r"\d+|\b(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth)\b",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[^\W\d_]{3,}")
_OFTEN = (5, 50)
"""Studies that write a common word: one in 200 of them, within these."""
_ENOUGH = 200
"""Studies of an archive from which on a word that one of them alone wrote is not quoted."""
SLIP_RATIO = 20
"""How many times as often a word is written as one that is a slip of it."""
_SHORTEST = 5
"""Letters of a word in which a slip is looked for."""


def quotable(sentence: Sentence) -> bool:
    """Whether anything of a sentence may be quoted, comparison with a prior apart."""
    return stands_alone(sentence.text) and not _ELSEWHERE.search(sentence.text[label_of(sentence.text) :])


def is_own(text: str) -> bool:
    """Whether a span measures, dates or times, and so is true of its own study alone."""
    return _OWN.search(text) is not None


def denies_all(text: str) -> bool:
    """Whether somewhere in a text everything is denied at once: "no acute cardiopulmonary process"."""
    return _GLOBAL.search(text) is not None


def denies_all_alone(text: str) -> bool:
    """Whether a text does that and nothing else, and not of one organ alone."""
    organs = {found.lower() for found in _ORGANS.findall(text)}
    return _ALL_GLOBAL.fullmatch(text) is not None and organs in ({"cardiac", "pulmonary"}, set())


def tells_unread(text: str, claims: Iterable[Claim]) -> bool:
    """Whether a span names a side, place or degree that none of its claims tells.

    "Right pneumothorax, small." is read without its degree: nobody would have asked whether "small" is
    believed.
    """
    claims = tuple(claims)
    lowered = text.lower()
    for kind in DETAILS:
        matcher = lexicon("default").modifiers[kind]
        named: set[str | None] = {matcher.label(found) for found in matcher.pattern.finditer(lowered)}
        told = {getattr(claim, kind) for claim in claims}
        if kind == "side":
            named, told = _sides(named), _sides(told)
        if not named <= told:
            return True
    return False


def _sides(named: set[str | None]) -> set[str | None]:
    """Both sides and "bilateral" are the same."""
    if "bilateral" in named or {"left", "right"} <= named:
        return named | {"left", "right", "bilateral"}
    return named


def ragged(text: str, *, cut: bool) -> int:
    """How many of these it has: a cut, a start in lower case, an end without a full stop, a label."""
    ends = int(not text.endswith((".", "!")))
    return int(cut) + int(text[:1].islower()) + ends + int(label_of(text) > 0)


def numbers(text: str) -> int:
    """How many numbers a text holds, in figures or as ordinals."""
    return len(_NUMBERS.findall(text))


class Words:
    """How many studies of an archive write each word, and which words are written by mistake."""

    def __init__(self, sentences: Iterable[Sentence]) -> None:
        self._studies: Counter[str] = Counter()
        writers: set[str] = set()
        for sentence in sentences:
            writers.update(sentence.study_ids)
            for word in set(words_of(sentence.text)):
                self._studies[word] += len(sentence.study_ids)
        low, high = _OFTEN
        self._often = min(max(len(writers) / 200, low), high)
        once = (word for word, studies in self._studies.items() if studies == 1)
        self._strange = frozenset(once if len(writers) >= _ENOUGH else ()) | {
            word for word in slips(self._studies) if self._studies[word] < self._often
        }

    def strange(self, text: str) -> bool:
        """Whether it holds a typing slip, or, in an archive of many studies, a word that one alone wrote.

        Either may hide what was not read ("Right pneumothorax, lrage."), or be a name.
        """
        return not self._strange.isdisjoint(words_of(text))

    def rare(self, text: str) -> float:
        """0 where many studies write its every word, nearly 1 where hardly anybody writes one of them."""
        return self.seldom(min((self._studies[word] for word in words_of(text)), default=0))

    def seldom(self, studies: int) -> float:
        """0 for what many studies write, nearly 1 for what one does."""
        return 1.0 - min(1.0, math.log1p(studies) / math.log1p(self._often))


def slips(studies: Mapping[str, int]) -> Iterator[str]:
    """Words that look like typing slips: one letter away from a word that is far more often written.

    A letter left out, put in, replaced or changed places with the next; a plural is no slip.
    """
    around: dict[str, list[str]] = {}
    words = [word for word in studies if len(word) >= _SHORTEST]
    for word in words:
        for near in {word, *_without_one(word)}:
            around.setdefault(near, []).append(word)
    for word in words:
        meant = {other for near in {word, *_without_one(word)} for other in around[near]}
        often = SLIP_RATIO * studies[word]
        if any(studies[one] >= often and _one_slip(word, one) for one in sorted(meant - {word})):
            yield word


def _without_one(word: str) -> Iterator[str]:
    return (word[:place] + word[place + 1 :] for place in range(len(word)))


def _one_slip(typed: str, meant: str) -> bool:
    if f"{typed}s" == meant or typed == f"{meant}s":
        return False
    if len(typed) != len(meant):
        return True
    differ = [place for place in range(len(typed)) if typed[place] != meant[place]]
    if len(differ) == 1:
        return True
    first, last = differ[0], differ[-1]
    swapped = last == first + 1 and typed[first] == meant[last] and typed[last] == meant[first]
    return len(differ) == 2 and swapped


def words_of(text: str) -> list[str]:
    """Words of three letters or more, in lower case."""
    return _WORDS.findall(text.lower())
