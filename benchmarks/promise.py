"""Is a promise kept? Fresh patients to calibrate on, others to draft for, many times over.

    python benchmarks/promise.py --index index --corpus corpus --model model --work work --out docs/results

Probabilities and details are fitted once, on the validation part of the drawn corpus that the index is of.
Each pair then draws patients that are in no archive, one study each, finds the limits that keep what was
asked on the first of them, and drafts for the others: at the same site, and for every fifth pair at site B.
Films that a gate would stop are drafted for on both sides. What is drawn is kept in --work, so that an
interrupted run goes on. "Clearly present" is a finding drawn with a moderate or large degree.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice
from pathlib import Path

import numpy as np
from fresh import encoded_cases
from machine import drawn, machine

from xemplar.archive import calibrate, open_archive
from xemplar.drafting.drift import drift, seen_of
from xemplar.drafting.limits import Trial, denied_losses, guess, patient_of, promised, wrong_and_lines
from xemplar.drafting.policies.case import Assembled
from xemplar.drafting.policies.evidence import ByEvidence
from xemplar.drafting.promise import Asked
from xemplar.drafting.truth import held_to
from xemplar.folders import write_atomic
from xemplar.sources import phantom

SEED = 400_000
"""Of the first pair; no archive is drawn with these."""
CLEAR = {"moderate", "large"}
EVERY = 5


@dataclass(frozen=True)
class Places:
    """What is asked of this program."""

    index: Path
    corpus: Path
    model: Path
    work: Path
    out: Path
    pairs: int
    patients: int
    test: int
    jobs: int


ROOT = Path(__file__).parents[1]
MARK = "<!-- What follows is made by benchmarks/promise.py -->"


@lru_cache(maxsize=1)
def opened(asked):
    """The archive, and the fitted part of its calibration, fitted by whoever comes first."""
    archive = open_archive(asked.index, corpus=asked.corpus, model=asked.model, calibrated=False)
    place = asked.work / "calibration"
    if not (place / "calibration.json").is_file():
        calibrate(archive, place, promise=None)
    archive = open_archive(asked.index, corpus=asked.corpus, model=asked.model, calibration=place)
    return archive, ByEvidence(archive.evidence, archive.composer, archive.calibration)


def trial(by, cases, studies):
    """What limits are tested on, and what is held of each study."""
    held = by.held(cases)
    gathered = [by.gathered(one) for one in held]
    keys, truths = [patient_of(study) for study in studies], [held_to(study) for study in studies]

    def draft(place, limits):
        return gathered[place].compose(limits).lines

    return held, Trial(keys, [one.beliefs for one in held], truths, draft)


def patients(asked, seed, how_many, site):
    """One study each of so many patients, and their vectors, drawn and encoded once."""
    archive, _ = opened(asked)
    found = (a for start in count(0, 50) for a in phantom.studies(50, seed=seed, start=start, site=site))
    chosen = list(islice((a for a in found if a.study.prior_id is None), how_many))
    cases = encoded_cases(archive, chosen, asked.work / f"{site}-{seed}-{how_many}.npy")
    return cases, [arrival.study for arrival in chosen]


def guessed(asked):
    """Where to look for limits, from the patients that were fitted on."""
    place = asked.work / "guess.json"
    if not place.is_file():
        archive, by = opened(asked)
        studies = [s for s in archive.corpus.held_apart(archive.corpus.part("val"))[0] if s.views]
        films = [archive.films_of(study) for study in studies]
        cases = archive.cases(films, archive.retriever.vectors_of(films))
        place.write_text(json.dumps(guess(Asked(), [one.beliefs for one in by.held(cases)])))
    return float(json.loads(place.read_text()))


def judged(tested, by, made):
    """Risks and recalls of the drafts of some patients under the limits of a promise."""
    fitted = by.calibration.model_copy(update={"promise": made})
    limits = fitted.limits
    if limits is None:
        return {"lines": 0, "why": made.why}
    wrong, lines = wrong_and_lines(tested, limits)
    hits = {"clear": [0, 0], "present": [0, 0], "stated": [0, 0]}
    denied = []
    for place, truth in enumerate(tested.truths):
        claims = [c for line in tested.draft(place, limits) for c in line.claims]
        said = {c.finding for c in claims if c.presence == "present"} & truth.presence.keys()
        there = {name for name, presence in truth.presence.items() if presence == "present"}
        clear = {name for name in there if truth.degrees.get(name, frozenset()) & CLEAR}
        no = {c.finding for c in claims if c.presence == "absent"}
        denied.append(len(no & there) / len(there) if there else 0.0)
        for name, of, found in (("clear", clear, said), ("present", there, said), ("stated", said, there)):
            hits[name][0] += len(of & found)
            hits[name][1] += len(of)
    return {
        "lines": float(lines.mean()),
        "wrong_lines": float(wrong.sum() / max(lines.sum(), 1e-9)),
        "may_be_denied": float(denied_losses(tested, [limits.deny_at]).mean()),
        "denied": float(np.mean(denied)),
        **{name: pair for name, pair in hits.items()},
    }


def pair(job):
    """One pair: limits on some patients, drafts for others."""
    number, asked = job
    _, by = opened(asked)
    began = time.perf_counter()
    where, seed = guessed(asked), SEED + 10 * number
    cases, studies = patients(asked, seed, asked.patients, "A")
    held, tested = trial(by, cases, studies)
    made = promised(Asked(), tested, where)
    seen = seen_of(compared(by, held, tested, made))
    found = {"pair": number, "promise": made.model_dump(mode="json")}
    for site, more in (("A", 1), ("B", 2)):
        if site == "A" or number % EVERY == 0:
            cases, studies = patients(asked, seed + more, asked.test, site)
            held, tested = trial(by, cases, studies)
            moved = drift(seen, compared(by, held, tested, made))
            found[site] = {**judged(tested, by, made), "drift_p": moved.p, "drift_warns": moved.warns}
    return {**found, "seconds": round(time.perf_counter() - began, 2)}


def compared(by, held, tested, made):
    limits = by.calibration.model_copy(update={"promise": made}).limits
    lines = [() if limits is None else tested.draft(place, limits) for place in range(len(held))]
    return by.features(held, [Assembled(tuple(each)) for each in lines])


def summary(pairs):
    """Over pairs: how often the promise was made, how often broken, and what the drafts were worth."""
    kept = [one for one in pairs if one["promise"]["why"] is None]
    asked = Asked()
    result = {"pairs": len(pairs), "promised": len(kept)}
    for site in ("A", "B"):
        of = [one[site] for one in kept if site in one]
        if not of:
            continue
        exceeded = sum(one["wrong_lines"] > asked.wrong_lines for one in of)
        allowed = 1 - asked.confidence
        error = 2 * (allowed * asked.confidence / len(of)) ** 0.5
        clear, there, stated = (
            float(np.sum([one[k][0] for one in of]) / max(1, np.sum([one[k][1] for one in of])))
            for k in ("clear", "present", "stated")
        )
        result[site] = {
            "pairs": len(of),
            "wrong_lines_exceeded": exceeded / len(of),
            "allowed": allowed,
            "allowed_and_two_standard_errors": allowed + error,
            "wrong_lines": float(np.mean([one["wrong_lines"] for one in of])),
            "denied": float(np.mean([one["denied"] for one in of])),
            "may_be_denied": float(np.mean([one["may_be_denied"] for one in of])),
            "lines": float(np.mean([one["lines"] for one in of])),
            "clearly_present_drafted": clear,
            "present_drafted": there,
            "stated_right": stated,
            "micro_f1": 2 * stated * there / max(1e-9, stated + there),
            "drift_warned": float(np.mean([one["drift_warns"] for one in of])),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("index", "corpus", "model", "work", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--patients", type=int, default=150, help="To calibrate on, in each pair.")
    parser.add_argument("--test", type=int, default=100, help="To draft for, in each pair and at each site.")
    parser.add_argument("--jobs", type=int, default=1)
    asked = Places(**vars(parser.parse_args()))
    asked.work.mkdir(parents=True, exist_ok=True)
    done = asked.work / f"pairs-{asked.patients}-{asked.test}.jsonl"
    pairs = [json.loads(line) for line in done.read_text().splitlines()] if done.is_file() else []
    known = {one["pair"] for one in pairs}
    opened(asked)
    guessed(asked)
    todo = [(number, asked) for number in range(asked.pairs) if number not in known]
    with ProcessPoolExecutor(asked.jobs) as pool, done.open("a") as stream:
        for one in pool.map(pair, todo):
            pairs.append(one)
            stream.write(json.dumps(one) + "\n")
            stream.flush()
            print(one["pair"], f"{one['seconds']:.0f} s", one["promise"]["why"] or one["A"], flush=True)
    pairs = sorted(pairs, key=lambda one: one["pair"])[: asked.pairs]
    result = {
        "measured": "promised risks against those measured on fresh patients, one study each",
        **drawn(),
        "asked": Asked().model_dump(),
        "calibration_patients": asked.patients,
        "test_patients": asked.test,
        **summary(pairs),
        "seconds_a_pair": float(np.median([one["seconds"] for one in pairs])),
        "machine": machine(),
        "each": pairs,
    }
    write_atomic(asked.out / "promise.json", (json.dumps(result, indent=1) + "\n").encode())
    print(json.dumps({key: value for key, value in result.items() if key != "each"}, indent=1))
    publish(result)


def publish(result):
    """The table of docs/promise.md, from what was measured."""
    rows = {
        "pairs": "pairs",
        "wrong_lines": "wrong lines, of all lines",
        "wrong_lines_exceeded": f"pairs with more of them than the {result['asked']['wrong_lines']:g} asked",
        "allowed": "of which as many are allowed",
        "denied": f"findings there that are denied ({result['asked']['denied']:g} asked)",
        "clearly_present_drafted": "clearly present findings drafted",
        "present_drafted": "present findings drafted",
        "stated_right": "stated findings that are there",
        "micro_f1": "micro-F1, present findings",
        "lines": "lines a draft",
        "drift_warned": "batches warned of as moved",
    }
    told = f"{result['pairs']} pairs, of which {result['promised']} got a promise; "
    told += f"limits on {result['calibration_patients']} fresh patients of site A, "
    told += f"drafts for {result['test_patients']} others; commit {result['machine']['commit']}."
    lines = [told, "", "|  | site A | site B |", "| --- | --- | --- |"]
    for key, name in rows.items():
        values = [result[site][key] for site in ("A", "B")]
        lines.append(f"| {name} | " + " | ".join(f"{value:.3g}" for value in values) + " |")
    page = ROOT / "docs" / "promise.md"
    head = page.read_text(encoding="utf-8").partition(MARK)[0]
    page.write_text(head + MARK + "\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
