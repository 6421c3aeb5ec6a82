"""Another system's predictions: lines that can't be taken are refused by their number."""

import json

import pytest

from xemplar.errors import XemplarError
from xemplar.evaluation.benchmark.asked import asked_of
from xemplar.evaluation.benchmark.predictions import asked_lines, read_predictions


@pytest.fixture(scope="module")
def sets(phantom_corpus):
    return {"A": asked_of("A", phantom_corpus)}


def written(folder, *lines):
    path = folder / "theirs.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def test_whom_to_ask_is_told_without_any_text(sets):
    rows = [json.loads(line) for line in asked_lines(sets).splitlines()]
    assert [row["study_id"] for row in rows] == [study.study_id for study in sets["A"].studies]
    assert set(rows[0]) == {"study_id", "set", "views"}


def test_texts_are_read_by_study(sets, tmp_path):
    name = sets["A"].studies[0].study_id
    line = {"study_id": name, "text": "No effusion.", "set": "A"}
    assert read_predictions(written(tmp_path, line, ""), sets) == {name: "No effusion."}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["no json"], "line 1: no JSON object"),
        ([{"study_id": "x"}], "no study_id or no text"),
        ([{"study_id": "x", "text": 3}], "no study_id or no text"),
        ([{"study_id": "nobody", "text": "t"}], "that nobody is asked about"),
        ([""], "no prediction"),
    ],
)
def test_a_line_that_cannot_be_taken_is_refused(sets, tmp_path, lines, said):
    with pytest.raises(XemplarError, match=said):
        read_predictions(written(tmp_path, *lines), sets)


def test_studies_of_nobody_refuse_the_file_are_counted_and_the_first_named(sets, tmp_path):
    asked = [study.study_id for study in sets["A"].studies]
    others = [f"{number:016x}" for number in range(4)]
    lines = [{"study_id": name, "text": "t"} for name in (asked[0], *others, asked[1])]
    with pytest.raises(XemplarError) as told:
        read_predictions(written(tmp_path, *lines), sets)
    assert told.value.found == (
        "4 of 6 study_ids that nobody is asked about: line 2 0000000000000000, line 3 0000000000000001, "
        "line 4 0000000000000002, ..."
    )
    assert str(told.value).startswith("theirs.jsonl: ") and "asked.jsonl" in told.value.remedy


def test_an_id_of_the_source_is_not_repeated(sets, tmp_path):
    with pytest.raises(XemplarError, match="1 of 1 study_ids that nobody is asked about: line 1;") as told:
        read_predictions(written(tmp_path, {"study_id": "DOE-1957-0042", "text": "t"}), sets)
    assert "DOE" not in str(told.value)


@pytest.mark.parametrize("name", [None, "nobody"])
def test_a_study_twice_is_refused(sets, tmp_path, name):
    line = {"study_id": name or sets["A"].studies[0].study_id, "text": "t"}
    with pytest.raises(XemplarError, match=r"line 2: a study_id that stands before"):
        read_predictions(written(tmp_path, line, line), sets)


def test_another_set_than_the_studys_is_refused(sets, tmp_path):
    line = {"study_id": sets["A"].studies[0].study_id, "text": "t", "set": "B"}
    with pytest.raises(XemplarError, match="set 'B'; wanted 'A'"):
        read_predictions(written(tmp_path, line), sets)


def test_a_file_that_is_not_there_is_refused(sets, tmp_path):
    with pytest.raises(XemplarError, match="can't be read"):
        read_predictions(tmp_path / "none.jsonl", sets)
