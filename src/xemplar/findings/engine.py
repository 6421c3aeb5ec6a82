"""Reads one sentence: what it mentions, and by which rule each mention is present, absent or uncertain.

The scheme is NegEx's (Chapman et al. 2001): a cue reaches from where it stands to the next words that
stop it. A profile's data file holds the words and the rules, in the order in which they are asked; the
first that reaches a mention decides. Knows nothing of what a finding looks like on a film, nor of any
sentence but the one it is given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

from xemplar.findings.lexicon import Lexicon, Rule, Span
from xemplar.findings.spelling import Shifts, typed
from xemplar.records import Presence

_WORDS_ONLY = re.compile(r"\s+(?:(?!and\b|or\b|with\b)\w+\s+){0,2}\Z")
_LIST_ONLY = re.compile(r"[\s,/&]*(?:and|or)?\s*(?:(?!with\b)\w+\s+){0,2}\Z")
_PLURAL = re.compile(r"(?:are|were|have)\b|:")
_JOINED = re.compile(r"\b(?:and|n?or)\b|[/&]")
BREAK = re.compile(r",|;|\band\b|\bor\b|/")
_ENDS = frozenset(("ends", "turns"))
_REACHING = frozenset(("deny", "hedge", "hedge_soft", "unsaid"))
_NO_CUES = frozenset(("pseudo", "no_change"))


@dataclass(slots=True)
class Mention:
    """A finding or a structure in a sentence; `reach` is where its own words end.

    `label` begins with "@" for a structure and with "?" for words that never make a finding certain.
    `presence` is None until it is judged, and where nothing is said of a structure.
    """

    label: str
    start: int
    end: int
    reach: int
    presence: Presence | None = "present"
    rule: str = "stated"
    linked: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """One sentence, lower-cased and its key words mended, with everything that was recognised in it."""

    text: str
    words: Lexicon
    mentions: list[Mention]
    cues: Sequence[Span]
    shifts: Shifts | None = None
    """The way back to the sentence as it was typed; None where nothing was mended."""

    def typed(self, start: int, end: int) -> tuple[int, int]:
        """[start, end) of `text` in the sentence as it was typed."""
        if self.shifts is None:
            return start, end
        return typed(start, self.shifts), typed(end, self.shifts)


def read(sentence: str, words: Lexicon) -> Scene | None:
    """What a sentence says by a profile's words, every mention judged; None where it mentions nothing."""
    text, shifts = _lowered(sentence), None
    if words.spelling is not None:
        text, shifts = words.spelling.mended(text)
    mentions = [
        Mention(label, start, end, end)
        for matcher in words.mentions
        for label, start, end in matcher.spans(text)
        if label
    ]
    if not mentions:
        return None
    if len(words.mentions) > 1:
        mentions.sort(key=lambda mention: (mention.start, mention.end))
    scene = Scene(text, words, mentions, _cues(text, mentions, words), shifts)
    if words.predicates is not None and any(mention.label[0] == "@" for mention in mentions):
        _judge_structures(scene, words.predicates.spans(text))
        mentions[:] = [mention for mention in mentions if mention.presence is not None]
    kinds = {kind for kind, _, _ in scene.cues}
    rules = [rule for rule in words.rules if rule.words or not rule.kinds.isdisjoint(kinds)]
    for position, mention in enumerate(mentions):
        if not mention.label.startswith("@"):
            _judge(scene, position, rules)
    mentions[:] = [mention for mention in mentions if mention.presence is not None]
    if words.alternatives is not None:
        _judge_alternatives(scene, words.alternatives)
    return scene


def _cues(text: str, mentions: Sequence[Mention], words: Lexicon) -> Sequence[Span]:
    """The cues of a sentence, and where the reach of one before ends within a list."""
    cues = words.cues.spans(text)
    if words.closings is None or len(mentions) < 2 or not any(kind in _REACHING for kind, _, _ in cues):
        return cues
    closed = words.closings.spans(text, mentions, cues)
    return sorted((*cues, *closed), key=itemgetter(1)) if closed else cues


def _lowered(sentence: str) -> str:
    """Lower case, letter for letter, so that offsets stay true."""
    text = sentence.lower()
    if len(text) != len(sentence):
        text = "".join(low if len(low := letter.lower()) == 1 else letter for letter in sentence)
    return text


# --- rules -----


def _judge(scene: Scene, position: int, rules: Sequence[Rule]) -> None:
    """The first rule with a cue that reaches the mention decides; without one it is stated."""
    mention = scene.mentions[position]
    before = [cue for cue in reversed(scene.cues) if cue[2] <= mention.start]
    after = [cue for cue in scene.cues if cue[1] >= mention.end]
    for rule in rules:
        if rule.labels and mention.label.lstrip("?") not in rule.labels:
            continue
        if rule.words is not None and not rule.words.search(scene.text, mention.start, mention.end):
            continue
        cue = _reaching(scene, position, rule, before=before, after=after)
        if cue is not None:
            mention.presence = None if rule.presence == "unsaid" else rule.presence
            said = " ".join(scene.text[cue[1] : cue[2]].split())
            mention.rule = f"{rule.name}: {said}" if said else rule.name
            return
    if mention.label.startswith("?"):
        mention.presence, mention.rule = "uncertain", "doubtful word"


def _reaching(
    scene: Scene, position: int, rule: Rule, *, before: Sequence[Span], after: Sequence[Span]
) -> Span | None:
    """The nearest cue of a rule that reaches the mention, those before it first; both nearest first."""
    mention = scene.mentions[position]
    if not rule.kinds:
        return ("", mention.start, mention.start)
    if rule.reach != "back":
        cue = _nearest(before, rule)
        if cue is not None and _is_open(scene, position, rule, cue_end=cue[2]):
            return cue
    if rule.reach != "forward":
        cue = _nearest(after, rule)
        if cue is not None and _is_open_back(scene, mention, rule, cue=cue):
            return cue
    return None


def _nearest(cues: Sequence[Span], rule: Rule) -> Span | None:
    """The first of the rule's cues, unless one that stops it comes before."""
    for cue in cues:
        if cue[0] in rule.kinds:
            return cue
        if cue[0] in rule.stops:
            return None
    return None


def _is_open(scene: Scene, position: int, rule: Rule, *, cue_end: int) -> bool:
    """Whether nothing stands between a cue and the mention after it that the rule can't pass."""
    start = scene.mentions[position].start
    if rule.next_only and position and scene.mentions[position - 1].start >= cue_end:
        return False
    return rule.barrier is None or rule.barrier.search(scene.text, cue_end, start) is None


def _is_open_back(scene: Scene, mention: Mention, rule: Rule, *, cue: Span) -> bool:
    """The same for a cue after the mention; `next_only` asks that no mention follows the cue."""
    if rule.next_only and any(other.start >= cue[2] for other in scene.mentions):
        return False
    if rule.own_clause and _is_apart(scene, mention, cue):
        return False
    return rule.barrier is None or rule.barrier.search(scene.text, mention.end, cue[1]) is None


def _is_apart(scene: Scene, mention: Mention, cue: Span) -> bool:
    """Whether a comma parts a mention from the one that a cue behind both speaks of: "A, B not seen"."""
    between = [other.start for other in scene.mentions if mention.end <= other.start < cue[1]]
    if not between or _PLURAL.match(scene.text, cue[1]):
        return False
    gap = scene.text[mention.end : between[-1]]
    return "," in gap and not _JOINED.search(gap)


def _judge_alternatives(scene: Scene, alternatives: re.Pattern[str]) -> None:
    """For "A or B" and "A versus B": both uncertain where neither is denied."""
    for one, two in pairwise(scene.mentions):
        if one.label == two.label or "@" in (one.label[0], two.label[0]):
            continue
        gap = scene.text[one.end : two.start]
        if len(gap) > 40 or "absent" in (one.presence, two.presence):
            continue
        if any(kind == "no_change" and end <= one.start <= end + 40 for kind, _, end in scene.cues):
            continue  # "no change in the effusion or atelectasis"
        if alternatives.search(gap) and not scene.words.verbs.search(gap):
            for mention in (one, two):
                mention.presence, mention.rule = "uncertain", "alternatives"


# --- structures: "heart size is normal", "clear lungs" -----


def _judge_structures(scene: Scene, predicates: Sequence[Span]) -> None:
    """Give every structure the presence its predicate states; None where nothing is said of it."""
    structures = [mention for mention in scene.mentions if mention.label.startswith("@")]
    previous: tuple[Mention, Span] | None = None
    for mention in structures:
        chosen = _adjacent(scene, mention, predicates)
        linked = chosen is not None
        if chosen is None:
            chosen = _following(scene, mention, predicates)
        if chosen is None and previous is not None and previous[0].linked:
            gap = scene.text[previous[0].end : mention.start]
            if _LIST_ONLY.match(gap):
                linked = True
                previous = (mention, previous[1])
                chosen = previous[1] if _relevant(scene, mention, previous[1][0]) else None
        mention.presence = None if chosen is None else _structure_presence(scene, mention, chosen)
        mention.linked = linked
        if chosen is not None:
            mention.reach = max(mention.end, chosen[2])
            said = " ".join(scene.text[chosen[1] : chosen[2]].split())
            mention.rule = f"{mention.label[1:]} {chosen[0]}: {said}"
            previous = (mention, chosen)


def _relevant(scene: Scene, mention: Mention, kind: str) -> bool:
    structure = scene.words.structures[mention.label[1:]]
    return (
        kind in structure.normal
        or kind in structure.abnormal
        or (kind == "doubt" and bool(structure.abnormal))
    )


def _adjacent(scene: Scene, mention: Mention, predicates: Sequence[Span]) -> Span | None:
    """A predicate that stands before the structure as its adjective."""
    for predicate in reversed(predicates):
        if predicate[2] > mention.start or not _relevant(scene, mention, predicate[0]):
            continue
        return predicate if _WORDS_ONLY.match(scene.text[predicate[2] : mention.start]) else None
    return None


def _following(scene: Scene, mention: Mention, predicates: Sequence[Span]) -> Span | None:
    """The first fitting predicate after the structure, within its clause and not about another one."""
    limit = min(
        (start for kind, start, _ in scene.cues if kind in _ENDS and start >= mention.end),
        default=len(scene.text),
    )
    verb = scene.words.verbs.search(scene.text, mention.end)
    if verb is not None:
        behind = (other.start for other in scene.mentions if other.start >= verb.end())
        limit = min(limit, next(behind, limit))
    for predicate in predicates:
        if mention.end <= predicate[1] < limit and _relevant(scene, mention, predicate[0]):
            return predicate
    return None


def _structure_presence(scene: Scene, mention: Mention, predicate: Span) -> Presence | None:
    kind, start, _ = predicate
    words = scene.words
    structure = words.structures[mention.label[1:]]
    if not structure.abnormal and words.exceptions and words.exceptions.search(scene.text):
        return None
    if kind in structure.normal:
        return None if scene.text[:start].rstrip().endswith("not") else "absent"
    if kind == "doubt":
        return "uncertain"
    first, last = min(mention.start, start), max(mention.start, start)
    for cue, _, cue_end in reversed(scene.cues):
        if cue_end > last or cue in _NO_CUES:
            continue
        if cue in _ENDS or (cue_end <= first and BREAK.search(scene.text, cue_end, first)):
            break
        if cue in ("hedge", "hedge_soft", "hedge_next", "deny"):
            return "absent" if cue == "deny" else "uncertain"
    return "present"
