"""Reports found by a report: what claims add to words, by human labels, on the Indiana collection's texts.

Each report of the frozen half asks for its like among all others; its own study is left out, and in a
second table every report of the same text. Right is what shares a finding that humans coded as there
(14 findings), or, in a second table, has the very same set of them. Reports without one of these findings
ask nothing, nor do those that nobody shares one with; both are counted. The findings engine's rules were
tuned on the other half (`labeler_halves.py`), and so are the three weights of claims here.

Beside it BM25 (bm25s, words as the index has them, and with its own English stop words left out), the
cosine of TF-IDF (scikit-learn), and chance, exactly. Intervals and paired differences resample studies,
of which a patient has one here. The time is that of one query against 100,000 reports drawn from these.

Usage: XEMPLAR_DATA=... OMP_NUM_THREADS=1 python benchmarks/text_search.py [--tune]
       [--out docs/results/text_search.json] [--page docs/text_search.md]
"""

import argparse
import csv
import itertools
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import bm25s
import numpy as np
from labeler_halves import half_of, indexed_reports
from machine import machine
from publish import marked, spread

from xemplar.evaluation.benchmark.retrieving import chance_precision
from xemplar.findings import lexicon_version
from xemplar.index import Items, tokens_of
from xemplar.metrics.ranking import per_query
from xemplar.metrics.relevance import equal_findings, left_out, shared_findings
from xemplar.metrics.statistics import Resampler, ratio, with_counts
from xemplar.report import text_key
from xemplar.retrieval import FUSION, NOBODY, ClaimIndex, ClaimWeights, Retriever, claims_in

CHANCE, BM25, STOPPED, TFIDF = "chance", "BM25", "BM25, English stop words left out", "TF-IDF cosine"
CLAIMS, FUSED = "claims", "words and claims fused"
RIGHT = ("shares a finding", "has the same findings")
LEFT_OUT = ("own study", "own study and equal text")
REPLICATES = 1000
GRID = {
    "denial": (0.02, 0.05, 0.1, 0.25, 0.5, 1.0),
    "contradiction": (0.0, 0.25, 0.5, 1.0),
    "length": (0.0, 0.1, 0.25, 0.5, 1.0),
}
LARGE, ASKED, BAR_MS = 100_000, 200, 100


class Reports:
    """Texts, human findings and half of every report that has both text and labels."""

    def __init__(self, folder: Path) -> None:
        rows = indexed_reports(folder)
        with (folder / "labels_gold14.csv").open(newline="", encoding="utf-8") as file:
            gold = {row.pop("uid"): row for row in csv.DictReader(file)}
        self.uids = [uid for uid in rows if uid in gold]
        self.texts = [
            "\n".join(filter(None, (rows[u]["findings"], rows[u]["impression"]))) for u in self.uids
        ]
        self.findings = [name for name in next(iter(gold.values())) if name != "normal"]
        self.truth = np.array([[gold[u][name] == "1" for name in self.findings] for u in self.uids])
        self.frozen = np.array(
            [half_of(rows[u]["findings"], rows[u]["impression"]) == "frozen" for u in self.uids]
        )
        self.claims = [claims_in(text) for text in self.texts]
        self.keys = [text_key(" ".join(text.split())) for text in self.texts]

    def part(self, rows: Sequence[int]) -> "Reports":
        """Some of them, read once."""
        part = object.__new__(Reports)
        part.findings, part.truth, part.frozen = self.findings, self.truth[rows], self.frozen[rows]
        for name in ("uids", "texts", "claims", "keys"):
            setattr(part, name, [getattr(self, name)[row] for row in rows])
        return part


def main() -> None:
    """Measure, print and write."""
    wanted = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    wanted.add_argument(
        "--tune", action="store_true", help="print the other half's scores by weights, no more"
    )
    wanted.add_argument("--out", type=Path, default=Path("docs/results/text_search.json"))
    wanted.add_argument("--page", type=Path, default=Path("docs/text_search.md"))
    wanted.add_argument("--page-only", action="store_true", help="write the page of what was measured")
    given = wanted.parse_args()
    if given.page_only:
        publish(json.loads(given.out.read_text()), given.page)
        return
    if os.environ.get("OMP_NUM_THREADS") != "1":
        wanted.error("one core is what is measured: set OMP_NUM_THREADS=1")
    facts, reports = machine(), Reports(Path(os.environ["XEMPLAR_DATA"]) / "iu_reports")
    if given.tune:
        tune(reports.part(np.flatnonzero(~reports.frozen).tolist()))
        return
    result = {
        "title": "Text to text: label mAP on IU X-Ray reports by human labels",
        "machine": facts,
        "domain": "clinical",
        "lexicon": lexicon_version(),
        "weights": asdict(ClaimWeights()),
        "reports": len(reports.uids),
        "halves": {"frozen": int(reports.frozen.sum()), "tuning": int((~reports.frozen).sum())},
        "findings": reports.findings,
        "replicates": REPLICATES,
        "tables": tables(reports),
        "latency": latency(reports),
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    publish(result, given.page)


# --- systems ---


def words_of(reports: Reports, rows: Sequence[int], *, stopped: bool = False) -> np.ndarray:
    """(queries, reports) BM25 of each one's text as the query."""
    if stopped:
        tokens = bm25s.tokenize(reports.texts, stopwords="en", return_ids=False, show_progress=False)
    else:
        tokens = tokens_of([" ".join(text.split()) for text in reports.texts])
    vocabulary = {token: n for n, token in enumerate(dict.fromkeys(t for text in tokens for t in text))}
    words = bm25s.BM25(backend="numpy")
    words.index(([[vocabulary[token] for token in text] for text in tokens], vocabulary), show_progress=False)
    return np.stack(
        [words.get_scores(tokens[row]) if tokens[row] else np.zeros(len(tokens), np.float32) for row in rows]
    )


def tfidf_of(reports: Reports, rows: Sequence[int]) -> np.ndarray:
    from sklearn.feature_extraction.text import TfidfVectorizer

    table = TfidfVectorizer().fit_transform(reports.texts)
    return (table[rows] @ table.T).toarray()


def claims_of(reports: Reports, rows: Sequence[int], weights: ClaimWeights | None = None) -> np.ndarray:
    index = ClaimIndex(reports.claims, weights)
    return np.stack([index.scores(reports.claims[row]) for row in rows])


def fused(*stages: np.ndarray, exclude: np.ndarray) -> np.ndarray:
    """As a search fuses them: 1 / (60 + rank) of each stage's scores above 0, the worst rank for equals."""
    from scipy.stats import rankdata

    total = np.zeros(stages[0].shape)
    for scores in stages:
        above = (scores > 0) & ~exclude
        ranks = rankdata(np.where(above, -scores, np.inf), method="max", axis=1)
        total += np.where(above, 1 / (FUSION + ranks), 0.0)
    return total


# --- tuning, on the other half alone ---


def tune(reports: Reports) -> None:
    """Every setting of the grid on the reports given, best last."""
    exclude_of, right_of = left_out_of(reports), right_by(reports)
    exclude, right = exclude_of[LEFT_OUT[1]], right_of[RIGHT[0]]
    rows = np.flatnonzero(((right & ~exclude).any(axis=1)) & reports.truth.any(axis=1))
    words = words_of(reports, rows)
    found = []
    for values in itertools.product(*GRID.values()):
        weights = replace(ClaimWeights(), **dict(zip(GRID, values, strict=True)))
        claims = claims_of(reports, rows, weights)
        both = fused(words, claims, exclude=exclude[rows])
        got = [precision(one, right[rows], exclude[rows]).mean() for one in (claims, both)]
        found.append((got[0] + got[1], got, values))
    print(
        f"{len(rows)} queries; BM25 {precision(words, right[rows], exclude[rows]).mean():.4f}; {list(GRID)}"
    )
    for _, got, values in sorted(found):
        print(*(f"{one:.4f}" for one in got), values)


# --- the tables ---


def right_by(reports: Reports) -> dict[str, np.ndarray]:
    """(reports, reports) who is right for whom, in each of the two ways."""
    return {
        RIGHT[0]: shared_findings(reports.truth, reports.truth) > 0,
        RIGHT[1]: equal_findings(reports.truth, reports.truth),
    }


def left_out_of(reports: Reports) -> dict[str, np.ndarray]:
    own, text = (reports.uids, reports.uids), (reports.keys, reports.keys)
    return {LEFT_OUT[0]: left_out(own), LEFT_OUT[1]: left_out(own, text)}


def precision(scores: np.ndarray, right: np.ndarray, exclude: np.ndarray) -> np.ndarray:
    return per_query(scores, right, ("average_precision",), exclude=exclude)["average_precision"]


def tables(reports: Reports) -> list[dict]:
    """Both ways of being right, with each of who is left out."""
    asked = np.flatnonzero(reports.frozen & reports.truth.any(axis=1))
    own = {
        BM25: words_of(reports, asked),
        STOPPED: words_of(reports, asked, stopped=True),
        TFIDF: tfidf_of(reports, asked),
        CLAIMS: claims_of(reports, asked),
    }
    found, own_study = [], left_out_of(reports)[LEFT_OUT[0]]
    for (name, right), (who, out) in itertools.product(
        right_by(reports).items(), left_out_of(reports).items()
    ):
        right, out = right[asked], out[asked]
        some = (right & ~out).any(axis=1)
        runs = {system: scores[some] for system, scores in own.items()}
        runs[FUSED] = fused(runs[BM25], runs[CLAIMS], exclude=out[some])
        found.append(
            {
                "right": name,
                "left_out": who,
                "queries": int(some.sum()),
                "frozen_without_a_finding": int((reports.frozen & ~reports.truth.any(axis=1)).sum()),
                "with_a_finding_but_nobody_right": int((~some).sum()),
                "gallery": len(reports.uids),
                "with_equal_text": int((out[some] & ~own_study[asked][some]).any(axis=1).sum()),
                "silent": int(sum(not reports.claims[row] for row in asked[some])),
                **scored(runs, right[some], out[some], [reports.uids[row] for row in asked[some]]),
            }
        )
        print(json.dumps(found[-1]), flush=True)
    return found


def scored(runs: dict[str, np.ndarray], right: np.ndarray, out: np.ndarray, patients: list[str]) -> dict:
    """Label mAP of each run with its interval, and what it is above BM25 and above fusion's other half."""
    got = {name: precision(scores, right, out) for name, scores in runs.items()}
    got[CHANCE] = chance_precision((right & ~out).sum(axis=1), (~out).sum(axis=1))
    draws, systems = Resampler(patients, seed=0, replicates=REPLICATES), {}
    for name in (CHANCE, *runs):
        systems[name] = {"map": rounded(draws.interval(ratio, with_counts(got[name])))}
        if name != BM25:
            compared = draws.comparison(ratio, with_counts(got[name]), with_counts(got[BM25]))
            systems[name]["above_bm25"] = rounded(compared.difference)
    return {"systems": systems}


def rounded(interval: object) -> dict:
    return {key: round(float(getattr(interval, key)), 4) for key in ("value", "low", "high")}


# --- the time ---


def first_ones(_: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first rows, as an engine answers."""
    return np.arange(count)[None], np.linspace(1, 0, count, dtype=np.float32)[None]


def latency(reports: Reports) -> dict:
    """Milliseconds for the claims of one report against 100,000: read, and searched with.

    The search is a whole one whose words find nothing and whose vectors take no time.
    """
    rng = random.Random(0)
    drawn = {str(n): SimpleNamespace(claims=rng.choice(reports.claims), text="") for n in range(LARGE)}
    ids = tuple(drawn)
    items = Items(
        "report",
        ids,
        tuple((one,) for one in ids),
        np.zeros((LARGE, 1), np.float32),
        SimpleNamespace(search=first_ones),
    )
    index = SimpleNamespace(items={"report": items}, words=None)
    retriever = Retriever(SimpleNamespace(by_id=drawn), index, None)
    began = time.perf_counter()
    built = len(drawn) if retriever.claims else 0
    took = time.perf_counter() - began
    read, every, nowhere = [], [], np.zeros(1, np.float32)
    for row in rng.sample(range(len(reports.uids)), ASKED):
        began = time.process_time()
        claims_in(reports.texts[row])
        read.append(1000 * (time.process_time() - began))
        began = time.process_time()
        retriever.search(reports.texts[row], "report", 20, leave=NOBODY, vector=nowhere)
        every.append(1000 * (time.process_time() - began))
    return {
        "reports": built,
        "queries": ASKED,
        "bar_ms": BAR_MS,
        "built_s": round(took, 2),
        "read_ms": spread_of(read),
        "whole_stage_ms": spread_of(every),
    }


def spread_of(times: list[float]) -> dict:
    return {
        "median": round(statistics.median(times), 2),
        "p95": round(float(np.quantile(times, 0.95)), 2),
    }


# --- the page ---


def in_short(table: dict) -> list[str]:
    """Its figures as they are printed."""
    return [
        spread(one[key]) for one in table["systems"].values() for key in ("map", "above_bm25") if key in one
    ]


def publish(result: dict, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    path.write_text(marked(text, "text_search", page(result)), encoding="utf-8")


def page(result: dict) -> str:
    """The tables as Markdown."""
    lines, shown = [], None
    for one in result["tables"]:
        if shown and shown["right"] == one["right"] and in_short(shown) == in_short(one):
            lines += [
                f"With equal text left out, too: {one['with_equal_text']} of the {one['queries']} queries "
                "has any, and every figure is the same.",
                "",
            ]
            continue
        shown = one
        lines += [
            f"**Right is what {one['right']}; left out: {one['left_out']}.** {one['queries']} queries "
            f"(studies, a patient each), gallery {one['gallery']}; {one['frozen_without_a_finding']} reports "
            f"without a finding and {one['with_a_finding_but_nobody_right']} for which nobody is right ask "
            f"nothing; {one['silent']} queries claim nothing.",
            "",
            "| system | label mAP [95 %] | above BM25, paired [95 %] |",
            "| --- | --- | --- |",
        ]
        for name, system in one["systems"].items():
            above = spread(system["above_bm25"]) if "above_bm25" in system else ""
            lines.append(f"| {name} | {spread(system['map'])} | {above} |")
        lines.append("")
    took, where = result["latency"], result["machine"]
    weights = ", ".join(f"{name} {value:g}" for name, value in result["weights"].items())
    lines += [
        f"Weights of claims: {weights}. Against {took['reports']:,} reports (drawn from these, with "
        f"repetition) the claims of a report as the query take {took['whole_stage_ms']['median']} ms of "
        f"processor time on one core (95 % of queries under {took['whole_stage_ms']['p95']} ms), of which "
        f"reading them from its text {took['read_ms']['median']} ms; the table of claims is built in "
        f"{took['built_s']} s, when an archive is first asked.",
        "",
        f"{where['cores']} cores ({where['cpu']}), load {where['load']}, Python {where['python']}, commit "
        f"{where['commit']}; {result['replicates']} replicates.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
