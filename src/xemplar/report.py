"""Report text -> sections -> sentences, and what compares with a prior.

Knows how English radiology reports are laid out and punctuated. Knows nothing of findings, corpora or
files, and never changes a text: sections and sentences are offsets into what was given.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
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


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A full stop after one of these never ends a sentence ...
_TITLES = _words("dr drs mr mrs ms prof st vs e.g i.e cf approx ca viz incl")
# ... after one of these only where a capital follows, after one of those unless a number does.
_TAILS = _words("a.m p.m al etc jr sr inc resp dept min max temp hr hrs")
_NUMBERED = _words("fig figs no nos")
_BEFORE_INITIALS = _words("by and with from to of per")


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


_IMAGE = (
    r"(?:stud(?:y|ies)|exams?|examinations?|films?|radiographs?|x-?rays?|images?|imaging|ct|scans?"
    r"|comparisons?)"
)
_NO_PRIOR = re.compile(
    rf"""
    \bno(?:ne)?\s+(?:\w+\s+){{0,3}}?
        (?:comparisons?|(?:prior|previous)\s+(?:\w+\s+)?{_IMAGE})\b[^.;,]*
    | \b(?:comparisons?|priors?|(?:prior|previous)\s+(?:\w+\s+)?{_IMAGE})\s+(?:\w+\s+){{0,2}}?
        (?:none|(?:not|un)\s*available|recommended|suggested)\b
    | \bcomparison\s*:\s*none\b
    | \bnone\s+available\b[^.;]*
    | \bcomparison\s+with\s+(?:any\s+)?(?:prior|previous|outside|old)\b
        [^.;]*\b(?:recommend|suggest|help|useful)\w*
    """,
    re.IGNORECASE | re.VERBOSE,
)
_PRIOR = re.compile(
    rf"""
    \b(?:unchanged|interval(?:ly)?|stable|stability|newly|new(?!\s+york)|previously|again
        |re-?demonstrat\w+|worsen\w*|worse|improv(?:ed|ing|ement)|persist(?:s|ent|ing|ently)?
        |no\s+longer|resol(?:ved|ving|ution)|progress(?:ed|ion|ive|ively|ing)|regress\w+|enlarging
        |comparison|compar(?:ed|ing|able)|similar|remains?|continues?|still|heretofore)\b
    | \b(?:no|not|without)\s+(?:\w+\s+){{0,3}}?chang(?:e|ed)\b
    | \b(?:since|from|than|to|with|on|the)\s+(?:the\s+)?(?:\w+\s+)?
        (?:prior|previous|last|earlier|preceding)\b
    | \b(?:prior|previous|last|earlier)\s+(?:\w+\s+){{0,2}}?{_IMAGE}\b
    | \bsince\s+(?:the\s+)?(?:\d|january|february|march|april|may|june|july|august|september|october
        |november|december|yesterday|study|exam)
    | \b(?:increas|decreas|diminish|reduc|enlarg)(?:ed|es|ing|e)\s+(?:\w+\s+){{0,3}}?
        (?:since|from|compared|than|interval|in\s+size)\b
    | \b(?:has|have|had)\s+(?:\w+\s+){{0,2}}?
        (?:increased|decreased|enlarged|diminished|cleared|grown|developed|changed)\b
    | \b(?:larger|smaller|greater|less|more)\s+(?:\w+\s+){{0,2}}?than\s+(?:on|in|before|prior|previous)
    """,
    re.IGNORECASE | re.VERBOSE,
)


def compares_with_prior(sentence: str) -> bool:
    """Whether a sentence speaks of change or sameness against an earlier film.

    A statement that there is nothing to compare with is not a comparison.
    """
    return _PRIOR.search(_NO_PRIOR.sub(" ", sentence)) is not None


_ELSEWHERE = re.compile(
    r"""
    \bas\s+(?:\w+ly\s+)?(?:described|detailed|mentioned|noted|discussed|stated|listed|outlined|reported)\b
    | \b(?:above|below)\s*(?:[.,;:)]|\Z) | \b(?:as|see|per)\s+(?:above|below)\b
    | \b(?:the\s+|\A)(?:above|below)\s+(?:\w+\s+)?(?:findings?|impressions?|descriptions?|reports?)\b
    | \b(?:above|below|afore)[\s-]?(?:mentioned|described|noted|listed)\b | \bdescribed\s+(?:above|below)\b
    | \b(?:see|refer\s+to|per)\s+(?:the\s+)?(?:\w+\s+){0,2}?
        (?:impressions?|findings|sections?|comments?|discussion|reports?|dictations?|addend(?:um|a)|notes?)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def points_elsewhere(sentence: str) -> bool:
    """Whether a sentence leans on something said elsewhere, as does "Lines and devices as above".

    Quoted alone it says less than it did, or nothing. A place in the body ("4 cm above the carina",
    "extends below the diaphragm") points nowhere else.
    """
    return _ELSEWHERE.search(sentence) is not None


_ENGLISH = _words(
    "the of and is are was were there with without or to for at from this that these within has have "
    "been by as not on an be which both seen shows showing shown demonstrates image view right left "
    "heart lung lungs chest size clear scan findings arrow arrows patient after before small large "
    "mild no"
)
_FOREIGN = {
    "german": _words(
        "der das und mit ohne kein keine keinen im ist nicht von bei nach auf ein eine einer eines "
        "zur zum links rechts beidseits herz lunge pleuraerguss sowie dem den für keinerlei nachweis "
        "unauffällig"
    ),
    "spanish": _words(
        "el los las del con sin una y en se por para que no es derrame corazón pulmonar derecha "
        "derecho izquierda izquierdo ni muestra hallazgos tórax de la"
    ),
    "french": _words(
        "le les des du et avec sans pas est une dans au aux sur par un cœur coeur poumon poumons "
        "droite gauche épanchement montrant chez la de en niveau"
    ),
    "portuguese": _words(
        "os dos das com sem uma não em na nos nas ao por para pulmonar derrame direita direito "
        "esquerda esquerdo coração tórax de da o que e"
    ),
    "italian": _words(
        "il gli della del dei con senza una nel non di è versamento cuore polmone destra sinistra"
    ),
    "dutch": _words("het een van met geen niet naar rechts links hart long de en bij zonder"),
}


def is_english(text: str) -> bool:
    """Whether a text is to be read as English, by its stop words.

    Counts words that only English uses against those of six other languages; in a text that isn't all
    in capitals, a word in capitals is an abbreviation ("IL", "DES") and speaks for no other language.
    A text that gives no sign either way counts as English; one mostly in another script does not.
    """
    letters = [letter for letter in text if letter.isalpha()]
    latin = sum(letter < "\u0250" or "\u1e00" <= letter < "\u1f00" for letter in letters)
    if 2 * latin < len(letters):
        return False
    written = re.findall(r"[^\W\d_]+", text)
    english = sum(word.casefold() in _ENGLISH for word in written)
    words = [word.casefold() for word in written if text.isupper() or not word.isupper()]
    foreign = max(sum(word in known for word in words) for known in _FOREIGN.values())
    return foreign <= english


def normalise(text: str) -> str:
    """The key by which two texts are equal: NFKC, casefold, blanks collapsed, outer punctuation cut."""
    folded = " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())
    start, end = 0, len(folded)
    while start < end and _is_edge(folded[start]):
        start += 1
    while end > start and _is_edge(folded[end - 1]):
        end -= 1
    return folded[start:end]


def _is_edge(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter).startswith("P")


def text_key(text: str) -> str:
    """16 hexadecimal letters of the SHA-256 of the normalised text."""
    return hashlib.sha256(normalise(text).encode()).hexdigest()[:16]
