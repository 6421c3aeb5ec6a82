"""Numbers of films -> what is wrong with one, and how far it is from proper ones: learnt and asked.

Knows rows of numbers and kinds; knows nothing of pixels, archives or sentences. Kinds are told apart by
linear discriminants; distance is that of a film from the proper ones' mean along their main
directions, each in its own spread, and what lies off all of them (probabilistic PCA: Tipping and Bishop
1999).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

PROPER = "proper"

DIRECTIONS = 24
"""Main directions in which distance is measured, at most a quarter of the films."""

_SHRUNK = 0.2
"""By so much the kinds' common covariance is drawn towards a multiple of the identity."""

_FAR = 12.0
"""Numbers lie within so many of their spreads; beyond, farther makes no difference to the kinds."""

Rows = NDArray[np.float64]


class Looks(BaseModel):
    """What proper films look like, and what each kind of improper one does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: list[str]
    """The first is PROPER."""
    mean: list[float]
    scale: list[float]
    weights: list[list[float]]
    """(kinds, numbers)."""
    intercepts: list[float]
    directions: list[list[float]]
    """(directions, numbers), orthonormal."""
    spreads: list[float]
    rest: float
    """Spread off the directions, of each number."""

    def strangeness(self, rows: Rows) -> Rows:
        """(films, numbers) -> (films, kinds): the more, the less like a proper film.

        Of each improper kind, by how much it is likelier than PROPER (logarithm of the odds); and, in place
        of PROPER, the distance.
        """
        scores = self._scores(rows)
        return np.concatenate([self.distances(rows)[:, None], scores[:, 1:] - scores[:, :1]], axis=1)

    def _scores(self, rows: Rows) -> Rows:
        even = np.clip(self._even(rows), -_FAR, _FAR)
        # One product a film: several at once are rounded by how many they are.
        weights, intercepts = np.array(self.weights), np.array(self.intercepts)
        return np.array([weights @ row + intercepts for row in even]).reshape(len(rows), len(self.kinds))

    def distances(self, rows: Rows) -> Rows:
        """(films, numbers) -> (films,): about 1 for a proper film, more the farther."""
        even, directions = self._even(rows), np.array(self.directions)
        along = np.array([directions @ row for row in even]).reshape(len(rows), len(directions))
        off = np.maximum((even**2).sum(axis=1) - (along**2).sum(axis=1), 0)
        near = ((along / np.array(self.spreads)) ** 2).mean(axis=1)
        away = off / (self.rest**2 * max(1, even.shape[1] - len(directions)))
        return np.asarray(np.sqrt((near + away) / 2), np.float64)

    def _even(self, rows: Rows) -> Rows:
        return np.asarray((rows - np.array(self.mean)) / np.array(self.scale), np.float64)


def fit_looks(proper: Rows, improper: Rows, kinds: Sequence[str]) -> Looks:
    """Learn from proper films and from improper ones, each with its kind."""
    names = [PROPER, *sorted(set(kinds))]
    mean, scale = proper.mean(axis=0), proper.std(axis=0)
    scale = np.maximum(scale, 0.05 * np.maximum(np.concatenate([proper, improper]).std(axis=0), 1e-3))
    even = (proper - mean) / scale
    every = np.clip(np.concatenate([even, (improper - mean) / scale]), -_FAR, _FAR)
    called = np.array([0] * len(proper) + [names.index(kind) for kind in kinds])
    weights, intercepts = _discriminants(every, called)
    rising, columns = np.linalg.eigh(even.T @ even / (len(proper) - 1))
    variances, directions = np.maximum(rising[::-1], 0), columns.T[::-1]
    count = max(1, min(DIRECTIONS, len(proper) // 4))
    spreads = np.sqrt(variances[:count])
    off = variances[count:].sum() / max(1, even.shape[1] - count)
    return Looks(
        kinds=names,
        mean=_short(mean),
        scale=_short(scale),
        weights=[_short(row) for row in weights],
        intercepts=_short(intercepts),
        directions=[_short(row) for row in directions[:count]],
        spreads=_short(np.maximum(spreads, 1e-6)),
        rest=float(max(np.sqrt(off), 1e-6)),
    )


def _discriminants(rows: Rows, called: NDArray[np.int64]) -> tuple[Rows, Rows]:
    """Weights (kinds, numbers) and intercepts (kinds,) of linear discriminants, all kinds equally likely.

    The kinds' common covariance is drawn towards a multiple of the identity (Friedman 1989).
    """
    count = called.max() + 1
    means = np.stack([rows[called == kind].mean(axis=0) for kind in range(count)])
    off = rows - means[called]
    shares = (1 / np.bincount(called))[called] / count
    spread = (off * shares[:, None]).T @ off
    size = np.trace(spread) / len(spread)
    weights = np.linalg.solve(spread * (1 - _SHRUNK) + np.eye(len(spread)) * size * _SHRUNK, means.T).T
    return weights, -0.5 * (weights * means).sum(axis=1)


def _short(values: NDArray[np.float64]) -> list[float]:
    """As they are written down: seven digits, so that what is kept is what was fitted."""
    return [float(f"{value:.7g}") for value in values]
