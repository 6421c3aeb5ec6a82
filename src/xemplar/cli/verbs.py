"""The verbs that train, index, calibrate, search, draft and evaluate, and the demonstration of them all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xemplar.cli.benchmark import benchmark_app
from xemplar.cli.check import check_app
from xemplar.cli.classify import classify_app
from xemplar.cli.cohort import cohort_app
from xemplar.cli.corpus import corpus_app
from xemplar.cli.ingest import ingest_app, ingest_phantom
from xemplar.cli.models import model_app
from xemplar.cli.options import (
    Calibration,
    CorpusElsewhere,
    CorpusFolder,
    IndexFolder,
    Json,
    ModelElsewhere,
    Out,
    one_of,
    parts_of,
)
from xemplar.cli.replay import replay_app
from xemplar.cli.search import search_app
from xemplar.cli.texts import texts_app

if TYPE_CHECKING:
    from xemplar.archive import Archive

app = typer.Typer(
    name="xemplar",
    help="Draft and search chest-radiograph reports by precedent. Research use only; not for diagnosis.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _tell_version(value: bool) -> None:
    if value:
        from xemplar import __version__

        typer.echo(f"xemplar {__version__}")
        raise typer.Exit


@app.callback()
def before_any_verb(
    _: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Say the version.")
    ] = False,
) -> None:
    """What stands before a verb."""


app.add_typer(ingest_app, name="ingest")
app.add_typer(corpus_app, name="corpus")
app.add_typer(model_app, name="model")
app.add_typer(classify_app)
app.add_typer(replay_app)
app.add_typer(search_app)
app.add_typer(check_app)
app.add_typer(cohort_app)
app.add_typer(texts_app)
app.add_typer(benchmark_app)


@app.command()
def train(
    corpus: CorpusFolder,
    out: Out,
    recipe: Annotated[str | None, typer.Option(help="A shipped recipe's name or a .toml file.")] = None,
    size: Annotated[str, typer.Option(help="tiny, small or published, where the recipe has it.")] = "tiny",
    epochs: Annotated[int | None, typer.Option(help="In the recipe's place.", min=1)] = None,
    as_json: Json = False,
) -> None:
    """Train an image-text alignment on a corpus's training part. Interrupted, the same command goes on.

    In several processes: torchrun --nproc-per-node N -m xemplar train ...
    """
    from xemplar.corpus import Corpus
    from xemplar.terminal import say, say_json, stages
    from xemplar.training.ranks import started
    from xemplar.training.recipe import load_recipe
    from xemplar.training.stages import MODEL, train_system

    opened = Corpus.open(corpus)
    name = recipe or ("captions" if opened.settings.texts == "captions" else "xemplar")
    chosen, text = load_recipe(name, size)
    if epochs is not None:
        pace = chosen.training.model_copy(update={"epochs": epochs})
        chosen, text = chosen.model_copy(update={"training": pace}), f"# training.epochs = {epochs}\n{text}"
    if not started().first:  # of several processes, only one speaks
        train_system(opened, chosen, out, recipe_text=text)
        return
    with stages() as told:
        made = train_system(opened, chosen, out, recipe_text=text, told=told)
    manifest = made[MODEL]
    facts = {key: manifest[key] for key in ("recipe", "domain", "trained_on", "validation")}
    if as_json:
        say_json({"model": str(out), **facts})
    else:
        found = facts["validation"]
        say(f"{out}: {facts['recipe']} trained on {facts['trained_on']['title']}")
        score = f"best validation MRR {found['mrr']:.3f} after epoch {found['epoch']}"
        say(f"{score}, over {found['studies']} studies")


@app.command()
def index(
    corpus: CorpusFolder,
    model: Annotated[Path, typer.Option(help="A model folder; or phantom, which comes with the package.")],
    out: Out,
    parts: Annotated[str, typer.Option(help="train, or all for service (can't be evaluated).")] = "train",
    engine: Annotated[str | None, typer.Option(help="exact or faiss.")] = None,
    as_json: Json = False,
) -> None:
    """Encode a corpus's images, sentences and reports into an index."""
    from xemplar.corpus import Corpus
    from xemplar.index import build_index, origins_of
    from xemplar.models.layout import model_folder
    from xemplar.models.system import open_encoder
    from xemplar.terminal import progress, say, say_json, tell_domains

    model = model_folder(model)
    opened, encoder = Corpus.open(corpus), open_encoder(model)
    tell_domains(opened.settings.domain, encoder.domain)
    with progress("indexing") as advance:
        made = build_index(
            opened,
            encoder,
            out,
            parts=parts_of(parts),
            engine=engine,
            origins=origins_of(out, corpus, model),
            on_progress=lambda done, total: advance(done, total, ""),
        )
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
    wrong_lines: Annotated[float, typer.Option(help="Share of lines that may be wrong.")] = 0.10,
    wrong_stated: Annotated[
        float | None, typer.Option(help="Share that may be wrong of lines that state a finding, kept too.")
    ] = None,
    denied: Annotated[float, typer.Option(help="Share of a study's findings that may be denied.")] = 0.05,
    confidence: Annotated[float, typer.Option(help="How surely the share of wrong lines is kept.")] = 0.90,
    promise: Annotated[bool, typer.Option(help="Keep these risks, or draft nothing.")] = True,
    corpus: CorpusElsewhere = None,
    model: ModelElsewhere = None,
    as_json: Json = False,
) -> None:
    """Fit when to state, deny or be silent, and a classifier, on the validation part."""
    from xemplar.archive import asked_for, open_archive
    from xemplar.archive import calibrate as run
    from xemplar.errors import XemplarError
    from xemplar.terminal import say_json, tell, tell_thin

    if wrong_stated is not None and not promise:
        raise XemplarError(
            "--wrong-stated with --no-promise", wanted="one of the two: what isn't promised keeps no share"
        )
    asked = asked_for(wrong_lines, denied, confidence, wrong_stated=wrong_stated) if promise else None
    folder = out or index.parent / "calibration"
    archive = open_archive(index, corpus=corpus, model=model, calibrated=False)
    fitted = run(archive, folder, promise=asked)
    tell_thin(fitted)
    if archive.classifier is None:
        tell(f"no classifier: {archive.unclassified}")
    _tell_parts(archive, folder)
    if as_json:
        told = None if archive.classifier is None else archive.classifier.fitted.facts
        say_json({"calibration": str(folder), **fitted.model_dump(), "thin": fitted.thin, "classifier": told})
        return
    _show_calibration(fitted, folder)


def _show_calibration(fitted: Any, folder: Path) -> None:  # noqa: ANN401
    """What was fitted, finding by finding."""
    from xemplar.terminal import say, tell

    say(f"{folder}: fitted on {fitted.title}; {fitted.near_duplicates} near-duplicates left out")
    if fitted.promise is not None:
        say(f"  {fitted.promise.sentence}")
        if fitted.limits is None:
            tell("nothing will be drafted: ask for less, calibrate on more patients, or give --no-promise")
    for name, fit in fitted.findings.items():
        say(f"  {name:<28} present in {fit.present:>4}{_limits(fitted, name)}")
    for name, count in fitted.too_few.items():
        if count:
            say(f"  {name:<28} present in {count:>4}; too few, never drafted")
    unseen = [name for name, count in fitted.too_few.items() if not count]
    say(f"  never present, so never drafted: {', '.join(unseen) or 'none'}")


def _tell_parts(archive: Archive, folder: Path) -> None:
    """What of a calibration has learnt nothing, and why: its gate, its checks of reports."""
    from xemplar.check import open_limits
    from xemplar.drafting import open_parts
    from xemplar.drafting.gate import open_gate
    from xemplar.index import fitted_to
    from xemplar.terminal import tell

    parts, index = open_parts(folder), fitted_to(archive.index)
    gate, checks = open_gate(parts, index=index), open_limits(parts, index=index)
    if gate is not None and gate.why:
        tell(f"the gate goes by facts alone: {gate.why}")
    if checks is not None and checks.why:
        tell(f"`xemplar check` goes by words alone: {checks.why}")


def _limits(fitted: Any, finding: str) -> str:  # noqa: ANN401
    """From where on a finding is stated and denied, where it is at all."""
    limits = fitted.limits
    if limits is None:
        return ""
    deny_at = fitted.findings[finding].deny_at if fitted.promise is None else limits.deny_at
    return f"; stated from {limits.state_at:.2f}, denied up to {deny_at:.2f}"


@app.command()
def draft(
    index: IndexFolder,
    images: Annotated[list[Path], typer.Argument(help="The views of one study.")],
    prior: Annotated[
        list[Path] | None, typer.Option(help="A view of an earlier study of the same patient.")
    ] = None,
    corpus: CorpusElsewhere = None,
    model: ModelElsewhere = None,
    calibration: Calibration = None,
    heatmaps: Annotated[Path | None, typer.Option(help="Folder for PNGs of what each line rests on.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="File for the draft, which `xemplar replay` reads.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Draft a report (or a caption) for one study from its images."""
    from xemplar.archive import open_archive
    from xemplar.archive.draft_file import Asked, file_bytes, record_of
    from xemplar.archive.explaining import write_heatmaps
    from xemplar.folders import write_atomic
    from xemplar.terminal import say, show_draft

    archive = open_archive(index, corpus=corpus, model=model, calibration=calibration)
    asked = Asked.load(archive, images, prior or ())
    made = asked.drafted(archive)
    if heatmaps is not None:
        write_heatmaps(archive, asked.films, made, folder=heatmaps)
    data = file_bytes(made, record_of(archive, asked))
    if out is not None:
        write_atomic(out, data)
    if as_json:
        say(data.decode().rstrip("\n"))
    else:
        show_draft(made, archive.corpus)


@app.command()
def evaluate(
    index: IndexFolder,
    out: Out,
    split: Annotated[str, typer.Option(help="Which part to score: test or val.")] = "test",
    replicates: Annotated[int, typer.Option(help="Bootstrap replicates.", min=100)] = 1000,
    seed: Annotated[int, typer.Option(help="Of the bootstrap and the floor's inner split.")] = 0,
    corpus: CorpusElsewhere = None,
    model: ModelElsewhere = None,
    calibration: Calibration = None,
    as_json: Json = False,
) -> None:
    """Score an archive on a split it has not seen, beside its floors, and write a report to look at."""
    from xemplar.archive import open_archive
    from xemplar.evaluation.page import write_page
    from xemplar.evaluation.run import WORDS, save_evaluation
    from xemplar.evaluation.run import evaluate as run
    from xemplar.evaluation.texts.page import write_texts_page
    from xemplar.terminal import say, say_json, show_scores, tell

    archive = open_archive(index, corpus=corpus, model=model, calibration=calibration)
    chosen: Any = one_of(split, ("test", "val"), "--split")
    result = run(
        archive, split=chosen, replicates=replicates, seed=seed, on_stage=lambda stage: tell(f"  {stage} ...")
    )
    save_evaluation(result, out)
    page = write_page(result, archive, out)
    if result.words is not None:
        write_texts_page(result.words, out / WORDS)
    if as_json:
        say_json(result.summary)
    else:
        show_scores(result.summary)
        say(f"\nlook at {page}")


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to write.")] = Path("demo"),
    studies: Annotated[int, typer.Option(help="Studies to draw.", min=600)] = 2700,
) -> None:
    """Walk the whole way on drawn films: corpus, model, index, drafts of unseen films, scores."""
    from xemplar.demo import draw_unseen
    from xemplar.terminal import say, tell

    tell(f"1/6 drawing {studies} studies into {out / 'corpus'}")
    ingest_phantom(out=out / "corpus", studies=studies, preview_size=256)
    tell(f"2/6 training into {out / 'model'}")
    train(out / "corpus", out / "model", epochs=10)  # of 14, so that it takes five minutes
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
