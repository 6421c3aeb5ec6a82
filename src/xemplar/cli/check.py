"""The verb of the second reader: what of a report should be looked at again, by its words and by its film."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xemplar.cli.options import Calibration, CorpusElsewhere, Json, ModelElsewhere, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from xemplar.archive import Archive
    from xemplar.check import Checked
    from xemplar.check.batch import Counted, Judge

check_app = typer.Typer(rich_markup_mode=None)

_REPORT = ".txt"

Image = Annotated[
    list[str] | None,
    typer.Option(
        help="Its film; again for more views. Of a table: a column of files. "
        "Of a folder: the folder of films, called as the reports are."
    ),
]
Text = Annotated[list[str] | None, typer.Option(help="Column of reports, or of sections by their names.")]


@check_app.command()
def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="A report as a text file, its films beside it; or a folder of .txt reports."),
    ] = None,
    image: Image = None,
    index: Annotated[Path | None, typer.Option(help="An index folder: wanted for films.")] = None,
    corpus: CorpusElsewhere = None,
    model: ModelElsewhere = None,
    calibration: Calibration = None,
    table: Annotated[Path | None, typer.Option(help="CSV, TSV, JSONL or Parquet of reports.")] = None,
    text: Text = None,
    key: Annotated[str, typer.Option("--id", help="Column of the ids.")] = "id",
    out: Annotated[Path | None, typer.Option("--out", help="JSONL of alerts to write.")] = None,
    as_json: Json = False,
) -> None:
    """Check a report, or many: conflicts in its words, and what its film speaks against.

    Research use only; not for diagnosis. Silence is no sign that a report is right.
    """
    images, folder = image or [], files[0] if files and files[0].is_dir() else None
    _refuse(files or [], table, folder=folder, images=len(images), text=bool(text))
    if files and folder is None and (out or text):
        refuse("--out and --text are for many reports")
    report, films = (None, []) if table or folder else _told_apart(files or [])
    if index is None and (images or films or corpus or model or calibration):
        refuse("a film without an archive to judge it by; wanted --index FOLDER beside it")
    if report is None and out is None:
        refuse("a table or a folder needs --out FILE")
    archive = None
    if index is not None:
        from xemplar.archive import open_archive

        archive = open_archive(index, corpus=corpus, model=model, calibration=calibration)
    if report is not None:
        _one(report, [*films, *map(Path, images)], archive, as_json=as_json)
    elif table is not None and out is not None:
        _many(_table(table, (key, text, images)), out, archive, as_json=as_json)
    elif folder is not None and out is not None:
        _many(_folder(folder, images), out, archive, as_json=as_json)


def _refuse(files: list[Path], table: Path | None, *, folder: Path | None, images: int, text: bool) -> None:
    if not files and table is None:
        refuse("a check needs a report, a folder of them, or --table FILE; wanted one of the three")
    if files and table is not None:
        refuse(f"{files[0]} and --table {table} were both given; wanted one of them, the other in its turn")
    if folder is not None and (len(files) > 1 or images > 1 or text):
        refuse("a folder of reports takes nothing beside it but one --image FOLDER")


def _told_apart(files: list[Path]) -> tuple[Path, list[Path]]:
    """The report among files, in whatever order, and its films."""
    reports = files if len(files) == 1 else [one for one in files if one.suffix.lower() == _REPORT]
    if len(reports) != 1:
        refuse(f"{len(reports)} reports ({_REPORT}) among {len(files)} files; wanted one and its films")
    return reports[0], [one for one in files if one is not reports[0]]


def _one(path: Path, images: list[Path], archive: Archive | None, *, as_json: bool) -> None:
    from xemplar.check import check_text
    from xemplar.check.batch import told_of
    from xemplar.check.folder import text_of
    from xemplar.terminal import say_json

    report = text_of(path)
    if archive is None:
        checked = check_text(report)
    else:
        checked = archive.check([archive.load_film(one) for one in images] or None, report)
    if as_json:
        say_json({"report": str(path), **told_of(checked)})
    else:
        _show(checked)


def _table(table: Path, asked: tuple[str, list[str] | None, list[str]]) -> Callable[..., Counted]:
    from functools import partial

    from xemplar.check.table import Columns, check_table

    key, texts, images = asked
    columns = Columns(key, tuple(texts or ["text"]), tuple(images))
    return partial(check_table, table, columns=columns)


def _folder(folder: Path, images: list[str]) -> Callable[..., Counted]:
    from functools import partial

    from xemplar.check.folder import check_folder

    return partial(check_folder, folder, films=Path(images[0]) if images else None)


def _many(batch: Callable[..., Counted], out: Path, archive: Archive | None, *, as_json: bool) -> None:
    from dataclasses import asdict

    from xemplar.check import NOTICE
    from xemplar.folders import fingerprint
    from xemplar.terminal import say_json, stages

    limits = None if archive is None else archive.check_limits
    by = {
        "archive": None if archive is None else archive.fingerprint,
        "limits": None if limits is None else fingerprint(limits.model_dump(mode="json")),
    }
    with stages() as named:  # whose bar begins once all can be checked: a mistake has none
        advance = named("checking")
        counted = batch(
            out=out,
            judge=_judge(archive),
            by=by,
            on_progress=lambda done, whole: advance(done, whole, ""),
        )
    fitted = limits is not None and limits.why is None
    beyond = counted.beyond(limits.budget, limits.reports) if limits is not None and fitted else None
    if as_json:
        told = {**asdict(counted), "beyond": beyond, "warning": counted.blind}
        say_json({"alerts_in": str(out), **told, "status": NOTICE})
        return
    _tell(counted, out)
    if beyond is not None:
        from xemplar.terminal import say

        say(beyond)


def _judge(archive: Archive | None) -> Judge:
    from xemplar.check import check_text
    from xemplar.records import Study

    def judge(report: str | Study, films: tuple[Path, ...]) -> Checked:
        if archive is None:
            return check_text(report)
        return archive.check([archive.load_film(one) for one in films] or None, report)

    return judge


def _tell(counted: Counted, out: Path) -> None:
    from xemplar.check import NOTICE
    from xemplar.terminal import say

    say(NOTICE)
    say(f"{out}: {counted.reports:,} reports, {counted.alarmed:,} with something to look at again")
    for count, what in (
        (counted.before, "checked before, by the run this one goes on with"),
        (counted.unread, "whose words could not be checked"),
        (counted.unseen, f"without a film that could be judged{_why(counted)}"),
        (counted.spare, "films beside them that no report is called as"),
    ):
        if count:
            say(f"  {count:,} {what}")
    for kind, count in sorted(counted.alerts.items(), key=lambda one: -one[1]):
        say(f"  {count:>6,}  {kind}")
    if counted.blind is not None:
        say(counted.blind)


def _why(counted: Counted) -> str:
    """The commonest reasons why films were not judged, and how many reports have another."""
    told = [f"{why} ({count:,})" for why, count in counted.commonest]
    others = counted.unseen - sum(count for _, count in counted.commonest)
    return ": " + "; ".join([*told, *([f"other reasons ({others:,})"] if others else [])])


def _show(checked: Checked) -> None:
    import textwrap

    from xemplar.terminal import say

    say(checked.status)
    for number, one in enumerate(checked.alerts, start=1):
        chance = "" if one.probability is None else f" ({one.probability:.2f})"
        say(f"{number:>3}. {one.kind}{chance}: {one.message}")
        quoted = [f"{q.section}, {q.start}-{q.end}: {' '.join(q.sentence.split())!r}" for q in one.quotes]
        sources = [f"study {each.study_id}: {each.sentence!r}" for each in one.sources]
        for line in (*quoted, *sources):
            say(textwrap.indent(textwrap.fill(line, 96, subsequent_indent="  "), "       "))
    if not checked.alerts and checked.unread is None:
        say("nothing to tell; that is no sign that the report is right")
    if checked.unread is not None:
        say(f"the words were not checked: {checked.unread}")
    if checked.unseen is not None:
        alone = ", and the words alone were checked" if checked.unread is None else ""
        say(f"the film is not used{alone}: {checked.unseen}")
    for note in checked.notes:
        say(note)
