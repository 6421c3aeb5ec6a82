"""One film's beliefs, and the value of all that may be quoted of it; limits -> the best choice of it.

Knows the shelf, similarities and beliefs; knows nothing of how either came about. Whole sentences are weighed
all at once, parts only of those nearest that tell what is left untold; what is taken is for `cover` to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from xemplar.assembly import Style
from xemplar.drafting.beliefs import Limits
from xemplar.drafting.composition.believed import Believed, Told, agrees, all_denied
from xemplar.drafting.composition.cover import best_cover
from xemplar.drafting.composition.order import place_of
from xemplar.drafting.composition.shelf import Quote, Shelf
from xemplar.drafting.composition.weights import SIMILAR, UNITS, WORD
from xemplar.drafting.left_out import Gone, LeftOut
from xemplar.findings import FINDINGS
from xemplar.records import Claim, Line, Section

CUT = 12
"""Of the sentences that tell a finding which no whole one can, how many of the nearest are cut."""

NOT_ALONE = (
    "absent by itself; but nothing is stated, and the chance that any of all that is absent is there is"
)
"""Why a finding isn't denied that could be."""

_NEVER = -(1 << 60)


@dataclass(frozen=True, slots=True)
class Composed:
    """Lines in the order they are read, and of each finding nothing is said of, why."""

    lines: tuple[Line, ...]
    silent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Quoted:
    """What a film is compared with: the shelf, who may be left out of it, and how a draft is laid out."""

    shelf: Shelf
    left_out: LeftOut
    style: Style


@dataclass(frozen=True, slots=True)
class _Allowed:
    """What limits let be said: findings stated and denied, also as bits; of them `wanted` are to be told."""

    limits: Limits
    stated: frozenset[str]
    denied: frozenset[str]
    doubted: int
    """Findings with a belief that may not be denied."""
    wanted: int
    said: tuple[Claim, ...] = ()
    """What an earlier section tells, which this one may tell again and may not tell otherwise."""


class Gathered:
    """One film's beliefs, and the worth of all that may be quoted of it."""

    def __init__(
        self, archive: Quoted, believed: Believed, *, similar: NDArray[np.float64], gone: Gone
    ) -> None:
        self._archive, self._shelf, self._believed = archive, archive.shelf, believed
        self._similar, self._gone = similar, gone
        self._known: dict[object, Told] = {}
        self._weigh()

    def compose(self, limits: Limits) -> Composed:
        """The lines that these limits allow, in the composer's style.

        Where a finding may be stated, what a draft that states nothing may deny is asked only once no line
        states any.
        """
        stated, denied = self._believed.stated(limits), self._believed.denied(limits)
        alone = self._believed.denied_alone(denied, limits)
        if stated:
            made = self._composed(limits, stated, denied)
            if alone == denied or _states(made.lines):
                return made
        why = f"{NOT_ALONE} over {limits.normal_wrong:.2f}"
        made = self._composed(limits, stated, alone)
        return replace(made, silent={**made.silent, **dict.fromkeys(denied - alone, why)})

    def _composed(self, limits: Limits, stated: frozenset[str], denied: frozenset[str]) -> Composed:
        shelf, style = self._shelf, self._archive.style
        doubted = shelf.mask(self._believed.findings - denied)
        found: list[Line] = []
        told: set[str] = set()
        for section in ("findings", "impression"):
            if section not in style.split("+"):
                continue
            wanted = shelf.mask(stated | denied if section == "findings" else stated)
            said = tuple(claim for line in found for claim in line.claims)
            allowed = _Allowed(limits, stated, denied, doubted=doubted, wanted=wanted, said=said)
            lines = self._section(section, allowed)
            found += lines
            told.update(claim.finding for line in lines for claim in line.claims)
        allowed = _Allowed(limits, stated, denied, doubted=doubted, wanted=shelf.mask(stated | denied))
        silent = {name: self._why(name, allowed) for name in self._believed.now if name not in told}
        return Composed(tuple(found), silent)

    def _section(self, section: Section, allowed: _Allowed) -> list[Line]:
        short = WORD if section == "impression" else 0.0
        stated = self._shelf.mask(allowed.stated)
        best = {mask: (value, quote) for mask, value, quote in self._best_wholes(allowed, short)}
        taken = best_cover({mask: value for mask, (value, _) in best.items()}, stated=stated)
        untold = allowed.wanted & ~sum(taken)
        if untold:
            self._add_parts(best, self._parts(untold, allowed), allowed, short=short)
            taken = best_cover({mask: value for mask, (value, _) in best.items()}, stated=stated)
        lines = [self._line(best[mask][1], section, best[mask][0] / UNITS) for mask in taken]
        if section == "impression" and not allowed.stated and all_denied(allowed.denied):
            lines = self._denying_all()
        return sorted(lines, key=lambda line: (*place_of(line.claims), line.sentence_id))

    def _best_wholes(self, allowed: _Allowed, short: float) -> Iterator[tuple[int, int, Quote]]:
        """For every set of findings, the best whole sentence that tells just these, and its value."""
        values = self._wholes(allowed, short)
        for mask, start, end in self._shelf.groups:
            if not mask & ~allowed.wanted:
                place = start + int(values[start:end].argmax())
                if values[place] > _NEVER:
                    yield mask, int(values[place]), self._shelf.wholes[place]

    def _add_parts(
        self, best: dict[int, tuple[int, Quote]], parts: Iterable[Quote], allowed: _Allowed, *, short: float
    ) -> None:
        """Put parts that are better than the best so far in its place."""
        for quote in parts:
            if self._allows(quote, allowed):
                value = self._value(quote, short)
                if value > best.get(quote.tells, (_NEVER, quote))[0]:
                    best[quote.tells] = value, quote

    # --- whole sentences, all at once

    def _weigh(self) -> None:
        """Probability and worth of every reading, and the value of every whole sentence."""
        shelf, readings = self._shelf, self._shelf.readings
        told = [self._believed.told(claim) for claim in readings.claims]
        self._told = np.array([one.probability for one in told]) > 0
        self._left = np.ones(len(shelf.sentences), np.bool_)
        self._left[self._archive.left_out.rows(self._gone)] = False
        if not told:
            self._sure = self._values = np.zeros(0)
            return
        probability = np.array([one.probability for one in told])
        worth = np.array([one.worth for one in told])
        sure = np.minimum.reduceat(probability[readings.flat], readings.starts)
        least = np.minimum.reduceat(worth[readings.flat], readings.finding_starts)
        summed = np.add.reduceat(least, readings.finding_of)
        self._sure = sure[shelf.reading]
        self._values = summed[shelf.reading] + SIMILAR * shelf.told * self._similar[shelf.row] - shelf.cost

    def _may_be_told(self, allowed: _Allowed) -> NDArray[np.bool_]:
        """Whether all that a whole sentence claims may be, however sure it is of the details."""
        shelf, readings = self._shelf, self._shelf.readings
        if not readings.claims:
            return np.zeros(0, np.bool_)
        stated, denied = shelf.mask(allowed.stated), shelf.mask(allowed.denied)
        may = np.where(readings.present, readings.bit & stated, readings.bit & denied) != 0
        may &= self._told
        for place in np.flatnonzero(may & readings.changed):
            may[place] = self._believed.fits_prior(readings.claims[place], allowed.limits)
        for place in np.flatnonzero(may) if allowed.said else ():
            may[place] = agrees(readings.claims[place], allowed.said)
        good: NDArray[np.bool_] = np.logical_and.reduceat(may[readings.flat], readings.starts)[shelf.reading]
        good &= self._left[shelf.row] & (shelf.implies & allowed.doubted == 0)
        return good if all_denied(allowed.denied) else good & ~shelf.denies_all

    def _wholes(self, allowed: _Allowed, short: float) -> NDArray[np.int64]:
        """Values of the whole sentences in units, `_NEVER` for one that may not be said."""
        shelf = self._shelf
        good = self._may_be_told(allowed) & (~shelf.states | (self._sure >= allowed.limits.state_at))
        units = np.rint(UNITS * np.where(good, self._values - short * shelf.words, 0.0)).astype(np.int64)
        return np.where(good, units, _NEVER)

    # --- parts, one by one

    def _parts(self, untold: int, allowed: _Allowed) -> Iterator[Quote]:
        """Parts of the nearest sentences that tell what no whole one does, each once."""
        seen: set[int] = set()
        for presence, findings in (("present", allowed.stated), ("absent", allowed.denied)):
            for finding in sorted(findings):
                if self._shelf.bits.get(finding, 0) & untold:
                    seen.update(self._nearest((finding, presence)))
        for row in sorted(seen):
            yield from self._shelf.parts(row)

    def _nearest(self, key: tuple[str, str]) -> list[int]:
        rows = self._shelf.cuttable.get(key, np.zeros(0, np.int64))
        rows = rows[self._left[rows]]
        near = -np.rint(UNITS * self._similar[rows])
        if len(rows) > CUT:
            edge = np.partition(near, CUT - 1)[CUT - 1]
            rows, near = rows[near <= edge], near[near <= edge]
        nearest: list[int] = rows[np.lexsort((rows, near))][:CUT].tolist()
        return nearest

    def _value(self, quote: Quote, short: float) -> int:
        least: dict[str, float] = {}
        for claim in quote.claims:
            worth = self._tell(claim).worth
            least[claim.finding] = min(worth, least.get(claim.finding, worth))
        similar = SIMILAR * len(least) * float(self._similar[quote.row])
        value = sum(least.values()) + similar - quote.cost - short * quote.words
        return int(np.rint(UNITS * value))

    def _allows(self, quote: Quote, allowed: _Allowed) -> bool:
        sure = not quote.states or self._confidence(quote.claims) >= allowed.limits.state_at
        return sure and self._may_be_said(quote, allowed)

    def _may_be_said(self, quote: Quote, allowed: _Allowed) -> bool:
        """Whether all that a quote claims may be, however sure it is of the details."""
        if quote.tells & ~allowed.wanted or quote.implies & allowed.doubted:
            return False
        if quote.denies_all and not all_denied(allowed.denied):
            return False
        return all(self._may(claim, allowed) for claim in quote.claims)

    # --- claims

    def _tell(self, claim: Claim) -> Told:
        known = self._known.get(claim.meaning)
        if known is None:
            known = self._known[claim.meaning] = self._believed.told(claim)
        return known

    def _may(self, claim: Claim, allowed: _Allowed) -> bool:
        """Whether limits let a claim be made, its details apart."""
        side = {"present": allowed.stated, "absent": allowed.denied}.get(claim.presence, frozenset())
        if claim.finding not in side or self._tell(claim).probability == 0.0:
            return False
        if not agrees(claim, allowed.said):
            return False
        return claim.change is None or self._believed.fits_prior(claim, allowed.limits)

    def _confidence(self, claims: tuple[Claim, ...]) -> float:
        return min(self._tell(claim).probability for claim in claims)

    # --- lines

    def _line(self, quote: Quote, section: Section, value: float) -> Line:
        sentence = self._shelf.sentences[quote.row]
        return Line(
            text=sentence.text[slice(*quote.span)],
            sentence_id=sentence.sentence_id,
            sentence_text=sentence.text,
            span=quote.span,
            source_study_ids=self._archive.left_out.sources(quote.row, self._gone),
            claims=quote.claims,
            scores={"cosine": float(self._similar[quote.row]), "value": value},
            confidence=self._confidence(quote.claims),
            section=section,
        )

    def _denying_all(self) -> list[Line]:
        """The nearest sentence that denies everything at once; its line claims every finding absent."""
        rows = [row for row in self._shelf.denying_all if self._left[row]]
        if not rows:
            return []
        row = min(rows, key=lambda one: (-int(np.rint(UNITS * self._similar[one])), one))
        text = self._shelf.sentences[row].text
        claims = tuple(Claim(finding, "absent", span=(0, len(text))) for finding in FINDINGS)
        quote = Quote(row, (0, len(text)), claims, tells=0, implies=0, denies_all=True, cost=0.0, words=0)
        return [self._line(quote, "impression", float(self._similar[row]))]

    def _why(self, finding: str, allowed: _Allowed) -> str:
        """Why nothing is said of a finding."""
        limits, presence = allowed.limits, self._believed.now[finding].presence
        if finding not in allowed.stated | allowed.denied:
            reason = f"evidence undecided: p = {presence:.2f}, stated from {limits.state_at:.2f}"
            return f"{reason}, denied {_up_to(limits, finding)}"
        said = "present" if finding in allowed.stated else "absent"
        if said == "absent" and self._archive.style == "impression":
            return "absent, and an impression tells what is there"
        best = self._surest(finding, allowed)
        if best is None:
            return f"no sentence of the archive says it is {said} and nothing unbelieved"
        if said == "present" and best < limits.state_at:
            told = f"present (p = {presence:.2f}), but no sentence is as sure of all that it tells"
            return f"{told}: p = {best:.2f} at best, stated from {limits.state_at:.2f}"
        return f"what says it is {said} tells again what another line does"

    def _surest(self, finding: str, allowed: _Allowed) -> float | None:
        """How sure the surest quote is that tells a finding and, its details apart, nothing unbelieved."""
        bit = self._shelf.bits.get(finding, 0)
        wholes = self._may_be_told(allowed) & (self._shelf.tells & bit != 0)
        parts = [
            self._confidence(quote.claims)
            for quote in self._parts(bit, allowed)
            if quote.tells & bit and self._may_be_said(quote, allowed)
        ]
        return max([*self._sure[wholes].tolist(), *parts], default=None)


def _states(lines: Iterable[Line]) -> bool:
    return any(claim.presence == "present" for line in lines for claim in line.claims)


def _up_to(limits: Limits, finding: str) -> str:
    one = limits.deny_at.get(finding) if isinstance(limits.deny_at, Mapping) else limits.deny_at
    return "never" if one is None else f"up to {one:.2f}"
