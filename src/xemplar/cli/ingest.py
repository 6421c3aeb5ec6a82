"""The verbs that make a corpus, one a source."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, Signature, getdoc, signature
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xemplar.cli.options import (
    ImagesElsewhere,
    Json,
    Out,
    PreviewSize,
    SplitSalt,
    TextsOnly,
    Workers,
    one_of,
    pairs_of,
    refuse,
)

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
    """What every ingest is asked for, whatever its source: the options that all its verbs have."""

    out: Out
    preview_size: PreviewSize = 384
    split_salt: SplitSalt = "xemplar"
    workers: Workers = 0
    as_json: Json = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """What a verb hands over to be ingested, and what its source says of itself."""

    name: str
    arrivals: Any
    """An iterator of records that are not imported up here."""
    total: int | None
    """How many there are, where that is known beforehand."""
    domain: str = "clinical"
    texts: str = "reports"
    key_salt: bytes | None = None


def _verb(name: str) -> Callable[[Callable[..., _Source]], Callable[..., None]]:
    """Hang a verb: the options of the function that opens its source, then those of every ingest."""

    def hang(opened: Callable[..., _Source]) -> Callable[..., None]:
        shared = signature(_Asked, eval_str=True).parameters
        own = signature(opened, eval_str=True).parameters

        def verb(**given: Any) -> None:  # noqa: ANN401  each option has a type of its own
            asked = _Asked(**{option: given.pop(option) for option in shared if option in given})
            _ingest(opened(**given), asked)

        options = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in (*own.values(), *shared.values())]
        # What has to be given is told first; this signature is what typer reads.
        options.sort(key=lambda one: one.default is not Parameter.empty)
        vars(verb)["__signature__"] = Signature(options)
        return ingest_app.command(name, help=getdoc(opened))(verb)

    return hang


@_verb("table")
def ingest_table(
    table: Annotated[Path, typer.Argument(help="CSV, TSV, JSONL or Parquet.")],
    column: Annotated[list[str] | None, typer.Option(help="FIELD=COLUMN, as often as needed.")] = None,
    caption: Annotated[
        str | None, typer.Option(help="Text made of columns: 'a {Modality} scan[ of {Location}]'.")
    ] = None,
    patient_column: Annotated[str | None, typer.Option(help="Column that names the patient.")] = None,
    group_column: Annotated[str | None, typer.Option(help="Column of what must stay in one split.")] = None,
    patients_unknown: Annotated[bool, typer.Option("--patients-unknown", help="No such column.")] = False,
    split_column: Annotated[str | None, typer.Option(help="Column of an official split.")] = None,
    images_root: Annotated[Path | None, typer.Option(help="Where image paths start.")] = None,
    texts: Annotated[str | None, typer.Option(help="reports or captions.")] = None,
    domain: Annotated[str | None, typer.Option(help="clinical or figures.")] = None,
) -> _Source:
    """Ingest a table of images and texts. Interrupted, the same command goes on."""
    from xemplar.sources import table as source
    from xemplar.terminal import tell

    settings = _settings(
        source.TableSettings,
        columns=pairs_of(column or [], "--column"),
        caption=caption,
        patient_column=patient_column,
        group_column=group_column,
        patients_unknown=patients_unknown,
        split_column=split_column,
        images_root=images_root,
        texts=texts,
        domain=domain,
    )
    read = source.describe(table, settings)
    for note in read["notes"]:
        tell(note)
    arrivals = source.studies(table, settings)
    return _Source(
        name="table", arrivals=arrivals, total=read["rows"], domain=read["domain"], texts=read["texts"]
    )


@_verb("openi")
def ingest_openi(
    path: Annotated[Path, typer.Argument(help="The collection's folder, as NLM or Kaggle lays it out.")],
    images: ImagesElsewhere = None,
    texts_only: TextsOnly = False,
    labels: Annotated[str, typer.Option(help="mesh: headings become labels; or none.")] = "mesh",
) -> _Source:
    """Ingest the Indiana University collection (Open-i). Interrupted, the same command goes on."""
    from xemplar.sources import openi as source

    settings = _settings(source.OpeniSettings, images=images, texts_only=texts_only, labels=labels)
    total = source.describe(path, settings)["reports"]
    return _Source(name="openi", arrivals=source.studies(path, settings), total=total)


@_verb("mimic-cxr")
def ingest_mimic_cxr(
    path: Annotated[Path, typer.Argument(help="The folder that holds files/ and the tables.")],
    images: ImagesElsewhere = None,
    reports: Annotated[Path | None, typer.Option(help="Where the reports are, if elsewhere.")] = None,
    tables: Annotated[Path | None, typer.Option(help="Where the tables are, if elsewhere.")] = None,
    labeler: Annotated[str, typer.Option(help="Whose labels: chexpert, negbio or none.")] = "chexpert",
    own_split: Annotated[
        bool, typer.Option("--own-split", help="Draw a split; not the official one.")
    ] = False,
    texts_only: TextsOnly = False,
    films_only: Annotated[bool, typer.Option("--films-only", help="Take the images alone.")] = False,
    section: Annotated[
        str | None, typer.Option(help="impression: of each report that alone, and studies that have one.")
    ] = None,
    one_view: Annotated[
        bool, typer.Option("--one-view", help="One film a study: PA before AP before lateral.")
    ] = False,
) -> _Source:
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
        section=section,
        one_view=one_view,
    )
    total = source.describe(path, settings)["studies"]
    return _Source(name="mimic-cxr", arrivals=source.studies(path, settings), total=total)


@_verb("dicom")
def ingest_dicom(
    path: Annotated[Path, typer.Argument(help="A folder of DICOM files.")],
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
) -> _Source:
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
    tell(f"reading the headers of {path}; then its films, of which there may be fewer than files")
    return _Source(name="dicom", arrivals=source.studies(path, settings), total=None)


@_verb("phantom")
def ingest_phantom(
    studies: Annotated[int, typer.Option(help="How many studies to draw.", min=1)] = 1000,
    seed: Annotated[int, typer.Option(help="Another seed, another archive.", min=0)] = 0,
    site: Annotated[str, typer.Option(help="A, or B with other shapes, exposure and wording.")] = "A",
) -> _Source:
    """Ingest chest radiographs drawn by the program itself, the truth known. Never clinical."""
    from xemplar.sources import phantom

    where = one_of(site, ("A", "B"), "--site")
    drawn = phantom.studies(studies, seed=seed, site=where)
    return _Source(
        name=phantom.label(where, seed),
        arrivals=drawn,
        total=studies,
        domain="synthetic",
        key_salt=b"phantom",
    )


def _ingest(source: _Source, asked: _Asked) -> None:
    """Ingest, and say what became of it."""
    from pydantic import ValidationError

    from xemplar.corpus import IngestSettings, ingest
    from xemplar.terminal import progress

    said = {"domain": source.domain, "texts": source.texts, "source": source.name}
    preview = {"size": asked.preview_size}
    try:
        settings = IngestSettings.model_validate({**said, "preview": preview, "split_salt": asked.split_salt})
    except ValidationError as error:
        first = error.errors()[0]
        refuse(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")
    # The first one is waited for before there is a folder or a bar: a source that is none leaves none behind.
    begun = list(islice(source.arrivals, 1))
    with progress("ingesting", source.total) as advance:
        done = ingest(
            chain(begun, source.arrivals),
            asked.out,
            settings,
            workers=asked.workers or os.cpu_count() or 1,
            key_salt=source.key_salt,
            on_progress=lambda count: advance(count, None, ""),
        )
        total = source.total or done.added + done.already_there
        advance(total, total, "")
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
    if done.cut:
        kinds = ", ".join(f"{kind} {count}" for kind, count in done.cut.most_common())
        total = f"{done.cut.total()} lines in {done.cut_studies} of {done.added} studies"
        tell(f"cut from reports: {total} ({kinds})")
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
