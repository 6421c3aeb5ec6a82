"""The command line called as a user calls it, and the small files that its tests hand it."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from xemplar.cli import main
from xemplar.sources import phantom

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


@dataclass
class Forked:
    """The command line in a child of this process, whose modules are loaded."""

    pid: int
    said: Path

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send it a signal: its exit code, and what it wrote to stderr."""
        os.kill(self.pid, number)
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status), self.said.read_text()


def forked(*arguments: object, said: Path, before: Callable[[], object] = lambda: None) -> Forked:
    """Begin a command; `before` is done in its process alone."""
    pid = os.fork()
    if pid:
        return Forked(pid, said)
    code = 70
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), 2)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        signal.signal(signal.SIGINT, signal.default_int_handler)
        before()
        main([str(argument) for argument in arguments])
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else 70
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def draw(path: Path) -> Path:
    """A phantom film that no archive holds, marked as drawn."""

    phantom.save_film(next(phantom.studies(1, seed=77)), 0, path)
    return path


def table_of(folder: Path, text: str) -> Path:
    (folder / "table.csv").write_text(text)
    return folder / "table.csv"
