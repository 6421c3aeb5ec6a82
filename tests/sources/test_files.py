"""The files of a folder: their order, and what is told in place of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from xemplar.errors import XemplarError
from xemplar.records import Rejected
from xemplar.sources.files import File, check_folder, files_under


def test_files_come_by_name_within_each_folder(tmp_path):
    for name in ("b/2", "a/9", "z", "a/10", "b/c/1", "A"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [one.relative for one in files_under(tmp_path) if isinstance(one, File)]
    assert found == ["A", "z", "a/10", "a/9", "b/2", "b/c/1"]


def test_a_link_to_a_file_is_followed_and_one_to_a_folder_is_not(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/film").touch()
    (tmp_path / "film").symlink_to(tmp_path / "a/film")
    (tmp_path / "a/round").symlink_to(tmp_path)
    assert [one.relative for one in files_under(tmp_path) if isinstance(one, File)] == ["film", "a/film"]


def test_a_folder_that_cannot_be_opened_is_told(tmp_path, monkeypatch):
    (tmp_path / "shut").mkdir()
    (tmp_path / "film").touch()

    def walk(root, onerror):
        yield str(root), ["shut"], ["film"]
        onerror(PermissionError(13, "Permission denied", str(root / "shut")))

    monkeypatch.setattr("xemplar.sources.files.os.walk", walk)
    assert list(files_under(tmp_path)) == [
        File("film", tmp_path / "film"),
        Rejected("shut", "a folder that can't be opened (Permission denied)", "shut"),
    ]


@pytest.mark.parametrize(("name", "said"), [("none", "no such folder"), ("file", "a file, not a folder")])
def test_what_is_no_folder_is_refused(tmp_path, name, said):
    (tmp_path / "file").touch()
    with pytest.raises(XemplarError, match=f"{said}; wanted films"):
        check_folder(Path(tmp_path / name), "films")
