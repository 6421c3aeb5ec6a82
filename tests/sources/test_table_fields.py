"""What a table source reads: formats alike, columns as fields, texts by their sections."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from tables import PATIENT, only, picture, read, write

from xemplar.records import Rejected
from xemplar.sources.table import TableSettings, studies

# --- formats -----


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("id;text\n1;Clear, no effusion.\n", "Clear, no effusion."),
        ('"id";"text"\r\n1;"Clear; no ""effusion""."\r\n', 'Clear; no "effusion".'),
        ('id;text;"age, years"\n1;Clear.;5\n', "Clear."),
        ('\ufeff\n"id";text;"age\n, years"\n1;Clear.;5\n', "Clear."),
        ('id,text,"a;b"\n1,Clear; no effusion.,5\n', "Clear; no effusion."),
        ("text\nClear.\n", "Clear."),
    ],
)
def test_semicolons_where_the_header_has_them_and_no_comma(tmp_path, written, read_as):
    assert only(write(tmp_path, written)).study.impression == read_as


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
