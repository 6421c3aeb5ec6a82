"""Which limits keep what was asked, found out on real drafts for patients held back.

Knows beliefs, truths, who belongs to whom, and how to ask for a draft; knows nothing of films. The rules
are those of `promise`; what is tested, and in which order, is settled here before any of the patients
is looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xemplar.drafting.beliefs import Beliefs, Limits
from xemplar.drafting.promise import Asked, Promise, conformal_limit, learn_then_test, ratio_p_value
from xemplar.drafting.truth import Truth
from xemplar.records import Line, Study

Half = Literal["fit", "promise"]

STEP = 0.05
"""Between one limit of statements and the next looser one."""

LOOSEST = 0.2

DENIALS: tuple[tuple[float, float], ...] = ((0.0, 0.05), (0.5, 0.15), (1.0, 0.5), (1.4, 0.3))
"""(limit of denials as a share of the guess, share of the error spent on it): the guess is mostly right."""

CAUTION = 0.6
"""The guess spends this share of the risk asked, so that the patients tested seldom have to refuse it."""


@dataclass(frozen=True)
class Trial:
    """Studies of patients, and how each is drafted.

    Of each study: its patient's key, what is believed and what is true of it; `draft` gives its lines
    (by its place here) under limits, as many as there are.
    """

    patients: Sequence[str]
    beliefs: Sequence[Beliefs]
    truths: Sequence[Truth]
    draft: Callable[[int, Limits], Sequence[Line]]

    @cached_property
    def groups(self) -> list[list[int]]:
        """Places of the studies of each patient, in an order that hangs on nothing but the keys."""
        return list(_grouped(self.patients).values())


def patient_of(study: Study) -> str:
    """The key of whom a study can't be parted from: its group, its patient, else itself."""
    return study.facets.get("cluster") or study.patient_id or study.study_id


def half_of(patient: str) -> Half:
    """Which half of the validation patients one is in, by a hash of its key: the same for ever."""
    return "promise" if _number(patient) % 2 else "fit"


def one_each(patients: Sequence[str]) -> list[int]:
    """The place of one study of each patient, chosen by nothing but the keys."""
    return [places[_number(key) // 2 % len(places)] for key, places in _grouped(patients).items()]


def guess(asked: Asked, fitted: Sequence[Beliefs]) -> float:
    """Where to look for the limit of denials, from the patients that the beliefs were fitted on.

    By the beliefs themselves, were they right, it would deny less than what was asked. It promises nothing.
    """
    p = np.sort([belief.presence for one in fitted for belief in one.values()])
    fine = np.flatnonzero(np.cumsum(p) <= CAUTION * asked.denied * p.sum())
    return float(p[fine[-1]]) if len(fine) else 0.0


def promised(asked: Asked, tested: Trial, guessed: float) -> Promise:
    """The limits with the most right lines of all that keep what was asked; or why none does.

    None of the patients `tested` has fitted anything that their beliefs rest on, nor the guess. Denied
    findings first: of the limits on presence the largest that conformal risk control takes. Then for it and
    each stricter one the limits of statements, by Learn then Test.
    """
    made = Promise(asked=asked, patients=len(tested.groups), studies=len(tested.patients))
    limits = [part * guessed for part, _ in DENIALS]
    losses = denied_losses(tested, limits)
    highest = conformal_limit(losses, limits, risk=asked.denied)
    if highest is None:
        fewest = int(np.ceil(1 / asked.denied)) - 1
        return _unkept(made, f"of denials: {len(losses)} patients to test it on, {fewest} or more wanted")
    sequences = [
        (deny_at, part * (1 - asked.confidence))
        for deny_at, (_, part) in zip(limits, DENIALS, strict=True)
        if deny_at <= highest
    ]
    found = [
        (right, state_at, deny_at)
        for deny_at, error in sequences
        for state_at, right in _kept(made, tested, deny_at, error=error)
    ]
    if not found:
        why = f"drafts for {len(tested.groups)} patients show of no limit that few enough"
        return _unkept(made, f"{why} {_not_shown(asked, tested, sequences)}")
    _, state_at, deny_at = max(found)
    stating = _wrong_statements(tested, Limits(state_at, deny_at))
    return made.model_copy(update={"state_at": state_at, "deny_at": deny_at, "stating_wrong": stating})


def _unkept(made: Promise, why: str) -> Promise:
    return made.model_copy(update={"why": why})


def denied_losses(tested: Trial, limits: Sequence[float]) -> NDArray[np.float64]:
    """(patients, limits) in 0..1: of a study's findings that are there the share that may be denied.

    The mean over a patient's studies; where nothing is there, nothing is denied wrongly, 0. What may be
    denied needn't be: where no sentence denies it the true loss is smaller.
    """
    of = [_may_be_denied(b, t, limits) for b, t in zip(tested.beliefs, tested.truths, strict=True)]
    rows = [np.mean([of[i] for i in places], axis=0) for places in tested.groups]
    return np.array(rows, np.float64).reshape(-1, len(limits))


def wrong_and_lines(tested: Trial, limits: Limits) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(patients,) each: the mean of wrong lines (`Truth.fails`), and of lines, over a patient's drafts."""
    means = _means(tested, limits)
    return means[:, 0], means[:, 1]


def _means(tested: Trial, limits: Limits) -> NDArray[np.float64]:
    """(patients, 4): wrong lines and lines, and of those that state a finding wrong ones and all, a draft."""
    counts = []
    for place, truth in enumerate(tested.truths):
        said = [(truth.fails(line), states(line)) for line in tested.draft(place, limits)]
        stating = [fails for fails, states in said if states]
        counts.append((sum(fails for fails, _ in said), len(said), sum(stating), len(stating)))
    means = [np.mean([counts[i] for i in places], axis=0) for places in tested.groups]
    return np.array(means, np.float64)


def states(line: Line) -> bool:
    """Whether it says that anything is there."""
    return any(claim.presence == "present" for claim in line.claims)


def _wrong_statements(tested: Trial, limits: Limits) -> float | None:
    """Of the lines that state a finding the share that are wrong; None where there are none."""
    stating = [
        truth.fails(line)
        for place, truth in enumerate(tested.truths)
        for line in tested.draft(place, limits)
        if states(line)
    ]
    return float(np.mean(stating)) if stating else None


def _states_tried(asked: Asked) -> list[float]:
    """Limits of statements, from strict to loose."""
    start = 1 - max(asked.wrong_lines, asked.wrong_stated or 0.0)
    return [round(float(one), 4) for one in np.arange(start, LOOSEST - 1e-9, -STEP)]


def _p_values(asked: Asked, means: NDArray[np.float64]) -> dict[str, float]:
    """Of what is to be few -> the p-value of its being too many."""
    wrong, lines, wrong_stating, stating = means.T
    found = {"lines are wrong": float(ratio_p_value(wrong, lines, share=asked.wrong_lines))}
    if asked.wrong_stated is not None:
        p = ratio_p_value(wrong_stating, stating, share=asked.wrong_stated)
        found["lines that state a finding are wrong"] = float(p)
    return found


def _not_shown(asked: Asked, tested: Trial, sequences: Sequence[tuple[float, float]]) -> str:
    """Which risks the first limit of some sequence (limit of denials, error) doesn't show to be kept."""
    first = next(iter(_states_tried(asked)), LOOSEST)
    tried = [(_p_values(asked, _means(tested, Limits(first, at))), error) for at, error in sequences]
    names = {name: None for found, error in tried for name, p in found.items() if p > error}
    names = names or dict.fromkeys(name for found, _ in tried for name in found)  # none was tried
    return ", nor that few enough ".join(names)


def _kept(made: Promise, tested: Trial, deny_at: float, *, error: float) -> Iterator[tuple[float, float]]:
    """The limits of statements that may be taken with one of denials, and the right lines under each.

    The sequence starts where a line of that confidence is wrong as often as asked: stricter ones say less
    that is right, and so are harder to tell from what is asked. With two risks a limit is to keep both: its
    hypothesis is that either is too large, and the larger of two p-values is one of that (Berger, 1982).
    """
    tried = _states_tried(made.asked)
    rights: list[float] = []

    def p_values() -> Iterator[float]:
        for state_at in tried:
            means = _means(tested, Limits(state_at, deny_at))
            rights.append(float((means[:, 1] - means[:, 0]).sum()))
            yield max(_p_values(made.asked, means).values())

    taken = learn_then_test(p_values(), error=error)
    yield from zip(tried[:taken], rights[:taken], strict=True)


def _may_be_denied(beliefs: Beliefs, truth: Truth, limits: Sequence[float]) -> NDArray[np.float64]:
    there = [name for name, presence in truth.presence.items() if presence == "present"]
    if not there:
        return np.zeros(len(limits))
    presence = np.array([beliefs[name].presence if name in beliefs else np.inf for name in there])
    return np.asarray((presence[:, None] <= np.array(limits)).mean(axis=0), np.float64)


def _grouped(patients: Sequence[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place, key in enumerate(patients):
        found.setdefault(key, []).append(place)
    return {key: found[key] for key in sorted(found, key=_number)}


def _number(key: str) -> int:
    return int(hashlib.sha256(f"promise {key}".encode()).hexdigest()[:16], 16)
