"""The command line: one short function a verb; progress on stderr, results on stdout.

Imports nothing heavy, so that help answers at once. Users' mistakes end in one line.
"""

from __future__ import annotations

import os
import sys

import click

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
        code = app(arguments, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except XemplarError as error:
        code = _line(str(error))
    except (KeyboardInterrupt, click.exceptions.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    except OSError as error:
        code = _line(f"{error.filename or 'system'}: {error.strerror or type(error).__name__}")
    if code == INTERRUPTED:
        sys.stderr.write("\ninterrupted; the same command goes on where it stopped\n")
    sys.exit(code or 0)


def _line(message: str) -> int:
    sys.stderr.write(f"error: {message}\n")
    return 2
