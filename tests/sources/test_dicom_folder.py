"""A folder of DICOM files: which film is whose, what leaves a header, and reports from a table."""

from __future__ import annotations

import os
import zlib
from collections import Counter
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from drawn_files import PLANTED, write_dicom
from layouts import dicom_folder
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from xemplar.contracts import Arrival
from xemplar.errors import XemplarError
from xemplar.images import PreviewSpec, read_preview
from xemplar.records import Rejected, Study
from xemplar.sources.dicom import DicomSettings, studies
from xemplar.sources.dicom.headers import Unreadable, read_header
from xemplar.sources.table import TableSettings
from xemplar.sources.table import studies as table_studies

PLAIN = DicomSettings()


def read(root: Path, settings: DicomSettings = PLAIN) -> tuple[list[Study], list[Rejected]]:
    found = list(studies(root, settings))
    taken = [one.study for one in found if isinstance(one, Arrival)]
    return taken, [one for one in found if isinstance(one, Rejected)]


def only(root: Path, settings: DicomSettings = PLAIN) -> Study:
    (study,) = read(root, settings)[0]
    return study


# --- studies -----


def test_films_of_one_study_come_by_series_and_number(tmp_path):
    layout = dicom_folder(tmp_path / "source")
    found = [one.study for one in layout.read() if isinstance(one, Arrival)]
    study = next(one for one in found if one.study_id == "1.2.3.20")
    assert [view.path for view in study.views] == ["b/c/IM1", "a/IM2"]
    assert [view.position for view in study.views] == ["frontal", "lateral"]


def test_numbers_count_as_numbers(tmp_path):
    for number in (10, 9, 2):
        write_dicom(
            tmp_path / f"f{number}", number, StudyInstanceUID="1.2", PatientID="A", InstanceNumber=number
        )
    assert [view.path for view in only(tmp_path).views] == ["f2", "f9", "f10"]


def test_the_order_is_that_of_uids_wherever_files_lie(tmp_path):
    for folder, names in (("one", "abc"), ("two", "cab")):
        for number, name in enumerate(names):
            write_dicom(tmp_path / folder / name, number, PatientID="A")
    first, second = (read(tmp_path / folder)[0] for folder in ("one", "two"))
    assert [one.study_id for one in first] == [one.study_id for one in second]


def test_what_a_study_is_told_by(tmp_path):
    write_dicom(tmp_path / "a", 1, ViewPosition="AP", ImageLaterality="R", PatientSex="M", PatientAge="045Y")
    study = only(tmp_path)
    assert (study.modality, study.acquired_at) == ("CR", datetime(2020, 5, 4, 10, 15))
    assert study.facets == {"age": "45", "sex": "M", "projection": "AP"}
    (view,) = study.views
    assert (view.sop_instance_uid, view.laterality) == ("1.2.9.1", "R")


def test_the_prior_is_the_study_before_by_time(tmp_path):
    for number, day in ((1, "20200103"), (2, "20200101"), (3, "20200102")):
        write_dicom(tmp_path / str(number), number, PatientID="A", StudyDate=day)
    write_dicom(tmp_path / "4", 4, PatientID="B", StudyDate="20200104")
    assert {one.study_id: one.prior_id for one in read(tmp_path)[0]} == {
        "1.2.3.1": "1.2.3.3",
        "1.2.3.2": None,
        "1.2.3.3": "1.2.3.2",
        "1.2.3.4": None,
    }


def test_a_study_of_two_patients_is_nobodys_prior(tmp_path):
    write_dicom(tmp_path / "1", 1, PatientID="A", StudyDate="20200101")
    write_dicom(tmp_path / "2", 2, StudyInstanceUID="1.2.3.2", PatientID="A", StudyDate="20200102")
    write_dicom(tmp_path / "3", 3, StudyInstanceUID="1.2.3.2", PatientID="B", StudyDate="20200102")
    write_dicom(tmp_path / "4", 4, PatientID="A", StudyDate="20200103")
    taken, rejected = read(tmp_path)
    assert [one.key for one in rejected] == ["1.2.3.2"]
    assert {one.study_id: one.prior_id for one in taken} == {"1.2.3.1": None, "1.2.3.4": "1.2.3.1"}


def test_other_modalities_are_asked_for(tmp_path):
    write_dicom(tmp_path / "a", 1, Modality="MG")
    write_dicom(tmp_path / "b", 2)
    assert [one.modality for one in read(tmp_path, DicomSettings(modalities=("MG",)))[0]] == ["MG"]


@pytest.mark.parametrize("name", ["IM 1", "ä.dcm", "no ending", "a.b.c"])
def test_names_mean_nothing(tmp_path, name):
    write_dicom(tmp_path / name, 1)
    assert only(tmp_path).views[0].path == name


# --- patients -----


def test_a_number_of_two_houses_is_two_patients_under_one_split_key(tmp_path):
    write_dicom(tmp_path / "a", 1, PatientID="7", IssuerOfPatientID="North")
    write_dicom(tmp_path / "b", 2, PatientID="7", IssuerOfPatientID="South")
    write_dicom(tmp_path / "c", 3, PatientID="7")
    found = [one for one in studies(tmp_path, PLAIN) if isinstance(one, Arrival)]
    assert len({one.study.patient_id for one in found}) == 3
    assert {one.split_key for one in found} == {"7"}


@pytest.mark.parametrize("number", [None, "", "ANONYMOUS", "anonymized", "0", "000", "XXXX", "--"])
def test_nobody_is_no_patient(tmp_path, number):
    write_dicom(tmp_path / "a", 1, PatientID=number)
    write_dicom(tmp_path / "b", 2, PatientID=number)
    with pytest.raises(XemplarError, match=r"no film names its patient \(PatientID\); --patients-unknown"):
        read(tmp_path)
    taken, _ = read(tmp_path, DicomSettings(patients_unknown=True))
    assert {(one.patient_id, one.split_unit) for one in taken} == {(None, "study")}


def test_a_known_patient_stays_one_where_others_are_unknown(tmp_path):
    write_dicom(tmp_path / "a", 1, PatientID="A")
    write_dicom(tmp_path / "b", 2, PatientID=None)
    taken, _ = read(tmp_path, DicomSettings(patients_unknown=True))
    assert [one.patient_id for one in taken] == ["A", None]


def test_a_film_that_leaves_its_patient_out_goes_with_its_study(tmp_path):
    write_dicom(tmp_path / "a", 1, StudyInstanceUID="1.2", PatientID=None)
    write_dicom(tmp_path / "b", 2, StudyInstanceUID="1.2", PatientID="A")
    study = only(tmp_path)
    assert (study.patient_id, len(study.views)) == ("A", 2)


# --- what leaves a header -----


@pytest.mark.parametrize(
    ("stated", "born", "age"),
    [
        ("089Y", None, "89"),
        ("090Y", None, "90+"),
        ("104Y", None, "90+"),
        ("018M", None, "1"),
        ("003W", None, "0"),
        ("045y", None, "45"),
        ("45", None, None),
        ("999Y", None, None),
        (None, "19310203", "89"),
        (None, "19300504", "90+"),
        (None, "19300505", "89"),
        (None, "20200505", None),
        (None, "not a day", None),
        (None, None, None),
    ],
)
def test_age_is_in_years_and_ends_at_ninety(tmp_path, stated, born, age):
    write_dicom(tmp_path / "a", 1, PatientAge=stated, PatientBirthDate=born)
    assert only(tmp_path).facets.get("age") == age


def test_identifiers_are_kept_only_where_asked_for(tmp_path):
    write_dicom(tmp_path / "a", 1, AccessionNumber="ACC")
    study = only(tmp_path)
    assert (study.study_uid, study.accession) == (None, None)
    study = only(tmp_path, DicomSettings(keep_study_uid=True, keep_accession=True))
    assert (study.study_uid, study.accession) == ("1.2.3.1", "ACC")


def test_a_name_in_every_tag_goes_no_further_than_ids(tmp_path):
    name = "ZACHARIAS"
    words = {
        element.keyword: name
        for element in pydicom.dcmread(write_dicom(tmp_path / "x/full", 1))
        if element.VR in ("CS", "SH", "LO", "PN", "LT", "ST")
    }
    words |= {
        word: name for word in ("StudyDescription", "InstitutionName", "BodyPartExamined", "StationName")
    }
    words |= {"ViewPosition": name, "PatientSex": name, "ImageLaterality": name, "AccessionNumber": name}
    words |= {"PatientAddress": name, "OperatorsName": name, "ImageComments": name, "ProtocolName": name}
    words |= {"Modality": "CR", "PatientID": "A", "PhotometricInterpretation": "MONOCHROME2"}
    write_dicom(tmp_path / "y/full", 2, **words)
    assert name not in repr(list(studies(tmp_path / "y", PLAIN))).upper()


def test_no_identifier_in_a_headers_repr(tmp_path):
    header = read_header(write_dicom(tmp_path / "a", 1, PatientID="PAT-1", AccessionNumber="ACC-1"))
    assert not any(word in repr(header) for word in (*PLANTED, "PAT-1", "ACC-1"))


# --- files of other kinds -----


def test_a_pipe_and_a_broken_link_are_told_and_not_waited_for(tmp_path):
    write_dicom(tmp_path / "a", 1)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    told = Counter(one.reason for one in read(tmp_path)[1])
    assert told == {"no file but a broken link, a pipe or a device": 2}


def test_a_name_that_is_no_utf8_is_told(tmp_path):
    write_dicom(tmp_path / "a", 1)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.dcm")).write_bytes(b"x")
    (one,) = read(tmp_path)[1]
    assert (one.reason, one.where) == ("a file name that is not UTF-8", "\ufffd.dcm")


def test_a_data_set_without_a_preamble_is_read(tmp_path):
    data = write_dicom(tmp_path / "a", 1).read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    (tmp_path / "a").write_bytes(data[start:])
    assert only(tmp_path).study_id == "1.2.3.1"


def test_a_big_endian_data_set_without_a_preamble_is_read(tmp_path):
    dataset = pydicom.dcmread(write_dicom(tmp_path / "a", 1))
    fresh = pydicom.Dataset({element.tag: element for element in dataset})
    fresh["PixelData"].VR = "OB"
    fresh.save_as(tmp_path / "a", implicit_vr=False, little_endian=False)
    assert (tmp_path / "a").read_bytes()[:2] == b"\0\x08"
    study = only(tmp_path)
    assert (study.study_id, study.acquired_at) == ("1.2.3.1", datetime(2020, 5, 4, 10, 15))
    assert read_preview(tmp_path / "a", PreviewSpec(size=64)).history.transfer_syntax == ExplicitVRBigEndian


@pytest.mark.parametrize(
    ("tags", "moment"),
    [
        ({}, datetime(2020, 5, 4, 10, 15)),
        ({"StudyTime": ""}, datetime(2020, 5, 4)),
        ({"ContentDate": "20200506"}, datetime(2020, 5, 4, 10, 15)),
        ({"StudyDate": None, "ContentDate": "20200506", "ContentTime": "07"}, datetime(2020, 5, 6, 7)),
        ({"AcquisitionDate": "2020.05.07", "AcquisitionTime": "08:09:10"}, datetime(2020, 5, 7, 8, 9, 10)),
        ({"AcquisitionDateTime": "20200508091011.123+0200"}, datetime(2020, 5, 8, 9, 10, 11)),
        ({"AcquisitionDateTime": "202005", "StudyTime": "1"}, datetime(2020, 5, 4)),
        ({"StudyDate": "20201399"}, None),
        ({"StudyDate": "202011"}, None),
        ({"StudyDate": "someday"}, None),
    ],
)
def test_a_film_is_of_the_first_moment_that_is_one(tmp_path, tags, moment):
    path = write_dicom(tmp_path / "a", 1, **tags)
    header = read_header(path)
    assert header is not None and header.acquired_at == moment


def deflated(path: Path, padding: int = 0) -> Path:
    """A deflated file; `padding` zeros follow its pixels."""
    dataset = pydicom.dcmread(write_dicom(path, 1))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(path)
    data = path.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    body = zlib.decompress(data[start:], -zlib.MAX_WBITS)
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(data[:start] + squeezed.compress(body + bytes(padding)) + squeezed.flush())
    return path


def test_a_deflated_header_is_read(tmp_path):
    deflated(tmp_path / "a")
    assert only(tmp_path).study_id == "1.2.3.1"


def test_of_a_deflated_bomb_no_more_than_the_header_is_inflated(tmp_path):
    import tracemalloc

    path = deflated(tmp_path / "a", padding=64 << 20)
    read_header(path)
    tracemalloc.start()
    try:
        assert read_header(path) is not None
        assert tracemalloc.get_traced_memory()[1] < 30 << 20
    finally:
        tracemalloc.stop()


def test_mutated_headers_end_in_a_header_or_a_reason(tmp_path):
    data = write_dicom(tmp_path / "a", 1).read_bytes()
    random = np.random.default_rng(5)
    for _ in range(300):
        mutated = bytearray(data[: int(random.integers(100, len(data)))])
        for place in random.integers(0, len(mutated), 6):
            mutated[place] = int(random.integers(256))
        (tmp_path / "b").write_bytes(mutated)
        try:
            read_header(tmp_path / "b")
        except Unreadable as error:
            assert not any(word in str(error) for word in PLANTED)


def test_nothing_of_the_wanted_kind(tmp_path):
    write_dicom(tmp_path / "a", 1, Modality="CT")
    with pytest.raises(XemplarError, match=r"no film of CR or DX \(1 modality CT.*asked for with --modality"):
        read(tmp_path)


def test_an_empty_folder_and_none(tmp_path):
    with pytest.raises(XemplarError, match=r"no film of CR or DX \(no DICOM file\)"):
        read(tmp_path)
    with pytest.raises(XemplarError, match="no such folder; wanted a folder of DICOM files"):
        read(tmp_path / "none")
    with pytest.raises(XemplarError, match="a file, not a folder"):
        read(write_dicom(tmp_path / "a", 1))


# --- the real thing -----


@pytest.mark.shared
def test_the_real_files_are_told_apart(shared_data):
    taken, rejected = read(shared_data / "dicom")
    assert sorted(view.path for study in taken for view in study.views) == [
        "files/RG1_J2KI.dcm",
        "files/RG3_J2KR.dcm",
        "files/dx_image.dcm",
    ]
    kinds = Counter(one.reason.partition(",")[0] for one in rejected)
    assert kinds == {
        "modality CT": 3,
        "modality MR": 6,
        "modality US": 3,
        "modality SR": 2,
        "modality OT": 2,
        "modality NM": 1,
        "modality RTDOSE": 1,
        "modality SEG": 1,
        "modality RTPLAN": 1,
        "a DICOM file that is cut short": 1,
        "named as a DICOM file": 1,
        "1 file that is not DICOM (.csv)": 1,
        "1 file that is not DICOM (.md)": 1,
    }


@pytest.mark.shared
def test_films_without_texts_come_by_a_table(shared_data):
    settings = TableSettings(patient_column="patient_id", texts="reports")
    found = list(table_studies(shared_data / "hannover/metadata.csv", settings))
    assert len(found) == 243
    assert all(isinstance(one, Arrival) and one.study.text == "" and one.images[0].is_file() for one in found)
    assert len({one.study.patient_id for one in found}) == 71
