"""Where a cohort is written: never over a file that is there, but over the very cohort that is made again.

Knows files and the first line of a cohort; knows nothing of who is in it, nor why.
"""

from __future__ import annotations

from pathlib import Path

from xemplar.errors import XemplarError
from xemplar.folders import check_new, refusals_told, write_atomic
from xemplar.retrieval.cohort import Cohort

_REMEDY = "choose another name with --out, or remove it"


def check_free(out: Path, *, again: Path | None = None, handed_on: Path | None = None) -> None:
    """Refuse a place that isn't free, before anything is gathered.

    `out` may be the file that is gathered `again`; `handed_on`, the folder without ids, is to be new.
    """
    if below := next((one for one in out.parents if one.exists() and not one.is_dir()), None):
        raise XemplarError("a file", wanted="a folder to write into", where=str(below))
    if out.is_dir():
        raise XemplarError("a folder", wanted="a file to write", where=str(out))
    if out.exists() and not _same(out, again):
        raise XemplarError("there already", wanted="a new file to write", where=str(out), remedy=_REMEDY)
    if handed_on is not None and handed_on.resolve() in out.resolve().parents:
        raise XemplarError(
            "a cohort with its ids in the folder that is handed on", wanted="a file elsewhere", where=str(out)
        )
    if handed_on is not None and handed_on.is_dir():
        check_new(handed_on, but="nothing")
    elif handed_on is not None and handed_on.exists():
        raise XemplarError("a file", wanted="a new or empty folder", where=str(handed_on))


def write_cohort(made: Cohort, out: Path, *, again: Path | None = None) -> None:
    """Write a cohort as CSV; over the file it is made `again` from only where that has the same rows."""
    check_free(out, again=again)
    text = made.text()
    if out.exists() and is_changed(out, made):
        raise XemplarError(
            "its rows were changed since they were gathered", wanted="the rows that were, to write over them",
            where=str(out), remedy="choose another name with --out",
        )  # fmt: skip
    with refusals_told(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(out, text.encode())


def is_changed(path: Path, made: Cohort) -> bool:
    """Whether a cohort's file holds other rows than those that its header describes, gathered again."""
    return _rows_of(path.read_bytes()) != _rows_of(made.text().encode())


def _same(out: Path, again: Path | None) -> bool:
    return again is not None and again.exists() and out.samefile(again)


def _rows_of(text: bytes) -> bytes:
    """A cohort's file without its header."""
    return text.partition(b"\n")[2]
