"""What a table source refuses: damaged rows and files, in one line each that quotes no cell."""

import re

import pytest
from tables import TEXT, read, said_of, write

from xemplar.errors import XemplarError
from xemplar.records import Rejected
from xemplar.sources.table import TableSettings

# --- damage -----


def test_a_ragged_row_is_rejected_and_counted(tmp_path):
    arrivals, rejected = read(write(tmp_path, "id,text\n1,x\n2\n3,y,z\n4,w\n"))
    assert [one.study.study_id for one in arrivals] == ["1", "4"]
    assert rejected == [
        Rejected("row 2", "1 cells where the header has 2", "row 2"),
        Rejected("row 3", "3 cells where the header has 2", "row 3"),
    ]


def test_a_nul_byte_is_rejected(tmp_path):
    arrivals, rejected = read(write(tmp_path, b"id,text\n1,x\n2,a\0b\n"))
    assert len(arrivals) == 1
    assert rejected == [Rejected("row 2", "a NUL byte in column 'text'", "row 2")]


def test_an_odd_date_is_rejected(tmp_path):
    _, rejected = read(write(tmp_path, "id,text,acquired_at\n1,x,yesterday\n"))
    assert rejected == [Rejected("1", "acquired_at is not an ISO date or time", "row 1")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.xlsx", "x", "t.xlsx: extension '.xlsx'; wanted .csv"),
        ("t.csv", "", "t.csv: the table is empty"),
        ("t.csv", "id,text\n", "t.csv: the table has no rows"),
        ("t.jsonl", "\n", "t.jsonl: the table is empty"),
        ("t.csv", "id,text,id\n1,x,2\n", "t.csv: column 'id' stands twice"),
        ("t.csv", "id,age\n1,2\n", "no column of images and none of texts"),
        (
            "t.csv",
            b"id,text\n1,caf\xe9\n",
            "t.csv: byte 13 (line 2) is not UTF-8; wanted UTF-8; save the table as UTF-8",
        ),
        ("t.csv", b"\xff\xfei\0d\0", "t.csv: byte 0 (line 1) is UTF-16, not UTF-8"),
        ("t.csv", b"id,text\n1,x\n\n2,caf\xe9\n", "t.csv: byte 18 (line 4) is not UTF-8"),
        ("t.jsonl", b"\xff\xfei\0d\0", "t.jsonl: byte 0 (line 1) is UTF-16, not UTF-8"),
        (
            "t.csv",
            "id\ttext\n1\tx\n",
            "t.csv: tabs between its columns; wanted commas or semicolons; call the",
        ),
        ("t.csv", 'id,text\n1,"x\n2,y\n', "t.csv, line 3: not a well-formed line"),
        ("t.jsonl", '{"id": 1, "text": "x"}\n{"id": ', "t.jsonl, line 2: not a line of JSON"),
        ("t.jsonl", "[1]\n", "t.jsonl, line 1: not a JSON object"),
        ("t.jsonl", '{"id": 1, "id": 2}\n', "t.jsonl, line 1: column 'id' stands twice"),
        ("t.jsonl", b'{"id": "1"}\n{"id": "\xe9"}\n', "t.jsonl: byte 20 (line 2) is not UTF-8"),
        ("t.parquet", "not parquet", "t.parquet: not a readable Parquet file"),
    ],
)
def test_what_is_wrong_with_the_table(tmp_path, name, content, message):
    with pytest.raises(XemplarError, match=re.escape(message)):
        read(write(tmp_path, content, name))


def test_no_such_file(tmp_path):
    with pytest.raises(XemplarError, match=r"none\.csv: no such file"):
        read(tmp_path / "none.csv")


@pytest.mark.parametrize(
    "settings",
    [
        TableSettings(patients_unknown=True, columns={"text": "words"}),
        TableSettings(patient_column="words"),
        TableSettings(group_column="words"),
        TableSettings(patients_unknown=True, split_column="words"),
    ],
)
def test_no_such_column_lists_those_there_are(tmp_path, settings):
    with pytest.raises(XemplarError, match="no column 'words'; wanted one of id, text"):
        read(write(tmp_path, "id,text\n1,x\n"), settings)


def test_no_such_field(tmp_path):
    settings = TableSettings(patients_unknown=True, columns={"colour": "id"})
    with pytest.raises(XemplarError, match="'colour' is not a field"):
        read(write(tmp_path, "id,text\n1,x\n"), settings)


def test_a_facet_of_a_name_that_is_kept_is_refused(tmp_path):
    said = said_of(write(tmp_path, "id,text,ward\n1,x,7\n"), columns={"facet:cluster": "ward"})
    assert said == "table.csv: facet:cluster is kept for what stays in one split; wanted another facet's name"


def test_no_error_holds_a_value(tmp_path):
    path = write(tmp_path, 'id,text\n1,"SECRET" x\n')
    with pytest.raises(XemplarError) as caught:
        read(path)
    assert "SECRET" not in str(caught.value)


def test_a_value_that_is_no_split_is_not_quoted(tmp_path):
    path = write(tmp_path, f"id,findings\n1,{TEXT}\n")
    said = said_of(path, split_column="findings")
    assert "row 1: column 'findings' holds a value that is no split's name" in said
    assert "effusion" not in said


HEADERLESS = [
    f"7,{TEXT},P1",
    "P00123,Cardiomegaly,x",
    "film1.png,Clear,x",
    "Doe^John,Clear,x",
    "Clear lungs. Heart normal.,x,y",
    "Clear lungs,2,x",
]


@pytest.mark.parametrize("first", HEADERLESS)
@pytest.mark.parametrize(
    "settings",
    [
        {"columns": {"text": "words"}},
        {"split_column": "words", "columns": {"text": ""}},
        {},
        {"patients_unknown": False},
    ],
)
def test_a_first_row_that_is_no_header_is_not_quoted(tmp_path, first, settings):
    said = said_of(write(tmp_path, f"{first}\n{first}\n"), **settings)
    if settings != {"patients_unknown": False}:
        assert "its first row does not look like a header" in said
    assert not [cell for cell in first.split(",") if len(cell) > 3 and cell in said]


def test_a_cell_that_stands_twice_where_the_header_should_be_is_not_quoted(tmp_path):
    said = said_of(write(tmp_path, f"1,{TEXT},{TEXT}\n"))
    assert "a column stands twice" in said and "first row does not look like a header" in said
    assert "effusion" not in said


def test_a_patient_column_is_not_guessed_from_what_may_be_a_text(tmp_path):
    path = write(tmp_path, f"image,text,{TEXT}\n1,x,y\n")
    assert "effusion" not in said_of(path, patients_unknown=False)


def test_a_text_mapped_as_an_image_is_not_quoted(tmp_path):
    said = said_of(write(tmp_path, f"id,findings\n1,{TEXT}\n"), columns={"image": "findings"})
    assert "row 1: none of the first 1 images exists" in said
    assert "effusion" not in said


def test_a_nul_byte_in_a_column_without_a_name_names_its_place(tmp_path):
    _, rejected = read(write(tmp_path, f"id,text,{TEXT}\n1,x,a\0b\n"))
    assert rejected[0].reason == "a NUL byte in column number 3"


def test_usual_column_names_are_listed(tmp_path):
    columns = "Image Index,Finding Labels,Follow-up #,Patient ID,OriginalImage[Width,view_1,"
    said = said_of(write(tmp_path, f"{columns}\n{'x,' * 6}\n"), split_column="words")
    assert "wanted one of Image Index, Finding Labels, Follow-up #, Patient ID" in said
