"""Which limits keep a risk that somebody states: wrong lines as a share of lines, present findings denied.

Knows numbers of patients alone, one row each; knows nothing of films, findings or drafts. Two rules,
for patients exchangeable with those that are counted:

- Learn then Test (Angelopoulos, Bates, Candès, Jordan and Lei, 2021): every candidate limit is a null
  hypothesis, "its risk is above what was asked"; a limit is taken only when its hypothesis is rejected, with
  a family-wise error of 1 - confidence. The p-values are Student's, over patients.
- Conformal risk control (Angelopoulos, Bates, Fisch, Lei and Schuster, 2022): the largest limit whose mean
  loss, with one more patient of the worst loss counted in, is at most what was asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer
from scipy.stats import t

SCOPE = "on average, for images exchangeable with the calibration set; not for each patient"

WRONG = "Wrong is a presence or a side; places, degrees and numbers are not counted."

Share = Annotated[float, Field(gt=0.0, lt=1.0)]


class Asked(BaseModel):
    """The risks to keep: wrong lines as a share of lines, findings that are there but denied, and how surely.

    `confidence` is that of the first: of calibrations made like this one, at least that share keeps it; where
    `wrong_stated` is asked for, the share of lines wrong among those that state a finding, both together. The
    share denied is kept on average over calibrations.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    wrong_lines: Share = 0.10
    denied: Share = 0.05
    confidence: Share = 0.90
    wrong_stated: Share | None = None

    @model_serializer(mode="wrap")
    def _without_what_isnt_asked(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without a risk that nobody asks for, as it always was."""
        return {key: value for key, value in write(self).items() if value is not None}


class Promise(BaseModel):
    """What was asked, the limits that keep it, or why none does, and on whom that was found out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    asked: Asked
    patients: int
    studies: int
    state_at: float | None = None
    deny_at: float | None = None
    stating_wrong: float | None = None
    """Of the lines that state a finding, those that were wrong; promised of them where that was asked."""
    why: str | None = None
    """Why it can't be kept; then there are no limits, and nothing is drafted."""
    scope: str = SCOPE
    counted: str = "patients"
    """Who `patients` are: what can't be told apart by patient is counted by group, or study."""

    @model_serializer(mode="wrap")
    def _without_what_is_usual(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without who is counted where that is patients, as it always was."""
        values: dict[str, Any] = write(self)
        return {key: value for key, value in values.items() if (key, value) != ("counted", "patients")}

    @property
    def kept(self) -> bool:
        """Whether there are limits that keep it."""
        return self.why is None

    @property
    def sentence(self) -> str:
        """What a draft says of it."""
        if self.why is not None:
            return f"Not promised: {self._risks}: {self.why}."
        promised = f"Promised: {self._risks}: {self.scope} ({self.patients} {self.counted}). {WRONG}"
        if self.stating_wrong is None:
            return promised
        return f"{promised} Of lines that state a finding, {self.stating_wrong:.0%} were wrong among those."

    def told(self, *, prior: bool) -> str:
        """The sentence for a draft; it was found out on drafts without a prior, and is of no other."""
        if prior and self.why is None:
            return f"Not promised with a prior, since found out without: {self._risks}."
        return self.sentence

    @property
    def _risks(self) -> str:
        wrong, denied, sure = (
            f"{100 * one:.4g}%" for one in (self.asked.wrong_lines, self.asked.denied, self.asked.confidence)
        )
        lines = f"at most {wrong} of lines wrong (confidence {sure})"
        if self.asked.wrong_stated is not None:
            stated = f"{100 * self.asked.wrong_stated:.4g}%"
            lines = f"at most {wrong} of lines wrong, and {stated} of those that state a finding"
            lines = f"{lines} (confidence {sure})"
        return f"{lines}, at most {denied} of findings that are there denied"


def ratio_p_value(wrong: ArrayLike, lines: ArrayLike, *, share: float) -> NDArray[np.float64]:
    """p-values of "wrong lines are `share` of lines, or more"; small where they are fewer.

    `wrong` and `lines` are (patients,) or (patients, candidates): each patient's mean over its studies;
    returns () or (candidates,) in (0, 1]. The hypothesis E[wrong] / E[lines] >= share is that of a mean:
    E[wrong - share * lines] >= 0, tested by Student's t over patients, so that a draft of many lines
    counts for more than one of few, and an empty one for nothing. That is true in the limit of many patients
    (the p-values by the central limit theorem of Angelopoulos et al. 2021, section 2); few of whom nothing
    is wrong can't show more than (1 - share) ** patients, the exact p-value of all lines right where a
    patient's lines are right or wrong together.
    """
    w, n = np.asarray(wrong, np.float64), np.asarray(lines, np.float64)
    if n.size and bool((w > n + 1e-9).any()):
        raise ValueError("more wrong lines than lines")
    x, patients = w - share * n, len(w)
    least = (1.0 - share) ** (n > 0).sum(axis=0)
    if patients < 2:
        return np.ones(x.shape[1:], np.float64)
    spread = np.maximum(x.std(axis=0, ddof=1), 1e-12) / np.sqrt(patients)
    return np.asarray(np.maximum(t.cdf(x.mean(axis=0) / spread, patients - 1), least), np.float64)


def learn_then_test(p_values: Iterable[float], *, error: float) -> int:
    """How many candidates of a fixed sequence, from its start on, may be taken.

    Each is tested at `error`, from strict to loose, until the first that isn't rejected ends it
    (Angelopoulos et al. 2021, section 3): all that are taken keep the risk together with a probability of
    at least 1 - `error`. Several sequences share one error out among them (Bonferroni). Their order and
    their shares have to be settled without the patients tested.
    """
    return sum(1 for _ in takewhile(lambda p: p <= error, p_values))


def conformal_limit(losses: ArrayLike, limits: Sequence[float], *, risk: float) -> float | None:
    """The largest limit that keeps a mean loss of `risk`; None where not even the smallest does.

    `losses` (patients, limits) in 0..1, each patient's never falling as the limit rises; `limits` rising.
    Taken is the largest with n / (n + 1) * mean loss + 1 / (n + 1) <= risk; then the expected loss of one
    more exchangeable patient is at most `risk` (Angelopoulos et al. 2022, theorem 1), of smaller limits too.
    """
    table = np.asarray(losses, np.float64).reshape(-1, len(limits))
    if table.size and (table.min() < 0 or table.max() > 1 or bool((np.diff(table, axis=1) < 0).any())):
        raise ValueError("a loss outside 0..1, or one that falls as its limit rises")
    fine = np.flatnonzero((table.sum(axis=0) + 1) / (len(table) + 1) <= risk)
    return float(limits[int(fine[-1])]) if len(fine) else None
