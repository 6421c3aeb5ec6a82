"""What a table source promises: columns, studies and their views, refusals, and errors in one line."""

import csv
import json
import os
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from xemplar.contracts import Arrival
from xemplar.errors import XemplarError
from xemplar.records import Rejected
from xemplar.report import text_key
from xemplar.sources.table import TableSettings, describe, studies

UNKNOWN = TableSettings(patients_unknown=True)
PATIENT = TableSettings(patient_column="patient")


def write(folder, text, name="table.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def picture(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()


def read(path, settings=UNKNOWN):
    found = list(studies(path, settings))
    arrivals = [one for one in found if isinstance(one, Arrival)]
    return arrivals, [one for one in found if isinstance(one, Rejected)]


def only(path, settings=UNKNOWN):
    arrivals, rejected = read(path, settings)
    assert (len(arrivals), rejected) == (1, [])
    return arrivals[0]


# --- formats -----


def test_every_format_reads_alike(tmp_path):
    picture(tmp_path, "a.png", "b.png")
    rows = [
        {"study": "007", "image": "a.png", "caption": 'A "quoted", cell', "patient": "1e5"},
        {"study": "8", "image": "b.png", "caption": "Größe", "patient": "02"},
    ]
    for name, delimiter in (("t.csv", ","), ("t.tsv", "\t")):
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
    write(tmp_path, "\n".join(json.dumps(row) for row in rows), "t.jsonl")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    seen = set()
    for name in ("t.csv", "t.tsv", "t.jsonl", "t.parquet"):
        arrivals, rejected = read(tmp_path / name, PATIENT)
        assert not rejected
        seen.add(
            tuple((a.study.study_id, a.study.patient_id, a.study.impression, a.images) for a in arrivals)
        )
    assert seen == {
        (
            ("007", "1e5", 'A "quoted", cell', (tmp_path / "a.png",)),
            ("8", "02", "Größe", (tmp_path / "b.png",)),
        )
    }


def test_byte_order_mark_is_not_part_of_the_first_column(tmp_path):
    path = write(tmp_path, "\ufeffid,text\n1,Hello\n")
    assert only(path).study.study_id == "1"


def test_json_numbers_stay_as_written(tmp_path):
    path = write(tmp_path, '{"id": 1.50, "text": "x"}\n', "t.jsonl")
    assert only(path).study.study_id == "1.50"


def test_json_lines_may_differ_in_keys(tmp_path):
    path = write(tmp_path, '{"id": 1, "text": "x"}\n\n{"id": 2, "text": "y", "modality": "CT"}\n', "t.jsonl")
    assert [one.study.modality for one in read(path)[0]] == [None, "CT"]


# --- fields -----


def test_a_mapped_column_wins_over_its_namesake(tmp_path):
    path = write(tmp_path, "id,text,other\n1,wrong,right\n")
    settings = TableSettings(patients_unknown=True, columns={"text": "other"})
    assert only(path, settings).study.impression == "right"


def test_a_field_mapped_to_nothing_is_not_read(tmp_path):
    path = write(tmp_path, "id,image,text\n1,not a file,x\n")
    assert only(path, TableSettings(patients_unknown=True, columns={"image": ""})).images == ()


def test_every_field_arrives(tmp_path):
    picture(tmp_path, "a.png")
    row = {
        "study": "s",
        "image": "a.png",
        "findings": "Clear.",
        "impression": "Normal.",
        "indication": "Cough.",
        "comparison": "None.",
        "position": "PA",
        "laterality": "L",
        "modality": "DX",
        "language": "en",
        "licence": "CC0",
        "acquired_at": "2020-01-02",
        "accession": "acc",
        "study_uid": "1.2",
        "prior": "p",
        "ward": "7",
    }
    path = write(tmp_path, ",".join(row) + "\n" + ",".join(row.values()) + "\n")
    mapped = {"facet:place": "ward", "accession": "accession", "study_uid": "study_uid"}
    study = only(path, TableSettings(patients_unknown=True, columns=mapped)).study
    names = "findings impression indication comparison modality language licence accession study_uid"
    assert {name: getattr(study, name) for name in names.split()} == {n: row[n] for n in names.split()}
    assert (study.prior_id, dict(study.facets)) == ("p", {"place": "7"})
    assert study.acquired_at is not None
    assert study.acquired_at.date().isoformat() == "2020-01-02"
    (view,) = study.views
    assert (view.view_id, view.position, view.laterality, view.path) == ("s/a", "PA", "L", "a.png")


def test_identifiers_are_not_taken_unasked(tmp_path):
    study = only(write(tmp_path, "id,text,accession,study_uid\n1,x,A1,1.2.3\n")).study
    assert (study.accession, study.study_uid) == (None, None)


def test_a_report_is_cut_into_sections(tmp_path):
    path = write(tmp_path, 'id,report\n1,"INDICATION: Pain. FINDINGS: Clear. IMPRESSION: Normal."\n')
    study = only(path).study
    assert (study.indication, study.findings, study.impression) == ("Pain.", "Clear.", "Normal.")


def test_a_report_without_headings_is_findings(tmp_path):
    study = only(write(tmp_path, "id,report\n1,The lungs are clear.\n")).study
    assert (study.findings, study.impression) == ("The lungs are clear.", None)


def test_an_addendum_is_a_paragraph_of_its_own(tmp_path):
    path = write(tmp_path, 'id,report\n1,"IMPRESSION: Normal.\nADDENDUM: Rib fracture."\n')
    study = only(path).study
    assert (study.impression, study.report_status) == ("Normal.\n\nRib fracture.", "amended")


def test_a_header_without_a_report_is_rejected(tmp_path):
    path = write(tmp_path, 'id,report\n1,"Name: Doe\nMRN: 1"\n2,Normal.\n')
    found = list(studies(path, TableSettings(patients_unknown=True)))
    assert [one.reason for one in found if isinstance(one, Rejected)] == [
        "a report without findings or impression"
    ]


def test_reports_are_clinical_and_captions_are_figures(tmp_path):
    report = only(write(tmp_path, "id,findings\n1,x\n")).study
    caption = only(write(tmp_path, "id,caption\n1,x\n")).study
    assert (report.domain, caption.domain, caption.impression) == ("clinical", "figures", "x")


def test_domain_as_told(tmp_path):
    path = write(tmp_path, "id,caption\n1,x\n")
    assert only(path, TableSettings(patients_unknown=True, domain="clinical")).study.domain == "clinical"


def test_a_table_is_never_synthetic():
    with pytest.raises(ValidationError, match=r"domain\n.*'clinical' or 'figures'"):
        TableSettings(patients_unknown=True, domain="synthetic")


def test_text_may_be_told_to_be_reports(tmp_path):
    path = write(tmp_path, "id,text\n1,FINDINGS: Clear.\n")
    assert only(path, TableSettings(patients_unknown=True, texts="reports")).study.findings == "Clear."


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
    arrival = only(write(tmp_path, "study,image\n1,a/x.png\n1,b/x.png\n"))
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
    arrivals, rejected = read(write(tmp_path, "study,image\n1,a.png\n2,a.png\n"))
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
    arrival = only(write(tmp_path, "image\na.png\n"))
    assert (arrival.study.text, len(arrival.images)) == ("", 1)


def test_neither_image_nor_text_is_rejected(tmp_path):
    _, rejected = read(write(tmp_path, "id,image,text\n1,,x\n2,,\n"))
    assert rejected == [Rejected("2", "neither an image nor a text", "row 2")]


# --- images -----


def test_images_in_the_images_folder(tmp_path):
    picture(tmp_path, "images/a.png")
    arrival = only(write(tmp_path, "image\na.png\n"))
    assert arrival.images == (tmp_path / "images" / "a.png",)
    assert arrival.study.views[0].path == "images/a.png"


def test_images_root(tmp_path):
    picture(tmp_path, "far/a.png")
    path = write(tmp_path, "image\na.png\n")
    arrival = only(path, TableSettings(patients_unknown=True, images_root=tmp_path / "far"))
    assert (arrival.images[0], arrival.study.views[0].path) == (tmp_path / "far" / "a.png", "a.png")


def test_a_missing_image_is_left_to_the_decoder(tmp_path):
    picture(tmp_path, "a.png")
    arrivals, rejected = read(write(tmp_path, "image\na.png\nb.png\n"))
    assert [one.images for one in arrivals] == [(tmp_path / "a.png",), (tmp_path / "b.png",)]
    assert not rejected


def test_no_image_at_all_names_the_first_path(tmp_path):
    path = write(tmp_path, "image\nx/a.png\nb.png\n")
    with pytest.raises(XemplarError, match=r"row 1: none of the first 2 images exists; looked for .*x/a.png"):
        read(path)


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
        ("t.csv", b"id,text\n1,caf\xe9\n", "t.csv: byte 13 is not UTF-8"),
        ("t.csv", b"\xff\xfei\0d\0", "t.csv: byte 0 is not UTF-8"),
        ("t.csv", 'id,text\n1,"x\n2,y\n', "t.csv, line 3: not a well-formed line"),
        ("t.jsonl", '{"id": 1, "text": "x"}\n{"id": ', "t.jsonl, line 2: not a line of JSON"),
        ("t.jsonl", "[1]\n", "t.jsonl, line 1: not a JSON object"),
        ("t.jsonl", '{"id": 1, "id": 2}\n', "t.jsonl, line 1: column 'id' stands twice"),
        ("t.jsonl", b'{"id": "1"}\n{"id": "\xe9"}\n', "t.jsonl: byte 20 is not UTF-8"),
        ("t.parquet", "not parquet", "t.parquet: not a readable Parquet file"),
    ],
)
def test_what_is_wrong_with_the_table(tmp_path, name, content, message):
    with pytest.raises(XemplarError, match=message.replace(".", r"\.")):
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


TEXT = "Patient Doe has a large left effusion"


def said_of(path, **settings):
    with pytest.raises(XemplarError) as caught:
        read(path, TableSettings(**{"patients_unknown": True, **settings}))
    return str(caught.value)


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
