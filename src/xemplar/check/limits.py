"""From where on a suspicion becomes an alert: fitted on clean reports and their films, so that few alarm.

Knows suspicions of reports that nobody tampered with; knows nothing of archives. Each kind may alarm on an
equal share of clean reports, as large a one as lets at most `budget` of them alarm at all, those by words
alone counted in. Whether a report is another film's is learnt from the same reports, each beside other films.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xemplar.check.against import FIT, Suspicion
from xemplar.check.alerts import KINDS, Kind
from xemplar.parts import FittedTo, Learnt, Place, open_part, save_part

VERSION = 1
BUDGET = 0.1
FEWEST = 30
"""Clean reports below which no share of them is told from none."""

_BY_FILM = KINDS[1]
_NEVER = 2.0


class CheckLimits(Learnt):
    """Above which probability each kind of alert by film is given, and what it was fitted on."""

    kind = "check"
    version = VERSION

    above: dict[str, float]
    """Kind -> probability; one that isn't in it is never told."""
    usual: dict[str, float]
    """Finding -> its mean belief over the films."""
    weights: list[float]
    """Of FIT; then the intercept. Of the log odds that a report is another film's, at even odds."""
    budget: float
    reports: int
    alarmed: float
    """Share of those clean reports with any alert."""
    why: str | None = None
    """Why no alert by film is given at all."""

    def another(self, fit: Sequence[float]) -> float:
        """How probably a report is another film's, if as many are as aren't."""
        score = float(np.dot(self.weights[:-1], fit) + self.weights[-1])
        return float(1.0 / (1.0 + np.exp(-score)))

    def tells(self, kind: Kind, probability: float) -> bool:
        """Whether that is worth a reader's time."""
        return self.why is None and probability > self.above.get(kind, _NEVER)


@dataclass(frozen=True, slots=True)
class Clean:
    """One report beside its own film, as far as it is suspected, and beside others'."""

    suspected: Sequence[Suspicion]
    by_words: bool
    """Whether its words alone alarm."""
    own: Sequence[float]
    """`against.fit_of` beside its own film."""
    others: Sequence[Sequence[float]]
    """Beside films of other patients."""


def fit_limits(
    clean: Sequence[Clean], usual: Mapping[str, float], index: FittedTo, *, budget: float = BUDGET
) -> CheckLimits:
    """Weights and limits from clean reports; from too few of them none, and the reason."""
    none = CheckLimits(
        index=index, above={}, usual=dict(usual), weights=[0.0] * (len(FIT) + 1), budget=budget,
        reports=len(clean), alarmed=0.0,
    )  # fmt: skip
    if len(clean) < FEWEST or not all(one.others for one in clean):
        return none.model_copy(update={"why": f"fitted on {len(clean)} clean reports, wanted {FEWEST}"})
    fitted = none.model_copy(update={"weights": _weights(clean)})
    scores = np.full((len(clean), len(_BY_FILM)), -1.0)
    for row, one in enumerate(clean):
        for suspicion in one.suspected:
            place = _BY_FILM.index(suspicion.kind)
            scores[row, place] = max(scores[row, place], suspicion.probability)
        scores[row, _BY_FILM.index("another film")] = fitted.another(one.own)
    limits, alarmed = _chosen(scores, np.array([one.by_words for one in clean]), budget)
    return fitted.model_copy(
        update={"above": dict(zip(_BY_FILM, limits.tolist(), strict=True)), "alarmed": alarmed}
    )


def _weights(clean: Sequence[Clean]) -> list[float]:
    from sklearn.linear_model import LogisticRegression  # slow to load, and words alone don't need it

    rows = [list(one.own) for one in clean] + [list(other) for one in clean for other in one.others]
    swapped = [0] * len(clean) + [1] * (len(rows) - len(clean))
    model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000).fit(rows, swapped)
    return [float(f"{value:.6g}") for value in (*model.coef_[0], model.intercept_[0])]


def _chosen(
    scores: NDArray[np.float64], by_words: NDArray[np.bool_], budget: float
) -> tuple[NDArray[np.float64], float]:
    """For each kind its largest score but r, with r as large as the budget allows; and the share that alarms.

    One more clean report that alarms is counted than there were, for the one that is yet to come.
    """
    ranked = -np.sort(-scores, axis=0)
    chosen = np.maximum(ranked[0], 0.0)
    for r in range(len(scores)):
        limits = np.maximum(ranked[r], 0.0)
        alarmed = by_words | (scores > limits).any(axis=1)
        if (alarmed.sum() + 1) / (len(scores) + 1) > budget:
            break
        chosen = limits
    return chosen, float((by_words | (scores > chosen).any(axis=1)).mean())


def save_limits(folder: Path, limits: CheckLimits) -> None:
    """Write the file, `check.json`, into a calibration folder; a new fit takes the old one's place."""
    save_part(folder, limits)


def open_limits(place: Place, *, index: FittedTo) -> CheckLimits | None:
    """Open the file, out of a calibration's parts or the folder it lies in; None where there is none.

    One that doesn't serve the index is refused.
    """
    return open_part(place, CheckLimits, index=index)
