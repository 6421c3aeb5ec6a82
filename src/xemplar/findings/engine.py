"""Reads claims from one sentence: mentions, the cues whose scope they stand in, and their modifiers.

The scheme is NegEx's (Chapman et al. 2001) with CheXpert's observations and its reading of doubt (Irvin
et al. 2019): a cue reaches from where it stands to the end of its clause. As in CheXpert "likely",
"probable", "consistent with" and "suggesting" leave a finding present, and "A or B" makes both
uncertain. Unlike CheXpert, "no new X" is absent with change "new".

Knows nothing of what a finding looks like on a film, nor of any sentence but the one it is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from xemplar.findings.lexicon import Lexicon, lexicon
from xemplar.records import Claim, Presence

Span = tuple[str, int, int]

_ENDS = frozenset(("ends", "turns"))
_WORDS_ONLY = re.compile(r"\s+(?:(?!and\b|or\b|with\b)\w+\s+){0,2}\Z")
_LIST_ONLY = re.compile(r"[\s,/&]*(?:and|or)?\s*(?:(?!with\b)\w+\s+){0,2}\Z")
_BREAK = re.compile(r",|;|\band\b|\bor\b|/")
_TRAILING_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|remains?|appears?)(?:\s+(?:been|also|now|\w+ly))*\s*\Z"
)


@dataclass(slots=True)
class _Mention:
    """A finding or a structure in the sentence; `reach` is where its own words end."""

    label: str
    start: int
    end: int
    reach: int
    presence: Presence | None = "present"
    linked: bool = False


@dataclass(frozen=True, slots=True)
class _Scene:
    """One sentence, lower-cased, with everything that was recognised in it."""

    text: str
    words: Lexicon
    mentions: Sequence[_Mention]
    cues: Sequence[Span]


def read_claims(sentence: str) -> tuple[Claim, ...]:
    """The claims of one sentence in order of their mentions, no meaning twice.

    `span` of a claim is its mention, for "heart size is normal" the words from structure to predicate.
    A sentence that mentions no known finding has no claims; text in another language has none either.
    """
    words = lexicon()
    text = _lowered(sentence)
    mentions = [_Mention(label, start, end, end) for label, start, end in words.mentions.spans(text) if label]
    if not mentions:
        return ()
    scene = _Scene(text, words, mentions, words.cues.spans(text))
    _judge_structures(scene)
    mentions[:] = [mention for mention in mentions if mention.presence is not None]
    for position, mention in enumerate(mentions):
        if not mention.label.startswith("@"):
            mention.presence = _judged(scene, position)
    _judge_alternatives(scene)
    claims: dict[object, Claim] = {}
    for position, mention in enumerate(mentions):
        for claim in _claims(scene, position, mention):
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


def _lowered(sentence: str) -> str:
    """Lower case, letter for letter, so that offsets stay true."""
    text = sentence.lower()
    if len(text) != len(sentence):
        text = "".join(low if len(low := letter.lower()) == 1 else letter for letter in sentence)
    return text


# --- presence -----


def _judged(scene: _Scene, position: int) -> Presence:
    """Presence of a mention by the cues before it, then by those after it."""
    mention = scene.mentions[position]
    presence = _before(scene, position)
    if presence != "absent":
        presence = _after(scene, mention.end) or presence
    if presence is None:
        presence = "uncertain" if mention.label.startswith("?") else "present"
    return presence


def _before(scene: _Scene, position: int) -> Presence | None:
    """What the nearest cue before a mention makes of it; a denial just before a doubt wins."""
    start = scene.mentions[position].start
    hedged: int | None = None
    for kind, cue_start, cue_end in reversed(scene.cues):
        if cue_end > start:
            continue
        if hedged is not None and hedged - cue_end > 20:
            break
        if kind in _ENDS:
            break
        if kind == "deny":
            return "absent"
        if hedged is None and (
            kind == "hedge" or (kind == "hedge_next" and _is_next(scene, cue_end, position))
        ):
            hedged = cue_start
    return None if hedged is None else "uncertain"


def _is_next(scene: _Scene, cue_end: int, position: int) -> bool:
    """Whether the mention is the first after the cue, with no break between."""
    if position and scene.mentions[position - 1].start >= cue_end:
        return False
    return ";" not in scene.text[cue_end : scene.mentions[position].start]


def _after(scene: _Scene, end: int) -> Presence | None:
    """What a later cue says back on a mention, where no other verb stands between."""
    for kind, cue_start, cue_end in scene.cues:
        if cue_start < end:
            continue
        if kind in _ENDS or scene.words.verbs.search(scene.text, end, cue_start):
            break
        if kind == "deny_after":
            return "absent"
        if kind == "hedge_after":
            return "uncertain"
        if kind == "hedge_next":
            if not any(mention.start >= cue_end for mention in scene.mentions):
                return "uncertain"
            break
        if kind in ("deny", "hedge"):
            break
    return None


def _judge_alternatives(scene: _Scene) -> None:
    """For "A or B" and "A versus B": both uncertain where neither is denied."""
    for one, two in pairwise(scene.mentions):
        if one.label == two.label or "@" in (one.label[0], two.label[0]):
            continue
        gap = scene.text[one.end : two.start]
        if len(gap) > 40 or "absent" in (one.presence, two.presence):
            continue
        if scene.words.alternatives.search(gap) and not scene.words.verbs.search(gap):
            one.presence = two.presence = "uncertain"


# --- structures: "heart size is normal", "clear lungs" -----


def _judge_structures(scene: _Scene) -> None:
    """Give every structure the presence its predicate states; None where nothing is said of it."""
    structures = [mention for mention in scene.mentions if mention.label.startswith("@")]
    if not structures:
        return
    predicates = scene.words.predicates.spans(scene.text)
    previous: tuple[_Mention, Span] | None = None
    for mention in structures:
        chosen = _adjacent(scene, mention, predicates)
        linked = chosen is not None
        if chosen is None:
            chosen = _following(scene, mention, predicates)
        if chosen is None and previous is not None and previous[0].linked:
            gap = scene.text[previous[0].end : mention.start]
            chosen = previous[1] if _LIST_ONLY.match(gap) else None
            linked = chosen is not None
        mention.presence = None if chosen is None else _structure_presence(scene, mention, chosen)
        mention.linked = linked
        if chosen is not None:
            mention.reach = max(mention.end, chosen[2])
            previous = (mention, chosen)


def _relevant(scene: _Scene, mention: _Mention, kind: str) -> bool:
    structure = scene.words.structures[mention.label[1:]]
    return (
        kind in structure.normal
        or kind in structure.abnormal
        or (kind == "doubt" and bool(structure.abnormal))
    )


def _adjacent(scene: _Scene, mention: _Mention, predicates: Sequence[Span]) -> Span | None:
    """A predicate that stands before the structure as its adjective."""
    for predicate in reversed(predicates):
        if predicate[2] > mention.start or not _relevant(scene, mention, predicate[0]):
            continue
        return predicate if _WORDS_ONLY.match(scene.text[predicate[2] : mention.start]) else None
    return None


def _following(scene: _Scene, mention: _Mention, predicates: Sequence[Span]) -> Span | None:
    """The first fitting predicate after the structure, within its clause and not about another one."""
    limit = min(
        (start for kind, start, _ in scene.cues if kind in _ENDS and start >= mention.end),
        default=len(scene.text),
    )
    for other in scene.mentions:
        if other.start >= mention.end and scene.words.verbs.search(scene.text, mention.end, other.start):
            limit = min(limit, other.start)
    for predicate in predicates:
        if mention.end <= predicate[1] < limit and _relevant(scene, mention, predicate[0]):
            return predicate
    return None


def _structure_presence(scene: _Scene, mention: _Mention, predicate: Span) -> Presence | None:
    kind, start, _ = predicate
    structure = scene.words.structures[mention.label[1:]]
    if not structure.abnormal and scene.words.exceptions.search(scene.text):
        return None
    if kind in structure.normal:
        return None if scene.text[:start].rstrip().endswith("not") else "absent"
    if kind == "doubt":
        return "uncertain"
    first, last = min(mention.start, start), max(mention.start, start)
    for cue, _, cue_end in reversed(scene.cues):
        if cue_end > last or cue == "pseudo":
            continue
        if cue in _ENDS or (cue_end <= first and _BREAK.search(scene.text, cue_end, first)):
            break
        if cue in ("hedge", "hedge_next", "deny"):
            return "absent" if cue == "deny" else "uncertain"
    return "present"


# --- claims and their modifiers -----


def _claims(scene: _Scene, position: int, mention: _Mention) -> Iterable[Claim]:
    if mention.presence is None:
        return
    findings: tuple[str, ...] = (mention.label.lstrip("?"),)
    if mention.label.startswith("@"):
        findings = scene.words.structures[mention.label[1:]].findings
    before, after = _windows(scene, position)
    side, place, degree = (_modifier(scene, kind, before, after) for kind in ("side", "place", "degree"))
    change = _change(scene, mention, before)
    for finding in findings:
        yield Claim(
            finding=finding,
            presence=mention.presence,
            side=side,
            place=place,
            degree=degree,
            change=change,
            span=(mention.start, mention.reach),
        )


def _windows(scene: _Scene, position: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where modifiers of a mention may stand: up to its own end, and from there on."""
    mention = scene.mentions[position]
    start = max((s for kind, s, _ in scene.cues if kind == "ends" and s < mention.start), default=0)
    if position and scene.mentions[position - 1].reach > start:
        start = min(scene.mentions[position - 1].reach, mention.start)
        for found in _BREAK.finditer(scene.text, start, mention.start):
            start = found.end()
    end = min(
        (s for kind, s, _ in scene.cues if kind in _ENDS and s >= mention.reach), default=len(scene.text)
    )
    if position + 1 < len(scene.mentions):
        end = max(min(end, scene.mentions[position + 1].start), mention.end)
    found_break = _BREAK.search(scene.text, mention.reach, max(end, mention.reach))
    if found_break is not None:
        end = found_break.start()
    return (start, mention.end), (mention.end, max(end, mention.end))


def _modifier(scene: _Scene, kind: str, before: tuple[int, int], after: tuple[int, int]) -> str | None:
    """The last modifier before (or within) a mention, else the first one after it."""
    matcher = scene.words.modifiers[kind]
    found = None
    for found in matcher.pattern.finditer(scene.text, *before):  # noqa: B007 - the last one is wanted
        pass
    if found is None:
        found = matcher.pattern.search(scene.text, *after)
    return None if found is None else matcher.label(found)


def _change(scene: _Scene, mention: _Mention, before: tuple[int, int]) -> str | None:
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
    if verb is None and (_BREAK.search(gap) or found.start() >= _next_start(scene, mention)):
        return None
    if scene.words.verbs.search(gap[: verb.start()] if verb else gap):
        return None
    return matcher.label(found)


def _next_start(scene: _Scene, mention: _Mention) -> int:
    return min((other.start for other in scene.mentions if other.start >= mention.end), default=1 << 30)
