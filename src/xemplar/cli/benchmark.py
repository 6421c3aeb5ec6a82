"""The verb that trains, asks and compares every recipe, and prints one table."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xemplar.cli.options import Json, pairs_of, refuse

if TYPE_CHECKING:
    from xemplar.evaluation.benchmark.folder import BenchmarkFolder

benchmark_app = typer.Typer(rich_markup_mode=None)


@benchmark_app.command()
def benchmark(
    out: Annotated[Path, typer.Argument(help="Folder to write; the same command goes on in it.")],
    size: Annotated[str, typer.Option(help="tiny, small or published.")] = "tiny",
    recipes: Annotated[str, typer.Option(help="With commas; default: the five.")] = "",
    seeds: Annotated[str, typer.Option(help="Of training, with commas.")] = "1,2,3",
    ablations: Annotated[bool, typer.Option(help="What each part brings, and learning curves.")] = True,
    curve: Annotated[str, typer.Option(help="Recipes with a learning curve, with commas.")] = "xemplar",
    studies: Annotated[int, typer.Option(help="Studies to draw of site A.", min=40)] = 2000,
    corpus: Annotated[Path | None, typer.Option(help="A corpus folder, in the place of drawn films.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="NAME=FOLDER, a model taken as it is.")] = None,
    predictions: Annotated[list[str] | None, typer.Option(help="NAME=FILE.jsonl of another system.")] = None,
    replicates: Annotated[int, typer.Option(help="Bootstrap replicates.", min=20)] = 1000,
    jobs: Annotated[int, typer.Option(help="Entries run at a time, a thread each.", min=1)] = 2,
    table_only: Annotated[
        bool, typer.Option("--table", help="Run nothing: the table of what is there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train and compare every recipe on one corpus. Interrupted, the same command goes on.

    Each line of a file of predictions is {"study_id": ..., "text": ...}; asked.jsonl in the folder says
    of whom.
    """
    from xemplar.evaluation.benchmark.folder import BenchmarkFolder
    from xemplar.evaluation.benchmark.run import begun
    from xemplar.terminal import tell

    asked: dict[str, object] = {"size": size, "ablations": ablations, "studies": studies}
    asked |= {"recipes": _words(recipes), "seeds": _numbers(seeds), "replicates": replicates}
    asked["curve"] = _words(curve)
    asked["models"] = _named(model, "--model")
    files = _named(predictions, "--predictions")
    if table_only:
        _run(BenchmarkFolder(out), files, jobs=0, as_json=as_json)
        return
    with begun(out, _settings(asked), corpus=corpus, told=tell) as folder:
        _run(folder, files, jobs=jobs, as_json=as_json)


def _run(folder: BenchmarkFolder, files: dict[str, str], *, jobs: int, as_json: bool) -> None:
    """Run what isn't done (nothing, with no jobs), and show the table."""
    from xemplar.evaluation.benchmark.publish import publish, read_all, write_asked
    from xemplar.evaluation.benchmark.run import run_entries
    from xemplar.terminal import say, say_json, show_benchmark, tell

    write_asked(folder)
    said = read_all(folder, {name: Path(path) for name, path in files.items()})
    failed = run_entries(folder, jobs=jobs, told=tell, held=True) if jobs else {}
    table = publish(folder, predictions=said, command=shlex.join(["xemplar", *sys.argv[1:]]))
    if as_json:
        say_json(table)
    else:
        show_benchmark(table)
        say(f"\nlook at {folder.path / 'benchmark.html'}; all scores are in {folder.path / 'table.json'}")
    if failed:
        tell(
            f"{len(failed)} of {len(table['entries']) + len(failed)} entries failed; the same command retries"
        )
        raise typer.Exit(1)


def _named(values: list[str] | None, option: str) -> dict[str, str]:
    """NAME=PATH options; a name given twice would hide the first."""
    pairs = pairs_of(values or [], option)
    if len(pairs) < len(values or []):
        refuse(f"{option}: a name given twice")
    return pairs


def _words(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _numbers(value: str) -> tuple[int, ...]:
    words = _words(value)
    if odd := [word for word in words if not word.isdecimal()]:
        refuse(f"--seeds {odd[0]!r}; wanted numbers of 0 or more, with commas")
    return tuple(int(word) for word in words)


def _settings(values: dict[str, object]) -> Any:  # noqa: ANN401  of a module that is not imported up here
    from pydantic import ValidationError

    from xemplar.evaluation.benchmark.plan import BenchmarkSettings

    try:
        return BenchmarkSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"--{part}: " for part in first["loc"][:1])
        refuse(f"{place}{first['msg'].removeprefix('Value error, ')}")
