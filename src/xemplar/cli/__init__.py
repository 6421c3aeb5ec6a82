"""The command line: one short function a verb; progress on stderr, results on stdout.

Imports nothing heavy, so that help answers at once. Users' mistakes end in one line.
"""

from __future__ import annotations

import errno
import os
import sys

from xemplar.cli.verbs import app
from xemplar.errors import XemplarError

__all__ = ["app", "main"]

INTERRUPTED = 130
"""The exit code of Ctrl-C; typer returns it where it meets the interruption first."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line (default: this process's); mistakes and interruptions end in one line."""
    # Threads that spin while they wait slow a busy machine tenfold; to be said before torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app(arguments)  # tells usage errors by itself, and ends with SystemExit
    except XemplarError as error:
        sys.exit(_line(str(error)))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        if error.errno not in _SURROUNDINGS:
            raise
        sys.exit(_line(f"{error.filename or 'system'}: {error.strerror}"))
    except KeyboardInterrupt:
        sys.exit(_interrupted())
    except SystemExit as stopped:
        sys.exit(_interrupted() if stopped.code == INTERRUPTED else stopped.code)


_SURROUNDINGS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOENT,
    errno.EMFILE,
}
"""What the machine refuses us; any other OSError is a defect of ours and shows where it comes from."""


def _interrupted() -> int:
    sys.stderr.write("\ninterrupted; what is on disk is whole, and the same command can be given again\n")
    return INTERRUPTED


def _line(message: str) -> int:
    sys.stderr.write(f"error: {message}\n")
    return 2
