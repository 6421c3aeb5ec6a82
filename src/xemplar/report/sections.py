"""Report text -> its sections.

Knows headings. Knows nothing of sentences, findings or files; a section is offsets into the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

UNNAMED = "unnamed"

_HEADINGS: dict[str, tuple[str, ...]] = {
    "indication": (
        "indications?",
        "clinical (?:indications?|history|information|data|statement|question)",
        "history",
        "reason for (?:the |this )?(?:exam(?:ination)?|study|visit)",
    ),
    "technique": (
        "technique",
        "procedure(?: comments)?",
        "exam(?:ination)?(?: type)?",
        "study",
        "views?",
    ),
    "comparison": ("comparisons?(?: stud(?:y|ies))?", "(?:prior|previous) (?:exams?|stud(?:y|ies))"),
    "findings": ("findings?(?: (?:and|&) impressions?|/impressions?)?", "observations?", "description"),
    "impression": (
        "(?:final |preliminary )?impressions?",
        "conclusions?",
        "assessment",
        "opinion",
        "interpretation",
        "summary",
    ),
    "addendum": ("addend(?:um|a)", "amendment"),
    UNNAMED: (
        "recommendations?",
        "recommendation\\(s\\)",
        "notifications?",
        "wet read",
        "final report",
        "(?:electronically )?signed by",
        "dictated by",
    ),
}


@dataclass(frozen=True, slots=True)
class Section:
    """The body of one section: [start, end) of the original text, without heading and outer blanks."""

    name: str
    start: int
    end: int


@cache
def _heading() -> re.Pattern[str]:
    """One group a section name; the heading word is matched in any case and checked by the caller."""
    groups = [f"(?P<{name}>{'|'.join(words)})" for name, words in _HEADINGS.items()]
    words = "|".join(groups).replace(" ", r"[ \t]+")
    return re.compile(rf"(?<![\w/-])(?:{words})[ \t]*(?P<end>:|(?=\r?\n)|\Z)", re.IGNORECASE)


def _is_heading(text: str, match: re.Match[str]) -> bool:
    """Whether a heading word stands where headings stand, in a heading's letters."""
    word = text[match.start() : match.end()].rstrip(": \t")
    before = text[: match.start()].rstrip(" \t")
    at_line_start = not before or before[-1] in "\r\n"
    if match["end"] != ":":  # a line of its own, in capitals
        return at_line_start and word.isupper()
    if at_line_start:
        return word[0].isupper()
    return word.isupper() or (word[0].isupper() and before[-1] in ".;:!?)")


def split_sections(text: str) -> tuple[Section, ...]:
    """Cut a report into its sections, in order; a section without a body is left out.

    Names are indication, technique, comparison, findings, impression, addendum and "unnamed" (text
    before any heading, or under one that belongs to none of these). Headings stand at the start of a
    line in upper or title case before a colon, alone on a line in capitals, or within run-on text.
    """
    sections: list[Section] = []
    name, start = UNNAMED, 0
    for match in _heading().finditer(text):
        if not _is_heading(text, match):
            continue
        _append_body(sections, text, name, (start, match.start()))
        name, start = next(key for key in _HEADINGS if match[key] is not None), match.end()
    _append_body(sections, text, name, (start, len(text)))
    return tuple(sections)


def _append_body(sections: list[Section], text: str, name: str, span: tuple[int, int]) -> None:
    body = _trimmed(text, *span)
    if body is not None:
        sections.append(Section(name, *body))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The range without outer white space, or None where nothing is left."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else None


def section_texts(text: str) -> dict[str, str]:
    """Section name -> its text; sections of one name are joined by a line break."""
    parts: dict[str, list[str]] = {}
    for section in split_sections(text):
        parts.setdefault(section.name, []).append(text[section.start : section.end])
    return {name: "\n".join(bodies) for name, bodies in parts.items()}
