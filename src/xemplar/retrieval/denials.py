"""Where a query denies something: with words that reports have, and with such as only searches have.

Knows the words, and how far they reach. Knows not what it is that they deny.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from xemplar.errors import XemplarError
from xemplar.findings.engine import read
from xemplar.findings.lexicon import lexicon
from xemplar.retrieval.terms import words_of

Span = tuple[int, int]

DENIES = re.compile(
    r"\b(?:no|not|without|w/o|neither|nor|never|absent|absence of|free of|negative for)\b|\w*n['\u2019]t\b",
    re.I,
)
"""Denials that reports have, too; the engine knows most of them."""
EXCEPTS = re.compile(
    r"\b(?:except(?:ing)?(?:\s+for)?|exclud(?:es?|ing)|excl|other\s+than|apart\s+from|aside\s+from|minus|lacking"
    r"|lacks?(?!\s+of)|devoid\s+of|save\s+for|leav(?:e|ing)\s+out|omit(?:ting)?|skip(?:ping)?|avoid(?:ing)?"
    r"|hid(?:e|ing)|remove|instead\s+of|unless|nil|zero|sans|w/out|wo(?=\s)"
    r"|do(?:n['\u2019]?t|\s+not)\s+(?:want|include)|(?:all|any|every)(?:one|body|thing)?\s+but)\b"
    r"|\bbut(?=\s+(?:[\w-]+\s+)?ones?\b)|(?<!\S)[-\u2013!](?=[a-z\"])(?!-?sided)",
    re.I,
)
"""Denials that only searches have."""
FOREIGN = re.compile(
    r"\b(?:unlike|nothing\s+like|less(?!\s+than)"
    r"|ohne|kein\w{0,2}|nicht|sin|senza|zonder|geen|sem|utan|ingen|uden)\b",
    re.I,
)
"""Denials whose reach isn't known: what they stand before is left out."""
AFTER = re.compile(
    r"(?:(?<!not )\b(?:excluded|omitted|left\s+out|unwanted|none|negative|free|nil|zero)|=\s*0"
    r"|\bnot\s+(?:wanted|desired|included|needed|there|of\s+interest))\s*\Z",
    re.I,
)
"""What denies, at the end of a part, what stands before it."""
_NOT = re.compile(r"\bnot(?:\s+(?:only|necessarily|without))?\b", re.I)
TURNS = re.compile(r"\b(?:but|with|however|although|though|only)\b", re.I)
"""Where what a denial reaches ends."""
_UNABLE = re.compile(
    r"\b(?:can\s?not|can['\u2019]t|could\s+not|not|unable\s+to|difficult\s+to|to)\s+(?:\w+ly\s+)?\Z", re.I
)
_STRONG = frozenset(("deny_after", "gone", "hedge", "hedge_soft", "hedge_after", "no_change", "pseudo"))


def segments(text: str) -> list[tuple[Span, Span]]:
    """Each denial that the engine doesn't know, and all that it reaches, the denial included."""
    cues = [match for pattern in (EXCEPTS, FOREIGN) for match in pattern.finditer(text)]
    cues = [match for match in cues if not _UNABLE.search(text[: match.start()])]
    after = AFTER.search(text.rstrip())
    end = len(text) if after is None else after.start()
    cues = [match for match in cues if match.start() < end]
    cues += [match for match in _NOT.finditer(text, 0, end) if not _is_known(text, match, cues)]
    cues.sort(key=lambda match: match.start())
    found: list[tuple[Span, Span]] = []
    for place, match in enumerate(cues):
        limit = cues[place + 1].start() if place + 1 < len(cues) else len(text)
        for turn in TURNS.finditer(text, match.end(), limit):
            if words_of(text[match.end() : turn.start()]):
                limit = turn.start()
                break
        other = DENIES.search(text, match.end(), limit)
        if other is not None:
            raise unclear(text[match.start() : limit])
        found.append((match.span(), (match.start(), limit)))
    return found


def _is_known(text: str, match: re.Match[str], others: Sequence[re.Match[str]]) -> bool:
    """Whether the engine knows a "not" for what it is: "heart not enlarged", "not seen"."""
    if any(other.start() < match.end() and match.start() < other.end() for other in others):
        return True
    if match[0].lower() != "not":
        return False
    scene = read(text, lexicon("default"))
    if scene is None:
        return False
    for mention in scene.mentions:
        start, end = scene.typed(mention.start, mention.reach)
        if start < match.start() and match.end() <= end:
            return True
    for kind, start, end in scene.cues:
        start, end = scene.typed(start, end)
        said = text[start:end].lower()
        known = kind in _STRONG or (kind == "deny" and said != "not")
        if (
            known
            and start < match.end()
            and match.start() < end
            and not re.search(r"\b(?:left|right)\b", said)
        ):
            return True
    return False


def unclear(told: str) -> XemplarError:
    """The refusal of a denial whose reach can't be told."""
    return XemplarError(
        f'unclear what "{" ".join(told.split())}" excludes',
        wanted='one thing that is denied at a time, such as "effusion, no pneumothorax"',
    )
