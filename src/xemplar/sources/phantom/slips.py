"""Typing errors: one letter or blank gone wrong in a sentence, its meaning left alone.

Knows letters, and the words that a slip must not touch. Knows nothing of findings: that no slip makes a
sentence claim the opposite is held by a test over every phrase.
"""

from __future__ import annotations

import re
from hashlib import sha256

import numpy as np

_UNTOUCHED = """
    evident nodular neither without never negative absent absence evidence excluded exclude excluding possible
    possibly possibility suspected questionable questioned borderline could might cannot right left
    bilateral bilaterally right-sided left-sided sides normal normally unremarkable clear intact
    enlarged within resolved resolution removal removed cleared longer interval unchanged increased
    increase decreased decrease stable newly developed placement insertion inserted prior previous
    previously earlier compared comparison since change larger smaller worse worsening improved
    improving progressed examination there which however although except other otherwise second
    third fourth fifth sixth seventh eighth ninth tenth upper lower middle represent raised their
"""
PROTECTED = frozenset(_UNTOUCHED.split())
"""Denials, doubts, sides, places, change and where a cue's reach ends: a slip here could turn a claim."""
HABITS = 2
"""How many different slips one sentence ever shows: people mistype the same words the same way."""

_WORD = re.compile(r"(?<![\w'-])[a-z]{5,}(?![\w'-])", re.IGNORECASE)


def _seeded(text: str, number: int) -> np.random.Generator:
    digest = sha256(f"{number} {text}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "big")))


def slips(text: str) -> tuple[str, ...]:
    """The few ways in which a sentence is mistyped, none of them the sentence itself."""
    found = [_slip(text, _seeded(text, number)) for number in range(HABITS)]
    return tuple(dict.fromkeys(one for one in found if one != text))


def slipped(text: str, rng: np.random.Generator) -> str:
    """The sentence with one of its slips, or as it is where it has no word to mistype."""
    found = slips(text)
    return found[int(rng.integers(len(found)))] if found else text


def unstopped(text: str) -> str:
    """Without its full stop: for the last sentence of a paragraph, so that no two run together."""
    return text.removesuffix(".")


def _slip(text: str, rng: np.random.Generator) -> str:
    words = [word for word in _WORD.finditer(text) if word[0].lower() not in PROTECTED]
    if not words:
        return text
    word = words[int(rng.integers(len(words)))]
    start, end = word.span()
    draw = rng.random()
    if draw < 0.12:
        wrong = (
            word[0][0].swapcase() + word[0][1:] if rng.random() < 0.5 else word[0][:2].upper() + word[0][2:]
        )
    elif draw < 0.24 and end + 1 < len(text) and _joins(text, end):
        return text[:end] + text[end + 1 :]
    else:
        wrong = _mistyped(word[0], rng)
    return text[:start] + wrong + text[end:]


def _joins(text: str, end: int) -> bool:
    """Whether the blank after a word may be missing: the next one is long and unprotected as well."""
    following = _WORD.match(text, end + 1)
    return text[end] == " " and following is not None and following[0].lower() not in PROTECTED


def _mistyped(word: str, rng: np.random.Generator) -> str:
    """Two letters swapped, one doubled or one missing, never the first."""
    at = 1 + int(rng.integers(len(word) - 2))
    draw = rng.random()
    if draw < 0.45 and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if draw < 0.65:
        return word[:at] + word[at] + word[at:]
    return word[:at] + word[at + 1 :]
