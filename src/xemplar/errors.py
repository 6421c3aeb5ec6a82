"""The one error a user ever sees: what was found, what was wanted, where, and the remedy.

Knows nothing of any other module. Anything raised here reaches the command line as a single line;
every other exception is a defect of ours.
"""

from __future__ import annotations


class XemplarError(Exception):
    """A mistake in the input or its surroundings, told in one line.

    `found` states the fact; `wanted`, `where` and `remedy` complete it where they are known. The
    message reads "where: found; wanted ...; remedy". It must never hold patient text.
    """

    def __init__(self, found: str, *, wanted: str = "", where: str = "", remedy: str = "") -> None:
        self.found, self.wanted, self.where, self.remedy = found, wanted, where, remedy
        line = f"{where}: {found}" if where else found
        if wanted:
            line += f"; wanted {wanted}"
        if remedy:
            line += f"; {remedy}"
        super().__init__(" ".join(line.split()))


class ImageError(XemplarError):
    """An image that can't be read, or isn't one."""


class MismatchError(XemplarError):
    """Two things that don't fit each other: a folder and its version, a model and an index."""
