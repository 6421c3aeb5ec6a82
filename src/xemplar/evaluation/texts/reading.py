"""Texts -> what they say of the 14 observations, each distinct text read once.

Knows the labeler and which texts are English; knows no score. Another language is left alone: such a text
mentions nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from xemplar.findings import Labeler, Profile
from xemplar.metrics.labels import LabelTable, presence_table
from xemplar.records import OBSERVATIONS, Presence
from xemplar.report import is_english


class Reader:
    """A labeler that leaves other languages alone, and remembers every text that it met."""

    def __init__(self, profile: Profile) -> None:
        self._labeler = Labeler(profile)
        self._english: dict[str, bool] = {}
        self._said: dict[str, Mapping[str, Presence]] = {}

    def english(self, texts: Iterable[str]) -> NDArray[np.bool_]:
        """(n,) which texts are to be read as English; one that gives no sign either way is."""
        return np.array([self._is_english(text) for text in texts], np.bool_)

    def table(self, texts: Sequence[str]) -> LabelTable:
        """(n, 14) what each text says."""
        return presence_table([self._presences(text) for text in texts], OBSERVATIONS)

    def _is_english(self, text: str) -> bool:
        if text not in self._english:
            self._english[text] = is_english(text)
        return self._english[text]

    def _presences(self, text: str) -> Mapping[str, Presence]:
        if text not in self._said:
            self._said[text] = self._labeler.label(text).presences if self._is_english(text) else {}
        return self._said[text]
