"""How hard the phantom is: a linear floor, and a small network's reach above it. Prints and writes JSON.

The floor is the evaluation's own, of the frontal view alone: the training report nearest to its guess
is the draft, and what that states as present is scored against what was drawn. The network
(`--network`) takes `--steps` of 48 films on the same studies. Each site is measured by itself; the
figures of site B are only looked at, nothing is set by them but that the floor lies within its band.
Run: OMP_NUM_THREADS=1 python benchmarks/phantom_floor.py --network A --network B --out docs/results
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from machine import machine

from xemplar.evaluation.floors import LinearFloor
from xemplar.images import PreviewSpec, read_preview
from xemplar.sources.phantom import FINDINGS, SITES, VERSION, label, stated, studies, version_hash

SIZE = 128
BAND = (0.15, 0.45)
"""Within which the floor's micro-F1 has to lie on both sites."""
SUBTLE = {"mild", "small", "faint"}
FACETS = {
    "Cardiomegaly": "cardiomegaly",
    "Pleural Effusion": "effusion_",
    "Pneumothorax": "pneumothorax",
    "Consolidation": "consolidation",
    "Edema": "edema",
    "Atelectasis": "atelectasis",
    "Lung Lesion": "lesion",
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--train", type=int, default=2100, help="training studies")
    arguments.add_argument("--test", type=int, default=500, help="unseen patients, one study each")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--site", choices=SITES, action="append", help="all where none is named")
    arguments.add_argument("--network", choices=SITES, action="append", default=[], help="sites to learn")
    arguments.add_argument("--steps", type=int, default=1000)
    arguments.add_argument("--out", type=Path, help="folder to write phantom_floor.json into")
    options = arguments.parse_args()
    report = {
        "phantom": VERSION,
        "version_hash": version_hash(),
        "machine": machine(),
        "sites": {site: measured(site, options) for site in options.site or SITES},
    }
    report["floors_in_band"] = all(
        BAND[0] <= part["linear_floor"]["micro_f1"] <= BAND[1] for part in report["sites"].values()
    )
    text = json.dumps(report, indent=1)
    print(text)
    if options.out:
        (options.out / "phantom_floor.json").write_text(text + "\n")


def measured(site: str, options) -> dict:
    train = list(studies(options.train, seed=options.seed, site=site))
    test = unseen(train, options.test, options.seed, site)
    began = time.process_time()
    films = {name: drawn(part) for name, part in (("train", train), ("test", test))}
    seconds = time.process_time() - began
    truth = {name: drawn_truth(part) for name, part in (("train", train), ("test", test))}
    written = np.array([[stated(a).get(f) == "present" for f in FINDINGS] for a in train])
    report = {
        "archive": label(site, options.seed),
        "train_studies": len(train),
        "test_patients": len(test),
        "ms_per_film": round(1000 * seconds / (len(train) + len(test)), 1),
        "prevalence": dict(zip(FINDINGS, truth["train"].mean(0).round(3).tolist(), strict=True)),
        "without_finding": round(float((truth["train"].sum(1) == 0).mean()), 3),
        "always_present": scores(np.ones_like(truth["test"]), truth["test"]),
        "linear_floor": floor(films, train, written, truth["test"]),
    }
    if site in options.network:
        plain = plainly(test, truth["test"])
        report["network"] = network(films, truth, options.steps, plain)
    return report


def plainly(part, truth: np.ndarray) -> np.ndarray:
    """Where a finding is absent, or present in more than its least degree: (n, findings)."""
    rows = np.ones_like(truth)
    for k, finding in enumerate(FINDINGS):
        if finding not in FACETS:
            continue
        for row, arrival in enumerate(part):
            said = [v for name, v in arrival.study.facets.items() if name.startswith(FACETS[finding])]
            degrees = [set(one.split()) for value in said for one in value.split(";")]
            rows[row, k] = not degrees or any(not words & SUBTLE for words in degrees)
    return rows


def unseen(train, count: int, seed: int, site: str):
    """The first study of each of `count` patients after those of the training part."""
    seen = {arrival.split_key for arrival in train}
    found = []
    for arrival in studies(2 * count + 60, seed=seed, start=len(train), site=site):
        if arrival.split_key not in seen and len(found) < count:
            seen.add(arrival.split_key)
            found.append(arrival)
    return found


def drawn(part) -> np.ndarray:
    """Frontal views as ingest makes them: (n, SIZE, SIZE) in [0, 1]."""
    spec = PreviewSpec(size=SIZE)
    return np.stack([read_preview(arrival.images[0], spec).image for arrival in part])


def drawn_truth(part) -> np.ndarray:
    return np.array([[a.study.labels[f] == "present" for f in FINDINGS] for a in part])


def scores(predicted: np.ndarray, truth: np.ndarray) -> dict:
    hit = (predicted & truth).sum(0)
    whole = predicted.sum(0) + truth.sum(0)
    each = 2 * hit / np.maximum(whole, 1)
    return {
        "micro_f1": round(float(2 * hit.sum() / max(1, whole.sum())), 3),
        "f1": dict(zip(FINDINGS, each.round(3).tolist(), strict=True)),
    }


def floor(films: dict, arrivals: list, written: np.ndarray, truth: np.ndarray) -> dict:
    """The evaluation's own linear floor, here of the frontal view alone."""
    texts = [arrival.study.text for arrival in arrivals]
    fitted = LinearFloor(list(films["train"]), texts, [arrival.split_key for arrival in arrivals])
    nearest = (fitted.encode_images(list(films["test"])) @ fitted.encode_texts(texts).T).argmax(1)
    return {"strength": fitted.strength, **scores(written[nearest], truth)}


def convolutions():
    from torch import channels_last, nn

    layers: list[nn.Module] = []
    wide = 1
    for width in (24, 48, 96, 128):
        layers += [nn.Conv2d(wide, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        layers += (
            [nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()] if width > 24 else []
        )
        wide = width
    layers += [nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Dropout(0.3), nn.Linear(4 * wide, len(FINDINGS))]
    return nn.Sequential(*layers).to(memory_format=channels_last)


def network(films: dict, truth: dict, steps: int, plain: np.ndarray) -> dict:
    """Four strided convolutions on 128 px, BCE; thresholds from the last tenth of train."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    model = convolutions()
    x = {n: torch.from_numpy((f - f.mean((1, 2), keepdims=True)) / 0.25)[:, None] for n, f in films.items()}
    y = torch.from_numpy(truth["train"].astype(np.float32))
    inner = len(y) * 9 // 10
    optimiser = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.02)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 1e-3 * min(1, step / 30) * (1 + np.cos(np.pi * step / steps))
        rows = torch.from_numpy(rng.integers(0, inner, 48))
        down, across = rng.integers(-6, 7, 2)
        batch = torch.roll(x["train"][rows], (int(down), int(across)), (2, 3)) * float(rng.uniform(0.8, 1.25))
        with torch.autocast("cpu", torch.bfloat16):
            out = model(batch.contiguous(memory_format=torch.channels_last))
        loss = nn.functional.binary_cross_entropy_with_logits(out.float(), y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()
    with torch.no_grad():
        held = torch.sigmoid(model(x["train"][inner:])).numpy()
        tested = torch.sigmoid(model(x["test"])).numpy()
    cuts = np.linspace(0.15, 0.85, 29)
    best = [scored_cut(held[:, k], truth["train"][inner:, k], cuts) for k in range(len(FINDINGS))]
    guess = tested > np.array(best)
    sure = scores(guess & plain, truth["test"] & plain)
    whole = scores(guess, truth["test"])
    return {"steps": steps, **whole, "f1_beyond_the_least_degree": sure["f1"]}


def scored_cut(chance: np.ndarray, truth: np.ndarray, cuts: np.ndarray) -> float:
    """The middle of the thresholds with the highest F1."""
    each = [2 * ((chance > c) & truth).sum() / max(1, (chance > c).sum() + truth.sum()) for c in cuts]
    return float(np.median(cuts[np.array(each) >= max(each) - 1e-9]))


if __name__ == "__main__":
    main()
