"""The verb that finds images, sentences or reports: for words that are read, for an image, or for both."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xemplar.cli.options import (
    CorpusElsewhere,
    IndexFolder,
    Json,
    ModelElsewhere,
    one_of,
    pairs_of,
    refuse,
)

if TYPE_CHECKING:
    from xemplar.archive import Archive
    from xemplar.archive.searching import Reach
    from xemplar.records import Film, Kind
    from xemplar.retrieval import Answer, Asked, Found, Region

search_app = typer.Typer(rich_markup_mode=None)

Query = Annotated[str | None, typer.Argument(help='What to look for: "left effusion without pneumothorax".')]
KindAsked = Annotated[
    str | None, typer.Option(help="What to find: image, sentence or report (for a --region alone: image).")
]
Facet = Annotated[list[str] | None, typer.Option(help="NAME=VALUE that a study must have.")]
Reading = Annotated[Path | None, typer.Option(help="A reading as JSON, in the place of the query's own.")]


@search_app.command()
def search(
    index: IndexFolder,
    query: Query = None,
    image: Annotated[Path | None, typer.Option(help="An image to look for, or one to be like.")] = None,
    kind: KindAsked = None,
    k: Annotated[int, typer.Option("-k", help="How many.", min=1)] = 10,
    region: Annotated[
        str | None,
        typer.Option(help="Of --image: LEFT,TOP,WIDTH,HEIGHT, shares of the film, as 0.5,0.5,0.4,0.4."),
    ] = None,
    facet: Facet = None,
    reading: Reading = None,
    plain: Annotated[bool, typer.Option("--plain", help="Don't read the query: by likeness alone.")] = False,
    corpus: CorpusElsewhere = None,
    model: ModelElsewhere = None,
    as_json: Json = False,
) -> None:
    """Find images, sentences or reports for words, for an image, or for an image that words filter.

    Words are read: what is to be there, what isn't, facets; --plain or --reading override that. With
    --region, what lies there in the image is compared. Research use only; not for diagnosis.
    """
    from xemplar.archive import open_archive
    from xemplar.retrieval import read_region

    asked = reading_of(query, reading)
    if asked is None and image is None:
        refuse("a search needs either words or --image FILE")
    if region is not None and image is None:
        refuse("a --region without an --image that it is a region of")
    part = None if region is None else read_region(region)
    alone = "report" if region is None or asked is not None else "image"
    chosen = one_of(kind or alone, ("image", "sentence", "report"), "--kind")
    archive = open_archive(index, corpus=corpus, model=model)
    film = None if image is None else archive.load_film(image)
    facets = pairs_of(facet or [], "--facet")
    if asked is None or plain or chosen == "sentence":
        if asked is not None and (film is not None or not isinstance(asked, str)):
            refuse("words with an image, and a --reading, are for reports or images, and not for --plain")
        wanted = Wanted(film if asked is None else str(asked), chosen, k, facets, part)
        _plainly(archive, wanted, as_json=as_json)
        return
    answer = archive.ask(asked, k, kind=chosen, like=film, facets=facets, region=part)
    _tell(archive, answer, film, as_json=as_json)


def reading_of(query: str | None, reading: Path | None) -> str | Asked | None:
    """The words, or a reading from a file: one that was written down, or what `search --json` printed."""
    if reading is None:
        return query
    from xemplar.retrieval import asked_from

    if query is not None:
        refuse("a query and a --reading; wanted one of them")
    try:
        told = json.loads(reading.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        refuse(f"{reading}: no reading in it ({type(error).__name__})")
    read = told.get("reading", told) if isinstance(told, dict) else told
    if not isinstance(read, dict):
        refuse(f"{reading}: no reading in it; wanted what `search --json` prints of a search that is read")
    return asked_from(read)


@dataclass(frozen=True)
class Wanted:
    """A search by likeness alone: for what, or for which region of it; of which kind, how many, of whom."""

    query: str | Film | None
    kind: Kind
    k: int
    facets: dict[str, str]
    region: Region | None


def _plainly(archive: Archive, wanted: Wanted, *, as_json: bool) -> None:
    from xemplar.retrieval import NOTICE
    from xemplar.terminal import say, say_json, show_hits, tell_left_out

    query, region = wanted.query or "", wanted.region
    answer = archive.alike(query, wanted.k, kind=wanted.kind, facets=wanted.facets, region=region)
    left_out = archive.retriever.left_out(query)
    tell_left_out(left_out, archive.retriever.leave_of(query).study_id)
    if as_json:
        shown = None if region is None else asdict(region)
        told = {"reading": None, "region": shown, "excluded": answer.excluded, "left_out": left_out}
        more = {"notes": answer.notes, "searched": asdict(answer.reach)}
        found = [asdict(hit) for hit in answer.hits]
        say_json({"archive": archive.describe(), "status": NOTICE, **told, **more, "hits": found})
        return
    say(NOTICE)
    for note in answer.notes:
        say(f"  {note}")
    if region is not None:
        say(told_of_region(region))
    for why, count in answer.excluded.items():
        say(f"  left out, {why}: {count}")
    show_hits(answer.hits, archive.corpus)
    _close(len(answer.hits), answer.reach)


def _close(hits: int, reach: Reach) -> None:
    from xemplar.terminal import say

    if not hits:
        say("nothing found")
    say(f"searched: {reach}")


def told_of_region(region: Region) -> str:
    """A line that says by what part of the image the answers are near."""
    left, top, width, height = (f"{100 * value:.0f} %" for value in astuple(region))
    size = f"{width} wide and {height} high, {left} from its left, {top} from its top"
    return f"by a region of the image ({region}): {size}"


def _tell(archive: Archive, answer: Answer, film: Film | None, *, as_json: bool) -> None:
    from xemplar.retrieval import NOTICE
    from xemplar.terminal import say_json, tell_left_out

    query = "" if film is None else film
    left_out = archive.retriever.left_out(query)
    tell_left_out(left_out, archive.retriever.leave_of(query).study_id)
    if not as_json:
        _show(archive, answer, alike=film is not None)
        return
    told = asdict(answer)
    hits = [
        {**asdict(one.hit), "probability": one.probability, "why": told_one["why"]}
        for one, told_one in zip(answer.found, told["found"], strict=True)
    ]
    say_json(
        {
            "archive": archive.describe(),
            "status": NOTICE,
            **{name: told[name] for name in _TOLD},
            "left_out": left_out,
            "searched": asdict(archive.reach(answer.studies)),
            "hits": hits,
        }
    )


_TOLD = ("reading", "region", "excluded", "cut_off", "precision", "above", "measured", "notes")


def _show(archive: Archive, answer: Answer, *, alike: bool) -> None:
    from xemplar.retrieval import NOTICE
    from xemplar.terminal import say

    say(NOTICE)
    say(f"[{archive.corpus.title}]")
    say(f"read as: {answer.reading}")
    for note in answer.notes:
        say(f"  {note}")
    if answer.region is not None:
        say(told_of_region(answer.region))
    if answer.above is not None:
        many = f"{answer.above} report{'' if answer.above == 1 else 's'}"
        say(f"{many} of probability {answer.cut_off:.2f} or more; {answer.measured}")
    for why, count in answer.excluded.items():
        say(f"  left out, {why}: {count}")
    below = _first_below(answer)
    for rank, one in enumerate(answer.found, start=1):
        if rank == below:
            say(f"     --- below the cut-off of {answer.cut_off:.2f} ---")
        near = f"alike {one.hit.score:.2f}, " if alike else ""
        chance = near + _chance(archive, one)
        views = archive.corpus.by_id[one.hit.study_ids[0]].views
        path = next((v.path for v in views if v.path and one.hit.view_id in (None, v.view_id)), None) or ""
        say(f"{rank:>3}. {chance}study {one.hit.study_ids[0]}  {path}".rstrip())
        for each in one.why:
            said = f"{each.asked}: {each.says}{'' if each.text is None else f', {each.text!r}'}"
            say(textwrap.indent(textwrap.fill(" ".join(said.split()), 96, subsequent_indent="  "), "       "))
        if not one.why and one.hit.text:
            say(textwrap.indent(textwrap.fill(" ".join(one.hit.text.split()), 96), "       "))
    _close(len(answer.found), archive.reach(answer.studies))


def _first_below(answer: Answer) -> int | None:
    """The rank of the first hit below the cut-off, where there is one and hits above it."""
    if answer.cut_off is None:
        return None
    above = sum(one.probability is not None and one.probability >= answer.cut_off for one in answer.found)
    return above + 1 if 0 < above < len(answer.found) else None


def _chance(archive: Archive, one: Found) -> str:
    """How probably it is relevant; of another domain than the weights' own, by what number it ranks."""
    from xemplar.retrieval import measured

    if one.probability is None:
        return ""
    held = measured()
    fits = held is not None and held.domain == archive.corpus.settings.domain
    return f"{'probably relevant' if fits else 'relevance'} {one.probability:.2f}, "
