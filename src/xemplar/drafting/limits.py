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
from xemplar.records import Line

Half = Literal["fit", "promise"]

STEP = 0.05
"""Between one limit of statements and the next looser one."""

LOOSEST = 0.2

DENIALS: tuple[tuple[float, float], ...] = ((0.0, 0.05), (0.25, 0.1), (0.5, 0.25), (1.0, 0.6))
"""(limit of denials as a share of the guess, share of the error spent on it): the guess is mostly right."""

CAUTION = 0.6
"""The guess spends this share of the risk asked, so that the patients tested seldom have to refuse it."""


@dataclass(frozen=True)
class Tested:
    """Studies of the patients to test limits on, and how each is drafted.

    Of each study: its patient's key, what is believed and what is true of it; `draft` gives its lines
    (by its place here) under limits. None of them has fitted anything that the beliefs rest on.
    """

    patients: Sequence[str]
    beliefs: Sequence[Beliefs]
    truths: Sequence[Truth]
    draft: Callable[[int, Limits], Sequence[Line]]

    @cached_property
    def groups(self) -> list[list[int]]:
        """Places of the studies of each patient, in an order that hangs on nothing but the keys."""
        found: dict[str, list[int]] = {}
        for place, key in enumerate(self.patients):
            found.setdefault(key, []).append(place)
        return [found[key] for key in sorted(found, key=_number)]

    @cached_property
    def most(self) -> int:
        """The largest number of lines that any draft can have: each tells of a finding that no other does."""
        return max((len(beliefs) for beliefs in self.beliefs), default=0)


def half_of(patient: str) -> Half:
    """Which half of the validation patients one is in, by a hash of its key: the same for ever."""
    return "promise" if _number(patient) % 2 else "fit"


def guess_deny_at(beliefs: Sequence[Beliefs], asked: Asked) -> float:
    """A limit of denials that by the beliefs themselves, were they right, would deny less than asked.

    From the fitted patients: it says where to look, and promises nothing.
    """
    p = np.sort([belief.presence for one in beliefs for belief in one.values()])
    if not len(p) or p.sum() == 0:
        return 0.0
    fine = np.flatnonzero(np.cumsum(p) / p.sum() <= CAUTION * asked.denied)
    return float(p[fine[-1]]) if len(fine) else 0.0


def promised(asked: Asked, tested: Tested, *, guess: float) -> Promise:
    """The limits with the most right lines of all that keep what was asked; or why none does.

    Denied findings first: of the limits on presence the largest that conformal risk control takes. Then for
    it and each stricter one the limits of statements, by Learn then Test.
    """
    made = Promise(asked=asked, patients=len(tested.groups), studies=len(tested.patients))
    limits = [part * guess for part, _ in DENIALS]
    losses = denied_losses(tested, limits)
    highest = conformal_limit(losses, limits, risk=asked.denied)
    if highest is None:
        fewest = int(np.ceil(1 / asked.denied)) - 1
        return _unkept(made, f"{len(losses)} patients with a finding to test it on, {fewest} or more wanted")
    found = [
        (right, state_at, deny_at)
        for deny_at, (_, part) in zip(limits, DENIALS, strict=True)
        if deny_at <= highest
        for state_at, right in _kept(asked, tested, deny_at, error=part * (1 - asked.confidence))
    ]
    if not found:
        return _unkept(made, f"drafts for {len(tested.groups)} patients don't show it of any limit")
    _, state_at, deny_at = max(found)
    return made.model_copy(update={"state_at": state_at, "deny_at": deny_at})


def _unkept(made: Promise, why: str) -> Promise:
    return made.model_copy(update={"why": why})


def denied_losses(tested: Tested, limits: Sequence[float]) -> NDArray[np.float64]:
    """(patients, limits) in 0..1: of a study's findings that are there the share that may be denied.

    The mean over a patient's studies with a finding; patients without one have nothing to deny, and are
    left out. What may be denied needn't be: where no sentence denies it the true loss is smaller.
    """
    rows = []
    for places in tested.groups:
        shares = [_may_be_denied(tested.beliefs[i], tested.truths[i], limits) for i in places]
        if there := [share for share in shares if share is not None]:
            rows.append(np.mean(there, axis=0))
    return np.array(rows, np.float64).reshape(-1, len(limits))


def wrong_and_lines(tested: Tested, limits: Limits) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(patients,) each: the mean of wrong lines, and of lines, over a patient's drafts."""
    counts = []
    for place, truth in enumerate(tested.truths):
        lines = tested.draft(place, limits)
        counts.append((sum(truth.wrong(line) for line in lines), len(lines)))
    means = np.array([np.mean([counts[i] for i in places], axis=0) for places in tested.groups])
    return means[:, 0], means[:, 1]


def _kept(asked: Asked, tested: Tested, deny_at: float, *, error: float) -> Iterator[tuple[float, float]]:
    """The limits of statements that may be taken with one of denials, and the right lines under each.

    The sequence starts where a line of that confidence is wrong as often as asked: stricter ones say less
    that is right, and so are harder to tell from what is asked.
    """
    rights: list[float] = []
    states = [float(one) for one in np.arange(1 - asked.wrong_lines, LOOSEST - 1e-9, -STEP)]

    def p_values() -> Iterator[float]:
        for state_at in states:
            wrong, lines = wrong_and_lines(tested, Limits(state_at, deny_at))
            rights.append(float((lines - wrong).sum()))
            yield float(
                ratio_p_value(
                    wrong, lines, share=asked.wrong_lines, most=max(tested.most, 1), confidence=1 - error
                )
            )

    taken = learn_then_test(p_values(), error=error)
    yield from zip(states[:taken], rights[:taken], strict=True)


def _may_be_denied(beliefs: Beliefs, truth: Truth, limits: Sequence[float]) -> NDArray[np.float64] | None:
    there = [name for name, presence in truth.presence.items() if presence == "present"]
    if not there:
        return None
    presence = np.array([beliefs[name].presence if name in beliefs else np.inf for name in there])
    return np.asarray((presence[:, None] <= np.array(limits)).mean(axis=0), np.float64)


def _number(key: str) -> int:
    return int(hashlib.sha256(f"promise {key}".encode()).hexdigest()[:16], 16)
