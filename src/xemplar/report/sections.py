"""Report text -> its sections.

Knows how reports are laid out: headings and their letters, and where text without one belongs. Knows
nothing of findings or files, and changes nothing: a section is offsets into the text that was given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from xemplar.report.boilerplate import is_boilerplate, is_closing, is_technique
from xemplar.report.headings import STRONG, UNNAMED, section_named, without_accents
from xemplar.report.sentences import split_sentences


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Section:
    """The body of one section: [start, end) of the original text, without heading and outer blanks."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Heading:
    """Where a heading stands, [start, end), and the section it opens; its body begins at `end`."""

    name: str
    start: int
    end: int


_FRAME = r"[ \t>*#=_|\[\u2022-]*+"
_LINE = re.compile(
    rf"(?P<frame>{_FRAME})(?P<number>\(?(?:\d{{1,2}}|[IVX]{{1,4}}|[A-H])[.)][ \t]*)?[*_]*"
    r"(?P<words>[A-Za-z][A-Za-z0-9 \t/&()\[\]'+,#-]{1,58}?)[ \t]*+[*_\]=]*+[ \t]*+"
    r"(?P<end>:[*_]*+|[-\u2013\u2014][ \t]++(?=\S)|\.?[ \t]*+\Z)"
)
_CAPITALS = re.compile(r"[ \t]*(?P<words>[A-Z]{5,}(?:[ /][A-Z]{3,}){0,3})[ \t]+(?=[A-Z\d_(].*[a-z]|[a-z])")
_BEFORE_COLON = re.compile(
    r"[A-Za-z][A-Za-z-]*(?:(?:[ \t]+|[ \t]*[/&][ \t]*)[A-Za-z-]+){0,5}(?:\([sS]\))?[ \t]*\Z"
)
_WORD_START = re.compile(r"(?<![A-Za-z-])[A-Za-z]")
_SIGNED = re.compile(
    r"(?:electronically|digitally) (?:signed|verified|approved)|(?:report )?dictated (?:by|and|on)"
    r"|signed by\b|transcribed (?:by|on)|(?:read|reported|interpreted|verified|approved) by[ :]"
    r"|end of (?:report|impression|addendum)\b|\*{3}",
    re.IGNORECASE,
)
_RULE = re.compile(r"[ \t]*[_=*~-]{10,}[ \t]*\Z")
_GAP = re.compile(r"\n[ \t\r]*\n\s*")
_JOINED = _words(
    "the these this those following of and or with for above below other additional significant no my "
    "our a an under see per in to by on any all incidental pertinent key major main lung chest cardiac "
    "bony osseous abnormal acute new prior previous positive negative ct mri pet us as les la el los "
    "las die der das de des du son sus "
)
_NEAR = 200
"""Letters before a heading within a line that are looked at."""

_VIEWS = "views"
_VIEWED = _words(
    "chest thorax view views radiograph radiographs film films xray ray rays cxr projection projections"
)
_COMPARED = _words("comparison comparisons compared comparable prior priors previous old outside recent")
_EARLY = frozenset({"preliminary", "addendum"})
_AFTER_FINDINGS = frozenset({"findings", "impression", "recommendation", "notification", "signature"})
_CONTEXT = frozenset({"indication", "technique", "comparison"})
_BODY = frozenset({"findings", "impression", "addendum"})


def split_sections(text: str) -> tuple[Section, ...]:
    """Cut a report into its sections, in order; a section without a body is left out.

    Names are those of `SECTION_NAMES`. Headings stand at the start of a line before a colon or a dash,
    alone on a line, or within run-on text; in capitals, title case or, where the text has no other,
    lower case; numbered or not. Of a report that has no heading for its findings, the paragraphs after
    its particulars are the findings; where it has none for the impression either and there are several,
    the last is the impression. Signatures, notices and recommendations end an impression.
    """
    found = _with_views(text, _headings(text))
    if any(heading.name == "comment" for heading in found):
        found = _with_comments(found)
    sections: list[Section] = []
    name, start = UNNAMED, 0
    for heading in found:
        _append_body(sections, text, name=name, span=(start, heading.start))
        name, start = heading.name, heading.end
    _append_body(sections, text, name=name, span=(start, len(text)))
    if not any(heading.name == "findings" for heading in found) and "\n" in text:
        sections = _unheaded(text, sections, has_impression=any(h.name == "impression" for h in found))
    return tuple(part for section in sections for part in _without_closing(text, section))


def section_texts(text: str) -> dict[str, str]:
    """Section name -> its text; sections of one name are joined by a line break."""
    parts: dict[str, list[str]] = {}
    for section in split_sections(text):
        parts.setdefault(section.name, []).append(text[section.start : section.end])
    return {name: "\n".join(bodies) for name, bodies in parts.items()}


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The range without outer white space, or None where nothing is left."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else None


def _append_body(sections: list[Section], text: str, *, name: str, span: tuple[int, int]) -> None:
    body = _trimmed(text, *span)
    if body is not None:
        sections.append(Section(name, *body))


# --- headings -----


def _headings(text: str) -> list[_Heading]:
    """Every heading of the text, in order."""
    bare = without_accents(text)
    lower = not any(map(str.isupper, bare)) if len(bare) < 20_000 else bare.islower()
    found: list[_Heading] = []
    weak: list[_Heading] = []
    ended = True  # whether what stands before a line ends there
    start = 0
    for line in bare.splitlines(keepends=True):
        content = line.rstrip()
        if content:
            heading = _at_line_start(content, start, ended=ended)
            if (
                heading is not None
                and content[heading.start - start :][:1].islower()
                and not (ended or lower)
            ):
                weak.append(heading)
                heading = None
            if heading is not None:
                found.append(heading)
            if ":" in content or "ign" in content or "ictated" in content or "IGN" in content:
                found += _within(content, start, heading, lower=lower)
            ended = content[-1] in ".:;!?_"
        else:
            ended = True
        start += len(line)
    if len({heading.name for heading in weak}) > 1:
        found = sorted([*found, *weak], key=lambda heading: heading.start)
    return found


def _at_line_start(line: str, offset: int, *, ended: bool) -> _Heading | None:
    """The heading that a line begins with."""
    first = line.lstrip()[:1]
    if not first:
        return None
    match = _LINE.match(line)
    name = section_named(match["words"]) if match is not None else None
    if match is not None and name is None and _names_views(match["words"], match["end"], line[match.end() :]):
        name = _VIEWS
    if match is not None and name is not None and _stands(match, name, ended=ended):
        return _Heading(name, offset + len(line) - len(line.lstrip()), offset + match.end())
    if _RULE.match(line):
        return _Heading(UNNAMED, offset, offset + len(line))
    signed = _SIGNED.match(line, len(line) - len(line.lstrip()))
    if signed is not None:
        return _Heading("signature", offset + signed.start(), offset + signed.start())
    match = _CAPITALS.match(line)
    name = section_named(match["words"]) if match is not None else None
    if match is not None and name is not None and name in STRONG:
        return _Heading(name, offset + match.start("words"), offset + match.end())
    return None


def _names_views(words: str, end: str, rest: str) -> bool:
    """Whether words before a colon name views ("CHEST, PA AND LATERAL:") and text, not a date, follows."""
    if not end.startswith(":") or not 1 < len(words.split()) < 12 or not is_technique(words):
        return False
    named = frozenset(re.findall("[a-z]+", words.casefold()))
    return (
        bool(named & _VIEWED)
        and not named & _COMPARED
        and not (rest.strip() and is_technique(f"chest {rest}"))
    )


def _with_views(text: str, found: list[_Heading]) -> list[_Heading]:
    """A heading that names views opens the findings of a report that has no other heading for them.

    It does so before the impression and where text follows it; else it is a title, and no heading.
    """
    named = [heading.name for heading in found]
    last = named.index("impression") if "impression" in named else len(found)
    ends = [*[heading.start for heading in found[1:]], len(text)]
    kept = []
    for at, heading in enumerate(found):
        if heading.name != _VIEWS:
            kept.append(heading)
        elif "findings" not in named and at < last and text[heading.end : ends[at]].strip():
            kept.append(replace(heading, name="findings"))
    return kept


def _stands(match: re.Match[str], name: str, *, ended: bool) -> bool:
    """Whether a heading word at a line's start is written as a heading is."""
    words, end = match["words"], match["end"].strip()
    if end.startswith(":"):
        return True
    upper = words.isupper()
    if end and end != ".":  # a dash
        return upper or (name in STRONG and words[0].isupper())
    if name == UNNAMED and not upper:
        return False
    if match["words"].casefold() == "report":
        return False
    return upper or (words[0].isupper() and (ended or name in STRONG)) or (ended and name in STRONG)


def _within(line: str, offset: int, opened: _Heading | None, *, lower: bool) -> Iterator[_Heading]:
    """The headings inside a line, after the one it was opened by; "INDICATION: History: ..." holds one."""
    begin = after = opened.end - offset if opened is not None else 0
    inside = opened.name if opened is not None else None
    while True:
        colon = line.find(":", begin)
        stop = colon if colon >= 0 else len(line)
        for match in _SIGNED.finditer(line, begin, stop):
            if line[max(0, match.start() - _NEAR) : match.start()].rstrip()[-1:] in {".", ";", "!"}:
                yield _Heading("signature", offset + match.start(), offset + match.start())
                break
        if colon < 0:
            return
        heading = _before_colon(line, after, colon, lower=lower)
        if heading is not None and not (after and heading.name == inside == "indication"):
            yield replace(heading, start=heading.start + offset, end=heading.end + offset)
            after, inside = colon + 1, heading.name
        begin = colon + 1


def _before_colon(line: str, after: int, colon: int, *, lower: bool) -> _Heading | None:
    """The longest heading that ends at a colon within a line."""
    tail = _BEFORE_COLON.search(line, max(after, colon - 60), colon)
    if tail is None:
        return None
    for start in (match.start() for match in _WORD_START.finditer(line, tail.start(), tail.end())):
        words = line[start:colon].strip()
        name = section_named(words)
        if name is not None and _stands_within(line, start, words=words, name=name, lower=lower):
            return _Heading(name, start, colon + 1)
    return None


def _stands_within(line: str, start: int, *, words: str, name: str, lower: bool) -> bool:
    """Whether a heading word before a colon, with text before it on its line, is a heading."""
    before = line[max(0, start - _NEAR) : start].rstrip()
    if name == UNNAMED and not words.isupper():
        return False
    if not before:
        return True
    if before[-1] in ".;!?)" or before[-1] == "_":
        return words[0].isupper() or lower
    previous = before.split()[-1]
    if previous.casefold().strip(",") in _JOINED or before[-1] in "/-&(":
        return False
    if words.isupper():
        return not (previous.isupper() and previous.isalpha() and len(previous) > 3 and _has_lower(line))
    return words[0].isupper() and name in STRONG and len(words) > 5


def _has_lower(line: str) -> bool:
    return any(map(str.islower, line))


def _with_comments(found: list[_Heading]) -> list[_Heading]:
    """A comment is the impression where the report has no other, and else more findings."""
    name = "findings" if any(heading.name == "impression" for heading in found) else "impression"
    return [replace(heading, name=name) if heading.name == "comment" else heading for heading in found]


# --- text without a heading -----


def _unheaded(text: str, sections: list[Section], *, has_impression: bool) -> list[Section]:
    """A report without a heading for its findings, with its loose paragraphs named."""
    ends = _AFTER_FINDINGS if has_impression else _AFTER_FINDINGS - {"findings"}
    loose = next((i for i, section in enumerate(sections) if section.name in ends), len(sections))
    last = max((i for i in range(loose) if sections[i].name in _CONTEXT), default=None)
    named = sections[:loose]
    paragraphs: list[Section] = []
    for index, section in enumerate(sections[:loose]):
        if (last is not None and index < last) or section.name in _EARLY:
            continue
        parts = _paragraphs(text, section)
        keep = 1 if section.name in _CONTEXT else _titles(text, parts)
        if keep and section.name in _CONTEXT:
            named[index] = parts[0]
        elif keep:
            named[index] = replace(section, end=parts[keep - 1].end)
        paragraphs += parts[keep:]
        if not keep:
            named[index] = replace(section, end=section.start)
    headless = last is None and not has_impression
    if not paragraphs or (headless and len(paragraphs) < 2):
        return sections
    return [
        *[section for section in named if section.start < section.end],
        *_findings_of(text, paragraphs, has_impression=has_impression),
        *sections[loose:],
    ]


def _findings_of(text: str, paragraphs: list[Section], *, has_impression: bool) -> Iterator[Section]:
    """The paragraphs as findings, the last as impression where it has no heading and others say something."""
    telling = [part for part in paragraphs if not _all_of(text, part, is_boilerplate)]
    split = not has_impression and len(telling) > 1
    body = paragraphs[: paragraphs.index(telling[-1])] if split else paragraphs
    yield Section("findings", body[0].start, body[-1].end)
    if split:
        yield Section("impression", telling[-1].start, paragraphs[-1].end)


def _paragraphs(text: str, section: Section) -> list[Section]:
    """The parts of a section between blank lines."""
    edges = [section.start]
    for match in _GAP.finditer(text, section.start, section.end):
        edges += [match.start(), match.end()]
    edges.append(section.end)
    spans = [_trimmed(text, edges[i], edges[i + 1]) for i in range(0, len(edges), 2)]
    return [Section(section.name, *span) for span in spans if span is not None]


def _titles(text: str, paragraphs: list[Section]) -> int:
    """How many of the first paragraphs are titles: one line, in capitals or without a stop."""
    count = 0
    for part in paragraphs:
        body = text[part.start : part.end]
        short = "\n" not in body and len(body.split()) < 12 and len(paragraphs) > 1
        if not (body.isupper() and len(body) < 160 and "." not in body.rstrip(".:")) and not (
            short and body[-1] not in ".!?"
        ):
            break
        count += 1
    return count


# --- what follows a report -----


def _without_closing(text: str, section: Section) -> Iterator[Section]:
    """A section; of findings and impression the last paragraphs that are notices stand apart."""
    if section.name not in _BODY or "\n" not in text[section.start : section.end]:
        yield section
        return
    parts = _paragraphs(text, section)
    kept = len(parts)
    while kept > 1 and _is_closing(text, parts[kept - 1]):
        kept -= 1
    if kept == len(parts):
        yield section
        return
    yield replace(section, end=parts[kept - 1].end)
    yield Section("notification", parts[kept].start, parts[-1].end)


def _is_closing(text: str, part: Section) -> bool:
    """Whether a paragraph holds nothing but notices of who read, dictated, signed or was told what."""
    return _all_of(text, part, is_closing)


def _all_of(text: str, part: Section, holds: Callable[[str], bool]) -> bool:
    """Whether something holds of each sentence of a paragraph."""
    body = text[part.start : part.end]
    return all(holds(" ".join(body[start:end].split())) for start, end in split_sentences(body))
