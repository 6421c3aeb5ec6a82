"""Does a search by a region find studies with the finding that lies there? Beside the whole film, and chance.

    python benchmarks/region.py --corpus corpus --model model --index index --out docs/results

Takes frontal test films of a drawn corpus, one query for each finding with a side (at most --queries, drawn
by a seed), and the part of the film in which such a finding is drawn: a zone of a lung, or the part of a side
that its kind keeps to. A film of another patient is right where the same finding lies on the same side and in
the same zone. Ways: the whole film; the region cut out, squared with black and encoded; the region's own
places of the grid, pooled (what `--region` does). Intervals resample patients. Writes one JSON object.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from machine import drawn, machine

from xemplar.corpus import Corpus
from xemplar.index import open_index
from xemplar.metrics.statistics import Resampler, ratio, with_counts
from xemplar.models.system import open_system
from xemplar.retrieval import Region, region_vector
from xemplar.retrieval.region import box_of

SEED, REPLICATES, K = 7, 2000, 10
ZONES = {"upper": (0.12, 0.40), "mid": (0.34, 0.62), "lower": (0.55, 0.90)}
KEEPS_TO = {"effusion": (0.50, 0.90), "pneumothorax": (0.10, 0.55), "fracture": (0.12, 0.80)}
KINDS = ("consolidation", "lesion", "atelectasis", *KEEPS_TO)
ACROSS = {"left": (0.50, 0.92), "right": (0.08, 0.50)}  # the patient's left is the film's right


def places_of(study) -> set[tuple[str, str, str]]:
    """(kind, side, zone or "") of what was drawn."""
    found = set()
    for name, value in study.facets.items():
        kind = name.split("_")[0]
        for part in value.split(";") if kind in KINDS else ():
            words = set(f"{name} {part}".replace("_", " ").split())
            zone = next(iter(sorted(words & ZONES.keys())), "")
            if zone or kind in KEEPS_TO:
                found |= {(kind, side, "" if kind in KEEPS_TO else zone) for side in words & ACROSS.keys()}
    return found


def region_of(place: tuple[str, str, str]) -> Region:
    kind, side, zone = place
    (left, right), (top, bottom) = ACROSS[side], ZONES[zone] if zone else KEEPS_TO[kind]
    return Region(left, top, right - left, bottom - top)


def cut_out(film, region: Region) -> np.ndarray:
    """The region of the preview, in a black square."""
    left, top, wide, high = (round(value * len(film.image)) for value in box_of(region, film))
    part = film.image[top : top + high, left : left + wide]
    side = max(part.shape)
    square = np.zeros((side, side), np.float32)
    down, along = (side - part.shape[0]) // 2, (side - part.shape[1]) // 2
    square[down : down + part.shape[0], along : along + part.shape[1]] = part
    return square


def queries_of(corpus: Corpus, many: int) -> list:
    found = [
        (study, view, place)
        for study in corpus.part("test")
        for view in study.views[:1]
        if view.position == "frontal"
        for place in sorted(places_of(study))
    ]
    chosen = np.random.default_rng(SEED).permutation(len(found))[:many]
    return [found[place] for place in sorted(chosen.tolist())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("corpus", "model", "index", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=100)
    asked = parser.parse_args()
    corpus = Corpus.open(asked.corpus)
    encoder, _ = open_system(asked.model)
    items = open_index(asked.index, corpus, encoder).items["image"]
    frontal = {view.view_id for study in corpus.studies for view in study.views if view.position == "frontal"}
    rows = [row for row, name in enumerate(items.ids) if name in frontal]
    vectors = np.asarray(items.vectors)[rows]
    studies = [corpus.by_id[items.study_ids[row][0]] for row in rows]
    held = [places_of(study) for study in studies]
    queries = queries_of(corpus, asked.queries)
    precision: dict[str, list[float]] = {way: [] for way in ("whole", "cut out", "pooled", "random")}
    for study, view, place in queries:
        film, region = corpus.film(study, view), region_of(place)
        right = np.array([place in one for one in held])
        whole, cut = (encoder.encode_images([image])[0] for image in (film.image, cut_out(film, region)))
        ways = {"whole": whole, "cut out": cut, "pooled": region_vector(encoder, film, region)}
        for way, vector in ways.items():
            best = np.argsort(-(vectors @ vector), kind="stable")[:K]
            precision[way].append(float(right[best].mean()))
        precision["random"].append(float(right.mean()))
    resampler = Resampler([study.patient_id for study, _, _ in queries], seed=SEED, replicates=REPLICATES)

    def interval(values) -> dict:
        made = resampler.interval(ratio, with_counts(np.array(values, np.float64)))
        return {name: round(float(getattr(made, name)), 4) for name in ("value", "low", "high")}

    several = [len(places_of(study)) > 1 for study, _, _ in queries]
    result = {
        "measured": f"precision@{K}: films of the same finding, side and zone among the nearest",
        **drawn(),
        "corpus": corpus.title, "part": "test", "gallery": len(rows),
        "queries": len(queries), "of films with several findings": sum(several),
        "patients": len({study.patient_id for study, _, _ in queries}),
        "precision": {way: interval(values) for way, values in precision.items()},
        "less the whole film": {
            way: interval(np.subtract(precision[way], precision["whole"])) for way in ("cut out", "pooled")
        },
        "mean where the film has several findings": {
            way: round(float(np.mean(np.array(values)[several])), 4) for way, values in precision.items()
        },
        "mean by kind": {
            kind: {"queries": len(at), **{way: round(float(np.mean(np.array(values)[at])), 4)
                                          for way, values in precision.items()}}
            for kind in KINDS
            if (at := [row for row, (_, _, place) in enumerate(queries) if place[0] == kind])
        },
        "interval": f"95 %, {REPLICATES} resamplings of patients, seed {SEED}",
        "machine": machine(),
    }  # fmt: skip
    (asked.out / "region.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
