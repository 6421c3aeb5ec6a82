"""Risk against coverage: how wrong a draft's lines are when only the surest are kept; and what was promised.

Knows confidences, faults and studies; knows no text. The curve and the area under it (AURC) as in Geifman
and El-Yaniv (2017) and Geifman et al. (ICLR 2019); where confidences are equal, all of them are kept or
none, so that no order is invented.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xemplar.contracts import Json
from xemplar.drafting.limits import states
from xemplar.drafting.truth import Truth
from xemplar.evaluation.scores import Resampling
from xemplar.findings import FINDINGS
from xemplar.metrics.statistics import Interval, ratio
from xemplar.records import Draft

POINTS = 40
"""Confidences at which a curve is read, at most."""

Floats = NDArray[np.float64]


class Risks(Protocol):
    """Risks that somebody asked to be kept, and how surely."""

    @property
    def wrong_lines(self) -> float:
        """Wrong lines as a share of all lines."""
        ...

    @property
    def wrong_stated(self) -> float | None:
        """Wrong lines as a share of those that state a finding; None where that isn't asked."""
        ...

    @property
    def denied(self) -> float:
        """The mean share of what is there that is denied."""
        ...

    @property
    def confidence(self) -> float:
        """Of these two."""
        ...


class Promised(Protocol):
    """What a calibration promises of its drafts, to whom, or why it can't."""

    @property
    def asked(self) -> Risks:
        """What is to be kept."""
        ...

    @property
    def scope(self) -> str:
        """For which images, in what sense."""
        ...

    @property
    def why(self) -> str | None:
        """Why it can't be kept; None where it can."""
        ...


@dataclass(frozen=True, slots=True)
class Said:
    """What was said with a confidence, and whether it is wrong: (n,) each; `study` is the draft's row."""

    study: NDArray[np.int64]
    confidence: Floats
    wrong: NDArray[np.bool_]
    unweighed: int = 0
    """How many more were said without one."""


def lines_said(drafts: Sequence[Draft], truths: Sequence[Truth]) -> Said:
    """Every line: wrong where a presence or a side is."""
    rows = [
        (row, line.confidence, truth.wrong(line))
        for row, (draft, truth) in enumerate(zip(drafts, truths, strict=True))
        for line in draft.lines
    ]
    return _said(rows)


def findings_said(drafts: Sequence[Draft], truths: Sequence[Truth]) -> Said:
    """Every finding that a draft states, with its surest line's confidence: wrong in presence or a side."""
    rows = []
    for row, (draft, truth) in enumerate(zip(drafts, truths, strict=True)):
        sure: dict[str, float | None] = {}
        wrong: dict[str, bool] = {}
        for line in draft.lines:
            for claim in line.claims:
                if claim.presence == "present":
                    known = [one for one in (sure.get(claim.finding), line.confidence) if one is not None]
                    sure[claim.finding] = max(known, default=None)
                    is_wrong = truth.fault(claim) in ("presence", "side")
                    wrong[claim.finding] = wrong.get(claim.finding, False) or is_wrong
        rows += [(row, sure[name], wrong[name]) for name in sure]
    return _said(rows)


def _said(rows: Sequence[tuple[int, float | None, bool]]) -> Said:
    held = [(row, sure, wrong) for row, sure, wrong in rows if sure is not None]
    return Said(
        np.array([row for row, _, _ in held], np.int64),
        np.array([sure for _, sure, _ in held], np.float64),
        np.array([wrong for _, _, wrong in held], np.bool_),
        len(rows) - len(held),
    )


def risk_coverage(said: Said, resampling: Resampling) -> Json | None:
    """The curve, from the surest alone to all, and the area under it; None where nothing has a confidence.

    At each point, `from` is the confidence from which on things are kept, `coverage` the share that is
    kept, `risk` the share of those that is wrong, with its interval.
    """
    if not len(said.confidence):
        return None
    levels = np.unique(said.confidence)[::-1]
    ranks = np.sort(said.confidence)[::-1]
    places = np.unique(np.linspace(0, len(ranks) - 1, POINTS).round().astype(np.int64))
    chosen = np.unique(ranks[places])[::-1]
    return {
        "count": len(said.confidence),
        "unweighed": said.unweighed,
        "levels": len(levels),
        "risk": asdict(_risk(said, float(levels[-1]), resampling)),
        "aurc": asdict(area(said, resampling)),
        "points": [
            {
                "from": float(level),
                "coverage": float((said.confidence >= level).mean()),
                "risk": asdict(_risk(said, float(level), resampling)),
            }
            for level in chosen
        ],
    }


def _risk(said: Said, level: float, resampling: Resampling) -> Interval:
    kept = said.confidence >= level
    count = len(resampling.clusters)
    sums = np.stack(
        [np.bincount(said.study[rows], minlength=count) for rows in (kept & said.wrong, kept)], axis=1
    )
    return resampling.interval(ratio, sums)


def area(said: Said, resampling: Resampling) -> Interval:
    """Area under the curve: the mean over everything said of the risk where it is just kept, in 0..1."""
    order = np.argsort(-said.confidence, kind="stable")
    sure, wrong, study = said.confidence[order], said.wrong[order], said.study[order]
    ends = len(sure) - 1 - np.searchsorted(sure[::-1], sure, side="left")  # the last that is as sure

    def mean_risk(weights: Floats) -> Floats:
        """(rows, studies) how often each is drawn -> (rows,)."""
        drawn = weights[:, study]
        kept, faulty = np.cumsum(drawn, axis=1)[:, ends], np.cumsum(drawn * wrong, axis=1)[:, ends]
        risks = faulty / np.where(kept > 0, kept, 1.0)
        return ratio(np.stack([(drawn * risks).sum(axis=1), drawn.sum(axis=1)], axis=1))

    return resampling.weighted(mean_risk)


def denied_losses(drafts: Sequence[Draft], truths: Sequence[Truth]) -> Floats:
    """Of each study the share of what is there that its draft denies; 0 where nothing is there."""
    losses = []
    for draft, truth in zip(drafts, truths, strict=True):
        there = {n for n, value in truth.presence.items() if value == "present" and n in FINDINGS}
        denied = {c.finding for line in draft.lines for c in line.claims if c.presence == "absent"}
        losses.append(len(there & denied) / max(1, len(there)))
    return np.array(losses, np.float64)


def patient_weights(clusters: NDArray[np.str_]) -> Floats:
    """(studies,) one over the studies of its patient, so that every patient weighs alike."""
    _, codes = np.unique(clusters, return_inverse=True)
    codes = codes.reshape(-1)
    return np.asarray(1.0 / np.bincount(codes)[codes], np.float64)


def held_promise(
    promised: Promised | None, drafts: Sequence[Draft], truths: Sequence[Truth], *, resampling: Resampling
) -> Json:
    """What was promised beside what came of it; measured alone where nothing was promised.

    As in the promise, every patient weighs alike, wrong lines are the ratio of two means over patients, and
    a line that states what nobody knows to be there is counted as wrong. Of lines that state a finding it is
    measured where it was asked.
    """
    weights = patient_weights(resampling.clusters)
    wrong, lines, wrong_stating, stating = _counted(drafts, truths).T * weights
    losses = denied_losses(drafts, truths)
    pairs = {"wrong_lines": (wrong, lines), "denied": (losses * weights, weights)}
    if promised is not None and promised.asked.wrong_stated is not None:
        pairs["wrong_stated"] = (wrong_stating, stating)
    measured = {name: resampling.interval(ratio, np.stack(pair, axis=1)) for name, pair in pairs.items()}
    asked = {name: None if promised is None else getattr(promised.asked, name) for name in measured}
    return {
        "confidence": None if promised is None else promised.asked.confidence,
        "scope": None if promised is None else promised.scope,
        "why_not": None if promised is None else promised.why,
        "risks": {
            name: {
                "asked": asked[name],
                "measured": asdict(interval),
                "verdict": verdict(asked[name], interval),
            }
            for name, interval in measured.items()
        },
    }


def _counted(drafts: Sequence[Draft], truths: Sequence[Truth]) -> Floats:
    """(studies, 4): wrong lines and lines, and of those that state a finding wrong ones and all."""
    rows = []
    for draft, truth in zip(drafts, truths, strict=True):
        said = [(truth.fails(line), states(line)) for line in draft.lines]
        stating = [fails for fails, is_one in said if is_one]
        rows.append((sum(fails for fails, _ in said), len(said), sum(stating), len(stating)))
    return np.array(rows, np.float64).reshape(-1, 4)


def verdict(asked: float | None, measured: Interval) -> str:
    """Whether a risk stayed within what was asked."""
    if asked is None:
        return "not promised"
    if np.isnan(measured.value):
        return "nothing was said"
    if measured.value <= asked:
        return "kept"
    return "broken" if measured.low > asked else "above, within what chance allows"
