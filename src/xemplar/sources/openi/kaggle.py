"""The Indiana collection as Kaggle hands it out: a table of reports and one of image names.

Knows the two tables' columns; what a row becomes is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from xemplar.errors import XemplarError
from xemplar.records import Rejected
from xemplar.sources.columns import find_table, read_columns_of
from xemplar.sources.openi.nlm import Citation
from xemplar.sources.rows import Row

REPORTS = ("indiana_reports", "reports")
PROJECTIONS = ("indiana_projections", "projections")
LICENCE = "CC BY-NC-ND 4.0"
_NUMBER = re.compile(r"[0-9]{1,9}")
_TEXTS = ("indication", "comparison", "findings", "impression")


def read_reports(table: Path) -> Iterator[tuple[str, Citation] | Rejected]:
    """Every row of the reports' table as (where, its report), or why it can't be one."""
    for row in read_columns_of(table, ("uid", "MeSH", *_TEXTS), ("Problems", "image")):
        where = f"{table.name}, row {row.number}"
        if row.fault or not _NUMBER.fullmatch(row.values["uid"]):
            yield Rejected(where, row.fault or "a report without its number (uid)", where)
        else:
            yield where, _citation(row)


def _citation(row: Row) -> Citation:
    caption = row.values.get("image", "")
    return Citation(
        number=str(int(row.values["uid"])),
        texts={name: row.values[name] for name in _TEXTS if row.values[name]},
        major=_terms(row.values["MeSH"]),
        automatic=_terms(row.values.get("Problems", "")),
        images=(),
        captions=(caption,) if caption else (),
        licence=LICENCE,
    )


def read_projections(folder: Path) -> Iterator[tuple[str, str, str, str] | Rejected]:
    """Every row of the table of images as (where, number of its report, file name, projection)."""
    table = find_table(folder, *PROJECTIONS)
    if table is None:
        raise XemplarError(
            "no table of the images", wanted=f"{PROJECTIONS[0]}.csv beside the reports", where=str(folder),
            remedy="put it there, or take the texts alone (--texts-only)",
        )  # fmt: skip
    for row in read_columns_of(table, ("uid", "filename", "projection")):
        where = f"{table.name}, row {row.number}"
        values = row.values
        if row.fault or not values["filename"]:
            yield Rejected(where, row.fault or "an image without its name", where)
        else:
            number = values["uid"]
            yield where, number.lstrip("0") or number, values["filename"], values["projection"]


def _terms(cell: str) -> tuple[str, ...]:
    return tuple(term for part in cell.split(";") if (term := part.strip()))
