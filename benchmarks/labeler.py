"""The labeler beside human labels, beside the original labeler, and by the clock.

`default` reads findings and impression, and is held to the human coding of the seven findings that both
name, uncertain counted as present; macro scores are over findings with at least ten positives. Beside it
stands what the original labeler said of the same reports: it read their findings section alone, so a
second comparison keeps the reports that have one. `chexpert` is held to the original's own table.
Intervals resample distinct texts, not reports: a normal report repeats word for word.

How often a mistyped sentence is read as the clean one is measured where both are known: in the reports of
the embedded archive, by `default` with and without its mending of typing errors. How sentences that were
made up for it are read is counted claim by claim.

Rules are tuned on the tuning half alone. `--half frozen` scores the other and counts how often that was
done; `--half tuning` prints and leaves the result's frozen part as it was. The tests score the frozen half
too, at every run, and say whether it passes.

Usage: XEMPLAR_DATA=... XEMPLAR_GOLDEN=... OMP_NUM_THREADS=1 python benchmarks/labeler.py
       [--half tuning|frozen] [--out docs/results/labeler.json]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from labeler_halves import half_of, indexed_reports
from labeler_made_up import FIELDS, made_up
from labeler_slips import typing_errors
from machine import machine
from numpy.typing import NDArray

from xemplar.findings import OBSERVATIONS, PROFILES, Labeler, lexicon_version

GOLD = {
    "Atelectasis": "Atelectasis",
    "Cardiomegaly": "Cardiomegaly",
    "Pleural Effusion": "Effusion",
    "Pneumonia": "Pneumonia",
    "Pneumothorax": "Pneumothorax",
    "Consolidation": "Consolidation",
    "Edema": "Edema",
}
"""CheXpert's name -> the human table's."""

POSITIVES = 10
REPLICATES = 2000
ORIGINAL = Path("labeler", "chexpert_labeler_on_iu_findings.csv")
BEGINS, ENDS = "<!-- measured -->", "<!-- /measured -->"
Json = dict[str, Any]
Rows = Mapping[str, Mapping[str, str]]


def main() -> None:
    """Score, print and write."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--half", choices=("tuning", "frozen"), default="tuning")
    wanted.add_argument("--out", type=Path, default=Path("docs/results/labeler.json"))
    wanted.add_argument("--page", type=Path, help="a page whose table is written anew")
    args = wanted.parse_args()
    tables = read_tables(Path(os.environ["XEMPLAR_DATA"]) / "iu_reports", Path(os.environ["XEMPLAR_GOLDEN"]))
    before = json.loads(args.out.read_text()) if args.out.exists() else {}
    result = {
        "machine": machine(),
        "lexicons": {profile: lexicon_version(profile) for profile in PROFILES},
        "frozen_scorings": before.get("frozen_scorings", 0) + (args.half == "frozen"),
        "earlier_frozen": earlier(before) if args.half == "frozen" else before.get("earlier_frozen", []),
        "speed": speed(tables["reports"]),
        "typing_errors": typing_errors(),
        "made_up": made_up(),
        "chexpert": {"tuning": fidelity(tables, "tuning")},
        "default": {"tuning": accuracy(tables, "tuning")},
    }
    if args.half == "frozen":
        result["chexpert"]["all"] = fidelity(tables, None)
        result["default"]["frozen"] = accuracy(tables, "frozen")
    else:
        for profile, part in (("chexpert", "all"), ("default", "frozen")):
            if part in before.get(profile, {}):
                result[profile][part] = before[profile][part]
    show(result)
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    if args.page:
        before_it, _, rest = args.page.read_text(encoding="utf-8").partition(BEGINS)
        behind = rest.partition(ENDS)[2]
        args.page.write_text(f"{before_it}{BEGINS}\n{table(result)}\n{ENDS}{behind}", encoding="utf-8")


def earlier(before: Json) -> list[Json]:
    """The frozen scorings that were made before, in short."""
    found: list[Json] = list(before.get("earlier_frozen", []))
    frozen = before.get("default", {}).get("frozen")
    if frozen:
        ours = frozen["ours"]
        found.append({"micro": ours["micro"], "macro": ours["macro"], "lexicons": before["lexicons"]})
    return found


def read_tables(reports: Path, golden: Path) -> dict[str, Rows]:
    """Indexed reports, human labels and the original labeler's, each by uid."""
    return {
        "reports": indexed_reports(reports),
        "all": _by_uid(reports / "reports.csv"),
        "gold": _by_uid(reports / "labels_gold14.csv"),
        "original": _by_uid(golden / ORIGINAL),
    }


def _by_uid(path: Path) -> Rows:
    with path.open(newline="", encoding="utf-8") as file:
        return {row["uid"]: row for row in csv.DictReader(file)}


def chosen(reports: Rows, half: str | None) -> list[str]:
    """The uids of one half, or all."""
    return [
        uid
        for uid, row in reports.items()
        if half is None or half_of(row["findings"], row["impression"]) == half
    ]


# --- the human labels -----


def accuracy(tables: Mapping[str, Rows], half: str) -> Json:
    """`default` and the original beside the human labels, on one half."""
    reports = tables["reports"]
    uids = chosen(reports, half)
    truth = np.array([[tables["gold"][uid][column] == "1" for column in GOLD.values()] for uid in uids])
    labeler = Labeler("default")
    labels = [labeler.label([reports[uid]["findings"], reports[uid]["impression"]]) for uid in uids]
    said = [[one.presences.get(name) for name in GOLD] for one in labels]
    ours = np.array([[value in ("present", "uncertain") for value in row] for row in said])
    certain = np.array([[value == "present" for value in row] for row in said])
    original = np.array(
        [
            [tables["original"].get(uid, {}).get(name, "") in ("1", "-1", "1.0", "-1.0") for name in GOLD]
            for uid in uids
        ]
    )
    clusters = np.array([_words(reports[uid]) for uid in uids])
    has = np.array([bool(reports[uid]["findings"]) for uid in uids])
    return {
        "reports": len(uids),
        "texts": len(set(clusters.tolist())),
        "ours": scores(ours, truth, clusters),
        "ours_uncertain_as_absent": scores(certain, truth, clusters),
        "original_on_findings": scores(original, truth, clusters),
        "ours_less_original": difference(ours, original, truth=truth, clusters=clusters),
        "reports_with_findings": {
            "reports": int(has.sum()),
            "ours": scores(ours[has], truth[has], clusters[has]),
            "original_on_findings": scores(original[has], truth[has], clusters[has]),
            "ours_less_original": difference(
                ours[has], original[has], truth=truth[has], clusters=clusters[has]
            ),
        },
    }


def _words(row: Mapping[str, str]) -> str:
    return " ".join(f"{row['findings']} {row['impression']}".lower().split())


def counts(said: NDArray[np.bool_], truth: NDArray[np.bool_], clusters: NDArray[Any]) -> NDArray[np.float64]:
    """(texts, findings, 3): hits, false alarms and misses of every distinct text."""
    three = np.stack([said & truth, said & ~truth, ~said & truth], axis=2).astype(np.float64)
    _, rows = np.unique(clusters, return_inverse=True)
    sums = np.zeros((rows.max() + 1, *three.shape[1:]))
    np.add.at(sums, rows, three)
    return sums


def f1(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 3) -> F1; 0 where there is nothing to find and nothing was said."""
    below = 2 * sums[..., 0] + sums[..., 1] + sums[..., 2]
    return np.divide(2 * sums[..., 0], below, out=np.zeros_like(below), where=below > 0)


@lru_cache(maxsize=4)
def drawn(texts: int) -> NDArray[np.float64]:
    """(replicates, texts): how often each text is drawn."""
    return np.random.default_rng(20).multinomial(texts, np.full(texts, 1 / texts), REPLICATES).astype(float)


def scores(said: NDArray[np.bool_], truth: NDArray[np.bool_], clusters: NDArray[Any]) -> Json:
    """Micro and macro F1 with intervals, and every finding."""
    sums = counts(said, truth, clusters)
    total = sums.sum(axis=0)
    often = truth.sum(axis=0) >= POSITIVES
    again = (drawn(len(sums)) @ sums.reshape(len(sums), -1)).reshape(REPLICATES, *sums.shape[1:])
    return {
        "micro": round(float(f1(total.sum(axis=0))), 4),
        "micro_interval": _interval(f1(again.sum(axis=1))),
        "macro": round(float(f1(total)[often].mean()), 4),
        "macro_interval": _interval(f1(again)[:, often].mean(axis=1)),
        "macro_over": int(often.sum()),
        "findings": {
            name: {
                "positives": int(truth[:, column].sum()),
                "precision": round(float(hits / max(1, hits + false)), 3),
                "recall": round(float(hits / max(1, hits + missed)), 3),
                "f1": round(float(f1(total)[column]), 3),
                "interval": _interval(f1(again)[:, column]),
            }
            for column, name in enumerate(GOLD)
            for hits, false, missed in [total[column]]
        },
    }


def difference(
    ours: NDArray[np.bool_],
    original: NDArray[np.bool_],
    *,
    truth: NDArray[np.bool_],
    clusters: NDArray[Any],
) -> Json:
    """Micro-F1 of ours less the original's, resampled in pairs; `lower` is the 2.5th percentile."""
    two = [counts(said, truth, clusters).sum(axis=1) for said in (ours, original)]
    weights = drawn(len(two[0]))
    gain = f1(weights @ two[0]) - f1(weights @ two[1])
    low, high = _interval(gain)
    whole = float(f1(two[0].sum(axis=0)) - f1(two[1].sum(axis=0)))
    return {"micro": round(whole, 4), "lower": low, "upper": high}


def _interval(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 4) for value in np.percentile(values, (2.5, 97.5))]


# --- the original labeler -----


def fidelity(tables: Mapping[str, Rows], half: str | None) -> Json:
    """Cells on which `chexpert` agrees with the original's table of the findings sections."""
    uids = [uid for uid in chosen(tables["all"], half) if uid in tables["original"]]
    labeler = Labeler("chexpert")
    ours = [labeler.label(tables["all"][uid]["findings"]).row() for uid in uids]
    theirs = [_values(tables["original"][uid]) for uid in uids]
    pairs = list(zip(ours, theirs, strict=True))
    cells = [(a, b) for one, two in pairs for a, b in zip(one, two, strict=True)]
    named = [(a, b) for one, two in pairs for a, b in zip(one[1:], two[1:], strict=True)]
    both = sum(a is not None and b is not None for a, b in named)
    one_only = sum((a is None) != (b is None) for a, b in named)
    return {
        "reports": len(uids),
        "cell_accuracy": round(sum(a == b for a, b in cells) / len(cells), 5),
        "cell_accuracy_without_no_finding": round(sum(a == b for a, b in named) / len(named), 5),
        "mention_f1": round(2 * both / (2 * both + one_only), 5),
        "reports_alike": round(sum(one == two for one, two in pairs) / len(pairs), 4),
        "observations": {
            name: round(sum(one[column] == two[column] for one, two in pairs) / len(pairs), 4)
            for column, name in enumerate(OBSERVATIONS)
        },
    }


def _values(row: Mapping[str, str]) -> tuple[int | None, ...]:
    return tuple(int(float(row[name])) if row[name] else None for name in OBSERVATIONS)


# --- the clock -----


def speed(reports: Rows) -> Json:
    """Reports a second on one core, over all indexed reports, with and without remembered sentences."""
    texts = [[row["findings"], row["impression"]] for row in reports.values()]
    return {
        profile: {
            "remembering": _rate(Labeler(profile), texts),
            "reading_each_sentence": _rate(Labeler(profile, remembered=0), texts),
        }
        for profile in PROFILES
    }


def _rate(labeler: Labeler, texts: Sequence[Sequence[str]]) -> int:
    start = time.process_time()
    for text in texts:
        labeler.label(text)
    return round(len(texts) / (time.process_time() - start))


def table(result: Json) -> str:
    """What was measured, as the page shows it."""
    human = result["default"]
    head = "".join(f" {half}: positives | precision | recall | F1 | original F1 |" for half in human)
    rows = [f"| finding |{head}", "|---|" + "---|" * (5 * len(human))]
    for name in GOLD:
        cells = ""
        for scored in human.values():
            one, other = (scored[who]["findings"][name] for who in ("ours", "original_on_findings"))
            cells += f" {one['positives']} | {one['precision']:.2f} | {one['recall']:.2f} |"
            cells += f" {one['f1']:.2f} ({one['interval'][0]:.2f} to {one['interval'][1]:.2f}) |"
            cells += f" {other['f1']:.2f} |"
        rows.append(f"| {name} |{cells}")
    for kind in ("micro", "macro"):
        cells = ""
        for scored in human.values():
            ours, other = scored["ours"], scored["original_on_findings"]
            low, high = ours[f"{kind}_interval"]
            cells += f" | | | **{ours[kind]:.3f}** ({low:.3f} to {high:.3f}) | {other[kind]:.3f} |"
        rows.append(f"| {kind} |{cells}")
    return "\n".join([*rows, "", *_sentences(result)])


def _sentences(result: Json) -> list[str]:
    said = []
    for half, scored in result["default"].items():
        gain, part = scored["ours_less_original"], scored["reports_with_findings"]
        said.append(
            f"- {half} half, {scored['reports']} reports of {scored['texts']} texts: micro-F1 less the "
            f"original's {gain['micro']:+.3f} ({gain['lower']:+.3f} to {gain['upper']:+.3f}); on the "
            f"{part['reports']} with a findings section {part['ours_less_original']['micro']:+.3f} "
            f"({part['ours_less_original']['lower']:+.3f} to {part['ours_less_original']['upper']:+.3f}); "
            f"with uncertain counted as absent ours is {scored['ours_uncertain_as_absent']['micro']:.3f}"
        )
    for half, scored in result["chexpert"].items():
        said.append(
            f"- `chexpert` beside the original's table, {half}: {scored['cell_accuracy']:.4f} of cells in "
            f"{scored['reports']} reports, mention F1 {scored['mention_f1']:.4f}, "
            f"{scored['reports_alike']:.1%} of reports alike in all 14"
        )
    for profile, rates in result["speed"].items():
        said.append(
            f"- `{profile}`: {rates['remembering']:,} reports a second on one core, "
            f"{rates['reading_each_sentence']:,} where every sentence is read anew"
        )
    for site, one in result["typing_errors"].items():
        said.append(
            f"- mistyped sentences of 500 drawn studies, site {site}, that claim what the clean ones claim: "
            f"{one['alike']} of {one['sentences']}; {one['alike_unmended']} where no word is mended"
        )
    one = result["made_up"]
    parts = ", ".join(f"{field} of {one[field]}" for field in ("finding", *FIELDS))
    said.append(
        f"- {one['sentences']} sentences made up by the labeler's authors, most of them where it had erred: "
        f"{one['right']} read wholly as meant; of {one['claims']} claims the {parts}; "
        f"{one['not_meant']} claims not meant"
    )
    times = "once" if result["frozen_scorings"] == 1 else f"{result['frozen_scorings']} times"
    return [
        *said,
        f"- the frozen half was scored {times} by this benchmark, and by every run of the tests, which say "
        "whether it passes (micro-F1 .88, macro-F1 .80)",
    ]


def show(result: Json) -> None:
    """The result in a few lines."""
    for profile, rates in result["speed"].items():
        print(f"{profile}: {rates['remembering']} reports/s, {rates['reading_each_sentence']} without memory")
    print("typing errors:", result["typing_errors"])
    for part, scored in result["chexpert"].items():
        print(f"chexpert, {part}: cells {scored['cell_accuracy']}, mentions F1 {scored['mention_f1']}")
    for part, scored in result["default"].items():
        ours, original, gain = (scored[k] for k in ("ours", "original_on_findings", "ours_less_original"))
        print(
            f"default, {part} half, {scored['reports']} reports: micro {ours['micro']} macro {ours['macro']}"
        )
        print(f"  the original: micro {original['micro']} macro {original['macro']}; ours less it {gain}")
        for name, one in ours["findings"].items():
            print(f"  {name}: {one} (original {original['findings'][name]['f1']})")
    print("frozen half scored", result["frozen_scorings"], "times")


if __name__ == "__main__":
    main()
