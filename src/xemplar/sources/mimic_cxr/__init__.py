"""MIMIC-CXR and MIMIC-CXR-JPG as PhysioNet lays them out: images, reports, official split, labels.

Knows both layouts (they differ in the images' ending alone), which parts may lie in folders of their
own, and in which order a patient's studies were made. Never opens an image. Dates are those of the
source, shifted for each patient; what lies between two of them is true.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from xemplar.contracts import Arrival, Json
from xemplar.errors import XemplarError
from xemplar.images.tags import POSITIONS
from xemplar.records import Rejected, Split, Study, View
from xemplar.sources.files import File, check_folder, files_under, printable
from xemplar.sources.mimic_cxr.tables import (
    LABELERS,
    ImageRow,
    Labeler,
    Said,
    count_studies,
    differing,
    read_labels,
    read_metadata,
    read_split,
    table_of,
)
from xemplar.sources.report_texts import ReportTexts, report_texts

__all__ = ["MimicSettings", "describe", "studies"]

LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"
WANTED = "a folder of MIMIC-CXR: files/p10/p10000032/s50414267/..."
_IMAGES = (".dcm", ".jpg")
_MAX_REPORT = 1 << 20
_PLACES = ("PA", "AP", "LATERAL", "LL")
"""Which film of a study is taken before which, where only one is."""


class MimicSettings(BaseModel):
    """How the folders are to be read.

    Images, reports and tables lie under one root, or each under one of its own. `labeler` chooses whose
    labels are taken (none: no labels); where both tables are there, a facet names what they differ on.
    `own_split` draws a split by patient in place of the official one. `texts_only` looks for no image,
    `films_only` for no report. `section` takes the impression alone, and only studies that have one;
    `one_view` a study's first film in the order PA, AP, LATERAL, LL, others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: Path | None = None
    reports: Path | None = None
    tables: Path | None = None
    labeler: Labeler | None = "chexpert"
    own_split: bool = False
    texts_only: bool = False
    films_only: bool = False
    section: Literal["impression"] | None = None
    one_view: bool = False

    @model_validator(mode="after")
    def _reads_something(self) -> MimicSettings:
        if self.texts_only and self.films_only:
            raise ValueError("texts only and films only at once")
        if self.films_only and self.section is not None:
            raise ValueError("films only and a section of their reports at once")
        if self.texts_only and self.one_view:
            raise ValueError("texts only and one view at once")
        return self


@dataclass(frozen=True, slots=True)
class _Tree:
    """A folder that holds p10, p11 ...; `prefix` is where it lies below the root that was named."""

    folder: Path
    prefix: str


@dataclass(slots=True)
class _Plan:
    """The folders found and the tables read."""

    settings: MimicSettings
    images: _Tree | None
    reports: _Tree | None
    split: Mapping[str, Split] | None
    labels: Mapping[Labeler, Mapping[str, Said]]
    rejected: list[Rejected] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Examination:
    """The images of one study, by id, and when the first of them was made."""

    study: str
    rows: tuple[ImageRow, ...]

    @property
    def name(self) -> str:
        return f"s{self.study}"

    @property
    def moment(self) -> datetime | None:
        return min((row.moment for row in self.rows if row.moment is not None), default=None)


@dataclass(frozen=True, slots=True)
class _Case:
    """A study and what its patient's other studies say of it."""

    subject: str
    made: _Examination
    prior: str | None
    part: Split | None

    @property
    def place(self) -> str:
        return f"p{self.subject[:2]}/p{self.subject}/{self.made.name}"


def studies(path: Path, settings: MimicSettings) -> Iterator[Arrival | Rejected]:
    """Every study of the metadata, patient by patient and in order of time; and all that fits none.

    An image, a report or a row that can't be part of a study is handed over as rejected, each by itself.
    Raises XemplarError for a table that is missing or damaged, and for a folder of another layout.
    """
    plan = _plan(path, settings)
    rows: list[ImageRow] = []
    patient_of: dict[str, str] = {}
    seen: set[str] = set()
    for row in read_metadata(settings.tables or path):
        if isinstance(row, Rejected):
            plan.rejected.append(row)
        elif row.dicom in seen:
            plan.rejected.append(Rejected(f"s{row.study}/{row.dicom}", "an image twice in the metadata"))
        elif patient_of.setdefault(row.study, row.subject) != row.subject:
            reason = "a study of two patients: the first has it"
            plan.rejected.append(Rejected(f"s{row.study}/{row.dicom}", reason))
        else:
            seen.add(row.dicom)
            rows.append(row)
    rows.sort(key=lambda row: (row.subject, row.study, row.dicom))
    for subject, of_patient in groupby(rows, key=lambda row: row.subject):
        yield from _patient(subject, list(of_patient), plan)
    yield from _strangers(plan, set(patient_of.values()))
    yield from plan.rejected


def describe(path: Path, settings: MimicSettings) -> Json:
    """Which tables are there, and how many studies the metadata names."""
    check_folder(path, WANTED)
    tables = settings.tables or path
    split = None if settings.own_split else table_of(tables, "split").name
    return {"studies": count_studies(tables), "split": split, "labeler": settings.labeler}


# --- the folders -----


def _plan(path: Path, settings: MimicSettings) -> _Plan:
    check_folder(path, WANTED)
    tables = settings.tables or path
    check_folder(tables, "the folder of the tables")
    table_of(tables, "metadata")
    images = None if settings.texts_only else _tree(settings.images or path, "images", _IMAGES)
    reports = None if settings.films_only else _tree(settings.reports or path, "reports", (".txt",))
    rejected: list[Rejected] = []
    split: Mapping[str, Split] | None = None
    if not settings.own_split:
        split, rejected = read_split(tables)
    labels: dict[Labeler, Mapping[str, Said]] = {}
    for labeler in LABELERS if settings.labeler is not None else ():
        found = read_labels(tables, labeler)
        if found is not None:
            labels[labeler] = found[0]
            rejected += found[1]
    if settings.labeler is not None and settings.labeler not in labels:
        table_of(tables, settings.labeler, remedy=", choose another (--labeler), or none (--labeler none)")
    return _Plan(settings, images, reports, split, labels, rejected)


def _tree(root: Path, what: str, endings: Sequence[str]) -> _Tree:
    """The folder that holds p10, p11 and so on, with a file of the kind somewhere in it."""
    check_folder(root, WANTED)
    inner = (root / "files").is_dir()
    folder = root / "files" if inner else root
    if not any(_is_group(one) for one in folder.iterdir()):
        raise XemplarError("no folder p10, p11 ...", wanted=WANTED, where=str(folder))
    found = (one for one in files_under(folder) if isinstance(one, File))
    if not any(one.path.suffix in endings for one in found):
        without = "--films-only" if what == "reports" else "--texts-only"
        raise XemplarError(
            f"none of the {what} ({', '.join(endings)})", where=str(folder), wanted=WANTED,
            remedy=f"say where they are (--{what}), or go without ({without})",
        )  # fmt: skip
    return _Tree(folder, "files/" if inner else "")


def _is_group(folder: Path) -> bool:
    name = folder.name
    return len(name) == 3 and name[0] == "p" and name[1:].isdigit() and folder.is_dir()


def _strangers(plan: _Plan, known: set[str]) -> Iterator[Rejected]:
    """Folders of patients that the metadata doesn't name, each told once."""
    for tree in {tree.folder: tree for tree in (plan.images, plan.reports) if tree is not None}.values():
        for group in sorted(one for one in tree.folder.iterdir() if _is_group(one)):
            for folder in sorted(one for one in group.iterdir() if one.is_dir()):
                if folder.name.removeprefix("p") not in known:
                    where = printable(f"{tree.prefix}{group.name}/{folder.name}")
                    yield Rejected(where, "a folder of a patient that the metadata doesn't name", where)


# --- a patient -----


def _patient(subject: str, rows: list[ImageRow], plan: _Plan) -> Iterator[Arrival | Rejected]:
    """A patient's studies in order of time, each after what it lacks; then files that none has."""
    made = [_Examination(study, tuple(of)) for study, of in groupby(rows, key=lambda row: row.study)]
    made.sort(key=lambda one: (one.moment or datetime.max, one.study))
    folder = f"p{subject[:2]}/p{subject}"
    files: dict[str, File] = {}
    for tree, endings in ((plan.images, _IMAGES), (plan.reports, (".txt",))):
        if tree is None or not (tree.folder / folder).is_dir():
            continue
        for file in files_under(tree.folder / folder):
            if isinstance(file, Rejected):
                yield file
            elif file.path.suffix in endings:
                files[file.relative] = File(f"{tree.prefix}{folder}/{file.relative}", file.path)
    split = plan.split
    parts = {split.get(row.dicom) for row in rows} if split is not None else set()
    for one in made:
        mine = [name for name in files if name == f"{one.name}.txt" or name.startswith(f"{one.name}/")]
        own = {name: files.pop(name) for name in mine}
        if None in parts and not any(split and row.dicom in split for row in one.rows):
            yield Rejected(one.name, "in no part of the official split", folder)
        elif len(parts - {None}) > 1:
            yield Rejected(one.name, "its patient is in two parts of the official split", folder)
        else:
            part = next(iter(parts - {None}), None)
            yield from _study(_Case(subject, one, _prior(one, made), part), own, plan)
    for file in files.values():
        yield Rejected(file.relative, "a file of no study that the metadata names", file.relative)


def _prior(one: _Examination, made: Sequence[_Examination]) -> str | None:
    """The patient's last study that was made before this one; of one moment, neither is the other's."""
    if one.moment is None:
        return None
    earlier = [other for other in made if other.moment is not None and other.moment < one.moment]
    return earlier[-1].name if earlier else None


def _study(case: _Case, files: dict[str, File], plan: _Plan) -> Iterator[Arrival | Rejected]:
    """What the study lacks, then the study; `files` are its own, those it uses are taken out."""
    name = case.made.name
    views: list[View] = []
    images: list[Path] = []
    for row in _in_order(case.made.rows, plan.settings) if plan.images is not None else ():
        found = next((f for end in _IMAGES if (f := files.pop(f"{name}/{row.dicom}{end}", None))), None)
        if found is None:
            yield Rejected(f"{name}/{row.dicom}", "image missing: no file of its name", case.place)
            continue
        position = POSITIONS.get(row.position.upper(), row.position or None)
        if plan.settings.one_view and views:
            continue
        views.append(View(view_id=f"{name}/{row.dicom}", position=position, path=found.relative))
        images.append(found.path)
    texts = ReportTexts()
    if plan.reports is not None:
        read = _report(case, files.pop(f"{name}.txt", None))
        if isinstance(read, Rejected):
            yield read
        else:
            texts = read if plan.settings.section is None else _impression(read)
    for left in files.values():
        yield Rejected(left.relative, "a file that the metadata doesn't name", left.relative)
    if plan.images is not None and not views:
        yield Rejected(name, "none of its images is there", case.place)
    elif plan.settings.section is not None and not texts.impression:
        yield Rejected(name, "no impression", case.place)
    elif not views and not (texts.findings or texts.impression):
        yield Rejected(name, "neither an image nor a text", case.place)
    else:
        study = _record(case, tuple(views), texts=texts, plan=plan)
        yield Arrival(study, tuple(images), split_key=f"p{case.subject}", cut=texts.cut)


def _impression(texts: ReportTexts) -> ReportTexts:
    """Of a report that alone."""
    return replace(texts, indication=None, comparison=None, findings=None)


def _in_order(rows: Sequence[ImageRow], settings: MimicSettings) -> Sequence[ImageRow]:
    """A study's films by id; where one alone is taken, the best of them first."""

    def place(row: ImageRow) -> int:
        word = row.position.upper()
        return _PLACES.index(word) if word in _PLACES else len(_PLACES)

    return sorted(rows, key=place) if settings.one_view else rows


def _report(case: _Case, file: File | None) -> ReportTexts | Rejected:
    key = f"{case.made.name}/report"
    if file is None:
        return Rejected(key, "report missing: its study has films alone", case.place)
    try:
        if file.path.stat().st_size > _MAX_REPORT:
            return Rejected(key, f"a report of more than {_MAX_REPORT} bytes", file.relative)
        return report_texts(file.path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError:
        return Rejected(key, "a report that is not UTF-8", file.relative)
    except OSError as error:
        return Rejected(key, f"a report that can't be opened ({error.strerror})", file.relative)


def _record(case: _Case, views: tuple[View, ...], *, texts: ReportTexts, plan: _Plan) -> Study:
    patient, made = f"p{case.subject}", case.made
    labeler = plan.settings.labeler
    said = plan.labels[labeler].get(made.study) if labeler is not None else None
    return Study(
        study_id=made.name,
        patient_id=patient,
        domain="clinical",
        views=views,
        acquired_at=made.moment,
        indication=texts.indication,
        comparison=texts.comparison,
        findings=texts.findings,
        impression=texts.impression,
        report_status=texts.status,
        prior_id=case.prior,
        labels=dict(said.labels) if said is not None else {},
        facets=_facets(made, plan),
        split=case.part,
        split_unit="official" if case.part is not None else "patient",
        source="mimic-cxr",
        licence=LICENCE,
    )


def _facets(made: _Examination, plan: _Plan) -> dict[str, str]:
    facets = {}
    taken = [row.position for row in made.rows if row.position]
    frontal = [word for word in taken if POSITIONS.get(word.upper()) == "frontal"]
    if taken:
        facets["projection"] = (frontal or taken)[0]
    if procedures := sorted({row.procedure for row in made.rows if row.procedure}):
        facets["procedure"] = "; ".join(procedures)
    labeler = plan.settings.labeler
    said = plan.labels[labeler].get(made.study) if labeler is not None else None
    if said is not None:
        facets["labeler"] = str(labeler)
        if said.no_finding:
            facets["no_finding"] = "yes"
    if len(plan.labels) == len(LABELERS):
        names = differing(*(plan.labels[one].get(made.study) for one in LABELERS))
        facets["labelers_differ"] = ", ".join(names) or "no"
    return facets
