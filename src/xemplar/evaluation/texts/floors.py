"""What texts that never saw a film score on the same references: three floors and a ceiling.

Knows texts, whose they are and which are normal; knows no metric. A floor never takes a text of the
patient that it stands in for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import XemplarError

CONSTANT, RANDOM, RANDOM_NORMAL, NEAREST = (
    "constant normal report",
    "random report",
    "random normal report",
    "nearest report (ceiling)",
)
NORMAL = "The heart is normal in size. The lungs are clear. No pleural effusion or pneumothorax."
_ROWS = 512


@dataclass(frozen=True, slots=True)
class Pool:
    """Texts that a floor may take, whose they are, and which of them state nothing abnormal."""

    texts: tuple[str, ...]
    clusters: NDArray[np.str_]
    normal: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if not len(self.texts) == len(self.clusters) == len(self.normal):
            raise XemplarError(
                f"{len(self.texts)} texts, {len(self.clusters)} clusters, {len(self.normal)} marks",
                wanted="one of each",
            )


def floor_texts(
    references: Sequence[str],
    clusters: NDArray[np.str_],
    pool: Pool,
    *,
    seed: int,
    constant: str | None = NORMAL,
) -> dict[str, tuple[str, ...]]:
    """Floor -> a text for every reference, in order.

    `constant normal report`: one text for all, where there is one. `random report`, `random normal report`:
    drawn with the seed from the pool. `nearest report (ceiling)`: the pool's text most like the reference
    itself, which nobody knows beforehand: about what choosing among whole reports can reach. A floor for
    which the pool has no text of somebody else's is left out.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, tuple[str, ...]] = {}
    if constant is not None:
        found[CONSTANT] = (constant,) * len(references)
    everything = np.arange(len(pool.texts))
    for name, rows in ((RANDOM, everything), (RANDOM_NORMAL, np.flatnonzero(pool.normal))):
        drawn = _drawn(rows, pool.clusters, clusters, rng=rng)
        if drawn is not None:
            found[name] = tuple(pool.texts[row] for row in drawn)
    nearest = _nearest(references, clusters, pool)
    if nearest is not None:
        found[NEAREST] = tuple(pool.texts[row] for row in nearest)
    return found


def _drawn(
    rows: NDArray[np.int64], owners: NDArray[np.str_], clusters: NDArray[np.str_], *, rng: np.random.Generator
) -> NDArray[np.int64] | None:
    """For every cluster one of the rows that isn't its own; None where one owns all of them."""
    if len(set(owners[rows])) < 2 and bool(np.isin(clusters, owners[rows]).any() or not len(rows)):
        return None
    drawn = rng.choice(rows, len(clusters))
    while (own := owners[drawn] == clusters).any():
        drawn[own] = rng.choice(rows, int(own.sum()))
    return drawn


def _nearest(references: Sequence[str], clusters: NDArray[np.str_], pool: Pool) -> NDArray[np.int64] | None:
    """Row of the pool's nearest text of somebody else, by the cosine of TF-IDF; ties go to the first."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    if len(set(pool.clusters)) < 2:
        return None
    words = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\S+")
    known = words.fit_transform(pool.texts).T.tocsc()
    asked = words.transform(references)
    best = np.empty(len(references), np.int64)
    for start in range(0, len(references), _ROWS):
        rows = slice(start, start + _ROWS)
        alike = (asked[rows] @ known).toarray()
        alike[clusters[rows][:, None] == pool.clusters[None, :]] = -1.0
        best[rows] = alike.argmax(axis=1)
    return best
