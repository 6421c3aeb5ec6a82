"""Which evaluated studies are shown as cases, and what is shown of each.

Knows studies, drafts and what is true of them; knows nothing of HTML. The choice follows from the
scores alone, so that the same evaluation always shows the same cases and failures can't be left out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

import numpy as np

from xemplar.drafting import truth_of
from xemplar.drafting.truth import Fault, Truth, held_to
from xemplar.evaluation.run import Evaluation
from xemplar.records import Draft, Line, Study

Group = Literal["best", "typical", "normal", "worst", "no draft"]
Mark = Literal["hit", "miss", "open"]

_TAKEN: tuple[Group, ...] = ("worst", "normal", "best", "typical", "no draft")
"""In turns, so that even a single case is a failure."""

_SHOWN: tuple[Group, ...] = ("best", "typical", "normal", "worst", "no draft")
RANKS = "rank image to text, ours"


@dataclass(frozen=True, slots=True)
class Pick:
    """A chosen study: its row, why it was chosen, and its own score."""

    row: int
    group: Group
    f1: float | None = None
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One finding: whether it is there, what the draft says of it, and whether that fits."""

    finding: str
    truth: str
    said: str
    mark: Mark
    verdict: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """A draft held against the truth: findings in question, and those rightly or silently not stated."""

    rows: tuple[Judged, ...]
    denied: tuple[str, ...]
    unsaid: tuple[str, ...]


def study_f1(draft: Draft, study: Study, scored: Collection[str]) -> float:
    """F1 of one draft's present findings; 1 where nothing is there and nothing is stated."""
    stated, there = stated_of(draft) & set(scored), present_of(study) & set(scored)
    wrong = len(stated ^ there)
    return 1.0 if not stated | there else 2 * len(stated & there) / (2 * len(stated & there) + wrong)


def stated_of(draft: Draft) -> set[str]:
    """Findings that a draft states as present."""
    return {c.finding for line in draft.lines for c in line.claims if c.presence == "present"}


def present_of(study: Study) -> set[str]:
    """Findings that are truly present."""
    return {name for name, said in truth_of(study).items() if said == "present"}


def scored_findings(evaluation: Evaluation) -> list[str]:
    """The findings whose truth is known, in the order of the summary; none where no draft was scored."""
    drafted = evaluation.summary["drafts"]
    return list(drafted["findings"]) if drafted else []


def pick_cases(evaluation: Evaluation, count: int) -> list[Pick]:
    """`count` studies: of each group in turns, the first of its own order; shown best to worst."""
    captions = evaluation.summary["texts"] == "captions"
    queues = _by_rank(evaluation) if captions else _by_f1(evaluation)
    chosen: dict[int, Pick] = {}
    for turn in zip_longest(*(queues.get(group, []) for group in _TAKEN)):
        for pick in turn:
            if pick is not None and len(chosen) < count:
                chosen.setdefault(pick.row, pick)
    return sorted(chosen.values(), key=lambda pick: _SHOWN.index(pick.group))


def how_chosen(evaluation: Evaluation) -> str:
    """The rule of `pick_cases`, for the reader."""
    if evaluation.summary["texts"] == "captions":
        return (
            "Chosen by rule, not by hand: in turns the figure whose own caption ranks worst, best, and "
            "nearest to the median; equal ranks by study id."
        )
    return (
        "Chosen by rule, not by hand: in turns the worst by the F1 of its present findings, a normal one "
        "(one drafted rightly, then one with a false alarm), the best, the one nearest to the median, and "
        "one without a draft where there is any. Among equals the study with more findings comes first, "
        "then the study id. A normal study scores 1 where nothing is stated and 0 otherwise, and is never "
        "among best, typical or worst."
    )


def _by_rank(evaluation: Evaluation) -> dict[Group, list[Pick]]:
    ranks = evaluation.per_study[RANKS].astype(np.int64)
    ids = [study.study_id for study in evaluation.studies]
    ranked = sorted((int(rank), ids[row], row) for row, rank in enumerate(ranks) if rank > 0)
    middle = float(np.median([rank for rank, _, _ in ranked])) if ranked else 0.0
    typical = sorted(ranked, key=lambda one: (abs(one[0] - middle), one[1]))
    worst = sorted(ranked, key=lambda one: (-one[0], one[1]))
    orders: list[tuple[Group, list[tuple[int, str, int]]]] = [
        ("best", ranked), ("typical", typical), ("worst", worst)
    ]  # fmt: skip
    return {name: [Pick(row, name, rank=rank) for rank, _, row in order] for name, order in orders}


def _by_f1(evaluation: Evaluation) -> dict[Group, list[Pick]]:
    pairs = list(zip(evaluation.studies, evaluation.drafts, strict=True))
    scored = set(scored_findings(evaluation))
    f1 = [study_f1(draft, study, scored) for study, draft in pairs]
    there = [len(present_of(study) & scored) for study, _ in pairs]
    ids = [study.study_id for study, _ in pairs]
    stopped = [row for row, (_, draft) in enumerate(pairs) if draft.gate is not None]
    ill = [row for row in range(len(pairs)) if there[row] and row not in set(stopped)]
    well = [row for row in range(len(pairs)) if not there[row] and row not in set(stopped)]
    middle = float(np.median([f1[row] for row in ill])) if ill else 0.0
    right = sorted((row for row in well if f1[row] == 1), key=lambda row: ids[row])
    alarms = sorted((row for row in well if f1[row] < 1), key=lambda row: ids[row])
    orders: dict[Group, list[int]] = {
        "best": sorted(ill, key=lambda row: (-f1[row], -there[row], ids[row])),
        "typical": sorted(ill, key=lambda row: (abs(f1[row] - middle), -there[row], ids[row])),
        "worst": sorted(ill, key=lambda row: (f1[row], -there[row], ids[row])),
        "normal": [row for turn in zip_longest(right, alarms) for row in turn if row is not None],
        "no draft": sorted(stopped, key=lambda row: ids[row]),
    }
    return {name: [Pick(row, name, f1=f1[row]) for row in order] for name, order in orders.items()}


def judge_line(line: Line, study: Study, scored: Collection[str]) -> tuple[Mark, str]:
    """Whether a line's claims of scored findings fit the truth, sides included, and in what words to say so.

    A wrong degree makes no line wrong; it is told beside.
    """
    truth = held_to(study)
    fits: dict[bool, list[str]] = {True: [], False: []}
    for claim in line.claims:
        if claim.presence != "uncertain" and claim.finding in scored:
            is_there = truth.presence.get(claim.finding) == "present"
            is_right = is_there == (claim.presence == "present")
            fault = truth.fault(claim) if is_right else None
            words = f"{claim.finding} is {'there' if is_there else 'not there'}"
            fits[is_right and fault != "side"].append(words + _detail(claim.finding, fault, truth))
    if wrong := ", ".join(dict.fromkeys(fits[False])):
        return "miss", f"wrong: {wrong}"
    if right := ", ".join(dict.fromkeys(fits[True])):
        return "hit", f"fits: {right}"
    return "open", "not judged"


def _detail(finding: str, fault: Fault | None, truth: Truth) -> str:
    """What is true of a wrong side or degree."""
    known = {"side": truth.sides, "degree": truth.degrees}.get(fault or "", {})
    values = " and ".join(sorted(known.get(finding, ())))
    return f", but {'on the ' if fault == 'side' else 'its degree is '}{values}" if values else ""


def surest_wrong(evaluation: Evaluation, count: int) -> list[tuple[int, Line]]:
    """The `count` wrong lines that were said with the most confidence, one a study: row and line."""
    found: list[tuple[float, str, int, Line]] = []
    for row, (study, draft) in enumerate(zip(evaluation.studies, evaluation.drafts, strict=True)):
        truth = held_to(study)
        wrong = [x for x in draft.lines if x.confidence is not None and truth.wrong(x)]
        if wrong:
            line = max(wrong, key=lambda one: one.confidence or 0.0)
            found.append((-(line.confidence or 0.0), study.study_id, row, line))
    return [(row, line) for _, _, row, line in sorted(found, key=lambda one: one[:2])[:count]]


def judge(draft: Draft, study: Study, scored: Collection[str]) -> Judgement:
    """Hold a draft against the truth, scored finding by scored finding."""
    truth = truth_of(study)
    said = _said(draft.lines)
    rows, denied, unsaid = [], [], []
    for name in scored:
        there, told = truth.get(name), said.get(name)
        if there == "present" or told == "present" or there == "uncertain":
            mark, verdict = _verdict(there, told)
            rows.append(Judged(name, there or "not mentioned", told or "silent", mark, verdict))
        elif told == "absent":
            denied.append(name)
        else:
            unsaid.append(name)
    return Judgement(tuple(rows), tuple(denied), tuple(unsaid))


def _verdict(there: str | None, told: str | None) -> tuple[Mark, str]:
    if told == "present":
        return ("hit", "found") if there == "present" else ("miss", "false alarm")
    if there == "uncertain":
        return "open", "not counted"
    return "miss", "missed: denied" if told == "absent" else "missed: silent"


def _said(lines: Sequence[Line]) -> dict[str, str]:
    """Finding -> the strongest thing that is said of it: present, then absent, then uncertain."""
    said: dict[str, str] = {}
    for presence in ("uncertain", "absent", "present"):
        said.update({c.finding: presence for x in lines for c in x.claims if c.presence == presence})
    return said
