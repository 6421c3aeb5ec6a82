"""Manifests, atomic writes and locks of every folder."""

import json
import os
from pathlib import Path

import pytest

from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import (
    check_new,
    clear_leftovers,
    describe_file,
    fingerprint,
    publish,
    read_manifest,
    write_atomic,
    writing,
)


def manifest(**changes):
    return {"kind": "corpus", "version": 1, "generation": 3, **changes}


def test_a_fingerprint_is_what_sha256sum_says_of_the_canonical_json():
    # printf '{"a":[1,"é"],"b":null}' | sha256sum
    assert fingerprint({"b": None, "a": [1, "é"]}) == "1e02bc81a26af2f0"


def test_a_fingerprint_changes_with_any_value():
    assert len({fingerprint(value) for value in ([1, 2], [2, 1], [1, "2"], [12], {"1": 2})}) == 5


def test_a_file_is_listed_by_size_and_sha256(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert describe_file(tmp_path / "abc") == {"bytes": 3, "sha256": known}


def test_an_atomic_write_replaces_the_whole_file(tmp_path):
    (tmp_path / "file").write_bytes(b"a longer text from before")
    write_atomic(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_an_atomic_write_leaves_nothing_else(tmp_path):
    write_atomic(tmp_path / "file", b"new")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("wrong", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_bytes(tmp_path, monkeypatch, wrong):
    (tmp_path / "file").write_bytes(b"old")

    def fail(*_):
        raise wrong

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises((XemplarError, KeyboardInterrupt)):
        write_atomic(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_full_disk_is_told_in_a_line_and_leaves_no_temporary_file(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(XemplarError, match=r"file: cannot be written \(No space left on device\)"):
        write_atomic(tmp_path / "file", b"new")
    assert os.listdir(tmp_path) == []


def test_a_private_file_is_private_before_it_has_a_name(tmp_path, monkeypatch):
    modes = []
    replace = Path.replace

    def look(temporary, target):
        modes.append(temporary.stat().st_mode & 0o777)
        return replace(temporary, target)

    monkeypatch.setattr(Path, "replace", look)
    write_atomic(tmp_path / "salt", b"secret", mode=0o600)
    assert modes == [0o600]


def test_a_published_manifest_is_read_again(tmp_path):
    publish(tmp_path, "corpus.json", manifest(title="Käse"))
    assert read_manifest(tmp_path, "corpus.json", kind="corpus", version=1) == manifest(title="Käse")


def test_every_byte_of_a_published_manifest_counts(tmp_path):
    publish(tmp_path, "corpus.json", manifest(title="Käse", files={"a b": [1, 2.5]}))
    path = tmp_path / "corpus.json"
    data = path.read_bytes()
    for place in range(len(data)):
        for flip in (1, 4, 32):
            path.write_bytes(data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :])
            with pytest.raises(XemplarError, match=r"corpus\.json|corpus of version"):
                read(tmp_path)


def test_a_manifest_of_before_there_were_checksums_is_read(tmp_path):
    (tmp_path / "corpus.json").write_text(json.dumps(manifest(title="old")))
    assert read(tmp_path) == manifest(title="old")


def read(folder):
    return read_manifest(folder, "corpus.json", kind="corpus", version=1)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(XemplarError, match="gone: no such corpus folder"):
        read(tmp_path / "gone")


def test_a_folder_without_its_manifest_says_what_makes_one(tmp_path):
    with pytest.raises(
        XemplarError, match=r"no corpus\.json in it; wanted a corpus folder; `xemplar ingest`"
    ):
        read(tmp_path)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe\x00"])
def test_a_manifest_that_is_not_json_is_refused(tmp_path, data):
    (tmp_path / "corpus.json").write_bytes(data)
    with pytest.raises(XemplarError, match=r"corpus\.json is not readable JSON"):
        read(tmp_path)


def test_a_folder_that_is_no_index_is_refused_in_good_english(tmp_path):
    with pytest.raises(XemplarError, match=r"no index\.json in it; wanted an index folder"):
        read_manifest(tmp_path, "index.json", kind="index", version=1)


@pytest.mark.parametrize("value", [[], None, {}, manifest(kind="index")])
def test_a_manifest_of_another_kind_is_refused(tmp_path, value):
    (tmp_path / "corpus.json").write_text(json.dumps(value))
    with pytest.raises(MismatchError, match="does not describe a corpus"):
        read(tmp_path)


def test_a_manifest_of_another_version_is_refused_naming_both(tmp_path):
    publish(tmp_path, "corpus.json", manifest(version=7))
    with pytest.raises(MismatchError, match="corpus of version 7; wanted version 1"):
        read(tmp_path)


def test_a_second_writer_is_told(tmp_path):
    with (
        writing(tmp_path / "folder"),
        pytest.raises(XemplarError, match="another process is writing here"),
        writing(tmp_path / "folder"),
    ):
        pass


def test_a_folder_is_free_again_after_a_writer_failed(tmp_path):
    with pytest.raises(ZeroDivisionError), writing(tmp_path):
        _ = 1 / 0
    with writing(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_told_in_a_line(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(XemplarError, match=r"cannot be written \(Not a directory\)"),
        writing(tmp_path / "file/x"),
    ):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write anywhere")
def test_a_read_only_folder_is_told_in_a_line(tmp_path):
    (tmp_path / "folder").mkdir(mode=0o555)
    with (
        pytest.raises(XemplarError, match=r"cannot be written \(Permission denied\)"),
        writing(tmp_path / "folder"),
    ):
        pass


def test_a_new_folder_may_hold_a_lock_leftovers_and_what_is_named(tmp_path):
    for name in (".lock", ".corpus.json.123.tmp", "salt"):
        (tmp_path / name).touch()
    check_new(tmp_path, but="salt")


@pytest.mark.parametrize("name", ["notes.txt", "salty", ".tmp", "x.1.tmp"])
def test_a_new_folder_may_hold_nothing_else(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(XemplarError, match="holds other files; wanted a new or empty folder"):
        check_new(tmp_path, but="salt")


def test_only_leftovers_are_cleared(tmp_path):
    (tmp_path / "views").mkdir()
    for name in (".corpus.json.123.tmp", "views/.000001.parquet.9.tmp", "views/000001.parquet", ".own.tmp"):
        (tmp_path / name).touch()
    clear_leftovers(tmp_path)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == [".own.tmp", "views", "views/000001.parquet"]
