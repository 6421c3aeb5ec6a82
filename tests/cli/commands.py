"""The command line called as a user calls it, and the small files that its tests hand it."""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from xemplar.cli import main
from xemplar.sources import phantom

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}

RECIPE = (Path(__file__).parents[1] / "small.toml").read_text()


@dataclass
class Done:
    stdout: str
    stderr: str


def xemplar(*arguments: object, code: int = 0) -> Done:
    """The command line in this process: what it prints, once its exit code is as it should be."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as stopped,
    ):
        main([str(argument) for argument in arguments])
    assert stopped.value.code == code, err.getvalue()
    return Done(out.getvalue(), err.getvalue())


def refused(*arguments: object) -> str:
    """The one line in which a mistake ends."""
    done = xemplar(*arguments, code=2)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return lines[0]


def draw(path: Path) -> Path:
    """A phantom film that no archive holds, marked as drawn."""

    phantom.save_film(next(phantom.studies(1, seed=77)), 0, path)
    return path


def table_of(folder: Path, text: str) -> Path:
    (folder / "table.csv").write_text(text)
    return folder / "table.csv"
