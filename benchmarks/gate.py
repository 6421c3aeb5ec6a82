"""What the gate stops and what it lets through, in two parts that differ in difficulty.

Within drawn films: an archive of site A, its unseen patients' films as they are (to be let through) and
spoiled, lateral ones given as frontal, and children drawn for this alone (to be stopped). By the picture
alone: no film says its position or its patient's age, but where a row says so. Spoiled films are made by
the same rules as those that the gate learns from, of other patients; milder crops are a row of their own.

A real archive: indexed from training patients of one hospital's films (hannover). Films of its patients held
back and chest figures of articles (roco, by a keyword rule) should pass; other figures and other DICOM
files should not. The gate has learnt from the training films and what it made of them, from no figure.
These films have no texts, so no encoder is trained: vectors are their coarse greys, which only choose whom a
copy is sought among. Figures of the other half of the groups were looked at while the gate was built;
neither those nor the patients of the training and validation part are measured here.

Intervals resample patients (groups of articles). Times are of the processor, on one thread.

Usage: XEMPLAR_DATA=... OMP_NUM_THREADS=1 python benchmarks/gate.py --index folder --corpus folder
       --model folder [--films 150] [--out docs/results/gate.json]
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from machine import drawn as drawn_facts
from machine import machine

from xemplar.archive import Archive, fit_gate, open_archive
from xemplar.contracts import Arrival
from xemplar.corpus import Corpus, IngestSettings, ingest
from xemplar.drafting.gate import spoiled as made_of
from xemplar.drafting.gate.features import features_of, framed
from xemplar.errors import XemplarError
from xemplar.images import PreviewSpec, load_film, model_input, preview_from_array
from xemplar.index import build_index
from xemplar.metrics.classification import auroc
from xemplar.records import Film, Study, View
from xemplar.sources.phantom.film import DrawnView
from xemplar.sources.phantom.sampling import examination
from xemplar.sources.phantom.truth import Heart

Json = dict[str, Any]
SEED = 197
ROOT = Path(__file__).parents[1]
MARK = "<!-- What follows is made by benchmarks/gate.py -->"
REPLICATES = 1000


@dataclass
class Case:
    """A study to be judged, and whose it is."""

    films: Sequence[Film]
    whose: str


def main() -> None:
    """Measure, print and write."""
    wanted = argparse.ArgumentParser(description=__doc__)
    for name in ("index", "corpus", "model"):
        wanted.add_argument(f"--{name}", type=Path, required=True)
    wanted.add_argument("--films", type=int, default=150, help="of each kind, at most")
    wanted.add_argument("--figures", type=int, default=1000, help="that are no chest films, at most")
    wanted.add_argument("--out", type=Path, default=Path("docs/results/gate.json"))
    given = wanted.parse_args()
    cv2.setNumThreads(1)
    report: Json = {"machine": {**machine(), "opencv": cv2.__version__}}
    report["drawn"] = {**drawn_facts(), **within_drawn(given)}
    say(report["drawn"])
    report["real"] = real(Path(os.environ["XEMPLAR_DATA"]), given.figures)
    say(report["real"])
    given.out.write_text(json.dumps(report, indent=1) + "\n")
    publish(given.out)


def publish(out: Path) -> None:
    """The tables of docs/gate.md, from what was measured."""
    report, page = json.loads(out.read_text()), ROOT / "docs" / "gate.md"
    drawn, real = report["drawn"], report["real"]
    parts = [
        ("Drawn films, to be let through", drawn["let_through"]),
        ("Drawn films, to be stopped", drawn["stopped"]),
        (f"A real archive ({real['archive']}), to be let through", real["should_pass"]),
        (f"A real archive ({real['archive']}), to be stopped", real["should_be_stopped"]),
    ]
    lines = [f"Commit {report['machine']['commit']}, {report['machine']['cpu']}; intervals of 95 %.", ""]
    for title, rows in parts:
        lines += [f"### {title}", "", "| films | of | stopped |", "| --- | --- | --- |"]
        for name, row in rows.items():
            share = f"{row['stopped']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
            lines.append(f"| {name} | {row['of']} | {share} |")
        lines.append("")
    lines += ["| AUROC of strangeness |  |", "| --- | --- |"]
    for name, one in real["auroc"].items():
        lines.append(f"| {name} | {one['auroc']:.3f} [{one['low']:.3f}, {one['high']:.3f}] |")
    ms = drawn["ms"]
    lines += [
        "",
        f"The looks of a film take {ms['looks']:.1f} ms of a processor; the gate, {ms['all']:.0f} ms.",
    ]
    head = page.read_text(encoding="utf-8").partition(MARK)[0]
    page.write_text(head + MARK + "\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


def say(value: Json) -> None:
    sys.stdout.write(json.dumps(value, indent=1) + "\n")
    sys.stdout.flush()


# --- judging -----


def judged(archive: Archive, cases: Sequence[Case]) -> Json:
    """The share of cases that the gate stops, with its interval, and why."""
    vectors = archive.retriever.vectors_of([case.films for case in cases])
    reasons = [
        archive.gatekeeper.why(case.films, vector) for case, vector in zip(cases, vectors, strict=True)
    ]
    stopped = np.array([reason is not None for reason in reasons], np.float64)
    why = Counter(reason.partition(", in study")[0] for reason in reasons if reason)
    low, high = interval(stopped, [case.whose for case in cases])
    return {
        "of": len(cases),
        "whose": len({case.whose for case in cases}),
        "stopped": round(float(stopped.mean()), 4),
        "low": low,
        "high": high,
        "why": dict(why.most_common(4)),
    }


def interval(values: np.ndarray, whose: Sequence[str]) -> tuple[float, float]:
    """Of a mean, 95 %, resampling patients or groups."""
    names = np.unique(whose, return_inverse=True)[1]
    sums, counts = np.bincount(names, values), np.bincount(names)
    drawn = np.random.default_rng(0).integers(0, len(sums), (REPLICATES, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return round(float(low), 4), round(float(high), 4)


# --- drawn films -----


def within_drawn(given: argparse.Namespace) -> Json:
    archive = open_archive(given.index, corpus=given.corpus, model=given.model, calibrated=False)
    began = time.process_time()
    archive.gatekeeper.gate = fit_gate(archive.retriever)
    seconds = round(time.process_time() - began, 1)
    films, laterals, studies = _of_test(archive, given.films)
    copies = _copies(archive, min(given.films, 60))
    spoils = {
        kind: [Case([_spoiled(kind, case, films)], case.whose) for case in films] for kind in made_of.SPOILS
    }
    stopped = {
        "lateral given as frontal": judged(archive, laterals),
        **{kind: judged(archive, cases) for kind, cases in spoils.items() if kind != made_of.CHILD},
        "cropped to 72 to 85 % of one side": judged(archive, [_mildly(case) for case in films]),
        "children, small in the film": judged(archive, _children(archive, given.films, fills=False)),
        "children, filling the film": judged(archive, _children(archive, given.films, fills=True)),
        "children, age told": judged(archive, _children(archive, given.films, fills=True, told=True)),
        "lateral stated": judged(archive, [Case([_said(case, "lateral")], case.whose) for case in laterals]),
        "copies of archive films": judged(archive, copies),
    }
    return {
        "archive": archive.corpus.title,
        "gate": archive.gatekeeper.facts,
        "fit_seconds": seconds,
        "let_through": {
            "unseen frontal films": judged(archive, films),
            "unseen studies, all views": judged(archive, studies),
        },
        "stopped": stopped,
        "ms": _times(archive, films[:60]),
    }


def _of_test(archive: Archive, count: int) -> tuple[list[Case], list[Case], list[Case]]:
    """Unseen patients' frontal films and lateral ones, each alone and unnamed; and whole studies."""
    films, laterals, studies = [], [], []
    for study in archive.corpus.part("test"):
        views = archive.films_of(study)
        if views:
            studies.append(Case(views, study.facets["cluster"]))
        for film in views:
            unnamed = Case([replace(film, position=None, age_years=None)], study.facets["cluster"])
            (films if film.position == "frontal" else laterals).append(unnamed)
    return films[:count], laterals[:count], studies[: 2 * count]


def _spoiled(kind: str, case: Case, films: Sequence[Case]) -> Film:
    film = case.films[0]
    number = int(hashlib.md5((str(film.study_id) + kind).encode(), usedforsecurity=False).hexdigest()[:8], 16)
    random = np.random.default_rng((SEED, number))
    other = films[int(random.integers(len(films)))].films[0].image
    return replace(film, image=made_of.spoiled(kind, film.image, other, random=random))


def _mildly(case: Case) -> Case:
    film = case.films[0]
    whole, random = framed(film.image), np.random.default_rng(SEED)
    share, (height, width) = random.uniform(0.72, 0.85), whole.shape
    part = whole[: round(height * share)] if random.random() < 0.5 else whole[:, : round(width * share)]
    return Case([replace(film, image=made_of.as_preview(part, len(film.image)))], case.whose)


def _said(case: Case, position: str) -> Film:
    return replace(case.films[0], position=position)


def _copies(archive: Archive, count: int) -> list[Case]:
    """Indexed films again as somebody else's files: smaller, recompressed, a little off every side."""
    cases = []
    for study in [study for study in archive.corpus.part("train") if study.views][:count]:
        film = archive.films_of(study)[0]
        height, width = film.image.shape
        pixels = np.rint(255 * film.image).astype(np.uint8)
        part = pixels[round(0.03 * height) : round(0.97 * height), round(0.03 * width) : round(0.97 * width)]
        coded = cv2.imencode(".jpg", np.ascontiguousarray(part), [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
        again = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)
        preview = preview_from_array(np.asarray(again, np.uint8), archive.corpus.settings.preview)
        unknown = {"study_id": None, "patient_id": None, "cluster": None, "sha256": None, "position": None}
        cases.append(Case([replace(film, image=preview.image, **unknown)], study.facets["cluster"]))
    return cases


def _children(archive: Archive, count: int, *, fills: bool, told: bool = False) -> list[Case]:
    """Drawn children up to 12 years: thin, a wide heart and high diaphragms, the smaller the younger."""
    cases, spec = [], archive.corpus.settings.preview
    for number in range(count):
        exam, random = examination(SEED, number, "A"), np.random.default_rng((SEED, number))
        age = int(random.integers(0, 13))
        body = replace(
            exam.body, age=age, width=1.0, girth=0.15, heart_lie=1.0, scoliosis=None,
            unfolded_aorta=False, spondylosis=False, hyperinflated=False,
        )  # fmt: skip
        size = 1.0 if fills else 0.55 + 0.03 * age
        shot = replace(exam.shots[0], scale=exam.shots[0].scale * size, breath=-1.0, projection="AP")
        view = DrawnView(body, replace(exam.pathology, heart=Heart(0.58)), shot)
        preview = preview_from_array(view.draw(), spec, domain="synthetic")
        film = Film(preview.image, preview.history, "synthetic", age_years=float(age) if told else None)
        cases.append(Case([film], str(number)))
    return cases


def _times(archive: Archive, films: Sequence[Case]) -> Json:
    """Milliseconds of the processor a film: its features, its looks, and all of the gate."""
    keeper, vectors = archive.gatekeeper, archive.retriever.vectors_of([case.films for case in films])
    assert keeper.gate is not None
    found = {}
    for name, what in {
        "features": lambda case, vector: features_of(case.films[0].image),
        "looks": lambda case, vector: keeper.gate.reason(case.films[0].image),
        "all": lambda case, vector: keeper.why(case.films, vector),
    }.items():
        began = time.process_time()
        for case, vector in zip(films, vectors, strict=True):
            what(case, vector)
        found[name] = round(1000 * (time.process_time() - began) / len(films), 2)
    return found


# --- a real archive -----


class Greys:
    """Previews as vectors: their coarse greys. Nobody trained it."""

    fingerprint, preview, domain = "greys 16 x 16", None, None

    def encode_images(self, images: Sequence[Any]) -> Any:
        """(n, 256) unit rows."""
        rows = np.stack([model_input(image, 16).ravel() for image in images])
        rows = rows - rows.mean(axis=1, keepdims=True)
        norms = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
        rows[norms[:, 0] <= 1e-6, 0] = 1
        return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), np.float32)

    def encode_texts(self, texts: Sequence[str]) -> Any:
        """There are none."""
        raise NotImplementedError


def real(data: Path, figures: int) -> Json:
    with tempfile.TemporaryDirectory() as place:
        archive = _hospital(data / "hannover", Path(place))
        archive.gatekeeper.gate = fit_gate(archive.retriever)
        held = [
            Case([replace(film, position=None)], study.facets["cluster"])
            for study in archive.corpus.part("test")
            for film in archive.films_of(study)
        ]
        chest = _figures(archive, data / "roco", "1", figures)
        other = _figures(archive, data / "roco", "0", figures)
        dicom, unread = _dicoms(archive, data / "dicom")
        refused = [*other, *dicom]
        return {
            "archive": archive.corpus.title,
            "gate": archive.gatekeeper.facts,
            "should_pass": {
                "hannover, patients held back": judged(archive, held),
                "roco chest figures": judged(archive, chest),
            },
            "should_be_stopped": {
                "roco other figures": judged(archive, other),
                "other DICOM files": {**judged(archive, dicom), "unreadable, so stopped before": unread},
            },
            "auroc": {
                "hannover against the refused": _auroc(archive, held, refused),
                "roco chest figures against the refused": _auroc(archive, chest, refused),
                "both against the refused": _auroc(archive, [*held, *chest], refused),
            },
        }


def _hospital(folder: Path, place: Path) -> Archive:
    arrivals = []
    for row in _rows(folder):
        number = _number(row["patient_id"]) % 10
        study = Study(
            study_id=row["image_id"], patient_id=row["patient_id"], domain="clinical",
            views=(View(row["image_id"], position="frontal"),),
            split="train" if number < 5 else "val" if number < 7 else "test",
        )  # fmt: skip
        arrivals.append(Arrival(study, (folder / row["image"],), split_key=row["patient_id"]))
    settings = IngestSettings(
        domain="clinical",
        texts="reports",
        source="hannover",
        preview=PreviewSpec(size=256),
        split_salt="gate",
    )
    ingest(arrivals, place / "corpus", settings, key_salt=b"gate")
    corpus = Corpus.open(place / "corpus")
    return Archive(corpus, Greys(), build_index(corpus, Greys(), place / "index"))


def _figures(archive: Archive, folder: Path, chest: str, most: int) -> list[Case]:
    rows = [row for row in _rows(folder) if row["chest_xray_guess"] == chest]
    rows = [row for row in rows if _number(row["group_id"]) % 2 == 1][:most]
    return [Case([archive.load_film(folder / row["image"])], row["group_id"]) for row in rows]


def _dicoms(archive: Archive, folder: Path) -> tuple[list[Case], int]:
    """Every DICOM file that can be read, but the one chest radiograph; and how many can't be."""
    cases, unread = [], 0
    for row in _rows(folder):
        if (row["modality"], row["body_part"]) == ("CR", "CHEST"):
            continue
        try:
            film = load_film(folder / row["file"], archive.corpus.settings.preview)
        except XemplarError:
            unread += 1
            continue
        cases.append(Case([film], row["file"]))
    return cases, unread


def _auroc(archive: Archive, proper: Sequence[Case], refused: Sequence[Case]) -> Json:
    """Of how far a film lies above its worst limit, with an interval over patients and groups."""
    gate = archive.gatekeeper.gate
    assert gate is not None
    scores = np.array([gate.excess(case.films[0].image) for case in [*proper, *refused]])
    truth = np.repeat([False, True], [len(proper), len(refused)])
    names = np.unique([case.whose for case in [*proper, *refused]], return_inverse=True)[1]
    members = [np.flatnonzero(names == name) for name in range(names.max() + 1)]
    random, found = np.random.default_rng(0), []
    for _ in range(300):
        rows = np.concatenate([members[name] for name in random.integers(0, len(members), len(members))])
        if 0 < truth[rows].sum() < len(rows):
            found.append(_area(scores[rows], truth[rows]))
    low, high = np.quantile(found, (0.025, 0.975))
    return {"auroc": _area(scores, truth), "low": round(float(low), 4), "high": round(float(high), 4)}


def _area(scores: np.ndarray, truth: np.ndarray) -> float:
    return round(float(auroc(truth[:, None], scores[:, None])[0]), 4)


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(encoding="utf-8") as table:
        return list(csv.DictReader(table))


def _number(name: str) -> int:
    return int(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), 16)


if __name__ == "__main__":
    main()
