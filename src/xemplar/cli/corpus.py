"""The verbs that look at a corpus."""

from __future__ import annotations

import typer

from xemplar.cli.options import CorpusFolder, Json

corpus_app = typer.Typer(help="Look at a corpus folder.", no_args_is_help=True, rich_markup_mode=None)


@corpus_app.command("card")
def corpus_card(corpus: CorpusFolder, as_json: Json = False) -> None:
    """Say what a corpus holds."""
    from xemplar.corpus import Corpus
    from xemplar.terminal import say, say_json

    card = Corpus.open(corpus).card()
    if as_json:
        say_json(card)
        return
    for name, value in card.items():
        shown = (
            ", ".join(f"{key} {count}" for key, count in value.items()) if isinstance(value, dict) else value
        )
        say(f"{name:>16}  {shown}")


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
