"""Do heatmaps lie where a finding was drawn? Shares of a map on the true side, and what moves it.

    python benchmarks/heatmap.py --corpus corpus --model model --matcher xrem/model --out docs/results

Takes the frontal validation films of a drawn corpus that hold a finding on one side alone, and asks for
the map of a sentence that names the true side, the other one, or none; the same of a network whose weights
are drawn anew (Adebayo et al., 2018), and of films without any finding. Half a map lies on each side by
chance. Intervals resample patients. Prints and writes one JSON object.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from machine import drawn, machine

from xemplar.corpus import Corpus
from xemplar.drafting.truth import held_to
from xemplar.metrics.statistics import Resampler, ratio, with_counts
from xemplar.models.checkpoint import TorchEncoder
from xemplar.models.dual import DualEncoder
from xemplar.models.heatmap import ByAttention, ByGradient, ByHiding, cosine, matching
from xemplar.models.linear import WithLinear
from xemplar.models.matcher import MatcherNet
from xemplar.models.matching import TorchMatcher
from xemplar.models.system import open_system

SEED, REPLICATES = 7, 2000
SIDED = {
    "Pleural Effusion": ("There is a small {} pleural effusion.", "There is a small pleural effusion."),
    "Pneumothorax": ("There is a moderate {} pneumothorax.", "There is a moderate pneumothorax."),
    "Consolidation": ("There is patchy consolidation in the {} lung.", "There is patchy consolidation."),
    "Atelectasis": ("There is moderate linear atelectasis in the {} lung.", "There is linear atelectasis."),
    "Lung Lesion": ("A nodule is seen in the {} lung.", "A nodule is seen."),
    "Fracture": ("There are displaced fractures of {} ribs.", "There are displaced rib fractures."),
}
ZONED = {"Consolidation": "consolidation", "Lung Lesion": "lesion"}
OTHER = {"left": "right", "right": "left"}


def cases_of(corpus: Corpus) -> tuple[list[dict], list[dict]]:
    """Frontal films with a finding on one side alone, once for each; and those without any finding."""
    sided, clear = [], []
    for study in corpus.part("val"):
        frontal = [view for view in study.views if view.position == "frontal"]
        if not frontal:
            continue
        case = {"patient": study.patient_id, "image": corpus.film(study, frontal[0]).image}
        truth = held_to(study)
        if "present" not in truth.presence.values():
            clear.append(case)
        for finding, sides in truth.sides.items():
            if finding in SIDED and len(sides) == 1:
                places = study.facets.get(ZONED.get(finding, ""), "").split(";")
                zones = {word for place in places for word in place.split() if word in ("upper", "lower")}
                (side,), zone = sides, zones.pop() if len(zones) == len(places) == 1 else None
                sided.append({**case, "finding": finding, "side": side, "zone": zone})
    return sided, clear


def share(heat: np.ndarray, side: str) -> float:
    """Of the map's mass, on a side of the patient; a map of nothing says neither."""
    middle = heat.shape[1] // 2
    there = heat[:, middle:] if side == "left" else heat[:, :middle]  # the patient's left is the film's right
    return float(there.sum() / heat.sum()) if heat.sum() else 0.5


def height(heat: np.ndarray) -> float:
    """Of the map's centre of mass: 0 at the top, 1 at the bottom."""
    rows = (np.arange(len(heat)) + 0.5) / len(heat)
    return float(heat.sum(1) @ rows / heat.sum()) if heat.sum() else 0.5


def alike(one: np.ndarray, two: np.ndarray) -> float:
    """Spearman's correlation of two maps, cell by cell."""
    ranks = [np.argsort(np.argsort(heat[8::16, 8::16].ravel(), kind="stable")) for heat in (one, two)]
    return float(np.corrcoef(*ranks)[0, 1])


def interval(values: list, cases: list[dict]) -> dict:
    found = Resampler([case["patient"] for case in cases], seed=SEED, replicates=REPLICATES).interval(
        ratio, with_counts(np.array(values, np.float64))
    )
    told = {name: round(float(getattr(found, name)), 4) for name in ("value", "low", "high")}
    return {**told, "n": len(values), "patients": found.clusters}


def measured(explainer, anew, score, *, sided: list[dict], clear: list[dict]) -> dict:
    """All that is asked of one way to make maps."""
    began = time.monotonic()
    rows = []
    for case in sided:
        named, plain = SIDED[case["finding"]]
        side, other, image = case["side"], OTHER[case["side"]], case["image"]
        true, false = named.format(side), named.format(other)
        heats = {name: explainer.explain([image], text)[0] for name, text in
                 (("true", true), ("false", false), ("plain", plain))}  # fmt: skip
        drawn_anew = anew.explain([image], true)[0]
        rows.append({
            "true": share(heats["true"], side), "false": share(heats["false"], side),
            "plain": share(heats["plain"], side), "anew": share(drawn_anew, side),
            "alike": alike(heats["true"], drawn_anew), "height": height(heats["plain"]),
            "sides_alike": alike(heats["true"], heats["false"]),
            "right": bool(score([image], true)[0] > score([image], false)[0]),
        })  # fmt: skip
    seconds = (time.monotonic() - began) / (4 * len(sided))
    without = []
    for place, case in enumerate(clear):
        named = list(SIDED.values())[place % len(SIDED)][0]
        without.append([share(explainer.explain([case["image"]], named.format(s))[0], s) for s in OTHER])
    return {**summary(rows, sided), **controls(without, clear), "seconds_a_map": round(seconds, 3)}


def summary(rows: list[dict], sided: list[dict]) -> dict:
    def of(name: str, keep=lambda case, row: True) -> dict:
        kept = [(row, case) for row, case in zip(rows, sided, strict=True) if keep(case, row)]
        return interval([row[name] for row, _ in kept], [case for _, case in kept])

    for row in rows:
        row["more"] = row["true"] - row["false"]
        row["over_anew"] = row["true"] - row["anew"]
        row["flips"] = row["true"] > 0.5 > row["false"]
        row["points"] = row["true"] > 0.5
    zones = {
        zone: of("height", lambda case, row, zone=zone: case["zone"] == zone) for zone in ("upper", "lower")
    }
    return {
        "network_prefers_true_side": of("right"),
        "share_on_true_side": {
            "sentence_names_true_side": of("true"),
            "sentence_names_other_side": of("false"),
            "true_less_other": of("more"),
            "sentence_names_no_side": of("plain"),
            "where_the_network_prefers_the_true_side": of("true", lambda case, row: row["right"]),
        },
        "more_than_half_on_true_side": of("points"),
        "flips_with_the_side_named": of("flips"),
        "rank_correlation_of_the_two_sides_maps": of("sides_alike"),
        "by_finding": {
            finding: of("true", lambda case, row, finding=finding: case["finding"] == finding)
            for finding in SIDED
        },
        "height_by_zone": zones,
        "weights_drawn_anew": {
            "share_on_true_side": of("anew"),
            "trained_less_anew": of("over_anew"),
            "rank_correlation_with_trained": of("alike"),
        },
    }


def controls(without: list[list[float]], clear: list[dict]) -> dict:
    return {"films_without_a_finding": {
        "share_on_named_side": interval([float(np.mean(pair)) for pair in without], clear),
    }}  # fmt: skip


def ways(model: Path, matcher: Path | None):
    """Name, who explains, the same drawn anew, and the score that is explained."""
    encoder, _ = open_system(model)
    network = encoder.encoder if isinstance(encoder, WithLinear) else encoder
    assert isinstance(network, TorchEncoder) and isinstance(network.model, DualEncoder)
    torch.manual_seed(SEED)
    other = DualEncoder(network.model.config, load_pretrained=False)
    anew = TorchEncoder(other, network.tokenizer, network.manifest)

    yield "hiding", ByHiding(cosine(network)), ByHiding(cosine(anew)), cosine(network)
    yield "gradient", ByGradient(network), ByGradient(anew), cosine(network)
    if matcher is not None:
        judged = open_system(matcher)[1].matcher
        assert isinstance(judged, TorchMatcher)
        torch.manual_seed(SEED)
        fresh = TorchMatcher(MatcherNet(judged.net.config), judged.tokenizer, judged.manifest)
        yield "attention", ByAttention(judged), ByAttention(fresh), matching(judged)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--matcher", type=Path, help="A model folder with a matcher that ranks again.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clear", type=int, default=60, help="How many films without a finding.")
    asked = parser.parse_args()
    corpus = Corpus.open(asked.corpus)
    sided, clear = cases_of(corpus)
    clear = clear[: asked.clear]
    result = {
        "measured": "share of a heatmap's mass on the side of the finding; 0.5 by chance",
        **drawn(),
        "corpus": corpus.title,
        "part": "val",
        "cases": len(sided),
        "ways": {},
        "interval": f"95 %, {REPLICATES} resamplings of patients, seed {SEED}",
    }
    for name, explainer, anew, score in ways(asked.model, asked.matcher):
        result["ways"][name] = measured(explainer, anew, score, sided=sided, clear=clear)
        print(name, json.dumps(result["ways"][name], indent=1))
    result["machine"] = machine()
    (asked.out / "heatmap.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
