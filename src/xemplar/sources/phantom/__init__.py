"""The embedded archive: chest radiographs drawn here, with reports by four made-up readers.

Knows how a drawn study becomes an `Arrival`. The truth of every study is known, so that everything
can be run, and most of it measured, without any data. Nothing drawn is ever clinical: each study's
domain is "synthetic" and each saved film says so. What it is and isn't: docs/phantom.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from xemplar.contracts import Arrival, Written
from xemplar.errors import XemplarError
from xemplar.records import Presence, Study, View
from xemplar.sources.phantom.film import DrawnView
from xemplar.sources.phantom.reports import write
from xemplar.sources.phantom.sampling import Examination, examination
from xemplar.sources.phantom.sites import PRACTICES
from xemplar.sources.phantom.truth import FINDINGS, Site
from xemplar.sources.phantom.written import WrittenView, uid_of

__all__ = [
    "FINDINGS",
    "SITES",
    "VERSION",
    "DrawnView",
    "WrittenView",
    "label",
    "save_film",
    "stated",
    "studies",
    "version_hash",
]

VERSION = "phantom-v1"
"""Of the drawing, the sampling and the wording together: one version draws the same for ever."""
SITES: tuple[Site, ...] = tuple(PRACTICES)


def studies(count: int, *, seed: int = 0, start: int = 0, site: Site = "A") -> Iterator[Arrival]:
    """The studies numbered `start` to `start + count - 1` of the archive `seed` of one site.

    Study i of a seed is always the same, whatever else is asked for. A patient's studies follow each
    other; a range may begin or end between them, and then a `prior_id` names a study outside it.
    """
    if count < 0 or seed < 0 or start < 0:
        raise XemplarError(
            f"count {count}, seed {seed}, start {start}", wanted="numbers of 0 or more", where="phantom"
        )
    if site not in SITES:
        raise XemplarError(f"site {site!r}", wanted=" or ".join(SITES), where="phantom")
    for number in range(start, start + count):
        yield _arrival(seed, examination(seed, number, site))


def stated(arrival: Arrival) -> Mapping[str, Presence]:
    """What the study's report says of each finding that it mentions (a hedge is "uncertain")."""
    site, seed, number = _numbers(arrival.study.study_id)
    return write(seed, examination(seed, number, site)).stated


@lru_cache(maxsize=1)
def version_hash() -> str:
    """The first 8 hex digits of SHA-256 over this package's source and data files, line ends made one.

    Any change to a drawing, a rate or a word changes it, and so does a comment: it errs on that side.
    """
    found = sha256()
    for entry in sorted(files(__name__).iterdir(), key=lambda entry: entry.name):
        if entry.is_file() and not entry.name.endswith((".pyc", ".pyo")):
            content = entry.read_bytes().replace(b"\r\n", b"\n")
            found.update(f"{entry.name}\n{len(content)}\n".encode() + content)
    return found.hexdigest()[:8]


def label(site: Site, seed: int) -> str:
    """How a corpus, a figure or a table names the archive: "phantom-v1 0123abcd site A seed 0"."""
    return f"{VERSION} {version_hash()} site {site} seed {seed}"


def save_film(arrival: Arrival, view_index: int, path: Path) -> Path:
    """Draw one view into a file that says of itself that it is synthetic; returns where it is.

    A view that is written on demand is a DICOM file with our private mark, and `path` gets the ending
    .dcm; any other becomes a PNG file at `path` with xemplar-domain: synthetic in a tEXt chunk.
    """
    image = arrival.images[view_index]
    if isinstance(image, Path):
        raise XemplarError("a view that has a file", wanted="a drawn view", where="phantom")
    if isinstance(image, Written):
        path = path.with_suffix(".dcm")
        path.write_bytes(image.data())
        return path
    mark = PngInfo()
    mark.add_text("xemplar-domain", arrival.study.domain)
    mark.add_text("xemplar-source", VERSION)
    Image.fromarray(image.draw()).save(path, format="PNG", pnginfo=mark)
    return path


def _name(site: Site, seed: int) -> str:
    return f"{VERSION}-{site.lower()}-s{seed}"


def _numbers(study_id: str) -> tuple[Site, int, int]:
    place, _, rest = study_id.removeprefix(f"{VERSION}-").partition("-s")
    seed, _, number = rest.partition("-")
    known = {site.lower(): site for site in SITES}
    if not study_id.startswith(VERSION) or place not in known or not (seed.isdigit() and number.isdigit()):
        raise XemplarError("a study of another source", wanted=f"a study of {VERSION}", where="phantom")
    return known[place], int(seed), int(number)


def _arrival(seed: int, exam: Examination) -> Arrival:
    archive = _name(exam.site, seed)
    study_id, patient_id = f"{archive}-{exam.number:06d}", f"{archive}-p{exam.patient:06d}"
    report = write(seed, exam)
    images = tuple(_image(exam, k, study_id=study_id, patient_id=patient_id) for k in range(len(exam.shots)))
    views = tuple(
        View(
            view_id=f"{study_id}-{k}",
            sop_instance_uid=image.sop_instance_uid if isinstance(image, WrittenView) else None,
            position=shot.position,
            path=f"phantom/{VERSION}/{exam.site.lower()}/{seed}/{study_id}/{study_id}-{k}{_ending(exam)}",
        )
        for k, (shot, image) in enumerate(zip(exam.shots, images, strict=True))
    )
    study = Study(
        study_id=study_id,
        patient_id=patient_id,
        domain="synthetic",
        views=views,
        study_uid=uid_of(study_id) if exam.storage else None,
        acquired_at=exam.acquired_at,
        modality="DX" if exam.storage else "CR",
        language=report.language,
        indication=report.indication,
        comparison=report.comparison,
        findings=report.findings,
        impression=report.impression,
        report_status=report.status,
        report_version=report.version,
        prior_id=f"{archive}-{exam.number - 1:06d}" if exam.ordinal else None,
        labels=exam.pathology.labels,
        facets=_facets(exam),
        source="phantom",
        licence="CC0-1.0",
    )
    return Arrival(study, images, split_key=patient_id)


def _image(exam: Examination, k: int, *, study_id: str, patient_id: str) -> DrawnView | WrittenView:
    drawn = DrawnView(exam.body, exam.pathology, exam.shots[k])
    if exam.storage is None:
        return drawn
    return WrittenView(drawn, exam.storage, patient_id, study_id, k, exam.acquired_at)


def _ending(exam: Examination) -> str:
    return ".dcm" if exam.storage else ".png"


def _facets(exam: Examination) -> dict[str, str]:
    facets = {"age": str(exam.body.age), "sex": exam.body.sex, "reader": str(exam.reader)}
    facets |= {"projection": exam.shots[0].projection, "site": exam.site}
    facets |= exam.pathology.facets
    facets |= {what: place or "yes" for what, place in exam.body.incidental()}
    return facets
