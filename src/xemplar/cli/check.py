"""The verb of the second reader: what of a report should be looked at again, by its words and by its film."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xemplar.cli.options import Calibration, Json, refuse

if TYPE_CHECKING:
    from xemplar.archive import Archive
    from xemplar.check import Checked
    from xemplar.check.table import Counted

check_app = typer.Typer(rich_markup_mode=None)


@check_app.command()
def check(
    report: Annotated[Path | None, typer.Argument(help="A report, as a text file.")] = None,
    image: Annotated[
        list[str] | None,
        typer.Option(help="Its film; again for more views. Of a table: the column of files."),
    ] = None,
    index: Annotated[Path | None, typer.Option(help="An index folder: wanted for films.")] = None,
    calibration: Calibration = None,
    table: Annotated[Path | None, typer.Option(help="CSV, TSV, JSONL or Parquet of reports.")] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="Column of reports, or of sections by their names.")
    ] = None,
    key: Annotated[str, typer.Option("--id", help="Column of the ids.")] = "id",
    out: Annotated[Path | None, typer.Option("--out", help="JSONL of alerts to write.")] = None,
    as_json: Json = False,
) -> None:
    """Check a report, or a table of them: conflicts in its words, and what its film speaks against.

    Research use only; not for diagnosis. Silence is no sign that a report is right.
    """
    if (report is None) == (table is None):
        refuse("a check needs a report, or --table FILE")
    if index is None and (image or calibration):
        refuse("a film without an archive to judge it by; wanted --index FOLDER beside it")
    if table is not None and out is None:
        refuse("a table needs --out FILE")
    if table is not None and len(image or []) > 1:
        refuse("a table takes one column of films; wanted --image once")
    if report is not None and (out or text):
        refuse("--out and --text are for a table")
    archive = None
    if index is not None:
        from xemplar.archive import open_archive

        archive = open_archive(index, calibration=calibration)
    if report is not None:
        _one(report, [Path(one) for one in image or []], archive, as_json=as_json)
    elif table is not None and out is not None:
        columns = (key, tuple(text or ["text"]), image[0] if image else None)
        _many(table, out, archive, columns=columns, as_json=as_json)


def _one(path: Path, images: list[Path], archive: Archive | None, *, as_json: bool) -> None:
    from xemplar.check import check_text
    from xemplar.check.table import told_of
    from xemplar.terminal import say_json

    report = _read(path)
    if archive is None:
        checked = check_text(report)
    else:
        checked = archive.check([archive.load_film(one) for one in images] or None, report)
    if as_json:
        say_json({"report": str(path), **told_of(checked)})
    else:
        _show(checked)


def _read(path: Path) -> str:
    """A report's text with its line ends as they are: alerts are told by offsets into it."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        refuse(f"{path}: not UTF-8; wanted a report as plain text")
    except OSError as error:
        refuse(f"{path}: {error.strerror}; wanted a report as plain text")


def _many(
    table: Path,
    out: Path,
    archive: Archive | None,
    *,
    columns: tuple[str, tuple[str, ...], str | None],
    as_json: bool,
) -> None:
    from dataclasses import asdict

    from xemplar.check import NOTICE, check_text
    from xemplar.check.table import Columns, check_table
    from xemplar.findings import lexicon_version
    from xemplar.records import Study
    from xemplar.terminal import say_json, stages

    def judge(report: str | Study, image: Path | None) -> Checked:
        if archive is None:
            return check_text(report)
        return archive.check(None if image is None else archive.load_film(image), report)

    by = {"archive": None if archive is None else archive.fingerprint, "lexicon": lexicon_version()}
    with stages() as named:  # whose bar begins with the first report: a mistake has none
        advance = named("checking")
        counted = check_table(
            table,
            out,
            columns=Columns(*columns),
            judge=judge,
            by=by,
            on_progress=lambda done: advance(done, None, ""),
        )
    if as_json:
        say_json({"alerts_in": str(out), **asdict(counted), "status": NOTICE})
    else:
        _tell(counted, out)


def _tell(counted: Counted, out: Path) -> None:
    from xemplar.check import NOTICE
    from xemplar.terminal import say

    say(NOTICE)
    say(f"{out}: {counted.reports} reports, {counted.alarmed} with something to look at again")
    for count, what in (
        (counted.before, "checked before, by the run this one goes on with"),
        (counted.unread, "whose words could not be checked"),
        (counted.unseen, "without a film that could be judged"),
    ):
        if count:
            say(f"  {count} {what}")
    for kind, count in sorted(counted.alerts.items(), key=lambda one: -one[1]):
        say(f"  {count:>6}  {kind}")


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
