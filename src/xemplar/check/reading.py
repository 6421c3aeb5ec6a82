"""A report -> what it says, claim by claim, each with the words it says it in.

Knows sections, sentences and the findings engine; judges nothing. Of a text, places are offsets into it; of a
study, offsets into each of its sections.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from xemplar.check.alerts import Quote
from xemplar.findings import read_claims
from xemplar.records import Claim, Study
from xemplar.report import compares_with_prior, language_of, split_sections, split_sentences

READ = ("findings", "impression", "addendum")
WHOLE = "report"
"""Section of a text without headings, which is read as one."""
LONGEST = 100_000
"""Characters of a report above which it is none: of some texts each takes longer the more there are."""
LONGEST_SENTENCE, LONGEST_WORD = 5_000, 200
"""Letters of a word above which what it stands in is no report, for the same reason."""
_NONE_NAMED, _BEFORE = "unnamed", {"indication", "comparison", "technique"}

_WORDS = re.compile(r"[A-Za-z]{2,}")
_LONG_WORD = re.compile(rf"[^\W\d_]{{{LONGEST_WORD + 1},}}")


@dataclass(frozen=True, slots=True)
class Part:
    """The text of a section; `start` is added to what is counted from its own beginning."""

    section: str
    text: str
    start: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """One claim, and the words it is made in."""

    claim: Claim
    quote: Quote
    order: int
    """Of its sentence within the report."""

    @property
    def section(self) -> str:
        """Findings, impression or addendum."""
        return self.quote.section

    @property
    def head(self) -> str:
        """The last word of its mention, without a plural: "nodule", "tube"."""
        words = _WORDS.findall(self.quote.text.lower())
        return "" if not words else words[-1].removesuffix("s")

    @property
    def before(self) -> str:
        """What stands before its mention in the sentence, in lower case."""
        return self.quote.sentence[: self.quote.start - self.quote.sentence_start].lower()


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a report, in its order; `unread` says why nothing was."""

    said: tuple[Said, ...]
    sentences: tuple[Quote, ...]
    """Every sentence of findings, impression and addendum, or of a text without headings."""
    comparison: str | None
    unread: str | None = None

    def of(self, section: str) -> tuple[Said, ...]:
        """What one section says."""
        return tuple(one for one in self.said if one.section == section)

    @property
    def text(self) -> str:
        """Its sentences, in order."""
        return " ".join(one.sentence for one in self.sentences)


def read_report(report: str | Study) -> Read:
    """Read a report's text, or a study's sections, of which findings and impression are checked.

    A text without headings is one section, WHOLE. What is empty, has no such section, is too long, or isn't
    English is read no further, and says so.
    """
    parts = list(_parts(report))
    comparison = "\n".join(part.text for part in parts if part.section == "comparison") or None
    if (why := _too_long(parts)) is not None:
        return Read((), (), comparison, why)
    read = [part for part in parts if part.section in READ] or _headless(parts)
    if not read:
        return Read((), (), comparison, "no findings and no impression in it" if parts else "no text")
    language = language_of(" ".join(part.text for part in read))
    if language not in ("en", None):
        return Read((), (), comparison, f"in another language than English ({language}): not read")
    said: list[Said] = []
    sentences: list[Quote] = []
    for part in read:
        for start, end in _spans(part):
            whole = _quote(part, (start, end), (start, end))
            for claim in _claims(whole.sentence):
                span = (start + claim.span[0], start + claim.span[1])
                said.append(Said(claim, _quote(part, span, (start, end)), len(sentences)))
            sentences.append(whole)
    return Read(tuple(said), tuple(sentences), comparison)


def _too_long(parts: list[Part]) -> str | None:
    """Why what may be read would take too long."""
    texts = [part.text for part in parts if part.section in READ]
    texts = texts or [part.text for part in parts if part.section == _NONE_NAMED]
    if (length := sum(map(len, texts))) > LONGEST:
        return f"{length:,} characters, more than the {LONGEST:,} that are read"
    if letters := max((len(word) for text in texts for word in _LONG_WORD.findall(text)), default=0):
        return f"a word of {letters:,} letters; no report"
    spans = (span for text in texts if len(text) > LONGEST_SENTENCE for span in split_sentences(text))
    if (most := max((end - start for start, end in spans), default=0)) > LONGEST_SENTENCE:
        return f"a sentence of {most:,} characters; no report"
    return None


def _parts(report: str | Study) -> Iterator[Part]:
    if isinstance(report, str):
        for one in split_sections(report):
            yield Part(one.name, report[one.start : one.end], one.start)
        return
    for name in ("comparison", "findings", "impression"):
        if text := getattr(report, name):
            yield Part(name, text)


def _headless(parts: list[Part]) -> list[Part]:
    """The text of a report without headings; above an indication, it has to tell of a finding."""
    found = [replace(part, section=WHOLE) for part in parts if part.section == _NONE_NAMED]
    if not _BEFORE & {part.section for part in parts}:
        return found
    if any(_claims(_cut(one, span)) for one in found for span in _spans(one)):
        return found
    return []


def _spans(part: Part) -> tuple[tuple[int, int], ...]:
    return tuple(split_sentences(part.text))


def _cut(part: Part, span: tuple[int, int]) -> str:
    return part.text[slice(*span)]


def _quote(part: Part, span: tuple[int, int], sentence: tuple[int, int]) -> Quote:
    return Quote(
        part.section,
        part.start + span[0],
        part.start + span[1],
        _cut(part, span),
        _cut(part, sentence),
        part.start + sentence[0],
        part.start + sentence[1],
    )


@lru_cache(maxsize=1 << 15)
def _claims(sentence: str) -> tuple[Claim, ...]:
    return read_claims(sentence)


@lru_cache(maxsize=1 << 15)
def compares(sentence: str) -> bool:
    """Whether a sentence compares with a prior; most are met again."""
    return compares_with_prior(sentence)
