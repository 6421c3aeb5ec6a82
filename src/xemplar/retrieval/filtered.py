"""Which items of an index filters leave: who lacks what is asked for, and the rows that are left to look at.

Knows facets and the studies behind items, and keeps what was last asked; knows nothing of likeness.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xemplar.index import Items
from xemplar.records import Study
from xemplar.retrieval.filters import Facets, Filter

_KEPT = 8
"""Answers that are kept; each may name every study of an archive."""


class Filtered:
    """The items of one kind, and what the studies behind them say of themselves."""

    def __init__(self, items: Items, by_id: Mapping[str, Study]) -> None:
        behind = dict.fromkeys(study_id for study_ids in items.study_ids for study_id in study_ids)
        self.items, self.facets = items, Facets([by_id[study_id] for study_id in behind])
        self._looked_up, self._rows = lru_cache(_KEPT)(self._look_up), lru_cache(_KEPT)(self._left)

    def lacking(self, filters: Sequence[Filter]) -> Mapping[str, frozenset[str]]:
        """Of each filter ("not sex F") the studies that it leaves out, and that none before it does."""
        return self._looked_up(tuple(filters))[0]

    def gone(self, filters: Sequence[Filter]) -> frozenset[str]:
        """The studies that any filter leaves out."""
        return self._looked_up(tuple(filters))[1]

    def rows(self, others: frozenset[str]) -> NDArray[np.intp] | None:
        """Rows of items that have a study besides `others`; None where these are the lesser part.

        Then it takes less to look for the best and pass over those that are out.
        """
        few = 2 * len(others) < len(self.facets.studies)
        return None if few or not others else self._rows(others)

    def _look_up(self, filters: tuple[Filter, ...]) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
        found, inside = dict[str, frozenset[str]](), np.ones(len(self.facets.studies), np.bool_)
        for one in filters:
            kept = self.facets.kept(one)
            gone = np.flatnonzero(inside & ~kept).tolist()
            found[f"not {one}"] = frozenset(self.facets.studies[row].study_id for row in gone)
            inside &= kept
        return found, frozenset[str]().union(*found.values())

    def _left(self, others: frozenset[str]) -> NDArray[np.intp]:
        studies, (owners, starts) = self.facets.studies, self._owners
        left = np.fromiter((study.study_id not in others for study in studies), np.bool_, len(studies))
        return np.flatnonzero(np.logical_or.reduceat(left[owners], starts))

    @cached_property
    def _owners(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The places of the studies behind all items, one item's after another's, and where each starts."""
        place = {study.study_id: n for n, study in enumerate(self.facets.studies)}
        flat = [place[study_id] for study_ids in self.items.study_ids for study_id in study_ids]
        lengths = [len(study_ids) for study_ids in self.items.study_ids]
        return np.array(flat, np.intp), np.cumsum([0, *lengths[:-1]]).astype(np.intp)


def nearest(
    items: Items, kept: NDArray[np.intp] | None, vector: NDArray[np.float32], *, depth: int
) -> tuple[NDArray[np.integer[Any]], NDArray[np.float32]]:
    """The `depth` rows nearest to a vector (dim,), best first, and their cosines: of all, or of `kept`."""
    if kept is None:
        rows, scores = items.engine.search(vector[None], depth)
        return rows[0], scores[0]
    near = cosines(items, kept, vector)
    if depth < len(kept):
        least = np.partition(near, len(near) - depth)[len(near) - depth]
        kept, near = kept[near >= least], near[near >= least]
    best = np.argsort(-near, kind="stable")[:depth]
    return kept[best], near[best]


def cosines(items: Items, rows: NDArray[np.integer[Any]], vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """(rows,) of some items to a vector; of many it is cheaper to compare all than to copy them."""
    if 8 * len(rows) > len(items):
        return np.asarray((items.vectors @ vector)[rows], np.float32)
    return np.asarray(items.vectors[rows] @ vector, np.float32)
