"""From where on a suspicion becomes an alert: fitted on clean reports and their films, so that few alarm.

Knows suspicions of reports that nobody tampered with; knows nothing of archives. Each kind may alarm on an
equal share of clean reports, as large a one as lets at most `budget` of new ones alarm at all, those by words
alone counted in. Whether a report is another film's is learnt from the same reports, each beside other films,
and how to tell a side or a degree from its opposite from what they tell (`swaps.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xemplar.check.against import FIT, Suspicion
from xemplar.check.alerts import KINDS, Kind
from xemplar.check.swaps import Swap, chance, weights_of
from xemplar.errors import MismatchError
from xemplar.parts import FittedTo, Learnt, Place, open_part, read_part, save_part

VERSION = 2
_UNHELD = 1
"""The version whose limits don't count the report that is yet to come: too loose to alarm by."""
BUDGET = 0.1
FEWEST = 30
"""Clean reports below which no share of them is told from none."""

FOLDS = 5
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
    swaps: dict[str, list[float]]
    """Kind of alert -> weights of a side's or a degree's evidence; one that isn't in it is never told."""
    budget: float
    reports: int
    patients: int
    """Whose those reports are; one of nobody known counts as a patient."""
    alarmed: float
    """Share of those clean reports with any alert, by what was learnt from the others."""
    why: str | None = None
    """Why no alert by film is given at all."""

    def another(self, fit: Sequence[float]) -> float:
        """How probably a report is another film's, if as many are as aren't."""
        score = float(np.dot(self.weights[:-1], fit) + self.weights[-1])
        return float(1.0 / (1.0 + np.exp(-score)))

    def swapped(self, swaps: Sequence[Swap]) -> list[Suspicion]:
        """How probably the opposite side or degree is right, if it were so as often as not."""
        return [
            Suspicion(one.kind, one.said.claim.finding, chance(self.swaps[one.kind], one.evidence), one.said)
            for one in swaps
            if one.kind in self.swaps
        ]

    def tells(self, kind: Kind, probability: float) -> bool:
        """Whether that is worth a reader's time."""
        return self.why is None and probability > self.above.get(kind, _NEVER)


@dataclass(frozen=True, slots=True)
class Clean:
    """One report beside its own film, as far as it is suspected, and beside others'."""

    suspected: Sequence[Suspicion]
    swaps: Sequence[Swap]
    by_words: bool
    """Whether its words alone alarm."""
    own: Sequence[float]
    """`against.fit_of` beside its own film."""
    others: Sequence[Sequence[float]]
    """Beside films of other patients."""
    patient: str | None = None
    """Whose report it is; one of nobody known is its own."""


def fit_limits(
    clean: Sequence[Clean], usual: Mapping[str, float], index: FittedTo, *, budget: float = BUDGET
) -> CheckLimits:
    """Weights and limits from clean reports; from too few of them none, and the reason."""
    folds, patients = _folds(clean)
    none = CheckLimits(
        index=index, above={}, usual=dict(usual), weights=[0.0] * (len(FIT) + 1), swaps={},
        budget=budget, reports=len(clean), patients=patients, alarmed=0.0,
    )  # fmt: skip
    if len(clean) < FEWEST or not all(one.others for one in clean):
        return none.model_copy(update={"why": f"fitted on {len(clean)} clean reports, wanted {FEWEST}"})
    if patients < 2:
        return none.model_copy(update={"why": "fitted on clean reports of one patient, wanted several"})
    fitted = _learnt(none, clean)
    apart = {
        fold: _learnt(none, [one for one, its in zip(clean, folds, strict=True) if its != fold])
        for fold in set(folds)
    }
    every = [fitted, *apart.values()]
    kinds = [kind for kind in fitted.swaps if all(kind in one.swaps for one in every)]
    # No report is scored by what was learnt from its patient; a kind that some can't be scored in is none.
    scores = np.array([_scores(apart[its], one, kinds) for one, its in zip(clean, folds, strict=True)])
    above, alarmed = chosen(scores, np.array([one.by_words for one in clean]), budget)
    return fitted.model_copy(
        update={
            "above": dict(zip(_BY_FILM, above.tolist(), strict=True)),
            "swaps": {kind: fitted.swaps[kind] for kind in kinds},
            "alarmed": alarmed,
        }
    )


def _folds(clean: Sequence[Clean]) -> tuple[list[int], int]:
    """The fold of each report, by the order in which patients are first met, and how many those are."""
    met: dict[object, int] = {}
    keys = [row if one.patient is None else one.patient for row, one in enumerate(clean)]
    return [met.setdefault(key, len(met)) % FOLDS for key in keys], len(met)


def _learnt(limits: CheckLimits, clean: Sequence[Clean]) -> CheckLimits:
    """With the weights that clean reports give; none of a kind with too few swaps."""
    swaps = weights_of([swap for one in clean for swap in one.swaps])
    return limits.model_copy(update={"weights": _weights(clean), "swaps": swaps})


def _scores(limits: CheckLimits, one: Clean, kinds: Sequence[str]) -> list[float]:
    """The highest probability of each kind by film, of swaps of these `kinds`; -1 where it has none."""
    found = dict.fromkeys(_BY_FILM, -1.0)
    for suspicion in (*one.suspected, *limits.swapped([swap for swap in one.swaps if swap.kind in kinds])):
        found[suspicion.kind] = max(found[suspicion.kind], suspicion.probability)
    found["another film"] = limits.another(one.own)
    return list(found.values())


def _weights(clean: Sequence[Clean]) -> list[float]:
    from sklearn.linear_model import LogisticRegression  # slow to load, and words alone don't need it

    rows = [list(one.own) for one in clean] + [list(other) for one in clean for other in one.others]
    swapped = [0] * len(clean) + [1] * (len(rows) - len(clean))
    model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000).fit(rows, swapped)
    return [float(f"{value:.6g}") for value in (*model.coef_[0], model.intercept_[0])]


def chosen(
    scores: NDArray[np.float64], by_words: NDArray[np.bool_], budget: float, *, coming: int = 1
) -> tuple[NDArray[np.float64], float]:
    """(reports, kinds) scores of clean reports -> what each kind alarms above, and the share alarmed.

    A new report is as likely as any of these to be among the highest of a kind. So each kind alarms above
    one of its r highest scores, and those r count as alarmed together with one more, the new one itself
    (Vovk et al. 2005, conformal prediction). r grows by one, a kind at a time, while all of them are within
    the budget; where words alone spend it, or a kind has its turn no more, it never alarms. With `coming`
    0 no report is yet to come: those above the limits are counted, and they alone.
    """
    order = np.argsort(-scores, axis=0, kind="stable")
    above = np.full(scores.shape[1], _NEVER)
    alarmed = by_words.copy()
    for r in range(len(scores)):
        for kind in range(scores.shape[1]):
            limit = max(scores[order[r, kind], kind], 0.0)
            told = alarmed | (scores[:, kind] >= limit if coming else scores[:, kind] > limit)
            if (told.sum() + coming) / (len(scores) + coming) > budget:
                return above, float((by_words | (scores > above).any(axis=1)).mean())
            alarmed, above[kind] = told, limit
    return above, float((by_words | (scores > above).any(axis=1)).mean())


def save_limits(folder: Path, limits: CheckLimits) -> None:
    """Write the file, `check.json`, into a calibration folder; a new fit takes the old one's place."""
    save_part(folder, limits)


def open_limits(place: Place, *, index: FittedTo) -> CheckLimits | None:
    """Open the file, out of a calibration's parts or the folder it lies in; None where there is none.

    One of version 1 counts as none. One that doesn't serve the index is refused.
    """
    try:
        read_part(place, f"{CheckLimits.kind}.json", kind=CheckLimits.kind, version=_UNHELD)
    except MismatchError:  # of another version; what else is wrong with it is found below
        pass
    else:
        return None
    return open_part(place, CheckLimits, index=index)
