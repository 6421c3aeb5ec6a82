"""METEOR's aligner with its exact and stem modules, under its own name: `meteor_es`.

Knows pairs in words. M. Denkowski and A. Lavie, Meteor Universal (2014), the program's version 1.5 as it
is called with `-l en -norm`, but without its synonyms and paraphrases: those rest on data that can't be
shipped, and lift the score a little, so that this one is never to be printed as METEOR.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain as chained
from operator import itemgetter

import numpy as np
import snowballstemmer

from xemplar.metrics.tokenisers import Tokens
from xemplar.metrics.wording.pairs import Pairs
from xemplar.metrics.wording.score import Floats, WordingScore

_ALPHA, _BETA, _GAMMA, _DELTA = 0.85, 0.20, 0.60, 0.75
"""Weight of recall, exponent and weight of the fragmentation penalty, weight of content words (English)."""

_STEM_WEIGHT = 0.6
_BEAM = 40

_LISTED = (
    "a about after all also an and are as at be been but by can could first for from had has have he her "
    "his i if in into is it its last more new no not of on one or other out over people s said she so "
    "some than that the their there they this time to two up was we were what when which who will with "
    "would year years you \" $ ' 's 't ( ) , - -- -lrb- -rrb- . : ? \u2014 \u2019 \u201c \u201d"
)
_FUNCTION_WORDS = frozenset(_LISTED.split())
"""What makes up more than a thousandth of English prose. Found by asking the program of 16,899 words."""

_STATISTICS = 11


def meteor_es(pairs: Pairs, *, stem: bool = True) -> WordingScore:
    """METEOR 1.5 with exact and stem matches only (`stem=False`: exact only), in 0..1.

    Words are parted once more as the program's `-norm` does ("left-sided" is two). Of several
    references the best counts. The whole is no mean over pairs: it is the score of the summed
    statistics, as the program prints it. `sums` (n, 11): exact matches of content and of function
    words, stem matches in the prediction (content, function) and in the reference (content, function),
    chunks (0 where every word on both sides matches in one), words and function words of the prediction
    and of the reference.
    A pair without words on either side gets 0.
    """
    sums = np.empty((len(pairs), _STATISTICS))
    for row, (predicted, others) in enumerate(zip(pairs.predictions, pairs.references, strict=True)):
        words = normalised(predicted)
        each = [_statistics(words, normalised(other), stem=stem) for other in others]
        sums[row] = each[meteor_from_sums(np.array(each)).argmax()] if len(each) > 1 else each[0]
    return WordingScore(
        "meteor_es" if stem else "meteor_e", pairs.tokeniser, meteor_from_sums(sums), sums, meteor_from_sums
    )


def meteor_from_sums(sums: Floats) -> Floats:
    """(..., 11) sums of `meteor_es` -> (...) score, 0 where nothing matches."""
    parts = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    content, function, mine, mine_function, theirs, theirs_function, chunks = parts[:7]
    words, words_function, other, other_function = parts[7:]
    precision = _weigh(content + _STEM_WEIGHT * mine, function + _STEM_WEIGHT * mine_function) / _one(
        _weigh(words - words_function, words_function)
    )
    recall = _weigh(content + _STEM_WEIGHT * theirs, function + _STEM_WEIGHT * theirs_function) / _one(
        _weigh(other - other_function, other_function)
    )
    mean = precision * recall / _one((1 - _ALPHA) * recall + _ALPHA * precision)
    matched = content + function + (mine + mine_function + theirs + theirs_function) / 2
    return np.asarray(mean * (1 - _GAMMA * (chunks / _one(matched)) ** _BETA))


def _weigh(content: Floats, function: Floats) -> Floats:
    return _DELTA * content + (1 - _DELTA) * function


def _one(values: Floats) -> Floats:
    """1 in place of 0, to divide by."""
    return np.where(values > 0, values, 1.0)


def _statistics(words: Tokens, other: Tokens, *, stem: bool) -> tuple[int, ...]:
    """The row of `sums` of one prediction and one reference."""
    matches, chunks = align(words, other, stem=stem)
    exact, mine, theirs = [0, 0], [0, 0], [0, 0]
    for here, there in matches:
        if words[here] == other[there]:
            exact[words[here] in _FUNCTION_WORDS] += 1
        else:
            mine[words[here] in _FUNCTION_WORDS] += 1
            theirs[other[there] in _FUNCTION_WORDS] += 1
    if len(matches) == len(words) == len(other) and chunks == 1:
        chunks = 0
    functions = [sum(map(_FUNCTION_WORDS.__contains__, text)) for text in (words, other)]
    return (*exact, *mine, *theirs, chunks, len(words), functions[0], len(other), functions[1])


# --- The aligner ---

# A path through the reference is (cost, prediction's words in use as bits, where the running chunk goes
# on in the prediction or -1, its choices as a chain). Cost orders paths as the program does: more exact
# matches, fewer chunks, less distance.
_EXACT, _CHUNK = 1 << 48, 1 << 32
_COST = itemgetter(0)
_Chain = tuple["_Chain | None", int, int]
_Path = tuple[int, int, int, "_Chain | None"]


def align(words: Tokens, other: Tokens, *, stem: bool = True) -> tuple[list[tuple[int, int]], int]:
    """Matches (place in words, place in other), each place at most once, and the chunks they form.

    The program's beam of 40 is kept with its peculiarities, for which alignment it finds decides the
    score: stem matches count for nothing in the search, and the distance of a choice is charged to the
    paths that come after it.
    """
    candidates = _candidates(words, other, stem=stem and words != other)
    wanted = [0] * len(words)
    for places in candidates:
        for place in places:
            wanted[place] += 1
    # A match that nothing competes with is settled before the search.
    settled = [
        places[0] if len(places) == 1 and wanted[places[0]] == 1 else -1 if not places else None
        for places in candidates
    ]
    matches = [(place, there) for there, place in enumerate(settled) if place is not None and place >= 0]
    paths: list[_Path] = [(0, 0, -1, None)]
    for there, run in _runs(settled):
        if run is None:
            paths = _branch(paths, words, other, there=there, places=candidates[there])
        else:
            place, cost, end = run
            broken = cost + _CHUNK
            paths = [
                (before + (broken if goes >= 0 and goes != place else cost), used, end, chain)
                for before, used, goes, chain in paths
            ]
    paths.sort(key=_COST)
    closed = [(cost + _CHUNK if end >= 0 else cost, chain) for cost, _, end, chain in paths]
    total, choices = min(closed, key=_COST)
    while choices is not None:
        matches.append(choices[1:])
        choices = choices[0]
    return matches, (total // _CHUNK) % (_EXACT // _CHUNK)


def _runs(settled: list[int | None]) -> Iterator[tuple[int, tuple[int, int, int] | None]]:
    """Where a choice is open (None), and the runs of words between that have one place each, or none.

    A run is its first place, what it costs from its second word on, and where it ends: the same for all
    paths. What its matches are worth is the same too, and so left out.
    """
    there = 0
    while there < len(settled):
        start, first = there, settled[there]
        there += 1
        if first is None:
            yield start, None
            continue
        cost, end = 0, first + 1 if first >= 0 else -1
        while there < len(settled) and (place := settled[there]) is not None:
            cost += _CHUNK if end >= 0 and end != place else 0
            end = place + 1 if place >= 0 else -1
            there += 1
        yield start, (first, cost, end)


def _candidates(words: Tokens, other: Tokens, *, stem: bool) -> list[list[int]]:
    """For each word of `other`, the places of equal words and then of words of equal stem."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        places.setdefault(word, []).append(place)
    if not stem:
        return [places.get(word, []) for word in other]
    by_stem: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        by_stem.setdefault(_stem(word), []).append(place)
    found = []
    for word in other:
        exact, alike = places.get(word, []), by_stem.get(_stem(word), [])
        if len(alike) > len(exact):
            exact = exact + [place for place in alike if words[place] != word]
        found.append(exact)
    return found


def _branch(
    paths: list[_Path], words: Tokens, other: Tokens, *, there: int, places: list[int]
) -> list[_Path]:
    """The best of the paths with each choice that is open to them, and with none."""
    paths.sort(key=_COST)
    choices = [
        (place, 1 << place, _EXACT if words[place] == other[there] else 0, abs(there - place))
        for place in places
    ]
    grown: list[_Path] = []
    for cost, used, end, chain in paths:
        base = cost
        for place, bit, gain, distance in choices:
            if not used & bit:
                chunk = 0 if end in (place, -1) else _CHUNK
                grown.append((base - gain + chunk, used | bit, place + 1, (chain, place, there)))
                base += distance
        grown.append((base + _CHUNK if end >= 0 else base, used, -1, chain))
    # Sorting is stable, as the program's is: of equal paths the earlier stay.
    grown.sort(key=_COST)
    return grown[:_BEAM]


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    # Of Snowball before its version 3, which parts "later" from "lateral": the program's is older.
    return str(_stemmer().stemWord(word))


@lru_cache(maxsize=1)
def _stemmer() -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer("english")


# --- The program's own parting of words ---

_LETTERS = "A-Za-zŠŽšžŸÀ-ÖØ-öø-ž"
_PARTED = (
    (re.compile(rf"([^0-9{_LETTERS}\s.'`,\-\u2018\u2019])"), r" \1 "),
    (re.compile(r"(\.{2,})"), r" \1 "),
    (re.compile(r"([^\d]),([^\d])"), r"\1 , \2"),
    (re.compile(r"(\d),([^\d])"), r"\1 , \2"),
    (re.compile(r"([^\d]),(\d)"), r"\1 , \2"),
    (re.compile(r"[`\u2018\u2019]"), "'"),
    (re.compile(r"[\u201c\u201d]|''"), ' " '),
    (re.compile(r"\u2013|--"), "-"),
    (re.compile(rf"([0-9{_LETTERS}.])-([0-9{_LETTERS}])"), r"\1 \2"),
    (re.compile(rf"([^{_LETTERS}])'([^{_LETTERS}])"), r"\1 ' \2"),
    (re.compile(rf"([^{_LETTERS}\d])'([{_LETTERS}])"), r"\1 ' \2"),
    (re.compile(rf"([{_LETTERS}])'([^{_LETTERS}])"), r"\1 ' \2"),
    (re.compile(rf"([{_LETTERS}])'([{_LETTERS}])"), r"\1 '\2"),
    (re.compile(r"(\d)'(s)"), r"\1 '\2"),
)
_TITLES = (
    "Adj Adm Adv Bart Bldg Brig Bros Capt Cmdr Col Comdr Con Corp Cpl Dr DR Drs Ens Gen Gov Hon Hosp Hr Insp "
    "Lt Maj Messrs Mlle MM Mme Mr MR Mrs MRS Ms MS Msgr Nos Nr Op Ord Pfc Ph Prof Pvt Rep Reps Res rev Rev "
    "Rt Sen Sens Sfc Sgt Sr St Supt Surg v vs i.e e.g"
)
_KEEP_DOT = frozenset((*_TITLES.split(), *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
_KEEP_DOT_BEFORE_NUMBER = frozenset(("Art", "No", "pp"))
_LETTER = re.compile(f"[{_LETTERS}]")


def normalised(tokens: Tokens) -> Tokens:
    """The words as METEOR's `-norm` parts them, lower-cased."""
    words = tuple(chained.from_iterable(map(_parted, tokens)))
    if not any([word[-1] == "." for word in words]):
        return tuple(map(str.lower, words))
    following = [*words[1:], ""]
    return tuple(
        part.lower() for word, after in zip(words, following, strict=True) for part in _dot(word, after)
    )


@lru_cache(maxsize=1 << 16)
def _parted(token: str) -> Tokens:
    text = f" {token} "
    for pattern, parted in _PARTED:
        text = pattern.sub(parted, text)
    return tuple(text.split())


def _dot(word: str, after: str) -> Tokens:
    """A dot at the end goes ("u.s." is "us"), stays, or becomes a word."""
    stem = word[:-1]
    if not stem or word[-1] != "." or word.startswith(".."):
        return (word,)
    if "." in stem and _LETTER.search(stem):
        return (word.replace(".", ""),)
    if stem in _KEEP_DOT or "a" <= after[:1] <= "z":
        return (word,)
    if stem in _KEEP_DOT_BEFORE_NUMBER and "0" <= after[:1] <= "9":
        return (word,)
    return (stem, ".")
