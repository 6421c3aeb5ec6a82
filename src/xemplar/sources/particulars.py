"""A report without what says whose it is: its patient's particulars, who asked for it, who signed it.

Knows labels ("MRN: ...", "Referring: Dr. A", "cc: ...") and where names stand alone; which sentences tell of
a film and which of somebody is known in `prose.py`. What tells of neither stays. This de-identifies
nothing: a name within a sentence stays where it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from xemplar.report import UNNAMED, split_sections
from xemplar.report.headings import section_named, without_accents
from xemplar.sources.prose import (
    CREDENTIAL,
    OF_SOMEBODY,
    has_prose,
    is_plainly_of_a_radiograph,
    prose_of,
    telling_of,
    tells_alone,
    tells_of_a_body,
)

Kind = Literal["section", "sure", "near the top"]

_SURE = re.compile(
    r"(?:(?:patient|pt|subject)(?:'?s)? )?(?:(?:full|first|last|given|family|maiden|middle) )?"
    r"(?:name|id|identifier|identification|surname|forenames?)s?(?: ?(?:no|number|#))?"
    r"|(?:(?:patient|hospital|hosp|unit|record|medical record|account|policy|insurance|encounter|visit"
    r"|episode|case|file|chart|order|accession|acc|national|health card|nhs|chi|mrn|ssn|social security"
    r"|exam|study|requisition|request) ?(?:nos?|numbers?|nr|id|#)"
    r"|mrn|nhs|ssn|csn|chi|social security|accession)"
    r"|dob|d\.o\.b|(?:date of birth|birth ?date|born|date of death)(?: ?/ ?(?:age|sex))?"
    r"|(?:home |work |postal |mailing )?(?:address|post ?code|zip(?: code)?)"
    r"|(?:home |work |mobile |cell )?(?:phone|telephone|tel|mobile|cell|fax|pager|e-?mail)"
    r"(?: ?(?:no|number|#))?"
    r"|next of kin|insurance|insurer|occupation"
    r"|(?:referring|ordering|requesting|requested|ordered|referred|attending|consulting|admitting"
    r"|primary(?: care)?|copied|reporting|interpreting|reading)(?: ?(?:by|to|from))?"
    r"(?: (?:physician|provider|doctor|dr|clinician|consultant|gp|service|dept|department|radiologist))?s?"
    r"|physicians?|providers?|doctor|clinician|consultant|gp|surgeon|referrer|pcp|radiologist|technologist"
    r"|radiographer|cc|c\.c|cop(?:y|ies)(?: to)?"
    r"|(?:electronically |digitally )?(?:dictated|signed|transcribed|typed|verified|approved|reported|read)"
    r"(?: (?:by|on|at))?"
    r"|(?:patienten)?name|vorname|nachname|geburtsdatum|geb|fallnummer|fall-?nr|patienten-?(?:nr|nummer|id)"
    r"|uberweiser|zuweiser|(?:an)?schrift|adresse|telefon"
    r"|nombre(?: del paciente)?|apellidos?|fecha de nacimiento|nhc|dni|medico(?: \w+)?|direccion|telefono"
    r"|nom(?: du patient)?|prenom|date de naissance|nee? le|medecin(?: \w+)?|nome|cognome|data di nascita"
    r"|data de nascimento|naam|geboortedatum"
)
_NEAR_THE_TOP = re.compile(
    r"patient(?:in|en)?|pt|id|sex|gender|age|geschlecht|alter|paciente|edad|sexo|geschlacht|leeftijd"
    r"|(?:patient )?(?:age|sex|gender)(?: ?/ ?(?:age|sex|gender))?|race|ethnicity|religion|marital status"
    r"|(?:patient )?(?:ward|bed|room|clinic|location|department|dept|hospital|facility|unit|service|site)"
    r"|patient (?:information|details|data|class|type|status)|class"
    r"|(?:exam(?:ination)? |study |report |service |admission |visit |dictation )?(?:date|time)(?: ?/ ?time)?"
)
_GOES_ON = re.compile(r".*(?:address|schrift|adresse|direccion|cc|c\.c|cop(?:y|ies)(?: to)?|copied to)")
"""Labels whose value may go on in the lines below."""
_OF_BOTH = re.compile(
    r"(?:pt )?id|mobile|cell|fax|reported|read|reading|reporting|verified|approved|identification|case|file"
    r"|chart|name|location|site|unit|class|bed|room|service|age|patient|pt"
)
"""Labels of particulars that a finding may follow as well."""
_BODY = frozenset({"findings", "impression", "addendum", "preliminary", "comment"})

_WORDS = re.compile(r"(?:[^\W\d_][\w'\u2019./()#&-]*[ \t]+){0,4}[^\W\d_][\w'\u2019./()#&-]*[ \t]*#?[ \t]*\Z")
_NUMBERED = re.compile(
    r"\b(?:MRN|DOB|D\.O\.B\.?|SSN|NHS(?: (?:No|no|NO)\.?| [Nn]umber)?|Accession(?: [Nn]o\.?| [Nn]umber)?"
    r"|Tel\.?|Phone)[ \t#.]+(?=[\d(+])"
)
_BOUNDARY = re.compile(r"(?:\A|[.;|,)\]\t]|[ \t]{2})[ \t>*#=_|\[\u2022-]*\Z")
_NEAR = 40
"""Letters before a label that are looked at."""
_STOP = re.compile(r"(?<=[.;!?|])[ \t]+(?=\S)")
_SIGNING = re.compile(
    r"(?:Dr|Prof|Doctor|Professor)\b\.?[ \t]+[^\W\d_][^:]*"
    r"|[^:]*(?<![A-Za-z])(?:M\.?D|D\.?O|FRCR|FRANZCR|FFRRCSI|MBBS|MBChB|MBBCh|Ph\.?D|DMRD)\b[^:]*"
    r"|(?:[\w-]+[ \t]+){0,3}(?:[Rr]adiologist|[Rr]adiology (?:[Rr]esident|[Ff]ellow|[Rr]egistrar))\.?"
)
_TITLED = re.compile(r"(?<![A-Za-z])(?:Dr|Prof|Doctor|Professor)\b\.?[ \t]+(?=[^\W\d_])")
_OF_A_READER = frozenset(
    {
        "radiologist",
        "radiology",
        "consultant",
        "physician",
        "resident",
        "fellow",
        "registrar",
        "attending",
        "chest",
        "staff",
        "and",
        "the",
        "for",
        "signed",
        "dictated",
        "read",
        "reported",
        "approved",
        "verified",
        "typed",
        "electronically",
        "digitally",
    }
)
_OF_NAMES = frozenset(
    {"van", "von", "der", "den", "de", "del", "della", "da", "di", "la", "le", "al", "bin", "ter"}
)
_DIVISION = re.compile(
    r"\b(?:cardio|pulmonary|thoracic|cardiac|vascular)\w*[ \t]+"
    r"(?:radiolog|imaging|medicine|surg|section|division)\w*",
    re.IGNORECASE,
)
_REGARDS = re.compile(
    r"^[ \t]*(?:(?:with )?(?:kind|best|warm)(?:est)? (?:regards|wishes)|regards"
    r"|yours (?:sincerely|faithfully|truly)|sincerely(?: yours)?|mit freundlichen gr\w+|mfg|atentamente"
    r"|(?:un )?saludos?|cordialement|(?:cordiali|distinti) saluti|atenciosamente"
    r"|met vriendelijke groet\w*)[ \t]*[,.!]?[ \t]*$(?:\n.*){0,6}\Z",
    re.IGNORECASE | re.MULTILINE,
)
_TITLE = re.compile(r"(?:radiology|radiological|x-?ray) report\.?", re.IGNORECASE)
"""Alone on a line it is a title; the words are a heading of findings only before a colon."""
_SENTENCE_END = re.compile(r"(?<=[^\W\d_]{3}[.!])[ \t]+")
_DAY = re.compile(r"[\d/.:,\s-]{6,}(?:[AaPp]\.?[Mm]\.?)?")


def without_particulars(report: str) -> tuple[str, Counter[str]]:
    """The report without its particulars, footers and, where it has headings, whatever stands before them.

    With it, how many lines were cut, wholly or in part: "labelled", "signature", "top" (above the report).

    Lines of a label and its value go where the label can be nothing else; "Ward", "Sex" and the like only
    above the findings. Of a report with a heading for its findings or its impression, what stands before
    its first heading stays where it is a sentence and names nobody.
    """
    cut: Counter[str] = Counter()
    steps = {"labelled": _without_labels, "signature": _without_signing, "top": _without_leading}
    for kind, step in steps.items():
        left = step(report)
        if lost := lines_lost(report, left):
            cut[kind] = lost
        report = left
    return report, cut


def lines_lost(before: str, after: str) -> int:
    """How many lines of a text are not in another as they were, blank ones aside."""
    if before == after:
        return 0
    held = Counter(line.strip() for line in after.splitlines())
    return (Counter(line.strip() for line in before.splitlines() if line.strip()) - held).total()


# --- labels and their values -----


@dataclass(frozen=True, slots=True)
class _Label:
    """A label in a line, [start, end) with its colon, and what it is."""

    start: int
    end: int
    kind: Kind
    words: str


def _without_labels(report: str) -> str:
    kept: list[str] = []
    top = True
    waiting = ""  # "value": a label stands alone; "more": a value may go on
    for line in report.splitlines(keepends=True):
        content = line.rstrip()
        if top and _TITLE.fullmatch(content.strip()):
            continue
        if not content:
            waiting = waiting if waiting == "value" else ""
            kept.append(line)
            continue
        labels = list(_labels(content, top=top))
        if waiting and not labels and _goes_on(content):
            waiting = "more" if waiting == "value" else waiting
            continue
        rest, cut = _without_values(content, labels, top=top)
        waiting = ""
        if cut:
            last = labels[-1]
            goes_on = "more" if _GOES_ON.fullmatch(last.words) else ""
            waiting = goes_on if content[last.end :].strip() else "value"
        if top and (_opens_body(content, labels) or prose_of(content)):
            top = False
        if rest.strip():
            kept.append(rest + line[len(content) :])
    return "".join(kept)


def _goes_on(line: str) -> bool:
    """Whether a line may be the value, or more of the value, of a label above it."""
    return len(line.split()) <= 6 and section_named(line) is None and not tells_alone(line)


def _opens_body(line: str, labels: list[_Label]) -> bool:
    """Whether a heading of the findings or what follows stands in a line, before a colon or alone."""
    if any(label.kind == "section" and section_named(label.words) in _BODY for label in labels):
        return True
    return section_named(line) in _BODY


def _labels(line: str, *, top: bool) -> Iterator[_Label]:
    """The labels and headings of a line, in order."""
    found: list[_Label] = []
    after = 0
    for match in re.finditer(r":|" + _NUMBERED.pattern, line):
        if match[0] == ":":
            label = _before_colon(line, after, match.start())
        else:
            label = _Label(match.start(), match.end(), "sure", match[0].strip(" \t#.").casefold())
        if label is None or not _counts(line, label, found[-1] if found else None, top=top):
            continue
        found.append(label)
        after = label.end
        yield label


def _before_colon(line: str, after: int, colon: int) -> _Label | None:
    """The longest label or heading that ends at a colon."""
    tail = _WORDS.search(line, max(after, colon - 70), colon)
    if tail is None:
        return None
    for start in (match.start() for match in re.finditer(r"(?<!\S)\S", tail[0])):
        words = without_accents(tail[0][start:]).casefold().strip(" \t*_#.()")
        words = " ".join(words.split())
        kind: Kind | None = "sure" if _SURE.fullmatch(words) else None
        if kind is None and _NEAR_THE_TOP.fullmatch(words):
            kind = "near the top"
        if kind is None and (name := section_named(words)) is not None:
            kind = "near the top" if name == UNNAMED else "section"
        if kind is not None:
            return _Label(tail.start() + start, colon + 1, kind, words)
    return None


def _counts(line: str, label: _Label, previous: _Label | None, *, top: bool) -> bool:
    """Whether a label stands where labels stand; below the top only those that are no heading known there."""
    if label.kind == "section":
        return True
    if label.words in ("cc", "c.c") and top and not OF_SOMEBODY.search(line[label.end :].casefold()):
        return False  # a chief complaint
    if not top and (label.kind != "sure" or section_named(label.words) is not None):
        return section_named(label.words) == "signature" and _is_of_a_film(label, line[label.end :])
    before = line[max(0, label.start - _NEAR) : label.start]
    bounded = _BOUNDARY.search(before) is not None
    if bounded and label.start < _NEAR and not before.strip(" \t>*#=_|[\u2022-"):
        return True
    if not line[label.start].isupper() and label.words != "cc":
        return False
    follows = previous is not None and previous.kind != "section"
    return bounded or follows or (top and label.kind == "sure" and (previous is None))


def _without_values(line: str, labels: list[_Label], *, top: bool) -> tuple[str, bool]:
    """The line without the labels that are no heading and their values; whether it ended with such a one."""
    if not labels:
        return line, False
    first = line[: labels[0].start]
    if labels[0].kind != "section" and top:
        first = telling_of(first)
    kept = [first]
    for label, end in zip(labels, [*[label.start for label in labels[1:]], len(line)], strict=True):
        value = line[label.end : end]
        if label.kind == "section" or _is_of_a_film(label, _first_of(value)):
            kept.append(line[_kept_from(label, value) : end])
        else:
            stops = (match.end() for match in _STOP.finditer(value))
            kept.append(next((value[at:] for at in stops if prose_of(_first_of(value[at:]))), ""))
    return "".join(kept), not kept[-1]


def _is_of_a_film(label: _Label, value: str) -> bool:
    """Whether a label's value is no particular: "Reported: hiatal hernia", "ID: Suspicious for empyema"."""
    if is_plainly_of_a_radiograph(value):
        return True
    return _OF_BOTH.fullmatch(label.words) is not None and tells_alone(value)


def _kept_from(label: _Label, value: str) -> int:
    """Where what is kept begins: after a label that would have its value read as a name."""
    if label.kind == "section" or section_named(label.words) not in (UNNAMED, "signature"):
        return label.start
    return label.end + len(value) - len(value.lstrip())


def _first_of(value: str) -> str:
    """A value's first sentence."""
    return _STOP.split(value.strip(), maxsplit=1)[0]


# --- who signed -----


def _without_signing(report: str) -> str:
    """The report without the regards, names, titles and days that it ends with."""
    report = _REGARDS.sub("", report)
    lines = report.rstrip().splitlines(keepends=True)
    for at in range(len(lines) - 1, -1, -1):
        line = lines[at].strip()
        if line and not _DAY.fullmatch(line):
            signed = _signed(lines[at].rstrip())
            if signed is None:
                break
            if signed:
                return "".join(lines[:at]) + signed
            lines = lines[:at]
    return "".join(lines) if len(lines) < len(report.splitlines()) else report


def _signed(line: str) -> str | None:
    """A line without the name or title that it ends with; None where it ends with none."""
    ends = [match.end() for match in _SENTENCE_END.finditer(line)]
    colon = line.find(":")
    headed = colon + 1 if section_named(line[: max(colon, 0)]) in _BODY else 0
    begin = max(headed, ends[-1] if ends else 0)
    last = line[begin:]
    if len(last.split()) > 10 or not (_SIGNING.fullmatch(last.strip()) or _TITLED.search(last)):
        return None
    name = _name_in(last)
    if tells_of_a_body(_DIVISION.sub("", last[name:])):
        return None
    before = last[:name]
    words = re.findall(r"(?<![\w'])[a-z]{3,}", before)
    kept = tells_of_a_body(before) or not _OF_A_READER.issuperset(words)
    return line[: begin + (name if kept else 0)].rstrip(" \t,;-")


def _name_in(words: str) -> int:
    """Where a name begins: at its title, or with the capitalised words before its degree."""
    titled = _TITLED.search(words)
    degree = CREDENTIAL.search(words)
    start = degree.start() if degree else 0
    for match in reversed([*re.finditer(r"\S+", words[:start])]):
        if (match[0][:1].islower() and match[0] not in _OF_NAMES) or tells_of_a_body(match[0]):
            break
        start = match.start()
    return min(start, titled.start()) if titled and degree else titled.start() if titled else start


# --- what stands before the first heading -----


def _without_leading(report: str) -> str:
    """A report with a heading of its body, without what stands before its first one and is no prose."""
    before = 0
    first: int | None = None
    of_body = False
    for section in split_sections(report):
        if _is_headed(report[before : section.start]):
            first = before if first is None else first
            of_body |= section.name in _BODY
        before = section.end
    if first is None:
        return _without_titles(report)
    if not of_body:
        return report
    prose = telling_of(report[:first])
    return (prose + report[first:]) if prose else report[first:]


def _without_titles(report: str) -> str:
    """A report without headings, from its first line on that is no short title or name, if it has prose."""
    if not prose_of(report):
        return report
    at = 0
    for line in report.splitlines(keepends=True):
        ends = len(line.split()) > 6 or line.rstrip()[-1:] in (".", "!", "?")
        if ends or has_prose(line) or prose_of(line):
            break
        at += len(line)
    return report[at:]


def _is_headed(gap: str) -> bool:
    """Whether what stands between two sections ends with a heading, other than of particulars."""
    lines = [line for line in gap.splitlines() if any(map(str.isalpha, line))]
    if not lines:
        return False
    return section_named(lines[-1].rpartition(".")[2].strip(" \t:*_-")) not in (UNNAMED, "signature")
