"""Rows of a table by an id that has to tell them apart.

Knows tables, and that a text is a text or nothing; what a column is for is decided elsewhere. Errors name
rows and columns, never ids or texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from xemplar.errors import XemplarError
from xemplar.sources.rows import Row, check_column, is_nothing, read_columns, read_rows


def keyed_rows(
    path: Path, key: str, texts: Sequence[str], *, others: Sequence[str] = ()
) -> Iterator[tuple[str, dict[str, str]]]:
    """Ids, each once, with the row's values by column; "" where there is nothing.

    Values under `texts` have to be texts, those under `others` need not. The columns are checked at once,
    the rows as they are read. Raises XemplarError for a missing column, an id that is empty or stands
    twice, a damaged row, and a table without rows.
    """
    known = read_columns(path)
    for column in (key, *texts, *others):
        check_column(path, column, known)
    return _rows(path, key, texts, others=others)


def _rows(
    path: Path, key: str, texts: Sequence[str], *, others: Sequence[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    seen: dict[str, int] = {}
    for row in read_rows(path):
        where = f"{path.name}, row {row.number}"
        name = _name(row, key, where)
        if name in seen:
            raise XemplarError(f"{key!r} of row {seen[name]} again", wanted="an id once", where=where)
        if odd := [column for column in texts if column in row.odd]:
            raise XemplarError(f"{odd[0]!r} that is no text", wanted="a text, or nothing", where=where)
        seen[name] = row.number
        values = {column: row.values.get(column, "") for column in (*texts, *others)}
        yield name, {column: "" if is_nothing(value) else value for column, value in values.items()}
    if not seen:
        raise XemplarError("the table has no rows", wanted="a row at least", where=path.name)


def _name(row: Row, key: str, where: str) -> str:
    if row.fault:
        raise XemplarError(row.fault, where=where, remedy="mend the table")
    name = row.values.get(key, "").strip()
    if is_nothing(name):
        raise XemplarError(f"an empty {key!r}", wanted="an id in every row", where=where)
    return name
