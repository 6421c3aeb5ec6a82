"""The command line: one short function a verb; progress on stderr, results on stdout.

Imports nothing heavy at the top, so that help answers at once. Users' mistakes end in one line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import click
import typer

app = typer.Typer(
    name="xemplar",
    help="Draft and search chest-radiograph reports by precedent. Research use only; not for diagnosis.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ingest_app = typer.Typer(
    help="Bring studies into a corpus folder.", no_args_is_help=True, rich_markup_mode=None
)
corpus_app = typer.Typer(help="Look at a corpus folder.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(ingest_app, name="ingest")
app.add_typer(corpus_app, name="corpus")

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Out = Annotated[Path, typer.Option("--out", help="Folder to write.")]
Workers = Annotated[int, typer.Option(help="Processes that read images; 0 takes one a core.")]
PreviewSize = Annotated[int, typer.Option(help="Side of the kept previews, in pixels.")]
SplitSalt = Annotated[str, typer.Option(help="Public word that fixes which patients fall into which split.")]
IndexFolder = Annotated[Path, typer.Argument(help="An index folder.")]
CorpusFolder = Annotated[Path, typer.Argument(help="A corpus folder.")]
Calibration = Annotated[Path | None, typer.Option(help="A calibration folder (default: beside the index).")]


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
        columns=_pairs(column or [], "--column"),
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


@app.command()
def train(
    corpus: CorpusFolder,
    out: Out,
    recipe: Annotated[str | None, typer.Option(help="A shipped recipe's name or a .toml file.")] = None,
    as_json: Json = False,
) -> None:
    """Train an image-text alignment on a corpus's training part. Interrupted, the same command goes on."""
    from xemplar.corpus import Corpus
    from xemplar.terminal import progress, say, say_json
    from xemplar.training.loop import Progress
    from xemplar.training.loop import train as run
    from xemplar.training.recipe import load_recipe

    opened = Corpus.open(corpus)
    chosen, text = load_recipe(recipe or ("captions" if opened.settings.texts == "captions" else "xemplar"))
    with progress("training") as advance:

        def show(at: Progress) -> None:
            note = f"loss {at.loss:.3f}, best validation MRR {max(at.best, 0):.3f}, {at.pairs_per_second:.0f} pairs/s"
            advance(at.step, at.steps, note)

        manifest = run(opened, chosen, out, recipe_text=text, on_progress=show)
    facts = {key: manifest[key] for key in ("recipe", "domain", "trained_on", "validation")}
    if as_json:
        say_json({"model": str(out), **facts})
    else:
        found = facts["validation"]
        say(f"{out}: {facts['recipe']} trained on {facts['trained_on']['title']}")
        say(
            f"best validation MRR {found['mrr']:.3f} after epoch {found['epoch']}, over {found['studies']} studies"
        )


@app.command()
def index(
    corpus: CorpusFolder,
    model: Annotated[Path, typer.Option(help="A model folder.")],
    out: Out,
    parts: Annotated[str, typer.Option(help="train, or all for service (can't be evaluated).")] = "train",
    engine: Annotated[str | None, typer.Option(help="exact or faiss.")] = None,
    as_json: Json = False,
) -> None:
    """Encode a corpus's images, sentences and reports into an index."""
    from xemplar.corpus import Corpus
    from xemplar.index import build_index, origins_of
    from xemplar.models.checkpoint import open_model
    from xemplar.terminal import progress, say, say_json

    opened, encoder = Corpus.open(corpus), open_model(model)
    with progress("indexing") as advance:
        made = build_index(
            opened, encoder, out, parts=_parts(parts), engine=engine, origins=origins_of(out, corpus, model),
            on_progress=lambda done, total: advance(done, total, ""),
        )  # fmt: skip
    facts = {key: made.manifest[key] for key in ("generation", "parts", "engine", "counts", "service")}
    if as_json:
        say_json({"index": str(out), "fingerprint": made.fingerprint, **facts})
    else:
        counts = ", ".join(f"{count} {kind}s" for kind, count in facts["counts"].items())
        say(f"{out}: {counts}, engine {facts['engine']}, of {', '.join(facts['parts'])}")


@app.command()
def calibrate(
    index: IndexFolder,
    out: Annotated[Path | None, typer.Option(help="Folder to write (default: beside the index).")] = None,
    as_json: Json = False,
) -> None:
    """Fit when to state, deny or be silent, on the validation part."""
    from xemplar.archive import calibrate as run
    from xemplar.archive import open_archive
    from xemplar.terminal import say, say_json

    folder = out or index.parent / "calibration"
    fitted = run(open_archive(index, calibrated=False), folder)
    if as_json:
        say_json({"calibration": str(folder), **fitted.model_dump()})
        return
    say(f"{folder}: fitted on {fitted.title}")
    for name, fit in fitted.findings.items():
        say(
            f"  {name:<28} present in {fit.present:>4}; stated from {fit.state_at:.2f}, denied up to {fit.deny_at:.2f}"
        )
    for name, count in fitted.too_few.items():
        say(f"  {name:<28} present in {count:>4}; too few, never drafted")


@app.command()
def search(
    index: IndexFolder,
    query: Annotated[str | None, typer.Argument(help="Words to look for.")] = None,
    image: Annotated[Path | None, typer.Option(help="An image to look for instead.")] = None,
    kind: Annotated[str, typer.Option(help="What to find: image, sentence or report.")] = "report",
    k: Annotated[int, typer.Option("-k", help="How many.", min=1)] = 10,
    facet: Annotated[list[str] | None, typer.Option(help="NAME=VALUE that a study must have.")] = None,
    as_json: Json = False,
) -> None:
    """Find images, sentences or reports for words or for an image."""
    from dataclasses import asdict, replace

    from xemplar.archive import open_archive
    from xemplar.retrieval import leave_of
    from xemplar.terminal import say_json, show_hits

    if (query is None) == (image is None):
        _refuse("a search needs either words or --image FILE")
    archive = open_archive(index)
    asked = archive.load_film(image) if image is not None else query or ""
    leave = replace(leave_of(asked), facets=_pairs(facet or [], "--facet"))
    hits = archive.search(
        asked, k, kind=_one_of(kind, ("image", "sentence", "report"), "--kind"), leave=leave
    )
    if as_json:
        say_json({"archive": archive.describe(), "hits": [asdict(hit) for hit in hits]})
    else:
        show_hits(hits, archive.corpus)


@app.command()
def draft(
    index: IndexFolder,
    images: Annotated[list[Path], typer.Argument(help="The views of one study.")],
    calibration: Calibration = None,
    as_json: Json = False,
) -> None:
    """Draft a report (or a caption) for one study from its images."""
    from dataclasses import asdict

    from xemplar.archive import open_archive
    from xemplar.terminal import say_json, show_draft

    archive = open_archive(index, calibration=calibration)
    made = archive.draft([archive.load_film(image) for image in images])
    if as_json:
        say_json(asdict(made))
    else:
        show_draft(made, archive.corpus)


@app.command()
def evaluate(
    index: IndexFolder,
    out: Out,
    split: Annotated[str, typer.Option(help="Which part to score: test or val.")] = "test",
    replicates: Annotated[int, typer.Option(help="Bootstrap replicates.", min=100)] = 1000,
    seed: Annotated[int, typer.Option(help="Of the bootstrap and the floor's inner split.")] = 0,
    calibration: Calibration = None,
    as_json: Json = False,
) -> None:
    """Score an archive on a split it has not seen, beside its floors, and write a report to look at."""
    from xemplar.archive import open_archive
    from xemplar.evaluation.page import write_page
    from xemplar.evaluation.run import evaluate as run
    from xemplar.evaluation.run import save_evaluation
    from xemplar.terminal import say, say_json, show_scores, tell

    archive = open_archive(index, calibration=calibration)
    chosen: Any = _one_of(split, ("test", "val"), "--split")
    result = run(
        archive, split=chosen, replicates=replicates, seed=seed, on_stage=lambda stage: tell(f"  {stage} ...")
    )
    save_evaluation(result, out)
    page = write_page(result, archive, out)
    if as_json:
        say_json(result.summary)
    else:
        show_scores(result.summary)
        say(f"\nlook at {page}")


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


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to write.")] = Path("demo"),
    studies: Annotated[int, typer.Option(help="Studies to draw.", min=300)] = 3000,
) -> None:
    """Walk the whole way on drawn films: corpus, model, index, drafts of unseen films, scores."""
    from xemplar.demo import draw_unseen
    from xemplar.terminal import say, tell

    tell(f"1/6 drawing {studies} studies into {out / 'corpus'}")
    ingest_phantom(out / "corpus", studies=studies, preview_size=256)
    tell(f"2/6 training into {out / 'model'}")
    train(out / "corpus", out / "model")
    tell(f"3/6 indexing into {out / 'index'}")
    index(out / "corpus", out / "model", out / "index")
    tell(f"4/6 calibrating into {out / 'calibration'}")
    calibrate(out / "index")
    tell("5/6 drafting for three films that are in no archive")
    for films in draw_unseen(out / "films"):
        say(f"\n{' '.join(str(film) for film in films)}")
        draft(out / "index", films)
    tell("6/6 scoring on the studies held back")
    say("")
    evaluate(out / "index", out / "report")
    say(f"films and drafts: {out / 'films'};  scores and cases: open {out / 'report' / 'report.html'}")


def main() -> None:
    """Run the command line; users' mistakes and interruptions end in one line, never in a traceback."""
    from xemplar.errors import XemplarError

    try:
        code = app(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except XemplarError as error:
        code = _line(str(error))
    except (KeyboardInterrupt, click.exceptions.Abort):
        sys.stderr.write("\ninterrupted; the same command goes on where it stopped\n")
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    except OSError as error:
        code = _line(f"{error.filename or 'system'}: {error.strerror or type(error).__name__}")
    sys.exit(code or 0)


def _line(message: str) -> int:
    sys.stderr.write(f"error: {message}\n")
    return 2


def _refuse(message: str) -> None:
    from xemplar.errors import XemplarError

    raise XemplarError(message)


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
        _refuse(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")
    with progress("ingesting", total) as advance:
        done = ingest(
            arrivals, out, settings, workers=workers or os.cpu_count() or 1, key_salt=key_salt,
            on_progress=lambda count: advance(count, None, ""),
        )  # fmt: skip
        advance(total, None, "")
    for reason, count in done.rejected.most_common():
        tell(f"rejected {count}: {reason}")
    if done.first_rejected is not None:
        first_one = done.first_rejected
        tell(
            f"  first: {first_one.where or first_one.key}: {first_one.reason}; all in {out / 'rejected.jsonl'}"
        )
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
        say(
            f"splits by {', '.join(card['split_units'])}: {', '.join(f'{k} {v}' for k, v in card['splits'].items())}"
        )


def _table_settings(**values: Any) -> Any:  # noqa: ANN401  settings of a module that is not imported up here
    from pydantic import ValidationError

    from xemplar.sources.table import TableSettings

    try:
        return TableSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        _refuse(f"--{'-'.join(str(part) for part in first['loc']).replace('_', '-')}: {first['msg']}")


def _pairs(values: list[str], option: str) -> dict[str, str]:
    pairs = {}
    for value in values:
        name, equals, column = value.partition("=")
        if not equals or not name:
            _refuse(f"{option} {value!r}; wanted NAME=VALUE")
        pairs[name] = column
    return pairs


def _parts(value: str) -> tuple[Literal["train", "val", "test"], ...]:
    if value == "all":
        return ("train", "val", "test")
    return tuple(_one_of(part.strip(), ("train", "val", "test"), "--parts") for part in value.split(","))


def _one_of(value: str, allowed: tuple[str, ...], option: str) -> Any:  # noqa: ANN401  one of the literals
    if value not in allowed:
        _refuse(f"{option} {value!r}; wanted one of {', '.join(allowed)}")
    return value


if __name__ == "__main__":
    main()
