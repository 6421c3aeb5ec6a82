"""The verb that gathers a cohort: every study that answers a query, with evidence, counts and reasons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xemplar.cli.options import CorpusElsewhere, IndexFolder, Json, ModelElsewhere, pairs_of, refuse
from xemplar.cli.search import Facet, Query, Reading, reading_of

if TYPE_CHECKING:
    from xemplar.retrieval import Asked
    from xemplar.retrieval.cohort import Cohort

cohort_app = typer.Typer(rich_markup_mode=None)


@cohort_app.command()
def cohort(
    index: IndexFolder,
    query: Query = None,
    out: Annotated[Path, typer.Option("--out", help="CSV to write.")] = Path("cohort.csv"),
    facet: Facet = None,
    reading: Reading = None,
    corpus: CorpusElsewhere = None,
    model: ModelElsewhere = None,
    again: Annotated[Path | None, typer.Option(help="A cohort's CSV, to gather the same again.")] = None,
    at_least: Annotated[float | None, typer.Option(help="Probability that each study must reach.")] = None,
    deidentified: Annotated[
        Path | None, typer.Option(help="New folder: cases without ids or text, and previews.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Gather every study whose report states what is asked and neither states nor doubts what is excluded."""
    from xemplar.archive import open_archive
    from xemplar.retrieval.cohort import gather, gather_again
    from xemplar.retrieval.cohort_file import check_free, is_changed, write_cohort
    from xemplar.terminal import say_json, tell

    asked = reading_of(query, reading)
    _refuse(asked, again, narrowed=bool(facet) or at_least is not None)
    check_free(out, again=again, handed_on=deidentified)
    archive = open_archive(index, corpus=corpus, model=model)
    if again is not None:
        made = gather_again(archive.finder, again)
        if is_changed(again, made):
            tell(f"{again}: its rows were changed since they were gathered; here are those it was made with")
    else:
        assert asked is not None
        facets = pairs_of(facet or [], "--facet")
        made = gather(archive.finder, asked, facets=facets, at_least=at_least)
    write_cohort(made, out, again=again)
    if deidentified is not None:
        from xemplar.retrieval.deidentified import write_deidentified

        count = write_deidentified(made, archive.corpus, deidentified)
        tell(f"{deidentified}: {len(made.rows)} cases, {count} previews; no ids, no report text")
    if as_json:
        say_json({"cohort": str(out), **made.header})
    else:
        _show(made, out)


def _refuse(asked: str | Asked | None, again: Path | None, *, narrowed: bool) -> None:
    if asked is None and again is None:
        refuse("a cohort of nothing; wanted a query (or --reading FILE), or --again FILE")
    if asked is not None and again is not None:
        refuse("a query (or --reading) and --again were both given; wanted one: --again takes its file's own")
    if again is not None and narrowed:
        refuse("--again takes all from its file; wanted no --facet and no --at-least beside it")


def _show(made: Cohort, out: Path) -> None:
    from xemplar.retrieval import NOTICE, asked_from
    from xemplar.terminal import say

    say(NOTICE)
    header = made.header
    say(f"read as: {asked_from(header['reading'])}")
    for note in header["notes"]:
        if note not in header["reading"]["notes"]:  # which are told with the reading
            say(f"  {note}")
    parts = "all parts" if len(header["parts"]) == 3 else ", ".join(header["parts"])
    among = f"{header['reports']:,} reports ({parts}) of {header['studies']:,} studies"
    say(f"{out}: {header['included']:,} of {among}, {header['patients']:,} patients")
    for why, count in header["excluded"].items():
        say(f"  left out, {why}: {count}")
    for name, counts in list(header["findings"].items())[:12]:
        say(f"  {name:<28}{counts['present']:>6} stated{counts['absent']:>7} denied")
