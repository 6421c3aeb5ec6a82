"""Comparisons in a report that says there is nothing to compare with.

Knows the ways in which a report says so. Where nothing is said of priors, nothing is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from xemplar.check.alerts import Alert
from xemplar.check.reading import Read, compares

_EXAM = r"(?:stud(?:y|ies)|films?|exams?|examinations?|radiographs?|images?|imaging|x-?rays?)"
_NONE = re.compile(
    rf"\A\W*(?:n/?a|nil|(?:no|none)(?: \w+){{0,4}}? (?:comparisons?|priors?|{_EXAM})"
    r"(?: (?:is |are )?(?:available|provided|for comparison))*|(?:none|no|not) (?:available|provided)"
    r"|unavailable|none|no)\W*\Z",
    re.IGNORECASE,
)
_SAYS_NONE = re.compile(
    rf"\bno (?:\w+ ){{0,2}}?(?:prior|previous|old|comparison) (?:\w+ )?{_EXAM}\b(?! since)"
    r"|\bno (?:priors|comparisons?) (?:(?:are|is) )?available"
    rf"|\bwithout (?:\w+ )?(?:prior|comparison) {_EXAM}\b",
    re.IGNORECASE,
)
_FILM = re.compile(
    r"\b(?:unchanged|interval|compar(?:ed|ison) (?:to|with)|since (?:the )?(?:prior|previous|last)|again"
    r"|no longer|worsen\w*|improv(?:ed|ement|ing)|(?:in|de)creased (?:since|from|compared)"
    r"|(?:has|have) (?:\w+ )?(?:increased|decreased|resolved|cleared)|re-?demonstrat\w+|persistent"
    r"|no (?:significant )?change)\b",
    re.IGNORECASE,
)
_STABLE = re.compile(r"\bstable\b", re.IGNORECASE)
_ON_FILM = re.compile(
    r"\b(?:heart|cardi\w*|mediastin\w*|silhouette|hil(?:a|ar|um)|lungs?|pulmonary|pleura\w*|aort\w*|diaphragm\w*"
    r"|appearance|size|contours?|deformit\w+)\b",
    re.IGNORECASE,
)
_NOT_COMPARED = re.compile(r"\b(?:patient|clinical\w*|ha?emodynamic\w*|vitals?|alignment)\b", re.IGNORECASE)
"""What is stable by itself: a patient, an alignment."""
_ELSE = re.compile(
    r"\b(?:ct|mri|pet|scan|abdom\w*|ultrasound|outside|dated|if|recommend\w*|follow|would|previous exams)\b",
    re.IGNORECASE,
)


def without_prior(read: Read) -> Iterator[Alert]:
    """One alert for each sentence that compares, where the report says that there is no prior."""
    says = next((one for one in read.sentences if _SAYS_NONE.search(one.sentence)), None)
    if says is None and not (read.comparison and _NONE.match(read.comparison)):
        return
    for order, one in enumerate(read.sentences):
        if one is says or _ELSE.search(one.sentence):
            continue
        names = {said.claim.finding for said in read.said if said.order == order}
        if _of_films(one.sentence, finds=bool(names)) and compares(one.sentence):
            finding = next(iter(names)) if len(names) == 1 else None
            quotes = (one,) if says is None else (one, says)
            yield Alert("no prior", finding, "compares with a film that the report says there is not", quotes)


def _of_films(sentence: str, *, finds: bool) -> bool:
    """Whether what a sentence compares is seen on films; of "stable" alone, whether it says that of them."""
    if _FILM.search(sentence):
        return True
    if not _STABLE.search(sentence) or _NOT_COMPARED.search(sentence):
        return False
    return finds or _ON_FILM.search(sentence) is not None
