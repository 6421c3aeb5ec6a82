"""Columns that are known by name, from a CSV file that may be gzipped.

Knows how published tables are packed; what a column means is decided elsewhere. A row that doesn't fit
the header is handed over with its fault; a file that can't be read raises XemplarError, never with a value.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from xemplar.errors import XemplarError
from xemplar.sources.rows import HEADERLESS, Row, cells_of, named


def find_table(folder: Path, *names: str) -> Path | None:
    """The first of the tables `NAME.csv` or `NAME.csv.gz` that a folder holds."""
    tables = (folder / f"{name}{ending}" for name in names for ending in (".csv", ".csv.gz"))
    return next((table for table in tables if table.is_file()), None)


def read_columns_of(path: Path, wanted: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """Rows with the wanted columns, and the optional ones that are there; other columns are passed over.

    Raises XemplarError for a wanted column that is missing, and for a file that is no CSV, no gzip or cut
    short (which shows when it is reached).
    """
    with _opened(path) as file:
        lines = _lines(path, file)
        header = [column.strip() for column in next(lines, [])]
        missing = [column for column in wanted if column not in header]
        if missing:
            known = named(header)
            raise XemplarError(
                f"no column {missing[0]!r}", where=path.name,
                wanted=f"the columns {', '.join(wanted)}",
                remedy=(f"it has {known}" if known else HEADERLESS) if header else "the file is empty",
            )  # fmt: skip
        places = [(column, header.index(column)) for column in (*wanted, *optional) if column in header]
        for number, cells in enumerate(lines, start=1):
            if len(cells) != len(header):
                yield Row(number, {}, f"{len(cells)} cells where the header has {len(header)}")
            else:
                yield Row(number, {column: cells[place].strip() for column, place in places})


def _opened(path: Path) -> TextIO:
    try:
        if path.suffix == ".gz":
            return io.TextIOWrapper(gzip.open(path), encoding="utf-8-sig", newline="")
        return path.open(newline="", encoding="utf-8-sig")
    except FileNotFoundError:
        raise XemplarError("no such file", wanted="a table", where=str(path)) from None


def _lines(path: Path, file: TextIO) -> Iterator[list[str]]:
    reader = csv.reader(file, strict=True)
    try:
        yield from cells_of(path, reader, remedy="check its quotes, or download it again")
    except UnicodeDecodeError as error:
        raise XemplarError(
            f"not UTF-8 after line {reader.line_num}", wanted="UTF-8", where=path.name,
            remedy="download it again",
        ) from error  # fmt: skip
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise XemplarError(
            f"gzip that is damaged or cut short, after line {reader.line_num}", where=path.name,
            remedy="download it again",
        ) from error  # fmt: skip
