"""The verbs that make and look at a corpus."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from xemplar.cli.options import CorpusFolder, Json, Out, PreviewSize, SplitSalt, Workers, pairs_of, refuse

ingest_app = typer.Typer(
    help="Bring studies into a corpus folder.", no_args_is_help=True, rich_markup_mode=None
)
corpus_app = typer.Typer(help="Look at a corpus folder.", no_args_is_help=True, rich_markup_mode=None)


@ingest_app.command("table")
def ingest_table(
    table: Annotated[Path, typer.Argument(help="CSV, TSV, JSONL or Parquet.")],
    out: Out,
    column: Annotated[list[str] | None, typer.Option(help="FIELD=COLUMN, as often as needed.")] = None,
    patient_column: Annotated[str | None, typer.Option(help="Column that names the patient.")] = None,
    group_column: Annotated[str | None, typer.Option(help="Column of what must stay in one split.")] = None,
    patients_unknown: Annotated[bool, typer.Option("--patients-unknown", help="No such column.")] = False,
    split_column: Annotated[str | None, typer.Option(help="Column of an official split.")] = None,
    images_root: Annotated[Path | None, typer.Option(help="Where image paths start.")] = None,
    texts: Annotated[str | None, typer.Option(help="reports or captions.")] = None,
    domain: Annotated[str | None, typer.Option(help="clinical or figures.")] = None,
    preview_size: PreviewSize = 384,
    split_salt: SplitSalt = "xemplar",
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Ingest a table of images and texts. Interrupted, the same command goes on."""
    from xemplar.sources import table as source

    settings = _table_settings(
        columns=pairs_of(column or [], "--column"),
        patient_column=patient_column,
        group_column=group_column,
        patients_unknown=patients_unknown,
        split_column=split_column,
        images_root=images_root,
        texts=texts,
        domain=domain,
    )
    read = source.describe(table, settings)
    arrivals = source.studies(table, settings)
    said = {"domain": read["domain"], "texts": read["texts"], "source": "table"}
    _ingest(
        arrivals,
        out,
        {**said, "preview": {"size": preview_size}, "split_salt": split_salt},
        workers,
        read["rows"],
        as_json,
    )


@ingest_app.command("phantom")
def ingest_phantom(
    out: Out,
    studies: Annotated[int, typer.Option(help="How many studies to draw.", min=1)] = 1000,
    seed: Annotated[int, typer.Option(help="Another seed, another archive.", min=0)] = 0,
    preview_size: PreviewSize = 384,
    split_salt: SplitSalt = "xemplar",
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Ingest chest radiographs drawn by the program itself, the truth known. Never clinical."""
    from xemplar.sources import phantom

    said = {"domain": "synthetic", "texts": "reports", "source": f"{phantom.VERSION} seed {seed}"}
    settings = {**said, "preview": {"size": preview_size}, "split_salt": split_salt}
    _ingest(
        phantom.studies(studies, seed=seed), out, settings, workers, studies, as_json, key_salt=b"phantom"
    )


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
    """Compare every file of a corpus with its manifest."""
    from xemplar.corpus import Corpus
    from xemplar.terminal import say

    wrong = Corpus.open(corpus).check()
    for line in wrong:
        say(line)
    if wrong:
        raise typer.Exit(1)
    say(f"{corpus}: every file is as listed")


def _ingest(
    arrivals: Any,  # noqa: ANN401  an iterator of records that are not imported up here
    out: Path,
    said: dict[str, Any],
    workers: int,
    total: int,
    as_json: bool,
    key_salt: bytes | None = None,
) -> None:
    from pydantic import ValidationError

    from xemplar.corpus import Corpus, IngestSettings, ingest
    from xemplar.terminal import progress, say, say_json, tell

    try:
        settings = IngestSettings.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        refuse(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")
    with progress("ingesting", total) as advance:
        done = ingest(
            arrivals, out, settings, workers=workers or os.cpu_count() or 1, key_salt=key_salt,
            on_progress=lambda count: advance(count, None, ""),
        )  # fmt: skip
        advance(total, None, "")
    for reason, count in done.rejected.most_common():
        tell(f"rejected {count}: {reason}")
    if done.first_rejected is not None:
        one = done.first_rejected
        tell(f"  first: {one.where or one.key}: {one.reason}; all in {out / 'rejected.jsonl'}")
    card = Corpus.open(out).card()
    result = {
        "added": done.added,
        "already_there": done.already_there,
        "rejected_now": sum(done.rejected.values()),
        **card,
    }
    if as_json:
        say_json(result)
    else:
        say(f"{out}: {card['title']}; {done.added} added, {done.already_there} already there")
        splits = ", ".join(f"{name} {count}" for name, count in card["splits"].items())
        say(f"splits by {', '.join(card['split_units'])}: {splits}")


def _table_settings(**values: Any) -> Any:  # noqa: ANN401  settings of a module that is not imported up here
    from pydantic import ValidationError

    from xemplar.sources.table import TableSettings

    try:
        return TableSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        refuse(f"--{'-'.join(str(part) for part in first['loc']).replace('_', '-')}: {first['msg']}")
