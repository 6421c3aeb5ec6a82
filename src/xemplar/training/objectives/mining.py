"""Hard negatives by labels: for a report, one whose findings differ least, and any one that differs.

After X-REM's fine-tuning of image-text matching. Knows a table of numbers, one row a study; knows no
text, no image and no tensor.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import XemplarError

Rows = NDArray[np.int64]
_CHUNK = 1 << 22
"""At most about so many numbers are held at once while vectors are compared."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The hard negatives of one row: those of a different finding vector at the least distance."""

    distance: float
    """Manhattan; infinite where there is none."""
    groups: NDArray[np.float64]
    """(g, f) the distinct vectors at that distance, in lexicographic order."""
    sizes: Rows
    """(g,) how many candidates have each."""
    rows: Rows
    """The candidates, ascending."""


@dataclass(frozen=True, slots=True)
class Mined:
    """For each row of `rows` a hard and a random negative; `left_out` are the rows that have none."""

    rows: Rows
    hard: Rows
    random: Rows
    left_out: Rows


class FindingTable:
    """Finding vectors, equal ones grouped; answers whose differs least from whose.

    `labels` (n, f): 0 and 1, or any codes whose difference means something. A row with a NaN is near
    nothing: it has no negatives and is nobody's. `keys`, one a row, mark equal texts: rows of one key
    are never each other's negatives, whatever their labels.
    """

    def __init__(self, labels: NDArray[np.floating[Any]], *, keys: Sequence[Hashable] | None = None) -> None:
        table = np.asarray(labels, dtype=np.float64)
        if table.ndim != 2:
            raise XemplarError(f"a label table of {table.ndim} dimensions", wanted="two: (rows, findings)")
        if keys is not None and len(keys) != len(table):
            raise XemplarError(f"{len(keys)} keys for {len(table)} rows of labels", wanted="one for each")
        self.count = len(table)
        numbers: dict[Hashable, int] = {}
        self._keys = None if keys is None else np.array([numbers.setdefault(k, len(numbers)) for k in keys])
        whole = np.flatnonzero(np.isfinite(table).all(1))
        self.groups, inverse, self.sizes = np.unique(
            table[whole], axis=0, return_inverse=True, return_counts=True
        )
        self._group = np.full(self.count, -1)
        self._group[whole] = inverse.reshape(-1)
        self._order = whole[np.argsort(inverse.reshape(-1), kind="stable")]
        self._starts = np.cumsum(self.sizes) - self.sizes

    @cached_property
    def _nearest(self) -> list[tuple[float, Rows]]:
        """For each group the least distance to another one, and every group at that distance."""
        count = len(self.groups)
        found: list[tuple[float, Rows]] = []
        step = max(1, _CHUNK // max(1, self.groups.size))
        for start in range(0, count, step):
            part = self.groups[start : start + step]
            distances = np.abs(part[:, None] - self.groups[None]).sum(2)
            distances[np.arange(len(part)), np.arange(start, start + len(part))] = np.inf
            least = distances.min(1)
            found += [
                (float(low), np.flatnonzero(row == low) if np.isfinite(low) else np.empty(0, np.int64))
                for low, row in zip(least, distances, strict=True)
            ]
        return found

    def _members(self, groups: Rows) -> Rows:
        parts = [self._order[self._starts[g] : self._starts[g] + self.sizes[g]] for g in groups]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def _apart(self, row: int, others: Rows) -> Rows:
        """The others whose text isn't the row's."""
        return others if self._keys is None else others[self._keys[others] != self._keys[row]]

    def candidates(self, row: int) -> Candidates:
        """The hard negatives of a row; none where its labels aren't whole or nobody's differ."""
        group = self._group[row]
        distance, near = (np.inf, np.empty(0, np.int64)) if group < 0 else self._nearest[group]
        rows = np.sort(self._apart(row, self._members(near)))
        sizes = np.array([(self._group[rows] == one).sum() for one in near], np.int64)
        some = sizes > 0
        return Candidates(distance, self.groups[near][some], sizes[some], rows)

    def draw(self, rng: np.random.Generator) -> Mined:
        """A hard and a random negative for every row that has them, each row among its own equally likely.

        So a group is drawn by its size, as in X-REM. A row for which there is no hard negative, or
        no other, is left out and named; X-REM stops there, and looks no farther than 13 away.
        """
        hard, other = np.full(self.count, -1), np.full(self.count, -1)
        for group, size in enumerate(self.sizes):
            rows = self._members(np.array([group]))
            near = self._members(self._nearest[group][1])
            if len(near):
                hard[rows] = near[rng.integers(len(near), size=size)]
                places = rng.integers(len(self._order) - size, size=size)
                other[rows] = self._order[places + size * (places >= self._starts[group])]
        self._redraw(hard, other, rng)
        has = (hard >= 0) & (other >= 0)
        rows = np.flatnonzero(has)
        return Mined(rows, hard[rows], other[rows], np.flatnonzero(~has))

    def _redraw(self, hard: Rows, other: Rows, rng: np.random.Generator) -> None:
        """Draw again, among the rest alone, where an equal text was drawn."""
        if self._keys is None:
            return
        for drawn in (hard, other):
            same = (drawn >= 0) & (self._keys[drawn] == self._keys)
            for row in np.flatnonzero(same).tolist():
                group = self._group[row]
                every = self._order[self._group[self._order] != group]
                left = self._apart(row, self._members(self._nearest[group][1]) if drawn is hard else every)
                drawn[row] = left[rng.integers(len(left))] if len(left) else -1
