"""The sources on the command line: a corpus from each layout, a listing, and mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from drawn_files import write_dicom, write_rows
from layouts import LAYOUTS

from xemplar.cli import main
from xemplar.corpus import Corpus
from xemplar.sources import phantom
from xemplar.sources.catalogue import CATALOGUE

DOCS = Path(__file__).parents[2] / "docs"


def xemplar(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> tuple[str, str]:
    """What the command line prints on stdout and stderr."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert stopped.value.code == code, err
    assert "Traceback" not in err
    return out, err


def ingested(capsys: pytest.CaptureFixture[str], *arguments: object, out: Path) -> tuple[dict, str]:
    """The corpus's card, with what was added and rejected."""
    common = ("--preview-size", 64, "--workers", 1, "--json", "--out", out)
    printed, told = xemplar(capsys, "ingest", *arguments, *common)
    return json.loads(printed), told


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    _, err = xemplar(capsys, "ingest", *arguments, code=2)
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    return line


@pytest.mark.parametrize(
    ("name", "verb", "options"),
    [
        ("openi-nlm", "openi", ()),
        ("openi-kaggle", "openi", ("--labels", "none")),
        ("mimic-jpg", "mimic-cxr", ("--labeler", "negbio")),
        ("mimic-dicom", "mimic-cxr", ("--films-only",)),
    ],
)
def test_a_layout_becomes_a_corpus(name, verb, options, tmp_path, capsys):
    layout = LAYOUTS[name](tmp_path / "source")
    card, told = ingested(capsys, verb, layout.root, *options, out=tmp_path / "corpus")
    assert card["added"] == len(layout.studies) - 1
    corpus = Corpus.open(tmp_path / "corpus")
    assert (corpus.settings.source, corpus.settings.domain) == (verb, "clinical")
    assert "rejected 1: unreadable image\n" in told


def test_a_folder_of_dicom_and_its_reports_become_a_corpus(tmp_path, capsys):
    layout = LAYOUTS["dicom"](tmp_path / "source")
    reports = write_rows(tmp_path / "r.csv", "Acc,Text", [("ACC1", "FINDINGS: Clear lungs.")])
    card, _ = ingested(
        capsys,
        *("dicom", layout.root, "--reports", reports, "--keep-accession"),
        *("--column", "accession=Acc", "--column", "report=Text", "--modality", "cr", "--modality", "ct"),
        out=tmp_path / "corpus",
    )
    studies = Corpus.open(tmp_path / "corpus").studies
    assert card["added"] == len(studies) == 3
    assert {one.accession: one.findings for one in studies}["ACC1"] == "Clear lungs."


def test_texts_alone(tmp_path, capsys):
    layout = LAYOUTS["openi-nlm"](tmp_path / "source")
    ingested(capsys, "openi", layout.root, "--texts-only", out=tmp_path / "corpus")
    assert all(one.views == () for one in Corpus.open(tmp_path / "corpus").studies)


def test_the_phantoms_site_is_in_its_source(tmp_path, capsys):
    ingested(capsys, "phantom", "--studies", 2, "--site", "B", "--seed", 3, out=tmp_path / "corpus")
    assert Corpus.open(tmp_path / "corpus").settings.source == phantom.label("B", 3)


def test_the_listing_says_of_every_source_where_to_ask_for_it(capsys):
    said, _ = xemplar(capsys, "ingest", "--list")
    for entry in CATALOGUE:
        assert f"{entry.name}: {entry.reads}" in said
        assert entry.example in said
    for word in ("credentialed access", "data use agreement", "openi.nlm.nih.gov", "raddar/chest-xrays"):
        assert word in said


def test_every_source_has_its_verb_and_its_place_in_the_docs(capsys):
    said, _ = xemplar(capsys, "ingest", "--help")
    page = (DOCS / "sources.md").read_text(encoding="utf-8")
    for entry in CATALOGUE:
        assert f"\n  {entry.name} " in said
        assert f"## {entry.name}\n" in page


def test_no_source_at_all_shows_help(capsys):
    out, err = xemplar(capsys, "ingest", code=2)
    assert "mimic-cxr" in out + err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("openi", "nowhere"), "no such folder"),
        (("openi", "."), "neither XML reports nor a table"),
        (("openi", ".", "--labels", "all"), "--labels: Input should be 'mesh' or 'none'"),
        (("mimic-cxr", "nowhere"), "no such folder"),
        (("mimic-cxr", "."), "no mimic-cxr-2.0.0-split.csv or .csv.gz"),
        (("mimic-cxr", ".", "--own-split"), "no mimic-cxr-2.0.0-metadata.csv or .csv.gz"),
        (("mimic-cxr", ".", "--labeler", "chexbert"), "--labeler: Input should be 'chexpert' or 'negbio'"),
        (("mimic-cxr", ".", "--texts-only", "--films-only"), "texts only and films only at once"),
        (("dicom", "nowhere"), "no such folder"),
        (("dicom", ".", "--column", "accession"), "--column 'accession'; wanted NAME=VALUE"),
        (("dicom", ".", "--column", "report=Text"), "--reports"),
        (("dicom", ".", "--reports", "nowhere.csv"), "no such file"),
        (("dicom", ".", "--modality", "Chest X-ray"), "--modality"),
        (("phantom", "--site", "C"), "--site 'C'; wanted one of A, B"),
    ],
)
def test_a_mistake_ends_in_a_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert said in refused(capsys, *arguments, "--out", tmp_path / "corpus")
    assert not (tmp_path / "corpus/corpus.json").exists()


def test_patients_unknown_is_asked_for(tmp_path, capsys):
    write_dicom(tmp_path / "films/a", 1, PatientID=None)
    line = refused(capsys, "dicom", tmp_path / "films", "--out", tmp_path / "corpus")
    assert "--patients-unknown" in line
    card, _ = ingested(capsys, "dicom", tmp_path / "films", "--patients-unknown", out=tmp_path / "corpus")
    assert "patients unknown" in card["title"]
