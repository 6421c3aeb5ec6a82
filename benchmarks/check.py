"""What the second reader finds of planted errors: beside drawn films of both sites, and in real words alone.

Usage: XEMPLAR_DATA=... OMP_NUM_THREADS=1 python benchmarks/check.py --index index --corpus corpus
       --model model --calibration calibration --work work [--out docs/results/check.json] [--page-only]

Beside films: fresh patients of both sites, in no archive, one study each with a report in English; the
archive and its limits are of site A. In a copy of each report one error is planted wherever the report tells
of the finding, so that it doesn't contradict itself by what was planted: a wrong side (of a finding that was
drawn on one side), a finding left out, a negation flipped, a degree off (small for large or large for small,
against what was drawn), or the whole report is another patient's. Found is an error by an alert of its kind
and finding; "any alert" is told beside it. What is drawn is kept in --work. "One in ten" is a point of their
curve: each kind has its limit where, all kinds alike, one in ten of these very clean reports alarms. The
gate, which would stop some films, is left out.

In words alone: one side or one negation flipped in either findings or impression of Indiana reports that tell
of a finding in both. The rules were tuned on one half (`labeler_halves.py`); docs/check.md says what was seen
of the other.

Floors: alarming at random on as many reports as clean ones alarm, the kind given for free; and words alone.
Intervals resample patients, those of a sensitivity less a floor with both of theirs.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import sys
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from fresh import encoded_cases
from labeler_halves import half_of
from machine import drawn, machine
from publish import marked

from xemplar.check import check_text, fit_of, read_report, suspicions, swaps_of
from xemplar.check.limits import chosen
from xemplar.evaluation.benchmark.cells import rows_of
from xemplar.findings import lexicon_version, read_claims
from xemplar.images import read_preview
from xemplar.records import Claim, Film, Study
from xemplar.report import split_sentences

SEED = 610_000
"""Of the drawn patients; no archive is drawn with it."""
REPLICATES = 1000
TIMED = ("as they are", "no sentence twice")
ONE_IN_TEN = 0.1
LIMITS = {
    "shipped limits": "limits of site A's validation part, as calibrated",
    "one in ten": "limits at which one in ten of these clean reports alarms",
}
KINDS = ("wrong side", "finding left out", "negation flipped", "degree off", "another patient's report")
FOUND_BY = {
    "wrong side": {"other side seen", "side conflict"},
    "finding left out": {"seen, not said", "unsupported impression"},
    "negation flipped": {"stated, not seen", "denied, but seen", "presence conflict", "normal conflict"},
    "degree off": {"other degree seen", "degree conflict"},
    "another patient's report": {"another film"},
}
SIDES = {"left": "right", "right": "left"}
SMALL = r"small|tiny|trace|mild|mildly|minimal|minimally|slight|slightly|minor"
LARGE = r"large|severe|severely|marked|markedly|massive|extensive"
DEGREES = {"small": (SMALL, "large"), "large": (LARGE, "small")}
NAMES = {"Lung Lesion": "pulmonary nodule", "Fracture": "rib fracture", "Edema": "pulmonary edema"}


# --- planting ---


def edited(study, change):
    """A study with each of its sentences as `change` (section, sentence) makes it; None drops one."""
    texts = {}
    for section in ("findings", "impression"):
        text = getattr(study, section)
        if text:
            made = [change(section, text[start:end]) for start, end in split_sentences(text)]
            texts[section] = " ".join(one for one in made if one) or None
    return replace(study, claims=(), **texts)


def swapped(sentence, pattern, instead):
    """A sentence with the words of a pattern exchanged, their capital kept."""

    def one(found):
        word = instead(found[0].lower())
        return word.capitalize() if found[0][0].isupper() else word

    return re.sub(rf"\b(?:{pattern})\b", one, sentence, flags=re.IGNORECASE)


def other_side(sentence):
    return swapped(sentence, "left|right", lambda word: SIDES[word])


def tells(sentence, name, **values):
    """Whether a sentence says of a finding what is asked."""
    return any(
        claim.finding == name and all(getattr(claim, kind) == value for kind, value in values.items())
        for claim in read_claims(sentence)
    )


def said(study):
    return [one.claim for one in read_report(study).said]


def as_drawn(study, kind, drawn_as, known):
    """Findings stated with a side or degree that is known, each with it, where it alone was drawn."""
    return sorted(
        {
            (claim.finding, value)
            for claim in said(study)
            if claim.presence == "present"
            and (value := getattr(claim, kind)) in known
            and drawn_as.get(claim.finding) == frozenset((value,))
        }
    )


def if_wrong(made, name, truth, kind):
    """What was made and of which finding, where something that it now says of it is wrong in that kind."""
    wrong = any(claim.finding == name and truth.fault(claim) == kind for claim in said(made))
    return (made, name) if wrong else None


def plant_side(study, truth, rng):
    """The sides of one finding exchanged wherever it is told."""
    able = as_drawn(study, "side", truth.sides, SIDES)
    if not able:
        return None
    name, _ = rng.choice(able)
    made = edited(study, lambda _, one: other_side(one) if tells(one, name, presence="present") else one)
    return if_wrong(made, name, truth, "side")


def plant_gap(study, truth, rng):
    """Nothing said any more of one finding that is there."""
    able = sorted({claim.finding for claim in said(study) if claim.presence == "present"})
    able = [name for name in able if truth.presence.get(name) == "present"]
    rng.shuffle(able)
    for name in able:
        made = edited(study, lambda _, one, name=name: None if tells(one, name) else one)
        if made.text and name not in {claim.finding for claim in said(made)}:
            return made, name
    return None


def plant_flip(study, truth, rng):
    """One finding that is there denied, or one that isn't there stated; each as often, where both can be."""
    claims = said(study)
    there = {
        c.finding for c in claims if c.presence == "present" and truth.presence.get(c.finding) == "present"
    }
    not_there = {
        c.finding for c in claims if c.presence == "absent" and truth.presence.get(c.finding) == "absent"
    }
    pools = [sorted(pool) for pool in (there, not_there - there) if pool]
    if not pools:
        return None
    pool = rng.choice(pools)
    name = rng.choice(pool)
    word = NAMES.get(name, name.lower())
    new = f"No {word}." if name in there else f"There is {word}."
    done = set()

    def change(section, one):
        if not tells(one, name):
            return one
        if section in done:
            return None
        done.add(section)
        return new

    return if_wrong(edited(study, change), name, truth, "presence")


def plant_degree(study, truth, rng):
    """Small for large or large for small, wherever the finding is told."""
    able = as_drawn(study, "degree", truth.degrees, DEGREES)
    if not able:
        return None
    name, degree = rng.choice(able)
    pattern, instead = DEGREES[degree]
    made = edited(
        study,
        lambda _, one: swapped(one, pattern, lambda _: instead) if tells(one, name, degree=degree) else one,
    )
    return if_wrong(made, name, truth, "degree")


PLANTED = dict(zip(KINDS, (plant_side, plant_gap, plant_flip, plant_degree), strict=False))


# --- beside films ---


def site_cases(archive, site, how_many, work):
    """Studies, what each is held to, what is believed of its films, and how they lean; drawn once."""
    from xemplar.drafting.truth import held_to
    from xemplar.report import language_of
    from xemplar.sources import phantom

    arrivals = (a for a in phantom.studies(20 * how_many, seed=SEED, site=site))
    first = (a for a in arrivals if a.study.prior_id is None and a.study.text)
    chosen = list(islice((a for a in first if language_of(a.study.text) == "en"), how_many))
    cases = encoded_cases(archive, chosen, work / f"check-{site}-{how_many}.npy")
    held = archive.drafter.held(cases)
    leaning = leaning_of(archive, chosen, cases, work / f"check-{site}-{how_many}.json")
    return [a.study for a in chosen], [held_to(a.study) for a in chosen], held, leaning


def leaning_of(archive, arrivals, cases, place):
    """To which side each study's films lean, kept at `place`."""
    from xemplar.archive.leaning import leanings

    if not place.is_file():
        spec, found = archive.corpus.settings.preview, []
        for arrival, case in zip(arrivals, cases, strict=True):
            films = [
                Film(preview.image, preview.history, position=view.position)
                for preview, view in zip(
                    (read_preview(image, spec) for image in arrival.images), arrival.study.views, strict=True
                )
            ]
            found += leanings(archive.retriever, archive.drafter, [replace(case, films=films)])
        place.write_text(json.dumps(found))
    return json.loads(place.read_text())


class Beside:
    """One site's reports beside their films, under any limits, by what the archive's calibration learnt."""

    def __init__(self, archive, held, leaning, reads):
        from xemplar.archive import checking

        self.archive, self.held, self.leaning, self.near = archive, held, leaning, checking.nearer
        self.limits = checking.limits_of(archive)
        texts = list(dict.fromkeys(read.text for read in reads))
        self.vectors = dict(zip(texts, archive.encoder.encode_texts(texts), strict=True))

    def scores(self, row, read):
        """(kind, finding) -> probability, of all that the film speaks against."""
        one = self.held[row]
        swaps = swaps_of(read, one.beliefs, self.leaning[row])
        suspected = (*suspicions(read, one.beliefs), *self.limits.swapped(swaps))
        found = {(each.kind, each.finding): each.probability for each in suspected}
        if not read.said:
            return found
        nearer = self.near(self.archive, one.case.vector, self.vectors[read.text])
        fit = fit_of(read, one.beliefs, usual=self.limits.usual, nearer=nearer)
        return {**found, ("another film", None): self.limits.another(fit)}


def by_film(scores, above):
    """(kind, finding) of what is above its kind's limit."""
    return {key for key, value in scores.items() if value > above.get(key[0], 2.0)}


def at_one_in_ten(scores, by_words):
    """Kind -> the limit at which one in ten of these clean reports alarms, all kinds equally often."""
    kinds = sorted({kind for one in scores for kind, _ in one})
    worst = np.array([[max([v for (k, _), v in one.items() if k == kind], default=-1.0) for kind in kinds]
                      for one in scores])  # fmt: skip
    words = np.array([bool(one) for one in by_words])
    above, _ = chosen(worst, words, ONE_IN_TEN, coming=0)
    return dict(zip(kinds, above.tolist(), strict=True))


def cases_of(studies, truths):
    """(row, kind, finding, report): every report as it is, and with one error of each kind it can hold."""
    rng = random.Random(7)
    found = [(row, "clean", None, study) for row, study in enumerate(studies)]
    for row, (study, truth) in enumerate(zip(studies, truths, strict=True)):
        for kind, plant in PLANTED.items():
            made = plant(study, truth, rng)
            if made is not None:
                found.append((row, kind, made[1], made[0]))
        other = rng.choice([one for one in range(len(studies)) if one != row])
        wrong = [c for c in said(studies[other]) if truth.fault(c) in ("presence", "side")]
        if wrong:
            found.append((row, KINDS[4], None, studies[other]))
    return found


def is_found(kind, finding, alerts):
    """Whether an alert of the error's kind and finding is among them."""
    kinds = FOUND_BY[kind]
    return any(one in kinds and finding in (None, name) for one, name in alerts)


def scored(cases, told, by_words):
    """Shares with intervals; `told` and `by_words` are the alerts of each case."""
    patients = np.array([row for row, *_ in cases])
    kinds = np.array([kind for _, kind, *_ in cases])
    any_alert = np.array([bool(one) for one in told])
    result = {"clean reports alarmed": share(any_alert[kinds == "clean"], patients[kinds == "clean"])}
    words = np.array([bool(one) for one in by_words])
    result["clean reports alarmed by words"] = share(words[kinds == "clean"], patients[kinds == "clean"])
    for kind in KINDS:
        rows = np.flatnonzero(kinds == kind)
        if not len(rows):
            continue
        found, floor = (
            np.array([is_found(kind, cases[row][2], alerts[row]) for row in rows])
            for alerts in (told, by_words)
        )
        result[kind] = {
            "errors": len(rows),
            "found": share(found, patients[rows]),
            "any alert": share(any_alert[rows], patients[rows]),
            "floor: words alone": share(floor, patients[rows]),
            "floor: at random": result["clean reports alarmed"]["mean"],
            "above random": less_clean(found, patients[rows], any_alert[kinds == "clean"]),
        }
    return result


def share(values, patients):
    """A share and its 95 % interval, patients resampled."""
    rng = np.random.default_rng(0)
    people, place = np.unique(patients, return_inverse=True)
    hits, counts = np.bincount(place, values), np.bincount(place)
    drawn_rows = rng.integers(0, len(people), (REPLICATES, len(people)))
    means = hits[drawn_rows].sum(axis=1) / counts[drawn_rows].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return {"mean": float(np.mean(values)), "low": float(low), "high": float(high), "n": len(values)}


def less_clean(found, patients, clean):
    """Sensitivity less the share of clean reports that alarm, patients resampled with both of theirs.

    `clean` (patients,) holds whether each patient's own report alarms.
    """
    rng = np.random.default_rng(1)
    hits = np.bincount(patients, found, minlength=len(clean))
    counts = np.bincount(patients, minlength=len(clean))
    rows = rng.integers(0, len(clean), (REPLICATES, len(clean)))
    means = hits[rows].sum(axis=1) / counts[rows].sum(axis=1)
    low, high = np.percentile(means - clean[rows].mean(axis=1), [2.5, 97.5])
    return {"mean": float(found.mean() - clean.mean()), "low": float(low), "high": float(high)}


def films(asked):
    """Both sites."""
    from xemplar.archive import open_archive

    archive = open_archive(asked.index, corpus=asked.corpus, model=asked.model, calibration=asked.calibration)
    result = {**drawn(), "archive": archive.corpus.title}
    for site in ("A", "B"):
        studies, truths, held, leaning = site_cases(archive, site, asked.patients, asked.work)
        cases = cases_of(studies, truths)
        reads = [read_report(report) for *_, report in cases]
        by_words = [{(one.kind, one.finding) for one in check_text(read).alerts} for read in reads]
        beside = Beside(archive, held, leaning, reads)
        result["limits fitted on"] = beside.limits.reports
        result["limits fitted on patients"] = beside.limits.patients
        print(site, len(studies), "reports,", len(cases), "cases", file=sys.stderr, flush=True)
        scores = [beside.scores(case[0], read) for case, read in zip(cases, reads, strict=True)]
        clean = [place for place, case in enumerate(cases) if case[1] == "clean"]
        limits = {
            "shipped limits": beside.limits.above,
            "one in ten": at_one_in_ten([scores[n] for n in clean], [by_words[n] for n in clean]),
        }
        faulty = sum(
            any(t.fault(c) in ("presence", "side") for c in said(s))
            for s, t in zip(studies, truths, strict=True)
        )
        result[site] = {
            "patients": len(studies),
            "clean reports that the drawing shows to be wrong": faulty,
        }
        for name, above in limits.items():
            told = [words | by_film(one, above) for words, one in zip(by_words, scores, strict=True)]
            result[site][name] = {"above": above, **scored(cases, told, by_words)}
    return result


# --- in words alone ---


def indiana(folder, half):
    """The reports of one half, as studies."""
    with (folder / "reports.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if half_of(row["findings"], row["impression"]) == half]
    return [
        Study(
            row["uid"],
            row["uid"],
            "clinical",
            comparison=row["comparison"] or None,
            findings=row["findings"] or None,
            impression=row["impression"] or None,
        )
        for row in rows
    ]


def plant_words(study, kind, rng):
    """A side or negation flipped in one of two sections that both tell of a finding; None where none do."""
    claims: dict[str, list[Claim]] = {"findings": [], "impression": []}
    for one in read_report(study).said:
        claims[one.section].append(one.claim)
    section = rng.choice(sorted(claims))
    other = "impression" if section == "findings" else "findings"

    def able(claim):
        if kind == "wrong side":
            return claim.presence == "present" and claim.side in SIDES
        return claim.presence in ("present", "absent")

    both = [
        (one.finding, one.presence, one.side)
        for one in claims[section]
        for two in claims[other]
        if able(one)
        and (one.finding, one.presence) == (two.finding, two.presence)
        and (kind != "wrong side" or one.side == two.side)
    ]
    if not both:
        return None
    name, presence, side = rng.choice(sorted(both, key=str))
    word = NAMES.get(name, name.lower())

    def change(where, one):
        if where != section or not tells(one, name, presence=presence):
            return one
        if kind == "wrong side":
            return other_side(one) if tells(one, name, presence=presence, side=side) else one
        return f"There is {word}." if presence == "absent" else f"No {word}."

    return edited(study, change), name


def words(folder):
    """Sensitivity of the rules on the half that they weren't written with, and how often clean ones alarm."""
    result = {"domain": "clinical", "lexicon": lexicon_version()[:16]}
    for half in ("tuning", "frozen"):
        studies, rng = indiana(folder, half), random.Random(11)
        clean = [bool(check_text(study).alerts) for study in studies]
        place_of = {study.study_id: place for place, study in enumerate(studies)}
        kinds: dict = {}
        for study in studies:
            for one in check_text(study).alerts:
                kinds[one.kind] = kinds.get(one.kind, 0) + 1
        found = {
            "reports": len(studies),
            "clean reports alarmed": share(np.array(clean), np.arange(len(clean))),
        }
        found["alerts on clean reports"] = kinds
        for kind in ("wrong side", "negation flipped"):
            made = [
                (one, *planted) for one in studies if (planted := plant_words(one, kind, rng)) is not None
            ]
            hits = []
            for _, report, name in made:
                alerts = {(one.kind, one.finding) for one in check_text(report).alerts}
                hits.append(is_found(kind, name, alerts))
            whose = np.array([place_of[one.study_id] for one, *_ in made])
            found[kind] = {
                "errors": len(made),
                "found": share(np.array(hits), whose),
                "floor: at random": found["clean reports alarmed"]["mean"],
                "above random": less_clean(np.array(hits), whose, np.array(clean)),
            }
        result[half] = found
    return result


def speed(folder):
    """Processor seconds for 10,000 reports, nothing met before; distinct ones by a mark in each sentence."""
    studies = [one for half in ("tuning", "frozen") for one in indiana(folder, half)]
    many = [replace(studies[n % len(studies)], study_id=str(n)) for n in range(10_000)]
    timed = {}
    for name, marked_up in zip(TIMED, (False, True), strict=True):
        from xemplar.check import reading

        reading._claims.cache_clear()
        reading.compares.cache_clear()
        reports = many
        if marked_up:
            reports = [
                edited(one, lambda _, text, n=n: f"{text.rstrip('.')} ({n})." if text else text)
                for n, one in enumerate(many)
            ]
        began, wall = time.process_time(), time.perf_counter()
        for one in reports:
            check_text(one)
        timed[name] = {
            "cpu_seconds": round(time.process_time() - began, 2),
            "wall_seconds": round(time.perf_counter() - wall, 2),
        }
    return {"reports": len(many), **timed, "bar_seconds": 30}


# --- the page ---


def spread(value):
    return f"{value['mean']:.2f} [{value['low']:.2f}, {value['high']:.2f}]"


def page(result):
    """The figures as tables."""
    lines: list[str] = []
    found = result.get("films")
    if found:
        people = found.get("limits fitted on patients")
        of = f" of {people} patients" if people else ""
        lines += [f"Site A's limits are fitted on {found['limits fitted on']} reports{of}.", ""]
    for site in ("A", "B") if found else ():
        for name, whose in LIMITS.items():
            told = found[site][name]
            lines += [
                f"Drawn films ({found['phantom']}), site {site}, "
                f"{found[site]['patients']} patients, {whose}: "
                f"{spread(told['clean reports alarmed'])} of clean reports alarm "
                f"({told['clean reports alarmed by words']['mean']:.2f} by words).",
                "",
            ]
            rows = [
                [kind, str(one["errors"]), spread(one["found"]), spread(one["any alert"]),
                 f"{one['floor: at random']:.2f}", spread(one["above random"]),
                 f"{one['floor: words alone']['mean']:.2f}"]
                for kind in KINDS
                if (one := told.get(kind))
            ]  # fmt: skip
            floors = ["at random", "above random", "words alone"]
            head = ["planted", "errors", "found, by its kind", "any alert", *floors]
            lines += rows_of(head, rows)
    for half in ("tuning", "frozen") if "words" in result else ():
        told = result["words"][half]
        lines += [
            f"Indiana reports, {half} half, {told['reports']} patients, words alone: "
            f"{told['clean reports alarmed']['mean']:.3f} of clean reports alarm.",
            "",
        ]
        rows = [
            [kind, str(one["errors"]), spread(one["found"]), f"{one['floor: at random']:.3f}",
             spread(one["above random"])]
            for kind in ("wrong side", "negation flipped")
            if (one := told[kind])
        ]  # fmt: skip
        lines += rows_of(["planted in one place", "errors", "found", "at random", "above random"], rows)
    if "speed" in result:
        timed = ", ".join(
            f"{one['cpu_seconds']} s {name} ({one['wall_seconds']} s by the clock)"
            for name in TIMED
            if (one := result["speed"][name])
        )
        lines.append(
            f"{result['speed']['reports']:,} reports, words alone, processor time on one core: {timed}."
        )
    return "\n".join(lines).strip()


def main():
    reader = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("index", "corpus", "model", "calibration", "work"):
        reader.add_argument(f"--{name}", type=Path)
    reader.add_argument("--patients", type=int, default=300)
    reader.add_argument("--out", type=Path, default=Path("docs/results/check.json"))
    reader.add_argument("--page", type=Path, default=Path("docs/check.md"))
    reader.add_argument("--page-only", action="store_true")
    asked = reader.parse_args()
    result = json.loads(asked.out.read_text()) if asked.out.is_file() else {}
    if not asked.page_only:
        if asked.index is not None:
            asked.work.mkdir(parents=True, exist_ok=True)
            result["films"] = films(asked)
        if folder := os.environ.get("XEMPLAR_DATA"):
            result["words"] = words(Path(folder) / "iu_reports")
            result["speed"] = speed(Path(folder) / "iu_reports")
        result["machine"] = machine()
        asked.out.write_text(json.dumps(result, indent=1) + "\n")
    text = asked.page.read_text(encoding="utf-8")
    asked.page.write_text(marked(text, "check", page(result)), encoding="utf-8")


if __name__ == "__main__":
    main()
