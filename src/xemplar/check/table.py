"""A table of reports -> a file of alerts, a line of JSON for each report; what was interrupted goes on.

Knows tables and files; how one report is checked, with its film or without, is handed in. Lines are kept as
they come in a file beside `out`, which takes its name once every report has its line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from xemplar.check.alerts import Checked
from xemplar.contracts import Json
from xemplar.errors import ImageError, XemplarError
from xemplar.folders import file_sha256
from xemplar.records import Study
from xemplar.sources.rows import check_column, is_nothing, read_columns, read_rows

SECTIONS = ("indication", "comparison", "findings", "impression")
Judge = Callable[["str | Study", "Path | None"], Checked]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold the ids, the texts, and the films' files (relative to the table).

    One text is a whole report; several have the names of sections: indication, comparison, findings,
    impression.
    """

    id: str = "id"
    texts: tuple[str, ...] = ("text",)
    image: str | None = None


@dataclass(slots=True)
class Counted:
    """What became of the reports; `before` were checked by the run that this one goes on with."""

    reports: int = 0
    before: int = 0
    alarmed: int = 0
    unread: int = 0
    unseen: int = 0
    """Whose film was asked for, and not judged."""
    alerts: dict[str, int] = field(default_factory=dict)


def check_table(
    table: Path,
    out: Path,
    *,
    columns: Columns,
    judge: Judge,
    by: Mapping[str, str | None],
    on_progress: Callable[[int], None] | None = None,
) -> Counted:
    """Check every row; `by` says with what (an archive's fingerprint), so that two runs aren't mixed.

    `out` gets a line that says what was asked, then for each report its id, alerts, and why its words or its
    film weren't checked. A film that can't be read leaves the words, and its line says so. Raises
    XemplarError for a missing column, an id that is empty or stands twice, and a damaged row.
    """
    _refuse(table, out, columns)
    header = {"checked": table.name, "sha256": file_sha256(table), "columns": asdict(columns), "by": dict(by)}
    header = json.loads(json.dumps(header))
    part = out.with_name(f"{out.name}.part")
    counted = Counted()
    done = _resumed(part, header)
    with part.open("a", encoding="utf-8") as stream:
        if not stream.tell():
            stream.write(_line(header))
        for name, report, image in _reports(table, columns):
            counted.reports += 1
            if name in done:
                told = done[name]
                counted.before += 1
            else:
                told = {"id": name, **told_of(_judged(judge, report, image))}
                stream.write(_line(told))
                stream.flush()
            _count(counted, told, asked=image is not None)
            if on_progress is not None:
                on_progress(counted.reports)
    part.replace(out)
    return counted


def told_of(checked: Checked) -> Json:
    """An answer as JSON."""
    return {
        "alerts": [asdict(one) for one in checked.alerts],
        "unread": checked.unread,
        "unseen": checked.unseen,
        "notes": list(checked.notes),
        "status": checked.status,
    }


def _refuse(table: Path, out: Path, columns: Columns) -> None:
    if table.resolve() == out.resolve():
        raise XemplarError("one file to be read and written", wanted="files of their own", where=str(out))
    if len(columns.texts) > 1 and (foreign := [one for one in columns.texts if one not in SECTIONS]):
        raise XemplarError(
            f"column {foreign[0]!r} beside another", wanted=f"one column, or of {', '.join(SECTIONS)}"
        )
    if not out.parent.is_dir():
        raise XemplarError("no such folder", wanted="a folder to write into", where=str(out.parent))
    known = read_columns(table)
    for column in (columns.id, *columns.texts, *([] if columns.image is None else [columns.image])):
        check_column(table, column, known)


def _reports(table: Path, columns: Columns) -> Iterator[tuple[str, str | Study, Path | None]]:
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
        film = row.values.get(columns.image, "") if columns.image else ""
        image = None if is_nothing(film) else table.parent / film.strip()
        yield name, _report(name, texts), image


def _report(name: str, texts: Mapping[str, str]) -> str | Study:
    if set(texts) <= set(SECTIONS):
        given = {one: text or None for one, text in texts.items()}
        return Study(name, None, "clinical", **given)  # type: ignore[arg-type]
    return next(iter(texts.values()))


def _judged(judge: Judge, report: str | Study, image: Path | None) -> Checked:
    try:
        return judge(report, image)
    except ImageError as error:
        words = judge(report, None)
        return Checked(words.alerts, words.unread, f"the film can't be read: {error.found}", words.notes)


def _resumed(part: Path, header: Json) -> dict[str, Json]:
    """By id, the line that an interrupted run has written; its last, if it is cut short, is taken away."""
    if not part.is_file():
        return {}
    lines = part.read_bytes().split(b"\n")
    whole = lines[:-1]
    if not whole:  # cut short before anything was checked
        part.unlink()
        return {}
    if whole[0] != _line(header).encode().rstrip(b"\n"):
        raise XemplarError(
            "begun with another table, other columns or another archive", where=str(part),
            remedy="remove it, or write elsewhere",
        )  # fmt: skip
    if lines[-1]:
        part.write_bytes(b"\n".join(whole) + b"\n")
    return {told["id"]: told for told in map(json.loads, whole[1:])}


def _count(counted: Counted, told: Json, *, asked: bool) -> None:
    counted.alarmed += bool(told["alerts"])
    counted.unread += told["unread"] is not None
    counted.unseen += asked and told["unseen"] is not None
    for one in told["alerts"]:
        counted.alerts[one["kind"]] = counted.alerts.get(one["kind"], 0) + 1


def _line(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"
