"""Which sentences tell of a film, and which of somebody.

Knows words, in seven languages, and how names, days and addresses are written. Knows no layout: labels and
headings are `particulars.py`'s. What it can't tell is said to be neither.
"""

from __future__ import annotations

import re

from xemplar.report import split_sentences
from xemplar.report.headings import without_accents

CREDENTIAL = re.compile(
    r"(?<![A-Za-z])(?:M\.?D|D\.?O|FRCR|FRANZCR|FFRRCSI|MBBS|MBChB|MBBCh|Ph\.?D|DMRD)\b|[Rr]adiolog(?:ist|y)\b"
)
_SHOWN = re.compile(
    r"\b(?:lungs?\b|pulmon|pulmao|polmon|poumon|lunge|longen|heart|cardi|herz|coraz|corac|coeur|cuore|hart\b"
    r"|pleur|mediast|medi[ae]stin|hil(?:um|ar|us|a|i|os?|en)\b|diaphrag|diafrag|hemidia|zwerchfell|ribs?\b"
    r"|bon[ey]\b|bones\b|osse|oseas?\b|skelet|knochen|aort|trache|bronch|effusion|derrame|erguss|epanch"
    r"|versament|pneumo|opaci|verschatt|infiltra|consolid|atele[ck]t|nodul|mass(?:es)?\b|fractur|fra[ck]tur"
    r"|o?edema|odem|congest|stauung|tubes?\b|catheter|lines?\b|pacemaker|leads?\b|vascul|airspace|silhouette"
    r"|lob(?:e|es|ar)\b|apex\b|apices\b|apical|costophren|costofren|disease|abnormal|process\b|thorac|thorax"
    r"|spine\b|calcif|granulom|emphys|fibros|scarring|free air|sulc|clips?\b|sternotom|intubat|changes?\b)"
)
_SAID_OF_IT = re.compile(
    r"\b(?:is|are|was|were|has|have|no|not|without|with|normal\w*|clear\w*|unremarkable|seen|present|absent"
    r"|within|there|stable|unchanged|enlarged|mild\w*|moderate\w*|small|large|left|right|bilateral\w*|shows?"
    r"|demonstrat\w+|evidence|remains?|appears?|intact|negative|limits|tip|noted|improv\w+|worsen\w+|increas\w+"
    r"|decreas\w+|acute|since|again|new|persist\w*|resol\w+"
    r"|sin|se|hay|son|es|esta|con|normales|ist|sind|kein\w*|nicht|ohne|mit|unauff\w+|regelrecht\w*|est|sont|pas"
    r"|sans|absence|avec|non|senza|sono|nei|limiti|sem|nao|normais|geen|zonder|normaa?l\w*)\b"
)
_ALONE = re.compile(r"\b(?:normal|unremarkable|clear|negative|unauffallig|no acute)\b")
OF_SOMEBODY = re.compile(
    r"\b(?:drs?|mr|mrs|ms|miss|prof|mrn|dob|d\.o\.b|ssn|nhs|hospital|clinic|ward|department|street|road"
    r"|avenue|institute|cent(?:re|er)|tel|phone|referr\w+|born|accession|years? old|y\.?/?o)\b|\d{5,}"
)
_OF_A_BODY = re.compile(
    r"\b(?:hernia|empyem|\w*ptx\b|gas\b|air\b|carin|coil|dobhoff|dobbhoff|[en]tt\b|ngt\b|picc\b|tortuo|ectatic"
    r"|vessel|bands?\b|o?esophag|stomach|gastric|bowel|hyperinfl|suspicious|\w{3,}(?:megaly|thorax|ectasis"
    r"|osis|itis|oma|phrenic|phragm\w*)\b|cyst|cavit|densit|shadow|scolio|kypho|degenerat|arthr|clavic|sternum"
    r"|sternal|vertebr|lesion|thymus|thyroid|airways?\b|blunt|malposition|device|valve|stent|drain\b|swan)"
)
_LETTER = re.compile(
    r"\b(?:dear|thank|thanks|regards|sincerely|typed|dictated|transcribed|signed|requested|ordered"
    r"|(?:seen|read|reviewed|examined|referred|sent|asked|reported) (?:by|from))\b"
)
_NAMED = re.compile(
    r"\b[A-Z][a-z'\u2019-]+,? [A-Z](?:[a-z'\u2019-]+|[A-Z]{4,}|\.)(?!\w)|\b[A-Z]\. ?[A-Z][A-Za-z]+"
    r"|\b[A-Z]{2,}, [A-Z]{2,}\b"
    r"|\d{1,4}[./-]\d{1,2}[./-]\d{2,4}|\b\d+ [A-Z]\w+ (?:St|Rd|Ave|Ln|Dr)\b|:"
)
"""What is a name, a day, an address or a label's colon, where a sentence tells nothing of a body."""
_IN_LOWER_CASE = re.compile(r"\S+(?:\s+(?:[a-z\d]\S*|[A-Z]{2,4}[,;]?))+")
"""A line of at least two words of which the first alone begins with a capital, abbreviations apart."""


def is_plainly_of_a_radiograph(sentence: str) -> bool:
    """Whether a sentence names what a film shows and says something of it, and speaks of nobody.

    In seven languages, by their words; what it can't tell is not.
    """
    plain = without_accents(sentence).casefold()
    if OF_SOMEBODY.search(plain):
        return False
    return bool(_ALONE.search(plain) or (_SHOWN.search(plain) and _SAID_OF_IT.search(plain)))


def prose_of(text: str) -> str:
    """The text from its first sentence on that is plainly of a radiograph; empty where none is."""
    for start, end in split_sentences(text):
        if is_plainly_of_a_radiograph(text[start:end]):
            return text[start:]
    return ""


def tells_of_a_body(words: str) -> bool:
    """Whether words name what is in a chest or what is put into one, whatever they say of it."""
    plain = without_accents(words).casefold()
    return bool(_SHOWN.search(plain) or _OF_A_BODY.search(plain))


def telling_of(text: str) -> str:
    """The text from its first plain sentence on, and of those before it the ones that name nobody.

    A sentence ends in a stop and has a word in lower case, or tells of a body; a title has neither.
    """
    kept: list[str] = []
    for start, end in split_sentences(text):
        if is_plainly_of_a_radiograph(text[start:end]):
            return "".join([*kept, text[start:]])
        sentence = _without_first_lines(text[start:end])
        if _names_nobody(sentence):
            after = len(text[end:]) - len(text[end:].lstrip())
            kept.append(sentence + text[end : end + after])
    return "".join(kept)


def _without_first_lines(sentence: str) -> str:
    """A sentence without the lines before it that no stop parts from it: names, views, the day."""
    lines = sentence.splitlines(keepends=True)
    while len(lines) > 1 and len(lines[0].split()) <= 6 and not has_prose(lines[0]):
        lines = lines[1:]
    return "".join(lines)


def has_prose(words: str) -> bool:
    """Whether words are more than a title or a name: one in lower case, or one of a body."""
    return tells_of_a_body(words) or re.search(r"(?<![\w'])(?!van|von|der|del)[a-z]{3,}", words) is not None


def _names_nobody(sentence: str) -> bool:
    """Whether a whole sentence stands there and bears no sign of a person, a letter or a particular."""
    plain = without_accents(sentence).casefold()
    if not has_prose(sentence):
        return False
    if sentence.rstrip()[-1:] not in {".", "!", "?"}:
        return tells_alone(sentence) and _IN_LOWER_CASE.fullmatch(sentence.strip()) is not None
    if OF_SOMEBODY.search(plain) or _LETTER.search(plain):
        return False
    if tells_of_a_body(sentence):
        return True
    written = len(plain.split()) > 3 or (sentence[:1].isupper() and re.search(r"[,\d]", sentence) is None)
    return (written or _SAID_OF_IT.search(plain) is not None) and _NAMED.search(sentence) is None


def tells_alone(words: str) -> bool:
    """Whether words tell of a body and of nobody."""
    plain = without_accents(words).casefold()
    return tells_of_a_body(words) and not OF_SOMEBODY.search(plain) and not CREDENTIAL.search(words)
