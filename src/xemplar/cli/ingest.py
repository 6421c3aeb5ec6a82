"""The verbs that make a corpus, one a source."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xemplar.cli.options import Json, Out, PreviewSize, SplitSalt, Workers, pairs_of, refuse

if TYPE_CHECKING:
    from xemplar.corpus import IngestSummary

ingest_app = typer.Typer(
    help="Bring studies into a corpus folder.", no_args_is_help=True, rich_markup_mode=None
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What every ingest is asked for, whatever its source."""

    out: Path
    preview_size: int
    split_salt: str
    workers: int
    as_json: bool


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
    asked = _Asked(
        out=out, preview_size=preview_size, split_salt=split_salt, workers=workers, as_json=as_json
    )
    _ingest(arrivals, asked, said=said, total=read["rows"])


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
    asked = _Asked(
        out=out, preview_size=preview_size, split_salt=split_salt, workers=workers, as_json=as_json
    )
    _ingest(phantom.studies(studies, seed=seed), asked, said=said, total=studies, key_salt=b"phantom")


def _ingest(
    arrivals: Any,  # noqa: ANN401  an iterator of records that are not imported up here
    asked: _Asked,
    *,
    said: dict[str, Any],
    total: int,
    key_salt: bytes | None = None,
) -> None:
    """Ingest, and say what became of it; `said` is what the source says of itself, `total` its length."""
    from pydantic import ValidationError

    from xemplar.corpus import IngestSettings, ingest
    from xemplar.terminal import progress

    preview = {"size": asked.preview_size}
    try:
        settings = IngestSettings.model_validate({**said, "preview": preview, "split_salt": asked.split_salt})
    except ValidationError as error:
        first = error.errors()[0]
        refuse(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")
    with progress("ingesting", total) as advance:
        done = ingest(
            arrivals, asked.out, settings, workers=asked.workers or os.cpu_count() or 1, key_salt=key_salt,
            on_progress=lambda count: advance(count, None, ""),
        )  # fmt: skip
        advance(total, None, "")
    _report(done, asked)


def _report(done: IngestSummary, asked: _Asked) -> None:
    """What was rejected, on stderr; what is in the corpus now, on stdout."""
    from xemplar.corpus import Corpus
    from xemplar.terminal import say, say_json, tell

    for reason, count in done.rejected.most_common():
        tell(f"rejected {count}: {reason}")
    if done.first_rejected is not None:
        one = done.first_rejected
        tell(f"  first: {one.where or one.key}: {one.reason}; all in {asked.out / 'rejected.jsonl'}")
    card = Corpus.open(asked.out).card()
    if asked.as_json:
        counts = {"added": done.added, "already_there": done.already_there}
        say_json({**counts, "rejected_now": sum(done.rejected.values()), **card})
        return
    say(f"{asked.out}: {card['title']}; {done.added} added, {done.already_there} already there")
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
