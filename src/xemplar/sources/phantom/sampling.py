"""From (site, seed, study number) to the truth of that study: order, count and process play no part.

Knows how patients repeat, who reads what, and what a patient keeps from film to film. Doesn't draw or
word anything. Patients come in blocks of 20 with 34 studies: 13 with one, 3 with two, 2 with three,
1 with four and 1 with five.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np

from xemplar.sources.phantom.disease import (
    COLLAPSES,
    DENSITIES,
    FILLS,
    GAPS,
    RADII,
    RATIOS,
    STRENGTHS,
    Circumstances,
    evolved,
    fresh,
    side_of,
    zone_of,
)
from xemplar.sources.phantom.exposure import shots, storage
from xemplar.sources.phantom.sites import PRACTICES
from xemplar.sources.phantom.truth import Body, Pathology, Shot, Site, Storage

__all__ = [
    "COLLAPSES",
    "DENSITIES",
    "FILLS",
    "GAPS",
    "RADII",
    "RATIOS",
    "STRENGTHS",
    "Examination",
    "examination",
    "stream",
]

VERSION_NUMBER = 1
BLOCK_PATIENTS = 20
REPEATS = (1,) * 13 + (2,) * 3 + (3,) * 2 + (4, 5)
BLOCK_STUDIES = sum(REPEATS)
_SITES: tuple[Site, ...] = ("A", "B")
_STREAMS = {"block": 1, "patient": 2, "study": 3, "view": 4, "words": 5, "file": 6}


@dataclass(frozen=True, slots=True)
class Examination:
    """One study's truth, its place in its patient's history, and what came before."""

    site: Site
    number: int
    patient: int
    ordinal: int
    """How many studies of this patient came before."""
    reader: int
    """1 to 4."""
    acquired_at: datetime
    inpatient: bool
    body: Body
    pathology: Pathology
    shots: tuple[Shot, ...]
    storage: Storage | None = None
    """How its DICOM files are written; None for the many that are drawn on demand."""
    prior: Pathology | None = None
    prior_at: datetime | None = None


def stream(name: str, seed: int, *numbers: int, site: Site = "A") -> np.random.Generator:
    """A generator of its own for one purpose of one study; negative seeds are refused by numpy."""
    entropy = (VERSION_NUMBER, _SITES.index(site), seed, _STREAMS[name], *numbers)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


@lru_cache(maxsize=256)
def _block(seed: int, block: int, site: Site) -> tuple[tuple[int, int, int], ...]:
    """(patient, ordinal, how many the patient has) of each study of a block, in order."""
    repeats = stream("block", seed, block, site=site).permutation(REPEATS)
    first = block * BLOCK_PATIENTS
    return tuple((first + k, ordinal, int(n)) for k, n in enumerate(repeats) for ordinal in range(n))


def examination(seed: int, number: int, site: Site = "A") -> Examination:
    """The whole truth of study `number` of `seed` at `site`, in a fraction of a millisecond."""
    block, offset = divmod(number, BLOCK_STUDIES)
    patient, ordinal, visits = _block(seed, block, site)[offset]
    practice = PRACTICES[site]
    rng = stream("patient", seed, patient, site=site)
    body = _body(rng, site)
    inpatient = bool(rng.random() < practice.inpatients[0] + practice.inpatients[1] * visits)
    acquired = datetime(2010, 1, 1) + timedelta(minutes=int(rng.integers(0, 10 * 365 * 24 * 60)))
    pathology, prior, prior_at = None, None, None
    for step in range(ordinal + 1):
        rng = stream("study", seed, number - ordinal + step, site=site)
        breath = float(np.clip(rng.normal(-0.35 if inpatient else 0.15, 0.45), -1, 1))
        about = Circumstances(site, inpatient, body.age, breath)
        if pathology is None:
            pathology = fresh(rng, about)
            continue
        days = int(rng.integers(1, 12) if inpatient else rng.integers(20, 500))
        prior, prior_at = pathology, acquired
        acquired += timedelta(days=days, minutes=int(rng.integers(0, 600)))
        pathology = evolved(rng, prior, about=about, days=days)
    assert pathology is not None  # the chain has at least one link
    reader = 1 + int(rng.choice(4, p=practice.readers[inpatient]))
    streams = tuple(stream("view", seed, number, k, site=site) for k in range(2))
    return Examination(
        site=site,
        number=number,
        patient=patient,
        ordinal=ordinal,
        reader=reader,
        acquired_at=acquired,
        inpatient=inpatient,
        body=body,
        pathology=pathology,
        shots=shots(rng, streams, about=about),
        storage=storage(stream("file", seed, number, site=site), site),
        prior=prior,
        prior_at=prior_at,
    )


def _body(rng: np.random.Generator, site: Site) -> Body:
    practice = PRACTICES[site]
    age = int(np.clip(rng.normal(58, 18), 18, 94))
    old = age / 94
    sides = [side_of(rng) for _ in range(3)]
    chance = rng.random(6)
    return Body(
        seed=int(rng.integers(2**31)),
        sex="F" if rng.random() < 0.48 else "M",
        age=age,
        girth=float(rng.beta(*practice.girth)),
        width=float(rng.uniform(*practice.width)),
        heart_lie=float(rng.uniform(-1, 1)),
        scoliosis=sides[0] if chance[0] < 0.08 else None,
        granuloma=(sides[1], zone_of(rng)) if chance[1] < 0.07 else None,
        raised=sides[2] if chance[2] < 0.06 else None,
        unfolded_aorta=bool(chance[3] < 0.30 * old),
        spondylosis=bool(chance[4] < 0.25 * old),
        hyperinflated=bool(chance[5] < 0.09),
    )
