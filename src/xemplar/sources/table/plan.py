"""How a table of studies is to be read: its columns and settings, checked against each other.

Knows the names of fields and which belong together; of rows, it knows only whether
they name images.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from xemplar.errors import XemplarError
from xemplar.records import Domain, TextKind
from xemplar.sources.rows import HEADERLESS, Row, check_column, is_nothing, named, names_image, read_columns
from xemplar.sources.table.caption import Caption, read_template

BODY = ("text", "report", "findings", "impression")
TEXTS = (*BODY, "indication", "comparison")
_SAID_OF = ("position", "laterality", "modality", "language", "licence", "acquired_at", "accession")
FIELDS: tuple[str, ...] = ("image", "study", *TEXTS, *_SAID_OF, "study_uid", "prior")
"""What a column can be mapped to, besides "facet:<name>"."""

_ALSO = {
    "image": ("image_path", "path", "filename", "file"),
    "text": ("caption",),
    "study": ("study_id", "image_id", "id", "uid"),
}
_ASKED_FOR = ("accession", "study_uid")
"""Identifiers that a corpus keeps as they are: taken from a column only where it is mapped."""
FACET = "facet:"
_KEPT_FACET = "facet:cluster"


class TableSettings(BaseModel):
    """How a table is to be read.

    `columns` maps a field (or "facet:<name>") to a column, or to "" for "there is none"; a field that
    isn't mapped takes the column of its own name (accession and study_uid, never unasked). Exactly one
    of `patient_column`, `group_column` and `patients_unknown` says what must stay in one split.
    `caption` is a template that makes each row's text of its columns, where there is no column of texts:
    columns stand in braces, parts that are left out where one of their columns is empty in square brackets.
    `images_root` is the table's folder unless given. What comes in a table is never "synthetic".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: dict[str, str] = {}
    caption: str | None = None
    patient_column: str | None = None
    group_column: str | None = None
    patients_unknown: bool = False
    split_column: str | None = None
    domain: Literal["clinical", "figures"] | None = None
    texts: TextKind | None = None
    images_root: Path | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A table and its settings, checked against each other: field -> column, and what follows."""

    path: Path
    settings: TableSettings
    fields: Mapping[str, str]
    texts: TextKind
    domain: Domain
    root: Path
    columns: tuple[str, ...]
    """All that the table has."""
    caption: Caption | None = None

    @property
    def lacks_image(self) -> bool:
        """Whether no column of images was found, and nobody said that there is none."""
        return "image" not in self.fields and "image" not in self.settings.columns

    @property
    def unused(self) -> tuple[str, ...]:
        """The columns that nothing is taken from."""
        chosen = self.settings
        taken = {*self.fields.values(), *(self.caption.columns if self.caption is not None else ())}
        taken |= {name for name in (chosen.patient_column, chosen.group_column, chosen.split_column) if name}
        return tuple(column for column in self.columns if column not in taken)

    def value(self, row: Row, name: str) -> str:
        """The row's value of a field, outer blanks cut; empty where there is none."""
        if name == "text" and self.caption is not None:
            return self.caption.text(row.values)
        column = self.fields.get(name)
        return row.values.get(column, "").strip() if column else ""


def plan_of(path: Path, settings: TableSettings, *, need_patients: bool) -> Plan:
    """A table's columns by field, as it is and as it is to be read; XemplarError for what doesn't fit."""
    columns = read_columns(path)
    fields = _resolve(path, settings, columns)
    _check_owner(path, settings, columns, need_patients=need_patients)
    for column in (settings.patient_column, settings.group_column, settings.split_column):
        if column is not None:
            check_column(path, column, columns)
    caption = _caption(path, settings, fields=fields, columns=columns)
    _check_content(path, settings, fields=fields, columns=columns)
    has_report = any(name in fields for name in ("report", "findings", "impression"))
    texts = settings.texts or ("reports" if has_report else "captions")
    domain = settings.domain or ("clinical" if texts == "reports" else "figures")
    root = settings.images_root if settings.images_root is not None else path.parent
    return Plan(path, settings, fields, texts, domain, root, columns, caption)


def _caption(
    path: Path, settings: TableSettings, *, fields: Mapping[str, str], columns: Sequence[str]
) -> Caption | None:
    """The template, of columns that are there and of a table that has no texts of its own."""
    if settings.caption is None:
        return None
    caption = read_template(settings.caption)
    if own := next((name for name in BODY if name in fields), None):
        raise XemplarError(
            f"a caption to be made, and a column of texts ({own}={fields[own]})", wanted="one of them",
            where=path.name, remedy=f"leave out --caption, or the column (--column {own}=)",
        )  # fmt: skip
    for column in caption.columns:
        check_column(path, column, columns)
    return caption


def _check_content(
    path: Path, settings: TableSettings, *, fields: Mapping[str, str], columns: Sequence[str]
) -> None:
    """Images or texts there must be; films alone are taken only where somebody said so."""
    known = named(columns)
    there = f"columns: {known}" if known else HEADERLESS
    has_text = settings.caption is not None or any(name in fields for name in BODY)
    if "image" not in fields and not has_text:
        raise XemplarError(
            "no column of images and none of texts",
            wanted="image, text, report, findings or impression",
            where=path.name,
            remedy=f"map one (image=COLUMN); {there}",
        )
    is_said = settings.texts is not None or settings.domain is not None
    if not has_text and not is_said and not any(name in settings.columns for name in BODY):
        raise XemplarError(
            "no column of texts",
            wanted=f"one of {', '.join(BODY)}",
            where=path.name,
            remedy=f"{there}; map one (--column findings=COLUMN), or take the films alone (--texts reports "
            "for films of patients, --texts captions for figures)",
        )


def notes_of(plan: Plan) -> list[str]:
    """What the table lacks and nobody said it would, and the columns that nobody asked for, a line each."""
    columns = plan.settings.columns
    notes = []
    if plan.lacks_image:
        notes.append(f"no image column ({_looked_for(plan)}); texts alone")
    elif plan.caption is None and not any(name in plan.fields or name in columns for name in BODY):
        notes.append(
            "no column of texts found, so the films alone are taken (else: --column findings=COLUMN)"
        )
    if plan.unused:
        known = named(plan.unused) or HEADERLESS
        notes.append(f"unused columns: {known}")
    return notes


def check_image_column(plan: Plan, rows: Iterable[Row]) -> None:
    """Refuse the texts alone where an unused column names images: it was mistyped, or is called otherwise.

    `rows` are the table's first; half of what a column holds in them has to look like an image's name.
    """
    if not plan.lacks_image:
        return
    cells: dict[str, list[bool]] = {}
    for row in rows:
        for column in plan.unused:
            if not is_nothing(cell := row.values.get(column, "")):
                cells.setdefault(column, []).append(names_image(cell))
    for column, found in cells.items():
        if sum(found) * 2 >= len(found):
            likely = f"column {column!r}" if named([column]) else "a column"
            raise XemplarError(
                f"no image column ({_looked_for(plan)}), but {likely} names images",
                where=plan.path.name,
                remedy=f"map it (--column image={column}), or take the texts alone (--column image=)"
                if named([column])
                else HEADERLESS,
            )


def _looked_for(plan: Plan) -> str:
    names = ", ".join(("image", *_ALSO["image"]))
    return f"looked for: {names}; columns: {named(plan.columns) or HEADERLESS}"


def _resolve(path: Path, settings: TableSettings, columns: Sequence[str]) -> dict[str, str]:
    """Field -> column: as mapped, else (identifiers aside) the column of its own or customary name."""
    fields: dict[str, str] = {}
    for name, column in settings.columns.items():
        if name not in FIELDS and not (name.startswith(FACET) and name != FACET):
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
