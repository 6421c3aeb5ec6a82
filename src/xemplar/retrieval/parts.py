"""One part of a query, between commas -> the terms it asks for and excludes, the words it leaves over, notes.

Knows how a search denies what a report doesn't ("excluding", "minus", "not on the left", "-edema"), what it
leaves open ("with or without"), and that "or" may join two findings. What the engine reads within a denial
is never wanted. Knows no filter and no other part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from xemplar.findings import label_report
from xemplar.findings.claims import claims_of
from xemplar.findings.engine import Scene, read
from xemplar.findings.lexicon import lexicon
from xemplar.records import Claim
from xemplar.retrieval.alternatives import joined
from xemplar.retrieval.denials import AFTER, DENIES, FOREIGN, TURNS, segments, unclear
from xemplar.retrieval.details import Detailed, detailed, only_details, will_do, without_open
from xemplar.retrieval.terms import DETAILS, NORMAL, Term, blanked, distinct, excluded, words_of

Span = tuple[int, int]

_ANYHOW = re.compile(
    r"\b(?:with\s+or\s+without|with/without|w/?\s+or\s+w/?o|without\s+or\s+with"
    r"|(?:regardless|irrespective|independent(?:ly)?)\s+of|ignor(?:e|ing)|disregard(?:ing)?|whether\s+or\s+not|no\s+matter\s+(?:if|whether))\b"
    r"|\u00b1|\+\s?/\s?-",
    re.I,
)
_NONE_OR = re.compile(r"\b(?:no|without|not)\s+or\b|\bor\s+(?:no|without|with)\b", re.I)
_ILL = re.compile(r"abnormal|disease|process|finding|patholog|problem|disorder|acute|of\s+note", re.I)
_RATHER = re.compile(r"\b(?:rather\s+than|free\s+(?:from|of)|clear\s+of|ruled\s+out|less)\b|-free\b", re.I)
_NEGATIVE = re.compile(r"\s*(?:[\w-]+\s+)?(?:is\s+)?negative\s*", re.I)
_GONE = re.compile(r"resol|cleared|clearing|remov|disappear|\bgone\b|no longer")
_FREE = re.compile(r"-free\b", re.I)
_HEALTHY = re.compile(r"\b(?:normal|unremarkable|clear|negative|healthy)\b", re.I)
_CONTRACTED = re.compile(r"\b(is|are|was|were)n['\u2019]t\b", re.I)
_UNDENIED = frozenset(("hedge", "hedge_soft", "hedge_after", "hedge_one", "no_change", "pseudo"))


@dataclass(slots=True)
class PartRead:
    """What one part asks for; `over` are words that no term took, `ranked` those that speak for it."""

    terms: list[Term] = field(default_factory=list)
    over: list[str] = field(default_factory=list)
    ranked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_either: bool = False
    """Whether its first finding is one of several that "or" joins."""
    denies: bool = False
    """Whether anything in it is denied."""


def read_part(part: str, at: int) -> PartRead:
    """What a part of a query asks for; `at` is where it begins in the query."""
    made, shown = PartRead(), part
    for match in _ANYHOW.finditer(part):
        turn = re.compile(r"\b(?:but|however|although|though)\b", re.I).search(part, match.end())
        reach = (match.start(), turn.start() if turn else len(part))
        made.notes.append(f'"{_told(part, reach)}" filters nothing and is left out')
        shown = blanked(shown, [reach])
        break
    if (either := _NONE_OR.search(shown)) is not None:
        raise unclear(shown[: either.end()] + " ...")
    shown = _CONTRACTED.sub(lambda match: "not".rjust(len(match[0])), shown)
    of = detailed(shown)
    made.notes += of.notes
    denied = segments(of.text)
    _Plain(of, [span for _, span in denied], at, made).read()
    for cue, span in denied:
        _deny(of, cue, span, at=at, made=made)
    _borrow(of, [span for _, span in denied], at, made=made)
    return made


# --- what only searches deny -----


def _deny(of: Detailed, cue: Span, span: Span, *, at: int, made: PartRead) -> None:
    """What a denial of the search's own reaches: excluded, or left out with a note."""
    text, made.denies = of.text, True
    inside = blanked(text, [(0, cue[1]), (span[1], len(text))])
    name = text[slice(*cue)].lower()
    if not words_of(inside):
        raise unclear(_told(text, span) + " ...")
    scene = read(inside, lexicon("default"))
    terms = distinct(_terms(replace(of, text=inside), scene, at))
    details = only_details(inside)
    before = [term for term in made.terms if term.presence != "absent" and term.span[1] <= at + span[0]]
    if details and not terms and before and not FOREIGN.match(name):
        made.terms.append(
            Term(before[-1].finding, "absent", words=before[-1].words, span=before[-1].span, **details)
        )
        return
    known = bool(terms) and all(term.presence != "absent" for term in terms) and not FOREIGN.match(name)
    if known and len(name) == 1 and len({term.span for term in terms}) > 1:
        raise unclear(_told(text, span))
    if known and name.startswith("not"):
        lead = text[cue[1] : min(term.span[0] for term in terms) - at]
        known = name == "not" and (not words_of(lead) or bool(only_details(lead)))
    if known:
        made.terms += [excluded(term) for term in terms]
    else:
        made.notes.append(f'"{_told(text, span)}" is not understood and left out')


def _borrow(of: Detailed, spans: Sequence[Span], at: int, *, made: PartRead) -> None:
    """Of "right but no left effusion" the side alone: of what stands, denied, beyond the turn."""
    text = blanked(of.text, spans)
    turn = re.search(r"\b(?:but|and)\b", text)
    if turn is None:
        return
    before = [term for term in made.terms if term.span[0] < at + turn.start()]
    after = [term for term in made.terms if term.span[0] >= at + turn.end()]
    for own, others, alone in (
        (before, after[:1], text[: turn.start()]), (after, before[-1:], text[turn.end() :])
    ):  # fmt: skip
        details = only_details(alone)
        if details and not own and others and others[0].presence == "absent":
            bare = replace(others[0], presence="present", side=(), place=(), degree=())
            made.terms.insert(0, replace(bare, **details))
            for words in (made.over, made.ranked):
                words[:] = [word for word in words if word not in words_of(alone)]
            return


def _told(text: str, span: Span) -> str:
    return " ".join(text[slice(*span)].split())


# --- what a report would say, too -----


@dataclass(slots=True)
class _Plain:
    """What the engine reads of a part, without what only a search denies."""

    of: Detailed
    gone: Sequence[Span]
    at: int
    made: PartRead

    def read(self) -> None:
        text = blanked(self.of.text, self.gone)
        after = AFTER.search(text.rstrip())
        if after is not None:
            text = blanked(text, [after.span()])
        of = replace(self.of, text=text)
        scene = read(text, lexicon("default"))
        if scene is None or not scene.mentions:
            self._of_nothing(blanked(self.of.text, self.gone))
            return
        denied = [scene.typed(one.start, one.reach) for one in scene.mentions if one.presence == "absent"]
        behind = [
            scene.typed(*span) for kind, *span in scene.cues if denied and kind in ("deny_after", "gone")
        ]
        lost = [span for span in self._denials(text, scene) if not _meets(span, [*denied, *behind])]
        lost += _non(scene)
        terms = _terms(of, scene, self.at)
        kept = [term for term in terms if not _meets(term.span, [_moved(span, self.at) for span in lost])]
        kept = [excluded(one) if _is_free(text, one.span[1] - self.at) else one for one in kept]
        kept, back = self._without_gone(kept, scene)
        if after is not None:
            kept = _excluded_all(kept, text)
        self.made.denies |= bool(lost or denied or after)
        kept, self.made.is_either = joined(kept, text, self.at)
        self.made.terms += distinct(kept)
        self.made.notes += [
            f'"{_told(text, span)}" is not understood and left out'
            for span in lost
            if words_of(text[slice(*span)])
        ]
        for kind, *span in scene.cues:
            said = text[slice(*scene.typed(*span))]
            if kind in ("no_change", "pseudo") and DENIES.search(said):
                self.made.notes.append(f'"{said}" is asked of no report, and left out')
        denials = [*self._denials(text, scene), *denied, *(at.span() for at in _FREE.finditer(text))]
        took = [*_taken(scene, distinct(terms), self.at), *denials]
        self.made.over += dict.fromkeys([*words_of(blanked(without_open(text), took)), *back])
        self.made.ranked += dict.fromkeys([*words_of(blanked(text, denials)), *back])

    def _of_nothing(self, text: str) -> None:
        """A part without a finding: that all is normal, words, or a denial that reaches nothing known."""
        denials = [span for span in self._denials(text, None)]
        self.made.denies |= bool(denials)
        if label_report(text).presences.get(NORMAL) == "present":
            sick = [span for span in denials if _HEALTHY.search(text, *span) or not _ILL.search(text, *span)]
            sick += [at.span() for at in (AFTER.search(text.rstrip()), _RATHER.search(text)) if at]
            if self.gone:  # "normal except for an enlarged heart" wants that heart
                raise unclear(self.of.text)
            if not sick or _NEGATIVE.fullmatch(text):
                words = tuple(words_of(text))
                start = len(text) - len(text.lstrip())
                span = (self.at + start, self.at + len(text.rstrip()))
                self.made.terms.append(Term(NORMAL, words=words, span=span))
                return
            denials = [(0, len(text))]
        self.made.notes += [f'"{_told(text, span)}" is not understood and left out' for span in denials]
        rest = words_of(blanked(text, denials))
        self.made.over += rest
        self.made.ranked += rest

    def _denials(self, text: str, scene: Scene | None) -> Iterator[Span]:
        """Each denial with what it reaches; what only says "unchanged" or "can't be excluded" is none."""
        cues = [] if scene is None else [(kind, scene.typed(start, end)) for kind, start, end in scene.cues]
        for match in DENIES.finditer(text):
            if any(kind in _UNDENIED and _meets(match.span(), [span]) for kind, span in cues):
                continue
            ends = TURNS.search(text, match.end())
            yield match.start(), ends.start() if ends else len(text)

    def _without_gone(self, terms: list[Term], scene: Scene) -> tuple[list[Term], list[str]]:
        """Terms without what is said to have gone, which no report is asked to deny; and its words."""
        spans = [
            _moved(scene.typed(one.start, one.reach), self.at)
            for one in scene.mentions
            if one.presence == "absent" and ":" in one.rule and _GONE.search(one.rule.split(":", 1)[1])
        ]
        gone = [term for term in terms if term.presence == "absent" and _meets(term.span, spans)]
        if not gone:
            return terms, []
        words = words_of(scene.text)
        self.made.notes.append(
            f'"{" ".join(scene.text.split())}" is no finding that is or isn\'t there: by its words'
        )
        return [term for term in terms if term not in gone], words


def _is_free(text: str, end: int) -> bool:
    """Whether what ends there is said to be absent, as in "effusion-free"."""
    return _FREE.match(text, end) is not None


def _non(scene: Scene) -> list[Span]:
    """What "non" stands right before: "non-calcified nodule"."""
    cues = [re.search(r"\bnon[\s-]*\Z", scene.text[: one.start]) for one in scene.mentions]
    return [scene.typed(cue.start(), one.reach) for cue, one in zip(cues, scene.mentions, strict=True) if cue]


def _excluded_all(terms: list[Term], text: str) -> list[Term]:
    if len({term.span for term in terms}) != 1:
        raise unclear(text)
    return [excluded(term) for term in terms]


def _terms(of: Detailed, scene: Scene | None, at: int) -> list[Term]:
    """The terms of a scene, in order."""
    terms = list[Term]()
    if scene is None:
        return []
    mentions = scene.mentions
    for place in range(len(mentions)):
        window = (
            scene.typed(0, mentions[place - 1].reach)[1] if place else 0,
            scene.typed(0, mentions[place + 1].start)[1] if place + 1 < len(mentions) else len(of.text),
        )
        stated = mentions[place].rule == "alternatives" and not _hedged(scene)
        for claim in claims_of(scene, place):
            term = _term(of, replace(claim, presence="present") if stated else claim, window, at=at)
            terms.append(term)
    return terms


def _hedged(scene: Scene) -> bool:
    return any(kind.startswith("hedge") for kind, _, _ in scene.cues)


def _term(of: Detailed, claim: Claim, window: Span, *, at: int) -> Term:
    start, end = claim.span
    words = tuple(words_of(of.text[start:end]))
    details = will_do(of, claim, window)
    return Term(claim.finding, claim.presence, words=words, span=(at + start, at + end), **details)


def _taken(scene: Scene, terms: Sequence[Term], at: int) -> list[Span]:
    """Where claims, their modifiers and cues stand."""
    spans = [scene.typed(start, end) for _, start, end in scene.cues]
    spans += [(term.span[0] - at, term.span[1] - at) for term in terms]
    for kind in DETAILS:
        if any(getattr(term, kind) for term in terms):
            found = scene.words.modifiers[kind].pattern.finditer(scene.text)
            spans += [scene.typed(*match.span()) for match in found]
    return spans


def _moved(span: Span, by: int) -> Span:
    return span[0] + by, span[1] + by


def _meets(span: Span, others: Sequence[Span]) -> bool:
    return any(span[0] < other[1] and other[0] < span[1] for other in others)
