"""A calibration folder is swapped as one, the old set or the new; what isn't its own is never removed."""

import shutil

import pytest

from xemplar import parts
from xemplar.drafting import calibration as module
from xemplar.drafting.calibration import (
    Calibration,
    FindingFit,
    open_calibration,
    open_parts,
    save_calibration,
)
from xemplar.drafting.gate import Gate, open_gate, save_gate
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import publish
from xemplar.parts import FittedTo

INDEX = FittedTo(fingerprint="i", generation=1, corpus="c", model="m", reports=9)
FIT = FindingFit(
    mean=[0.0], scale=[1.0], weights=[1.0], intercept=0.0, state_at=0.5, deny_at=0.1, present=9
)  # fmt: skip


def fitted(title):
    return Calibration(index=INDEX, studies=9, title=title, findings={"Edema": FIT}, too_few={})


def save(folder, title):
    gate = Gate(index=INDEX, why=title)
    save_calibration(folder, fitted(title), parts=lambda place: save_gate(place, gate))


def held(folder):
    parts = open_parts(folder)
    return open_calibration(parts, index=INDEX).title, open_gate(parts, index=INDEX).why


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.name != ".lock"}


def older(folder):
    """What a program wrote that listed nothing."""
    manifest = {"kind": "calibration", "version": 1, "generation": 1, **fitted("old").model_dump()}
    publish(folder, "calibration.json", manifest)
    save_gate(folder, Gate(index=INDEX, why="old"))


def test_a_new_one_takes_the_place_of_the_old_and_nothing_of_that_is_left(tmp_path):
    for title in ("one", "two"):
        save(tmp_path, title)
        assert held(tmp_path) == (title, title)
    assert names(tmp_path) == {"calibration.json", "000002", "000002/gate.json"}


@pytest.mark.parametrize("broken", ["calibration.publish", "generations.sync_below"])
def test_what_is_interrupted_leaves_the_old_one_whole(tmp_path, monkeypatch, broken):
    save(tmp_path, "one")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(f"xemplar.drafting.{broken}", interrupted)
        save(tmp_path, "two")
    assert held(tmp_path) == ("one", "one")
    save(tmp_path, "three")
    assert held(tmp_path) == ("three", "three")
    assert len(list(tmp_path.glob("0*"))) == 1 and not list(tmp_path.glob(".*.tmp"))


def interrupted(*_):
    raise KeyboardInterrupt


def test_the_first_that_is_interrupted_can_be_made_again(tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "publish", interrupted)
        save(tmp_path, "one")
    assert list(tmp_path.glob("0*"))
    save(tmp_path, "two")
    assert held(tmp_path) == ("two", "two") and len(list(tmp_path.glob("0*"))) == 1


@pytest.mark.parametrize("spoil", ["gone", "changed"])
def test_a_set_that_is_broken_is_named_and_refused(tmp_path, spoil):
    save(tmp_path, "one")
    gate = tmp_path / "000001" / "gate.json"
    if spoil == "gone":
        gate.unlink()
    else:
        save_gate(gate.parent, Gate(index=INDEX, why="another fit's"))
    with pytest.raises(MismatchError, match=r"000001/gate\.json is missing or changed.*calibration\.json"):
        open_calibration(tmp_path, index=INDEX)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"studies": "many"}, "bad studies"),
        ({"findings": {"Edema": {"mean": 1}}}, r"bad findings\.Edema\.mean"),
        ({"secret": 1}, "bad secret"),
    ],
)
def test_a_value_that_is_no_calibrations_is_named_and_refused(tmp_path, change, said):
    manifest = {"kind": "calibration", "version": 1, "generation": 1, **fitted("x").model_dump()}
    publish(tmp_path, "calibration.json", {**manifest, **change})
    with pytest.raises(MismatchError, match=rf"calibration\.json has a {said}"):
        open_calibration(tmp_path, index=INDEX)


def test_one_of_an_older_program_has_its_parts_beside_it_and_they_go_with_it(tmp_path):
    older(tmp_path)
    assert held(tmp_path) == ("old", "old")
    save(tmp_path, "new")
    assert names(tmp_path) == {"calibration.json", "000002", "000002/gate.json"}


# --- what isn't its own -----


@pytest.mark.parametrize(
    "path",
    ["000001/items/image.parquet", "000123/film.dcm", "gate.json", "000001/check.json", "index.json"],
)
def test_a_folder_of_something_else_is_refused_and_stays_as_it_was(tmp_path, path):
    """An index's generation, patients by number, somebody's own gate.json."""
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text("{}")
    before = names(tmp_path)
    with pytest.raises(XemplarError, match="holds other files; wanted a new or empty folder"):
        save(tmp_path, "one")
    assert names(tmp_path) == before and not (tmp_path / ".lock").exists()


def test_a_calibration_of_something_else_is_not_written_over(tmp_path):
    (tmp_path / "calibration.json").write_text('{"camera": 1}')
    with pytest.raises(MismatchError, match=r"calibration\.json does not describe a calibration"):
        save(tmp_path, "one")
    assert (tmp_path / "calibration.json").read_text() == '{"camera": 1}'


def test_what_lies_beside_a_calibration_stays(tmp_path):
    save(tmp_path, "one")
    mine = {"000007/film.dcm": "a patient", "gate.json": '{"kind": "garden"}', "000001/notes.txt": "mine"}
    for name, text in mine.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "000009").mkdir()
    save(tmp_path, "two")
    assert held(tmp_path) == ("two", "two")
    assert {name: (tmp_path / name).read_text() for name in mine} == mine
    assert (tmp_path / "000009").is_dir() and not (tmp_path / "000001/gate.json").exists()


def test_a_manifest_that_lists_somebody_elses_files_removes_none_of_them(tmp_path):
    folder = tmp_path / "c"
    save(folder, "one")
    (tmp_path / "gate.json").write_text("mine")
    manifest = {"kind": "calibration", "version": 1, "generation": 1, **fitted("x").model_dump()}
    publish(folder, "calibration.json", {**manifest, "files": {"../gate.json": {}, "..": {}}})
    save(folder, "two")
    assert (tmp_path / "gate.json").read_text() == "mine"


# --- read while it is swapped -----


def test_what_is_swapped_while_it_is_read_is_read_once_more(tmp_path, monkeypatch):
    save(tmp_path, "one")
    swap_after_the_manifest(monkeypatch, lambda: save(tmp_path, "two"))
    assert held(tmp_path) == ("two", "two")


def test_an_older_one_that_is_swapped_while_it_is_read_is_read_once_more(tmp_path, monkeypatch):
    older(tmp_path)
    swap_after_the_manifest(monkeypatch, lambda: save(tmp_path, "two"))
    assert held(tmp_path) == ("two", "two")


def test_what_was_read_is_whole_whatever_becomes_of_the_folder(tmp_path):
    save(tmp_path, "one")
    parts = open_parts(tmp_path)
    shutil.rmtree(tmp_path / "000001")
    assert open_gate(parts, index=INDEX).why == "one"


def test_what_isnt_listed_does_not_exist(tmp_path):
    save_calibration(tmp_path, fitted("one"), parts=lambda place: None)
    save_gate(tmp_path, Gate(index=INDEX, why="somebody's"))
    assert open_gate(open_parts(tmp_path), index=INDEX) is None


def swap_after_the_manifest(monkeypatch, swap):
    """The folder becomes another between the first reading of its manifest and that of its parts."""
    read, left = parts.read_unchecked, [swap]

    def reading(*given, **named):
        found = read(*given, **named)
        if left:
            left.pop()()
        return found

    monkeypatch.setattr(parts, "read_unchecked", reading)
