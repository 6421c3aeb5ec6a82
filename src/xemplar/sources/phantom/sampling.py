"""From (seed, study number) to the truth of that study: order, count and process play no part.

Knows prevalences, how patients repeat and how disease moves between their films. Doesn't draw or
word anything. Patients come in blocks of 20 with 27 studies: 15 with one, 3 with two, 2 with three.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np

from xemplar.sources.phantom.truth import (
    Body,
    Consolidation,
    Device,
    Effusion,
    Heart,
    Pathology,
    Pneumothorax,
    Position,
    Shot,
    Side,
    SupportDevice,
    Zone,
)

VERSION_NUMBER = 0
BLOCK_PATIENTS = 20
BLOCK_STUDIES = 27
REPEATS = (1,) * 15 + (2,) * 3 + (3,) * 2
PERSISTENCE = 0.62
"""Chance that a finding's state is carried over to the next film rather than drawn afresh."""

# Chance of a finding for (out-patients, in-patients); in-patients are INPATIENTS of all.
INPATIENTS = 0.35
CHANCES = {
    "heart": (0.137, 0.26),
    "effusion": (0.112, 0.33),
    "pneumothorax": (0.043, 0.12),
    "consolidation": (0.106, 0.26),
    "devices": (0.088, 0.43),
}
RATIOS = {"mild": (0.53, 0.56), "moderate": (0.58, 0.625), "severe": (0.64, 0.7)}
FILLS = {"small": (0.13, 0.18), "moderate": (0.3, 0.44), "large": (0.58, 0.76)}
GAPS = {"small": (0.12, 0.2), "moderate": (0.34, 0.5), "large": (0.62, 0.85)}
DENSITIES = {"faint": (0.15, 0.2), "patchy": (0.27, 0.37), "dense": (0.45, 0.58)}
_STREAMS = {"block": 1, "patient": 2, "study": 3, "view": 4, "words": 5}


@dataclass(frozen=True, slots=True)
class Examination:
    """One study's truth, its place in its patient's history, and what came before."""

    number: int
    patient: int
    ordinal: int
    reader: int
    acquired_at: datetime
    inpatient: bool
    body: Body
    pathology: Pathology
    shots: tuple[Shot, ...]
    prior: Pathology | None = None
    prior_at: datetime | None = None


def stream(name: str, seed: int, *numbers: int) -> np.random.Generator:
    """A generator of its own for one purpose of one study; negative seeds are refused by numpy."""
    entropy = (VERSION_NUMBER, seed, _STREAMS[name], *numbers)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


@lru_cache(maxsize=256)
def _block(seed: int, block: int) -> tuple[tuple[int, int], ...]:
    """(patient, ordinal) of each study of a block, in order."""
    repeats = stream("block", seed, block).permutation(REPEATS)
    first = block * BLOCK_PATIENTS
    return tuple((first + k, ordinal) for k, times in enumerate(repeats) for ordinal in range(times))


def examination(seed: int, number: int) -> Examination:
    """The whole truth of study `number` of `seed`, in about a tenth of a millisecond."""
    block, offset = divmod(number, BLOCK_STUDIES)
    patient, ordinal = _block(seed, block)[offset]
    rng = stream("patient", seed, patient)
    body = _body(rng)
    inpatient = bool(rng.random() < INPATIENTS)
    acquired = datetime(2010, 1, 1) + timedelta(minutes=int(rng.integers(0, 10 * 365 * 24 * 60)))
    rng = stream("study", seed, number - ordinal)
    pathology = _pathology(rng, inpatient)
    prior: Pathology | None = None
    prior_at: datetime | None = None
    for step in range(1, ordinal + 1):
        rng = stream("study", seed, number - ordinal + step)
        days = rng.integers(1, 12) if inpatient else rng.integers(20, 500)
        prior, prior_at = pathology, acquired
        acquired += timedelta(days=int(days), minutes=int(rng.integers(0, 600)))
        pathology = _evolve(rng, prior, fresh=_pathology(rng, inpatient))
    reader = 1 if rng.random() < (0.25 if inpatient else 0.75) else 2
    shots = _shots(rng, seed, number=number, inpatient=inpatient)
    return Examination(
        number=number,
        patient=patient,
        ordinal=ordinal,
        reader=reader,
        acquired_at=acquired,
        inpatient=inpatient,
        body=body,
        pathology=pathology,
        shots=shots,
        prior=prior,
        prior_at=prior_at,
    )


def _side(rng: np.random.Generator, left: float = 0.5) -> Side:
    return "left" if rng.random() < left else "right"


def _zone(rng: np.random.Generator) -> Zone:
    draw = rng.random()
    return "upper" if draw < 0.24 else "mid" if draw < 0.48 else "lower"


def _pick(
    rng: np.random.Generator, degrees: dict[str, tuple[float, float]], *, chances: tuple[float, ...]
) -> str:
    return list(degrees)[int(np.searchsorted(np.cumsum(chances), rng.random() * sum(chances)))]


def _body(rng: np.random.Generator) -> Body:
    age = int(np.clip(rng.normal(58, 18), 18, 94))
    old = age / 94
    side = [_side(rng) for _ in range(4)]
    chance = rng.random(7)
    return Body(
        seed=int(rng.integers(2**31)),
        sex="F" if rng.random() < 0.48 else "M",
        age=age,
        girth=float(rng.beta(1.6, 2.4)),
        width=float(rng.uniform(0.885, 1.08)),
        heart_lie=float(rng.uniform(-1, 1)),
        scoliosis=side[0] if chance[0] < 0.10 else None,
        granuloma=(side[1], _zone(rng)) if chance[1] < 0.09 else None,
        raised=side[3] if chance[3] < 0.09 else None,
        unfolded_aorta=bool(chance[4] < 0.30 * old),
        spondylosis=bool(chance[5] < 0.25 * old),
        hyperinflated=bool(chance[6] < 0.10),
    )


def _pathology(rng: np.random.Generator, inpatient: bool) -> Pathology:
    there = {name: rng.random() < chances[inpatient] for name, chances in CHANCES.items()}
    heart = _heart(rng, there["heart"])
    effusions = _effusions(rng) if there["effusion"] else ()
    air = None
    if there["pneumothorax"]:
        degree = _pick(rng, GAPS, chances=(0.36, 0.4, 0.24))
        air = Pneumothorax(_side(rng), degree, float(rng.uniform(*GAPS[degree])))
    opacities = _consolidations(rng) if there["consolidation"] else ()
    devices = _devices(rng, inpatient, effusions=effusions, air=air) if there["devices"] else ()
    return Pathology(heart, effusions, air, opacities, devices)


def _heart(rng: np.random.Generator, large: bool) -> Heart:
    if not large:
        return Heart(float(rng.uniform(0.39, 0.495)))
    degree = _pick(rng, RATIOS, chances=(0.38, 0.4, 0.22))
    return Heart(float(rng.uniform(*RATIOS[degree])), degree)


def _effusions(rng: np.random.Generator) -> tuple[Effusion, ...]:
    both = rng.random() < 0.3
    sides: tuple[Side, ...] = ("right", "left") if both else (_side(rng, 0.5),)
    found = []
    for side in sides:
        degree = _pick(rng, FILLS, chances=(0.45, 0.37, 0.08 if both else 0.18))
        found.append(Effusion(side, degree, float(rng.uniform(*FILLS[degree]))))
    return tuple(found)


def _consolidations(rng: np.random.Generator) -> tuple[Consolidation, ...]:
    places = [(_side(rng), _zone(rng))]
    if rng.random() < 0.22:
        other = (_side(rng), _zone(rng))
        places += [other] if other != places[0] else []
    found = []
    for side, zone in places:
        degree = _pick(rng, DENSITIES, chances=(0.28, 0.44, 0.28))
        radius = float(rng.uniform(23, 33))
        density = float(rng.uniform(*DENSITIES[degree]))
        found.append(Consolidation(side, zone, degree, radius, density, int(rng.integers(2**31))))
    return tuple(found)


def _devices(
    rng: np.random.Generator,
    inpatient: bool,
    *,
    effusions: tuple[Effusion, ...],
    air: Pneumothorax | None,
) -> tuple[SupportDevice, ...]:
    kinds: list[tuple[Device, Side | None]] = []
    if rng.random() < (0.25 if inpatient else 0.7):
        kinds.append(("pacemaker", _side(rng, 0.8)))
    if inpatient and rng.random() < 0.45:
        kinds.append(("endotracheal tube", None))
    if inpatient and rng.random() < 0.4:
        kinds.append(("nasogastric tube", None))
    if rng.random() < 0.35:
        kinds.append(("jugular line", _side(rng, 0.25)))
    elif rng.random() < 0.4:
        kinds.append(("picc", _side(rng, 0.4)))
    drained = air.side if air else effusions[0].side if effusions else None
    if drained and rng.random() < 0.4:
        kinds.append(("chest tube", drained))
    if not kinds:
        kinds.append(("picc", _side(rng, 0.4)) if inpatient else ("pacemaker", _side(rng, 0.8)))
    return tuple(SupportDevice(kind, side, float(rng.random())) for kind, side in kinds)


def _evolve(rng: np.random.Generator, before: Pathology, *, fresh: Pathology) -> Pathology:
    """Each finding is carried over, a step worse or better at times, or drawn afresh."""
    keep = rng.random(5) < PERSISTENCE
    after = fresh
    if keep[0]:
        after = replace(after, heart=before.heart)
    if keep[1]:
        after = replace(after, effusions=tuple(_moved(rng, e) for e in before.effusions))
    if keep[2]:
        after = replace(after, pneumothorax=before.pneumothorax)
    if keep[3]:
        after = replace(after, consolidations=before.consolidations)
    if keep[4]:
        # Devices stay together; a drain may outlast what it drained.
        after = replace(after, devices=before.devices)
    return after


def _moved(rng: np.random.Generator, effusion: Effusion) -> Effusion:
    if rng.random() < 0.5:
        return effusion
    order = list(FILLS)
    place = int(np.clip(order.index(effusion.degree) + rng.choice((-1, 1)), 0, len(order) - 1))
    if order[place] == effusion.degree:
        return effusion
    return Effusion(effusion.side, order[place], float(rng.uniform(*FILLS[order[place]])))


def _shots(rng: np.random.Generator, seed: int, *, number: int, inpatient: bool) -> tuple[Shot, ...]:
    lateral = rng.random() < (0.25 if inpatient else 0.79)
    breath = float(np.clip(rng.normal(-0.35 if inpatient else 0.15, 0.45), -1, 1))
    bubble = float(rng.random())
    positions: tuple[Position, ...] = ("frontal", "lateral") if lateral else ("frontal",)
    return tuple(
        _shot(stream("view", seed, number, k), position, inpatient=inpatient, breath=breath, bubble=bubble)
        for k, position in enumerate(positions)
    )


def _shot(
    rng: np.random.Generator, position: Position, *, inpatient: bool, breath: float, bubble: float
) -> Shot:
    frontal = position == "frontal"
    black = float(rng.uniform(0.01, 0.2))
    return Shot(
        seed=int(rng.integers(2**31)),
        position=position,
        projection="LL" if not frontal else "AP" if inpatient else "PA",
        height=320,
        width=int(rng.integers(272, 305)) if frontal else int(rng.integers(248, 273)),
        scale=float(rng.uniform(0.87, 1.1)),
        tilt=float(rng.normal(0, 2.8)),
        shift=(float(rng.normal(0, 10)), float(rng.normal(0, 10.5))),
        turn=float(rng.normal(0, 3.0)),
        breath=breath,
        window=(black, float(rng.uniform(0.76, 0.98))),
        gamma=float(np.exp(rng.normal(0, 0.28))),
        noise=float(rng.uniform(0.008, 0.034)),
        cast=(float(rng.normal(0, 0.12)), float(rng.normal(0, 0.12))),
        blur=float(rng.uniform(0.0, 1.0)),
        frame=_frame(rng),
        marker="left" if rng.random() < 0.5 else "right",
        bubble=bubble,
    )


def _frame(rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Three films in ten are collimated on some sides."""
    if rng.random() < 0.7:
        return (0, 0, 0, 0)
    top, bottom, left, right = (int(x) for x in np.maximum(0, rng.normal(4, 9, 4)).clip(0, 22))
    return (top, bottom, left, right)
