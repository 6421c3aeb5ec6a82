"""What a table source makes of rows: whose study each is, its views and its images."""

import csv
import os
from collections import defaultdict
from pathlib import Path

import pytest
from pydantic import ValidationError
from tables import FILMS, PATIENT, only, picture, read, write

from xemplar.errors import XemplarError
from xemplar.records import Rejected
from xemplar.report import text_key
from xemplar.sources.table import TableSettings, describe

# --- whose study, and which split -----


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        (TableSettings(patient_column="who"), ("p", "p", "patient")),
        (TableSettings(group_column="who"), (None, "p", "group")),
        (TableSettings(patients_unknown=True), (None, None, "study")),
        (TableSettings(patient_column="who", split_column="part"), ("p", "p", "official")),
    ],
)
def test_owner(tmp_path, settings, wanted):
    arrival = only(write(tmp_path, "id,text,who,part\n1,x,p,train\n"), settings)
    assert (arrival.study.patient_id, arrival.split_key, arrival.study.split_unit) == wanted


@pytest.mark.parametrize(
    ("value", "split"),
    [
        ("train", "train"),
        ("VAL", "val"),
        ("valid", "val"),
        ("validate", "val"),
        ("validation", "val"),
        ("dev", "val"),
        ("test", "test"),
    ],
)
def test_official_split(tmp_path, value, split):
    path = write(tmp_path, f"id,text,part\n1,x,{value}\n")
    assert only(path, TableSettings(patients_unknown=True, split_column="part")).study.split == split


def test_unknown_split(tmp_path):
    path = write(tmp_path, "id,text,part\n1,x,train\n2,y,fold3\n")
    said = r"table\.csv, row 2: column 'part' holds a value that is no split's name; wanted one of train, "
    with pytest.raises(XemplarError, match=said):
        read(path, TableSettings(patients_unknown=True, split_column="part"))


def test_empty_patient_is_rejected(tmp_path):
    arrivals, rejected = read(write(tmp_path, "id,text,patient\n1,x,\n2,y,p\n"), PATIENT)
    assert [one.study.study_id for one in arrivals] == ["2"]
    assert rejected == [Rejected("1", "no patient named", "row 1")]


def test_no_patient_column_named(tmp_path):
    path = write(tmp_path, "id,text,Subject_ID\n1,x,p\n")
    with pytest.raises(XemplarError, match="no patient column named") as caught:
        read(path, TableSettings())
    assert caught.value.wanted == "one of --patient-column NAME, --group-column NAME or --patients-unknown"
    assert (caught.value.where, "Subject_ID" in caught.value.remedy) == ("table.csv", True)


def test_patient_and_group_at_once(tmp_path):
    path = write(tmp_path, "id,text,patient\n1,x,p\n")
    with pytest.raises(XemplarError, match="a patient column and a group column at once"):
        read(path, TableSettings(patient_column="patient", group_column="id"))


# --- views of one study -----


def test_rows_of_one_study_are_its_views(tmp_path):
    picture(tmp_path, "a.png", "b.png", "c.png")
    path = write(tmp_path, "study,image,text\n1,a.png,x\n2,b.png,y\n1,c.png,x\n")
    arrivals, rejected = read(path)
    assert [(a.study.study_id, [v.view_id for v in a.study.views]) for a in arrivals] == [
        ("1", ["1/a", "1/c"]),
        ("2", ["2/b"]),
    ]
    assert not rejected


def test_views_of_one_stem_have_distinct_ids(tmp_path):
    picture(tmp_path, "a/x.png", "b/x.png")
    arrival = only(write(tmp_path, "study,image\n1,a/x.png\n1,b/x.png\n"), FILMS)
    assert [view.view_id for view in arrival.study.views] == ["1/x", "1/x-2"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,a.png,x,p,train", "the same image"),
        ("1,b.png,y,p,train", "another text"),
        ("1,b.png,x,q,train", "another patient"),
        ("1,b.png,x,p,test", "another split"),
        ("1,,x,p,train", "a row without an image"),
    ],
)
def test_a_study_twice(tmp_path, row, reason):
    picture(tmp_path, "a.png", "b.png")
    path = write(tmp_path, f"study,image,text,patient,part\n1,a.png,x,p,train\n{row}\n")
    arrivals, rejected = read(path, TableSettings(patient_column="patient", split_column="part"))
    assert [(a.study.impression, len(a.images)) for a in arrivals] == [("x", 1)]
    assert rejected == [Rejected("1", f"study twice: {reason}", "row 2")]


def test_a_text_only_study_twice(tmp_path):
    _, rejected = read(write(tmp_path, "study,text\n1,x\n1,x\n"))
    assert rejected == [Rejected("1", "study twice: a row without an image", "row 2")]


def test_one_image_in_two_studies_is_kept(tmp_path):
    picture(tmp_path, "a.png")
    arrivals, rejected = read(write(tmp_path, "study,image\n1,a.png\n2,a.png\n"), FILMS)
    assert (len(arrivals), rejected) == (2, [])


def test_without_a_study_column_each_image_is_a_study(tmp_path):
    picture(tmp_path, "a.png", "b.png")
    arrivals, _ = read(write(tmp_path, "image,text\na.png,x\nb.png,x\n"))
    assert [one.study.study_id for one in arrivals] == ["a.png", "b.png"]


def test_texts_without_ids_are_numbered(tmp_path):
    arrivals, _ = read(write(tmp_path, "text\nx\nx\n"))
    assert [one.study.study_id for one in arrivals] == ["row 1", "row 2"]


def test_films_without_texts(tmp_path):
    picture(tmp_path, "a.png")
    arrival = only(write(tmp_path, "image\na.png\n"), FILMS)
    assert (arrival.study.text, len(arrival.images)) == ("", 1)


def test_films_without_texts_have_to_be_asked_for(tmp_path):
    picture(tmp_path, "a.png")
    path = write(tmp_path, "image,befund,beurteilung\na.png,x,y\n")
    with pytest.raises(XemplarError, match="no column of texts; wanted one of text, report") as caught:
        describe(path, TableSettings(patients_unknown=True))
    assert "columns: image, befund, beurteilung; map one (--column findings=COLUMN)" in caught.value.remedy
    assert "--texts reports" in caught.value.remedy


@pytest.mark.parametrize(
    "said", [{"texts": "reports"}, {"domain": "clinical"}, {"columns": {"text": ""}}, {"texts": "captions"}]
)
def test_whatever_says_that_films_are_meant_is_enough(tmp_path, said):
    picture(tmp_path, "a.png")
    arrival = only(write(tmp_path, "image\na.png\n"), TableSettings(patients_unknown=True, **said))
    assert (arrival.study.text, len(arrival.images)) == ("", 1)


@pytest.mark.parametrize(
    ("header", "said", "note"),
    [
        ("id,findings", {}, "no image column"),
        ("id,findings", {"columns": {"image": ""}}, ""),
        ("id,image", {"texts": "reports"}, "no column of texts found, so the films alone are taken"),
        ("id,image", {"columns": {"text": ""}}, ""),
        ("image,findings", {}, ""),
    ],
)
def test_what_a_table_lacks_is_noted_unless_it_was_said(tmp_path, header, said, note):
    notes = describe(write(tmp_path, f"{header}\n1,2\n"), TableSettings(**said))["notes"]
    assert ([one.partition(" (")[0] for one in notes] or [""]) == [note]


def test_a_table_without_an_image_column_says_where_one_was_looked_for(tmp_path):
    (note,) = describe(write(tmp_path, "id,findings\n1,2\n"), TableSettings())["notes"]
    looked_for = "looked for: image, image_path, path, filename, file"
    assert note == f"no image column ({looked_for}; columns: id, findings); texts alone"


@pytest.mark.parametrize("cell", ["films/1.PNG", "C:\\films\\1.dcm", "a b.webp"])
def test_an_unused_column_that_names_images_is_no_table_of_texts(tmp_path, cell):
    table = write(tmp_path, f"id,imagee,text\n1,{cell},Clear.\n2,,Clear.\n3,{cell},Clear.\n")
    for read_as in (lambda said: read(table, said), lambda said: describe(table, said)):
        with pytest.raises(XemplarError, match=r"no image column .*'imagee' names images") as caught:
            read_as(TableSettings(patients_unknown=True))
        assert "--column image=imagee" in caught.value.remedy
    without = TableSettings(patients_unknown=True, columns={"image": ""})
    assert len(read(table, without)[0]) == 3


def test_a_text_that_ends_in_a_file_s_name_is_no_image_column(tmp_path):
    table = write(
        tmp_path, "id,remark,text\n1,please look at the film 3.png,Clear.\n2,a.png,Clear.\n3,b,Clear.\n"
    )
    assert describe(table, TableSettings())["unused"] == ["remark"]


def test_columns_that_nothing_is_taken_from_are_noted(tmp_path):
    table = write(tmp_path, "id,image,findings,age,who\n1,a.png,Clear.,61,p\n")
    assert describe(table, TableSettings(patient_column="who"))["notes"] == ["unused columns: age"]
    headerless = write(tmp_path, "id,image,findings,12345\n1,a.png,Clear.,61\n")
    (note,) = describe(headerless, TableSettings())["notes"]
    assert "12345" not in note


def test_neither_image_nor_text_is_rejected(tmp_path):
    _, rejected = read(write(tmp_path, "id,image,text\n1,,x\n2,,\n"))
    assert rejected == [Rejected("2", "neither an image nor a text", "row 2")]


# --- images -----


def test_images_in_the_images_folder(tmp_path):
    picture(tmp_path, "images/a.png")
    arrival = only(write(tmp_path, "image\na.png\n"), FILMS)
    assert arrival.images == (tmp_path / "images" / "a.png",)
    assert arrival.study.views[0].path == "images/a.png"


def test_images_root(tmp_path):
    picture(tmp_path, "far/a.png")
    path = write(tmp_path, "image\na.png\n")
    arrival = only(path, FILMS.model_copy(update={"images_root": tmp_path / "far"}))
    assert (arrival.images[0], arrival.study.views[0].path) == (tmp_path / "far" / "a.png", "a.png")


def test_paths_as_windows_writes_them(tmp_path):
    picture(tmp_path, "films/a.png", "images/b.png")
    (tmp_path / "images" / "far").mkdir()
    picture(tmp_path, "images/far/c.png")
    rows = "films\\a.png,x\nfar\\c.png,y\n"
    arrivals, rejected = read(write(tmp_path, f"image,text\n{rows}"))
    assert [one.study.views[0].path for one in arrivals] == ["films/a.png", "images/far/c.png"]
    assert [one.images[0].is_file() for one in arrivals] == [True, True] and not rejected


def test_a_file_whose_name_holds_a_backslash_is_itself(tmp_path):
    picture(tmp_path, "films/a.png", "films\\a.png")
    assert only(write(tmp_path, "image,text\nfilms\\a.png,x\n")).images == (tmp_path / "films\\a.png",)


def test_a_missing_image_is_left_to_the_decoder(tmp_path):
    picture(tmp_path, "a.png")
    arrivals, rejected = read(write(tmp_path, "image\na.png\nb.png\n"), FILMS)
    assert [one.images for one in arrivals] == [(tmp_path / "a.png",), (tmp_path / "b.png",)]
    assert not rejected


def test_no_image_at_all_names_the_first_path(tmp_path):
    path = write(tmp_path, "image\nx/a.png\nb.png\n")
    with pytest.raises(XemplarError, match=r"row 1: none of the first 2 images exists; looked for .*x/a.png"):
        read(path, FILMS)


def test_unknown_settings_are_refused():
    with pytest.raises(ValidationError, match="extra"):
        TableSettings(patient="x")


def test_describe(tmp_path):
    path = write(tmp_path, "uid,caption,age\n1,x,7\n2,y,8\n")
    told = describe(path, TableSettings(group_column="uid"))
    assert (told["columns"], told["unused"]) == ({"study": "uid", "text": "caption"}, ["age"])
    assert (told["texts"], told["domain"], told["rows"]) == ("captions", "figures", 2)


# --- shared data -----

SHARED = pytest.mark.skipif("XEMPLAR_DATA" not in os.environ, reason="needs XEMPLAR_DATA (roco)")


def roco():
    return Path(os.environ["XEMPLAR_DATA"]) / "roco" / "metadata.csv"


@pytest.mark.shared
@SHARED
def test_roco_arrives_whole():
    arrivals, rejected = read(roco(), TableSettings(columns={"text": "text"}, group_column="group_id"))
    assert (len(arrivals), rejected) == (3655, [])


@pytest.mark.shared
@SHARED
def test_text_key_parts_roco_as_its_text_ids_do():
    ours, theirs = defaultdict(set), defaultdict(set)
    with roco().open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            ours[text_key(row["text"])].add(row["image_id"])
            theirs[row["text_id"]].add(row["image_id"])
    assert {frozenset(one) for one in ours.values()} == {frozenset(one) for one in theirs.values()}
