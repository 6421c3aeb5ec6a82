"""Reports of a folder of DICOM files, from a table by accession number or study UID."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from drawn_files import write_dicom, write_rows

from xemplar.contracts import Arrival
from xemplar.errors import XemplarError
from xemplar.records import Rejected, Study
from xemplar.sources.dicom import DicomSettings, studies


def read(root: Path, settings: DicomSettings) -> tuple[list[Study], list[Rejected]]:
    found = list(studies(root, settings))
    taken = [one.study for one in found if isinstance(one, Arrival)]
    return taken, [one for one in found if isinstance(one, Rejected)]


def only(root: Path, settings: DicomSettings) -> Study:
    (study,) = read(root, settings)[0]
    return study


def reported(root: Path, header: str, *rows: tuple[str, ...], **settings: object) -> DicomSettings:
    return DicomSettings(reports=write_rows(root.parent / "reports.csv", header, rows), **settings)


def test_a_report_is_found_by_accession_number(tmp_path):
    write_dicom(tmp_path / "films/a", 1, AccessionNumber="ACC1")
    settings = reported(tmp_path / "films", "accession,report", ("ACC1", "FINDINGS: Clear.\nADDENDUM: Rib."))
    study = only(tmp_path / "films", settings)
    assert (study.findings, study.impression, study.report_status) == ("Clear.", "Rib.", "amended")


def test_a_report_is_found_by_study_uid(tmp_path):
    write_dicom(tmp_path / "films/a", 1)
    settings = reported(
        tmp_path / "films",
        "Uid,Text,language",
        ("1.2.3.1", "FINDINGS: Clear.", "en"),
        columns={"study_uid": "Uid", "report": "Text"},
    )
    study = only(tmp_path / "films", settings)
    assert (study.findings, study.language) == ("Clear.", "en")


def test_a_mapped_key_wins_over_the_other(tmp_path):
    write_dicom(tmp_path / "films/a", 1, AccessionNumber="ACC1")
    settings = reported(
        tmp_path / "films",
        "accession,uid,findings",
        ("none", "1.2.3.1", "Clear."),
        columns={"study_uid": "uid"},
    )
    assert only(tmp_path / "films", settings).findings == "Clear."


def test_sections_of_their_own_columns_win(tmp_path):
    write_dicom(tmp_path / "films/a", 1, AccessionNumber="ACC1")
    settings = reported(
        tmp_path / "films", "accession,report,findings,impression", ("ACC1", "FINDINGS: No.", "Yes.", "Sure.")
    )
    study = only(tmp_path / "films", settings)
    assert (study.findings, study.impression) == ("Yes.", "Sure.")


def test_of_two_reports_that_differ_none_is_taken(tmp_path):
    write_dicom(tmp_path / "films/a", 1, AccessionNumber="ACC1")
    rows = [("ACC1", "One."), ("ACC1", "Two."), ("ACC1", "One.")]
    taken, rejected = read(tmp_path / "films", reported(tmp_path / "films", "accession,findings", *rows))
    assert [study.text for study in taken] == [""]
    reasons = Counter(one.reason for one in rejected)
    assert reasons["two reports of one study that differ: none is taken"] == 3
    assert reasons["films without a report: kept as films"] == 1


def test_the_same_report_twice_is_one(tmp_path):
    write_dicom(tmp_path / "films/a", 1, AccessionNumber="ACC1")
    rows = [("ACC1", "One."), ("ACC1", "One.")]
    taken, rejected = read(tmp_path / "films", reported(tmp_path / "films", "accession,findings", *rows))
    assert [study.findings for study in taken] == ["One."]
    assert [one.reason for one in rejected] == ["the same report twice"]


def test_a_report_is_told_by_its_row_and_not_by_its_key(tmp_path):
    write_dicom(tmp_path / "films/a", 1, AccessionNumber="ACC1")
    rows = [("ACC1", "One."), ("ACC-OF-SOMEBODY", "Two.")]
    _, rejected = read(tmp_path / "films", reported(tmp_path / "films", "accession,findings", *rows))
    (one,) = rejected
    assert (one.reason, one.where) == ("a report without films", "reports.csv, row 2")


@pytest.mark.parametrize(
    ("header", "columns", "said"),
    [
        (
            "number,report",
            {},
            r"no column of accession numbers.*--column accession=COLUMN.*columns: number, report",
        ),
        ("accession,words", {}, r"no column of reports; wanted report, findings or impression"),
        ("accession,report", {"report": "text"}, r"no column 'text'; wanted one of accession, report"),
        ("accession,report", {"patient": "report"}, r"'patient' is not a field"),
        ("a,b,report", {"accession": "a", "study_uid": "b"}, "two keys at once"),
    ],
)
def test_a_table_that_does_not_serve(tmp_path, header, columns, said):
    write_dicom(tmp_path / "films/a", 1)
    row = tuple("x" for _ in header.split(","))
    with pytest.raises(XemplarError, match=said):
        read(tmp_path / "films", reported(tmp_path / "films", header, row, columns=columns))
