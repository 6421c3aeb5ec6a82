"""What is believed of a film against what its report says: how improbable each claim is, what is left out.

Knows claims and beliefs; knows nothing of where beliefs come from, of opposite sides and degrees
(`swaps.py`), nor from where on an alert is worth a reader's time (`limits.py`). What is doubted is passed
over, and so is a finding of which nothing is believed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from xemplar.check.alerts import Kind
from xemplar.check.reading import Read, Said


class Opinion(Protocol):
    """One finding: how probable it is, and each detail of it where it is there."""

    @property
    def presence(self) -> float:
        """In 0..1."""
        ...

    @property
    def details(self) -> Mapping[str, Mapping[str, float]]:
        """Side, place, degree -> value -> the probability that it is right where the finding is there."""
        ...


Believed = Mapping[str, Opinion]
"""Finding -> what is believed of it."""

_KIN: Mapping[str, frozenset[str]] = {
    "Lung Opacity": frozenset(
        ("Consolidation", "Pneumonia", "Atelectasis", "Edema", "Lung Lesion", "Fibrosis")
    ),
    "Consolidation": frozenset(("Pneumonia", "Lung Opacity")),
    "Pneumonia": frozenset(("Consolidation", "Lung Opacity", "Infection")),
    "Enlarged Cardiomediastinum": frozenset(("Cardiomegaly",)),
    "Cardiomegaly": frozenset(("Enlarged Cardiomediastinum",)),
    "Edema": frozenset(("Vascular Congestion", "Heart Failure")),
    "Pleural Effusion": frozenset(("Costophrenic Blunting",)),
    "Pleural Other": frozenset(("Pleural Effusion", "Costophrenic Blunting")),
    "Lung Lesion": frozenset(("Granuloma", "Cavity", "Malignancy")),
    "Atelectasis": frozenset(("Volume Loss", "Low Lung Volumes")),
}
"""Finding -> others by which a reader may have told of it."""

_LEAST = 0.01
"""No belief counts for more than this makes it, in a report's fit to a film."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One thing that may be wrong; `probability`, in 0..1, that it is. `said` is None for what isn't said."""

    kind: Kind
    finding: str
    probability: float
    said: Said | None = None


def suspicions(read: Read, believed: Believed) -> list[Suspicion]:
    """All presence that the film speaks against, however weakly; of a kind and finding only the worst."""
    worst: dict[tuple[Kind, str], Suspicion] = {}
    for one in (*_of_said(read, believed), *_unsaid(read, believed)):
        known = worst.get((one.kind, one.finding))
        if known is None or one.probability > known.probability:
            worst[one.kind, one.finding] = one
    return list(worst.values())


def _of_said(read: Read, believed: Believed) -> Iterator[Suspicion]:
    stated = {one.claim.finding for one in read.said if one.claim.presence != "absent"}
    for one in read.said:
        claim = one.claim
        opinion = believed.get(claim.finding)
        if opinion is None or claim.presence == "uncertain" or claim.change == "resolved":
            continue
        if claim.presence == "present":
            yield Suspicion("stated, not seen", claim.finding, 1.0 - opinion.presence, one)
        elif claim.change is None and not stated & (_KIN.get(claim.finding, frozenset()) | {claim.finding}):
            seen = _seen_there(claim.side, opinion)
            if claim.degree is None and claim.place is None and seen is not None:
                yield Suspicion("denied, but seen", claim.finding, seen, one)


def _seen_there(side: str | None, opinion: Opinion) -> float | None:
    """How probable a finding is on the side where it is denied; None where that isn't known."""
    if side not in ("left", "right"):
        return opinion.presence
    share = opinion.details.get("side", {}).get(side)
    return None if share is None else opinion.presence * share


def _unsaid(read: Read, believed: Believed) -> Iterator[Suspicion]:
    told = {one.claim.finding for one in read.said}
    for name, opinion in believed.items():
        if not told & (_KIN.get(name, frozenset()) | {name}):
            yield Suspicion("seen, not said", name, opinion.presence)


FIT = ("stated", "denied", "unsaid", "sides", "degrees", "nearer films")
"""What tells whether a report is another film's, in the order of `fit_of`."""


def fit_of(read: Read, believed: Believed, *, usual: Mapping[str, float], nearer: float) -> list[float]:
    """How badly a report fits a film, by the names of FIT; larger is worse, 0 is as for any film.

    The first three are the log-likelihoods of what is stated, denied and left unsaid under the `usual`
    presence of each finding, less those under the film's; the next two how improbable its sides and degrees
    are, as the mean log against even odds; the last the normal score of `nearer`, the share of the archive's
    films to whose vectors the report's is nearer than to the film's.
    """
    sums = dict.fromkeys(FIT, 0.0)
    said = {one.claim.finding: one.claim for one in read.said if one.claim.presence != "present"}
    said |= {one.claim.finding: one.claim for one in read.said if one.claim.presence == "present"}
    for name, opinion in believed.items():
        claim, p, p0 = said.get(name), _held(opinion.presence), _held(usual[name])
        if claim is not None and claim.presence == "uncertain":
            continue
        if claim is not None and claim.presence == "present":
            sums["stated"] += math.log(p0 / p)
            for kind, part in (("side", "sides"), ("degree", "degrees")):
                right = opinion.details.get(kind, {}).get(getattr(claim, kind) or "")
                if right is not None:
                    sums[part] -= p * math.log(2 * _held(right))
        else:
            sums["unsaid" if claim is None else "denied"] += math.log((1 - p0) / (1 - p))
    sums["nearer films"] = log_odds(nearer)
    return [sums[name] for name in FIT]


def log_odds(p: float, *, least: float = _LEAST) -> float:
    """Of a probability in 0..1, as if it were `least` away from either end at least."""
    held = _held(p, least)
    return math.log(held / (1.0 - held))


def _held(p: float, least: float = _LEAST) -> float:
    return min(max(p, least), 1.0 - least)
