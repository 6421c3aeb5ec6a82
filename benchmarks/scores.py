"""What ranking scores, classification scores and their statistics cost, beside named peers in the same run.

Processor time on one thread, the median of three runs; arrays are drawn, their making is not timed. The
peers: scikit-learn's ranking scores on the whole matrix; trec_eval's C code through pytrec_eval and ranx on
a part of it, since they want a dictionary entry for every score (its making is not timed either, though
somebody must); scipy's bootstrap for one score. The few ties among scores in single precision set the
answers of scikit-learn and ranx apart from ours; without ties scikit-learn's are equal. pytrec_eval-terrier
and ranx are looked for in the Python that --peers names, and left out with a word where it has none.

Usage: OMP_NUM_THREADS=1 python benchmarks/scores.py [--peers python] [--out docs/results/scores.json]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np

QUERIES, PART = 5_000, 500
STUDIES, PATIENTS, REPLICATES, FINDINGS = 3_000, 2_400, 1_000, 14
REPEATS = 3
TREC = {
    "success.1,5,10": "success@1 success@5 success@10",
    "recall.1,5,10": "recall@1 recall@5 recall@10",
    "P.1,5,10": "precision@1 precision@5 precision@10",
    "recip_rank": "reciprocal_rank",
    "Rprec": "r_precision",
    "map": "average_precision",
    "ndcg": "ndcg",
    "ndcg_cut.10": "ndcg@10",
}
RANX = {
    **{f"{theirs}@{k}": f"{ours}@{k}" for k in (1, 5, 10)
       for theirs, ours in (("hit_rate", "success"), ("recall", "recall"), ("precision", "precision"))},
    "mrr": "reciprocal_rank", "r-precision": "r_precision", "map": "average_precision",
    "ndcg": "ndcg", "ndcg@10": "ndcg@10", "ndcg_burges": "ndcg_exp", "ndcg_burges@10": "ndcg_exp@10",
}  # fmt: skip


def main() -> None:
    """Measure, print and write."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--peers", type=Path, help="a Python with pytrec_eval-terrier and ranx")
    wanted.add_argument("--out", type=Path, default=Path("docs/results/scores.json"))
    wanted.add_argument("--be", choices=("trec_eval", "ranx"), help=argparse.SUPPRESS)
    given = wanted.parse_args()
    if given.be:
        print(json.dumps(peer_of_ranking(given.be)))
        return
    if os.environ.get("OMP_NUM_THREADS") != "1":
        wanted.error("one core is what is measured: set OMP_NUM_THREADS=1")
    from machine import machine

    report = {"machine": machine(), **libraries()}
    for part in (ranking(given.peers), resampling(), classification()):
        report |= part
        print(json.dumps(part, indent=1), flush=True)
    given.out.write_text(json.dumps(report, indent=1) + "\n")


def libraries() -> dict:
    import scipy
    import sklearn

    return {"numpy": np.__version__, "scikit-learn": sklearn.__version__, "scipy": scipy.__version__}


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Processor seconds, the median of some runs."""
    spent = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return round(statistics.median(spent), 3)


def peak_mib(work: Callable[[], object]) -> float:
    """MiB that the work holds at most beyond what was there, by numpy's own account."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return round(peak / 2**20, 1)


# --- ranking ---


def drawn_ranking(queries: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores (queries, 5,000) in single precision and graded relevance: findings that two studies share."""
    rng = np.random.default_rng(0)
    findings = rng.random((QUERIES, FINDINGS)) < 0.12
    noise = rng.standard_normal((QUERIES, QUERIES), dtype=np.float32)[:queries]
    grades = findings[:queries].astype(np.float32) @ findings.T.astype(np.float32)
    return (grades + 2 * noise).astype(np.float32), grades


def ranking(peers: Path | None) -> dict:
    from sklearn.metrics import label_ranking_average_precision_score, ndcg_score

    from xemplar.metrics.ranking import DEFAULT_MEASURES, per_query
    from xemplar.metrics.relevance import equal_findings, jaccard_of_findings, shared_findings

    scores, grades = drawn_ranking(QUERIES)
    same = np.eye(QUERIES, dtype=bool)
    double, names = scores.astype(np.float64), [f"d{item:05d}" for item in range(QUERIES)]
    out = np.random.default_rng(2).random(scores.shape) < 0.1
    known = np.random.default_rng(1).random((QUERIES, FINDINGS)) < 0.12
    found = {
        "queries": QUERIES, "items": QUERIES, "measures": list(DEFAULT_MEASURES),
        "all_measures_s": {
            "one right item": seconds(lambda: per_query(scores, same)),
            "graded": seconds(lambda: per_query(scores, grades)),
            "graded, a tenth left out": seconds(
                lambda: per_query(scores, grades, exclude=out)
            ),
            "graded, trec_eval's order": seconds(
                lambda: per_query(scores, grades, ties="trec", item_names=names)
            ),
            "graded, double precision": seconds(lambda: per_query(double, grades)),
        },
        "held_meanwhile_mib": peak_mib(lambda: per_query(scores, grades)),
        "relevance_s": {
            "equal findings": seconds(lambda: equal_findings(known, known)),
            "shared findings": seconds(lambda: shared_findings(known, known)),
            "jaccard": seconds(lambda: jaccard_of_findings(known, known)),
        },
        "peers": {},
    }  # fmt: skip
    right = grades > 0
    some = right.any(axis=1)  # a query without a right item is 1 for scikit-learn, 0 for us and trec_eval
    for name, theirs, measure in (
        (
            "scikit-learn ndcg_score, ties ignored",
            lambda: ndcg_score(grades, scores, ignore_ties=True),
            "ndcg",
        ),
        (
            "scikit-learn label_ranking_average_precision_score",
            lambda: label_ranking_average_precision_score(right[some], scores[some]),
            "average_precision",
        ),
    ):
        said = per_query(scores, grades, (measure,))[measure]
        said = said[some].mean() if measure == "average_precision" else said.mean()
        one = seconds(lambda theirs=theirs: theirs(), 1)
        ours = seconds(lambda measure=measure: per_query(scores, grades, (measure,)))
        found["peers"][name] = {
            "queries": QUERIES, "measures": 1, "peer_s": one, "ours_s": ours,
            "times_faster": round(one / ours, 1), "apart": float(abs(theirs() - said)),
        }  # fmt: skip
    for name in ("trec_eval", "ranx") if peers else ():
        found["peers"][name] = beside(name, peers)
    return {"ranking": found}


def beside(name: str, peers: Path) -> dict:
    """A peer that lives in another Python, and ours on the same scores for the same measures."""
    from xemplar.metrics.ranking import per_query

    told = subprocess.run([peers, __file__, "--be", name], capture_output=True, text=True, check=False)
    if told.returncode:
        return {"left out": (told.stderr.strip().splitlines() or ["no word"])[-1]}
    peer = json.loads(told.stdout.strip().splitlines()[-1])
    scores, grades = drawn_ranking(PART)
    names = [f"d{item:05d}" for item in range(QUERIES)]
    measures = tuple(
        name for names in (TREC if name == "trec_eval" else RANX).values() for name in names.split()
    )
    score = lambda: per_query(scores, grades, measures, ties="trec", item_names=names)  # noqa: E731
    ours, values = seconds(score), score()
    apart = max(abs(peer["means"][measure] - values[measure].mean()) for measure in measures)
    return {
        "version": peer["version"], "queries": PART, "measures": len(measures), "peer_s": peer["seconds"],
        "ours_s": ours, "times_faster": round(peer["seconds"] / ours, 1), "apart": float(apart),
        "peer_dictionaries_s": peer["dictionaries_s"],
    }  # fmt: skip


def peer_of_ranking(name: str) -> dict:
    """Runs in the other Python, which need not have Xemplar."""
    from importlib.metadata import version

    scores, grades = drawn_ranking(PART)
    began = time.process_time()
    run = {
        f"q{query:04d}": {f"d{item:05d}": float(score) for item, score in enumerate(row)}
        for query, row in enumerate(scores)
    }
    truth = {
        f"q{query:04d}": {f"d{item:05d}": int(row[item]) for item in np.flatnonzero(row)} or {"d00000": 0}
        for query, row in enumerate(grades)
    }
    made = time.process_time() - began
    if name == "trec_eval":
        import pytrec_eval

        judge = pytrec_eval.RelevanceEvaluator(truth, set(TREC))
        spent, each = seconds(lambda: judge.evaluate(run)), judge.evaluate(run)
        means = {
            our: float(np.mean([row[their] for row in each.values()]))
            for key, ours in TREC.items()
            for our, their in zip(ours.split(), names_of(key), strict=True)
        }
        return {"version": version("pytrec_eval-terrier"), "seconds": spent, "means": means,
                "dictionaries_s": round(made, 3)}  # fmt: skip
    from ranx import Qrels, Run, evaluate

    began = time.process_time()
    runs, judged = (
        Run(run),
        Qrels({query: {d: g for d, g in row.items() if g} or row for query, row in truth.items()}),
    )
    made += time.process_time() - began
    score = lambda: evaluate(judged, runs, list(RANX), threads=1, make_comparable=True)  # noqa: E731
    found = score()  # compiles, too
    return {"version": version("ranx"), "seconds": seconds(score), "dictionaries_s": round(made, 3),
            "means": {ours: float(found[theirs]) for theirs, ours in RANX.items()}}  # fmt: skip


def names_of(key: str) -> list[str]:
    kind, _, cuts = key.partition(".")
    return [f"{kind}_{cut}" for cut in cuts.split(",")] if cuts else [kind]


# --- statistics ---


def resampling() -> dict:
    from scipy import stats

    from xemplar.metrics.classification import f1, mean_of_defined, sensitivity
    from xemplar.metrics.statistics import Resampler, holm, ratio, with_counts

    rng = np.random.default_rng(3)
    patients = rng.integers(0, PATIENTS, size=STUDIES)
    means = [[with_counts(rng.random(STUDIES) + shift) for shift in (0.02, 0.0)] for _ in range(8)]
    tables = [
        [(rng.random((STUDIES, FINDINGS, 4)) < 0.25).astype(np.int64) for _ in range(2)] for _ in range(3)
    ]
    of_tables = {
        "micro": lambda sums: f1(sums.sum(axis=-2)),
        "macro": lambda sums: mean_of_defined(f1(sums)),
        "recall": lambda sums: mean_of_defined(sensitivity(sums)),
        "first five": lambda sums: f1(sums[..., :5, :].sum(axis=-2)),
    }

    def compared() -> dict:
        draws, found = Resampler(patients, seed=0, replicates=REPLICATES), {}
        for place, pair in enumerate(means):
            found[f"mean {place}"] = draws.comparison(ratio, *pair)
        for place, pair in enumerate(tables):
            for name, one in draws.comparisons(of_tables, *pair).items():
                found[f"table {place} {name}"] = one
        holm({name: one.p_randomised for name, one in found.items()})
        return found

    def alone() -> None:
        draws = Resampler(patients, seed=0, replicates=REPLICATES)
        for place, pair in enumerate(means):
            draws.intervals({str(place): ratio}, pair[0])
        for pair in tables:
            draws.intervals(of_tables, pair[0])

    _, codes = np.unique(patients, return_inverse=True)
    one, other = (np.bincount(codes, weights=run[:, 0]) for run in means[0])
    count = np.bincount(codes).astype(float)

    def by_scipy():
        return stats.bootstrap(
            (one, other, count),
            lambda a, b, n, axis: (a.sum(axis=axis) - b.sum(axis=axis)) / n.sum(axis=axis),
            paired=True, vectorized=True, method="percentile", n_resamples=REPLICATES,
            rng=np.random.default_rng(0),
        )  # fmt: skip

    def one_of_ours():
        return Resampler(patients, seed=0, replicates=REPLICATES).comparison(ratio, *means[0]).difference

    theirs, ours = by_scipy().confidence_interval, one_of_ours()
    whole, peer, single = seconds(compared), seconds(by_scipy), seconds(one_of_ours)
    scores = len(compared())
    return {
        "statistics": {
            "studies": STUDIES, "patients": int(codes.max()) + 1, "replicates": REPLICATES, "scores": scores,
            "intervals_of_one_run_s": seconds(alone),
            "two_runs_compared_s": whole,
            "held_meanwhile_mib": peak_mib(compared),
            "peers": {
                "scipy.stats.bootstrap, one paired difference, no randomisation": {
                    "peer_s": peer, "ours_with_randomisation_s": single,
                    "times_faster": round(peer / single, 1),
                    "ours_a_score_of_many_s": round(whole / scores, 4),
                    "times_faster_a_score_of_many": round(peer / (whole / scores), 1),
                    "bounds_apart": [float(theirs.low - ours.low), float(theirs.high - ours.high)],
                    "interval_width": ours.high - ours.low,
                }
            },
        }
    }  # fmt: skip


# --- classification ---


def classification() -> dict:
    from sklearn.metrics import roc_auc_score

    from xemplar.metrics.classification import auroc_of_weights, classification_scores
    from xemplar.metrics.statistics import Resampler

    rng = np.random.default_rng(5)
    truth = rng.random((STUDIES, FINDINGS)) < 0.15
    scores = np.clip(rng.normal(0.4 + 0.2 * truth, 0.2), 0, 1)
    patients = rng.integers(0, PATIENTS, size=STUDIES)
    names = [str(finding) for finding in range(FINDINGS)]
    some = 20

    def rescored() -> None:
        """As it is mostly done: draw, score again, for a few replicates."""
        drawn = np.random.default_rng(0).integers(0, STUDIES, size=(some, STUDIES))
        for rows in drawn:
            roc_auc_score(truth[rows], scores[rows], average="macro")

    def ours() -> None:
        draws = Resampler(patients, seed=0, replicates=REPLICATES)
        draws.weight_interval(auroc_of_weights(truth, scores))

    mine, peer = seconds(ours), seconds(rescored) * REPLICATES / some
    return {
        "classification": {
            "studies": STUDIES, "findings": FINDINGS, "replicates": REPLICATES,
            "all_measures_s": seconds(lambda: classification_scores(truth, scores, findings=names)),
            "macro_auroc_with_interval_s": mine,
            "peers": {
                f"scikit-learn roc_auc_score on every draw, from {some} of them": {
                    "peer_s": round(peer, 2), "times_faster": round(peer / mine, 1),
                }
            },
        }
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
