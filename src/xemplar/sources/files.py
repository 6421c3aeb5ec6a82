"""The files of a folder, in one order on every machine, and which of them can't be named.

Knows paths only: never opens a file. Links to files are followed; links to folders are not, so that nothing
is met twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xemplar.errors import XemplarError
from xemplar.records import Rejected

IMAGES = (".png", ".jpg", ".jpeg", ".dcm")


@dataclass(frozen=True, slots=True)
class File:
    """One file and where it lies below the folder that was asked for, in POSIX spelling."""

    relative: str
    path: Path


def check_folder(path: Path, wanted: str) -> None:
    """Refuse what is no folder."""
    if not path.is_dir():
        found = "a file, not a folder" if path.is_file() else "no such folder"
        raise XemplarError(found, wanted=wanted, where=str(path))


def files_under(root: Path) -> Iterator[File | Rejected]:
    """Every file below a folder, by name within each folder; a name or folder that can't be read, as such."""
    closed: list[OSError] = []
    for folder, folders, names in os.walk(root, onerror=closed.append):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            relative = path.relative_to(root).as_posix()
            shown = printable(relative)
            if shown != relative:
                yield Rejected(shown, "a file name that is not UTF-8", shown)
            elif not path.is_file():  # to open a pipe would be to wait for ever
                yield Rejected(shown, "no file but a broken link, a pipe or a device", shown)
            else:
                yield File(relative, path)
    for error in closed:
        shown = printable(Path(os.path.relpath(error.filename, root)).as_posix())
        yield Rejected(shown, f"a folder that can't be opened ({error.strerror})", shown)


def printable(name: str) -> str:
    """A file's name as text; bytes that are no UTF-8 become question marks of their own kind."""
    return os.fsencode(name).decode("utf-8", "replace")
