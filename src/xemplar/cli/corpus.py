"""The verbs that look at a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xemplar.cli.options import CorpusFolder, Json

corpus_app = typer.Typer(help="Look at a corpus folder.", no_args_is_help=True, rich_markup_mode=None)


@corpus_app.command("card")
def corpus_card(
    corpus: CorpusFolder,
    out: Annotated[Path | None, typer.Option(help="Also draw it: a .png or .html file.")] = None,
    films: Annotated[bool, typer.Option("--films", help="Draw films of a clinical corpus, too.")] = False,
    as_json: Json = False,
) -> None:
    """Say, and draw, what a corpus holds."""
    from xemplar.corpus import Corpus
    from xemplar.corpus.picture import write_card
    from xemplar.terminal import say_json

    opened = Corpus.open(corpus)
    card = opened.card(near_duplicates=True)
    if out is not None:
        write_card(opened, card, out, films=films)
    if as_json:
        say_json(card)
    else:
        _show_card(card)


def _show_card(card: dict[str, Any]) -> None:
    """A card as text: a headed table of counts, then findings."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False, width=100)
    console.print(f"[bold]{escape(card['title'])}[/bold]  source {escape(card['source'])}")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in _rows(card):
        table.add_row(f"[dim]{name}[/dim]", escape(value))
    console.print(table)
    if card["findings"]:
        found = Table("finding", "present", "absent", "uncertain", box=None, padding=(0, 2, 0, 0))
        for name, counts in card["findings"].items():
            found.add_row(name, *(str(counts[presence]) for presence in ("present", "absent", "uncertain")))
        console.print(found)


def _rows(card: dict[str, Any]) -> list[tuple[str, str]]:
    words, copies = card["words_per_report"], card["near_duplicates"]
    length = f"{words['median']:.0f}, from {words['least']} to {words['most']}" if words else "none"
    across = sum(copies["studies_across_splits"].values())
    patients = {split: f", {count} patients" if count is not None else ""
                for split, count in card["patients_by_split"].items()}  # fmt: skip
    rows = [
        ("complete", "yes" if card["complete"] else "no: the same `xemplar ingest` goes on"),
        ("fingerprint", f"{card['fingerprint']}, generation {card['generation']}"),
        ("lexicon", card["lexicon"][:12]),
        ("splits", "; ".join(f"{split} {n}{patients.get(split, '')}" for split, n in card["splits"].items())),
        ("kept together by", _counts(card["split_units"])),
        ("views", f"{card['views']}: {_counts(card['positions'])}"),
        ("sentences", f"{card['sentences']} distinct, written {card['sentences_written']} times"),
        ("words a text", length),
        ("without", f"{card['without_text']} studies without text, {card['without_views']} without views"),
        ("near-duplicates", f"{copies['views']} views in {copies['groups']} groups; {across} studies "
                            "show a film of another split"),
        ("rejected", f"{card['rejected']}: {_counts(card['rejected_by_reason'])}".removesuffix(": ")),
        ("cut from reports", _cut(card)),
    ]  # fmt: skip
    kinds = ("languages", "sexes", "ages", "years", "sites", "licences")
    return [*rows, *((name, _counts(card[name])) for name in kinds if card[name])]


def _cut(card: dict[str, Any]) -> str:
    lines, studies, unknown = (card["cut"][name] for name in ("lines", "studies", "studies_not_counted"))
    said = (
        f"{sum(lines.values())} lines in {studies} of {card['studies'] - unknown} studies: {_counts(lines)}"
    )
    return said.removesuffix(": ") + (f"; not counted in {unknown} older studies" if unknown else "")


def _counts(counts: dict[str, int]) -> str:
    some = [f"{name} {count}" for name, count in list(counts.items())[:12]]
    return ", ".join(some) + (f" and {len(counts) - 12} more" if len(counts) > 12 else "")


@corpus_app.command("check")
def corpus_check(corpus: CorpusFolder) -> None:
    """Look for damage, leaks between splits and whatever else is wrong; a line for each, and exit 1."""
    from xemplar.corpus import check_corpus
    from xemplar.terminal import say, tell

    found = check_corpus(corpus)
    for line in found.wrong:
        say(line)
    for line in found.notes:
        tell(f"note: {line}")
    say(f"{corpus}: {found.summary}")
    if found.wrong:
        raise typer.Exit(1)
