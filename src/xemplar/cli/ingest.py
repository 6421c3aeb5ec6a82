"""The verbs that make a corpus, one a source."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xemplar.cli.options import Json, Out, PreviewSize, SplitSalt, Workers, one_of, pairs_of, refuse

if TYPE_CHECKING:
    from xemplar.corpus import IngestSummary

ingest_app = typer.Typer(
    help="Bring studies into a corpus folder.", no_args_is_help=True, rich_markup_mode=None
)


def _list_sources(value: bool) -> None:
    if value:
        from xemplar.sources.catalogue import listing
        from xemplar.terminal import say

        say(listing())
        raise typer.Exit


@ingest_app.callback()
def ingest_sources(
    _: Annotated[
        bool,
        typer.Option(
            "--list",
            is_eager=True,
            callback=_list_sources,
            help="What each source needs, where to ask for it.",
        ),
    ] = False,
) -> None:
    """Bring studies into a corpus folder."""


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

    settings = _settings(
        source.TableSettings,
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


@ingest_app.command("openi")
def ingest_openi(
    path: Annotated[Path, typer.Argument(help="The collection's folder, as NLM or Kaggle lays it out.")],
    out: Out,
    images: Annotated[Path | None, typer.Option(help="Where the images are, if elsewhere.")] = None,
    texts_only: Annotated[bool, typer.Option("--texts-only", help="Take the reports alone.")] = False,
    labels: Annotated[str, typer.Option(help="mesh: headings become labels; or none.")] = "mesh",
    preview_size: PreviewSize = 384,
    split_salt: SplitSalt = "xemplar",
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Ingest the Indiana University collection (Open-i). Interrupted, the same command goes on."""
    from xemplar.sources import openi as source

    settings = _settings(source.OpeniSettings, images=images, texts_only=texts_only, labels=labels)
    total = source.describe(path, settings)["reports"]
    asked = _Asked(
        out=out, preview_size=preview_size, split_salt=split_salt, workers=workers, as_json=as_json
    )
    _ingest(source.studies(path, settings), asked, said=_reports_of("openi"), total=total)


@ingest_app.command("mimic-cxr")
def ingest_mimic_cxr(
    path: Annotated[Path, typer.Argument(help="The folder that holds files/ and the tables.")],
    out: Out,
    images: Annotated[Path | None, typer.Option(help="Where the images are, if elsewhere.")] = None,
    reports: Annotated[Path | None, typer.Option(help="Where the reports are, if elsewhere.")] = None,
    tables: Annotated[Path | None, typer.Option(help="Where the tables are, if elsewhere.")] = None,
    labeler: Annotated[str, typer.Option(help="Whose labels: chexpert, negbio or none.")] = "chexpert",
    own_split: Annotated[
        bool, typer.Option("--own-split", help="Draw a split; not the official one.")
    ] = False,
    texts_only: Annotated[bool, typer.Option("--texts-only", help="Take the reports alone.")] = False,
    films_only: Annotated[bool, typer.Option("--films-only", help="Take the images alone.")] = False,
    preview_size: PreviewSize = 384,
    split_salt: SplitSalt = "xemplar",
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Ingest MIMIC-CXR or MIMIC-CXR-JPG. Interrupted, the same command goes on."""
    from xemplar.sources import mimic_cxr as source

    settings = _settings(
        source.MimicSettings,
        images=images,
        reports=reports,
        tables=tables,
        labeler=None if labeler == "none" else labeler,
        own_split=own_split,
        texts_only=texts_only,
        films_only=films_only,
    )
    total = source.describe(path, settings)["studies"]
    asked = _Asked(
        out=out, preview_size=preview_size, split_salt=split_salt, workers=workers, as_json=as_json
    )
    _ingest(source.studies(path, settings), asked, said=_reports_of("mimic-cxr"), total=total)


@ingest_app.command("dicom")
def ingest_dicom(
    path: Annotated[Path, typer.Argument(help="A folder of DICOM files.")],
    out: Out,
    reports: Annotated[Path | None, typer.Option(help="A table with one report a row.")] = None,
    column: Annotated[list[str] | None, typer.Option(help="FIELD=COLUMN of the reports' table.")] = None,
    modality: Annotated[list[str] | None, typer.Option(help="Wanted ones (default: CR and DX).")] = None,
    patients_unknown: Annotated[
        bool, typer.Option("--patients-unknown", help="Take studies that name no patient.")
    ] = False,
    keep_study_uid: Annotated[
        bool, typer.Option("--keep-study-uid", help="Keep study UIDs as they are.")
    ] = False,
    keep_accession: Annotated[
        bool, typer.Option("--keep-accession", help="Keep accession numbers as they are.")
    ] = False,
    preview_size: PreviewSize = 384,
    split_salt: SplitSalt = "xemplar",
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Ingest a folder of DICOM files and a table of their reports. Interrupted, the same command goes on."""
    from xemplar.sources import dicom as source
    from xemplar.terminal import tell

    settings = _settings(
        source.DicomSettings,
        reports=reports,
        columns=pairs_of(column or [], "--column"),
        modalities=tuple(one.upper() for one in modality or ("CR", "DX")),
        patients_unknown=patients_unknown,
        keep_study_uid=keep_study_uid,
        keep_accession=keep_accession,
    )
    asked = _Asked(
        out=out, preview_size=preview_size, split_salt=split_salt, workers=workers, as_json=as_json
    )
    tell(f"reading the headers of {path}; then its films, of which there may be fewer than files")
    _ingest(source.studies(path, settings), asked, said=_reports_of("dicom"), total=None)


@ingest_app.command("phantom")
def ingest_phantom(
    out: Out,
    studies: Annotated[int, typer.Option(help="How many studies to draw.", min=1)] = 1000,
    seed: Annotated[int, typer.Option(help="Another seed, another archive.", min=0)] = 0,
    site: Annotated[str, typer.Option(help="A, or B with other shapes, exposure and wording.")] = "A",
    preview_size: PreviewSize = 384,
    split_salt: SplitSalt = "xemplar",
    workers: Workers = 0,
    as_json: Json = False,
) -> None:
    """Ingest chest radiographs drawn by the program itself, the truth known. Never clinical."""
    from xemplar.sources import phantom

    where = one_of(site, ("A", "B"), "--site")
    said = {"domain": "synthetic", "texts": "reports", "source": phantom.label(where, seed)}
    asked = _Asked(
        out=out, preview_size=preview_size, split_salt=split_salt, workers=workers, as_json=as_json
    )
    drawn = phantom.studies(studies, seed=seed, site=where)
    _ingest(drawn, asked, said=said, total=studies, key_salt=b"phantom")


def _reports_of(source: str) -> dict[str, Any]:
    """What a source of clinical reports says of itself."""
    return {"domain": "clinical", "texts": "reports", "source": source}


def _ingest(
    arrivals: Any,  # noqa: ANN401  an iterator of records that are not imported up here
    asked: _Asked,
    *,
    said: dict[str, Any],
    total: int | None,
    key_salt: bytes | None = None,
) -> None:
    """Ingest, and say what became of it; `said` is what the source says of itself, `total` how long it is."""
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
        # The first one is waited for before there is a folder: a source that is none leaves none behind.
        begun = list(islice(arrivals, 1))
        done = ingest(
            chain(begun, arrivals),
            asked.out,
            settings,
            workers=asked.workers or os.cpu_count() or 1,
            key_salt=key_salt,
            on_progress=lambda count: advance(count, None, ""),
        )
        advance(total or done.added + done.already_there, total or done.added + done.already_there, "")
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


def _settings(model: Any, **values: Any) -> Any:  # noqa: ANN401  of a module that is not imported up here
    """A source's settings; a value that can't be is told by its option's name."""
    from pydantic import ValidationError

    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        option = "-".join(str(part) for part in first["loc"]).replace("_", "-")
        message = first["msg"].removeprefix("Value error, ")
        refuse(f"--{_NAMED.get(option, option)}: {message}" if option else message)


_NAMED = {"modalities": "modality"}
"""Settings that an option calls otherwise."""
