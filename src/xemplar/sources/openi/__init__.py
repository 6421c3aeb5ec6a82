"""The Indiana University chest X-ray collection of Open-i, as NLM or as Kaggle hands it out.

Knows both layouts and tells them apart: a folder of XML reports, or two CSV tables; images as PNG, JPEG
or DICOM in any folder below. Never opens an image. One report a patient in this collection, so a
report's number is its patient; it is the same number in both layouts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from xemplar.contracts import Arrival, Json
from xemplar.errors import XemplarError
from xemplar.records import Rejected, Study, View
from xemplar.sources.columns import find_table
from xemplar.sources.files import IMAGES, File, check_folder, files_under
from xemplar.sources.openi.kaggle import REPORTS, read_projections, read_reports
from xemplar.sources.openi.mesh import mesh_facets, mesh_labels
from xemplar.sources.openi.nlm import Citation, Unreadable, read_citation

__all__ = ["OpeniSettings", "describe", "studies"]

Layout = Literal["nlm", "kaggle"]
WANTED = "NLM's reports (a folder ecgen-radiology of XML files) or Kaggle's tables (indiana_reports.csv)"
_XML_FOLDER = "ecgen-radiology"
_POSITIONS = {"frontal": "frontal", "lateral": "lateral"}


class OpeniSettings(BaseModel):
    """How the collection is to be read.

    `images` is where images are looked for, the collection's own folder unless given; `texts_only` takes
    the reports without looking for any. `labels` says whether MeSH headings become labels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: Path | None = None
    texts_only: bool = False
    labels: Literal["mesh", "none"] = "mesh"


@dataclass(slots=True)
class _Report:
    """A report and the images that belong to it: (id of the image, position, where it is named)."""

    citation: Citation
    where: str
    images: list[tuple[str, str | None, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Films:
    """The image files that were found, by the key that all their namings share."""

    root: Path
    by_key: dict[str, File] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)


def studies(path: Path, settings: OpeniSettings) -> Iterator[Arrival | Rejected]:
    """Every report as a study, by number; and every row, report and image that can't be part of one.

    Raises XemplarError for a folder that is neither layout, or that has no image where images are wanted.
    """
    layout = _layout(path)
    films = None if settings.texts_only else _films(settings.images or path)
    reports: dict[str, _Report] = {}
    rejected: list[Rejected] = []
    for one in _reports(path, layout):
        if isinstance(one, Rejected):
            rejected.append(one)
        elif one.citation.number in reports:
            rejected.append(Rejected(_study_id(one), "study twice: another report of its number", one.where))
        else:
            reports[one.citation.number] = one
    if not reports:
        raise XemplarError("no report that can be read", wanted=WANTED, where=str(path))
    if films is not None and layout == "kaggle":
        rejected += _project(path, reports)
    for number in sorted(reports, key=int):
        yield from _study(reports[number], films, settings)
    yield from rejected
    if films is not None:
        yield from films.rejected
        left = (
            Rejected(f.relative, "an image that no report names", f.relative) for f in films.by_key.values()
        )
        yield from left


def describe(path: Path, settings: OpeniSettings) -> Json:
    """Which layout it is and how many reports there are, each counted whether readable or not."""
    layout = _layout(path)
    table = find_table(path, *REPORTS)
    rows = iter(_xml_files(path)) if layout == "nlm" or table is None else read_reports(table)
    count = sum(1 for _ in rows)
    return {"layout": layout, "reports": count, "texts_only": settings.texts_only, "labels": settings.labels}


# --- the layout -----


def _layout(path: Path) -> Layout:
    check_folder(path, WANTED)
    is_kaggle, is_nlm = find_table(path, *REPORTS) is not None, bool(_xml_files(path))
    if is_kaggle and is_nlm:
        raise XemplarError(
            "both layouts at once", wanted=WANTED, where=str(path), remedy="name the folder of one of them"
        )
    if not is_kaggle and not is_nlm:
        raise XemplarError("neither XML reports nor a table of reports", wanted=WANTED, where=str(path))
    return "kaggle" if is_kaggle else "nlm"


def _xml_files(path: Path) -> list[File]:
    """The XML files of folders named as NLM names them, wherever below; else the folder's own."""
    folders = sorted(folder for folder in path.rglob(_XML_FOLDER) if folder.is_dir()) or [path]
    found = (one for folder in folders for one in sorted(folder.glob("*.xml")))
    return [File(one.relative_to(path).as_posix(), one) for one in found]


def _reports(path: Path, layout: Layout) -> Iterator[_Report | Rejected]:
    if layout == "kaggle":
        table = find_table(path, *REPORTS)
        for row in read_reports(table) if table is not None else ():
            yield row if isinstance(row, Rejected) else _Report(row[1], row[0])
        return
    for file in _xml_files(path):
        try:
            citation = read_citation(file.path)
        except Unreadable as error:
            yield Rejected(file.relative, str(error), file.relative)
        else:
            report = _Report(citation, file.relative)
            report.images += [(image, None, file.relative) for image in citation.images]
            yield report


def _project(path: Path, reports: dict[str, _Report]) -> Iterable[Rejected]:
    """Give each report its images, as the table of projections has them."""
    named: Counter[str] = Counter()
    for row in read_projections(path):
        if isinstance(row, Rejected):
            yield row
            continue
        where, number, filename, projection = row
        named[filename] += 1
        if number not in reports:
            yield Rejected(filename, "an image of a report that isn't there", where)
        elif named[filename] > 1:
            yield Rejected(filename, "an image named twice", where)
        else:
            word = _POSITIONS.get(projection.casefold(), projection or None)
            reports[number].images.append((filename, word, where))


# --- studies -----


def _study_id(report: _Report) -> str:
    return f"CXR{report.citation.number}"


def _study(report: _Report, films: _Films | None, settings: OpeniSettings) -> Iterator[Arrival | Rejected]:
    """A report as a study, before it the images of it that are missing."""
    name, citation = _study_id(report), report.citation
    views: list[View] = []
    images: list[Path] = []
    if films is not None:
        for image, position, where in sorted(report.images):
            file = films.by_key.pop(_key(image), None)
            if file is None:
                yield Rejected(f"{name}/{image}", "image missing: no file of its name", where)
                continue
            views.append(View(view_id=f"{name}/{_key(image)}", position=position, path=file.relative))
            images.append(file.path)
        if report.images and not views:
            yield Rejected(name, "none of its images is there", report.where)
            return
    if not views and not any(citation.texts.get(part) for part in ("findings", "impression")):
        yield Rejected(name, "neither an image nor a text", report.where)
        return
    yield Arrival(_record(report, tuple(views), settings), tuple(images), split_key=name)


def _record(report: _Report, views: tuple[View, ...], settings: OpeniSettings) -> Study:
    name, citation = _study_id(report), report.citation
    facets = mesh_facets(citation.major)
    if citation.automatic:
        facets["problems"] = ";".join(citation.automatic)
    if citation.captions:
        facets["procedure"] = "; ".join(citation.captions)
    return Study(
        study_id=name,
        patient_id=name,
        domain="clinical",
        views=views,
        indication=citation.texts.get("indication"),
        comparison=citation.texts.get("comparison"),
        findings=citation.texts.get("findings"),
        impression=citation.texts.get("impression"),
        labels=mesh_labels(citation.major) if settings.labels == "mesh" else {},
        facets=facets,
        split_unit="patient",
        source="openi",
        licence=citation.licence,
    )


# --- images -----


def _films(root: Path) -> _Films:
    """Every image below a folder."""
    check_folder(root, "the folder of the images")
    films = _Films(root)
    for file in files_under(root):
        if isinstance(file, Rejected):
            films.rejected.append(file)
        elif file.path.suffix.casefold() in IMAGES:
            first = films.by_key.setdefault(_key(file.path.name), file)
            if first is not file:
                films.rejected.append(
                    Rejected(file.relative, "a second file of an image's name", file.relative)
                )
    if not films.by_key:
        raise XemplarError(
            "no image (PNG, JPEG or DICOM)", where=str(root), wanted="images below the folder",
            remedy="say where they are (--images), or take the texts alone (--texts-only)",
        )  # fmt: skip
    return films


def _key(name: str) -> str:
    """What the namings of one image share: CXR1_1_IM-0001-3001.png is 1_IM-0001-3001.dcm.png."""
    stem = name
    while (cut := re.sub(r"\.(?:png|jpe?g|dcm)\Z", "", stem, flags=re.IGNORECASE)) != stem:
        stem = cut
    bare = re.sub(r"\ACXR(?=\d)", "", stem)
    return re.sub(r"\A(\d+)_(?=\1_IM)", "", bare)
