"""Options that several verbs share, and what is refused before a verb begins.

Knows typer; imports nothing heavy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

from xemplar.errors import XemplarError

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Out = Annotated[Path, typer.Option("--out", help="Folder to write.")]
Workers = Annotated[int, typer.Option(help="Processes that read images; 0 takes one a core.")]
PreviewSize = Annotated[int, typer.Option(help="Side of the kept previews, in pixels.")]
SplitSalt = Annotated[str, typer.Option(help="Public word that fixes which patients fall into which split.")]
ImagesElsewhere = Annotated[Path | None, typer.Option("--images", help="Where the images are, if elsewhere.")]
TextsOnly = Annotated[bool, typer.Option("--texts-only", help="Take the reports alone.")]
IndexFolder = Annotated[Path, typer.Argument(help="An index folder.")]
CorpusFolder = Annotated[Path, typer.Argument(help="A corpus folder.")]
CorpusElsewhere = Annotated[
    Path | None, typer.Option("--corpus", help="Its corpus, if elsewhere than the index says.")
]
ModelElsewhere = Annotated[
    Path | None, typer.Option("--model", help="Its model, if elsewhere than the index says.")
]
Calibration = Annotated[Path | None, typer.Option(help="A calibration folder (default: beside the index).")]

PARTS: tuple[Literal["train", "val", "test"], ...] = ("train", "val", "test")


def refuse(message: str) -> NoReturn:
    """End in one line."""
    raise XemplarError(message)


def pairs_of(values: list[str], option: str) -> dict[str, str]:
    """NAME=VALUE options as a mapping."""
    pairs = {}
    for value in values:
        name, equals, column = value.partition("=")
        if not equals or not name:
            refuse(f"{option} {value!r}; wanted NAME=VALUE")
        pairs[name] = column
    return pairs


def parts_of(value: str) -> tuple[Literal["train", "val", "test"], ...]:
    """The parts of a corpus that a word or a list of words names."""
    named = [part.strip() for part in value.split(",")]
    if named == ["all"]:
        return PARTS
    if foreign := [part for part in named if part not in PARTS]:
        refuse(f"--parts {foreign[0]!r}; wanted all, or of {', '.join(PARTS)} one or some, with commas")
    return tuple(part for part in PARTS if part in named)


def one_of(value: str, allowed: tuple[str, ...], option: str) -> Any:  # noqa: ANN401  one of the literals
    """The value, if it is allowed."""
    if value not in allowed:
        refuse(f"{option} {value!r}; wanted one of {', '.join(allowed)}")
    return value
