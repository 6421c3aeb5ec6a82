"""The command line: one short function a verb; progress on stderr, results on stdout.

Imports nothing heavy, so that help answers at once. Users' mistakes end in one line, and so does a stop.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from xemplar.errors import XemplarError
from xemplar.memory import keep_freed

__all__ = ["main"]

REFUSED_BY_MACHINE = 1
"""The exit code of what the machine refuses: a full disk, a right that is missing."""

MISTAKE = 2
"""The exit code of what can't be done as it was asked."""

INTERRUPTED = 130
"""The exit code of Ctrl-C; typer returns it where it meets the interruption first."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line (default: this process's); mistakes and interruptions end in one line."""
    # Threads that spin while they wait slow a busy machine tenfold; to be said before torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    keep_freed()
    with _stoppable():
        _run(arguments)


def _run(arguments: list[str] | None) -> None:
    try:
        from xemplar.cli.verbs import app

        app(arguments)  # tells usage errors by itself, and ends with SystemExit
    except XemplarError as error:
        refused = isinstance(error.__cause__, OSError) and error.__cause__.errno in _SURROUNDINGS
        sys.exit(_line(str(error), REFUSED_BY_MACHINE if refused else MISTAKE))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        if error.errno not in _SURROUNDINGS:
            raise
        sys.exit(_line(f"{error.filename or 'system'}: {error.strerror}", REFUSED_BY_MACHINE))
    except KeyboardInterrupt:
        sys.exit(_interrupted())
    except SystemExit as stopped:
        sys.exit(_interrupted() if stopped.code == INTERRUPTED else stopped.code)


_SURROUNDINGS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOENT,
    errno.EMFILE,
}
"""What the machine refuses us; any other OSError is a defect of ours and shows where it comes from."""


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM (a service's stop) end the process at once, wherever it is, in one line."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _frame: FrameType | None) -> None:
    # Without unwinding: a library in the midst of a callback may swallow an exception, or print it. Every
    # folder is whole at every moment, and the processes that read images end when this one does.
    cursor = "\x1b[?25h" if os.isatty(2) else ""  # a bar may have hidden it
    os.write(2, f"{cursor}{_stopped('interrupted' if number == signal.SIGINT else 'stopped')}".encode())
    os._exit(128 + number)


def _stopped(how: str) -> str:
    return f"\n{how}; what is on disk is whole, and the same command can be given again\n"


def _interrupted() -> int:
    sys.stderr.write(_stopped("interrupted"))
    return INTERRUPTED


def _line(message: str, code: int) -> int:
    sys.stderr.write(f"error: {message}\n")
    return code
