"""The verbs that bring models in, look at them and hand them on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from xemplar.cli.options import Json, Out, one_of, refuse

model_app = typer.Typer(
    help="Bring in, look at and hand on models.", no_args_is_help=True, rich_markup_mode=None
)

FITS = ("letterbox", "squash", "crop")
DOMAINS = ("synthetic", "figures", "clinical")
"""As `records` has them, which is not imported for the sake of a quick start."""
ModelFolder = Annotated[Path, typer.Argument(help="A model folder.")]
_AS = "openai (CLIP's own) or films (CheXzero's, CXR-RePaiR's); default: as the checkpoint says."
_FIT = "What becomes of a film that isn't square: letterbox, squash or crop."
_WORDS = "bpe_simple_vocab_16e6.txt.gz, a tokenizer folder, or (ALBEF, X-REM) a vocab.txt."
_HEADS = "Attention heads, IMAGE,TEXT (ALBEF, X-REM), where they aren't 64 wide."


@model_app.command("import")
def model_import(
    out: Out,
    source: Annotated[Path | None, typer.Argument(help="A checkpoint: a file or a folder.")] = None,
    tokenizer: Annotated[Path | None, typer.Option(help=_WORDS)] = None,
    preprocessing: Annotated[str | None, typer.Option(help=_AS)] = None,
    fit: Annotated[str | None, typer.Option(help=_FIT)] = None,
    heads: Annotated[str | None, typer.Option(help=_HEADS)] = None,
    input_size: Annotated[int | None, typer.Option(help="Other pixels a side than its own.")] = None,
    precision: Annotated[str | None, typer.Option(help="Of encoding: fp32 (default) or bf16.")] = None,
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
    """Make a model folder of a CLIP, SigLIP, BiomedCLIP, ALBEF or X-REM checkpoint, or a table of vectors."""
    trained: Any = None if domain is None else one_of(domain, DOMAINS, "--domain")
    said = {"trained_on": trained_on, "licence": licence}
    prepared = {"tokenizer": tokenizer, "preprocessing": preprocessing, "fit": fit,
                "input_size": input_size, "precision": precision, "heads": heads}  # fmt: skip
    brought = {"corpus": corpus, "maker": maker, "ids": ids, "films": films}
    if (source is None) == (vectors is None):
        refuse("an import needs either a checkpoint or --vectors TABLE")
    if source is not None:
        _refuse_given(brought, "a checkpoint takes no")
        _import_checkpoint(source, out, {**prepared, **said, "domain": trained})
    elif corpus is None or maker is None:
        refuse("--vectors needs the --corpus that they are of and the --maker that made them")
    else:
        _refuse_given(prepared, "--vectors takes no")
        from xemplar.models.checkpoints.table import import_vectors

        more = {**said, "ids": ids, "films": films or []}
        import_vectors(vectors or Path(), corpus, out, maker=maker, domain=trained, more=more)
    model_show(out, as_json)


def _import_checkpoint(source: Path, out: Path, given: dict[str, Any]) -> None:
    """Import with the options that were given; the others are the checkpoint's own."""
    heads = _heads(given.pop("heads"))
    for name, allowed in (("fit", FITS), ("precision", ("fp32", "bf16"))):
        if given[name] is not None:
            one_of(given[name], allowed, f"--{name}")
    from xemplar.models.checkpoints.albef import Heads, is_albef
    from xemplar.models.checkpoints.folder import Choices, import_checkpoint
    from xemplar.models.checkpoints.matcher import import_matcher

    choices = Choices(**{name: value for name, value in given.items() if value is not None})
    if source.is_file() and is_albef(source):
        import_matcher(source, out, choices, heads=None if heads is None else Heads(*heads))
        return
    if heads is not None:
        refuse(f"{source}: --heads belongs to ALBEF's and X-REM's checkpoints, and this is none")
    import_checkpoint(source, out, choices)


def _heads(given: str | None) -> tuple[int, int] | None:
    """IMAGE,TEXT as two whole numbers above 0."""
    if given is None:
        return None
    parts = [part.strip() for part in given.split(",")]
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 5]
    if len(parts) != 2 or len(numbers) != 2 or min(numbers) < 1:
        refuse(f"--heads {given!r}; wanted IMAGE,TEXT, as 12,12")
    return numbers[0], numbers[1]


def _refuse_given(options: dict[str, Any], said: str) -> None:
    """Refuse options that belong to the other kind of import."""
    if named := [f"--{name.replace('_', '-')}" for name, value in options.items() if value]:
        refuse(f"{said} {', '.join(named)}")


@model_app.command("show")
def model_show(model: ModelFolder, as_json: Json = False) -> None:
    """Say what a model or a matcher is: its kind, sizes, domain, fingerprint and what it was trained on."""
    from xemplar.models.checkpoint import open_model
    from xemplar.models.checkpoints.describe import describe
    from xemplar.models.matcher_folder import is_matcher, open_matcher
    from xemplar.terminal import say, say_json

    facts = describe(open_matcher(model) if is_matcher(model) else open_model(model))
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
