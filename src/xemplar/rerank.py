"""Hits -> hits: which candidates stay, by a matcher's scores and by a judge of pairs of texts.

Knows scores, texts and verdicts; knows no network: scores and the judge are handed in. The rules are
X-REM's (Jeong et al., 2023), without what is wrong in its program: an empty candidate is none, one
asked for is one kept, none asked for is none, and a score that is no number is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import XemplarError
from xemplar.records import Hit

Verdict = Literal["entailment", "neutral", "contradiction"]
VERDICTS: tuple[Verdict, ...] = ("entailment", "neutral", "contradiction")
"""In the order of X-REM's judge's logits."""

Judge = Callable[[str, str], Verdict]
"""What a premise says of a hypothesis."""

TOO_ALIKE = 0.5
"""BERTScore F1 from which X-REM's other filter takes two texts to say the same."""


def best(scores: Sequence[float] | NDArray[np.floating], count: int) -> list[int]:
    """Places of the `count` highest scores, highest first; equal ones by rising place.

    Fewer where there are fewer. A score that is no number raises XemplarError.
    """
    values = np.asarray(scores, np.float64)
    if values.ndim != 1 or np.isnan(values).any():
        raise XemplarError(
            f"{int(np.isnan(values).sum())} of {values.shape} scores are no numbers",
            wanted="a row of numbers",
            where="rerank",
        )
    if count < 0:
        raise XemplarError(f"{count} candidates asked for", wanted="0 or more", where="rerank")
    return [int(place) for place in np.argsort(-values, kind="stable")[:count]]


def reranked(hits: Sequence[Hit], scores: Sequence[float] | NDArray[np.floating], *, keep: int) -> list[Hit]:
    """The `keep` best hits by a matcher's scores, which become theirs; the others' are kept beside it."""
    if len(scores) != len(hits):
        raise XemplarError(f"{len(scores)} scores", wanted=f"{len(hits)}, one a hit", where="rerank")
    chosen = best(scores, keep)
    return [
        replace(hits[at], score=float(scores[at]), scores={**hits[at].scores, "matcher": float(scores[at])})
        for at in chosen
    ]


def keep_consistent(texts: Sequence[str], judge: Judge, count: int) -> list[int]:
    """Places of what is neither entailed nor contradicted by what is kept before it, at most `count`.

    The first text is kept; the premise for every other is all that is kept, joined by a space. Blank
    texts are no candidates and the judge isn't asked once enough is kept.
    """
    return _kept(texts, count, lambda premise, hypothesis: judge(premise, hypothesis) == "neutral")


def keep_dissimilar(
    texts: Sequence[str], alike: Callable[[str, str], float], count: int, *, below: float = TOO_ALIKE
) -> list[int]:
    """Places of what is alike by less than `below` to all that is kept before it, at most `count`.

    X-REM's variant by BERTScore: `alike(kept, candidate)` is its F1.
    """
    return _kept(texts, count, lambda kept, candidate: alike(kept, candidate) < below)


def _kept(texts: Sequence[str], count: int, adds: Callable[[str, str], bool]) -> list[int]:
    if count < 0:
        raise XemplarError(f"{count} texts asked for", wanted="0 or more", where="rerank")
    kept: list[int] = []
    for place, text in enumerate(texts):
        if len(kept) >= count:
            break
        if not text.strip():
            continue
        if not kept or adds(" ".join(texts[at] for at in kept), text):
            kept.append(place)
    return kept
