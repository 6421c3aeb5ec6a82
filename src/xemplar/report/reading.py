"""A report's text -> everything that this room says of it, in one call.

Knows the order of the steps. Knows no rule itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from xemplar.report.boilerplate import is_boilerplate
from xemplar.report.language import language_of, language_within
from xemplar.report.priors import compares_with_prior
from xemplar.report.sections import Section, split_sections
from xemplar.report.sentences import split_sentences

_STOCK = frozenset({"recommendation", "notification", "signature"})
"""Sections of which every sentence is boilerplate."""


@dataclass(frozen=True, slots=True)
class ReportSentence:
    """One sentence, [start, end) of the report's text, and what it is."""

    start: int
    end: int
    section: str
    compares_with_prior: bool
    boilerplate: bool
    language: str | None
    """ISO 639-1; the report's own where the sentence gives no clear sign of another."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report's text with its sections and sentences, both in order, as offsets into it."""

    text: str
    sections: tuple[Section, ...]
    sentences: tuple[ReportSentence, ...]
    language: str | None
    """Of findings and impression, or of the whole text where it has neither; ISO 639-1."""

    def section_text(self, name: str) -> str:
        """The bodies of one section, joined by a line break; empty where there is none."""
        return "\n".join(self.text[one.start : one.end] for one in self.sections if one.name == name)

    def words(self, sentence: ReportSentence | Section) -> str:
        """What stands at a sentence's or a section's place, blanks and line breaks collapsed."""
        return " ".join(self.text[sentence.start : sentence.end].split())


def read_report(text: str) -> Report:
    """Sections and sentences of a report, and of each sentence what it is.

    Offsets are into `text`, which is kept as it is. Sections, and within them sentences, stand in order.
    A sentence takes the report's language unless it clearly is in another, so that a report in two
    languages is told apart by sentence.
    """
    sections = split_sections(text)
    told = [one for one in sections if one.name in ("findings", "impression")] or sections
    language = language_of("\n".join(text[one.start : one.end] for one in told))
    found = []
    for section in sections:
        body = text[section.start : section.end]
        for start, end in split_sentences(body):
            words = " ".join(body[start:end].split())
            prior, stock, own = _read_sentence(words, language)
            span = (section.start + start, section.start + end)
            stock = stock or section.name in _STOCK
            found.append(ReportSentence(*span, section.name, prior, stock, own))
    return Report(text, sections, tuple(found), language)


@lru_cache(maxsize=20_000)
def _read_sentence(words: str, home: str | None) -> tuple[bool, bool, str | None]:
    """Kept by text: reports repeat their sentences."""
    return compares_with_prior(words), is_boilerplate(words), language_within(words, home)
