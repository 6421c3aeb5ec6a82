"""What was learnt of an index, as a part of a folder: copied, kept, and opened for the index it serves."""

import json
from functools import cached_property

import pytest

from xemplar.errors import MismatchError
from xemplar.folders import publish
from xemplar.parts import FittedTo, Learnt, Parts, open_part, save_part

INDEX = FittedTo(fingerprint="i", generation=1, corpus="c", model="m", reports=10)


class Weights(Learnt):
    kind, version = "weights", 3

    values: list[float]

    @cached_property
    def total(self):
        return sum(self.values)


class Named(Weights):
    @cached_property
    def called(self):
        return f"of {self.total}"


MADE = Named(index=INDEX, values=[1.0, 2.0])
HEAD = {"kind": "weights", "version": 3, "generation": 1, "index": INDEX.model_dump()}


@pytest.mark.parametrize("deep", [False, True])
def test_a_copy_works_out_its_own_and_the_first_keeps_what_it_had(deep):
    assert (MADE.total, MADE.called) == (3.0, "of 3.0")
    copied = MADE.model_copy(update={"values": [5.0]}, deep=deep)
    assert (copied.total, copied.called) == (5.0, "of 5.0")
    assert "total" in vars(MADE) and copied.values == [5.0] and copied.index == INDEX


def test_it_is_settled():
    with pytest.raises(ValueError, match="frozen"):
        MADE.values = []


def test_what_was_saved_is_opened_again(tmp_path):
    told = save_part(tmp_path, MADE)
    assert told == {**HEAD, "values": [1.0, 2.0]}
    assert json.loads((tmp_path / "weights.json").read_text()).items() >= told.items()
    opened = open_part(tmp_path, Named, index=INDEX)
    assert opened is not None and opened.values == [1.0, 2.0] and opened.manifest() == told


def test_what_a_copy_has_worked_out_is_not_written():
    assert MADE.total == 3.0
    assert MADE.manifest(7) == {**HEAD, "generation": 7, "values": [1.0, 2.0]}


def test_out_of_parts_only_what_was_read_is_there(tmp_path):
    save_part(tmp_path, MADE)
    data = (tmp_path / "weights.json").read_bytes()
    (tmp_path / "weights.json").unlink()
    assert open_part(Parts(tmp_path, {}, {"weights.json": data}), Named, index=INDEX) == MADE
    save_part(tmp_path, MADE)
    assert open_part(Parts(tmp_path, {}, {}), Named, index=INDEX) is None


def test_where_there_is_none_none_is_given(tmp_path):
    assert open_part(tmp_path, Weights, index=INDEX) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"values": [1.0, "x"]}, r"weights\.json has a bad values\.1"),
        ({"secret": 1}, r"weights\.json has a bad secret"),
        ({"files": {}}, r"weights\.json has a bad files"),
        ({"index": {**INDEX.model_dump(), "model": 5}}, r"weights\.json has a bad index\.model"),
        ({"version": 4}, "weights of version 4; wanted version 3"),
        ({"kind": "votes"}, "does not describe a weights"),
    ],
)
def test_what_is_none_is_refused_by_the_name_of_its_value(tmp_path, change, said):
    publish(tmp_path, "weights.json", {**HEAD, "values": [], **change})
    with pytest.raises(MismatchError, match=said):
        open_part(tmp_path, Weights, index=INDEX)


def test_one_that_was_learnt_of_another_index_is_refused_naming_both_and_where(tmp_path):
    save_part(tmp_path, MADE)
    other = INDEX.model_copy(update={"fingerprint": "j", "model": "n"})
    said = r"with corpus c and model m \(index i\); wanted corpus c and model n"
    with pytest.raises(MismatchError, match=said) as told:
        open_part(tmp_path, Named, index=other)
    assert told.value.where == str(tmp_path)


@pytest.mark.parametrize(("reports", "serves"), [(5, True), (15, True), (4, False), (16, False)])
def test_it_serves_another_index_of_the_same_corpus_and_model_within_the_drift(reports, serves):
    other = INDEX.model_copy(update={"fingerprint": "j", "reports": reports})
    assert (INDEX.refuses(other) == "") is serves
