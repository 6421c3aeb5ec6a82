"""Two readings of one study side by side: where a text agrees with another, misses, adds or contradicts.

Knows what the labeler read and where it stands in the text; knows no score and no HTML. Side, place and
degree are not judged. As in the main scores, what is uncertain counts as present.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from xemplar.findings import Labeler, Said
from xemplar.records import OBSERVATIONS, Presence

Verdict = Literal["contradicts", "missed", "not in the reference", "agrees", "outweighed"]
Kind = Literal["miss", "open", "hit"]

SIGNS: dict[Verdict, str] = {
    "contradicts": "✗",
    "missed": "\N{MINUS SIGN}",
    "not in the reference": "+",
    "agrees": "✓",
    "outweighed": "·",
}
"""So that colour is never needed."""

_WORST: tuple[Verdict, ...] = tuple(SIGNS)
_WEIGHT: tuple[Presence, ...] = ("present", "uncertain", "absent")


@dataclass(frozen=True, slots=True)
class Reading:
    """A text and what it says of each observation; `implied` are those that it says without their name."""

    text: str
    says: Mapping[str, Presence]
    implied: frozenset[str]
    mentions: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """One observation: what was said of it, and how that fits what was said on the other side."""

    verdict: Verdict
    kind: Kind


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text; where it mentions findings, with a sign for each side it was held against."""

    text: str
    kind: Kind | None = None
    signs: str = ""
    told: str = ""
    """In words: "Cardiomegaly present: missed"."""


@dataclass(frozen=True, slots=True)
class Row:
    """An observation in the texts of a study: what each says, the reference first, and the verdicts."""

    observation: str
    reference: str
    said: tuple[str, ...]
    judged: tuple[Judged, ...]


def read_text(labeler: Labeler, text: str) -> Reading:
    """What a text says: its labels, and what it only implies where it has no label."""
    found = labeler.label(text)
    says = dict(found.presences)
    implied: dict[str, Presence] = {}
    for one in found.mentions:
        if one.implied and one.observation in OBSERVATIONS and one.observation not in says:
            known = implied.get(one.observation, "absent")
            implied[one.observation] = min(known, one.presence, key=_WEIGHT.index)
    mentions = tuple(one for one in found.mentions if one.observation in OBSERVATIONS)
    return Reading(text, says | implied, frozenset(implied), mentions)


def judge(own: Reading, other: Reading, *, alone: Verdict) -> dict[str, Judged]:
    """Each observation of a text, held against another; `alone` is the word for what only this one says."""
    found: dict[str, Judged] = {}
    for name, presence in own.says.items():
        theirs = other.says.get(name)
        if theirs is None:
            found[name] = Judged(alone, "open" if presence == "absent" else "miss")
        elif (theirs == "absent") == (presence == "absent"):
            found[name] = Judged("agrees", "hit")
        else:
            found[name] = Judged("contradicts", "miss")
    return found


def pieces(own: Reading, against: Sequence[Mapping[str, Judged]]) -> tuple[Piece, ...]:
    """The whole text, in order, with its mentions marked; joined, the pieces are the text.

    Mentions that overlap are one piece, with the worst of their verdicts. A mention that another one of the
    same text outweighs ("no right effusion" beside a left one) is told so and not judged.
    """
    found: list[Piece] = []
    end = 0
    for start, stop, mentions in _groups(own.mentions):
        if start > end:
            found.append(Piece(own.text[end:start]))
        found.append(_marked(own, own.text[start:stop], mentions, against=against))
        end = stop
    return (*found, Piece(own.text[end:])) if end < len(own.text) else tuple(found)


def compared(reference: Reading, predictions: Sequence[Reading]) -> tuple[Row, ...]:
    """What the texts of a study say of each observation that any of them names, in CheXpert's order."""
    rows = []
    for name in OBSERVATIONS:
        if not any(name in one.says for one in (reference, *predictions)):
            continue
        judged = tuple(_between(reference, one, name) for one in predictions)
        rows.append(
            Row(name, _words(reference, name), tuple(_words(one, name) for one in predictions), judged)
        )
    return tuple(rows)


def _between(reference: Reading, prediction: Reading, name: str) -> Judged:
    if name in prediction.says:
        return judge(prediction, reference, alone="not in the reference")[name]
    if name in reference.says:
        return judge(reference, prediction, alone="missed")[name]
    return Judged("agrees", "open")


def _words(reading: Reading, name: str) -> str:
    said = reading.says.get(name, "not mentioned")
    return f"{said}, implied" if name in reading.implied else said


def _groups(mentions: Sequence[Said]) -> list[tuple[int, int, list[Said]]]:
    """Mentions in order of place, those that overlap together."""
    found: list[tuple[int, int, list[Said]]] = []
    for one in sorted(mentions, key=lambda said: said.span):
        start, stop = one.span
        if stop <= start:
            continue
        if found and start < found[-1][1]:
            first, last, group = found.pop()
            found.append((first, max(last, stop), [*group, one]))
        else:
            found.append((start, stop, [one]))
    return found


def _marked(
    own: Reading, text: str, mentions: Sequence[Said], *, against: Sequence[Mapping[str, Judged]]
) -> Piece:
    signs, kinds, told = [], [], []
    for judged in against:
        verdicts = [_of_mention(own, one, judged) for one in mentions]
        worst = min(
            verdicts, key=lambda one: (("miss", "open", "hit").index(one.kind), _WORST.index(one.verdict))
        )
        signs.append(SIGNS[worst.verdict])
        kinds.append(worst.kind)
    for one in dict.fromkeys((one.observation, one.presence, one.implied) for one in mentions):
        name, presence, implied = one
        words = [_of_mention(own, _same(mentions, one), judged).verdict for judged in against]
        told.append(f"{name} {presence}{', implied' if implied else ''}: {' | '.join(words)}")
    kind: Kind = kinds[0] if len(set(kinds)) == 1 else "open"
    return Piece(text, kind, "".join(signs), "; ".join(told))


def _same(mentions: Sequence[Said], key: tuple[str, Presence, bool]) -> Said:
    return next(one for one in mentions if (one.observation, one.presence, one.implied) == key)


def _of_mention(own: Reading, mention: Said, judged: Mapping[str, Judged]) -> Judged:
    whole = own.says.get(mention.observation)
    if whole is None or (whole == "absent") != (mention.presence == "absent"):
        return Judged("outweighed", "open")
    return judged[mention.observation]
