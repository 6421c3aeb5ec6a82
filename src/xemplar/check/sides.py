"""Where findings and impression tell of opposite sides: of a finding, of two names for it, its larger part.

Knows that one of each side is both, and no conflict. Rules, nothing fitted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product

from xemplar.check.denials import MEANWHILE, other_age, same
from xemplar.check.reading import Read, Said

_SECTIONS = ("findings", "impression")
_APART = ([{"left"}, {"right"}], [{"right"}, {"left"}])
_ONE_EACH = frozenset(("Lung Opacity",))
"""Of which a report that tells of one side in findings and impression means one, by whatever words."""
_KIN = frozenset(("Lung Opacity", "Consolidation", "Pneumonia"))
"""Names that findings and impression give to one thing."""
_BESIDE = frozenset(("Atelectasis", "Lung Lesion", "Edema", "Infection", "Pleural Effusion"))
"""What an impression may mean by one of them all the same."""

_SIDE = r"(?:(?:on|at|in) )?(?:the )?(left|right|l|r)\b(?:[- ]sided?\b)?"
_MORE = re.compile(
    rf"\b{_SIDE} ?(?:(?:is|are|being|slightly|mildly|much|somewhat|side) )*"
    rf"(?:(?:greater|larger|bigger|more|worse)(?: \w+)? than|>) ?{_SIDE}"
)


def sides_apart(stated: Sequence[Said]) -> tuple[Said, Said] | None:
    """Two mentions of one finding, on one side each, where neither section speaks of any other side."""
    if not _opposite(stated):
        return None
    pairs = (pair for pair in _across(stated) if None not in (pair[0].claim.side, pair[1].claim.side))
    may_be_one = (p for p in pairs if p[0].claim.finding in _ONE_EACH or same(*p))
    return next((pair for pair in may_be_one if not other_age(*pair)), None)


def kin_apart(read: Read) -> tuple[Said, Said] | None:
    """The same of an opacity that is concluded to be something: "left opacity", and "right pneumonia"."""
    kin = [one for one in read.said if one.claim.finding in _KIN and one.claim.presence != "absent"]
    stated = [one for one in kin if one.claim.presence == "present" and one.claim.change != "resolved"]
    if not _opposite(stated) or not _opposite(kin):
        return None
    pairs = (pair for pair in _across(stated) if None not in (pair[0].claim.side, pair[1].claim.side))
    pair = next((pair for pair in pairs if not other_age(*pair)), None)
    if pair is None:
        return None
    beside = (one for one in read.of("findings") if one.claim.finding in _BESIDE)
    if any(
        one.claim.presence != "absent" and one.claim.side in (pair[1].claim.side, "bilateral")
        for one in beside
    ):
        return None
    return pair


def leans_apart(stated: Sequence[Said]) -> tuple[Said, Said] | None:
    """Two mentions, of findings and impression, with more of it on the left and more of it on the right."""
    leaning = [(one, side) for one in stated if (side := _larger(one)) is not None]
    told = {
        section: {side for one, side in leaning if one.section == section}
        for section in ("findings", "impression")
    }
    if sorted(told.values(), key=str) != [{"left"}, {"right"}]:
        return None
    return next(_across([one for one, _ in leaning]), None)


def _larger(one: Said) -> str | None:
    """On which side there is more of it, where its sentence compares both."""
    sentence = one.quote.sentence.lower()
    found = {m[1][0] for m in _MORE.finditer(sentence) if m[1][0] != m[2][0]}
    if len(found) != 1 or MEANWHILE.search(sentence):
        return None
    return "left" if found == {"l"} else "right"


def _opposite(mentions: Sequence[Said]) -> bool:
    """Whether findings name the one side alone, and the impression the other."""
    sides = [{one.claim.side for one in mentions if one.section == section} - {None} for section in _SECTIONS]
    return sides in _APART


def _across(mentions: Sequence[Said]) -> Iterator[tuple[Said, Said]]:
    """Every mention of the findings with every one of the impression."""
    return (
        pair
        for pair in product(mentions, mentions)
        if pair[0].section == "findings" and pair[1].section == "impression"
    )
