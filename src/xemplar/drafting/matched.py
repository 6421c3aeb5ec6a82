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

CANDIDATES = 12
"""Nearest sentences by cosine that are judged, of each finding and side."""
TOP = 3
"""Of which so many best ones count."""

Rows = NDArray[np.int64]


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

    def margins(
        self, images: Sequence[Image], similar: NDArray[np.float32], sides: Sequence[tuple[Rows, Rows]]
    ) -> NDArray[np.float32]:
        """For each finding how much better the best sentences that state it match than those that deny it.

        Means of the TOP scores among the CANDIDATES nearest. `similar` (texts,) are cosines, -inf for a
        text that is left out; `sides` are the rows of the texts that state and that deny each finding. A
        study's several images are judged one by one and their scores averaged. 0 where nothing states it,
        or nothing denies it: a score says nothing alone.
        """
        near = [(_nearest(similar, stating), _nearest(similar, denying)) for stating, denying in sides]
        asked = np.unique(np.concatenate([np.zeros(0, np.int64), *(rows for pair in near for rows in pair)]))
        scores = np.zeros(len(similar), np.float32)
        if len(asked):
            scores[asked] = self.scores(images, asked)
        found = [
            _mean_of_best(scores[stating]) - _mean_of_best(scores[denying])
            if len(stating) and len(denying) else 0.0
            for stating, denying in near
        ]  # fmt: skip
        return np.array(found, np.float32)

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


def _nearest(similar: NDArray[np.float32], rows: Rows) -> Rows:
    """The nearest of some texts that aren't left out, equal ones by rising row."""
    known = rows[np.isfinite(similar[rows])]
    return known[np.lexsort((known, -similar[known]))[:CANDIDATES]]


def _mean_of_best(scores: NDArray[np.float32]) -> float:
    # Sorted, since the few are added up: in another order the sum has other bits.
    return float(np.sort(scores)[-TOP:].mean())
