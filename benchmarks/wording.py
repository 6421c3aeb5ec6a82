"""How long the scores of wording take, with intervals, and how they agree with pycocoevalcap.

On 3,000 pairs of reports: each reference is one report, each prediction another, half of them drawn and
half the one of fifty drawn that shares most words, as a retrieval would give it. All on one thread. The
peer runs on the same pairs in the same run, in a Python of its own that has `pycocoevalcap` (which needs
Java); its METEOR has synonyms and paraphrases, so that agreement is with the same program told to use its
exact and stem modules. Processor times are given beside wall times, for others may use the machine.

Usage: XEMPLAR_DATA=... OMP_NUM_THREADS=1 python benchmarks/wording.py
       [--peer /path/to/python] [--pairs 3000] [--out docs/results/wording.json]
"""

import argparse
import csv
import json
import os
import random
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine

from xemplar.metrics.meteor import meteor_es
from xemplar.metrics.statistics import bootstrap
from xemplar.metrics.wording import (
    Pairs,
    WordingScore,
    bleu,
    bleu2_rexrank,
    cider_d,
    pair_texts,
    rouge_l,
    rouge_l_f1,
)

REPLICATES = 1000
Json = dict[str, Any]

PEER = """
import json, resource, subprocess, sys, time
import pycocoevalcap.meteor.meteor as meteor
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

pairs = json.load(open(sys.argv[1]))
said = {"seconds": {}, "processor": {}, "tokens": {}, "whole": {}, "each": {}}
sides = []

def used():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)

def timed(name, run):
    start, before = time.perf_counter(), used()
    value = run()
    said["seconds"][name] = time.perf_counter() - start
    said["processor"][name] = used() - before
    return value

for side, name in ((0, "predictions"), (1, "references")):
    texts = {number: [{"caption": pair[side]}] for number, pair in enumerate(pairs)}
    words = timed("PTB " + name, lambda: PTBTokenizer().tokenize(texts))
    said["tokens"][name] = [words[number][0] for number in range(len(pairs))]
    sides.append(words)
res, gts = sides
for name, scorer in (("BLEU", Bleu(4)), ("ROUGE-L", Rouge()), ("CIDEr-D", Cider())):
    more = {"verbose": 0} if name == "BLEU" else {}
    whole, each = timed(name, lambda: scorer.compute_score(gts, res, **more))
    said["whole"][name], said["each"][name] = whole, [list(map(float, row)) for row in each] \\
        if name == "BLEU" else list(map(float, each))

def scored():
    scorer = Meteor()
    value = scorer.compute_score(gts, res)
    scorer.meteor_p.stdin.close()
    scorer.meteor_p.wait()
    return value

said["whole"]["METEOR"], said["each"]["METEOR"] = timed("METEOR", scored)
started = subprocess.Popen

def with_modules(command, **more):
    return started([*command, "-m", "exact stem"], **more)

meteor.subprocess.Popen = with_modules
said["whole"]["meteor_es"], said["each"]["meteor_es"] = timed("meteor_es", scored)
json.dump(said, open(sys.argv[2], "w"))
"""


def main() -> None:
    """Measure, print and write."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--peer", type=Path, help="a Python that has pycocoevalcap; left out without it")
    wanted.add_argument("--pairs", type=int, default=3000)
    wanted.add_argument("--out", type=Path, default=Path("docs/results/wording.json"))
    given = wanted.parse_args()
    texts = reports(Path(os.environ["XEMPLAR_DATA"]) / "iu_reports" / "reports.csv")
    predictions, references = paired(texts, given.pairs)
    result: Json = {
        "title": "Scores of wording: time, and agreement with pycocoevalcap",
        "machine": machine(),
        "domain": "clinical",
        "texts": "IU X-Ray reports, findings and impression",
        "patients": len(texts),
        "pairs": given.pairs,
        "words_a_text": round(float(np.mean([len(text.split()) for text in predictions + references])), 1),
        "replicates": REPLICATES,
    }
    scores, pairs, result["ours"] = measured(predictions, references)
    if given.peer:
        peer = asked(given.peer, predictions, references)
        result["pycocoevalcap"] = {
            kind: {name: round(value, 3) for name, value in peer[kind].items()}
            for kind in ("seconds", "processor")
        }
        result["times_faster"] = {
            "by the clock": faster(result["ours"]["seconds"], peer["seconds"]),
            "in processor time": faster(result["ours"]["processor"], peer["processor"]),
        }
        result["agreement"] = agreement(scores, pairs, peer)
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def reports(path: Path) -> list[str]:
    """Findings and impression of each report that has either."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [" ".join([row["findings"], row["impression"]]).split() for row in csv.DictReader(file)]
    return [" ".join(words) for words in rows if words]


def paired(texts: list[str], count: int) -> tuple[list[str], list[str]]:
    """Predictions and references: half drawn, half the nearest of fifty drawn."""
    rng = random.Random(4)
    references = [texts[number % len(texts)] for number in range(count)]
    words = {text: frozenset(text.lower().split()) for text in texts}

    def predicted(number: int, reference: str) -> str:
        drawn = [text for text in rng.choices(texts, k=50) if text is not reference]
        if number % 2:
            return drawn[0]
        mine = words[reference]
        return max(drawn, key=lambda text: len(mine & words[text]) / len(mine | words[text]))

    return [predicted(number, reference) for number, reference in enumerate(references)], references


def measured(predictions: list[str], references: list[str]) -> tuple[dict[str, WordingScore], Pairs, Json]:
    """Every score with its interval, timed."""
    seconds: dict[str, float] = {}
    processor: dict[str, float] = {}

    def timed(name: str, run: Callable[[], Any]) -> Any:
        start, before = time.perf_counter(), time.process_time()
        value = run()
        seconds[name] = round(time.perf_counter() - start, 3)
        processor[name] = round(time.process_time() - before, 3)
        return value

    pairs: Pairs = timed("words", lambda: pair_texts(predictions, references))
    scores: list[WordingScore] = [*timed("BLEU", lambda: bleu(pairs))]
    scores.append(timed("ROUGE-L", lambda: rouge_l(pairs)))
    scores.append(timed("CIDEr-D", lambda: cider_d(pairs)))
    scores.append(timed("meteor_es", lambda: meteor_es(pairs)))
    scores.append(timed("BLEU-2 (ReXrank)", lambda: bleu2_rexrank(predictions, references)))
    scores.append(timed("ROUGE-L F1", lambda: rouge_l_f1(predictions, references)))
    intervals = timed("intervals", lambda: [interval(score) for score in scores])
    return (
        {score.name: score for score in scores},
        pairs,
        {
            "seconds": seconds,
            "processor": processor,
            "seconds_in_all": round(sum(seconds.values()), 2),
            "processor_in_all": round(sum(processor.values()), 2),
            "peak_memory_MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "scores": {
                score.full_name: str(found.format(3)) for score, found in zip(scores, intervals, strict=True)
            },
        },
    )


def interval(score: WordingScore) -> Any:
    """By the report, which is the patient in this collection."""
    return bootstrap(
        score.from_sums, score.sums, clusters=np.arange(len(score.sums)), seed=1, replicates=REPLICATES
    )


def asked(python: Path, predictions: list[str], references: list[str]) -> Json:
    """What pycocoevalcap makes of the same pairs."""
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder) / "pairs.json", Path(folder) / "answer.json"
        given.write_text(json.dumps(list(zip(predictions, references, strict=True))))
        subprocess.run(
            [str(python), "-c", PEER, str(given), str(answer)], check=True, stdout=subprocess.DEVNULL
        )
        return json.loads(answer.read_text())


def faster(ours: dict[str, float], theirs: dict[str, float]) -> Json:
    """Their time over ours."""
    words = theirs["PTB predictions"] + theirs["PTB references"]
    rest = ("BLEU", "ROUGE-L", "CIDEr-D")
    return {
        "words and METEOR": round((words + theirs["METEOR"]) / (ours["words"] + ours["meteor_es"]), 1),
        "words and METEOR, both with exact and stem modules": round(
            (words + theirs["meteor_es"]) / (ours["words"] + ours["meteor_es"]), 1
        ),
        "BLEU, ROUGE-L and CIDEr-D": round(sum(theirs[n] for n in rest) / sum(ours[n] for n in rest), 1),
    }


def agreement(scores: dict[str, WordingScore], pairs: Pairs, peer: Json) -> Json:
    """Share of texts with the same words, and how far scores are apart on all pairs and on the whole."""
    texts = [*pairs.predictions, *(others[0] for others in pairs.references)]
    theirs = [*peer["tokens"]["predictions"], *peer["tokens"]["references"]]
    same = [tuple(words.split()) == tokens for tokens, words in zip(texts, theirs, strict=True)]
    found: Json = {"texts_with_equal_words": round(float(np.mean(same)), 5)}
    whole = {f"BLEU-{order}": peer["whole"]["BLEU"][order - 1] for order in range(1, 5)}
    each = {f"BLEU-{order}": peer["each"]["BLEU"][order - 1] for order in range(1, 5)}
    for name in ("ROUGE-L", "CIDEr-D", "meteor_es"):
        whole[name], each[name] = peer["whole"][name], peer["each"][name]
    alike = np.array(same[: len(pairs)]) & np.array(same[len(pairs) :])
    for name, value in whole.items():
        apart = np.abs(scores[name].per_pair - np.array(each[name]))
        found[name] = {
            "ours": round(scores[name].value, 6),
            "theirs": round(value, 6),
            "pairs_within_1e-6": round(float(np.mean(apart < 1e-6)), 5),
            "largest_difference_where_words_are_equal": float(f"{apart[alike].max():.2g}"),
        }
    found["METEOR with all its modules"] = round(peer["whole"]["METEOR"], 6)
    return found


if __name__ == "__main__":
    main()
