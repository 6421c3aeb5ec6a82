"""A folder of reports becomes a file of alerts; films are called as their reports are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xemplar.check import Checked, check_text
from xemplar.check.folder import check_folder
from xemplar.errors import XemplarError
from xemplar.records import Study

CONFLICT = "FINDINGS: No pneumothorax.\nIMPRESSION: Left pneumothorax."


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    (folder / "ward").mkdir(parents=True)
    for name in ("a.txt", "ward/b.txt", "1.2.840.txt"):
        (folder / name).write_text(CONFLICT)
    (folder / "notes.md").write_text("no report")
    return folder


def test_every_text_file_has_its_line(reports: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    counted = check_folder(reports, out, films=None, judge=lambda report, _: check_text(report), by={})
    told = [json.loads(line) for line in out.read_text().splitlines()[1:]]
    assert [one["id"] for one in told] == ["1.2.840", "a", "ward/b"]
    assert counted.alarmed == 3 and all(len(one["alerts"]) == 1 for one in told)


def test_films_are_called_as_their_reports_are(reports: Path, tmp_path: Path) -> None:
    films = tmp_path / "films"
    for name in ("a.png", "ward/b/frontal.dcm", "ward/b/lateral.dcm", "1.2.840", "c.png"):
        (films / name).parent.mkdir(parents=True, exist_ok=True)
        (films / name).write_bytes(b"film")
    seen: list[list[str]] = []

    def noting(report: str | Study, given: tuple[Path, ...]) -> Checked:
        seen.append([one.relative_to(films).as_posix() for one in given])
        return check_text(report)

    counted = check_folder(reports, tmp_path / "o.jsonl", films=films, judge=noting, by={})
    assert seen == [["1.2.840"], ["a.png"], ["ward/b/frontal.dcm", "ward/b/lateral.dcm"]]
    assert counted.spare == 1


@pytest.mark.parametrize(
    ("name", "bytes_", "told"),
    [
        ("a.TXT", b"Clear.", "two reports of one name"),
        ("z.txt", b"\xff\xfe", "not UTF-8"),
    ],
)
def test_what_is_amiss_is_told_before_anything_is_checked(
    reports: Path, tmp_path: Path, name: str, bytes_: bytes, told: str
) -> None:
    (reports / name).write_bytes(bytes_)

    def never(report: str | Study, films: tuple[Path, ...]) -> Checked:
        raise AssertionError("checked")

    with pytest.raises(XemplarError, match=told):
        check_folder(reports, tmp_path / "o.jsonl", films=None, judge=never, by={})


def test_films_of_other_names_are_refused(reports: Path, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films/x.png").write_bytes(b"film")
    with pytest.raises(XemplarError, match="no film is called as a report is"):
        check_folder(
            reports, tmp_path / "o", films=tmp_path / "films", judge=lambda one, _: check_text(one), by={}
        )


def test_beside_a_folder_of_films_reports_without_one_are_counted(reports: Path, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.png").write_bytes(b"film")

    def judging(report: str | Study, given: tuple[Path, ...]) -> Checked:
        found = check_text(report)
        return Checked(found.alerts, unseen=None if given else "no film was given")

    films, out = tmp_path / "films", tmp_path / "o.jsonl"
    counted = check_folder(reports, out, films=films, judge=judging, by={})
    assert (counted.reports, counted.unseen, counted.seen) == (3, 2, 1)
    again = check_folder(reports, out, films=films, judge=judging, by={})
    assert again.unseen == 2
