"""Predicted texts beside their references, split into words once, for every score to share.

Knows words, by number, and which reference belongs to which prediction; knows no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import XemplarError
from xemplar.metrics.tokenisers import DEFAULT, TokeniserName, Tokens, tokenise_all

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """n predictions with one or several references each, in words.

    `predictions[i]` is one text, `references[i]` its references, at least one; `tokeniser` is how they
    were split. An empty text is kept: it scores 0, and `empty_predictions` and `empty_references`
    count such pairs (the latter, those with no word in any reference).
    """

    predictions: tuple[Tokens, ...]
    references: tuple[tuple[Tokens, ...], ...]
    tokeniser: str

    def __post_init__(self) -> None:
        if len(self.predictions) != len(self.references):
            raise XemplarError(
                f"{len(self.predictions)} predictions for {len(self.references)} references",
                wanted="one reference, or one list of them, for each prediction",
            )
        if not self.predictions:
            raise XemplarError("no pair to score", wanted="one at least")
        if not all(self.references):
            raise XemplarError("a prediction without any reference", wanted="one at least")

    def __len__(self) -> int:
        return len(self.predictions)

    @property
    def empty_predictions(self) -> int:
        """How many predictions hold no word."""
        return sum(not tokens for tokens in self.predictions)

    @property
    def empty_references(self) -> int:
        """How many predictions have no reference with a word."""
        return sum(not any(tokens) for tokens in self.references)

    @cached_property
    def nothing(self) -> NDArray[np.bool_]:
        """(n,) True where the prediction or every reference is without a word: such a pair scores 0."""
        both = zip(self.predictions, self.references, strict=True)
        return np.array([not tokens or not any(others) for tokens, others in both])

    @cached_property
    def lengths(self) -> Ints:
        """(n,) words of each prediction."""
        return np.array([len(tokens) for tokens in self.predictions], dtype=np.int64)

    @cached_property
    def owners(self) -> Ints:
        """(r,) the prediction to which each reference belongs, references in order."""
        return np.repeat(np.arange(len(self)), [len(others) for others in self.references])

    @cached_property
    def reference_lengths(self) -> Ints:
        """(r,) words of each reference, in the order of `owners`."""
        return np.array([len(tokens) for others in self.references for tokens in others], dtype=np.int64)

    @cached_property
    def grams(self) -> tuple[tuple[GramCounts, GramCounts], ...]:
        """For n = 1..4, the n-grams of the predictions and of the references, under common numbers."""
        texts = [*self.predictions, *(tokens for others in self.references for tokens in others)]
        return tuple(
            (counts.rows(0, len(self)), counts.rows(len(self), len(texts)))
            for counts in count_grams(texts, 4)
        )


def pair_texts(
    predictions: Sequence[str],
    references: Sequence[str | Sequence[str]],
    *,
    tokeniser: TokeniserName = DEFAULT,
) -> Pairs:
    """Split predictions and references into words, in the order given.

    `references[i]` is one text or several for `predictions[i]`. Texts that aren't strings, lists of
    different lengths, no pair, and a prediction with an empty list of references raise XemplarError.
    """
    if isinstance(predictions, str) or isinstance(references, str):
        raise XemplarError("one text", wanted="a list of texts")
    several = [[others] if isinstance(others, str) else _listed(others) for others in references]
    flat = [text for others in several for text in others]
    words = iter(tokenise_all([*predictions, *flat], tokeniser))
    predicted = tuple(next(words) for _ in predictions)
    return Pairs(predicted, tuple(tuple(next(words) for _ in others) for others in several), tokeniser)


def _listed(others: Sequence[str]) -> list[str]:
    if not isinstance(others, Sequence):
        raise XemplarError(
            f"a reference that is a {type(others).__name__}", wanted="a text or a list of texts"
        )
    return list(others)


@dataclass(frozen=True, slots=True)
class GramCounts:
    """How often each n-gram stands in each text: a sparse table, one row a text.

    `text`, `gram` and `count` (m,) are ordered by text, then gram; grams are numbered below `kinds`.
    """

    text: Ints
    gram: Ints
    count: Ints
    kinds: int

    def rows(self, start: int, stop: int) -> GramCounts:
        """The texts start..stop-1, numbered from 0."""
        low, high = np.searchsorted(self.text, [start, stop])
        return GramCounts(self.text[low:high] - start, self.gram[low:high], self.count[low:high], self.kinds)


def count_grams(texts: Sequence[Tokens], longest: int) -> list[GramCounts]:
    """Count the n-grams of each text for n = 1..longest; equal grams have equal numbers in all texts."""
    number: dict[str, int] = {}
    words = np.array(
        [number.setdefault(word, len(number)) for text in texts for word in text], dtype=np.int64
    )
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    owner = np.repeat(np.arange(len(texts)), lengths)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(words))
    here, grams = np.arange(len(words)), words
    kinds, tables = max(len(number), 1), []
    for order in range(1, longest + 1):
        if order > 1:
            # A gram is the one before, which is numbered already, and one word more; numbers stay below
            # the number of words squared.
            fits = left[here] >= order
            here, grams = here[fits], grams[fits]
            known, grams = np.unique(
                grams * max(len(number), 1) + words[here + order - 1], return_inverse=True
            )
            kinds = max(len(known), 1)
        cells, count = np.unique(owner[here] * kinds + grams, return_counts=True)
        tables.append(GramCounts(cells // kinds, cells % kinds, count.astype(np.int64), kinds))
    return tables
