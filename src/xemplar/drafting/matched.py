"""What a matcher makes of the sentences that state a finding, against those that deny it, for an image.

Knows a matcher and prepared texts; which sentences say what, and which are near, it is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from xemplar.contracts import Matcher, TextStates
from xemplar.records import Image

CANDIDATES = 50
"""Sentences that are judged for an image, of all findings and sides together."""
TOP = 3
"""Of a finding's side so many best ones count."""

Rows = NDArray[np.int64]
Sides = Sequence[tuple[Rows, Rows]]
"""For each finding the rows of the texts that state it, and of those that deny it."""


@runtime_checkable
class Choosable(Protocol):
    """Prepared texts of which some can be taken."""

    def take(self, rows: Sequence[int]) -> TextStates:
        """Those rows, in that order."""
        ...


class Matched:
    """Margins of match scores; the texts are prepared once, when first they are asked for."""

    def __init__(self, matcher: Matcher, texts: Sequence[str]) -> None:
        self.matcher, self.texts = matcher, texts

    @property
    def name(self) -> str:
        """Of the margins: whose they are, and of how many candidates."""
        return f"match margin of {CANDIDATES} by {self.matcher.fingerprint}"

    def margins(
        self, images: Sequence[Image], similar: NDArray[np.float32], sides: Sides
    ) -> NDArray[np.float32]:
        """For each finding how much better the best sentences that state it match than those that deny it.

        Means of the TOP scores of each side's sentences among the CANDIDATES (`candidates`). `similar`
        (texts,) are cosines, -inf for a text that is left out. A study's several images are judged one
        by one and their scores averaged. 0 where nothing judged states it, or nothing denies it: a score
        says nothing alone.
        """
        asked = candidates(similar, sides)
        scores, judged = np.zeros(len(similar), np.float32), np.zeros(len(similar), np.bool_)
        if len(asked):
            scores[asked], judged[asked] = self.scores(images, asked), True
        found = [[scores[rows[judged[rows]]] for rows in pair] for pair in sides]
        margins = [
            _mean_of_best(stating) - _mean_of_best(denying) if len(stating) and len(denying) else 0.0
            for stating, denying in found
        ]
        return np.array(margins, np.float32)

    def scores(self, images: Sequence[Image], rows: Rows) -> NDArray[np.float32]:
        """How well some of the texts match a study, (rows,)."""
        if isinstance(self._states, Choosable):
            states = self._states.take(rows.tolist())
        else:
            states = self.matcher.prepare([self.texts[row] for row in rows.tolist()])
        return np.asarray(self.matcher.match(images, states).scores.mean(0), np.float32)

    @cached_property
    def _states(self) -> TextStates:
        return self.matcher.prepare(self.texts)


def candidates(similar: NDArray[np.float32], sides: Sides) -> Rows:
    """Rows of the CANDIDATES texts that are judged, rising; fewer where there are fewer.

    The nearest of every finding's every side first, then the second nearest of each, and so on, in each turn
    the nearer before the less near: so that a finding whose sentences are all less near is judged, too. A
    finding that one side says nothing of is not, since a score says nothing alone.
    """
    near = [[_nearest(similar, rows) for rows in pair] for pair in sides]
    judged = [rows for pair in near if all(map(len, pair)) for rows in pair]
    chosen: list[int] = []
    for turn in range(CANDIDATES):
        asked = {int(rows[turn]) for rows in judged if turn < len(rows)} - set(chosen)
        chosen += sorted(asked, key=lambda row: (-similar[row], row))
        if len(chosen) >= CANDIDATES:
            break
    return np.array(sorted(chosen[:CANDIDATES]), np.int64)


def _nearest(similar: NDArray[np.float32], rows: Rows) -> Rows:
    """The CANDIDATES nearest of some texts that aren't left out, equal ones by rising row."""
    cosines = similar[rows]
    if len(rows) > CANDIDATES:
        # Whatever is no nearer than the last that counts needn't be sorted.
        edge = np.partition(cosines, -CANDIDATES)[-CANDIDATES]
        rows, cosines = rows[cosines >= edge], cosines[cosines >= edge]
    rows, cosines = rows[np.isfinite(cosines)], cosines[np.isfinite(cosines)]
    return rows[np.lexsort((rows, -cosines))[:CANDIDATES]]


def _mean_of_best(scores: NDArray[np.float32]) -> float:
    # Sorted, since the few are added up: in another order the sum has other bits.
    return float(np.sort(scores)[-TOP:].mean())
