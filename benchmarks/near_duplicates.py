"""How many changed copies of a film are found, how many other films are taken for one, how long it takes.

Recall by kind of change and false pairs on figures, on real chest films (CC BY) and on drawn ones; time
and memory of the search at 20,000 and 100,000 views, whose landmarks are drawn from the real ones.
Run: XEMPLAR_DATA=... OMP_NUM_THREADS=1 python benchmarks/near_duplicates.py docs/results/near_duplicates.json
"""

from __future__ import annotations

import csv
import json
import os
import platform
import resource
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from xemplar.contracts import Drawable
from xemplar.corpus.alignment import shows_same
from xemplar.corpus.duplicates import candidates, near_duplicates
from xemplar.corpus.landmarks import landmarks_of
from xemplar.images import PreviewSpec, preview_from_array, read_preview
from xemplar.sources import phantom

SPEC = PreviewSpec(size=256)


def main() -> None:
    data = Path(os.environ["XEMPLAR_DATA"])
    films = {"figures": figures(data / "roco", 400), "chest films": figures(data / "hannover", 243),
             "drawn films": drawn(150)}  # fmt: skip
    report = {
        "machine": {"python": platform.python_version(), "cores": os.cpu_count(), "opencv": cv2.__version__},
        "recall": {}, "false_pairs": {}, "found_in_one_patient_or_group": {},
    }  # fmt: skip
    for name, (arrays, owners) in films.items():
        print(name, len(arrays), file=sys.stderr)
        previews = [preview_from_array(array, SPEC).pixels for array in arrays]
        began = time.perf_counter()
        packed = np.stack([landmarks_of(preview) for preview in previews])
        report.setdefault("landmarks_ms_a_view", {})[name] = ms(began, len(previews))
        began = time.perf_counter()
        pairs = near_duplicates(packed, previews.__getitem__)
        report.setdefault("search_ms_a_view", {})[name] = ms(began, len(previews))
        false = sum(owners[one] != owners[other] for one, other in pairs)
        possible = len(previews) * (len(previews) - 1) // 2
        report["false_pairs"][name] = {"found": false, "of": possible, "views": len(previews)}
        report["found_in_one_patient_or_group"][name] = len(pairs) - false
        report["recall"][name] = recall(arrays, previews, packed)
    pool = packed.reshape(-1, packed.shape[2])
    report["search"] = [search(pool, views) for views in (20_000, 100_000)]
    Path(sys.argv[1]).write_text(json.dumps(report, indent=1) + "\n")


def ms(began: float, count: int) -> float:
    return round(1000 * (time.perf_counter() - began) / count, 2)


def figures(folder: Path, count: int):
    rows = list(csv.DictReader((folder / "metadata.csv").open(encoding="utf-8")))
    chosen = np.random.default_rng(0).permutation(len(rows))[:count]
    arrays = [cv2.imread(str(folder / rows[n]["image"]), cv2.IMREAD_GRAYSCALE) for n in chosen]
    owner = "patient_id" if "patient_id" in rows[0] else "group_id"
    return arrays, [rows[n][owner] for n in chosen]


def drawn(count: int):
    found = [
        (read_preview(image, SPEC).pixels, arrival.split_key)
        for arrival in phantom.studies(count, seed=5)
        for image in arrival.images
        if isinstance(image, Drawable)
    ]
    return [array for array, _ in found], [owner for _, owner in found]


def recall(arrays, previews, packed) -> dict:
    """Of every eighth film, its changed copy sought in the midst of all films."""
    chosen = range(0, len(arrays), 8)
    found = {}
    for name, change in CHANGES.items():
        random = np.random.default_rng(1)
        copies = [preview_from_array(change(arrays[n], random), SPEC).pixels for n in chosen]
        both = np.concatenate([packed, np.stack([landmarks_of(copy) for copy in copies])])
        every = [*previews, *copies]
        wanted = {(n, len(packed) + place) for place, n in enumerate(chosen)}
        pairs = [tuple(pair) for pair in candidates(both).tolist() if tuple(pair) in wanted]
        same = sum(shows_same((both[a], every[a]), (both[b], every[b])) for a, b in pairs)
        found[name] = {"found": same, "of": len(wanted), "recall": round(same / len(wanted), 3)}
    return found


def cropped(array, left, top, right, bottom):
    height, width = array.shape
    return array[round(top * height) : height - round(bottom * height),
                 round(left * width) : width - round(right * width)]  # fmt: skip


def turned(array, degrees):
    height, width = array.shape
    return cv2.warpAffine(
        array, cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1), (width, height)
    )


def jpeg(array, quality):
    coded = cv2.imencode(".jpg", array, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)


def gamma(array, power):
    return (255 * (array / 255.0) ** power).astype(np.uint8)


def contrast(array, times, plus):
    return np.clip(times * (array.astype(float) - 128) + 128 + plus, 0, 255).astype(np.uint8)


CHANGES = {
    "the same": lambda a, _: a,
    "JPEG, quality 90": lambda a, _: jpeg(a, 90),
    "JPEG, quality 30": lambda a, _: jpeg(a, 30),
    "half the size": lambda a, _: cv2.resize(a, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "gamma 0.6": lambda a, _: gamma(a, 0.6),
    "gamma 1.6": lambda a, _: gamma(a, 1.6),
    "brighter and flatter": lambda a, _: contrast(a, 0.7, 25),
    "contrast x 1.5, clipped": lambda a, _: contrast(a, 1.5, 20),
    "inverted": lambda a, _: 255 - a,
    "mirrored": lambda a, _: np.ascontiguousarray(a[:, ::-1]),
    "turned by 2 degrees": lambda a, _: turned(a, 2),
    "turned by -3 degrees": lambda a, _: turned(a, -3),
    "10 % off one side": lambda a, r: cropped(a, *(0.1 * np.eye(4)[r.integers(4)])),
    "15 % off one side": lambda a, r: cropped(a, *(0.15 * np.eye(4)[r.integers(4)])),
    "up to 10 % off every side": lambda a, r: cropped(a, *r.uniform(0, 0.1, 4)),
    "up to 15 % off every side": lambda a, r: cropped(a, *r.uniform(0, 0.15, 4)),
    "15 % off every side": lambda a, _: cropped(a, 0.15, 0.15, 0.15, 0.15),
    "mirrored, up to 10 % off every side, gamma, JPEG 40": lambda a, r: jpeg(
        gamma(cropped(a[:, ::-1], *r.uniform(0, 0.1, 4)), r.uniform(0.7, 1.4)), 40
    ),
}


def search(pool, views: int) -> dict:
    """Candidates among views whose landmarks are drawn from real ones, their looks shaken."""
    random = np.random.default_rng(0)
    pool = pool[pool[:, 2] > 0]
    packed = pool[random.integers(len(pool), size=views * 40)].reshape(views, 40, -1).copy()
    shaken = packed[:, :, 5:].view(np.int8).astype(np.int16)
    shaken += random.integers(-12, 13, shaken.shape, dtype=np.int16)
    packed[:, :, 5:] = shaken.clip(-127, 127).astype(np.int8).view(np.uint8)
    packed[:, :, :2] = random.integers(0, 256, (views, 40, 2))
    began = time.perf_counter()
    found = len(candidates(packed))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"views": views, "candidates": found, "seconds": round(time.perf_counter() - began, 1),
            "peak_mb": peak, "landmarks_mb": packed.nbytes // 2**20}  # fmt: skip


if __name__ == "__main__":
    main()
