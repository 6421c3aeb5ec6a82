"""Mentions of a sentence -> its claims, with side, place, degree and change.

Knows which modifiers may speak of which mention. Knows nothing of how a mention was judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from xemplar.findings.engine import BREAK, Mention, Scene, read
from xemplar.findings.lexicon import lexicon
from xemplar.records import Claim, Presence

_ENDS = frozenset(("ends", "turns", "closes"))
_CLOSED_BEFORE = frozenset(("ends", "closes"))
_UNSURE = frozenset(("deny", "deny_next", "hedge", "hedge_soft", "hedge_next", "unsaid", "excepted"))
_SIDE = r"(?:right|left)(?:-sided)?"
_TWO_SIDES = re.compile(
    rf"(?P<one>\b{_SIDE})(?:\s*,\s*(?:and\s+)?|\s+(?:and|&)\s+)(?P<two>(?:an?\s+)?(?:[\w-]+\s+){{1,3}}?{_SIDE}\b)"
)
_TWO_SIDES_AFTER = re.compile(
    rf"[\s,:]*(?P<one>(?:[\w-]+\s+){{1,3}}?(?:on|in)\s+the\s+{_SIDE})(?:\s*,\s*|\s+)(?:and\s+)?"
    rf"(?P<two>(?:[\w-]+\s+){{1,3}}?(?:on|in)\s+the\s+{_SIDE})\b"
)
_ZONE = r"(?:upper|mid|middle|lower)"
_TWO_ZONES = re.compile(
    rf"\b(?P<one>{_ZONE})(?:\s+(?:lobe|zone|field)s?)?(?P<and>\s*(?:,|and|&|/)\s*)(?P<two>(?:{_SIDE}\s+)?{_ZONE}\s+(?P<noun>(?:lung\s+)?(?:lobe|zone|field)s?|lungs?)\b)"
)
_BARE = re.compile(r"\s*,\s*(?:and\s+)?(?:(?:likely|probably|essentially|overall|\w+ly)\s+)?\Z")
_CLOSED = re.compile(r"\s*(?:\Z|[.,;]|since\b|from\b|compared\b|in\s+(?:size|extent|volume)\b)")
_TRAILING_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|remains?|appears?)(?:\s+(?:been|also|now|\w+ly))*\s*\Z"
)


Modifiers = tuple[str | None, str | None, str | None, str | None]
"""Side, place, degree, change."""


def read_claims(sentence: str) -> tuple[Claim, ...]:
    """The claims of one sentence by the default profile, in order of their mentions, no meaning twice.

    `span` of a claim is its mention, for "heart size is normal" the words from structure to predicate.
    A sentence that mentions no known finding has no claims. It must be English: what language a text is
    in is for the caller to know.
    """
    scene = read(sentence, lexicon("default"))
    if scene is None:
        return ()
    claims: dict[object, Claim] = {}
    for position in range(len(scene.mentions)):
        for claim in claims_of(scene, position):
            claims.setdefault(claim.meaning, claim)
    return tuple(claims.values())


def summarise(claims: Iterable[Claim]) -> dict[str, Presence]:
    """Finding -> what a report says of it on the whole: present before uncertain before absent."""
    rank = {"absent": 0, "uncertain": 1, "present": 2}
    summary: dict[str, Presence] = {}
    for claim in claims:
        known = summary.get(claim.finding)
        if known is None or rank[claim.presence] > rank[known]:
            summary[claim.finding] = claim.presence
    return summary


def findings_of(scene: Scene, mention: Mention) -> tuple[str, ...]:
    """The findings that a mention speaks of: several for a structure, else one."""
    if mention.label.startswith("@"):
        return scene.words.structures[mention.label[1:]].findings
    return (mention.label.lstrip("?"),)


def claims_of(scene: Scene, position: int) -> Iterator[Claim]:
    """The claims that one mention of a scene makes."""
    mention = scene.mentions[position]
    if mention.presence is None:
        return
    before, after = _windows(scene, position)
    side, place, degree = (
        _modifier(scene, kind, before=before, after=after) for kind in ("side", "place", "degree")
    )
    said = [(side, place, degree, _change(scene, mention, before))]
    if len(scene.text) > mention.end - mention.start:
        said = (
            _two_sides(scene, position, said[0]) or _two_zones(scene, mention, before, said=said[0]) or said
        )
    for finding in findings_of(scene, mention):
        for side, place, degree, change in said:
            yield Claim(
                finding=finding,
                presence=mention.presence,
                side=side,
                place=place,
                degree=degree,
                change=change,
                span=scene.typed(mention.start, mention.reach),
            )


def _two_sides(scene: Scene, position: int, said: Modifiers) -> list[Modifiers]:
    """What is said of each side, as in "large right and small left effusions"; empty where it is of one."""
    mention = scene.mentions[position]
    begin = max((one.reach for one in scene.mentions[:position]), default=0)
    end = scene.mentions[position + 1].start if position + 1 < len(scene.mentions) else len(scene.text)
    found = _TWO_SIDES.search(scene.text, begin, mention.end) or _TWO_SIDES_AFTER.match(
        scene.text, mention.end, max(end, mention.end)
    )
    if found is None or any(kind in _UNSURE and begin <= at < found.end() for kind, at, _ in scene.cues):
        return []
    first = (begin if found.end() <= mention.end else found.start("one"), found.end("one"))
    parts = [_said_within(scene, first), _said_within(scene, found.span("two"))]
    if parts[0][0] == parts[1][0] or not any((*parts[0][2:], *parts[1][2:])):
        return []
    return [(side, place or said[1], degree, change) for side, place, degree, change in parts]


def _said_within(scene: Scene, window: tuple[int, int]) -> Modifiers:
    none = (window[1], window[1])
    side, place, degree, change = (
        _modifier(scene, kind, before=window, after=none) for kind in ("side", "place", "degree", "change")
    )
    return side, place, degree, change


def _two_zones(
    scene: Scene, mention: Mention, before: tuple[int, int], *, said: Modifiers
) -> list[Modifiers]:
    """Both places, each with its side: "right upper and lower lobe opacities"; empty where it is one."""
    found = _TWO_ZONES.search(scene.text, *before)
    matcher = scene.words.modifiers["place"]
    place = None if found is None else matcher.pattern.fullmatch(f"{found['one']} {found['noun']}")
    if found is None or place is None:
        return []
    side, _, degree, change = said
    first = _said_within(scene, (before[0], found.end("one")))[0]
    return [(first or side, matcher.label(place), degree, change), said]


def _windows(scene: Scene, position: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where modifiers of a mention may stand: up to its own end, and from there on."""
    mention = scene.mentions[position]
    start = max((s for kind, s, _ in scene.cues if kind in _CLOSED_BEFORE and s < mention.start), default=0)
    earlier = [one.reach for one in scene.mentions[:position] if one.label not in scene.words.passed]
    if earlier and earlier[-1] > start:
        start = min(earlier[-1], mention.start)
        for found in BREAK.finditer(scene.text, start, mention.start):
            start = found.end()
    end = min(
        (s for kind, s, _ in scene.cues if kind in _ENDS and s >= mention.reach), default=len(scene.text)
    )
    if position + 1 < len(scene.mentions):
        end = max(min(end, scene.mentions[position + 1].start), mention.end)
    found_break = BREAK.search(scene.text, mention.reach, max(end, mention.reach))
    if found_break is not None and scene.text[mention.reach : mention.reach + 1] != ":":
        end = found_break.start()
    return (start, mention.end), (mention.end, max(end, mention.end))


def _modifier(scene: Scene, kind: str, *, before: tuple[int, int], after: tuple[int, int]) -> str | None:
    """The last modifier before (or within) a mention, else the first one after it."""
    matcher = scene.words.modifiers[kind]
    found = None
    for found in matcher.pattern.finditer(scene.text, *before):  # noqa: B007 - the last one is wanted
        pass
    if found is None:
        later = matcher.pattern.finditer(scene.text, *after)
        found = next((one for one in later if not scene.text.endswith("not ", 0, one.start())), None)
    return None if found is None else matcher.label(found)


def _change(scene: Scene, mention: Mention, before: tuple[int, int]) -> str | None:
    """A change word before the mention, or one said of it by a later verb, over a list if need be."""
    matcher = scene.words.modifiers["change"]
    found = None
    for found in matcher.pattern.finditer(scene.text, *before):  # noqa: B007 - the last one is wanted
        pass
    if found is not None:
        return matcher.label(found)
    end = min((s for kind, s, _ in scene.cues if kind in _ENDS and s >= mention.end), default=len(scene.text))
    found = matcher.pattern.search(scene.text, mention.end, end)
    if found is None:
        return None
    gap = scene.text[mention.end : found.start()]
    verb = _TRAILING_VERB.search(gap)
    if verb is None and (BREAK.search(gap) or found.start() >= _next_start(scene, mention)):
        trails = _BARE.match(gap) and _CLOSED.match(scene.text, found.end())
        return matcher.label(found) if trails else None
    if scene.words.verbs.search(gap[: verb.start()] if verb else gap):
        return None
    return matcher.label(found)


def _next_start(scene: Scene, mention: Mention) -> int:
    return min((other.start for other in scene.mentions if other.start >= mention.end), default=1 << 30)
