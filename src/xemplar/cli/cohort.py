"""The verb that gathers a cohort: every study that answers a query, with evidence, counts and reasons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xemplar.cli.options import IndexFolder, Json, pairs_of, refuse
from xemplar.cli.search import Facet, Query, Reading, reading_of

if TYPE_CHECKING:
    from xemplar.retrieval.cohort import Cohort

cohort_app = typer.Typer(rich_markup_mode=None)


@cohort_app.command()
def cohort(
    index: IndexFolder,
    query: Query = None,
    out: Annotated[Path, typer.Option("--out", help="CSV to write.")] = Path("cohort.csv"),
    facet: Facet = None,
    reading: Reading = None,
    again: Annotated[Path | None, typer.Option(help="A cohort's CSV, to gather the same again.")] = None,
    at_least: Annotated[float | None, typer.Option(help="Probability that each study must reach.")] = None,
    deidentified: Annotated[
        Path | None, typer.Option(help="New folder: cases without ids or text, and previews.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Gather every study whose report states what is asked and neither states nor doubts what is excluded."""
    from xemplar.archive import open_archive
    from xemplar.folders import write_atomic
    from xemplar.retrieval.cohort import gather, gather_again
    from xemplar.terminal import say_json, tell

    asked = reading_of(query, reading)
    if (asked is None) == (again is None):
        refuse("a cohort needs a query (or --reading FILE), or --again FILE")
    if again is not None and (facet or at_least is not None):
        refuse("--again takes all from its file; wanted no --facet and no --at-least beside it")
    archive = open_archive(index)
    if asked is None:
        made = gather_again(archive.finder, again or out)
    else:
        facets = pairs_of(facet or [], "--facet")
        made = gather(archive.finder, asked, facets=facets, at_least=at_least)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, made.text().encode())
    if deidentified is not None:
        from xemplar.retrieval.deidentified import write_deidentified

        count = write_deidentified(made, archive.corpus, deidentified)
        tell(f"{deidentified}: {len(made.rows)} cases, {count} previews; no ids, no report text")
    if as_json:
        say_json({"cohort": str(out), **made.header})
    else:
        _show(made, out)


def _show(made: Cohort, out: Path) -> None:
    from xemplar.retrieval import NOTICE, asked_from
    from xemplar.terminal import say

    say(NOTICE)
    header = made.header
    say(f"read as: {asked_from(header['reading'])}")
    for note in header["notes"]:
        say(f"  {note}")
    say(f"{out}: {header['included']} of {header['reports']} reports, {header['patients']} patients")
    for why, count in header["excluded"].items():
        say(f"  left out, {why}: {count}")
    for name, counts in list(header["findings"].items())[:12]:
        say(f"  {name:<28}{counts['present']:>6} stated{counts['absent']:>7} denied")
