"""Proper films, and others made of them, -> what the gate knows; its limits, from films held out by patient.

Knows films and who they are of; knows nothing of archives or folders. A limit is set for every improper
kind and for every distance at once: the strictest common one, in ranks, that stops no more than FALSE of the
proper films that nothing was learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xemplar.drafting.gate.features import features_of
from xemplar.drafting.gate.looks import Looks, fit_looks
from xemplar.drafting.gate.spoiled import LATERAL, OTHER, SPOILS, spoiled, varied
from xemplar.records import Image

FALSE = 0.01
"""Share of proper films, held out, that may be stopped. Of films that no limit was set by it is more: three
times as many of the drawn ones, when it was twice this (docs/gate.md)."""

WANTED = 40
"""Proper films below which nothing is learnt."""

PEOPLE = 10
"""Of so many patients, or groups, at least."""

MOST = 300
"""Proper films that are learnt from, drawn by chance from more."""

_FOLDS = 5
Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was learnt, and how strange each held-out proper film is: (films, kinds)."""

    looks: Looks
    strange: Rows


@dataclass(frozen=True, slots=True)
class _Made:
    """Rows of numbers by the film, of `proper`, that each is made of; kinds are of `improper`."""

    proper: Rows
    improper: Rows
    kinds: NDArray[np.str_]
    proper_of: NDArray[np.int64]
    improper_of: NDArray[np.int64]

    def without(self, films: NDArray[np.int64]) -> Looks:
        """What is learnt without anything made of these films."""
        kept, others = ~np.isin(self.proper_of, films), ~np.isin(self.improper_of, films)
        return fit_looks(self.proper[kept], self.improper[others], self.kinds[others].tolist())


def learn(
    films: Sequence[Image], laterals: Sequence[Image], *, people: Sequence[str], seed: int = 0
) -> Learnt:
    """Learn from proper frontals, whose each is of one of `people`, and from lateral films."""
    made = _made(films, laterals, np.random.default_rng(seed))
    names = np.array(people)
    order = np.random.default_rng(seed + 1).permutation(np.unique(names))
    strange = np.empty((len(films), 0))
    for fold in range(_FOLDS):
        out = np.flatnonzero(np.isin(names, order[fold::_FOLDS]))
        if not len(out):
            continue
        found = made.without(out).strangeness(made.proper[out])
        strange = strange if strange.shape[1] else np.zeros((len(films), found.shape[1]))
        strange[out] = found
    return Learnt(made.without(np.empty(0, np.int64)), strange)


def rows_of(films: Sequence[Image]) -> Rows:
    """(films, numbers) of previews."""
    return np.stack([features_of(film) for film in films])


def _made(films: Sequence[Image], laterals: Sequence[Image], random: np.random.Generator) -> _Made:
    count = len(films)
    proper = [features_of(film) for film in films] + [features_of(varied(film, random)) for film in films]
    rows, kinds, owners = [], [], []
    for kind in SPOILS:
        for place in [*range(count)] * (2 if kind == OTHER else 1):
            other = films[int(random.integers(count))]
            rows.append(features_of(spoiled(kind, films[place], other, random=random)))
            kinds.append(kind)
            owners.append(place)
    rows += [features_of(film) for film in laterals]
    kinds += [LATERAL] * len(laterals)
    owners += [-1] * len(laterals)
    return _Made(
        np.stack(proper), np.stack(rows), np.array(kinds), np.tile(np.arange(count), 2), np.array(owners)
    )


def limits(strange: Rows, *, false: float = FALSE) -> list[float]:
    """(films, ways) of proper films -> of each way, the value above which a film is stopped.

    The same number of these films lies above each limit, the largest with which at most the share `false`
    of them lies above any.
    """
    ranks = np.empty(strange.shape, np.int64)
    for way in range(strange.shape[1]):
        ranks[np.argsort(-strange[:, way], kind="stable"), way] = np.arange(len(strange))
    first = np.sort(ranks.min(axis=1))
    allowed = int(false * len(strange))
    above = int(first[allowed]) if allowed < len(first) else int(first[-1])
    return [float(np.sort(column)[::-1][above]) for column in strange.T]
