"""A table of studies - CSV, TSV, JSON lines or Parquet - and the images it names.

Knows columns, rows and paths. Never opens an image, never guesses who a patient is, and reads every
value as text. Rows are counted from 1, the header not among them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from xemplar.contracts import Arrival, Json
from xemplar.errors import XemplarError
from xemplar.records import Domain, Rejected, Split, Study, TextKind, View
from xemplar.sources.report_texts import FIELDS as SECTIONS
from xemplar.sources.report_texts import report_texts
from xemplar.sources.rows import HEADERLESS, Row, check_column, named, path_named, read_columns, read_rows

_BODY = ("text", "report", "findings", "impression")
_TEXTS = (*_BODY, "indication", "comparison")
_SAID_OF = ("position", "laterality", "modality", "language", "licence", "acquired_at", "accession")
FIELDS: tuple[str, ...] = ("image", "study", *_TEXTS, *_SAID_OF, "study_uid", "prior")
"""What a column can be mapped to, besides "facet:<name>"."""

_ALSO = {
    "image": ("image_path", "path", "filename", "file"),
    "text": ("caption",),
    "study": ("study_id", "image_id", "id", "uid"),
}
_ASKED_FOR = ("accession", "study_uid")
"""Identifiers that a corpus keeps as they are: taken from a column only where it is mapped."""
_FACET = "facet:"
_KEPT_FACET = "facet:cluster"
_SPLITS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validate": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
}
_LOOKED_AT = 100


class TableSettings(BaseModel):
    """How a table is to be read.

    `columns` maps a field (or "facet:<name>") to a column, or to "" for "there is none"; a field that
    isn't mapped takes the column of its own name (accession and study_uid, never unasked). Exactly one
    of `patient_column`, `group_column` and `patients_unknown` says what must stay in one split.
    `images_root` is the table's folder unless given. What comes in a table is never "synthetic".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: dict[str, str] = {}
    patient_column: str | None = None
    group_column: str | None = None
    patients_unknown: bool = False
    split_column: str | None = None
    domain: Literal["clinical", "figures"] | None = None
    texts: TextKind | None = None
    images_root: Path | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """A table and its settings, checked against each other: field -> column, and what follows."""

    path: Path
    settings: TableSettings
    fields: Mapping[str, str]
    texts: TextKind
    domain: Domain
    root: Path

    def value(self, row: Row, name: str) -> str:
        """The row's value of a field, outer blanks cut; empty where there is none."""
        column = self.fields.get(name)
        return row.values.get(column, "").strip() if column else ""


@dataclass(slots=True)
class _Building:
    """A study whose rows are still arriving."""

    study: Study
    owner: str | None
    texts: dict[str, str]
    views: list[View] = field(default_factory=list)
    images: list[Path] = field(default_factory=list)


def studies(path: Path, settings: TableSettings) -> Iterator[Arrival | Rejected]:
    """Every study of the table, in order of first rows, and every row that can't be one.

    Rows of one study id are its views, wherever they stand, if texts, patient and split agree. Raises
    XemplarError for whatever concerns the table as a whole, before anything is handed over.
    """
    plan = _plan(path, settings, need_patients=True)
    building: dict[str, _Building] = {}
    rejected: list[Rejected] = []
    rows = 0
    found_image = False
    looked_for: list[tuple[Path, int]] = []
    for row in read_rows(path):
        rows += 1
        refusal = _take(plan, row, building)
        if refusal is not None:
            rejected.append(refusal)
        image = plan.value(row, "image")
        if image and not found_image and len(looked_for) < _LOOKED_AT:
            wanted = _image_path(plan.root, image)
            found_image = _exists(wanted)
            looked_for.append((wanted, row.number))
    if rows == 0:
        raise XemplarError("the table has no rows", wanted="at least one study", where=path.name)
    if looked_for and not found_image:
        raise XemplarError(
            f"none of the first {len(looked_for)} images exists; looked for {path_named(looked_for[0][0])}",
            where=f"{path.name}, row {looked_for[0][1]}",
            remedy="name the folder of the images (--images-root), the right column (image=COLUMN), "
            "or that there is none (image=)",
        )
    yield from (
        Arrival(replace(one.study, views=tuple(one.views)), tuple(one.images), one.owner)
        for one in building.values()
    )
    yield from rejected


def describe(path: Path, settings: TableSettings) -> Json:
    """What the table would be read as: fields, what is unused, kinds, and the number of rows."""
    plan = _plan(path, settings, need_patients=False)
    columns = read_columns(path)
    owners = {"patient": settings.patient_column, "group": settings.group_column}
    named = {*plan.fields.values(), *owners.values(), settings.split_column}
    return {
        "table": path.name,
        "columns": dict(plan.fields),
        "unused": [column for column in columns if column not in named],
        "patient_column": settings.patient_column,
        "group_column": settings.group_column,
        "patients_unknown": settings.patients_unknown,
        "split_column": settings.split_column,
        "texts": plan.texts,
        "domain": plan.domain,
        "images_root": str(plan.root),
        "rows": sum(1 for _ in read_rows(path)),
    }


# --- the plan -----


def _plan(path: Path, settings: TableSettings, *, need_patients: bool) -> _Plan:
    columns = read_columns(path)
    fields = _resolve(path, settings, columns)
    _check_owner(path, settings, columns, need_patients=need_patients)
    for column in (settings.patient_column, settings.group_column, settings.split_column):
        if column is not None:
            check_column(path, column, columns)
    known = named(columns)
    if "image" not in fields and not any(name in fields for name in _BODY):
        raise XemplarError(
            "no column of images and none of texts",
            wanted="image, text, report, findings or impression",
            where=path.name,
            remedy=f"map one (image=COLUMN); {f'columns: {known}' if known else HEADERLESS}",
        )
    has_report = any(name in fields for name in ("report", "findings", "impression"))
    texts = settings.texts or ("reports" if has_report else "captions")
    domain = settings.domain or ("clinical" if texts == "reports" else "figures")
    root = settings.images_root if settings.images_root is not None else path.parent
    return _Plan(path, settings, fields, texts, domain, root)


def _resolve(path: Path, settings: TableSettings, columns: Sequence[str]) -> dict[str, str]:
    """Field -> column: as mapped, else (identifiers aside) the column of its own or customary name."""
    fields: dict[str, str] = {}
    for name, column in settings.columns.items():
        if name not in FIELDS and not (name.startswith(_FACET) and name != _FACET):
            raise XemplarError(
                f"{name!r} is not a field",
                wanted=f"one of {', '.join(FIELDS)} or facet:NAME",
                where=path.name,
            )
        if name == _KEPT_FACET:
            raise XemplarError(
                f"{name} is kept for what stays in one split", wanted="another facet's name", where=path.name
            )
        if column:
            check_column(path, column, columns)
            fields[name] = column
    for name in FIELDS:
        if name in settings.columns or name in _ASKED_FOR:
            continue
        found = next((column for column in (name, *_ALSO.get(name, ())) if column in columns), None)
        if found is not None:
            fields[name] = found
    return fields


def _check_owner(path: Path, settings: TableSettings, columns: Sequence[str], *, need_patients: bool) -> None:
    """Exactly one way to tell whose study it is."""
    ways = "one of --patient-column NAME, --group-column NAME or --patients-unknown"
    given = [settings.patient_column is not None, settings.group_column is not None]
    given.append(settings.patients_unknown)
    if sum(given) > 1:
        names = ("a patient column", "a group column", "patients unknown")
        both = " and ".join(name for name, is_given in zip(names, given, strict=True) if is_given)
        raise XemplarError(f"{both} at once", wanted=ways, where=path.name)
    if need_patients and not any(given):
        sure = columns if named(columns) else ()
        likely = [c for c in sure if any(w in c.casefold() for w in ("patient", "subject", "group"))]
        raise XemplarError(
            "no patient column named",
            wanted=ways,
            where=path.name,
            remedy=f"columns that may name one: {', '.join(likely)}" if likely else "",
        )


# --- rows -----


def _take(plan: _Plan, row: Row, building: dict[str, _Building]) -> Rejected | None:
    """Add a row to its study, or say why it can't be."""
    where = f"row {row.number}"
    image = plan.value(row, "image")
    key = plan.value(row, "study") or image or where
    if row.fault:
        return Rejected(key=where, reason=row.fault, where=where)
    texts = {name: value for name in _TEXTS if (value := plan.value(row, name))}
    if not image and not any(name in texts for name in _BODY):
        return Rejected(key=key, reason="neither an image nor a text", where=where)
    if plan.value(row, "acquired_at") and _moment(plan.value(row, "acquired_at")) is None:
        return Rejected(key=key, reason="acquired_at is not an ISO date or time", where=where)
    if image and path_named(Path(image)) != image and not _exists(_image_path(plan.root, image)):
        return Rejected(key=key, reason="a cell that names no image", where=where)
    owner = _owner(plan, row)
    if owner == "":
        return Rejected(key=key, reason=f"no {_unit(plan)} named", where=where)
    study = _study(plan, row, key, owner)
    if not image and not study.text:
        return Rejected(key=key, reason="a report without findings or impression", where=where)
    known = building.get(key)
    if known is None:
        known = building[key] = _Building(study, owner, texts)
        reason = "" if not image else _add_view(plan, row, known, image)
    else:
        reason = _differs(known, study, owner, texts) or _add_view(plan, row, known, image)
    return Rejected(key=key, reason=f"study twice: {reason}", where=where) if reason else None


def _differs(known: _Building, study: Study, owner: str | None, texts: Mapping[str, str]) -> str:
    """What sets a later row apart from its study; a text that is not repeated doesn't."""
    if owner != known.owner:
        return "another patient"
    if study.split != known.study.split:
        return "another split"
    if any(known.texts.get(name, value) != value for name, value in texts.items()):
        return "another text"
    if set(texts) - set(known.texts):
        return "another text"
    return ""


def _add_view(plan: _Plan, row: Row, known: _Building, image: str) -> str:
    """Add the row's image to its study, or say what is wrong with it."""
    if not image:
        return "a row without an image"
    path = _image_path(plan.root, image)
    if path in known.images:
        return "the same image"
    stem = f"{known.study.study_id}/{path.stem}"
    taken = {view.view_id for view in known.views}
    view_id = stem if stem not in taken else f"{stem}-{len(taken) + 1}"
    known.images.append(path)
    known.views.append(
        View(
            view_id=view_id,
            position=plan.value(row, "position") or None,
            laterality=plan.value(row, "laterality") or None,
            path=Path(os.path.relpath(path, plan.root)).as_posix(),
        )
    )
    return ""


def _unit(plan: _Plan) -> str:
    if plan.settings.patient_column is not None:
        return "patient"
    return "group" if plan.settings.group_column is not None else "study"


def _owner(plan: _Plan, row: Row) -> str | None:
    """The patient or group of a row; empty where the cell is, None where patients are unknown."""
    column = plan.settings.patient_column or plan.settings.group_column
    return row.values.get(column, "").strip() if column is not None else None


def _split(plan: _Plan, row: Row) -> Split | None:
    column = plan.settings.split_column
    if column is None:
        return None
    value = row.values.get(column, "").strip()
    split = _SPLITS.get(value.casefold())
    if split is None:
        raise XemplarError(
            f"column {column!r} holds a value that is no split's name",
            wanted=f"one of {', '.join(_SPLITS)}",
            where=f"{plan.path.name}, row {row.number}",
        )
    return split


def _study(plan: _Plan, row: Row, key: str, owner: str | None) -> Study:
    value = {name: plan.value(row, name) or None for name in FIELDS}
    texts = _texts(plan, value)
    moment = value["acquired_at"]
    return Study(
        study_id=key,
        patient_id=owner if plan.settings.patient_column is not None else None,
        domain=plan.domain,
        study_uid=value["study_uid"],
        accession=value["accession"],
        acquired_at=_moment(moment) if moment else None,
        modality=value["modality"],
        language=value["language"],
        indication=texts.get("indication"),
        comparison=texts.get("comparison"),
        findings=texts.get("findings"),
        impression=texts.get("impression"),
        report_status=texts.get("status"),
        prior_id=value["prior"],
        facets={
            name.removeprefix(_FACET): found
            for name in plan.fields
            if name.startswith(_FACET) and (found := plan.value(row, name))
        },
        split=_split(plan, row),
        split_unit="official" if plan.settings.split_column is not None else _unit(plan),
        source=plan.path.name,
        licence=value["licence"],
    )


def _texts(plan: _Plan, value: Mapping[str, str | None]) -> dict[str, str]:
    """Findings, impression, indication, comparison of a row, own columns before the report's; its status."""
    named = {name: text for name in _TEXTS[2:] if (text := value[name])}
    report, caption = value["report"], value["text"]
    if report is None and plan.texts == "reports" and not {"findings", "impression"} & set(named):
        report, caption = caption, None
    if report is not None:
        named = {**_sections(report), **named}
    elif caption is not None and not {"findings", "impression"} & set(named):
        named["impression"] = caption
    return named


def _sections(report: str) -> dict[str, str]:
    """The report's sections, and its status where it says one."""
    cut = report_texts(report)
    return {name: text for name in (*SECTIONS, "status") if (text := getattr(cut, name)) is not None}


def _moment(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


# --- images -----


def _image_path(root: Path, image: str) -> Path:
    """Where an image is: under the root, else in its `images` folder, else where it should be."""
    direct = root / image
    if _exists(direct):
        return direct
    nested = root / "images" / image
    return nested if _exists(nested) else direct


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, a NUL byte
        return False
