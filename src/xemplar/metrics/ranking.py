"""How high the right items stand in a ranking.

Knows score matrices and how right each item is for each query; knows nothing of where either came from:
`relevance.py` makes tables of what is right, `chance.py` says what a random order would score. A tie
earns nothing: wherever a right and a wrong item share a score, the wrong one is ahead, so that no order
of rows and no name can win a rank. Rows are sorted once, in blocks, and every measure reads that order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from xemplar.errors import XemplarError
from xemplar.metrics.ranked import Ranked, Relevance, Scores, Ties, ranked_blocks

DEFAULT_MEASURES = (
    *(f"{name}@{k}" for name in ("success", "recall", "precision") for k in (1, 5, 10)),
    *("rank", "reciprocal_rank", "r_precision", "average_precision"),
    *("ndcg@10", "ndcg", "ndcg_exp@10", "ndcg_exp"),
)

_LARGEST_EXPONENT = 1000.0
"""Of a grade: 2 to this power still is a number."""


def per_query(
    scores: Scores,
    relevance: Relevance,
    measures: Sequence[str] = DEFAULT_MEASURES,
    *,
    ties: Ties = "pessimistic",
    item_names: Sequence[str] | None = None,
    exclude: NDArray[np.bool_] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Every measure of every query, from one sort of each row: measure -> (q,).

    `scores` (q, n), higher is better, infinite allowed. `relevance` (q, n) is bool, or grades from 0 on
    (kept in single precision); an item is right where its grade is above 0. `exclude` (q, n) is true
    where an item is no candidate of that query: it takes no place and isn't missed.

    Measures, as trec_eval defines them where it does:
      success@k            1 where a right item stands in the top k ("R@k" in CLIP papers)
      recall@k             share of the right items that stand in the top k
      precision@k          share of the top k that is right
      r_precision          precision at k = the number of right items
      rank                 place, from 1, of the first right item; n + 1 where there is none
      reciprocal_rank      1 / rank
      average_precision    mean over right items of the precision at their place; with @k those beyond
                           k add nothing (trec_eval's map_cut)
      ndcg, ndcg_exp       discounted gain over that of the best order, discount log2(rank + 1), gain the
                           grade (K. Järvelin and J. Kekäläinen, 2002) or 2^grade - 1 (C. Burges et al.,
                           2005); with @k of the top k, the best order cut there too
    A query without a right item counts: it scores 0, its rank is n + 1.

    `ties`: "pessimistic" puts the lower grade ahead among equal scores; "optimistic" the higher, to
    show how much ties hide and never to be reported alone; "trec" is trec_eval's order, by falling
    `item_names` (n,), and there an item of score -inf is one that was not retrieved. NaN scores,
    negative grades, unknown measures and shapes that differ raise XemplarError.
    """
    wanted = {name: _parse(name) for name in measures}
    blocks = ranked_blocks(scores, relevance, ties=ties, item_names=item_names, exclude=exclude)
    found = {name: np.empty(len(scores), dtype=np.float64) for name in wanted}
    for rows, block in blocks:
        for name, (measure, k) in wanted.items():
            found[name][rows] = measure(block, k)
    return found


def averages(values_per_query: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Means over queries of what `per_query` returns; of ranks the median.

    `reciprocal_rank`, `average_precision` and `rank` become `mrr`, `map` and `median_rank`. No query
    raises XemplarError.
    """
    whole: dict[str, float] = {}
    for name, values in values_per_query.items():
        if not len(values):
            raise XemplarError("no query", wanted="a query at least")
        kind, at, k = name.partition("@")
        middle = np.median if kind == "rank" else np.mean
        whole[_AVERAGED.get(kind, kind) + at + k] = float(middle(values))
    return whole


_AVERAGED = {"reciprocal_rank": "mrr", "average_precision": "map", "rank": "median_rank"}


def right_ranks(
    scores: Scores,
    relevant: NDArray[np.bool_],
    *,
    ties: Ties = "pessimistic",
    item_names: Sequence[str] | None = None,
    exclude: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Rank, from 1, of the best-placed right item of every query: (q,) in 1..n+1.

    `relevant` (q, n) says which items are right. A query without a right item gets n+1 and still
    counts. The rest and the errors as `per_query`.
    """
    _check_bool(relevant)
    arguments = {"ties": ties, "item_names": item_names, "exclude": exclude}
    return per_query(scores, relevant, ("rank",), **arguments)["rank"].astype(np.int64)  # type: ignore[arg-type]


def success_at_k(scores: Scores, relevant: NDArray[np.bool_], k: int) -> NDArray[np.float64]:
    """1.0 where a right item stands in the top k, else 0.0: (q,). "R@k" in CLIP papers.

    Arguments and errors as `right_ranks`; k at least 1.
    """
    _check_bool(relevant)
    return per_query(scores, relevant, (f"success@{k}",))[f"success@{k}"]


def recall_at_k(scores: Scores, relevant: NDArray[np.bool_], k: int) -> NDArray[np.float64]:
    """Share of a query's right items that stand in the top k, wrong ones ahead in a tie: (q,).

    A query without a right item gets 0, as in trec_eval. Arguments and errors as `success_at_k`.
    """
    _check_bool(relevant)
    return per_query(scores, relevant, (f"recall@{k}",))[f"recall@{k}"]


def reciprocal_ranks(scores: Scores, relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
    """1 / `right_ranks` for each query, 0 for a query without a right item (trec_eval): (q,)."""
    _check_bool(relevant)
    return per_query(scores, relevant, ("reciprocal_rank",))["reciprocal_rank"]


def _success(block: Ranked, k: int) -> NDArray[np.float64]:
    return (block.hits(k) > 0).astype(np.float64)


def _recall(block: Ranked, k: int) -> NDArray[np.float64]:
    return block.over_right(block.hits(k))


def _precision(block: Ranked, k: int) -> NDArray[np.float64]:
    return block.hits(k) / k


def _r_precision(block: Ranked, _: int) -> NDArray[np.float64]:
    rows, places, _ordinals = block.places
    early = rows[places <= block.right_count[rows]]
    return block.over_right(np.bincount(early, minlength=len(block.right)))


def _average_precision(block: Ranked, k: int) -> NDArray[np.float64]:
    rows, places, ordinals = block.places
    gained = np.where(places <= k, ordinals / places, 0.0)
    return block.over_right(np.bincount(rows, weights=gained, minlength=len(block.right)))


def _rank(block: Ranked, _: int) -> NDArray[np.float64]:
    return block.rank.astype(np.float64)


def _reciprocal_rank(block: Ranked, _: int) -> NDArray[np.float64]:
    return np.where(block.rank <= block.right.shape[1], 1.0 / block.rank, 0.0)


def _ndcg(block: Ranked, k: int) -> NDArray[np.float64]:
    return _gain_ratio(block.grades[:, :k].astype(np.float64), block.best_order[:, :k].astype(np.float64))


def _ndcg_exp(block: Ranked, k: int) -> NDArray[np.float64]:
    if block.judged.max() > _LARGEST_EXPONENT:
        raise XemplarError(
            f"a grade of {block.judged.max():g} as an exponent",
            wanted=f"grades up to {_LARGEST_EXPONENT:g} for ndcg_exp",
            remedy="ask for ndcg",
        )
    return _gain_ratio(
        *(np.exp2(table[:, :k], dtype=np.float64) - 1 for table in (block.grades, block.best_order))
    )


def _gain_ratio(ranked: NDArray[np.float64], best: NDArray[np.float64]) -> NDArray[np.float64]:
    discount = 1 / np.log2(np.arange(2, ranked.shape[1] + 2))
    ideal = best @ discount
    # The two sums may be rounded differently; no order is better than the best one.
    return np.minimum(ranked @ discount / np.where(ideal > 0, ideal, 1.0), 1.0)


_Measure = Callable[[Ranked, int], NDArray[np.float64]]
_AT_K: dict[str, _Measure] = {"success": _success, "recall": _recall, "precision": _precision}
_WHOLE: dict[str, _Measure] = {
    "r_precision": _r_precision, "rank": _rank, "reciprocal_rank": _reciprocal_rank,
}  # fmt: skip
_EITHER: dict[str, _Measure] = {"average_precision": _average_precision, "ndcg": _ndcg, "ndcg_exp": _ndcg_exp}
_NO_CUT = int(np.iinfo(np.int32).max)


def _parse(name: str) -> tuple[_Measure, int]:
    """The function and the k of a measure's name."""
    told = re.fullmatch(r"([a-z_]+)(?:@(-?\d+))?", name)
    kind, k = (told[1], told[2]) if told else ("", None)
    known = {**_EITHER, **(_WHOLE if k is None else _AT_K)}
    if kind not in known:
        names = [*(f"{at}@k" for at in _AT_K), *_WHOLE, *(f"{either}[@k]" for either in _EITHER)]
        raise XemplarError(f"measure {name!r}", wanted=", ".join(names))
    if k is not None and int(k) < 1:
        raise XemplarError(f"k = {k}", wanted="k of at least 1")
    return known[kind], _NO_CUT if k is None else min(int(k), _NO_CUT)


def _check_bool(relevant: NDArray[np.bool_]) -> None:
    if relevant.dtype != np.bool_:
        raise XemplarError(
            f"relevance of type {relevant.dtype}", wanted="bool", remedy="per_query takes grades"
        )
