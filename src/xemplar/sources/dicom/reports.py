"""Reports of films that lie in a table, by accession number or by the study's UID.

Knows the table's columns and which rows speak of one study; knows nothing of the films.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from xemplar.errors import XemplarError
from xemplar.records import Rejected
from xemplar.sources.report_texts import FIELDS as SECTIONS
from xemplar.sources.report_texts import ReportTexts, report_texts, with_own
from xemplar.sources.rows import HEADERLESS, check_column, named, read_columns, read_rows

By = Literal["accession", "study_uid"]
KEYS: tuple[By, ...] = ("accession", "study_uid")
FIELDS = (*KEYS, "report", *SECTIONS, "language")


@dataclass(slots=True)
class Reports:
    """The table's reports by key; those that were asked for are taken note of."""

    by: By
    found: dict[str, tuple[ReportTexts, str | None, str]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def take(self, key: str | None) -> tuple[ReportTexts, str | None] | None:
        """The texts and language of a study's report, None where there is none."""
        if key is None or key not in self.found:
            return None
        self.used.add(key)
        return self.found[key][:2]

    def left(self) -> list[Rejected]:
        """The reports that no study took."""
        return [
            Rejected(key, "a report without films", where)
            for key, (_, _, where) in self.found.items()
            if key not in self.used
        ]


def read_reports(table: Path, columns: Mapping[str, str]) -> Reports:
    """A table of reports (CSV, TSV, JSON lines, Parquet), its columns mapped as field -> column.

    A row that repeats another's report is rejected; where two rows of one key differ, none is taken, for
    which of them holds can't be told. Raises XemplarError for what concerns the table as a whole.
    """
    fields, by = _fields(table, columns)
    reports = Reports(by)
    disputed: set[str] = set()
    for row in read_rows(table):
        where = f"{table.name}, row {row.number}"
        value = {name: row.values.get(column, "").strip() for name, column in fields.items()}
        key = value.get(by, "")
        texts = _texts(value) if not row.fault else ReportTexts()
        fault = row.fault or ("" if key else f"a report without its {by}")
        if not fault and not (texts.findings or texts.impression):
            fault = "a row without findings or impression"
        if not fault and key in disputed:
            fault = "two reports of one study that differ: none is taken"
        elif not fault and key in reports.found:
            first = reports.found[key]
            fault = "the same report twice"
            if first[0] != texts:
                fault = "two reports of one study that differ: none is taken"
                disputed.add(key)
                reports.rejected.append(Rejected(key, fault, first[2]))
                del reports.found[key]
        if fault:
            reports.rejected.append(Rejected(key or where, fault, where))
        else:
            reports.found[key] = (texts, value.get("language") or None, where)
    return reports


def _fields(table: Path, columns: Mapping[str, str]) -> tuple[dict[str, str], By]:
    """Field -> column, as mapped or of its own name; and which of the two keys the table has."""
    known = read_columns(table)
    for name, column in columns.items():
        if name not in FIELDS:
            raise XemplarError(
                f"{name!r} is not a field", wanted=f"one of {', '.join(FIELDS)}", where=table.name
            )
        if column:
            check_column(table, column, known)
    fields = {name: columns.get(name, name) for name in FIELDS}
    fields = {name: column for name, column in fields.items() if column in known}
    keys = [key for key in KEYS if key in fields]
    mapped = [key for key in keys if key in columns]
    names = named(known)
    if not keys or len(mapped) == 2:
        raise XemplarError(
            "no column of accession numbers and none of study UIDs" if not keys else "two keys at once",
            wanted="--column accession=COLUMN or --column study_uid=COLUMN", where=table.name,
            remedy=f"columns: {names}" if names else HEADERLESS,
        )  # fmt: skip
    if not {"report", "findings", "impression"} & set(fields):
        raise XemplarError(
            "no column of reports", wanted="report, findings or impression", where=table.name,
            remedy=f"map one (--column report=COLUMN); columns: {names}" if names else HEADERLESS,
        )  # fmt: skip
    return fields, (mapped or keys)[0]


def _texts(value: Mapping[str, str]) -> ReportTexts:
    """The sections' own columns where there are any, else those cut from the whole report."""
    own = {name: value[name] for name in SECTIONS if value.get(name)}
    has_body = "findings" in own or "impression" in own
    return with_own(ReportTexts() if has_body else report_texts(value.get("report", "")), own)
