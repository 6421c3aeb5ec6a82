"""The embedded archive: chest radiographs drawn here, with reports by two made-up readers.

Knows how a drawn study becomes an `Arrival`. The truth of every study is known, so that everything
can be run, and most of it measured, without any data. Nothing drawn is ever clinical: each study's
domain is "synthetic" and each saved film says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from xemplar.contracts import Arrival
from xemplar.errors import XemplarError
from xemplar.records import Presence, Study, View
from xemplar.sources.phantom.film import DrawnView
from xemplar.sources.phantom.reports import write
from xemplar.sources.phantom.sampling import Examination, examination
from xemplar.sources.phantom.truth import FINDINGS

__all__ = ["FINDINGS", "VERSION", "DrawnView", "save_film", "stated", "studies"]

VERSION = "phantom-v0"
"""Of the drawing, the sampling and the wording together: one version draws the same for ever."""


def studies(count: int, *, seed: int = 0, start: int = 0) -> Iterator[Arrival]:
    """The studies numbered `start` to `start + count - 1` of the archive `seed`.

    Study i of a seed is always the same, whatever else is asked for. A patient's studies follow each
    other; a range may begin or end between them, and then a `prior_id` names a study outside it.
    """
    if count < 0 or seed < 0 or start < 0:
        raise XemplarError(
            f"count {count}, seed {seed}, start {start}", wanted="numbers of 0 or more", where="phantom"
        )
    for number in range(start, start + count):
        yield _arrival(seed, examination(seed, number))


def stated(arrival: Arrival) -> Mapping[str, Presence]:
    """What the study's report says of each finding that it mentions (a hedge is "uncertain")."""
    seed, number = _numbers(arrival.study.study_id)
    return write(seed, examination(seed, number)).stated


def save_film(arrival: Arrival, view_index: int, path: Path) -> None:
    """Draw one view into a PNG file that says of itself, in a tEXt chunk, xemplar-domain: synthetic."""
    image = arrival.images[view_index]
    if isinstance(image, Path):
        raise XemplarError("a view that has a file", wanted="a drawn view", where="phantom")
    mark = PngInfo()
    mark.add_text("xemplar-domain", arrival.study.domain)
    mark.add_text("xemplar-source", VERSION)
    Image.fromarray(image.draw()).save(path, format="PNG", pnginfo=mark)


def _name(seed: int, number: int) -> str:
    return f"{VERSION}-s{seed}-{number:06d}"


def _numbers(study_id: str) -> tuple[int, int]:
    seed, _, number = study_id.removeprefix(f"{VERSION}-s").partition("-")
    if not study_id.startswith(VERSION) or not (seed.isdigit() and number.isdigit()):
        raise XemplarError("a study of another source", wanted=f"a study of {VERSION}", where="phantom")
    return int(seed), int(number)


def _arrival(seed: int, exam: Examination) -> Arrival:
    study_id = _name(seed, exam.number)
    patient_id = f"{VERSION}-s{seed}-p{exam.patient:06d}"
    report = write(seed, exam)
    images = tuple(DrawnView(exam.body, exam.pathology, shot) for shot in exam.shots)
    views = tuple(
        View(
            view_id=f"{study_id}-{k}",
            position=shot.position,
            path=f"phantom/{VERSION}/{seed}/{study_id}/{study_id}-{k}.png",
        )
        for k, shot in enumerate(exam.shots)
    )
    study = Study(
        study_id=study_id,
        patient_id=patient_id,
        domain="synthetic",
        views=views,
        acquired_at=exam.acquired_at,
        modality="CR",
        language="en",
        indication=report.indication,
        comparison=report.comparison,
        findings=report.findings,
        impression=report.impression,
        report_status="final",
        prior_id=_name(seed, exam.number - 1) if exam.ordinal else None,
        labels=exam.pathology.labels,
        facets=_facets(exam),
        source="phantom",
        licence="CC0-1.0",
    )
    return Arrival(study, images, split_key=patient_id)


def _facets(exam: Examination) -> dict[str, str]:
    facets = {"age": str(exam.body.age), "sex": exam.body.sex, "reader": str(exam.reader)}
    facets["projection"] = exam.shots[0].projection
    facets |= exam.pathology.facets
    facets |= {what: place or "yes" for what, place in exam.body.incidental()}
    return facets
