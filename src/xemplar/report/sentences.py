"""Text -> its sentences, as offsets.

Knows stops, abbreviations and lists. Knows nothing of sections or meaning.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A full stop after one of these never ends a sentence ...
_TITLES = _words("dr drs mr mrs ms prof st vs e.g i.e cf approx ca viz incl")
# ... after one of these only where a capital follows, after one of those unless a number does.
_TAILS = _words("a.m p.m al etc jr sr inc resp dept min max temp hr hrs")
_NUMBERED = _words("fig figs no nos")
_BEFORE_INITIALS = _words("by and with from to of per")

_LIST_MARK = r"(?:\(?\d{1,2}[.)]|[-*\u2022\u00b7])"
_BREAK = re.compile(
    rf"(?P<blank>\n[ \t\r]*\n\s*)|(?P<item>\n[ \t]*(?={_LIST_MARK}[ \t]+\S))"
    r"|(?P<stop>[.!?]+[\"')\]\u201d\u2019]*(?=\s|\Z))|(?P<glued>(?<=[a-z]{3})\.(?=[A-Z][a-z]))"
)
_MARK = re.compile(rf"\s*{_LIST_MARK}\s+(?=\S)")
_BARE_MARK = re.compile(r"\s*\(?\d{1,2}[.]\Z")
_LAST_WORD = re.compile(r"(?:([\w'-]+)\s+)?([\w.]+)\Z")


def split_sentences(text: str) -> tuple[tuple[int, int], ...]:
    """Offsets [start, end) of the sentences of a text, in order, without outer blanks.

    Decimals, abbreviations and initials stay whole; a line break within a sentence does not end it,
    a blank line and a list item do. The number or bullet of a list item is not part of its sentence.
    Pieces without a letter or digit are left out.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _BREAK.finditer(text):
        if match.lastgroup == "stop" and not _ends_sentence(text, start, match):
            continue
        _append_sentence(spans, text, start, match.end())
        start = match.end()
    _append_sentence(spans, text, start, len(text))
    return tuple(spans)


def _append_sentence(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    mark = _MARK.match(text, start, end)
    span = _trimmed(text, mark.end() if mark else start, end)
    if span is not None and any(letter.isalnum() for letter in text[slice(*span)]):
        spans.append(span)


def _ends_sentence(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether a stop followed by white space really ends the sentence that began at `start`."""
    if match[0] != ".":
        return True
    before = text[max(start, match.start() - 48) : match.start()]
    if _BARE_MARK.match(text[start : match.end()]):
        return False
    words = _LAST_WORD.search(before)
    if words is None:
        return True
    following = text[match.end() :].lstrip()[:1]
    previous, last = words[1] or "", words[2]
    key = last.casefold()
    if key in _NUMBERED:
        return not following.isdigit()
    if key in _TITLES:
        return not following
    if key in _TAILS or re.fullmatch(r"(?:\w\.)+\w", last):
        return not following or following.isupper()
    if len(last) == 1 and last.isupper() and following.isupper():
        return not _before_initial(before, previous)
    return True


def _before_initial(before: str, previous: str) -> bool:
    """Whether the capital that ends `before` is an initial: it follows a title, a name or "by"."""
    if not previous:  # the sentence opens with it, or a full stop stands before it ("Dr. J")
        return True
    return previous.casefold() in _BEFORE_INITIALS or (previous[0].isupper() and len(before.split()) > 2)


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text, blanks and line breaks within collapsed: not for offsets."""
    return tuple(" ".join(text[start:end].split()) for start, end in split_sentences(text))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The range without outer white space, or None where nothing is left."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else None
