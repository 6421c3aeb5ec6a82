"""The table as Markdown: what stands in docs/benchmark.md.

Knows the table's JSON; computes no score.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xemplar.contracts import Json
from xemplar.evaluation.benchmark import measures
from xemplar.evaluation.benchmark.cells import less, measured, number, rows_of, spread, trainings, whole

GROUPS = {
    "retrieval": "Retrieval",
    "drafts": "Drafts",
    "classification": "Classification",
}
ABLATED = (
    measures.IMAGE_REPORT_MRR, measures.REPORT_IMAGE_MRR, measures.IMAGE_MAP, measures.MICRO_F1.name,
    measures.MACRO_F1.name, measures.BLEU_2.name, measures.PRECISION,
)  # fmt: skip
"""Of an ablation's many measures those that are printed; all stand in table.json."""


def markdown(table: Json, *, title: str = "Benchmark", level: int = 1, told: str = "") -> str:
    """The whole page, or with a deeper `level` a part of one; `told` is said of where it comes from."""
    parts = [
        f"# {title}",
        "",
        f"**{table['heading']}**",
        "",
        *([told, ""] if told else []),
        *_opening(table),
        "",
        *_aims(table),
        *_validation(table),
        *_scores(table),
        *_ablations(table),
        *_curves(table),
        *_sites(table),
        *_papers(table),
        *_costs(table),
        *_failures(table),
    ]
    deeper = "#" * (level - 1)
    lines = [f"{deeper}{line}" if line.startswith("#") else line for line in parts]
    return "\n".join(lines).rstrip() + "\n"


TRUTH = (
    "Truth is used for scores alone: whatever is learnt, voted or calibrated here takes what reports claim."
)


def _opening(table: Json) -> Iterator[str]:
    seeds = ", ".join(str(seed) for seed in table["settings"]["seeds"])
    yield (
        f"Size {table['settings']['size']}, training seeds {seeds}; learnt and retrieved from the training "
        f"part of: {table['learnt_from']}. Everybody is asked about the same studies:"
    )
    yield ""
    for name, facts in table["sets"].items():
        left = f"; {facts['left_out']} near-duplicates left out" if facts["left_out"] else ""
        truth = f"; truth: {facts['truth']}" if facts["truth"] else ""
        yield f"- {name}: {facts['title']} ({facts['source']}){left}{truth}."
    yield ""
    yield (
        f"Intervals hold 95 % of {table['resampling']['replicates']} resamplings of whole patients; over "
        "several seeds sums are added up, so that an interval is of patients and not of trainings (what each "
        "seed gives stands in table.json). A difference is paired by study, and bold where its interval is "
        "clear of zero; they are not adjusted for their number. Ties earn nothing; equal texts are equally "
        "right. success@k is R@k in CLIP papers."
    )
    yield ""
    yield TRUTH


def _aims(table: Json) -> list[str]:
    told = [said, ""] if (said := undrafted(table)) else []
    if not table["aims"]:
        return ["## What was aimed at", "", *told] if told else []
    rows = [
        [aim["aim"], aim["set"], measured(aim), less(aim),
         f"{aim['seeds_above']} of {trainings(aim['seeds'])}",
         "reached" if aim["reached"] else "not reached"]
        for aim in table["aims"]
    ]  # fmt: skip
    head = ["aim", "set", "measure", "difference", "above in", ""]
    return ["## What was aimed at", "", *rows_of(head, rows), *told]


def undrafted(table: Json) -> str:
    """Why no aim is of our drafts, where ours couldn't be calibrated; nothing where there are such aims."""
    ours = table["ours"]
    of_drafts = [aim for aim in table["aims"] if aim["measure"] == measures.MICRO_F1.name]
    own = [one["name"] for one in table["entries"] if one["system"] == ours]
    why = [table["notes"].get(name, {}).get("drafts") for name in own]
    if not any(why) or any(aim["aim"].startswith(f"{ours} above ") for aim in of_drafts):
        return ""
    first = next(one for one in why if one)
    return f"No aim is of {ours}'s drafts, which it didn't make: {first} (see What couldn't be done)."


def _scores(table: Json) -> Iterator[str]:
    for group, title in GROUPS.items():
        blocks = [block for block in table["scores"] if block["group"] == group]
        if not blocks:
            continue
        yield f"## {title}"
        yield ""
        yield from ABOUT.get(group, ())
        for name in table["sets"]:
            mine = [block for block in blocks if block["set"] == name]
            if mine:
                yield f"### {title} on {name}"
                yield ""
                if group == "drafts" and (said := handed_in(table, name)):
                    yield said
                    yield ""
                yield from _wide(mine, table["systems"])
                yield from _differences(mine, table)


ABOUT = {
    "retrieval": (
        "In a gallery of the asked studies. Between images and reports each system ranks as it does: by "
        "its vectors, of which a matcher orders the nearest anew where it has one, both ways; or, image to "
        "report, by a vector that has looked at its neighbours. Label mAP is by vectors alone; whoever "
        "shares a truly present finding is right, one's own patient left out.",
        "",
    ),
    "drafts": (
        "What drafts state as present, held against the truth; wording against the report really written.",
        "",
    ),
    "classification": (
        "Ours by its own way to classify; every other system by whichever of all its ways (zero-shot "
        "prompts, linear probe, kNN label vote, X-TRA's head) scores highest on this very set, which favours "
        "them.",
        "",
    ),
}


def handed_in(table: Json, where: str) -> str:
    """Of how many studies of a set other systems' texts were handed in."""
    said = [
        f"{name}: {sets[where]['predicted']} of {sets[where]['studies']} studies predicted"
        for name, sets in table.get("predicted", {}).items()
        if where in sets
    ]
    return f"{'; '.join(said)}. A study without a prediction counts as an empty draft." if said else ""


def _wide(blocks: Sequence[Json], systems: Sequence[str]) -> list[str]:
    """Systems down, measures across."""
    rows = []
    for system in systems:
        cells = []
        for block in blocks:
            found = next((row for row in block["rows"] if row["system"] == system), None)
            way = f" ({found['way']})" if found and found["way"] else ""
            cells.append(f"{spread(found)}{way}" if found else "")
        if any(cells):
            rows.append([system, *cells])
    return rows_of(["system", *(block["measure"] for block in blocks)], rows)


def _differences(blocks: Sequence[Json], table: Json) -> list[str]:
    blocks = [block for block in blocks if block["differences"]]
    if not blocks:
        return []
    rows = []
    for system in table["systems"]:
        cells = []
        for block in blocks:
            found = next((row for row in block["differences"] if row["system"] == system), None)
            cells.append(less(found) if found else "")
        if any(cells):
            rows.append([f"less {system}", *cells])
    return [f"{table['ours']} less each other:", "", *rows_of(["", *(b["measure"] for b in blocks)], rows)]


def _ablations(table: Json) -> Iterator[str]:
    if not table["ablations"]:
        return
    yield "## Ablations"
    yield ""
    yield (
        "The first less the second, over the seeds that both have. What changes an encoder's training is "
        "trained with the first seed alone, and rests on one training: its interval says nothing of another "
        "training's luck. All measures stand in table.json."
    )
    yield ""
    rows = []
    for block in table["ablations"]:
        for row in block["rows"]:
            if row["measure"] in ABLATED and row["first"] != row["second"]:
                seeds = len(row["difference"]["by_seed"])
                named = measured({"measure": row["measure"], "ways": row["difference"].get("ways")})
                rows.append(
                    [block["question"], block["set"], named, spread(row["first"]),
                     spread(row["second"]), less(row["difference"]), trainings(seeds)]
                )  # fmt: skip
    yield from rows_of(["question", "set", "measure", "first", "second", "difference", "rests on"], rows)


def _curves(table: Json) -> Iterator[str]:
    if not table["curves"]:
        return
    yield "## By share of the training patients"
    yield ""
    names = [name for name in ABLATED if any(name in point["scores"] for point in table["curves"])]
    rows = [
        [point["recipe"], point["set"], f"{point['part']:.0%}", str(point["patients"]),
         *(spread(point["scores"][name]) if name in point["scores"] else "" for name in names)]
        for point in table["curves"]
    ]  # fmt: skip
    yield "Of one seed; whoever is calibrated is so on all validation patients."
    yield ""
    yield from rows_of(["recipe", "set", "share", "patients", *names], rows)


def _sites(table: Json) -> Iterator[str]:
    if not table["sites"]:
        return
    first, second = table["sites"][0]["first"], table["sites"][0]["second"]
    yield f"## {first} less {second}"
    yield ""
    yield "Trained on the first alone; patients of both are resampled together."
    yield ""
    names = [name for name in ABLATED if any(row["measure"] == name for row in table["sites"])]
    known = {(row["system"], row["measure"]): row["difference"] for row in table["sites"]}
    rows = [
        [system, *(less(known[system, name]) if (system, name) in known else "" for name in names)]
        for system in table["systems"]
        if any((system, name) in known for name in names)
    ]
    yield from rows_of(["system", *names], rows)


PAPERS = {
    "TxtRayAlign": "Labels of the nearest k labelled sentences against those of the query's own report, by "
    "our labeler; agreeing negatives count. First put right, then [txtrayalign] as its program has them.",
    "MedCLIP": "The three nearest texts, one's own left out, each scored by itself against the one really "
    "written. Reports follow no template: the constant normal report stands in for it.",
    "X-REM": "BLEU-2 as ReXrank's, and label F1 over the findings whose truth is known.",
}


def _papers(table: Json) -> Iterator[str]:
    if not table["papers"]:
        return
    yield "## Under each paper's own scores"
    yield ""
    for paper, about in PAPERS.items():
        for name in table["sets"]:
            blocks = [one for one in table["papers"] if (one["paper"], one["set"]) == (paper, name)]
            if blocks:
                yield f"### {paper}'s, on {name}"
                yield ""
                yield about
                yield ""
                yield from rows_of(
                    ["measure", *table["systems"]],
                    (
                        [block["measure"], *(_cell(block["rows"], system) for system in table["systems"])]
                        for block in blocks
                    ),
                )
    if table["filters"]:
        yield "The filter's verdicts:"
        yield ""
        rows = [
            [one["system"], one["set"], str(one["seed"]), one["judge"], str(one["asked"]),
             number(one["entailment"]), number(one["neutral"]), number(one["contradiction"])]
            for one in table["filters"]
        ]  # fmt: skip
        yield from rows_of(
            ["system", "set", "seed", "judge", "asked", "entail", "neutral", "contradict"], rows
        )


def _cell(rows: Sequence[Json], system: str) -> str:
    found = next((row for row in rows if row["system"] == system), None)
    return spread(found) if found else ""


VALIDATED = (
    "Image to report MRR among the patients that a training held back to stop by, beside that of a random "
    "order of as many (equal reports, which are equally right, raise both). What is not above chance by half "
    "did not learn, or had too few patients to show it."
)


def _validation(table: Json) -> Iterator[str]:
    if not table.get("validation"):
        return
    yield "## Validation"
    yield ""
    yield VALIDATED
    yield ""
    rows = [
        [one["entry"], str(one["studies"]), number(one["mrr"]), number(one["chance"]),
         "" if one["learnt"] else "**did not learn**"]
        for one in table["validation"]
    ]  # fmt: skip
    yield from rows_of(["training", "studies held back", "MRR", "chance", ""], rows)


MEANWHILE = (
    "It is timed while another entry may be training on the other core (--jobs 2), so that on a machine "
    "that does nothing else drafts are faster, and small differences between systems mean nothing."
)


def _costs(table: Json) -> Iterator[str]:
    if not table["costs"]:
        return
    machine = table["machine"]
    yield "## Cost"
    yield ""
    yield (
        f"{machine['cores']} cores ({machine['cpu']}), one thread a process, Python {machine['python']}; "
        f"{table['process_seconds'] / 60:.0f} process minutes in all. A draft is timed from previews to "
        f"lines, after a warm-up. {MEANWHILE} Memory is the process's."
    )
    yield ""
    rows = [
        [one["system"], whole(one["train_seconds"]), whole(one["train_peak_mb"]),
         whole(one["index_seconds"]),
         whole(one["draft_median_ms"]), whole(one["draft_p95_ms"]), whole(one["asked_peak_mb"]),
         whole(one["weights_mb"], 1)]
        for one in table["costs"]
    ]  # fmt: skip
    head = [
        "system",
        "training, s",
        "peak, MB",
        "index, s",
        "draft, median ms",
        "p95 ms",
        "peak when asked, MB",
    ]
    yield from rows_of([*head, "weights, MB"], rows)


def _failures(table: Json) -> Iterator[str]:
    said = [f"- {name}: {why}" for name, why in {**table["failed"], **table["left_out"]}.items()]
    said += [
        f"- {name}, {what}: {why}" for name, notes in table["notes"].items() for what, why in notes.items()
    ]
    if said:
        yield "## What couldn't be done"
        yield ""
        yield from said
        yield ""
