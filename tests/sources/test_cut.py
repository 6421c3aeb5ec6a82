"""What is cut from reports is counted by kind: by every source that reads them, in a corpus, on its card."""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from drawn_files import write_dicom, write_picture, write_rows
from layouts import LABELS, METADATA

import xemplar
from xemplar.cli import main
from xemplar.contracts import Arrival
from xemplar.corpus import Corpus, IngestSettings, IngestSummary, check_corpus, ingest
from xemplar.corpus.settings import publish_corpus, read_corpus_manifest
from xemplar.corpus.writer import said_by
from xemplar.images import PreviewSpec
from xemplar.records import Rejected
from xemplar.sources import dicom, mimic_cxr, table
from xemplar.sources.particulars import lines_lost, without_particulars
from xemplar.sources.report_texts import report_texts

MARK = "ZQX"
REPORT = f"""Name: {MARK}
MRN: {MARK}

CHEST RADIOGRAPH
FINDINGS: Clear lungs.
IMPRESSION: Normal.
Dr. {MARK} Smith, MD
"""
CUT = {"labelled": 2, "top": 1, "signature": 1}
PLAIN = "FINDINGS: Clear lungs.\nIMPRESSION: Normal.\n"

Found = Iterator[Arrival | Rejected]


def of_table(root: Path, report: str) -> Found:
    rows = [(str(number), "p1", text) for number, text in enumerate([report, PLAIN])]
    path = write_rows(root / "t.csv", "study,patient,report", rows)
    return table.studies(path, table.TableSettings(patient_column="patient"))


def of_dicom(root: Path, report: str) -> Found:
    for number in (1, 2):
        write_dicom(root / f"films/{number}", number, AccessionNumber=f"ACC{number}")
    rows = [("ACC1", report), ("ACC2", PLAIN)]
    reports = write_rows(root / "r.csv", "accession,report", rows)
    return dicom.studies(root / "films", dicom.DicomSettings(reports=reports))


def of_mimic(root: Path, report: str) -> Found:
    studies = (50000001, 50000002)
    rows = [[f"d{s}", 10000001, s, "", "PA", 9, 9, "21800101", f"{s % 10}0000.0"] for s in studies]
    write_rows(root / "mimic-cxr-2.0.0-metadata.csv", METADATA, rows)
    split = [(f"d{s}", s, 10000001, "train") for s in studies]
    write_rows(root / "mimic-cxr-2.0.0-split.csv", "dicom_id,study_id,subject_id,split", split)
    write_rows(root / "mimic-cxr-2.0.0-chexpert.csv", LABELS, [])
    folder = root / "files/p10/p10000001"
    for study, text in zip(studies, (report, PLAIN), strict=True):
        write_picture(folder / f"s{study}/d{study}.jpg", study)
        (folder / f"s{study}.txt").write_text(text)
    return mimic_cxr.studies(root, mimic_cxr.MimicSettings())


SOURCES: dict[str, Callable[[Path, str], Found]] = {
    "table": of_table,
    "dicom": of_dicom,
    "mimic_cxr": of_mimic,
}


def imports_reports(path: Path) -> bool:
    """Whether a module of the sources cuts whole reports."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    imported = {node.module: node.names for node in nodes if isinstance(node, ast.ImportFrom)}
    names = {one.name for one in imported.get("xemplar.sources.report_texts", ())}
    return bool(names & {"report_texts", "ReportTexts"}) or "xemplar.sources.particulars" in imported


def test_every_source_that_reads_reports_is_held_to_it():
    root = Path(xemplar.__file__).parent / "sources"
    found = {path.relative_to(root).parts[0] for path in root.rglob("*.py") if imports_reports(path)}
    assert found == {*SOURCES, "report_texts.py"}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_counts_what_it_cuts(name, tmp_path):
    first, second = (one for one in SOURCES[name](tmp_path, REPORT) if isinstance(one, Arrival))
    assert (first.study.findings, first.study.impression) == ("Clear lungs.", "Normal.")
    assert (first.cut, second.cut) == (CUT, {})


# --- counting -----


@pytest.mark.parametrize(
    ("report", "cut"),
    [
        (f"{PLAIN}cc: Dr {MARK}\n    Dr {MARK}", {"labelled": 2}),
        (f"{PLAIN}Kind regards,\n\nJane {MARK}", {"signature": 2}),
        (f"IMPRESSION: Normal. Dr. {MARK} Smith, MD", {"signature": 1}),
        (f"Name: {MARK} MRN: {MARK}\n\nFINDINGS: Clear.", {"labelled": 1}),
        (f"{MARK}, JANE\nF 70\nFINDINGS: Clear.", {"top": 2}),
        ("WET READ: 3:10 PM\n Big heart.\nFINDINGS: Clear.", {"wet read": 2}),
        ("FINDINGS: Clear.\n____________\nSomething about nothing.", {"unheaded": 1}),
        (f"FINDINGS: Clear.\nElectronically signed by Jane {MARK}", {"signature": 1}),
        ("WET READ: 3:10 PM\n Big heart.", {"wet read": 1}),
        ("FINDINGS: Clear.\n\nTECHNIQUE: PA.\n\nIMPRESSION: Normal.", {}),
        ("The lungs are clear.", {}),
    ],
)
def test_lines_are_counted_by_kind(report, cut):
    assert report_texts(report).cut == cut


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        ("a\nb\nc", "a\nc", 1),
        ("a\n\n\nb", "a\nb", 0),
        ("a b\nc", "a\nc", 1),
        ("a\na\na", "a", 2),
        ("  a  ", "a", 0),
        ("a", "", 1),
        ("", "", 0),
    ],
)
def test_a_line_is_lost_where_it_is_not_there_as_it_was(before, after, lost):
    assert lines_lost(before, after) == lost


@pytest.mark.parametrize("labels", range(4))
@pytest.mark.parametrize("names", range(3))
def test_as_many_lines_as_were_put_in_are_counted(labels, names):
    header = "".join(f"MRN: {number}\n" for number in range(labels))
    footer = "".join(f"Dr. {MARK} Smith, MD\n" for _ in range(names))
    wanted = {kind: count for kind, count in (("labelled", labels), ("signature", names)) if count}
    assert without_particulars(header + PLAIN + footer) == (PLAIN, wanted)


def test_two_reports_that_differ_in_what_is_cut_alone_are_one(tmp_path):
    write_dicom(tmp_path / "films/1", 1, AccessionNumber="ACC1")
    rows = [("ACC1", PLAIN), ("ACC1", f"MRN: {MARK}\n{PLAIN}")]
    reports = write_rows(tmp_path / "r.csv", "accession,report", rows)
    found = dicom.studies(tmp_path / "films", dicom.DicomSettings(reports=reports))
    assert [one.reason for one in found if isinstance(one, Rejected)] == ["the same report twice"]


def test_a_report_on_several_rows_of_a_table_is_counted_once(tmp_path):
    for number in (1, 2):
        write_picture(tmp_path / f"{number}.png", number)
    rows = [(f"{number}.png", "s", "p", REPORT) for number in (1, 2)]
    path = write_rows(tmp_path / "t.csv", "image,study,patient,report", rows)
    (one,) = table.studies(path, table.TableSettings(patient_column="patient"))
    assert one.cut == CUT


# --- in a corpus -----


def ingested(root: Path, folder: Path) -> IngestSummary:
    settings = IngestSettings(
        domain="clinical", texts="reports", source="table", preview=PreviewSpec(size=64), segment_size=1
    )
    return ingest(of_table(root, REPORT), folder, settings, key_salt=b"cut")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cut")
    ingested(folder, folder / "corpus")
    return folder / "corpus"


def test_an_ingest_sums_up_what_was_cut(tmp_path):
    done = ingested(tmp_path, tmp_path / "corpus")
    assert (done.cut, done.cut_studies) == (Counter(CUT), 1)


def test_a_study_that_is_already_there_is_not_counted_again(tmp_path):
    ingested(tmp_path, tmp_path / "corpus")
    again = ingested(tmp_path, tmp_path / "corpus")
    assert (again.cut, again.cut_studies, again.already_there) == (Counter(), 0, 2)
    assert Corpus.open(tmp_path / "corpus").card()["cut"]["lines"] == CUT


def test_a_rejected_study_is_not_counted(tmp_path):
    rows = [("1", "p1", REPORT, "nowhere.png"), ("2", "p2", PLAIN, "2.png")]
    write_picture(tmp_path / "2.png", 2)
    path = write_rows(tmp_path / "t.csv", "study,patient,report,image", rows)
    settings = IngestSettings(
        domain="clinical", texts="reports", source="table", preview=PreviewSpec(size=64)
    )
    found = table.studies(path, table.TableSettings(patient_column="patient"))
    done = ingest(found, tmp_path / "corpus", settings, key_salt=b"cut")
    assert (done.added, done.cut_studies, done.cut) == (1, 0, Counter())


def test_a_study_is_the_same_however_its_lines_are_counted(tmp_path):
    one = next(iter(of_table(tmp_path, REPORT)))
    assert said_by(replace(one, cut={"labelled": 9})) == said_by(one)


def test_each_segment_says_what_its_reports_lost(corpus):
    said = [one["cut"] for one in read_corpus_manifest(corpus)[0]["segments"].values()]
    assert said == [{"studies": 1, "lines": CUT}, {"studies": 0, "lines": {}}]


def test_the_card_counts_it(corpus):
    assert Corpus.open(corpus).card()["cut"] == {"studies": 1, "lines": CUT, "studies_not_counted": 0}


def test_nothing_that_was_cut_is_in_the_corpus(corpus):
    files = [path for path in corpus.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not any(MARK.encode() in path.read_bytes() for path in files)


def test_a_corpus_that_did_not_count_opens_and_says_so(tmp_path):
    ingested(tmp_path, tmp_path / "corpus")
    manifest, _ = read_corpus_manifest(tmp_path / "corpus")
    before = Corpus.open(tmp_path / "corpus").fingerprint
    del manifest["segments"]["000000"]["cut"]
    publish_corpus(tmp_path / "corpus", manifest)
    older = Corpus.open(tmp_path / "corpus")
    assert older.card()["cut"] == {"studies": 0, "lines": {}, "studies_not_counted": 1}
    assert (older.fingerprint, check_corpus(tmp_path / "corpus").wrong) == (before, [])


# --- on the command line -----


def xemplar_says(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[str, str]:
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert stopped.value.code == 0, err
    return out, err


def test_ingest_and_card_tell_it(tmp_path, capsys):
    of_table(tmp_path, REPORT)
    common = ("--patient-column", "patient", "--workers", 1, "--preview-size", 64, "--out", tmp_path / "c")
    out, err = xemplar_says(capsys, "ingest", "table", tmp_path / "t.csv", *common, "--json")
    assert "cut from reports: 4 lines in 1 of 2 studies (labelled 2, signature 1, top 1)" in err
    assert json.loads(out)["cut"]["lines"] == CUT
    out, _ = xemplar_says(capsys, "corpus", "card", tmp_path / "c")
    assert "4 lines in 1 of 2 studies: labelled 2, signature 1, top 1" in " ".join(out.split())
