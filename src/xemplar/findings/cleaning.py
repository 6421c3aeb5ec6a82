"""Report text -> the sentences that a labeler reads, each with the way back to the text.

Knows stops, list marks and blank lines, and how the original labeler of CheXpert cleans a text before it
cuts it. Knows nothing of sections or of what a sentence means.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

_STOP = re.compile(
    r"(?=[.!?\n])(?:[.!?]+(?=[\s\"')]|\Z)(?<!\b\d\.)(?<!\b\d\d\.)"
    r"|\.(?<=[A-Za-z)]{2}\.)(?=[A-Z\d])"
    r"|\n\s*(?:\n|(?=\d{1,2}[.)]|[-*]\s)))"
)
_TITLE = re.compile(r"(?:\A|[\s(])(?:dr|mr|mrs|ms|vs|st|e\.g|i\.e|approx)\.\Z", re.IGNORECASE)
_CLEAN = re.compile(r"and/or|(?<=[a-z])/(?=[a-z])|\.(?:\s*\.)+\s*|[.,](?!\s)|\s{2,}|[\t\n\r\f\v]")
_CLEAN_STOP = re.compile(r"(?<=[.!?])\s+(?<!\s\d\.\s)(?<!\A\d\.\s)(?<!\s\d\d\.\s)")


@dataclass(frozen=True, slots=True)
class Cut:
    """A sentence as it is read, where it begins, and the way back to the text it was cut from."""

    text: str
    start: int
    shifts: tuple[list[int], list[int]] | None
    """Places in the cleaned text, and what to add from there on; None where nothing was cleaned."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """[start, end) of the sentence as a span of the whole text."""
        start, end = start + self.start, end + self.start
        if self.shifts is None:
            return start, end
        places, added = self.shifts
        first = start + added[bisect_right(places, start) - 1]
        last = end - 1 + added[bisect_right(places, end - 1) - 1] + 1 if end > start else first
        return first, max(first, last)


def cut(text: str) -> Iterator[Cut]:
    """The sentences of a text: a stop, a blank line or a list item ends one; a decimal point doesn't."""
    start = 0
    for stop in _STOP.finditer(text):
        end = stop.end()
        if _TITLE.search(text, max(0, end - 8), end):
            continue
        if not text[start:end].isspace():
            yield Cut(text[start:end], start, None)
        start = end
    if text[start:].strip():
        yield Cut(text[start:], start, None)


def cut_cleaned(text: str) -> Iterator[Cut]:
    """The sentences of a text cleaned as chexpert-labeler's loader does it (commit 44ddeb3).

    Lower case; "and/or" and a slash between letters become "or"; a blank after every stop and comma;
    runs of stops and of blanks become one.
    """
    cleaned, shifts = _cleaned(text)
    start = 0
    for gap in _CLEAN_STOP.finditer(cleaned):
        yield Cut(cleaned[start : gap.start()], start, shifts)
        start = gap.end()
    if cleaned[start:].strip():
        yield Cut(cleaned[start:], start, shifts)


def _cleaned(text: str) -> tuple[str, tuple[list[int], list[int]]]:
    low = text.lower()
    if len(low) != len(text):
        low = "".join(one if len(one := letter.lower()) == 1 else letter for letter in text)
    pieces: list[str] = []
    places, added = [0], [0]
    length = last = 0
    for match in _CLEAN.finditer(low):
        kept, found = low[last : match.start()], match[0]
        new = _replacement(found)
        pieces += (kept, new)
        length += len(kept) + len(new)
        last = match.end()
        if len(new) != len(found):
            places.append(length)
            added.append(last - length)
    pieces.append(low[last:])
    return "".join(pieces), (places, added)


def _replacement(found: str) -> str:
    if found == "and/or":
        return "or"
    if found == "/":
        return " or "
    if found[0] == ".":
        return ". "
    return ", " if found[0] == "," else " "
