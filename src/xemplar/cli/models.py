"""The verbs that bring models in, look at them and hand them on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xemplar.cli.options import Json, Out, one_of, refuse
from xemplar.records import DOMAINS

model_app = typer.Typer(
    help="Bring in, look at and hand on models.", no_args_is_help=True, rich_markup_mode=None
)

FITS = ("letterbox", "squash", "crop")
ModelFolder = Annotated[Path, typer.Argument(help="A model folder.")]
_AS = "openai (CLIP's own) or films (CheXzero's, CXR-RePaiR's); default: as the checkpoint says."
_FIT = "What becomes of a film that isn't square: letterbox, squash or crop."
_WORDS = "bpe_simple_vocab_16e6.txt.gz, or a tokenizer folder."


@model_app.command("import")
def model_import(
    out: Out,
    source: Annotated[Path | None, typer.Argument(help="A checkpoint: a file or a folder.")] = None,
    tokenizer: Annotated[Path | None, typer.Option(help=_WORDS)] = None,
    preprocessing: Annotated[str | None, typer.Option(help=_AS)] = None,
    fit: Annotated[str | None, typer.Option(help=_FIT)] = None,
    input_size: Annotated[int | None, typer.Option(help="Other pixels a side than its own.")] = None,
    precision: Annotated[str, typer.Option(help="Of encoding: fp32 or bf16.")] = "fp32",
    vectors: Annotated[
        Path | None, typer.Option(help="A table of vectors instead: .parquet or .npy.")
    ] = None,
    corpus: Annotated[Path | None, typer.Option(help="The corpus that the vectors are of.")] = None,
    maker: Annotated[str | None, typer.Option(help="The model that made the vectors.")] = None,
    ids: Annotated[Path | None, typer.Option(help="The keys of an .npy, one a line, or a JSON list.")] = None,
    films: Annotated[list[Path] | None, typer.Option(help="A film of no corpus that has a vector.")] = None,
    domain: Annotated[str | None, typer.Option(help=f"Of its training data: {', '.join(DOMAINS)}.")] = None,
    trained_on: Annotated[str | None, typer.Option(help="What it was trained on, in words.")] = None,
    licence: Annotated[str | None, typer.Option(help="Its licence.")] = None,
    as_json: Json = False,
) -> None:
    """Make a model folder of a CLIP, SigLIP or BiomedCLIP checkpoint, or of a table of vectors."""
    if (source is None) == (vectors is None):
        refuse("an import needs either a checkpoint or --vectors TABLE")
    trained: Any = None if domain is None else one_of(domain, DOMAINS, "--domain")
    said = {"trained_on": trained_on, "licence": licence}
    if vectors is not None:
        if corpus is None or maker is None:
            refuse("--vectors needs the --corpus that they are of and the --maker that made them")
        if tokenizer or preprocessing or fit or input_size:
            refuse("--vectors takes no --tokenizer, --preprocessing, --fit or --input-size")
        from xemplar.models.checkpoints.table import import_vectors

        more = {**said, "ids": ids, "films": films or []}
        import_vectors(vectors, corpus, out, maker=maker, domain=trained, more=more)
    else:
        if corpus or maker or ids or films:
            refuse("a checkpoint takes no --corpus, --maker, --ids or --films; they belong to --vectors")
        from xemplar.models.checkpoints.folder import Choices, import_checkpoint

        shape: Any = None if fit is None else one_of(fit, FITS, "--fit")
        exact: Any = one_of(precision, ("fp32", "bf16"), "--precision")
        choices = Choices(
            tokenizer=tokenizer, preprocessing=preprocessing, fit=shape, input_size=input_size,
            domain=trained, precision=exact, **said,
        )  # fmt: skip
        import_checkpoint(source or Path(), out, choices)
    model_show(out, as_json)


@model_app.command("show")
def model_show(model: ModelFolder, as_json: Json = False) -> None:
    """Say what a model is: its kind, sizes, domain, fingerprint and what it was trained on."""
    from xemplar.models.checkpoint import open_model
    from xemplar.models.checkpoints.describe import describe
    from xemplar.terminal import say, say_json

    facts = describe(open_model(model))
    if as_json:
        say_json({"model": str(model), **facts})
        return
    say(str(model))
    for name, value in facts.items():
        say(f"  {name.replace('_', ' '):<14} {_said(value)}")


@model_app.command("export")
def model_export(
    model: ModelFolder,
    out: Out,
    licence: Annotated[str | None, typer.Option(help="Under which it is handed on.")] = None,
) -> None:
    """Write a trained model as a Hugging Face-style folder with a model card."""
    from xemplar.models.checkpoints.write import export_model
    from xemplar.terminal import say

    export_model(model, out, licence=licence)
    say(f"{out}: config.json, model.safetensors, tokenizer and README.md (the card: read it before sharing)")


def _said(value: object) -> str:
    if value is None:
        return "not stated"
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_said(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return " ".join(f"{one:.4g}" if isinstance(one, float) else str(one) for one in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
