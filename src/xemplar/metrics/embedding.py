"""Agreement of embeddings: cosine of two texts' vectors, and BERTScore's matching of token vectors.

Knows arrays; knows nothing of the model that made them, which is the larger part of what such a score
is called by: the same arithmetic over another model, layer, baseline or idf is another score. What has
no score is NaN and counted; silence is not among that, it scores 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import MismatchError, XemplarError

Floats = NDArray[np.floating[Any]]


def cosine(first: Floats, second: Floats) -> NDArray[np.float64]:
    """Cosine of each row of one with the same row of the other: (n, dim), (n, dim) -> (n,) in -1..1.

    NaN where a row has no length. Of CheXbert's [CLS] vectors it is CXR-RePaiR's s_emb. Other shapes
    or numbers that are not finite raise XemplarError.
    """
    if first.ndim != 2 or first.shape != second.shape:
        raise MismatchError(f"vectors of shapes {first.shape} and {second.shape}", wanted="(n, dim), twice")
    one, other = _finite(first), _finite(second)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    dots = np.einsum("nd,nd->n", one, other)
    return np.where(lengths > 0, dots / np.where(lengths > 0, lengths, 1.0), np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class TokenVectors:
    """The tokens of one text: `vectors` (tokens, dim), `ids` (tokens,), `special` (tokens,).

    Special tokens ([CLS], [SEP]) may be matched by others and weigh nothing themselves.
    """

    vectors: Floats
    ids: NDArray[np.int64]
    special: NDArray[np.bool_]

    def __post_init__(self) -> None:
        count = len(self.ids)
        if self.vectors.ndim != 2 or len(self.vectors) != count or self.special.shape != (count,):
            raise MismatchError(
                f"{len(self.vectors)} vectors, {count} ids and {len(self.special)} marks",
                wanted="one of each for every token",
            )

    @property
    def empty(self) -> bool:
        """Whether there is no token but special ones."""
        return bool(self.special.all())


@dataclass(frozen=True, slots=True)
class IdfWeights:
    """log((N + 1) / (df + 1)) of a token in N reference texts; of one that none holds, log(N + 1)."""

    texts: int
    weights: Mapping[int, float]

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """(tokens,) ids -> (tokens,) weights."""
        unknown = math.log(self.texts + 1)
        return np.array([self.weights.get(int(one), unknown) for one in ids], np.float64)


def idf_weights(references: Sequence[NDArray[np.int64]]) -> IdfWeights:
    """Weights of tokens by how few references hold them, as the package bert_score counts them.

    Takes the token ids of each reference, special ones included. Of a single reference every token it
    holds would weigh 0, and an exact copy would score 0: refused, as is no reference at all.
    """
    texts = len(references)
    if texts < 2:
        raise XemplarError(
            f"idf weights from {texts} reference{'s' * (texts != 1)}",
            wanted="two at least: of one, every weight is 0",
            remedy="score without idf, or count it over a larger set of references",
        )
    held = Counter(token for one in references for token in {int(name) for name in one})
    return IdfWeights(texts, {token: math.log((texts + 1) / (count + 1)) for token, count in held.items()})


@dataclass(frozen=True, slots=True, eq=False)
class BertScores:
    """Precision, recall and F1 of every pair, each (pairs,); NaN where undefined.

    `undefined` counts those: the reference is empty, or all tokens of one side weigh nothing. `empty`
    counts the empty predictions of a reference that isn't; they score 0 before any rescaling.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    undefined: int
    empty: int


def bert_scores(
    predictions: Sequence[TokenVectors],
    references: Sequence[TokenVectors],
    *,
    idf: IdfWeights | None = None,
    baseline: Sequence[float] | None = None,
) -> BertScores:
    """Greedy matching of tokens by cosine, pair by pair (Zhang et al., BERTScore, 2020).

    Precision is the weighted mean over the prediction's tokens of the best cosine with any token of
    the reference, recall the same the other way, F1 their harmonic mean. Tokens weigh 1, or their
    `idf`. `baseline` (precision, recall, f1) rescales each x to (x - b) / (1 - b). Unlike in the
    package bert_score, padding is no token: there a text's score can depend on the others in its
    batch. Unequal numbers, vectors that aren't finite or a baseline of 1 or more raise XemplarError.
    """
    if len(predictions) != len(references):
        raise MismatchError(
            f"{len(predictions)} predictions for {len(references)} references", wanted="pairs"
        )
    if baseline is not None and (len(baseline) != 3 or not all(-1 < one < 1 for one in baseline)):
        raise XemplarError(
            f"baseline {list(baseline)}", wanted="three numbers below 1: precision, recall, f1"
        )
    scores = np.array(
        [_pair(said, true, idf) for said, true in zip(predictions, references, strict=True)], np.float64
    ).reshape(-1, 3)
    if baseline is not None:
        scores = (scores - np.asarray(baseline)) / (1 - np.asarray(baseline))
    return BertScores(
        precision=scores[:, 0],
        recall=scores[:, 1],
        f1=scores[:, 2],
        undefined=int(np.count_nonzero(np.isnan(scores).any(axis=1))),
        empty=sum(said.empty and not true.empty for said, true in zip(predictions, references, strict=True)),
    )


def joined(parts: Sequence[BertScores]) -> BertScores:
    """Scores of several runs of pairs as those of one."""
    precision, recall, f1 = (
        np.concatenate([np.zeros(0), *(getattr(part, name) for part in parts)])
        for name in ("precision", "recall", "f1")
    )
    undefined, empty = sum(part.undefined for part in parts), sum(part.empty for part in parts)
    return BertScores(precision, recall, f1, undefined, empty)


def _pair(said: TokenVectors, true: TokenVectors, idf: IdfWeights | None) -> tuple[float, float, float]:
    nothing = (math.nan, math.nan, math.nan)
    if true.empty:
        return nothing
    if said.empty:
        return (0.0, 0.0, 0.0)
    weights = [np.where(one.special, 0.0, idf.of(one.ids) if idf else 1.0) for one in (said, true)]
    if not all(one.sum() > 0 for one in weights):
        return nothing
    if said.vectors.shape[1] != true.vectors.shape[1]:
        raise MismatchError(
            f"tokens of {said.vectors.shape[1]} and {true.vectors.shape[1]} dimensions", wanted="one model's"
        )
    similar = _unit(said.vectors) @ _unit(true.vectors).T
    precision = float(similar.max(axis=1) @ weights[0] / weights[0].sum())
    recall = float(similar.max(axis=0) @ weights[1] / weights[1].sum())
    both = precision + recall
    # Where nothing is alike it is 0, as in bert_score.
    return precision, recall, 2 * precision * recall / both if both != 0 else 0.0


def _unit(vectors: Floats) -> NDArray[np.float64]:
    rows = _finite(vectors)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not lengths.all():
        raise XemplarError("a token vector of length 0", wanted="vectors with a direction")
    return np.asarray(rows / lengths)


def _finite(vectors: Floats) -> NDArray[np.float64]:
    rows = np.asarray(vectors, np.float64)
    if not np.isfinite(rows).all():
        raise XemplarError("a vector that is not finite", wanted="finite numbers")
    return rows
