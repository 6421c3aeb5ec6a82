"""A table of studies - CSV, TSV, JSON lines or Parquet - and the images it names.

Knows rows and paths; how columns are found is known in `plan`. Never opens an image, never guesses who a
patient is, and reads every value as text. Rows are counted from 1, the header not among them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path

from xemplar.contracts import Arrival, Json
from xemplar.errors import XemplarError
from xemplar.records import Rejected, Split, Study, View
from xemplar.sources.report_texts import FIELDS as SECTIONS
from xemplar.sources.report_texts import ReportTexts, report_texts, with_own
from xemplar.sources.rows import Row, path_named, read_rows
from xemplar.sources.table.plan import (
    BODY,
    FACET,
    FIELDS,
    TEXTS,
    Plan,
    TableSettings,
    check_image_column,
    notes_of,
    plan_of,
)

__all__ = ["FIELDS", "TableSettings", "describe", "studies"]

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


@dataclass(slots=True)
class _Building:
    """A study whose rows are still arriving; `texts` are its columns' own, `cut` what a report lost."""

    study: Study
    owner: str | None
    texts: dict[str, str]
    cut: Mapping[str, int]
    views: list[View] = field(default_factory=list)
    images: list[Path] = field(default_factory=list)


def studies(path: Path, settings: TableSettings) -> Iterator[Arrival | Rejected]:
    """Every study of the table, in order of first rows, and every row that can't be one.

    Rows of one study id are its views, wherever they stand, if texts, patient and split agree. Raises
    XemplarError for whatever concerns the table as a whole, before anything is handed over.
    """
    plan = plan_of(path, settings, need_patients=True)
    check_image_column(plan, islice(read_rows(path), _LOOKED_AT))
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
        Arrival(replace(one.study, views=tuple(one.views)), tuple(one.images), one.owner, one.cut)
        for one in building.values()
    )
    yield from rejected


def describe(path: Path, settings: TableSettings) -> Json:
    """What the table would be read as: fields, what is unused, kinds, the number of rows, and notes."""
    plan = plan_of(path, settings, need_patients=False)
    check_image_column(plan, islice(read_rows(path), _LOOKED_AT))
    return {
        "table": path.name,
        "columns": dict(plan.fields),
        "unused": list(plan.unused),
        "patient_column": settings.patient_column,
        "group_column": settings.group_column,
        "patients_unknown": settings.patients_unknown,
        "split_column": settings.split_column,
        "texts": plan.texts,
        "domain": plan.domain,
        "images_root": str(plan.root),
        "rows": sum(1 for _ in read_rows(path)),
        "notes": notes_of(plan),
    }


# --- rows -----


def _take(plan: Plan, row: Row, building: dict[str, _Building]) -> Rejected | None:
    """Add a row to its study, or say why it can't be."""
    where = f"row {row.number}"
    image = plan.value(row, "image")
    key = plan.value(row, "study") or image or where
    if row.fault:
        return Rejected(key=where, reason=row.fault, where=where)
    if plan.caption is not None and (missing := plan.caption.missing(row.values)):
        return Rejected(key=key, reason=f"nothing in {missing}, which its caption needs", where=where)
    texts = {name: value for name in TEXTS if (value := plan.value(row, name))}
    if not image and not any(name in texts for name in BODY):
        return Rejected(key=key, reason="neither an image nor a text", where=where)
    if plan.value(row, "acquired_at") and _moment(plan.value(row, "acquired_at")) is None:
        return Rejected(key=key, reason="acquired_at is not an ISO date or time", where=where)
    if image and path_named(Path(image)) != image and not _exists(_image_path(plan.root, image)):
        return Rejected(key=key, reason="a cell that names no image", where=where)
    owner = _owner(plan, row)
    if owner == "":
        return Rejected(key=key, reason=f"no {_unit(plan)} named", where=where)
    read = _texts(plan, row)
    study = _study(plan, row, key=key, owner=owner, texts=read)
    if not image and not study.text:
        return Rejected(key=key, reason="a report without findings or impression", where=where)
    one = _Building(study, owner, texts, read.cut)
    known = building.setdefault(key, one)
    if known is one:
        reason = "" if not image else _add_view(known, row, plan=plan)
    else:
        reason = _differs(known, one) or _add_view(known, row, plan=plan)
    return Rejected(key=key, reason=f"study twice: {reason}", where=where) if reason else None


def _differs(known: _Building, later: _Building) -> str:
    """What sets a later row apart from its study; a text that is not repeated doesn't."""
    if later.owner != known.owner:
        return "another patient"
    if later.study.split != known.study.split:
        return "another split"
    return "another text" if later.texts.items() - known.texts.items() else ""


def _add_view(known: _Building, row: Row, *, plan: Plan) -> str:
    """Add the row's image to its study, or say what is wrong with it."""
    image = plan.value(row, "image")
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


def _unit(plan: Plan) -> str:
    if plan.settings.patient_column is not None:
        return "patient"
    return "group" if plan.settings.group_column is not None else "study"


def _owner(plan: Plan, row: Row) -> str | None:
    """The patient or group of a row; empty where the cell is, None where patients are unknown."""
    column = plan.settings.patient_column or plan.settings.group_column
    return row.values.get(column, "").strip() if column is not None else None


def _split(plan: Plan, row: Row) -> Split | None:
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


def _study(plan: Plan, row: Row, *, key: str, owner: str | None, texts: ReportTexts) -> Study:
    value = {name: plan.value(row, name) or None for name in FIELDS}
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
        indication=texts.indication,
        comparison=texts.comparison,
        findings=texts.findings,
        impression=texts.impression,
        report_status=texts.status,
        prior_id=value["prior"],
        facets={
            name.removeprefix(FACET): found
            for name in plan.fields
            if name.startswith(FACET) and (found := plan.value(row, name))
        },
        split=_split(plan, row),
        split_unit="official" if plan.settings.split_column is not None else _unit(plan),
        source=plan.path.name,
        licence=value["licence"],
    )


def _texts(plan: Plan, row: Row) -> ReportTexts:
    """Findings, impression, indication, comparison of a row, own columns before the report's; its status."""
    own = {name: text for name in SECTIONS if (text := plan.value(row, name))}
    report, caption = plan.value(row, "report"), plan.value(row, "text")
    has_body = bool({"findings", "impression"} & set(own))
    if not report and plan.texts == "reports" and not has_body:
        report, caption = caption, ""
    if report:
        return with_own(report_texts(report), own)
    if caption and not has_body:
        own["impression"] = caption
    return with_own(ReportTexts(), own)


def _moment(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


# --- images -----


def _image_path(root: Path, image: str) -> Path:
    """Where an image is: under the root, else in its `images` folder, else where it should be.

    A name with backslashes that is no file's is read as Windows writes it.
    """
    names = [image, image.replace("\\", "/")] if "\\" in image else [image]
    places = [folder / name for name in names for folder in (root, root / "images")]
    return next((place for place in places if _exists(place)), places[0])


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, a NUL byte
        return False
