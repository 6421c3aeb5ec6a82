"""Which language a text is written in.

Knows words and endings of seven languages as radiology uses them, and asks a general classifier
(py3langid) for what they leave open and for every other language. Knows nothing of reports.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from xemplar.report.headings import without_accents

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

KNOWN: tuple[str, ...] = ("en", "es", "de", "fr", "pt", "it", "nl")
"""The languages with words of their own here, the likelier first: the first of equals is taken."""

_OTHERS = ("ca", "cs", "da", "fi", "hr", "hu", "no", "pl", "ro", "sk", "sl", "sv", "tr", "vi", "id")
_TOKEN = re.compile(r"[^\W\d_]+(?:[-'./][^\W\d_]+)*")
_LETTERS: dict[str, str] = {
    "\u00df": "de",
    "\u00e3": "pt",
    "\u00f5": "pt",
    "\u00f1": "es",
    "\u00bf": "es",
    "\u0153": "fr",
}
_CLEAR = 1.0
"""The lead over other languages that decides; a word of one language alone has 3, one of two has 2."""

_CLEARLY = 2.0
"""The lead over its report's language from which a sentence is in another."""

_ASKED_FROM = 6
"""Words from which a text may be in a language that has no words here."""


@dataclass(frozen=True, slots=True)
class _Signs:
    """What a word says: its languages and how much it tells; endings by their length, longest first."""

    words: Mapping[str, tuple[tuple[str, ...], float]]
    short: frozenset[str]
    endings: tuple[tuple[str, tuple[str, ...]], ...]


@cache
def _signs() -> _Signs:
    table = tomllib.loads(resources.files(__package__).joinpath("languages.toml").read_text("utf-8"))
    owners: dict[str, list[str]] = {}
    endings: dict[str, list[str]] = {}
    for code in KNOWN:
        for word in {*table[code]["words"].split(), *table[code]["short"].split()}:
            owners.setdefault(word, []).append(code)
        for ending in table[code]["endings"]:
            endings.setdefault(ending, []).append(code)
    return _Signs(
        {word: (tuple(codes), math.log2((len(KNOWN) + 1) / len(codes))) for word, codes in owners.items()},
        frozenset(word for code in KNOWN for word in table[code]["short"].split()),
        tuple((end, tuple(codes)) for end, codes in sorted(endings.items(), key=lambda one: -len(one[0]))),
    )


def language_of(text: str, *, likely: str = "en") -> str | None:
    """The language a text is written in, as ISO 639-1; None where it gives no sign.

    By the words and endings it holds, those of one language counting for more than those of several; in
    a text that isn't all in capitals, a word in capitals ("IL", "DES") is an abbreviation. Where that
    leaves several, `likely` is taken if it is among them. What is still open, text in another script,
    and longer text that the words hardly know is classified by py3langid. Marks ("XXXX", "___") and
    numbers are no sign.
    """
    if not text.isascii():
        letters = [letter for letter in text if letter.isalpha()]
        latin = sum(letter < "\u0250" or "\u1e00" <= letter < "\u1f00" for letter in letters)
        if 2 * latin < len(letters):
            return _asked(text, None)
    scores, known, words = _scores(text)
    if words >= _ASKED_FROM and known < 0.34 * words:
        return _asked(text, (*KNOWN, *_OTHERS))
    best = max(scores.values())
    if best == 0:
        return None
    tied = tuple(code for code in KNOWN if best - scores[code] < _CLEAR and scores[code] > 0)
    if likely in tied or len(tied) == 1:
        return likely if likely in tied else tied[0]
    return _asked(text, tied) if words > 1 else tied[0]


def language_within(sentence: str, home: str | None) -> str | None:
    """The language of a sentence of a report that is in `home`: that, unless it clearly is in another.

    It is where one of its at least two words, or both, speak for the other language alone: a slip of the
    pen ("N effusion") doesn't. Without `home`, the sentence's own.
    """
    found = language_of(sentence, likely=home or "en")
    if home is None or found in (None, home):
        return found or home
    if found not in KNOWN or home not in KNOWN:
        return found
    scores, _, words = _scores(sentence)
    return found if words > 1 and scores[found] - scores[home] >= _CLEARLY else home


def is_english(text: str) -> bool:
    """Whether a text is to be read as English; one that gives no sign either way is."""
    return language_of(text) in (None, "en")


def _scores(text: str) -> tuple[dict[str, float], int, int]:
    """Score of each language, how many words one of them knows, and the number of words."""
    signs = _signs()
    scores = dict.fromkeys(KNOWN, 0.0)
    shouted = text.isupper()
    known = words = 0
    for letter, code in _LETTERS.items():
        if letter in text:
            scores[code] += 2.0
    for match in _TOKEN.finditer(plain := without_accents(text)):
        if plain[match.end() : match.end() + 1].isdigit():
            continue  # "L1" is a vertebra, and no French article
        token = match[0]
        word = token.lower()
        if not word.strip("x"):
            continue
        words += 1
        abbreviated = token.isupper() and not shouted and len(token) > 1
        said = _said_by(word)
        known += bool(said)
        for code, weight in said:
            if not abbreviated or code == "en" or word in signs.short:
                scores[code] += weight
    return scores, known, words


def _told(word: str) -> tuple[tuple[str, float], ...]:
    signs = _signs()
    found = signs.words.get(word)
    if found is not None:
        return tuple((code, found[1]) for code in found[0])
    if len(word) > 5:
        for ending, codes in signs.endings:
            if word.endswith(ending):
                return tuple((code, 1.0 / len(codes)) for code in codes)
    return ()


@lru_cache(maxsize=20_000)
def _said_by(word: str) -> tuple[tuple[str, float], ...]:
    """The languages a word speaks for and how loudly; a joined one by its parts."""
    if word in _signs().words or not re.search(r"[-'./]", word):
        return _told(word)
    return tuple(sign for part in re.split(r"[-'./]", word) for sign in _told(part))


@cache
def _classifier() -> LanguageIdentifier:
    """py3langid's own model, read from its package (no pickle; nothing is fetched), when first needed."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)


def _asked(text: str, languages: tuple[str, ...] | None) -> str | None:
    """The likeliest of some languages, or of all it knows; None for text without any sign."""
    ranked: list[tuple[str, float]] = _classifier().rank(text.lower())
    if ranked[0][1] == ranked[-1][1]:
        return None
    return next(
        str(code) for code, _ in ranked if (len(code) == 2 if languages is None else code in languages)
    )
