"""Which diseases a study shows, what makes which likelier, and how they move to the next film.

Knows prevalences and ranges of size; doesn't draw or word anything. Built-in company: oedema with a
large heart and effusions, atelectasis with effusions, free air and shallow breath, drains with what
they drain, tubes in in-patients, broken ribs with free air.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from xemplar.sources.phantom.sites import PRACTICES
from xemplar.sources.phantom.truth import (
    Atelectasis,
    Consolidation,
    Device,
    Edema,
    Effusion,
    Fracture,
    Heart,
    Lesion,
    Pathology,
    Pneumothorax,
    Side,
    Site,
    SupportDevice,
    Zone,
)

Degrees = dict[str, tuple[float, float]]

RATIOS: Degrees = {"mild": (0.53, 0.56), "moderate": (0.58, 0.625), "severe": (0.64, 0.7)}
FILLS: Degrees = {"small": (0.13, 0.18), "moderate": (0.3, 0.44), "large": (0.58, 0.76)}
GAPS: Degrees = {"small": (0.12, 0.2), "moderate": (0.34, 0.5), "large": (0.62, 0.85)}
DENSITIES: Degrees = {"faint": (0.15, 0.2), "patchy": (0.27, 0.37), "dense": (0.45, 0.58)}
STRENGTHS: Degrees = {"mild": (0.2, 0.3), "moderate": (0.5, 0.65), "severe": (0.85, 1.0)}
COLLAPSES: tuple[str, str, str] = ("mild", "moderate", "marked")
RADII: Degrees = {"small": (7.5, 9.0), "moderate": (11.5, 15.0), "large": (19.0, 26.0)}
SHALLOW = -0.6
"""Breath below which lung volumes are called low."""
HEALING = 60
"""Days after which a recent fracture has healed."""
PERSISTENCE = (0.5, 0.72)
"""Chance, for (out-patients, in-patients), that an acute finding is still there on the next film."""
LASTING = 0.95
"""The same of what doesn't go away by itself: a large heart, a lesion."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What makes a disease likelier at one examination."""

    site: Site
    inpatient: bool
    age: int
    breath: float


def side_of(rng: np.random.Generator, left: float = 0.5) -> Side:
    """A side, the left one with the chance `left`."""
    return "left" if rng.random() < left else "right"


def zone_of(rng: np.random.Generator, *, upper: float = 0.24, mid: float = 0.24) -> Zone:
    """A zone, the lower one with what chance the others leave."""
    draw = rng.random()
    return "upper" if draw < upper else "mid" if draw < upper + mid else "lower"


def pick(rng: np.random.Generator, degrees: Degrees, *, chances: tuple[float, ...]) -> tuple[str, float]:
    """A degree and a size within it."""
    degree = list(degrees)[int(np.searchsorted(np.cumsum(chances), rng.random() * sum(chances)))]
    return degree, float(rng.uniform(*degrees[degree]))


def fresh(rng: np.random.Generator, about: Circumstances) -> Pathology:
    """The disease of a patient who is seen for the first time."""
    chance = {name: pair[about.inpatient] for name, pair in PRACTICES[about.site].chances.items()}
    draw = dict(zip(chance, rng.random(len(chance)), strict=True))
    edema = _edema(rng) if draw["edema"] < chance["edema"] else None
    heart = _heart(rng, large=draw["heart"] < (0.62 if edema else chance["heart"]))
    effusions = _effusions(rng) if draw["effusion"] < (0.5 if edema else chance["effusion"]) else ()
    air = _air(rng) if draw["pneumothorax"] < chance["pneumothorax"] * (0.4 if edema else 1) else None
    opacities = _consolidations(rng) if draw["consolidation"] < chance["consolidation"] else ()
    collapse = (
        chance["atelectasis"] + 0.2 * bool(effusions) + 0.12 * bool(air) + 0.15 * (about.breath < SHALLOW)
    )
    atelectases = _atelectases(rng, effusions) if draw["atelectasis"] < collapse else ()
    lesions = _lesions(rng) if draw["lesion"] < chance["lesion"] * (0.5 + about.age / 100) else ()
    broken = chance["fracture"] + 0.15 * bool(air)
    fractures = _fractures(rng, air) if draw["fracture"] < broken else ()
    devices: tuple[SupportDevice, ...] = ()
    if draw["devices"] < chance["devices"]:
        devices = _devices(rng, about.inpatient, drained=_drained(effusions, air))
    return Pathology(heart, effusions, air, opacities, devices, edema, atelectases, lesions, fractures)


def _heart(rng: np.random.Generator, *, large: bool) -> Heart:
    if not large:
        return Heart(float(rng.uniform(0.39, 0.495)))
    degree, ratio = pick(rng, RATIOS, chances=(0.36, 0.4, 0.24))
    return Heart(ratio, degree)


def _edema(rng: np.random.Generator) -> Edema:
    degree, strength = pick(rng, STRENGTHS, chances=(0.3, 0.4, 0.3))
    return Edema(degree, strength, int(rng.integers(2**31)))


def _effusions(rng: np.random.Generator) -> tuple[Effusion, ...]:
    both = rng.random() < 0.3
    sides: tuple[Side, ...] = ("right", "left") if both else (side_of(rng),)
    chances = (0.45, 0.37, 0.08 if both else 0.18)
    return tuple(Effusion(side, *pick(rng, FILLS, chances=chances)) for side in sides)


def _air(rng: np.random.Generator) -> Pneumothorax:
    return Pneumothorax(side_of(rng), *pick(rng, GAPS, chances=(0.32, 0.42, 0.26)))


def _consolidations(rng: np.random.Generator) -> tuple[Consolidation, ...]:
    places = [(side_of(rng), zone_of(rng))]
    if rng.random() < 0.22:
        other = (side_of(rng), zone_of(rng))
        places += [other] if other != places[0] else []
    found = []
    for side, zone in places:
        degree, density = pick(rng, DENSITIES, chances=(0.28, 0.44, 0.28))
        radius = float(rng.uniform(23, 33))
        found.append(Consolidation(side, zone, degree, radius, density, int(rng.integers(2**31))))
    return tuple(found)


def _atelectases(rng: np.random.Generator, effusions: tuple[Effusion, ...]) -> tuple[Atelectasis, ...]:
    """One in three is a collapsed lobe; bands lie at a base, at times at both, and beside fluid."""
    side = effusions[0].side if effusions and rng.random() < 0.7 else side_of(rng)
    seeds = [int(seed) for seed in rng.integers(2**31, size=2)]
    if rng.random() < 0.36:
        zone = zone_of(rng, upper=0.45, mid=0.0)
        degree = COLLAPSES[1 + int(rng.random() < 0.5)]
        return (Atelectasis(side, zone, degree, "lobar", seeds[0]),)
    zone = zone_of(rng, upper=0.0, mid=0.2)
    degree = COLLAPSES[int(np.searchsorted((0.35, 0.75), rng.random()))]
    bands = [Atelectasis(side, zone, degree, "linear", seeds[0])]
    if zone == "lower" and rng.random() < 0.3:
        other: Side = "left" if side == "right" else "right"
        bands.append(Atelectasis(other, zone, degree, "linear", seeds[1]))
    return tuple(bands)


def _lesions(rng: np.random.Generator) -> tuple[Lesion, ...]:
    """One, or seldom several nodules."""
    count = 1 if rng.random() < 0.78 else int(rng.integers(2, 5))
    found = []
    for _ in range(count):
        degree, radius = pick(rng, RADII, chances=(0.3, 0.4, 0.3 if count == 1 else 0.0))
        side, zone = side_of(rng), zone_of(rng, upper=0.36, mid=0.34)
        found.append(Lesion(side, zone, degree, _kind(degree), radius, int(rng.integers(2**31))))
    return tuple(found)


def _kind(degree: str) -> Literal["nodule", "mass"]:
    return "mass" if degree == "large" else "nodule"


def _fractures(rng: np.random.Generator, air: Pneumothorax | None) -> tuple[Fracture, ...]:
    """One to three neighbouring ribs of one side, all of one age; recent ones under free air."""
    side = air.side if air and rng.random() < 0.8 else side_of(rng)
    healed = bool(rng.random() < (0.15 if air else 0.55))
    count = 1 + int(np.searchsorted((0.2, 0.6), rng.random()))
    first = int(rng.integers(4, 10 - count))
    return tuple(Fracture(side, first + k, healed, float(rng.uniform(6.0, 9.5))) for k in range(count))


def _drained(effusions: tuple[Effusion, ...], air: Pneumothorax | None) -> Side | None:
    return air.side if air else effusions[0].side if effusions else None


def _devices(rng: np.random.Generator, inpatient: bool, *, drained: Side | None) -> tuple[SupportDevice, ...]:
    kinds: list[tuple[Device, Side | None]] = []
    if rng.random() < (0.25 if inpatient else 0.7):
        kinds.append(("pacemaker", side_of(rng, 0.8)))
    if inpatient and rng.random() < 0.45:
        kinds.append(("endotracheal tube", None))
    if inpatient and rng.random() < 0.4:
        kinds.append(("nasogastric tube", None))
    if rng.random() < 0.35:
        kinds.append(("jugular line", side_of(rng, 0.25)))
    elif rng.random() < 0.4:
        kinds.append(("picc", side_of(rng, 0.4)))
    if drained and rng.random() < 0.5:
        kinds.append(("chest tube", drained))
    if not kinds:
        kinds.append(("picc", side_of(rng, 0.4)) if inpatient else ("pacemaker", side_of(rng, 0.8)))
    return tuple(SupportDevice(kind, side, float(rng.random())) for kind, side in kinds)


def evolved(rng: np.random.Generator, before: Pathology, *, about: Circumstances, days: int) -> Pathology:
    """The disease at the next film: each finding stays, maybe a step worse or better, or goes."""
    after = fresh(rng, about)
    keep = rng.random(9)
    acute = PERSISTENCE[about.inpatient]
    if keep[0] < LASTING:
        after = replace(after, heart=before.heart)
    if keep[1] < acute:
        after = replace(after, effusions=tuple(_next_effusion(rng, e) for e in before.effusions))
    if keep[2] < acute:
        after = replace(after, pneumothorax=_next_air(rng, before.pneumothorax))
    if keep[3] < acute:
        after = replace(after, consolidations=tuple(_next_opacity(rng, c) for c in before.consolidations))
    if keep[4] < acute:
        # Devices stay together; a drain may outlast what it drained.
        after = replace(after, devices=before.devices)
    if keep[5] < acute:
        after = replace(after, edema=_next_edema(rng, before.edema))
    if keep[6] < acute:
        after = replace(after, atelectases=before.atelectases)
    if keep[7] < LASTING:
        after = replace(after, lesions=tuple(_next_lesion(rng, n, days=days) for n in before.lesions))
    if before.fractures or keep[8] < LASTING:
        mended = tuple(replace(b, healed=b.healed or days > HEALING) for b in before.fractures)
        after = replace(after, fractures=mended)
    return after


def _stepped(rng: np.random.Generator, degrees: Degrees, degree: str) -> str:
    """The same degree half the time, else the next worse or better where there is one."""
    if rng.random() < 0.5:
        return degree
    order = list(degrees)
    return order[int(np.clip(order.index(degree) + rng.choice((-1, 1)), 0, len(order) - 1))]


def _next_effusion(rng: np.random.Generator, was: Effusion) -> Effusion:
    degree = _stepped(rng, FILLS, was.degree)
    return was if degree == was.degree else Effusion(was.side, degree, float(rng.uniform(*FILLS[degree])))


def _next_air(rng: np.random.Generator, was: Pneumothorax | None) -> Pneumothorax | None:
    if was is None:
        return None
    degree = _stepped(rng, GAPS, was.degree)
    return was if degree == was.degree else Pneumothorax(was.side, degree, float(rng.uniform(*GAPS[degree])))


def _next_opacity(rng: np.random.Generator, was: Consolidation) -> Consolidation:
    degree = _stepped(rng, DENSITIES, was.degree)
    if degree == was.degree:
        return was
    return replace(was, degree=degree, density=float(rng.uniform(*DENSITIES[degree])))


def _next_edema(rng: np.random.Generator, was: Edema | None) -> Edema | None:
    if was is None:
        return None
    degree = _stepped(rng, STRENGTHS, was.degree)
    if degree == was.degree:
        return was
    return replace(was, degree=degree, strength=float(rng.uniform(*STRENGTHS[degree])))


def _next_lesion(rng: np.random.Generator, was: Lesion, *, days: int) -> Lesion:
    """Weeks change nothing; months make one in three a degree larger."""
    order = list(RADII)
    if was.degree == "large" or days < 90 or rng.random() < 0.67:
        return was
    degree = order[order.index(was.degree) + 1]
    return replace(was, degree=degree, kind=_kind(degree), radius=float(rng.uniform(*RADII[degree])))
