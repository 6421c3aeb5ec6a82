"""A whole report as one text -> the texts a study has, and whether it was amended or never final.

Knows what stands around the sections of a report: preliminary (wet) reads, final reports, addenda before
or after them. Sections themselves are cut in `xemplar.report`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from xemplar.report import UNNAMED, section_texts, split_sections

FIELDS = ("indication", "comparison", "findings", "impression")
_PART = re.compile(
    r"^[ \t]*(?:(?P<wet>(?:WET|PRELIMINARY)[ \t]+(?:READ|REPORT|INTERPRETATION)\b[^\r\n]*)"
    r"|(?P<final>FINAL[ \t]+REPORT)[ \t]*:?[ \t]*$"
    r"|(?P<addendum>(?:FINAL[ \t]+)?ADDEND(?:UM|A))\b[ \t]*:?)",
    re.MULTILINE,
)
_RULE = re.compile(r"^[ \t]*[_=-]{8,}[ \t]*$", re.MULTILINE)
_PARAGRAPH = re.compile(r"\r?\n[ \t]*\r?\n\s*")


@dataclass(frozen=True, slots=True)
class ReportTexts:
    """What a report says, by section; `status` is "final", "amended", "preliminary" or None (not said)."""

    indication: str | None = None
    comparison: str | None = None
    findings: str | None = None
    impression: str | None = None
    status: str | None = None


def report_texts(report: str) -> ReportTexts:
    """Cut a report into a study's texts.

    A wet read gives way to the report that follows it, and counts only where none does. Text under no
    heading is the findings, where no section is. An addendum, wherever it stands, follows the impression
    as a paragraph of its own.
    """
    parts: dict[str, list[str]] = {}
    for name, body in _parts(report):
        parts.setdefault(name, []).append(body)
    body = "\n\n".join(parts.get("final") or parts.get("report") or [])
    addenda = [_unheaded(addendum) for addendum in parts.get("addendum", [])]
    status = "amended" if addenda else "final" if parts.get("final") else None
    if not body and not addenda and parts.get("wet"):
        body, status = "\n\n".join(parts["wet"]), "preliminary"
    texts = _sections(body)
    if "addendum" in texts:
        addenda.append(texts.pop("addendum"))
        status = "amended"
    if addenda:
        texts["impression"] = "\n\n".join(filter(None, (texts.get("impression"), *addenda)))
    return ReportTexts(**{name: texts[name] for name in FIELDS if texts.get(name)}, status=status)


def _parts(report: str) -> Iterator[tuple[str, str]]:
    """("report" | "wet" | "final" | "addendum", its text), in order, those without a text left out."""
    text = _RULE.sub("", report)
    name, start = "report", 0
    for match in _PART.finditer(text):
        if body := text[start : match.start()].strip():
            yield name, body
        name, start = match.lastgroup or "report", match.end()
    if body := text[start:].strip():
        yield name, body


def _unheaded(addendum: str) -> str:
    """An addendum's own text; sections that it repeats are told apart by paragraphs alone."""
    return "\n\n".join(addendum[one.start : one.end] for one in split_sections(addendum)) or addendum


def _sections(body: str) -> dict[str, str]:
    """Section name -> text, with findings found where no heading says so."""
    texts = section_texts(body)
    if "findings" in texts:
        return texts
    sections = split_sections(body)
    first = sections[0] if sections else None
    if first is not None and first.name == UNNAMED and not body[: first.start].strip():
        loose = body[first.start : first.end]
        if "impression" not in texts or "." in loose:
            return {**texts, "findings": loose}
    if "impression" not in texts and sections:
        # Under the last heading, after a blank line: what the reader saw, without a heading of its own.
        last = sections[-1]
        kept, *rest = _PARAGRAPH.split(body[last.start : last.end], maxsplit=1)
        if rest and last.name in (*FIELDS, "technique"):
            return {**texts, last.name: kept, "findings": rest[0]}
    return texts
