r"""Whether drafts can be trusted, ours beside top-k, MMR and X-REM's rule, on freshly drawn films of site A.

Patients are of a seed that no model of ours has learnt from; every policy drafts the same films from the
same index with the same encoder. Truth is what was drawn, with sides and degrees; the rules that read
sentences judge nothing but what a line claims.

ours, promised     evidence, calibrated to keep a promise (half of the validation patients fit limits alone)
ours               evidence, limits by F1, nothing promised
top k              the nearest sentences as they stand: TxtRayAlign's two, and six, about as many as ours says
mmr                the nearest sentences, each unlike those before it
consistent         X-REM's rule: 50 nearest reports by cosine, 10 by the matcher where the model has one,
                   up to two that rules over claims call neither entailed nor contradicted by those before
..., balanced      the same from an archive in which no finding is rarer than another (`balanced_pool.py`)

Everybody drafts behind the same gate, so that whoever is stopped is silent with all. Drafts are kept in
chunks below --work and found again there; --count may grow. Run:

    OMP_NUM_THREADS=1 python benchmarks/drafts.py --index runs/xemplar-1/index --model runs/xemplar-1/model \
        --corpus corpora/site-a --work /tmp/drafts --count 2000 [--policy ours ...] --out docs/results
    python benchmarks/drafts.py --page      (writes the committed figures into docs/drafts.md)
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from balanced_pool import Balanced
from machine import drawn, machine
from publish import ROOT, spread

from xemplar.archive import Archive, calibrate, open_archive
from xemplar.assembly import Assembly
from xemplar.corpus import Corpus, IngestSettings, ingest
from xemplar.drafting.calibration import open_parts
from xemplar.drafting.gate import open_gate
from xemplar.drafting.promise import Asked
from xemplar.drafting.truth import held_to
from xemplar.errors import XemplarError
from xemplar.evaluation.coverage import findings_said, held_promise, lines_said, risk_coverage
from xemplar.evaluation.printed import defined
from xemplar.evaluation.scores import Resampling
from xemplar.evaluation.trust import (
    MEASURES,
    Sources,
    Trust,
    finding_recalls,
    held,
    mean_recalls,
    trust_scores,
)
from xemplar.folders import write_atomic
from xemplar.index import build_index, fitted_to, open_index
from xemplar.memory import keep_freed
from xemplar.metrics.clinical import LabelCounts, count_labels, f1
from xemplar.metrics.statistics import ratio
from xemplar.records import Claim, Draft, Hit, Line
from xemplar.sources import phantom

SEED = 2027
"""Of the archive that is drafted for; no model of ours has seen any other film of it."""

PROMISED, OURS = "ours, promised", "ours"
RIVALS = {
    "top 2": {"policy": "top", "unit": "sentence", "count": 2},
    "top 6": {"policy": "top", "unit": "sentence", "count": 6},
    "mmr": {"policy": "mmr", "unit": "sentence", "count": 6},
    "consistent": {"policy": "consistent", "unit": "report", "count": 2, "filter": "claims"},
}
BALANCED = ", balanced"
POOLED = (OURS, "top 6")
"""Policies that draft from the balanced archive as well."""

POLICIES = (PROMISED, OURS, *RIVALS, *(name + BALANCED for name in POOLED))
ASKED = {PROMISED: Asked(), OURS: None}
REPLICATES = 1000
SIDES, NORMALS = 1 / 3, 1 / 2
"""Of top-k's: the largest share of wrong sides, and of false normals, that ours aims at."""

RATIOS = (
    ("wrong sides per draft", SIDES),
    ("wrong sides per stating line", SIDES),
    ("wrong sides of those said", SIDES),
    ("false normals", NORMALS),
    ("false normals per stating line", NORMALS),
    ("reads normal, and isn't", NORMALS),
)
TOLD = (
    "lines per draft", "stating lines per draft", "wrong lines", "wrong stating lines",
    "drafts that contradict themselves", "unsupported findings per draft", "wrong sides per draft",
    "wrong sides of those said", "wrong degrees of those said", "false normals", "reads normal, and isn't",
    "recall of findings", "recall of clear findings", "lines without a source",
)  # fmt: skip
"""Measures in the page's table; all are in the JSON."""

WHO = """- **ours**: evidence and composition ([composition.md](composition.md)), limits by F1, no promise;
  **ours, promised**: the same under limits that keep a promise ([promise.md](promise.md)).
- **top 2**, **top 6**: so many nearest sentences as they stand, as TxtRayAlign has them; **mmr**: six of the
  nearest 50, each unlike those before it; **consistent**: X-REM's rule over whole reports.
- **..., balanced**: from an archive in which no finding is rarer than another.

Ours says far fewer lines that state anything. So it is seldom wrong in a side and never contradicts itself,
and it oftener reads as normal where something is there ("reads normal, and isn't"): what a draft leaves
unsaid is not said to be absent, and nobody may take its silence for a normal film."""

WEIGHED = """Here every patient weighs alike, as in the promise, however many studies are theirs; in the first
table every line does. So the share of wrong lines is not quite the same in both."""

UNITS = """Measured is, where there is to be none: how many lines, or drafts. Where micro-F1 is to be above
another's: ours less theirs, on a scale of 0 to 1. Where a rate is to be at most a share of another's: ours
over theirs, so that 1 is as often as theirs, and 0.33 a third as often."""

NAMED = {one.name: one for group in MEASURES.values() for one in group}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("index", "model", "corpus", "work"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--chunk", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    parser.add_argument("--policy", choices=POLICIES, action="append", help="all where none is named")
    parser.add_argument("--out", type=Path, help="folder to write drafts.json into")
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()
    if given.page:
        publish()
        return
    if None in (given.index, given.model, given.corpus, given.work):
        sys.exit("--index, --model, --corpus and --work are needed")
    keep_freed()
    result = measured(given)
    text = json.dumps(result, indent=1, allow_nan=False) + "\n"
    if given.out:
        write_atomic(given.out / "drafts.json", text.encode())
    print(json.dumps({key: result[key] for key in ("studies", "patients", "aims", "failed")}, indent=1))


def measured(given: argparse.Namespace) -> dict:
    archive = open_archive(given.index, corpus=given.corpus, model=given.model, calibrated=False)
    films = drawn_films(given, archive)
    studies = films.studies[: given.count]
    drafts, failed, taken = {}, {}, {}
    for name in given.policy or POLICIES:
        began = time.perf_counter()
        try:
            drafts[name] = drafted(name, archive, films, given=given)
        except (XemplarError, ValueError) as error:  # a policy that this archive or version hasn't
            failed[name] = str(error)
            continue
        taken[name] = round(time.perf_counter() - began, 1)
        print(f"{name}: {len(drafts[name])} drafts, {taken[name]} s", file=sys.stderr)
    return defined(
        {
            "title": f"{phantom.label('A', SEED)}, {len(studies)} studies",
            **drawn(),
            "machine": machine(),
            "studies": len(studies),
            "patients": len({study.patient_id for study in studies}),
            "archive": {
                "title": archive.corpus.title,
                "counts": archive.index.manifest["counts"],
                "model": archive.encoder.fingerprint,
                "index": archive.index.fingerprint,
            },
            "seconds": taken,
            "failed": failed,
            **scored(drafts, archive, studies),
        }
    )


def drawn_films(given: argparse.Namespace, archive: Archive) -> Corpus:
    """The drawn films as a corpus with the archive's own previews; an interrupted drawing goes on."""
    place = given.work / "films"
    if (place / "corpus.json").exists() and len(Corpus.open(place).studies) >= given.count:
        return Corpus.open(place)
    settings = IngestSettings(
        domain="synthetic", texts="reports", source=phantom.label("A", SEED),
        preview=archive.corpus.settings.preview, fractions=(0.0, 0.0, 1.0),
    )  # fmt: skip
    arrivals = phantom.studies(given.count, seed=SEED, site="A")
    ingest(arrivals, place, settings, workers=given.workers, key_salt=b"drafts")
    return Corpus.open(place)


# --- drafts, kept chunk by chunk -------------------------------------------------------------------


def drafted(name: str, archive: Archive, films: Corpus, *, given: argparse.Namespace) -> list[Draft]:
    folder, made, asked = given.work / "drafts" / name.replace(", ", "-").replace(" ", "-"), None, []
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, given.count, given.chunk):
        part = films.studies[start : min(start + given.chunk, given.count)]
        file = folder / f"{start:05d}.jsonl"
        known = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        if [json.loads(row)["study_id"] for row in known] != [study.study_id for study in part]:
            made = made or ready(name, archive, folder, given=given)
            queries = [[films.film(study, view) for view in study.views] for study in part]
            vectors = encoded(archive, queries, given.work / "vectors" / f"{start:05d}-{len(part)}.npy")
            asked_of = made.draft_many(queries, vectors=vectors, apart=films.by_id)  # of another seed
            known = [json.dumps(asdict(draft), ensure_ascii=False) for draft in asked_of]
            write_atomic(file, ("\n".join(known) + "\n").encode())
        asked += [read(json.loads(row)) for row in known]
    return asked


def encoded(archive: Archive, queries: list, file: Path) -> np.ndarray:
    """The studies' vectors, encoded once for all policies and kept with the encoder's name."""
    file = file.with_name(f"{archive.encoder.fingerprint}-{file.name}")
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, archive.retriever.vectors_of(queries))
    return np.load(file)


def ready(name: str, archive: Archive, folder: Path, *, given: argparse.Namespace) -> Archive:
    """The archive with another last stage, or over another pool, calibrated where that needs it."""
    corpus, index, plain = archive.corpus, archive.index, name.removesuffix(BALANCED)
    if plain != name:
        corpus, place = Balanced(archive.corpus), given.work / "balanced"
        if (place / "index.json").exists():
            index = open_index(place, corpus, archive.encoder)
        else:
            index = build_index(corpus, archive.encoder, place, parts=("train",), engine="exact")
    assembly = Assembly(policy="evidence") if plain in ASKED else Assembly(**RIVALS[plain])
    stages = replace(archive.stages, assembly=assembly)
    made = Archive(corpus, archive.encoder, index, stages=stages, kept=given.work / "kept")
    if plain in ASKED:
        made.calibration = calibrate(made, folder / "calibration", promise=ASKED[plain])
    # Whoever drafts, a gate is asked first: its own, or that of ours over the same pool.
    held = folder if plain in ASKED else folder.with_name(name.replace(plain, OURS).replace(", ", "-"))
    made.gatekeeper.gate = open_gate(open_parts(held / "calibration"), index=fitted_to(index))
    return made


def read(row: dict) -> Draft:
    """A draft as it was written."""
    row["lines"] = tuple(
        Line(
            **{
                **line,
                "span": tuple(line["span"]),
                "source_study_ids": tuple(line["source_study_ids"]),
                "claims": tuple(Claim(**{**one, "span": tuple(one["span"])}) for one in line["claims"]),
            }
        )
        for line in row["lines"]
    )
    if "similar" in row:
        row["similar"] = tuple(Hit(**{**hit, "study_ids": tuple(hit["study_ids"])}) for hit in row["similar"])
    return Draft(**row)


# --- scores ----------------------------------------------------------------------------------------


def scored(drafts: dict[str, list[Draft]], archive: Archive, studies) -> dict:
    truths, sources = [held_to(study) for study in studies], Sources(archive.corpus.sentences)
    resampling = Resampling(np.array([study.patient_id for study in studies]), REPLICATES, 0)
    trusts = {name: held(made, truths, sources=sources) for name, made in drafts.items()}
    counts = {name: labels(made, truths) for name, made in drafts.items()}
    systems = {
        name: {
            "policy": made[0].policy,
            "promise": next((draft.promise for draft in made if draft.promise), None),
            "silent": sum(not draft.lines for draft in made),
            "stopped": sum(draft.gate is not None for draft in made),
            "micro_f1": asdict(resampling.interval(f1, counts[name].counts)),
            "macro_f1": asdict(
                resampling.interval(lambda totals: f1(totals, average="macro"), counts[name].counts)
            ),
            "scores": trust_scores(trusts[name], resampling),
            "recall": {
                key: asdict(value)
                for key, value in mean_recalls(trusts[name], phantom.FINDINGS, resampling).items()
            },
            "by_finding": finding_recalls(trusts[name], phantom.FINDINGS, resampling),
            "lines": risk_coverage(lines_said(made, truths), resampling),
            "findings": risk_coverage(findings_said(made, truths), resampling),
            "risks": held_promise(Kept(ASKED.get(name)), made, truths, resampling=resampling)["risks"],
        }
        for name, made in drafts.items()
    }
    compared = [
        against(mine, theirs, trusts, counts=counts, resampling=resampling)
        for mine in ASKED
        for theirs in RIVALS
        if mine in drafts and theirs in drafts
    ]
    return {"systems": systems, "compared": compared, "aims": aims(systems, compared)}


class Kept:
    """What was asked, as a promise is read; nothing where nothing was."""

    def __new__(cls, asked: Asked | None):
        """None for None."""
        return None if asked is None else super().__new__(cls)

    def __init__(self, asked: Asked) -> None:
        self.asked, self.scope, self.why = asked, "", None


def labels(drafts: list[Draft], truths) -> LabelCounts:
    said = [
        {c.finding for line in draft.lines for c in line.claims if c.presence == "present"}
        for draft in drafts
    ]
    return count_labels(
        np.array([[name in one for name in phantom.FINDINGS] for one in said], np.bool_),
        np.array([[t.presence.get(n) == "present" for n in phantom.FINDINGS] for t in truths], np.bool_),
        findings=phantom.FINDINGS,
    )


def against(
    mine: str,
    theirs: str,
    trusts: dict[str, Trust],
    *,
    counts: dict[str, LabelCounts],
    resampling: Resampling,
) -> dict:
    """Ours less theirs in label F1, paired; and ours over theirs in each rate, with its interval."""

    def quotient(name: str) -> dict:
        both = np.concatenate([trusts[one].sums(NAMED[name]) for one in (mine, theirs)], axis=1)
        found = resampling.interval(
            lambda sums: ratio(np.stack([ratio(sums[..., :2]), ratio(sums[..., 2:])], axis=-1)), both
        )
        return asdict(found)

    gain = {
        average: asdict(
            resampling.gain(
                lambda totals, a=average: f1(totals, average=a), counts[mine].counts, counts[theirs].counts
            )
        )
        for average in ("micro", "macro")
    }
    return {
        "ours": mine,
        "theirs": theirs,
        "gain": gain,
        "ratios": {name: quotient(name) for name, _ in RATIOS},
    }


def aims(systems: dict, compared: list[dict]) -> list[dict]:
    """What was aimed at, and whether it is reached."""
    found = []
    for name in ASKED:
        if name in systems:
            rows = {row["measure"]: row for row in systems[name]["scores"]}
            for measure in ("lines without a source", "drafts that contradict themselves"):
                count = rows[measure]["count"]
                found.append(aim(name, f"{measure}: none", {"value": count}, reached=count == 0))
    for row in compared:
        low = row["gain"]["micro"]["low"]
        words = f"label micro-F1 above {row['theirs']}, the interval clear of zero"
        found.append(aim(row["ours"], words, row["gain"]["micro"], reached=low > 0))
        for measure, most in RATIOS:
            if row["theirs"].startswith("top"):
                value = row["ratios"][measure]["value"]
                words = f"{measure}, at most {most:.2f} of {row['theirs']}'s"
                found.append(aim(row["ours"], words, row["ratios"][measure], reached=bool(value <= most)))
    return found


def aim(ours: str, words: str, value: dict, *, reached: bool) -> dict:
    kept = {key: value[key] for key in ("value", "low", "high") if key in value}
    return {"ours": ours, "aim": words, **kept, "reached": reached}


# --- the page --------------------------------------------------------------------------------------


def publish() -> None:
    result = json.loads((ROOT / "docs" / "results" / "drafts.json").read_text())
    (ROOT / "docs" / "drafts.md").write_text(page(result), encoding="utf-8")


def page(result: dict) -> str:
    systems = result["systems"]
    parts = [
        "# Can drafts be trusted?",
        "",
        "Measured by `benchmarks/drafts.py`, which also writes this page. "
        f"**{result['title']}, {result['patients']} patients, none of them in the archive** "
        f"({result['archive']['title']}). Drawn films: nothing here says anything about clinical ability. "
        "Every line is judged by what was drawn, sides and degrees included; intervals hold 95 % of "
        f"{REPLICATES:,} resamplings of patients.",
        "",
        WHO,
        "",
        *table(["measure", *systems], [measure_row(name, systems) for name in TOLD]),
        "",
        "What each measure counts:",
        "",
        *[f"- {name}: {NAMED[name].meaning}." for name in TOLD],
        "",
        "## Labels",
        "",
        *table(
            ["", *systems],
            [
                [words, *[shown(one[key]) for one in systems.values()]]
                for words, key in (("micro-F1, present", "micro_f1"), ("macro-F1, present", "macro_f1"))
            ]
            + [
                [f"recall, {weighed}", *[shown(one["recall"][pool]) for one in systems.values()]]
                for pool, weighed in (("natural", "as they occur"), ("balanced", "every finding alike"))
            ]
            + [
                [
                    "AURC of lines (area under risk and coverage, low is good)",
                    *[shown((one["lines"] or {}).get("aurc")) for one in systems.values()],
                ]
            ],
        ),
        "",
        "Recall as they occur weighs every finding of every study alike; the other every finding.",
        "",
        *pools(systems),
        "## Promised and measured",
        "",
        *promised(systems),
        "",
        "## What was aimed at",
        "",
        UNITS,
        "",
        *table(
            ["ours", "aim", "measured", ""],
            [
                [a["ours"], a["aim"], shown(a), "holds" if a["reached"] else "**fails**"]
                for a in result["aims"]
            ],
        ),
    ]
    parts += ["", *[f"Left out: {name}: {why}." for name, why in result["failed"].items()]]
    where = result["machine"]
    parts += [
        "",
        f"{where['cores']} cores ({where['cpu']}), Python {where['python']}, commit {where['commit']}.",
    ]
    return "\n".join(parts) + "\n"


def pools(systems: dict) -> list[str]:
    """Each finding's recall where the archive is as it is, and where no finding in it is rare."""
    shown_of = [name for one in POOLED for name in (one, one + BALANCED) if name in systems]
    if not any(name.endswith(BALANCED) for name in shown_of):
        return []
    found = {name: {row["finding"]: row for row in systems[name]["by_finding"]} for name in shown_of}
    rows = [
        [finding, str(row["studies"]), *[shown(found[name][finding]["recall"]) for name in shown_of]]
        for finding, row in found[shown_of[0]].items()
    ]
    words = (
        "Recall of each finding, from the archive as it is and from one in which no finding is rarer than "
        "another (who stays in it: `benchmarks/balanced_pool.py`):"
    )
    return ["## Of each finding", "", words, "", *table(["finding", "studies", *shown_of], rows), ""]


def promised(systems: dict) -> list[str]:
    rows = [
        [name, risk.replace("_", " "), f"{found['asked']:g}", shown(found["measured"]), found["verdict"]]
        for name, one in systems.items()
        for risk, found in one["risks"].items()
        if found["asked"] is not None
    ]
    told = [f"{one['promise']}" for one in systems.values() if one["promise"]]
    head = ["policy", "risk", "promised, at most", "measured", ""]
    if not told or not rows:
        return ["No draft was promised anything."]
    return [told[0], "", WEIGHED, "", *table(head, rows)]


def measure_row(name: str, systems: dict) -> list[str]:
    found = [next(row for row in one["scores"] if row["measure"] == name) for one in systems.values()]
    return [name, *[shown(row["ours"]) for row in found]]


def shown(value: dict | None) -> str:
    if value is None or value["value"] is None:
        return "\N{EN DASH}"
    if value.get("low") is None:
        return f"{value['value']:g}"
    return spread(value)


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]]


if __name__ == "__main__":
    main()
