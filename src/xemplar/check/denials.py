"""Whether two mentions may be of one thing, and how much of it a denial denies.

Knows that "no acute fracture" denies less than "no fracture", and that an acute one contradicts both. Rules,
nothing fitted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from xemplar.check.reading import Said
from xemplar.findings import FINDINGS

_BROAD = {
    "Lung Opacity": {"opacity", "opacitie", "opacification", "abnormality"},
    "Support Devices": {"device", "hardware"},
}
"""Words of a denial that deny all of several things."""
_SEVERAL = frozenset(
    (
        "Lung Opacity",
        "Lung Lesion",
        "Support Devices",
        "Pleural Other",
        "Fracture",
        "Calcification",
        "Granuloma",
    )
)
"""Names of several things: only of two mentions by one word is it known that they mean the same."""

_NARROW = re.compile(
    r"\b(?:(?P<degree>large|moderate|significant|sizable|sizeable|measurable|definite|convincing|obvious|frank"
    r"|gross|overt|dominant)"
    r"|(?P<change>new|enlarging|worsening)"
    r"|(?P<never>other|additional|further|follow\w*|clearing|interval|discrete|suspicious|typical|lobar"
    r"|active|destructive|confluent|alveolar|x{3,}|_{2,})"
    r"|(?P<same>acute(?:ly)?|(?<!non-)(?<!non )displaced|evolving|developing|recurrent|residual|tension"
    r"|(?P<focal>focal|focus|airspace|air space)))\b"
)
"""Of a denial: it denies less than the finding as such. What a statement must tell to be denied by it:
as much of it, the same change, the same word; of some, as of words that were taken out, nothing is enough."""
_EITHER = re.compile(r"\s*(?:,\s*)?(?:or|and|to|nor|/|,)\s*\Z")
"""Between two words of a denial of which either is denied: "no moderate or large"."""
_LARGE, _MUCH = {"large"}, {"moderate", "large"}
_DEGREES = {"moderate": {"moderate"}, "large": _LARGE, "frank": _LARGE, "gross": _LARGE, "overt": _LARGE}
"""How much of it a denial by these words can't stand beside; by the others, as "significant", _MUCH."""
_CHANGES = {"new": "new", "enlarging": "increased", "worsening": "increased"}
_REACH = 60
"""Letters before a denied mention that are looked at."""

EXCEPT = re.compile(
    r"\b(?:except\w*|but for|other than|apart from|aside from|besides|save for|with the exception)\b"
)
"""Of a denial: what is there, is told with it."""
_ON_VIEW = re.compile(
    r"\b(?:on|in) (?:the )?(?:frontal|lateral|pa|ap) (?:view|projection|film|image|radiograph)"
)
"""Of a denial: on the other view it may be seen."""
OLD = re.compile(
    r"\b(?:chronic|old|healed|healing|remote|prior|previous|known|calcified|resolv(?:ed|ing)|cleared"
    r"|no longer|history|interstitial|scar\w*|fibro\w*|granuloma\w*|emphysema\w*|post ?op\w*|status post)\b"
)
"""Of a statement: not what "no acute ..." denies, or no longer there."""
MEANWHILE = re.compile(r"\b(?:previous\w*|prior|now|formerly|earlier)\b")
"""Of a sentence that may tell of two times: how large it is now isn't known."""
_AGED = re.compile(r"\b(?:chronic|old|healed|healing|remote)\b")
_FRESH = re.compile(r"\b(?:acute|new|recent|subacute)\b")
CLEAR = re.compile(r"\bclear(?!ed|ing)\b")
_CLAUSE = re.compile(r"[,;]|\b(?:and|with)\b")


def same(one: Said, other: Said) -> bool:
    """Whether two mentions of a finding may be of one thing."""
    return one.claim.finding not in _SEVERAL or one.head == other.head


def other_age(one: Said, other: Said) -> bool:
    """Whether one is called old and the other new: two things, wherever they are."""
    texts = [each.quote.sentence.lower() for each in (one, other)]
    return any(
        _AGED.search(mine) and not _FRESH.search(mine) and _FRESH.search(its) and not _AGED.search(its)
        for mine, its in (texts, texts[::-1])
    )


def contradicts(stated: Said, denied: Said) -> bool:
    """Whether a statement and a denial of one finding can't both be true."""
    name = stated.claim.finding
    if (
        name == "Fracture"
        and "rib" in denied.quote.text.lower()
        and "rib" not in stated.quote.sentence.lower()
    ):
        return False
    of_it = name == "Lung Lesion" or same(stated, denied) or denied.head in _BROAD.get(name, ())
    return of_it and stated.order != denied.order and _excludes(stated, denied)


def _excludes(stated: Said, denied: Said) -> bool:
    one, other = stated.claim, denied.claim
    if "resolved" in (one.change, other.change):
        return False
    if other.change in ("new", "increased") and one.change != other.change:
        return False
    for kind in ("side", "place"):
        narrow = getattr(other, kind)
        if narrow is not None and narrow not in (getattr(one, kind), "bilateral"):
            return False
    words = f"{denied.before[-_REACH:]} {denied.quote.text.lower()}"
    limits = list(_limits(words, focal=other.finding == "Lung Opacity"))
    by_degree = any(limit["degree"] for either in limits for limit in either)
    if other.degree is not None and not by_degree and other.degree != one.degree:
        return False
    if by_degree and MEANWHILE.search(stated.quote.sentence.lower()):
        return False
    sentence = denied.quote.sentence.lower()
    if EXCEPT.search(sentence) or _ON_VIEW.search(sentence):
        return False
    if not all(any(_reaches(limit, stated) for limit in either) for either in limits):
        return False
    if one.finding in FINDINGS and OLD.search(stated.quote.sentence.lower()):
        return False
    return other.finding != "Lung Opacity" or not CLEAR.search(denied.quote.text)


def _limits(words: str, *, focal: bool) -> Iterator[list[re.Match[str]]]:
    """The words by which a denial is narrower, of each group either; of opacities "focal" is one."""
    either: list[re.Match[str]] = []
    for limit in _NARROW.finditer(words):
        if limit["focal"] and not focal:
            continue
        if either and not _EITHER.match(words[either[-1].end() : limit.start()]):
            yield either
            either = []
        either.append(limit)
    if either:
        yield either


def _reaches(limit: re.Match[str], stated: Said) -> bool:
    """Whether a statement is of what a narrow denial denies after all."""
    if limit["never"]:
        return False
    claim = stated.claim
    if limit["degree"]:
        return claim.degree in _DEGREES.get(limit[0], _MUCH) or _has(stated, limit[0])
    if limit["change"]:
        return claim.change == _CHANGES[limit[0]]
    return _has(stated, limit[0])


def _has(stated: Said, word: str) -> bool:
    """Whether a statement carries a word, before its mention or in it."""
    near = _CLAUSE.split(stated.before[-_REACH:])[-1]
    return re.search(rf"(?<!non-)(?<!non )\b{word}\b", f"{near} {stated.quote.text.lower()}") is not None
