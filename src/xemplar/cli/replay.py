"""The verb that makes a past draft again: the same bytes, or what exactly differs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xemplar.cli.options import Json

if TYPE_CHECKING:
    from xemplar.archive.replaying import Difference, Replayed
    from xemplar.records import Draft

replay_app = typer.Typer(rich_markup_mode=None)

DIFFERS = 1
"""The exit code where the draft isn't the same."""

_Folder = Annotated[Path | None, typer.Option(help="Instead of the recorded one.")]


@replay_app.command()
def replay(
    draft: Annotated[Path, typer.Argument(help="What `xemplar draft --out` wrote.")],
    index: _Folder = None,
    corpus: _Folder = None,
    model: _Folder = None,
    calibration: _Folder = None,
    film: Annotated[list[Path] | None, typer.Option(help="A view's file, in their order.")] = None,
    threads: Annotated[int | None, typer.Option(help="Instead of the recorded number.", min=1)] = None,
    out: Annotated[Path | None, typer.Option(help="File to write the new draft to.")] = None,
    as_json: Json = False,
) -> None:
    """Make a past draft again; exit code 0 says the same bytes, 1 tells what differs."""
    from dataclasses import asdict

    from xemplar.archive.draft_file import read_draft
    from xemplar.archive.replaying import films_again, open_again, replay
    from xemplar.folders import write_atomic
    from xemplar.models.computing import set_threads
    from xemplar.terminal import say_json

    told = read_draft(draft)
    counts = told["record"]["machine"]["threads"]
    set_threads(counts if threads is None else dict.fromkeys(counts, threads))
    archive = open_again(
        told, beside=draft.parent, index=index, corpus=corpus, model=model, calibration=calibration
    )
    asked = films_again(archive, told, beside=draft.parent, images=film or ())
    done = replay(told, archive, asked)
    if out is not None:
        write_atomic(out, done.data)
    if as_json:
        differences = {name: [asdict(one) for one in getattr(done, name)] for name in ("made", "said")}
        say_json({"same": done.same, "same_lines": done.same_lines, **differences})
    else:
        _show(done)
    if not done.same:
        raise typer.Exit(DIFFERS)


def _show(done: Replayed) -> None:
    from xemplar.terminal import say

    for one in done.made:
        say(f"made otherwise: {one.where}{_both(one)}")
    for one in done.said:
        say(f"{one.what} of {one.where}{_both(one)}" if one.what != one.where else f"{one.what}{_both(one)}")
    if done.same:
        say(
            f"the same bytes: {len(done.draft.lines)} lines, {len(done.draft.abstained)} findings left unsaid"
        )
        if not done.draft.lines:
            say(f"nothing was said: {_why(done.draft)}")
    else:
        say(
            f"not the same: {len(done.said)} differences"
            + (", none in what is said" if done.same_lines else "")
        )


def _why(draft: Draft) -> str:
    """Why a draft has no line: the gate's reason, or each that a finding was left unsaid for."""
    if draft.gate is not None:
        return draft.gate
    return "; ".join(dict.fromkeys(draft.abstained.values())) or "no finding was looked for"


def _both(one: Difference) -> str:
    return f"\n  then {one.then}\n  now  {one.now}"
