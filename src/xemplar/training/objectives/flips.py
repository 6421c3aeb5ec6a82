"""Hard negatives in words: the same sentence with one claim's presence, side or degree turned round.

Knows a few turns of English and asks `xemplar.findings` whether a text made so says exactly what was
meant; whatever doesn't is dropped. It finds no flip for many a sentence, and what it finds is read
right but not always well written. Knows no image and no tensor.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, get_args

from xemplar.findings import read_claims
from xemplar.records import Claim

Aspect = Literal["presence", "side", "degree"]
ASPECTS: tuple[Aspect, ...] = get_args(Aspect)
TRIED = 24
"""At most so many texts are read again for a claim and an aspect."""


@dataclass(frozen=True, slots=True)
class Flip:
    """A text that says the opposite in one respect: which, of which claim, and what it says now."""

    text: str
    aspect: Aspect
    before: Claim
    after: Claim


def every_flip(
    sentence: str, claims: Sequence[Claim], *, aspects: Sequence[Aspect] = ASPECTS
) -> tuple[Flip, ...]:
    """The best flip of every claim in every aspect that has one, in the claims' order."""
    tried = (
        _first(_texts(sentence, claims, place=place, aspect=aspect), claims, place=place, aspect=aspect)
        for place in range(len(claims))
        for aspect in aspects
    )
    return tuple(found for found in tried if found is not None)


def _first(texts: Iterable[str], claims: Sequence[Claim], *, place: int, aspect: Aspect) -> Flip | None:
    for text in dict.fromkeys(islice(texts, TRIED)):
        after = _changed(claims, read_claims(text), place=place, aspect=aspect)
        if after is not None:
            return Flip(text, aspect, claims[place], after)
    return None


def _changed(before: Sequence[Claim], after: Sequence[Claim], *, place: int, aspect: Aspect) -> Claim | None:
    """The claim that differs, if it is the one meant and differs in nothing but the aspect."""
    if len(before) != len(after):
        return None
    for at, (one, two) in enumerate(zip(before, after, strict=True)):
        kept = [getattr(one, name) == getattr(two, name) for name in _FIELDS]
        wanted = [at != place or name != aspect for name in _FIELDS]
        if kept != wanted:
            return None
    # What says less ("uncertain", no side) isn't the opposite of what says more.
    value = getattr(after[place], aspect)
    return None if value in (None, "uncertain") else after[place]


_FIELDS = ("finding", "presence", "side", "place", "degree", "change")


def _texts(sentence: str, claims: Sequence[Claim], *, place: int, aspect: Aspect) -> Iterator[str]:
    """Texts that may say it, the best written first."""
    claim = claims[place]
    if aspect == "presence":
        yield from _turned(sentence, claims, place)
    elif claim.presence != "absent" and getattr(claim, aspect) is not None:
        # "No large effusion" and "no small effusion" don't contradict each other.
        if aspect == "degree":
            yield from _swapped(sentence, _DEGREES, claim.finding)
        elif not re.search(r"\bthan\b", sentence):  # "left greater than right" names both
            yield from _swapped(sentence, _SIDES, claim.finding)


# --- side and degree: one word for another ---------------------------------------------------------------

_SIDES = {
    r"left": ("right",),
    r"right(?!\s+middle)": ("left",),  # only the right lung has a middle lobe
    r"left-sided": ("right-sided",),
    r"right-sided": ("left-sided",),
    r"bilateral": ("left", "right"),
    r"bilaterally": ("on the left", "on the right"),
    r"bibasilar": ("left basilar", "right basilar"),
    r"bibasal": ("left basal", "right basal"),
    r"biapical": ("left apical", "right apical"),
}
_DEGREES = {
    r"mild(?:-| )to(?:-| )moderate": ("severe",),
    r"small(?:-| )to(?:-| )moderate": ("large",),
    r"moderate(?:-| )to(?:-| )large": ("small",),
    r"moderate(?:-| )to(?:-| )severe": ("mild",),
    r"mildly(?:-| )to(?:-| )moderately": ("severely",),
    r"(?:small|tiny|trace)": ("large",),
    r"minute": ("large",),
    r"mild": ("severe",),
    r"mildly": ("severely",),
    r"(?:minimal|slight|minor|subtle)": ("marked",),
    r"(?:minimally|slightly)": ("markedly",),
    r"moderate": ("small", "mild", "large", "severe"),
    r"moderately": ("mildly", "severely"),
    r"(?:large|massive|big)": ("small",),
    r"severe": ("mild",),
    r"severely": ("mildly",),
    r"(?:marked|substantial|gross|extensive)": ("mild",),
    r"(?:markedly|grossly|massively|substantially)": ("mildly",),
}
_SIZED = {"Pleural Effusion", "Pneumothorax", "Lung Lesion", "Hernia", "Pneumoperitoneum"}
"""Findings that are small or large; the others are mild or severe."""
_AS_SIZE = {"mild": "small", "severe": "large"}
_AS_STRENGTH = {"small": "mild", "large": "severe"}


def _swapped(sentence: str, words: dict[str, tuple[str, ...]], finding: str) -> Iterator[str]:
    """Every word of the table, one at a time, replaced by each of its opposites."""
    # The longest entry that fits, so that no part of a compound is replaced.
    entries = sorted(words, key=len, reverse=True)
    whole = re.compile("|".join(rf"(?<![\w-])({entry})(?![\w-])" for entry in entries), re.IGNORECASE)
    for match in whole.finditer(sentence):
        for word in words[entries[(match.lastindex or 1) - 1]]:
            if "moderate" in match[0].lower():  # says nothing of whether it is a size or a strength
                word = (_AS_SIZE if finding in _SIZED else _AS_STRENGTH).get(word, word)
            yield _replaced(sentence, (match.start(), match.end()), word)


def _replaced(sentence: str, span: tuple[int, int], word: str) -> str:
    """The sentence with a word in place of a span; its capital and its article as they should be."""
    before, after = sentence[: span[0]], sentence[span[1] :]
    if sentence[span[0]].isupper():
        word = word[0].upper() + word[1:]
    if article := re.search(r"\b([Aa])n?(?=\s+\Z)", before):
        fitting = article[1] + ("n" if word[0].lower() in "aeiou" else "")
        before = before[: article.start()] + fitting + before[article.end() :]
    return before + word + after


# --- presence: to deny what was said, to say what was denied ------------------------------------------------

_SEEN = r"(?:seen|present|noted|identified|demonstrated|visuali[sz]ed|evident|apparent|appreciated|observed)"
_UNDENIED = (
    (r"(?<=\bthere is )no (?:evidence (?:of|for) )?(?:an? |any )?", ""),
    (r"(?<=\bthere are )no (?:evidence (?:of|for) )?(?:any )?", ""),
    (r"\bno evidence (?:of|for) (?:an? |any )?", "There is "),
    (r"\bno (?:definite |convincing |obvious |appreciable )?", ""),
    (r"\bwithout (?:evidence of )?(?:any )?", "with "),
    (r"\bnegative for ", "positive for "),
    (r"\b(?:is|are) (?:free|clear) of ", "show "),
    (rf"(?<=\bis )not (?={_SEEN})", ""),
    (rf"(?<=\bare )not (?={_SEEN})", ""),
    (r"\babsent\b", "present"),
    (r"\b(?:does|do) not (show|demonstrate|reveal)\b", r"\1"),
)
_PREDICATES = (
    (r"not (?:significantly |grossly )?enlarged", "enlarged"),
    (r"(?:within normal limits|normal in size|normal sized?)", "enlarged"),
    (r"(?:at )?(?:the )?(?:upper|top) limits? of normal(?: in size)?", "enlarged"),
    (r"(?<!of )(?:normal|unremarkable)", "enlarged"),
    (r"(?<!ly )enlarged", "normal in size"),
    (r"(?<!ly )enlarged", "normal"),
    (r"(?<!ly )widened", "normal"),
    (r"intact", "fractured"),
    (r"fractured", "intact"),
)  # fmt: skip
_DOUBTS = (
    (r"\b(?:possible|probable|suspected|questionable|potential|equivocal|borderline) ", ""),
    (r"\b(?:possible|suspected|questionable|potential|equivocal) ", "no "),
    (r"\b(?:possibly|perhaps|maybe) ", ""),
    (r"\b(?:may|might|could) represent\b", "represents"),
    (r"\b(?:may|might|could) (?:be|reflect|indicate)\b", "is"),
    (r"\b(?:(?:is|are) possible|(?:is|are) suspected)\b", "is present"),
    (r"\bcannot be (?:entirely |completely )?excluded\b", "is present"),
    (r"\?", ""),
)
_JOINED = re.compile(r"\s*,?\s*\b(?:and/or|and|or|nor)\b\s*|\s*,\s*")
_NOT_OF_IT = frozenset((
    "a", "an", "the", "some", "is", "are", "was", "were", "has", "have", "been", "be", "of", "in", "at",
    "on", "with", "without", "and", "or", "nor", "but", "there", "no", "not", "seen", "noted", "shows",
    "show", "demonstrates", "demonstrate", "reveals", "reveal", "overlies", "appears", "appear", "remains",
    "from", "to", "by", "for", "which", "as", "than", "represents", "also", "again",
))  # fmt: skip
"""Words that don't stand among the adjectives of a mention."""
_WORD = re.compile(r"[\w/-]+")
_FARTHEST = 80
"""Letters before a mention within which its own words begin."""
_NO_DENIAL_AFTER = re.compile(
    r"\b(?:of|to|by|in|from|for|on|at|as|than|no|not|(?:consistent|compatible) with)\s+\Z", re.IGNORECASE
)
_VERB_BEFORE = re.compile(r"(?<!\bthere )\b(?:is|are|was|were|appears?|remains?)\s+\Z", re.IGNORECASE)
_LOOKED_AT = re.compile(r"\b(?:is|are|appears?|size|silhouette|contours?)\b", re.IGNORECASE)
"""Within a claim's span: it is a structure and what is said of it, which "no" doesn't deny."""
_ARTICLE_BEFORE = re.compile(r"\b(?:an?|the|some)\s+\Z", re.IGNORECASE)
_WITH = re.compile(r"(?<!consistent)(?<!compatible)\s+with\s+")
_SAID_OF_ALL = re.compile(rf"\b(?:is|are|was|were) (?:again |also )?{_SEEN}\b")


def _turned(sentence: str, claims: Sequence[Claim], place: int) -> Iterator[str]:
    claim = claims[place]
    yield from _edited(sentence, _PREDICATES, claim.span)
    yield from _parted(sentence, claims, place)
    if claim.presence == "uncertain":
        yield from _edited(sentence, _DOUBTS, (0, len(sentence)))
    elif claim.presence == "absent":
        for text in _edited(sentence, _UNDENIED, (0, len(sentence))):
            yield text
            yield from _rest_denied(sentence, text, claims, place=place)
        yield from _taken_out(sentence, claims, place)
    else:
        yield from _denied(sentence, claims, place)


def _edited(sentence: str, edits: Iterable[tuple[str, str]], within: tuple[int, int]) -> Iterator[str]:
    """The sentence with one edit at one place, for every edit and place."""
    for pattern, replacement in edits:
        for match in re.compile(pattern, re.IGNORECASE).finditer(sentence, *within):
            yield _tidy(
                sentence[: match.start()] + match.expand(replacement) + sentence[match.end() :], sentence
            )


def _tidy(text: str, original: str) -> str:
    """Single spaces, and the first letter as large as the original's."""
    text = re.sub(r"\s+([.,;])", r"\1", " ".join(text.split()))
    if original[:1].isupper():
        text = text[:1].upper() + text[1:]
    # A word that led the sentence and no longer does; acronyms and single letters stay.
    lead = re.match(r"[A-Z][a-z]+", original)
    if lead and not text.startswith(lead[0]):
        text = re.sub(rf"(?<=[a-z,] ){lead[0]}\b", lead[0].lower(), text, count=1)
    return re.sub(r"(?<=[a-z,] )(There is|There are)\b", lambda found: found[0].lower(), text)


def _beside(sentence: str, claims: Sequence[Claim], place: int) -> tuple[re.Match[str] | None, ...]:
    """What joins a claim's mention to the one before it and to the one after it."""
    start, end = claims[place].span
    ends = [claim.span[1] for claim in claims if claim.span[1] <= start]
    starts = [claim.span[0] for claim in claims if claim.span[0] >= end]
    before = _JOINED.search(sentence, max(ends), start) if ends else None
    after = _JOINED.search(sentence, end, min(starts)) if starts else None
    return before, after


def _there(mention: str) -> str:
    many = mention.endswith("s") and not mention.endswith(("is", "us", "ss"))
    return "there are" if many else "there is"


def _rest_denied(sentence: str, text: str, claims: Sequence[Claim], *, place: int) -> Iterator[str]:
    """For the first of a list: "No A or B" -> "A but no B", from `text`, which is "A or B"."""
    after = _beside(sentence, claims, place)[1]
    if after is not None:
        tail = sentence[after.end() :]
        if text.endswith(tail):
            head = text[: len(text) - len(tail)]
            yield _tidy(head[: len(head) - len(after[0])] + " but no " + tail, sentence)


def _taken_out(sentence: str, claims: Sequence[Claim], place: int) -> Iterator[str]:
    """For a later one of a list: "No A, B or C" -> "No A, but there is B and no C"."""
    before, after = _beside(sentence, claims, place)
    if before is None:
        return
    own = sentence[before.end() : after.start() if after else len(sentence)]
    rest = "" if after is None else " and no " + sentence[after.end() :]
    said = "" if _SAID_OF_ALL.search(own) else _there(sentence[slice(*claims[place].span)])
    yield _tidy(f"{sentence[: before.start()]}, but {said} {own}{rest}", sentence)


def _denied(sentence: str, claims: Sequence[Claim], place: int) -> Iterator[str]:
    """What was said, denied: by its verb, or by "no" before all of its words."""
    span = claims[place].span
    if verb := re.compile(rf"\b(?:is|are|was|were)(?= (?:again |also )?{_SEEN}\b)").search(sentence, span[1]):
        yield _tidy(sentence[: verb.end()] + " not" + sentence[verb.end() :], sentence)
    start = _first_word(sentence, span[0])
    head, tail = sentence[:start], sentence[start:]
    if _NO_DENIAL_AFTER.search(head) or _LOOKED_AT.search(sentence, *span):
        return
    if _VERB_BEFORE.search(head):
        yield _tidy(f"{head}not {tail}", sentence)
        return
    head = _ARTICLE_BEFORE.sub("", head)
    if with_it := re.search(r"\bwith\s*\Z", head, re.IGNORECASE):
        yield _tidy(f"{head[: with_it.start()]}without {tail}", sentence)
    for text in _rest_kept(sentence, claims, place=place, start=start):
        yield _tidy(f"{head}no {text}", sentence)
    before = _beside(sentence, claims, place)[0]
    yield _tidy(
        f"{head}no {tail}" if before is None else f"{sentence[: before.start()]} but no {tail}", sentence
    )
    yield _tidy(f"{head}no {tail}", sentence)


def _rest_kept(sentence: str, claims: Sequence[Claim], *, place: int, start: int) -> Iterator[str]:
    """From a denied mention's first word on: what follows in the list is said as before."""
    end = claims[place].span[1]
    if found := re.compile(r"\s+without\s+(?:evidence of\s+)?").search(sentence, end):
        yield f"{sentence[start : found.start()]} or {sentence[found.end() :]}"
    after = _beside(sentence, claims, place)[1] or _WITH.search(sentence, end)
    later = [claim.span for claim in claims if claim.span[0] >= end]
    if after is not None and later:
        rest = sentence[after.end() :]
        if not _SAID_OF_ALL.search(rest):
            yield f"{sentence[start : after.start()]} but {_there(sentence[slice(*min(later))])} {rest}"
        yield f"{sentence[start : after.start()]} but {rest}"


def _first_word(sentence: str, start: int) -> int:
    """Where the words that belong to a mention begin: adjectives and nouns before it, up to a comma."""
    for found in list(_WORD.finditer(sentence, max(0, start - _FARTHEST), start))[::-1]:
        if found[0].lower() in _NOT_OF_IT or sentence[found.end() : start].strip():
            break
        start = found.start()
    return start


def _parted(sentence: str, claims: Sequence[Claim], place: int) -> Iterator[str]:
    """Two structures under one predicate: "heart and mediastinum are normal" -> one of them isn't."""
    start, end = claims[place].span
    sharing = [claim for claim in claims if claim.span[1] == end and claim.span[0] != start]
    if not sharing:
        return
    first, second = sorted((start, min(claim.span[0] for claim in sharing)))
    joined = _JOINED.search(sentence, first, second)
    if joined is None:
        return
    for old, new in _PREDICATES:
        said = re.compile(old + r"(?=\W|\Z)", re.IGNORECASE).search(sentence, second, end)
        if said is None:
            continue
        head, middle, tail = (
            sentence[: joined.start()],
            sentence[joined.end() : said.start()],
            sentence[said.end() :],
        )
        if start == first:
            yield _tidy(f"{head} is {new} and {middle}{said[0]}{tail}", sentence)
        else:
            yield _tidy(f"{head} is {said[0]} and {middle}{new}{tail}", sentence)
