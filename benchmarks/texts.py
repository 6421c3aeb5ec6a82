"""How long a run of texts takes to be scored: wording, labels, and 1,000-replicate intervals, on one core.

On 3,000 reports of Open-i's collection (findings and impression; drawn again where there are fewer), each
predicted by another one, half of the time by itself. Beside it the same with floors and a ceiling, which is
five systems instead of one, and the comparison of two systems.

Usage: XEMPLAR_DATA=... OMP_NUM_THREADS=1 python benchmarks/texts.py [--pairs 3000]
       [--out docs/results/texts.json]
"""

import argparse
import csv
import json
import os
import time
from pathlib import Path

import numpy as np
from machine import machine

from xemplar.evaluation.texts.pairs import pair_up
from xemplar.evaluation.texts.run import TextSettings, compare_texts, score_texts

BARS = {"scores and intervals": 15.0, "two systems compared": None, "scores, intervals and floors": None}


def reports(count: int) -> list[str]:
    """Findings and impression, the collection over again until there are enough."""
    table = Path(os.environ["XEMPLAR_DATA"]) / "iu_reports/reports.csv"
    with table.open(newline="", encoding="utf-8") as file:
        texts = [f"{row['findings']} {row['impression']}".strip() for row in csv.DictReader(file)]
    texts = [text for text in texts if text]
    return [texts[place % len(texts)] for place in range(count)]


def main() -> None:
    wanted = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    wanted.add_argument("--pairs", type=int, default=3000)
    wanted.add_argument("--out", type=Path)
    given = wanted.parse_args()
    facts, rng = machine(), np.random.default_rng(0)
    texts = reports(given.pairs)
    ids = [str(place) for place in range(len(texts))]
    others = [texts[place] for place in rng.permutation(len(texts))]
    said = [own if toss else other for own, other, toss in zip(texts, others, rng.random(len(texts)) < 0.5,
                                                               strict=True)]  # fmt: skip
    references = dict(zip(ids, texts, strict=True))
    run = pair_up(dict(zip(ids, said, strict=True)), references)
    second = pair_up(dict(zip(ids, others, strict=True)), references)
    bare, floors = TextSettings(floors=False), TextSettings()
    work = {
        "scores and intervals": lambda: score_texts(run, bare),
        "scores, intervals and floors": lambda: score_texts(run, floors),
        "two systems compared": lambda: compare_texts(run, second, bare, systems=("one", "other")),
    }
    rows = {}
    for name, do in work.items():
        wall, used = time.perf_counter(), time.process_time()
        do()
        rows[name] = {
            "seconds": round(time.perf_counter() - wall, 2),
            "processor_seconds": round(time.process_time() - used, 2),
            "bar": BARS[name],
        }
        print(name, json.dumps(rows[name]), flush=True)
    result = {"machine": facts, "pairs": len(run), "replicates": bare.replicates, "work": rows}
    if given.out:
        given.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
