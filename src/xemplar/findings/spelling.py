"""Mistyped key words: the word that was meant, where it is one typing error away.

One error is a letter left out, added, doubled or replaced, or two neighbours exchanged (Damerau 1964).
Key words are those of a lexicon's own entries; a word that English or a lexicon has is never taken for
another. Knows letters, and nothing of what a word says.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

Shifts = tuple[list[int], list[int]]
"""Places in a text as it was meant, and what to add from there on to stand in it as it was typed."""

REMEMBERED = 50_000
"""Distinct pieces of text, blank to blank, of which it is kept whether a word is mistyped."""

_ENDING = re.compile(r"(?:(?<![uis])s|ed|er|ing)\Z")
_ENDINGS = ("", "e", "s", "es", "ed", "d", "er", "r", "ly", "ing")
_TOKEN = re.compile(
    r"(?P<group>\(\?(?::|<?[=!]))|(?P<close>\))|(?P<bar>\|)|\[(?P<members>[^\]]+)\]"
    r"|(?P<times>[?*+]|\{\d+,\d+\})|(?P<wild>\\w)|(?P<letter>[a-z])|(?P<gap>\\?.)"
)


@dataclass(frozen=True, slots=True)
class Spelling:
    """Finds what was meant by the mistyped words of a text."""

    word: re.Pattern[str]
    """What is long enough to be looked at."""
    meant: Callable[[str], str | None]
    """A word -> the key word that it mistypes; None for any other."""
    mistyped: Callable[[str], bool]
    """Whether a piece of text between blanks has such a word; it remembers the pieces that it met."""

    def mended(self, text: str) -> tuple[str, Shifts | None]:
        """A lower-cased text with its key words as they were meant, and the way back; None: as it was."""
        if not any(map(self.mistyped, text.split())):
            return text, None
        pieces: list[str] = []
        places, added = [0], [0]
        length = last = 0
        for found in self.word.finditer(text):
            meant = self.meant(found[0])
            if meant is None:
                continue
            kept = text[last : found.start()]
            pieces += (kept, meant)
            length += len(kept) + len(meant)
            last = found.end()
            places.append(length)
            added.append(last - length)
        return "".join((*pieces, text[last:])), (places, added)


def typed(place: int, shifts: Shifts) -> int:
    """Where a word's edge in a mended text stands in the text as it was typed."""
    places, added = shifts
    return place + added[bisect_right(places, place) - 1]


def spelling(entries: Iterable[str], rules: Mapping[str, object]) -> Spelling:
    """The spelling of a lexicon.

    `entries` are all its regular expressions; `rules` name the `shortest` key word in letters, shorter
    key words that count as well (`also`), and words that English has beside a key word (`look_alikes`).
    """
    shortest, also, alikes = rules["shortest"], rules["also"], rules["look_alikes"]
    if not (isinstance(shortest, int) and isinstance(also, list) and isinstance(alikes, list)):
        raise TypeError("a lexicon's spelling is of another shape")
    words = words_of(entries)
    keys = sorted({word for word in words if len(word) >= shortest}.union(also))
    known = {form for word in words for form in _forms(word)}.union(alikes)
    within: dict[str, list[str]] = {}
    for key in keys:
        for shorter in {key, *_without_one(key)}:
            within.setdefault(shorter, []).append(key)

    def meant(word: str) -> str | None:
        if word in known:
            return None
        near = {key for form in {word, *_without_one(word)} for key in within.get(form, ())}
        found = [(kind, key) for key in near if (kind := _error(word, key)) is not None]
        return min(found)[1] if found else None

    pattern = re.compile(rf"\b[a-z]{{{min(map(len, keys), default=1)},}}\b")

    def mistyped(piece: str) -> bool:
        return any(map(meant, pattern.findall(piece)))

    remembering = lru_cache(maxsize=REMEMBERED)
    return Spelling(pattern, meant, remembering(mistyped))


def _forms(word: str) -> set[str]:
    """A word and what English makes of it by an ending: "resolved", "resolve", "resolves", "resolver"."""
    stem = _ENDING.sub("", word)
    inflected = {word + ending for ending in ("", "s", "es", "d", "ly")}
    return inflected | {stem + ending for ending in _ENDINGS}


def _without_one(word: str) -> list[str]:
    return [word[:at] + word[at + 1 :] for at in range(len(word))]


def _error(word: str, key: str) -> int | None:
    """Which error makes a word of a key word, the likelier the lower; None where one is not enough."""
    longer, shorter = (word, key) if len(word) > len(key) else (key, word)
    at = next((i for i, (one, two) in enumerate(zip(longer, shorter)) if one != two), len(shorter))  # noqa: B905
    if len(word) != len(key):
        return 1 if longer[at + 1 :] == shorter[at:] else None
    if word[at + 2 :] == key[at + 2 :] and word[at : at + 2] == key[at : at + 2][::-1]:
        return 0
    return 2 if word[at + 1 :] == key[at + 1 :] else None


# --- the words of regular expressions -----


def words_of(entries: Iterable[str]) -> set[str]:
    """Every whole word that lexicon entries can match, "fibro(?:sis|tic)" being two.

    Knows the marks that entries use: groups, choices, classes of letters, repeats, what must or mustn't
    stand beside it; a word with a wild letter in it is none.
    """
    words: set[str] = set()
    for entry in entries:
        tokens = [match for match in _TOKEN.finditer(entry)]
        ends, at = _choices(tokens, 0, {""}, words=words)
        if at != len(tokens):
            raise ValueError(f"a lexicon entry closes a group that it never opened: {entry}")
        words |= _whole(ends)
    return words


Begun = set[str | None]
"""Words so far, up to a place in an entry; None is one with a wild letter."""


def _whole(begun: Begun) -> set[str]:
    return {word for word in begun if word}


def _choices(tokens: list[re.Match[str]], at: int, begun: Begun, *, words: set[str]) -> tuple[Begun, int]:
    """What may stand at the end of a group's choices, read from `at` to the group's end."""
    ends: Begun = set()
    now = begun
    while at < len(tokens) and not tokens[at]["close"]:
        if tokens[at]["bar"]:
            ends |= now
            now, at = begun, at + 1
            continue
        after, behind = _one(tokens, at, now, words=words)
        if behind < len(tokens) and (times := tokens[behind]["times"]):
            if times in "*+" or times[0] == "{":
                after = after | _one(tokens, at, after, words=words)[0]
            after = after if times == "+" else after | now
            behind += 1
        now, at = after, behind
    return ends | now, at


def _one(tokens: list[re.Match[str]], at: int, begun: Begun, *, words: set[str]) -> tuple[Begun, int]:
    """The token at `at`, a group with all that is in it: what is begun behind it, and where that is."""
    token = tokens[at]
    if token["group"]:
        if token["group"] != "(?:":  # what stands beside is no part of the word
            return begun, _choices(tokens, at + 1, {""}, words=set())[1] + 1
        ends, close = _choices(tokens, at + 1, begun, words=words)
        return ends, close + 1
    if token["wild"]:
        return {None}, at + 1
    letters = token["letter"] or token["members"]
    if letters and letters.isalpha():
        return {None if word is None else word + letter for word in begun for letter in letters}, at + 1
    words |= _whole(begun)
    return {""}, at + 1
