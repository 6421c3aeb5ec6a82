"""A whole report as one text -> the texts a study has, and whether it was amended or never final.

Knows what becomes of preliminary reads, addenda and text under no heading. Where sections begin is known
in `xemplar.report`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from xemplar.report import UNNAMED, section_texts, split_sections
from xemplar.sources.particulars import lines_lost, without_particulars
from xemplar.sources.prose import prose_of, telling_of

FIELDS = ("indication", "comparison", "findings", "impression")
_TAKEN = re.compile(r"\A[_ \t]*(?:\d{1,2}:\d{2}[ \t]*(?:[AP]M)?)[ \t]*$\s*", re.MULTILINE | re.IGNORECASE)
"""When a wet read was taken, in its own line before it."""
_FINAL = re.compile(r"^[ \t]*FINAL[ \t]+REPORT\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ReportTexts:
    """What a report says, by section; `status` is "final", "amended", "preliminary" or None (not said).

    `cut` counts the lines left out, by kind: two reports that differ in these alone are one.
    """

    indication: str | None = None
    comparison: str | None = None
    findings: str | None = None
    impression: str | None = None
    status: str | None = None
    cut: Mapping[str, int] = field(default_factory=dict, compare=False)


def report_texts(report: str) -> ReportTexts:
    """Cut a report into a study's texts.

    A wet read gives way to the report that follows it, and counts as findings only where none does. Text
    under no heading is the findings, where no section is; beside an impression only its sentences that name
    nobody, and after one only what is plainly of a radiograph. An addendum, wherever it stands, follows the
    impression as a paragraph of its own. The patient's particulars and who signed are left out. What is left
    out is counted, but for sections that a study has no place for (technique, notices, advice).
    """
    left, cut = without_particulars(report)
    parts = section_texts(left)
    texts = {name: parts[name] for name in FIELDS if name in parts}
    loose, early, addendum = (parts.get(name, "") for name in (UNNAMED, "preliminary", "addendum"))
    status = "final" if _FINAL.search(report) else None
    if (
        loose
        and "findings" not in texts
        and (body := loose if "impression" not in texts else _beside_impression(left))
    ):
        texts["findings"] = body
    if early and not {"findings", "impression"} & set(texts):
        texts["findings"], status = _TAKEN.sub("", early), "preliminary"
    taken = "\n".join(texts.values())
    for kind, text in (("signature", parts.get("signature", "")), ("unheaded", loose), ("wet read", early)):
        if lost := lines_lost(text, taken):
            cut[kind] += lost
    if addendum:
        texts["impression"] = "\n\n".join(filter(None, (texts.get("impression"), addendum)))
        status = "amended"
    return ReportTexts(**texts, status=status, cut=dict(cut))


def with_own(texts: ReportTexts, own: Mapping[str, str]) -> ReportTexts:
    """Texts that a source has by section in place of those cut from a report."""
    return replace(
        texts,
        indication=own.get("indication", texts.indication),
        comparison=own.get("comparison", texts.comparison),
        findings=own.get("findings", texts.findings),
        impression=own.get("impression", texts.impression),
    )


def _beside_impression(report: str) -> str:
    """What stands under no heading and tells of the film: less is asked before the impression than after."""
    bodies = []
    read = telling_of
    for section in split_sections(report):
        if section.name == "impression":
            read = prose_of
        elif section.name == UNNAMED:
            bodies.append(read(report[section.start : section.end]).strip())
    return "\n".join(filter(None, bodies))
