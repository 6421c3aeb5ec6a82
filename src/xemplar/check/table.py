"""A table of reports as a batch: which columns hold ids, texts, and the files of films.

Knows tables; how a report is checked is handed in, and what becomes of the answers `batch.py` knows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from xemplar.check.batch import Batch, Counted, Judge, Report, check_batch
from xemplar.errors import XemplarError
from xemplar.folders import file_sha256
from xemplar.records import Study
from xemplar.sources.rows import check_column, is_nothing, read_columns, read_rows

SECTIONS = ("indication", "comparison", "findings", "impression")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold the ids, the texts, and the films' files (relative to the table).

    One text is a whole report; several have the names of sections: indication, comparison, findings,
    impression. The films of several columns, and of a cell that names several (with ";" between them, or as
    a list of JSON), are the views of one study.
    """

    id: str = "id"
    texts: tuple[str, ...] = ("text",)
    images: tuple[str, ...] = ()


def check_table(
    table: Path,
    out: Path,
    *,
    columns: Columns,
    judge: Judge,
    by: Mapping[str, str | None],
    on_progress: Callable[[int, int], None] | None = None,
) -> Counted:
    """Check every row, as `batch.check_batch` says.

    Raises XemplarError for a missing column, an id that is empty or stands twice, and a damaged row too.
    """
    if table.resolve() == out.resolve():
        raise XemplarError("one file to be read and written", wanted="files of their own", where=str(out))
    if len(columns.texts) > 1 and (foreign := [one for one in columns.texts if one not in SECTIONS]):
        raise XemplarError(
            f"column {foreign[0]!r} beside another", wanted=f"one column, or of {', '.join(SECTIONS)}"
        )
    known = read_columns(table)
    for column in (columns.id, *columns.texts, *columns.images):
        check_column(table, column, known)
    told = {"checked": table.name, "sha256": file_sha256(table), "columns": asdict(columns)}
    batch = Batch(told, (table,), lambda: _reports(table, columns))
    return check_batch(batch, out, judge=judge, by=by, on_progress=on_progress)


def _reports(table: Path, columns: Columns) -> Iterator[tuple[str, Report, tuple[Path, ...]]]:
    seen: set[str] = set()
    for row in read_rows(table):
        where = f"{table.name}, row {row.number}"
        name = row.values.get(columns.id, "").strip()
        if row.fault:
            raise XemplarError(row.fault, where=where, remedy="mend the table")
        if is_nothing(name) or name in seen:
            raise XemplarError(f"an id in {columns.id!r} that is empty or stands twice", where=where)
        seen.add(name)
        texts = {one: row.values.get(one, "") for one in columns.texts}
        texts = {one: "" if is_nothing(text) else text for one, text in texts.items()}
        films = [film for one in columns.images for film in _films(table.parent, row.values.get(one, ""))]
        yield name, _report(name, texts), tuple(films)


def _films(folder: Path, cell: str) -> list[Path]:
    """The files that a cell names; a name with a ";" in it is one where there is such a file."""
    cell = cell.strip()
    if cell.startswith("[") and cell.endswith("]"):
        try:
            listed = json.loads(cell)
        except ValueError:
            listed = [cell]
        names = [one for one in listed if isinstance(one, str)]
    else:
        names = [cell] if ";" not in cell or (folder / cell).is_file() else cell.split(";")
    return [folder / name.strip() for name in names if not is_nothing(name)]


def _report(name: str, texts: Mapping[str, str]) -> Report:
    if set(texts) <= set(SECTIONS):
        given = {one: text or None for one, text in texts.items()}
        return Study(name, None, "clinical", **given)  # type: ignore[arg-type]
    return next(iter(texts.values()))
