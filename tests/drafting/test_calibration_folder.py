"""A calibration folder is swapped as one: the old set, or the new, never parts of both."""

import pytest

from xemplar.drafting.calibration import Calibration, FindingFit, open_calibration, save_calibration
from xemplar.drafting.gate import Gate, open_gate, save_gate
from xemplar.errors import MismatchError
from xemplar.folders import place_of_parts
from xemplar.index import FittedTo

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
    return open_calibration(folder, index=INDEX).title, open_gate(folder, index=INDEX).why


def test_a_new_one_takes_the_place_of_the_old_and_nothing_of_that_is_left(tmp_path):
    (tmp_path / "gate.json").write_text("what an older program wrote beside it")
    for title in ("one", "two"):
        save(tmp_path, title)
        assert held(tmp_path) == (title, title)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.name != ".lock"}
    assert left == {"calibration.json", "000002", "000002/gate.json"}


@pytest.mark.parametrize("broken", ["publish", "sync_below"])
def test_what_is_interrupted_leaves_the_old_one_whole(tmp_path, monkeypatch, broken):
    save(tmp_path, "one")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(f"xemplar.drafting.calibration.{broken}", interrupted)
        save(tmp_path, "two")
    assert held(tmp_path) == ("one", "one")
    save(tmp_path, "three")
    assert held(tmp_path) == ("three", "three")
    assert [path.name for path in tmp_path.glob("0*")] == [place_of_parts(tmp_path, "calibration.json").name]


def interrupted(*_):
    raise KeyboardInterrupt


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


def test_one_of_an_older_program_has_its_parts_beside_it(tmp_path):
    save_calibration(tmp_path, fitted("old"))
    save_gate(tmp_path, Gate(index=INDEX, why="old"))
    assert held(tmp_path) == ("old", "old")
