"""The command line as a process that tells what it is about, to be killed.

Knows processes and where the verbs write; knows nothing of what is left after a kill.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

SEGMENT, CHUNK, SAVE_SECONDS = 4, 16, 0.4


def command(events: int, arguments: list[str]) -> None:
    """The command line with small segments and chunks; a line for every write and piece of work."""
    from xemplar import cli, index
    from xemplar.corpus import settings, writer
    from xemplar.training import loop

    settings.IngestSettings.model_fields["segment_size"].default = SEGMENT
    settings.IngestSettings.model_rebuild(force=True)
    index._CHUNK, loop.SAVE_SECONDS = CHUNK, SAVE_SECONDS
    for name in ("fsync", "replace", "unlink", "mkdir"):
        setattr(os, name, _telling(getattr(os, name), events, lambda *_, name=name: name))
    writer._Writer.write_segment = _telling(
        writer._Writer.write_segment, events, lambda one, _: f"segment {len(one.manifest['segments']):06d}"
    )
    index._Kept.vectors = _telling(
        index._Kept.vectors, events, lambda one, values, _: f"chunk {index.fingerprint([one.inputs, values])}"
    )
    loop._Run._step = _telling(loop._Run._step, events, lambda one, _: f"step {one.at.step}")
    os.write(events, b"begun\n")
    cli.main(arguments)


def _telling(function: Callable, events: int, what: Callable) -> Callable:
    def told(*arguments, **named):
        os.write(events, f"{what(*arguments)}\n".encode())
        return function(*arguments, **named)

    return told


@dataclass
class Run:
    """One run of the command: a process group, and the lines that it told so far."""

    pid: int
    events: int
    lines: list[str] = field(default_factory=list)
    code: int | None = None

    def listen(self, until: float, writes: int | None = None) -> None:
        """Take in lines until a moment, its end, or so many writes."""
        rest = b""
        while (left := until - time.monotonic()) > 0:
            if not select.select([self.events], [], [], left)[0]:
                return
            data = os.read(self.events, 1 << 16)
            if not data:
                return
            *whole, rest = (rest + data).split(b"\n")
            self.lines += [line.decode() for line in whole]
            if writes is not None and sum(" " not in line for line in self.lines) > writes:
                return

    def end(self, how: int | None, *, alone: bool) -> bool:
        """Kill it (or wait for it); whether it had ended by itself. What it told last is taken in."""
        if how is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, how) if alone else os.killpg(self.pid, how)
        _, status = os.waitpid(self.pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        self.listen(time.monotonic() + 10)
        os.close(self.events)
        return self.code >= 0


def start(arguments: list[str], *, warm: bool, said: Path) -> Run:
    """The command in a process group of its own; `warm` forks this process, whose modules are loaded."""
    ours, theirs = os.pipe()
    if warm:
        pid = os.fork()
        if pid == 0:
            _become(theirs, arguments, said)
    else:
        line = [sys.executable, __file__, "--command", str(theirs), *arguments]
        with said.open("ab") as stream:
            pid = subprocess.Popen(
                line, stdout=stream, stderr=stream, start_new_session=True, pass_fds=[theirs]
            ).pid
    os.close(theirs)
    return Run(pid, ours)


def _become(events: int, arguments: list[str], said: Path) -> None:
    code = 70
    try:
        os.setsid()
        stream = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        command(events, arguments)
        code = 0
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    command(int(sys.argv[2]), sys.argv[3:])
