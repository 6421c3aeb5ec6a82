"""MIMIC-CXR's layout: its tables, dates, official split, two labelers, and reports with addenda."""

from __future__ import annotations

import gzip
import shutil
from datetime import datetime
from pathlib import Path

import pytest
from drawn_files import write_picture, write_rows
from layouts import FINAL, LABELS, METADATA, label_row, mimic
from pydantic import ValidationError

from xemplar.contracts import Arrival
from xemplar.errors import XemplarError
from xemplar.records import Rejected, Study
from xemplar.sources.mimic_cxr import MimicSettings, describe, studies

PLAIN = MimicSettings()
SPLIT = "dicom_id,study_id,subject_id,split"


def read(root: Path, settings: MimicSettings = PLAIN) -> tuple[dict[str, Study], list[Rejected]]:
    found = list(studies(root, settings))
    taken = {one.study.study_id: one.study for one in found if isinstance(one, Arrival)}
    return taken, [one for one in found if isinstance(one, Rejected)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return mimic(tmp_path / "mimic", ".jpg").root


def small(
    root: Path, films: list[tuple[str, int, int, str, str]], report: str = "IMPRESSION: Normal."
) -> Path:
    """A copy with films (dicom, patient, study, day, time), all in training, each study with one report."""
    rows = [[d, p, s, "", "PA", 9, 9, day, time] for d, p, s, day, time in films]
    write_rows(root / "mimic-cxr-2.0.0-metadata.csv", METADATA, rows)
    write_rows(root / "mimic-cxr-2.0.0-split.csv", SPLIT, [(d, s, p, "train") for d, p, s, *_ in films])
    write_rows(root / "mimic-cxr-2.0.0-chexpert.csv", LABELS, [])
    for number, (name, patient, study, *_) in enumerate(films):
        folder = root / f"files/p{str(patient)[:2]}/p{patient}"
        write_picture(folder / f"s{study}/{name}.jpg", number)
        (folder / f"s{study}.txt").write_text(report)
    return root


# --- studies -----


def test_every_part_of_a_study_arrives(root):
    study = read(root)[0]["s50000001"]
    assert (study.patient_id, study.acquired_at) == ("p10000032", datetime(2180, 5, 6, 21, 30, 14))
    assert [(view.view_id, view.position) for view in study.views] == [
        ("s50000001/aa-1", "frontal"),
        ("s50000001/aa-2", "lateral"),
    ]
    assert study.views[0].path == "files/p10/p10000032/s50000001/aa-1.jpg"
    assert (study.findings, study.impression, study.report_status) == ("Mild edema.", "Edema.", "final")
    assert (study.split, study.split_unit, study.source) == ("train", "official", "mimic-cxr")
    assert study.licence is not None


def test_the_impression_alone_and_of_each_study_one_film(root):
    taken, rejected = read(root, MimicSettings(section="impression", one_view=True))
    study = taken["s50000001"]
    assert (study.findings, study.impression) == (None, "Edema.")
    assert [view.view_id for view in study.views] == ["s50000001/aa-1"]
    assert all(one.impression and not one.findings and len(one.views) <= 1 for one in taken.values())
    whole = read(root)[0]
    without = {name for name, one in whole.items() if not one.impression}
    assert whole.keys() - taken.keys() == without
    assert without and without == {one.key for one in rejected if one.reason == "no impression"}


def test_with_the_impression_alone_nothing_else_of_a_report_is_kept(root):
    report = "INDICATION: Cough.\n\nCOMPARISON: None.\n\nFINDINGS: Mild edema.\n\nIMPRESSION: Edema.\n"
    (root / "files/p10/p10000032/s50000001.txt").write_text(report)
    whole, alone = (
        read(root, MimicSettings(section=section))[0]["s50000001"] for section in (None, "impression")
    )
    assert (whole.indication, whole.comparison, whole.findings) == ("Cough.", "None.", "Mild edema.")
    assert (alone.indication, alone.comparison, alone.findings) == (None, None, None)
    assert alone.impression == whole.impression == "Edema."


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (("LATERAL", "AP"), "b"),
        (("AP", "PA"), "b"),
        (("LL", "LATERAL"), "b"),
        (("odd", "LL"), "b"),
        (("PA", "PA"), "a"),
    ],
)
def test_the_one_film_of_a_study_is_pa_before_ap_before_lateral(tmp_path, words, first):
    small(tmp_path, [(name, 10000001, 50000001, "21800101", "10") for name in "ab"])
    rows = [
        [n, 10000001, 50000001, "", word, 9, 9, "21800101", "10"] for n, word in zip("ab", words, strict=True)
    ]
    write_rows(tmp_path / "mimic-cxr-2.0.0-metadata.csv", METADATA, rows)
    taken, rejected = read(tmp_path, MimicSettings(one_view=True))
    assert [view.view_id for view in taken["s50000001"].views] == [f"s50000001/{first}"]
    assert rejected == []


@pytest.mark.parametrize(
    "said", [{"films_only": True, "section": "impression"}, {"texts_only": True, "one_view": True}]
)
def test_what_is_not_read_can_not_be_chosen_from(said):
    with pytest.raises(ValidationError, match="at once"):
        MimicSettings(**said)


def test_hours_have_lost_their_zeros(root):
    assert read(root)[0]["s50000009"].acquired_at == datetime(2180, 5, 5, 8, 30, 45)


def test_the_prior_is_the_study_before_by_date_and_not_by_number(root):
    taken, _ = read(root)
    assert list(taken)[:2] == ["s50000009", "s50000001"]
    assert (taken["s50000009"].prior_id, taken["s50000001"].prior_id) == (None, "s50000009")


def test_of_two_studies_of_one_moment_neither_is_the_prior(tmp_path):
    films = [("a", 10000001, 50000001, "21800101", "10"), ("b", 10000001, 50000002, "21800101", "10")]
    films.append(("c", 10000001, 50000003, "21800102", "10"))
    taken, _ = read(small(tmp_path, films))
    assert [study.prior_id for study in taken.values()] == [None, None, "s50000002"]


def test_a_study_without_a_date_has_no_prior_and_is_none(tmp_path):
    films = [("a", 10000001, 50000001, "21800101", "10"), ("b", 10000001, 50000002, "", "")]
    taken, _ = read(small(tmp_path, films))
    assert [(study.acquired_at is None, study.prior_id) for study in taken.values()] == [
        (False, None),
        (True, None),
    ]


def test_an_addendum_is_a_paragraph_after_the_impression(root):
    study = read(root)[0]["s50000009"]
    assert (study.impression, study.report_status) == ("Normal.\n\nThe line was moved.", "amended")


RULE = " " + "_" * 70 + "\n"
WET = "WET READ: ___ ___ ___ 8:41 AM\n  New left effusion.\n"


@pytest.mark.parametrize(
    ("text", "findings", "impression", "status"),
    [
        (f"{WET}{RULE}{FINAL} FINDINGS:  Small effusion.\n", "Small effusion.", None, "final"),
        (WET, "New left effusion.", None, "preliminary"),
        (f"{FINAL} FINDINGS:  Clear.\n \n IMPRESSION:  Normal.\n", "Clear.", "Normal.", "final"),
        ("Heart normal. Lungs clear.", "Heart normal. Lungs clear.", None, None),
        (
            "FINDINGS: Clear.\n\nIMPRESSION: Normal.\n\nNOTIFICATION:  Called at 3 pm.",
            "Clear.",
            "Normal.",
            None,
        ),
        (
            "FINDINGS: Clear.\nIMPRESSION: Normal.\nADDENDUM: Rib fracture.",
            "Clear.",
            "Normal.\n\nRib fracture.",
            "amended",
        ),
        (f"{FINAL} FINDINGS: Clear.\nADDENDUM: Rib fracture.", "Clear.", "Rib fracture.", "amended"),
    ],
)
def test_what_of_a_report_is_the_studys(tmp_path, text, findings, impression, status):
    root = small(tmp_path, [("a", 10000001, 50000001, "21800101", "10")], text)
    (study,) = read(root)[0].values()
    assert (study.findings, study.impression, study.report_status) == (findings, impression, status)


def test_the_marks_of_deidentification_stay(tmp_path):
    root = small(tmp_path, [("a", 10000001, 50000001, "21800101", "10")], "FINDINGS: Seen by Dr. ___ on ___.")
    assert next(iter(read(root)[0].values())).findings == "Seen by Dr. ___ on ___."


# --- labels and facets -----


def test_codes_are_presences_and_blanks_are_none(root):
    labels = read(root)[0]["s50000001"].labels
    assert labels == {"Edema": "present", "Pneumonia": "uncertain", "Pneumothorax": "absent"}


def test_the_other_labeler(root):
    study = read(root, MimicSettings(labeler="negbio"))[0]["s50000001"]
    assert (study.labels["Pneumonia"], study.facets["labeler"]) == ("absent", "negbio")


def test_what_the_labelers_differ_on_is_a_facet(root):
    taken, _ = read(root)
    assert taken["s50000001"].facets["labelers_differ"] == "Pneumonia"
    assert taken["s50000009"].facets["labelers_differ"] == "no"


def test_no_finding_is_a_facet_and_denies_nothing(root):
    study = read(root)[0]["s50000009"]
    assert (study.labels, study.facets["no_finding"]) == ({}, "yes")


def test_no_labels_where_none_are_asked_for(root):
    study = read(root, MimicSettings(labeler=None))[0]["s50000001"]
    assert (study.labels, "labeler" in study.facets) == ({}, False)


def test_the_projection_is_that_of_the_frontal_film(root):
    facets = read(root)[0]["s50000001"].facets
    assert (facets["projection"], facets["procedure"]) == ("PA", "CHEST (PA AND LAT)")


# --- split -----


def test_validate_is_val(root):
    assert {name: study.split for name, study in read(root)[0].items()} == {
        "s50000009": "train",
        "s50000001": "train",
        "s50000100": "val",
        "s50000400": "test",
    }


def test_an_own_split_needs_no_table(root):
    (root / "mimic-cxr-2.0.0-split.csv.gz").unlink()
    taken, rejected = read(root, MimicSettings(own_split=True))
    assert {(study.split, study.split_unit) for study in taken.values()} == {(None, "patient")}
    assert {"s50000200", "s50000201", "s50000300"} <= set(taken)
    assert not any("split" in one.reason for one in rejected)


# --- parts of the whole -----


def test_texts_alone(root):
    taken, _ = read(root, MimicSettings(texts_only=True))
    assert {name for name, study in taken.items() if study.impression} == set(taken)
    assert all(study.views == () for study in taken.values())
    assert "s50000005" in taken


def test_films_alone(root):
    taken, rejected = read(root, MimicSettings(films_only=True))
    assert all(study.text == "" for study in taken.values())
    assert not any("report" in one.reason for one in rejected)


def test_each_part_in_a_folder_of_its_own(root, tmp_path):
    before = read(root)[0]
    reports, tables = tmp_path / "reports", tmp_path / "tables"
    for file in [*root.rglob("*.txt")]:
        target = reports / file.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(file, target)
    tables.mkdir()
    for file in [*root.glob("*.csv*")]:
        shutil.move(file, tables / file.name)
    assert read(root / "files", MimicSettings(reports=reports, tables=tables))[0].keys() == before.keys()


def test_describe_counts_studies(root):
    assert describe(root, PLAIN)["studies"] == 8


def test_a_study_of_two_patients_belongs_to_the_first(tmp_path):
    films = [("a", 10000001, 50000001, "21800101", "10"), ("b", 10000002, 50000001, "21800101", "10")]
    taken, rejected = read(small(tmp_path, films))
    assert taken["s50000001"].patient_id == "p10000001"
    assert any(one.reason == "a study of two patients: the first has it" for one in rejected)


# --- mistakes -----


def test_gzip_that_is_cut_short(root):
    path = root / "mimic-cxr-2.0.0-split.csv.gz"
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(
        XemplarError, match=r"split.csv.gz: gzip that is damaged or cut short.*download it again"
    ):
        read(root)


def test_gzip_that_is_none(root):
    (root / "mimic-cxr-2.0.0-metadata.csv.gz").write_bytes(b"dicom_id,subject_id\n")
    with pytest.raises(XemplarError, match="gzip that is damaged or cut short"):
        read(root)


def test_gzip_with_a_flipped_byte(root):
    path = root / "mimic-cxr-2.0.0-metadata.csv.gz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(
        XemplarError, match=r"metadata.csv.gz: (gzip that is damaged|not UTF-8|not a well-formed)"
    ):
        read(root)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("metadata", "--tables"), ("split", "--own-split"), ("chexpert", "--labeler")],
)
def test_a_table_that_is_missing(root, name, remedy):
    for file in root.glob(f"*-{name}.csv*"):
        file.unlink()
    with pytest.raises(XemplarError, match=rf"no mimic-cxr-2.0.0-{name}.csv or .csv.gz.*{remedy}"):
        read(root)


def test_a_table_that_lacks_a_column(root):
    text = gzip.compress(b"dicom_id,subject_id,study_id\na,1,2\n")
    (root / "mimic-cxr-2.0.0-metadata.csv.gz").write_bytes(text)
    with pytest.raises(XemplarError, match="no column 'ViewPosition'; wanted the columns dicom_id"):
        read(root)


def test_a_folder_of_another_layout(tmp_path):
    write_rows(tmp_path / "mimic-cxr-2.0.0-metadata.csv", METADATA, [])
    with pytest.raises(XemplarError, match="no folder p10, p11"):
        read(tmp_path)


def test_no_report_anywhere(root):
    for file in root.rglob("*.txt"):
        file.unlink()
    with pytest.raises(XemplarError, match=r"none of the reports \(.txt\).*--reports.*--films-only"):
        read(root)


def test_neither_texts_nor_films():
    with pytest.raises(ValidationError, match="texts only and films only at once"):
        MimicSettings(texts_only=True, films_only=True)


def test_a_label_twice_is_told(root):
    rows = [label_row(10000032, 50000001, Edema="1.0"), label_row(10000032, 50000001, Edema="0.0")]
    write_rows(root / "mimic-cxr-2.0.0-chexpert.csv", LABELS, rows)
    taken, rejected = read(root)
    assert taken["s50000001"].labels == {"Edema": "present"}
    assert "labels of a study twice" in {one.reason for one in rejected}
