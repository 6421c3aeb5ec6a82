"""A folder of reports, each a text file, as a batch: its films are the files of the same name.

Knows files' names; how a report is checked is handed in, and what becomes of the answers `batch.py` knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from xemplar.check.batch import Batch, Counted, Judge, Report, check_batch
from xemplar.errors import XemplarError
from xemplar.folders import file_sha256, fingerprint

_TEXT = ".txt"


def check_folder(
    folder: Path,
    out: Path,
    *,
    films: Path | None,
    judge: Judge,
    by: Mapping[str, str | None],
    on_progress: Callable[[int, int], None] | None = None,
) -> Counted:
    """Check every .txt file of a folder and those below it, as `batch.check_batch` says.

    A report's id is its path without the extension. Its films are the files of `films` that are called so
    but for their extension, or lie in a folder that is. Raises XemplarError where there is no report, where
    one is no text, and where no film is called as any report is.
    """
    texts = _named(folder, lambda one: one.suffix.lower() == _TEXT)
    if not texts:
        raise XemplarError("no report in it", wanted=f"{_TEXT} files", where=str(folder))
    if doubled := [one for one in texts.values() if len(one) > 1]:
        raise XemplarError("two reports of one name", wanted="one", where=str(doubled[0][1]))
    reports = {name: paths[0] for name, paths in texts.items()}
    views, spare = ({}, 0) if films is None else _views(films, reports)
    if films is not None and not views:
        raise XemplarError("no film is called as a report is", wanted="the names alike", where=str(films))
    hashes = [(name, file_sha256(path)) for name, path in reports.items()]
    told = {"checked": folder.name, "sha256": fingerprint(hashes), "films": films is not None}
    batch = Batch(told, tuple(reports.values()), lambda: _reports(reports, views), spare, films is not None)
    return check_batch(batch, out, judge=judge, by=by, on_progress=on_progress)


def text_of(path: Path) -> str:
    """A report's text with its line ends as they are: alerts are told by offsets into it.

    A byte order mark is no part of it. Raises XemplarError for what is no text in UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise XemplarError("not UTF-8", wanted="a report as plain text", where=str(path)) from None
    except OSError as error:
        raise XemplarError(str(error.strerror), wanted="a report as plain text", where=str(path)) from None


def _reports(
    reports: Mapping[str, Path], views: Mapping[str, tuple[Path, ...]]
) -> Iterator[tuple[str, Report, tuple[Path, ...]]]:
    return ((name, text_of(path), views.get(name, ())) for name, path in reports.items())


def _named(folder: Path, wanted: Callable[[Path], bool]) -> dict[str, list[Path]]:
    """The files of a folder and those below it by their paths in it, without extensions; none is hidden."""
    if not folder.is_dir():
        raise XemplarError("no such folder", where=str(folder))
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and wanted(path) and not any(part.startswith(".") for part in inside.parts):
            found.setdefault(inside.with_suffix("").as_posix(), []).append(path)
    return found


def _views(films: Path, reports: Mapping[str, Path]) -> tuple[dict[str, tuple[Path, ...]], int]:
    """Each report's films, called as it is or in a folder that is; and how many are no report's."""
    found: dict[str, list[Path]] = {}
    spare = 0
    for name, paths in _named(films, lambda one: one.suffix.lower() != _TEXT).items():
        for path in paths:
            whole = path.relative_to(films).as_posix()  # as of a DICOM file, "1.2.840" without extension
            own = next((one for one in (whole, name, name.rpartition("/")[0]) if one in reports), None)
            if own is None:
                spare += 1
            else:
                found.setdefault(own, []).append(path)
    return {name: tuple(paths) for name, paths in found.items()}, spare
