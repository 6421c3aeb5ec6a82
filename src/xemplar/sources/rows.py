"""Rows of a CSV, TSV, JSON-lines or Parquet file, every value as text.

Knows file formats and encodings only; what a column means is decided elsewhere. A row that is damaged is
handed over with its fault; a file that is raises XemplarError. Errors name rows and bytes, never values.
"""

from __future__ import annotations

import codecs
import csv
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from xemplar.errors import XemplarError

_COMMA, _TAB = ".csv", ".tsv"
_SEPARATED = (_COMMA, _TAB)
_JSON_LINES = (".jsonl", ".ndjson")
_PARQUET = ".parquet"
_QUOTED = re.compile(r'"[^"]*"')
_HEADER_LINES = 100
"""A quote still open by then is a damaged one, and for the reader to tell."""
_SENTENCE = re.compile(r"[.!?;,](?:\s|\Z)")
_FILE = re.compile(r"\.(?:png|jpe?g|webp|dcm|dicom|tiff?|bmp|nii|gz)\Z", re.IGNORECASE)
NOTHING = ("", "nan", "none", "null", "<na>")
"""What programs write into a cell where there is nothing."""
HEADERLESS = "its first row does not look like a header"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number from 1, its values by column, and its fault if it can't be used.

    `odd` are the columns whose value was neither a text nor nothing: a number, a list, true.
    """

    number: int
    values: Mapping[str, str]
    fault: str = ""
    odd: frozenset[str] = frozenset()


class Lines(Protocol):
    """What `csv.reader` gives."""

    @property
    def line_num(self) -> int:
        """Of the line read last, from 1."""
        ...

    def __iter__(self) -> Iterator[list[str]]: ...


def is_nothing(cell: str) -> bool:
    """Whether a cell holds nothing, or the word that some program writes for it."""
    return cell.strip().lower() in NOTHING


def named(columns: Sequence[str]) -> str:
    """The columns, to be told to a user; empty where the first row may be a patient's and no header."""
    return ", ".join(columns) if all(map(_may_be_a_header, columns)) else ""


def names_image(cell: str) -> bool:
    """Whether a cell is plainly the name of an image's file, and no text."""
    name = Path(cell.strip()).name
    return bool(_FILE.search(name)) and not _SENTENCE.search(name) and len(name.split()) <= 4


def path_named(path: Path) -> str:
    """A path that a cell gave, where it is plainly one; a text mapped by mistake is not quoted."""
    return str(path) if names_image(str(path)) else "what is no image's name"


def cells_of(path: Path, reader: Lines, *, remedy: str = "check its quotes") -> Iterator[list[str]]:
    """Cells line by line, blank lines left out; the reader has to be strict, or a quote swallows lines.

    Raises XemplarError for a line that isn't well-formed; what the file itself raises goes through.
    """
    try:
        for cells in reader:
            if cells:
                yield cells
    except csv.Error as error:
        raise XemplarError(
            f"not a well-formed line ({error})", where=f"{path.name}, line {reader.line_num}", remedy=remedy
        ) from error


def _may_be_a_header(cell: str) -> bool:
    """Short, with a letter, and neither a number, a sentence, a file nor a name as DICOM writes it."""
    return not cell or (
        len(cell) <= 40
        and len(cell.split()) <= 4
        and any(letter.isalpha() for letter in cell)
        and re.search(r"\d{3}|\^", cell) is None
        and _SENTENCE.search(cell) is None
        and _FILE.search(cell) is None
    )


def check_column(path: Path, column: str, columns: Sequence[str]) -> None:
    """Refuse a column that the table lacks, naming those there are where they can be named."""
    if column not in columns:
        known = named(columns)
        raise XemplarError(
            f"no column {column!r}", wanted=f"one of {known}" if known else "a column of the table",
            where=path.name, remedy="" if known else HEADERLESS,
        )  # fmt: skip


def read_columns(path: Path) -> tuple[str, ...]:
    """The columns of a table, in order; of JSON lines, every key of every line.

    Raises XemplarError for a missing file, an unknown extension, a repeated column, a bad encoding.
    """
    kind = _kind(path)
    if kind in _SEPARATED:
        columns = _csv_header(path, _delimiter(path, kind))
    elif kind == _PARQUET:
        columns = list(_parquet(path).schema_arrow.names)
    else:
        columns = list(dict.fromkeys(key for _, record in _json_records(path) for key in record))
    if not columns:
        raise XemplarError("the table is empty", wanted="columns and rows", where=path.name)
    repeated = [column for column, times in Counter(columns).items() if times > 1]
    if repeated:
        known = named(columns)
        raise XemplarError(
            f"column {repeated[0]!r} stands twice" if known else "a column stands twice",
            wanted="distinct columns", where=path.name, remedy="" if known else HEADERLESS,
        )  # fmt: skip
    return tuple(columns)


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a table, streamed. Raises XemplarError as `read_columns`, and for a damaged file."""
    kind = _kind(path)
    if kind in _SEPARATED:
        rows = _csv_rows(path, _delimiter(path, kind))
    elif kind == _PARQUET:
        rows = _parquet_rows(path)
    else:
        rows = (_row(number, record) for number, (_, record) in enumerate(_json_records(path), start=1))
    for row in rows:
        damaged = next((column for column, value in row.values.items() if "\0" in value), None)
        if damaged is None:
            yield row
        else:
            place = list(row.values).index(damaged) + 1
            column = f"column {damaged!r}" if named([damaged]) else f"column number {place}"
            yield Row(row.number, {}, f"a NUL byte in {column}")


def _kind(path: Path) -> str:
    if not path.is_file():
        raise XemplarError("no such file", wanted="a table", where=str(path))
    kind = path.suffix.lower()
    if kind not in _SEPARATED and kind not in _JSON_LINES and kind != _PARQUET:
        raise XemplarError(
            f"extension {path.suffix!r}", wanted=".csv, .tsv, .jsonl, .ndjson or .parquet", where=path.name
        )
    return kind


# --- CSV and TSV -----


def _delimiter(path: Path, kind: str) -> str:
    """What stands between cells: by the extension, and by the header where that is `.csv`.

    Excel writes semicolons into a `.csv` where the comma is the decimal sign, so a header that has
    semicolons and no comma is read with them.
    """
    if kind == _TAB:
        return "\t"
    header = _QUOTED.sub("", _header_of(path))
    if "," in header:
        return ","
    if ";" in header:
        return ";"
    if "\t" in header:
        raise XemplarError(
            "tabs between its columns", wanted="commas or semicolons", where=path.name,
            remedy="call the table .tsv",
        )  # fmt: skip
    return ","


def _header_of(path: Path) -> str:
    """The first line that isn't blank, with those that a quoted cell of it goes on to."""
    header = ""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for line in islice(file, _HEADER_LINES):
                header = (header + line).lstrip("\r\n")
                if header and header.count('"') % 2 == 0:
                    break
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    return header


def _csv_header(path: Path, delimiter: str) -> list[str]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        header = next(_csv_lines(path, file, delimiter), None)
    return [column.strip() for column in header or []]


def _csv_rows(path: Path, delimiter: str) -> Iterator[Row]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = _csv_lines(path, file, delimiter)
        columns = [column.strip() for column in next(lines, [])]
        for number, cells in enumerate(lines, start=1):
            if len(cells) == len(columns):
                yield Row(number, dict(zip(columns, cells, strict=True)))
            else:
                yield Row(number, {}, f"{len(cells)} cells where the header has {len(columns)}")


def _csv_lines(path: Path, file: TextIO, delimiter: str) -> Iterator[list[str]]:
    try:
        yield from cells_of(path, csv.reader(file, delimiter=delimiter, strict=True))
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error


def _not_utf8(path: Path) -> XemplarError:
    """The error that names the first byte of a file that is not UTF-8, and its line."""
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _encoding_error(path, 0, line=1, what="UTF-16, not UTF-8")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _encoding_error(path, error.start, line=1 + data.count(b"\n", 0, error.start))
    return _encoding_error(path, 0, line=1)


def _encoding_error(path: Path, position: int, *, line: int, what: str = "not UTF-8") -> XemplarError:
    return XemplarError(
        f"byte {position} (line {line}) is {what}", wanted="UTF-8", where=path.name,
        remedy="save the table as UTF-8",
    )  # fmt: skip


# --- JSON lines -----


def _json_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, object) of every line that isn't blank."""
    position = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError as error:
                utf16 = number == 1 and raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
                what = "UTF-16, not UTF-8" if utf16 else "not UTF-8"
                raise _encoding_error(path, position + error.start, line=number, what=what) from error
            position += len(raw)
            if line:
                yield number, _json_object(path, number, line)


def _json_object(path: Path, number: int, line: str) -> dict[str, Any]:
    where = f"{path.name}, line {number}"

    def distinct(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        keys = Counter(key for key, _ in pairs)
        repeated = next((key for key, times in keys.items() if times > 1), None)
        if repeated is not None:
            column = f"column {repeated!r}" if named([repeated]) else "a column"
            raise XemplarError(f"{column} stands twice", wanted="distinct columns", where=where)
        return dict(pairs)

    try:
        # Numbers stay as they are written: a patient 007 or 1e5 is not to be reckoned with.
        record = json.loads(line, object_pairs_hook=distinct, parse_float=_Number, parse_int=_Number)
    except (json.JSONDecodeError, RecursionError) as error:
        raise XemplarError("not a line of JSON", wanted="one object a line", where=where) from error
    if not isinstance(record, dict):
        raise XemplarError("not a JSON object", wanted="one object a line", where=where)
    return record


# --- Parquet -----


def _parquet(path: Path) -> Any:  # noqa: ANN401 - pyarrow has no types
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise XemplarError("not a readable Parquet file", wanted="Parquet", where=path.name) from error


def _parquet_rows(path: Path) -> Iterator[Row]:
    number = 0
    try:
        for batch in _parquet(path).iter_batches(batch_size=4096):
            for record in batch.to_pylist():
                number += 1
                yield _row(number, record)
    except (pa.ArrowInvalid, OSError) as error:
        raise XemplarError("damaged", wanted="Parquet", where=f"{path.name}, row {number + 1}") from error


class _Number(str):
    """A number as it is written."""


def _row(number: int, record: Mapping[str, object]) -> Row:
    odd = (column for column, value in record.items() if not _is_text(value))
    return Row(number, {column: _as_text(value) for column, value in record.items()}, odd=frozenset(odd))


def _is_text(value: object) -> bool:
    """A text, or nothing; NaN is nothing."""
    if isinstance(value, _Number):
        return False
    return value is None or isinstance(value, str) or (isinstance(value, float) and math.isnan(value))


def _as_text(value: object) -> str:
    """A value as the text a person would have typed into the cell."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
