"""`xemplar replay` walked as a user walks it; and no byte of an archive changes a draft unnoticed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from commands import draw, refused, xemplar
from PIL import Image

from xemplar.archive import open_archive
from xemplar.archive.draft_file import Asked, file_bytes, record_of
from xemplar.errors import XemplarError

UNREAD = {
    "calibration/check.json": "limits of the second reader, which checks it",
    "corpus/landmarks/000000.npy": "tells near-duplicates, for calibration and scores alone",
    "corpus/near_duplicates.json": "what was found of them; has a checksum of its own",
    "corpus/previews/000000.npy": "read for films of the corpus alone, and checked then",
    "corpus/salt": "makes keys when a corpus grows",
    "model/log.jsonl": "how training went",
    "model/training.png": "the same as a picture",
    "test.toml": "the recipe as it was given to training, which keeps a copy",
}
"""Files of the archive from which no draft of a user's film is made, and what they are for."""


@pytest.fixture
def archive(walk, tmp_path):
    """The whole archive again, with a film and its draft's file beside it."""
    shutil.copytree(walk, tmp_path / "a", ignore=shutil.ignore_patterns(".lock"))
    draw(tmp_path / "film.png")
    return tmp_path / "a"


@pytest.fixture
def drafted(archive):
    path = archive.parent / "draft.json"
    printed = xemplar("draft", archive / "index", archive.parent / "film.png", "--out", path, "--json").stdout
    assert printed == path.read_text()
    return path


def test_a_draft_is_made_again_byte_for_byte(drafted, tmp_path):
    said = xemplar("replay", drafted, "--out", tmp_path / "again.json").stdout
    assert said.startswith("the same bytes: ")
    assert (tmp_path / "again.json").read_bytes() == drafted.read_bytes()


def test_a_silent_draft_made_again_says_why_it_was_silent(archive, tmp_path):
    Image.new("L", (300, 300)).save(tmp_path / "blank.png")
    drafted = xemplar("draft", archive / "index", tmp_path / "blank.png", "--out", tmp_path / "d.json").stdout
    (why,) = [line.strip() for line in drafted.splitlines() if line.startswith("  no draft: ")]
    assert f"nothing was said: {why}\n" in xemplar("replay", tmp_path / "d.json").stdout


def test_what_the_user_did_not_name_is_not_recorded(drafted, archive):
    folders = json.loads(drafted.read_text())["record"]["folders"]
    assert folders == {"index": str(archive / "index"), "corpus": None, "model": None, "calibration": None}


def test_an_archive_and_film_that_were_moved_are_named_again(drafted, archive, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    shutil.move(archive, tmp_path / "elsewhere/b")
    shutil.move(tmp_path / "film.png", tmp_path / "elsewhere/f.png")
    assert "no such index folder" in refused("replay", drafted)
    index = ("--index", tmp_path / "elsewhere/b/index")
    assert "no such film; wanted the one of SHA-256" in refused("replay", drafted, *index)
    said = xemplar("replay", drafted, *index, "--film", tmp_path / "elsewhere/f.png").stdout
    assert "the same bytes" in said
    assert "made otherwise: folders index" in said


def test_paths_are_sought_beside_the_draft(archive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    xemplar("draft", "a/index", "film.png", "--out", "draft.json")
    monkeypatch.chdir("/")
    assert "the same bytes" in xemplar("replay", tmp_path / "draft.json").stdout


def test_another_film_under_the_name_is_named(drafted, archive, tmp_path):
    (tmp_path / "film.png").write_bytes((tmp_path / "film.png").read_bytes() + b" ")
    line = refused("replay", drafted)
    assert "film.png: another film: SHA-256" in line


def test_what_differs_ends_in_exit_code_1(drafted):
    told = json.loads(drafted.read_text())
    told["record"]["versions"]["torch"], told["status"] = "1.0", "verified"
    drafted.write_text(json.dumps(told))
    said = xemplar("replay", drafted, code=1).stdout
    assert "made otherwise: versions torch\n  then 1.0" in said
    assert "status\n  then verified" in said
    found = json.loads(xemplar("replay", drafted, "--json", code=1).stdout)
    assert (found["same"], found["same_lines"]) == (False, True)


def draft_of(archive: Path) -> bytes:
    opened = open_archive(archive / "index")
    asked = Asked.load(opened, [archive.parent / "film.png"])
    return file_bytes(asked.drafted(opened), record_of(opened, asked))


def test_a_flipped_bit_is_named_whichever_file_of_the_archive_it_is_in(archive):
    whole, told = draft_of(archive), []
    for path in sorted(each for each in archive.rglob("*") if each.is_file()):
        name, data = path.relative_to(archive).as_posix(), path.read_bytes()
        place = len(data) // 2
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        try:
            same = draft_of(archive) == whole
            assert same and name in UNREAD, name
        except XemplarError as error:
            assert path.name in str(error)
            told.append(name)
        path.write_bytes(data)
    assert draft_of(archive) == whole
    assert len(told) > 20


def test_a_flipped_bit_of_a_preview_is_named_when_the_film_is_asked_about(archive):
    path = archive / "corpus/previews/000000.npy"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    opened = open_archive(archive / "index")
    with pytest.raises(XemplarError, match=r"previews/000000\.npy can't be read"):
        opened.films_of(next(study for study in opened.corpus.studies if study.views))
