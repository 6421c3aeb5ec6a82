"""What of a draft can be trusted: wrong lines, contradictions, what nothing supports, false normals, recall.

Knows drafts and what each study is held to; knows nothing of how a draft came about, and reads no text
again. What is said of a drawn study is judged by what was drawn (`held_to`). Each score is a ratio of two
tallies that add up over drafts, so that intervals resample patients; the definitions stand beside the
scores that they define.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from xemplar.contracts import Json
from xemplar.drafting.truth import Fault, Truth
from xemplar.evaluation.scores import Resampling
from xemplar.findings import FINDINGS
from xemplar.metrics.statistics import Interval, ratio
from xemplar.records import Claim, Draft, Line, Sentence

CLEAR = frozenset(("moderate", "large"))
"""Degrees from which on a finding is clearly there; one whose degree nobody knows isn't counted as clear."""

_WRONG: tuple[Fault, ...] = ("presence", "side")


@dataclass(frozen=True, slots=True)
class Measure:
    """One score as part over whole, both tallies, and in words what is counted."""

    name: str
    part: str
    whole: str
    meaning: str


MEASURES: Mapping[str, tuple[Measure, ...]] = {
    "How much is said": (
        Measure("lines per draft", "lines", "drafts", "every line counts"),
        Measure("stating lines per draft", "stating", "drafts", "lines that state a finding as present"),
        Measure("lines without a source", "sourceless", "drafts", "per draft; there must be none"),
    ),
    "Wrong lines": (
        Measure("wrong lines", "wrong", "lines", "in a finding's presence or side; share of all lines"),
        Measure("wrong lines of those judged", "wrong", "judged", "but for those no truth is known of"),
        Measure("wrong stating lines", "wrong stating", "stating", "of the lines that state a finding"),
        Measure("unsupported findings per draft", "unsupported", "drafts", "stated, and truly absent"),
        Measure("findings nobody knows per draft", "unknown", "drafts", "stated, and no truth is known"),
        Measure("findings denied though there", "denied there", "denied", "share of the findings denied"),
    ),
    "Contradictions": (
        Measure(
            "contradicted findings per draft", "contradicted", "drafts",
            "said to be present and absent, or in two degrees of what may be one side and place",
        ),
        Measure("drafts that contradict themselves", "contradictory", "drafts", "in one finding or more"),
    ),
    "Sides and degrees of what is there": (
        Measure("wrong sides per draft", "wrong side", "drafts", "a side is said, and it is elsewhere"),
        Measure("wrong sides per stating line", "wrong side", "stating", "over stating lines"),
        Measure("wrong sides of those said", "wrong side", "side", "over sides said of what is there"),
        Measure("wrong degrees per draft", "wrong degree", "drafts", "where presence and side are right"),
        Measure("wrong degrees of those said", "wrong degree", "degree", "over degrees said of such"),
    ),
    "False normals": (
        Measure("false normals", "false normal", "drafts", "state no finding, and deny one that is there"),
        Measure("false normals per stating line", "false normal", "stating", "over stating lines"),
        Measure("false normals of the ill", "false normal", "ill", "over studies that have a finding"),
        Measure(
            "reads normal, and isn't", "reads normal", "drafts",
            "states no finding, denies some, and one is there: whether or not that one is denied",
        ),
    ),
    "Recall": (
        Measure("recall of findings", "found", "present", "share of what is there that is stated"),
        Measure(
            "recall of clear findings", "clear found", "clear",
            "of what is there in a moderate or large degree; those of no known degree are not among them",
        ),
    ),
}  # fmt: skip
"""Heading -> measures."""

TALLIES = tuple(
    dict.fromkeys(name for group in MEASURES.values() for one in group for name in (one.part, one.whole))
)
"""What is counted of a draft, in the order of the columns."""


class Sources:
    """Whether a line quotes a sentence that the archive holds, by studies that wrote it."""

    def __init__(self, sentences: Iterable[Sentence]) -> None:
        self._wrote = {one.sentence_id: (one.text, frozenset(one.study_ids)) for one in sentences}

    def has(self, line: Line, *, not_of: str | None = None) -> bool:
        """Every source wrote that sentence, none is the study itself, and the line is a span of it."""
        text, wrote = self._wrote.get(line.sentence_id, (None, frozenset()))
        sources = set(line.source_study_ids)
        named = bool(sources) and sources <= wrote and not_of not in sources
        return named and text is not None and line.text == text[line.span[0] : line.span[1]]


@dataclass(frozen=True)
class Trust:
    """Drafts, what each is held to, and what was counted of each: (drafts, tallies)."""

    drafts: tuple[Draft, ...]
    truths: tuple[Truth, ...]
    counts: NDArray[np.int64]

    def column(self, name: str) -> NDArray[np.int64]:
        """One tally of every draft."""
        return self.counts[:, TALLIES.index(name)]

    def sums(self, measure: Measure) -> NDArray[np.int64]:
        """(drafts, 2): part and whole."""
        return np.stack([self.column(measure.part), self.column(measure.whole)], axis=1)

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """Of every study, so that two evaluations can be compared in pairs."""
        return {f"trust, {name}": self.column(name) for name in TALLIES if name != "drafts"}


def held(drafts: Sequence[Draft], truths: Sequence[Truth], *, sources: Sources | None = None) -> Trust:
    """Count every draft's lines and claims against its study's truth.

    Without `sources` a line's source is whatever it names.
    """

    def sourced(draft: Draft, line: Line) -> bool:
        if sources is None:
            return bool(line.source_study_ids)
        return sources.has(line, not_of=draft.study_id)

    rows = [tallied(draft, truth, sourced=sourced) for draft, truth in zip(drafts, truths, strict=True)]
    counts = np.array([[row[name] for name in TALLIES] for row in rows], np.int64).reshape(-1, len(TALLIES))
    return Trust(tuple(drafts), tuple(truths), counts)


def tallied(draft: Draft, truth: Truth, *, sourced: Callable[[Draft, Line], bool]) -> Counter[str]:
    """What is counted of one draft."""
    claims = [claim for line in draft.lines for claim in line.claims]
    stated, denied = (
        {claim.finding for claim in claims if claim.presence == presence}
        for presence in ("present", "absent")
    )
    there = {name for name, value in truth.presence.items() if value == "present" and name in FINDINGS}
    clear = {name for name in there if CLEAR & truth.degrees.get(name, frozenset())}
    stating = [line for line in draft.lines if any(claim.presence == "present" for claim in line.claims)]
    twice = contradicted(claims)
    reads_normal = bool(denied and not stated)
    return Counter(
        {
            "drafts": 1,
            "lines": len(draft.lines),
            "stating": len(stating),
            "wrong": sum(truth.wrong(line) for line in draft.lines),
            "wrong stating": sum(truth.wrong(line) for line in stating),
            "judged": sum(_is_judged(line, truth) for line in draft.lines),
            "contradicted": len(twice),
            "contradictory": bool(twice),
            "unsupported": sum(truth.presence.get(name) == "absent" for name in stated),
            "unknown": sum(truth.presence.get(name) in (None, "uncertain") for name in stated),
            "denied": sum(truth.presence.get(name) in ("present", "absent") for name in denied),
            "denied there": len(denied & there),
            "ill": bool(there),
            "false normal": reads_normal and bool(denied & there),
            "reads normal": reads_normal and bool(there),
            "present": len(there),
            "found": len(there & stated),
            "clear": len(clear),
            "clear found": len(clear & stated),
            "sourceless": sum(not sourced(draft, line) for line in draft.lines),
            **_details(claims, truth),
        }
    )


def _is_judged(line: Line, truth: Truth) -> bool:
    """Whether the truth knows a finding that the line states or denies."""
    return any(
        claim.presence != "uncertain" and truth.presence.get(claim.finding) in ("present", "absent")
        for claim in line.claims
    )


def _details(claims: Sequence[Claim], truth: Truth) -> dict[str, int]:
    """Sides and degrees said of findings that are there, and those that are wrong."""
    right = [c for c in claims if c.presence == "present" and truth.presence.get(c.finding) == "present"]
    sided = [c for c in right if c.side in ("left", "right", "bilateral") and truth.sides.get(c.finding)]
    graded = [
        c for c in right if c.degree is not None and truth.degrees.get(c.finding) and truth.fault(c) != "side"
    ]
    return {
        "side": len(sided),
        "wrong side": sum(truth.fault(claim) == "side" for claim in sided),
        "degree": len(graded),
        "wrong degree": sum(truth.fault(claim) == "degree" for claim in graded),
    }


def contradicted(claims: Iterable[Claim]) -> set[str]:
    """Findings of which two claims can't both be right, by the truth's own logic.

    One that is said to be present and absent, whatever the sides, since a truth knows a finding as a whole;
    or present in two degrees where side and place may be the same. Left and right are both right of what is
    on both sides, and exclude nothing.
    """
    found: set[str] = set()
    by_finding: dict[str, list[Claim]] = {}
    for claim in claims:
        by_finding.setdefault(claim.finding, []).append(claim)
    for finding, said in by_finding.items():
        if {"present", "absent"} <= {claim.presence for claim in said}:
            found.add(finding)
        graded = [claim for claim in said if claim.presence == "present" and claim.degree is not None]
        if any(one.degree != other.degree and _meet(one, other) for one, other in combinations(graded, 2)):
            found.add(finding)
    return found


def _meet(one: Claim, other: Claim) -> bool:
    """Whether two claims may be of one spot."""
    sides = {one.side, other.side}
    same_side = None in sides or "bilateral" in sides or len(sides) == 1
    return same_side and (None in (one.place, other.place) or one.place == other.place)


def trust_scores(trust: Trust, resampling: Resampling) -> list[Json]:
    """Every measure with its interval, and the two counts behind it."""
    rows: list[Json] = []
    for group, measure in ((group, one) for group, some in MEASURES.items() for one in some):
        sums = trust.sums(measure)
        part, whole = sums.sum(axis=0)
        rows.append(
            {
                "group": group,
                "measure": measure.name,
                "meaning": measure.meaning,
                "ours": asdict(resampling.interval(ratio, sums)),
                "count": int(part),
                "of": int(whole),
                "counted": measure.whole,
            }
        )
    return rows


def finding_recalls(trust: Trust, findings: Sequence[str], resampling: Resampling) -> list[Json]:
    """Of each finding recall and precision, as often as it occurs and as if half the studies had it.

    Recall looks only at studies that have the finding, and so is the same on both pools. Precision isn't: a
    rare finding's is drowned by those that don't have it. On the balanced pool, studies with the finding
    and studies without it weigh alike: precision = recall / (recall + false alarm rate).
    """
    rows: list[Json] = []
    for name in findings:
        there, known = (
            np.array([truth.presence.get(name) in values for truth in trust.truths], np.bool_)
            for values in (("present",), ("present", "absent"))
        )
        if not there.any():
            continue
        said = np.array([name in _stated(draft) for draft in trust.drafts], np.bool_)
        cells = np.stack([said & there, there, said & known & ~there, known & ~there], axis=1)
        scores = {
            "recall": resampling.interval(_recall, cells),
            "precision": resampling.interval(_precision, cells),
            "precision, balanced": resampling.interval(_balanced, cells),
        }
        rows.append(
            {
                "finding": name,
                "studies": int(there.sum()),
                **{key: asdict(interval) for key, interval in scores.items()},
            }
        )
    return rows


def mean_recalls(trust: Trust, findings: Sequence[str], resampling: Resampling) -> dict[str, Interval]:
    """Recall where every occurrence weighs alike (natural), and where every finding does (balanced)."""
    there, hit = (
        np.array(
            [[wanted(draft, truth, name) for name in findings] for draft, truth in _pairs(trust)], np.bool_
        )
        for wanted in (_is_there, _is_found)
    )
    cells = np.stack([hit, there], axis=-1).astype(np.int64)  # (studies, findings, 2)
    return {
        "natural": resampling.interval(lambda sums: ratio(sums.sum(axis=-2)), cells),
        "balanced": resampling.interval(lambda sums: _mean(ratio(sums)), cells),
    }


def _pairs(trust: Trust) -> list[tuple[Draft, Truth]]:
    return list(zip(trust.drafts, trust.truths, strict=True))


def _is_there(draft: Draft, truth: Truth, name: str) -> bool:
    return truth.presence.get(name) == "present"


def _is_found(draft: Draft, truth: Truth, name: str) -> bool:
    return _is_there(draft, truth, name) and name in _stated(draft)


def _stated(draft: Draft) -> set[str]:
    return {claim.finding for line in draft.lines for claim in line.claims if claim.presence == "present"}


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over findings that have a value."""
    known = ~np.isnan(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _recall(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    return ratio(cells[..., [0, 1]])


def _precision(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    hit = cells[..., 0]
    return ratio(np.stack([hit, hit + cells[..., 2]], axis=-1))


def _balanced(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Precision where studies with the finding and without weigh alike; NaN where it is never stated."""
    hit, alarm = ratio(cells[..., [0, 1]]), ratio(cells[..., [2, 3]])
    return ratio(np.stack([hit, hit + alarm], axis=-1))
