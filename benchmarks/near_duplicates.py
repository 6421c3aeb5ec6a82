"""How many changed copies of a film are found, how many other films are taken for one, what it costs.

On films held back: nothing of the method was chosen with them in view, but that the 243 chest films were
all seen when its threshold was. Chest films are those of the patients whose id's MD5 is odd, figures those
from the 400th on of a fixed order, drawn films of site B. A copy is sought in the midst of all of its kind,
as scoring seeks it: across splits, the copies in one and the originals in the other. False pairs are
counted over all pairs of films, and named, for figures hold true duplicates.

The search at 5,000, 20,000 and 100,000 views is given landmarks made of real ones: each view has 40 drawn
from all figures and films measured before, their looks shaken by up to a tenth, their places drawn anew.
So it has real density and no copies, and fewer candidates than drawn films of one skeleton: those are
measured on a real corpus, if one is named. Times are of the processor, on one thread.

Usage: XEMPLAR_DATA=... OMP_NUM_THREADS=1 python benchmarks/near_duplicates.py
       [--corpus folder] [--share 1.0] [--out docs/results/near_duplicates.json]
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from machine import machine
from numpy.typing import NDArray

from xemplar.contracts import Drawable
from xemplar.corpus import Corpus
from xemplar.corpus.alignment import Looked, shows_same
from xemplar.corpus.duplicates import candidates, near_duplicates
from xemplar.corpus.landmarks import landmarks_of
from xemplar.images import PreviewSpec, preview_from_array, read_preview
from xemplar.sources import phantom

SPEC = PreviewSpec(size=256)
SITE, SEED = "B", 4711
HALVES = 400
"""Figures, of a fixed order, that the method was chosen with."""

SPLITS = (0.7, 0.1, 0.2)
Grey = NDArray[np.uint8]
Change = Callable[[Grey, np.random.Generator], Grey]
Json = dict[str, Any]


def main() -> None:
    """Measure, print and write."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--corpus", type=Path, help="a corpus whose pairs across splits are sought")
    wanted.add_argument("--share", type=float, default=1.0, help="of the films, for a quicker look")
    wanted.add_argument("--out", type=Path, default=Path("docs/results/near_duplicates.json"))
    given = wanted.parse_args()
    cv2.setNumThreads(1)
    data, report = (
        Path(os.environ["XEMPLAR_DATA"]),
        {"machine": {**machine(), "opencv": cv2.__version__}, "films": {}},
    )
    share = given.share
    held_back = {
        "chest films": (chest_films(data / "hannover", share), 1.0),
        "figures": (figures(data / "roco", share), 0.1),
        "drawn films": (drawn(round(300 * share)), 0.3),
    }
    pool = []
    for name, (films, copied) in held_back.items():
        report["films"][name], packed = measured(name, films, copied)
        pool.append(packed)
        say(json.dumps({name: report["films"][name]}, indent=1))
    report["search"] = [
        in_its_own_process(search, (np.concatenate(pool), round(views * share), across))
        for views, across in ((5_000, True), (20_000, True), (100_000, True), (5_000, False), (20_000, False))
    ]
    say(json.dumps(report["search"], indent=1))
    if given.corpus:
        report["corpus"] = in_its_own_process(across_splits, (given.corpus,))
        say(json.dumps(report["corpus"], indent=1))
    given.out.write_text(json.dumps(report, indent=1) + "\n")


def say(text: str) -> None:
    """To standard output, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


# --- the films -----


Films = list[tuple[str, str, Grey]]
"""What a film is called, whose it is, and its pixels as they came."""


def read(folder: Path, rows: Iterable[dict[str, str]], owner: str) -> Films:
    return [(row["image"], row[owner], grey(folder / row["image"])) for row in rows]


def grey(path: Path) -> Grey:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8)


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(encoding="utf-8") as table:
        return list(csv.DictReader(table))


def chest_films(folder: Path, share: float) -> Films:
    rows = [row for row in rows_of(folder) if is_odd(row["patient_id"])]
    return read(folder, rows[: round(len(rows) * share)], "patient_id")


def is_odd(patient: str) -> bool:
    return int(hashlib.md5(patient.encode(), usedforsecurity=False).hexdigest(), 16) % 2 == 1


def figures(folder: Path, share: float) -> Films:
    rows = rows_of(folder)
    order = np.random.default_rng(0).permutation(len(rows))[HALVES:]
    return read(folder, [rows[n] for n in order[: round(len(order) * share)]], "group_id")


def drawn(count: int) -> Films:
    return [
        (
            f"{arrival.study.study_id} {view.position}",
            str(arrival.split_key),
            read_preview(image, SPEC).pixels,
        )
        for arrival in phantom.studies(count, seed=SEED, site=SITE)
        for view, image in zip(arrival.study.views, arrival.images, strict=True)
        if isinstance(image, Drawable)
    ]


# --- recall and false pairs -----


def measured(name: str, films: Films, copied: float) -> tuple[Json, Grey]:
    """What is found of one kind of film, and its landmarks; of `copied` of them copies are made."""
    say(f"{name}: {len(films)}")
    previews = [preview_from_array(film, SPEC).pixels for _, _, film in films]
    began = time.process_time()
    packed = np.stack([landmarks_of(preview) for preview in previews])
    landmarks_ms = ms(began, len(films))
    chosen = np.random.default_rng(1).permutation(len(films))[: max(1, round(len(films) * copied))]
    return {
        "films": len(films),
        "owners": len({owner for _, owner, _ in films}),
        "landmarks_ms_a_view": landmarks_ms,
        **false_pairs(films, previews, packed),
        "recall": {
            kind: recall(kind, change, [films[n][2] for n in chosen], (chosen, previews, packed))
            for kind, change in CHANGES.items()
        },
    }, packed


def false_pairs(films: Films, previews: list[Grey], packed: Grey) -> Json:
    """Pairs taken for one film, among all pairs of films that no one has changed."""
    began = time.process_time()
    pairs = near_duplicates(packed, previews.__getitem__).tolist()
    cost = ms(began, len(films))
    false = [(films[one][0], films[other][0]) for one, other in pairs if films[one][1] != films[other][1]]
    owners = [owner for _, owner, _ in films]
    of_one = sum(owners.count(owner) * (owners.count(owner) - 1) // 2 for owner in set(owners))
    every = len(films) * (len(films) - 1) // 2
    return {
        "search_and_look_ms_a_view": cost,
        "pairs_of_other_owners": {"called_same": len(false), "of": every - of_one, "which": false},
        "pairs_of_one_owner": {"called_same": len(pairs) - len(false), "of": of_one},
    }


def recall(kind: str, change: Change, originals: list[Grey], among: tuple[Any, list[Grey], Grey]) -> Json:
    """Of changed copies, how many are candidates and how many are found, as scoring seeks them."""
    chosen, previews, packed = among
    random = np.random.default_rng(sum(map(ord, kind)))
    copies = [preview_from_array(change(film, random), SPEC).pixels for film in originals]
    both, every = (
        np.concatenate([packed, np.stack([landmarks_of(copy) for copy in copies])]),
        [*previews, *copies],
    )
    parts = np.repeat([0, 1], [len(packed), len(copies)])
    wanted = {(int(n), len(packed) + place) for place, n in enumerate(chosen)}
    pairs = wanted & {(one, other) for one, other in candidates(both, parts, across=True).tolist()}
    same = sum(shows_same(*(Looked(both[n], every[n]) for n in pair)) for pair in sorted(pairs))
    return {
        "of": len(wanted),
        "candidates": len(pairs),
        "found": same,
        "recall": round(same / len(wanted), 3),
    }


def ms(began: float, count: int) -> float:
    return round(1000 * (time.process_time() - began) / count, 2)


# --- changes -----


def cropped(film: Grey, left: float, top: float, right: float, bottom: float) -> Grey:
    height, width = film.shape
    return film[round(top * height) : height - round(bottom * height),
                round(left * width) : width - round(right * width)]  # fmt: skip


def turned(film: Grey, degrees: float) -> Grey:
    height, width = film.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return np.asarray(cv2.warpAffine(np.ascontiguousarray(film), matrix, (width, height)), np.uint8)


def jpeg(film: Grey, quality: int) -> Grey:
    coded = cv2.imencode(".jpg", np.ascontiguousarray(film), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)


def gamma(film: Grey, power: float) -> Grey:
    return (255 * (film / 255.0) ** power).astype(np.uint8)


def contrast(film: Grey, times: float, plus: float = 0) -> Grey:
    return np.clip(times * (film.astype(float) - 128) + 128 + plus, 0, 255).astype(np.uint8)


def scaled(film: Grey, times: float) -> Grey:
    how = cv2.INTER_AREA if times < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(film, None, fx=times, fy=times, interpolation=how), np.uint8)


def mirrored(film: Grey) -> Grey:
    return np.ascontiguousarray(film[:, ::-1])


def at_once(film: Grey, random: np.random.Generator) -> Grey:
    """Every change, each drawn at random; mirrored every second time."""
    film = cropped(film, *random.uniform(0, 0.12, 4))
    film = mirrored(film) if random.random() < 0.5 else film
    film = gamma(turned(film, random.uniform(-3, 3)), float(np.exp(random.uniform(-0.5, 0.5))))
    film = contrast(film, random.uniform(0.7, 1.4), random.uniform(-25, 25))
    return jpeg(
        scaled(film, float(np.exp(random.uniform(*np.log([0.4, 1.5]))))), int(random.integers(25, 96))
    )


CHANGES: dict[str, Change] = {
    "the same": lambda film, _: film,
    "JPEG, quality 25 to 95": lambda film, random: jpeg(film, int(random.integers(25, 96))),
    "JPEG, quality 25": lambda film, _: jpeg(film, 25),
    "0.4 to 1.5 times the size": lambda film, random: scaled(film, random.uniform(0.4, 1.5)),
    "gamma 0.6": lambda film, _: gamma(film, 0.6),
    "gamma 1.65": lambda film, _: gamma(film, 1.65),
    "contrast x 0.7, 25 brighter": lambda film, _: contrast(film, 0.7, 25),
    "contrast x 1.4, clipped": lambda film, _: contrast(film, 1.4),
    "inverted": lambda film, _: 255 - film,
    "mirrored": lambda film, _: mirrored(film),
    "turned by up to 3 degrees": lambda film, random: turned(film, random.uniform(-3, 3)),
    "turned by 3 degrees": lambda film, _: turned(film, 3),
    "12 % off one side": lambda film, random: cropped(film, *(0.12 * np.eye(4)[random.integers(4)])),
    "up to 12 % off every side": lambda film, random: cropped(film, *random.uniform(0, 0.12, 4)),
    "12 % off every side": lambda film, _: cropped(film, 0.12, 0.12, 0.12, 0.12),
    "all at once": at_once,
}
"""The last is the composition: crop, mirror, turn, gamma, contrast, size and JPEG, each at random."""


# --- cost -----


def in_its_own_process(what: Callable[..., Json], given: tuple[Any, ...]) -> Json:
    """So that its peak of memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as one:
        return one.apply(what, given)


def peak_mb() -> int:
    """The most memory that this process has held; what getrusage says is its parent's, if that is more."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def search(pool: Grey, views: int, across: bool) -> Json:
    """Candidates among `views` views whose landmarks are made of real ones."""
    random = np.random.default_rng(0)
    pool = pool[pool[:, :, 2] > 0]
    packed = pool[random.integers(len(pool), size=views * 40)].reshape(views, 40, -1)
    looks = packed[:, :, 5:].view(np.int8)
    for start in range(0, views, 1000):
        some = looks[start : start + 1000]
        some[:] = np.clip(some + random.integers(-12, 13, some.shape, dtype=np.int16), -127, 127)
    packed[:, :, :2] = random.integers(0, 256, (views, 40, 2))
    parts = random.choice(3, size=views, p=SPLITS) if across else None
    before, began = peak_mb(), time.process_time()
    found = len(candidates(packed, parts, across=across))
    return {"views": views, "pairs": "across splits" if across else "all", "candidates": found,
            "ms_a_view": ms(began, views), "peak_mb": peak_mb(), "before_mb": before,
            "landmarks_mb": packed.nbytes // 2**20}  # fmt: skip


def across_splits(folder: Path) -> Json:
    """What evaluation waits for on this corpus: pairs across splits, nothing kept of an earlier time."""
    cv2.setNumThreads(1)
    corpus = Corpus.open(folder)
    studies = [study for study in corpus.studies for _ in study.views]
    parts = np.array([("train", "val", "test").index(str(study.split)) for study in studies])
    packed, view_ids = corpus.landmarks(), [view.view_id for study in corpus.studies for view in study.views]
    began = time.process_time()
    looked_at = len(candidates(packed, parts, across=True))
    searched, began = time.process_time() - began, time.process_time()
    found = near_duplicates(packed, lambda n: corpus.preview_pixels([view_ids[n]])[0], parts, across=True)
    return {"of": corpus.title, "views": len(packed), "candidates": looked_at, "found": len(found),
            "search_seconds": round(searched, 2),
            "all_seconds": round(time.process_time() - began, 2), "peak_mb": peak_mb()}  # fmt: skip


if __name__ == "__main__":
    main()
