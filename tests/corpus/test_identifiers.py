"""Planted identifiers: what a file or a table says of a patient is nowhere in a corpus, nor in any output.

The exceptions are the columns that docs/folders.md lists as the source's own words, each of them tried.
Free text is kept as it is between a report's headings (it is de-identified by nothing here).
"""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from identifiers import BORN, DAYS, MARK, NUMBER, ROOT, TEXTS, broken, film, planted, written

from handmade import HashEncoder
from xemplar.corpus import Corpus
from xemplar.index import build_index
from xemplar.records import SPLITS

DOCS = Path(__file__).parents[2] / "docs" / "folders.md"
NOWHERE = (MARK, BORN, "1937-08-13", NUMBER, ROOT)

REPORT = f"""RADIOLOGY REPORT
{MARK}NAME, JANE   MRN: {MARK}MRN   DOB: 13/08/1937
Referring physician: Dr. {MARK}DOC
Address: 1 {MARK} St.
Phone: {NUMBER}

FINDINGS: The lungs are clear. No pleural effusion.

IMPRESSION: No acute disease.

Dictated by: Dr. {MARK}READER
Electronically signed by {MARK}SIGNER, MD
cc: Dr. {MARK}COPY"""

NOISY = """
import logging, sys, warnings
logging.basicConfig(level=logging.DEBUG)
warnings.simplefilter("always")
import pydicom
pydicom.config.debug(True)
from xemplar.cli import main
for line in sys.stdin.read().splitlines():
    try:
        main(line.split("\\t"))
    except SystemExit as stopped:
        print("ended with", stopped.code)
"""
"""Several commands in one process, with every log and warning on."""


def noisily(*commands):
    """All that the commands print; each must end well."""
    lines = "\n".join("\t".join(map(str, command)) for command in commands)
    done = subprocess.run(
        [sys.executable, "-c", NOISY], input=lines, capture_output=True, text=True, check=False, timeout=240
    )
    ends = re.findall(r"^ended with (\S+)$", done.stdout, re.MULTILINE)
    assert ends == ["0"] * len(commands), done.stdout + done.stderr
    return done.stdout + done.stderr


def columns_with(marks, folder):
    """Where in a corpus marks stand: "table.column" for tables, the file's name for others."""
    found = set()
    for path in (path for path in folder.rglob("*") if path.is_file()):
        if path.suffix == ".parquet":
            for row in pq.read_table(path).to_pylist():
                said = {name: json.dumps(value, default=str) for name, value in row.items()}
                found |= {
                    f"{path.parent.name}.{name}"
                    for name, value in said.items()
                    if any(mark in value for mark in marks)
                }
        elif any(mark.encode() in path.read_bytes() for mark in marks):
            found.add(path.name)
    return found


def in_bytes(marks, folder):
    """The files of a folder that hold a mark as they lie on disk."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.name for path in files if any(mark.encode() in path.read_bytes() for mark in marks)}


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """A folder of planted films, most of them broken; what was planted in, and the whole film's accession."""
    folder = tmp_path_factory.mktemp("films")
    data, representations = planted()
    whole = written(data)
    (folder / "whole.dcm").write_bytes(whole)
    (folder / "born.dcm").write_bytes(
        written(film(2, PatientName=f"{MARK}^{MARK}", PatientBirthDate=BORN, PatientTelephoneNumbers=NUMBER))
    )
    for name, content in broken():
        (folder / name).write_bytes(content)
    return folder, representations, data.AccessionNumber


@pytest.fixture(scope="module")
def ran(films, tmp_path_factory):
    """Three ingests of the planted films and reports: their folders, and all that was printed."""
    folder, (source, _, accession) = tmp_path_factory.mktemp("corpora"), films
    rows = [
        {"id": f"{MARK}S{n}", "patient": f"{MARK}P{n}", "image": path.name, "report": REPORT,
         "name": f"{MARK}^JANE", "phone": NUMBER, "born": BORN, "accession": f"{MARK}A", "study_uid": ROOT}
        for n, path in enumerate(sorted(source.iterdir()))
    ]  # fmt: skip
    rows += [rows[0], {**rows[1], "patient": f"{MARK}OTHER"}, {**rows[2], "image": f"{MARK} was seen, gone."}]
    (folder / "studies.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with (folder / "reports.csv").open("w", newline="") as file:
        keys = (accession, f"{MARK}A2", f"{MARK}A77", f"{MARK}A78", f"{MARK}A78", "")
        csv.writer(file).writerows(
            [("accession", "report"), *((key, f"{REPORT}{n}") for n, key in enumerate(keys))]
        )
    out = {name: folder / name for name in ("table", "films", "reported")}
    small = ("--preview-size", 64, "--workers", 1)
    pooled = (*small[:-1], 2)  # what other processes throw comes back pickled
    printed = noisily(
        ("ingest", "table", folder / "studies.jsonl", "--out", out["table"], "--patient-column", "patient",
         "--images-root", source, "--column", "study=id", *small),
        ("ingest", "dicom", source, "--out", out["films"], *pooled),
        ("ingest", "dicom", source, "--out", out["reported"], "--reports", folder / "reports.csv", *small),
        *(("corpus", verb, corpus) for corpus in out.values() for verb in ("check", "card")),
    )  # fmt: skip
    return out, printed


def test_marks_are_planted_in_every_representation(films):
    folder, representations, _ = films
    assert representations >= {*TEXTS, *DAYS, "UI", "DS", "IS", "SQ", "UN"}
    data = (folder / "whole.dcm").read_bytes()
    least = {MARK: 5000, BORN: 1000, NUMBER: 800, ROOT: 60, f"{MARK}TAIL": 1, f"{MARK}PREAMBLE": 1}
    assert {mark: data.count(mark.encode()) >= count for mark, count in least.items()} == dict.fromkeys(
        least, True
    )


@pytest.mark.parametrize("name", ["table", "films", "reported"])
def test_no_mark_is_in_any_byte_or_row_of_the_corpus(ran, name):
    folder = ran[0][name]
    assert len(pq.read_table(folder / "studies/000000.parquet")) == 3
    assert columns_with(NOWHERE, folder) == set()
    assert in_bytes(NOWHERE, folder) == set()


def test_nor_is_it_in_what_was_printed(ran):
    _, printed = ran
    assert printed.count("rejected") >= 20
    assert "DEBUG" in printed
    for mark in NOWHERE:
        assert mark not in printed


def test_nor_in_any_byte_or_row_of_an_index(ran, tmp_path):
    folder = ran[0]["reported"]
    corpus = Corpus.open(folder)
    build_index(corpus, HashEncoder(), tmp_path, parts=SPLITS)
    assert sum(path.is_file() for path in tmp_path.rglob("*")) > 8
    assert columns_with(NOWHERE, tmp_path) == set()
    assert in_bytes(NOWHERE, tmp_path) == set()


def test_every_broken_file_is_told_without_a_mark(ran):
    for name in ("table", "films"):
        lines = (ran[0][name] / "rejected.jsonl").read_text().splitlines()
        told = {json.loads(line)["where"] for line in lines}
        assert len([where for where in told if where.endswith((".dcm", ".png", ".jpg"))]) >= 10


def test_what_is_kept_is_what_the_docs_list(ran):
    (row,) = (
        row
        for row in pq.read_table(ran[0]["reported"] / "studies/000000.parquet").to_pylist()
        if ("sex", "F") in row["facets"]
    )
    assert row["findings"] == "The lungs are clear. No pleural effusion."
    assert row["impression"] == "No acute disease."
    facets = {name: value for name, value in row["facets"] if name != "cluster"}
    assert facets == {"age": "89", "sex": "F", "projection": "PA"}
    assert (row["accession"], row["study_uid"], str(row["acquired_at"])) == (
        None,
        None,
        "2020-05-04 10:15:00",
    )


def test_of_a_birth_date_the_age_is_kept(ran):
    studies = pq.read_table(ran[0]["films"] / "studies/000000.parquet").to_pylist()
    assert sorted(dict(row["facets"])["age"] for row in studies) == ["82", "82", "89"]


# --- the source's own words -----

OWN = {
    "studies": ("study_uid", "accession", "modality", "language", "indication", "comparison", "findings",
                "impression", "facets", "source", "licence"),
    "sentences": ("text",),
    "views": ("sop_instance_uid", "position", "laterality", "path"),
}  # fmt: skip
"""Every column that can hold a source's own words; docs/folders.md names each of them."""


def test_only_listed_columns_hold_a_sources_own_words(tmp_path):
    """Everything that can be mapped is, to a mark; a film's own position and UID are the other two."""
    name = f"{MARK}.dcm"
    with_own = film(3, ViewPosition=MARK, SOPInstanceUID=ROOT)
    (tmp_path / name).write_bytes(written(with_own))
    (tmp_path / f"{MARK}2.dcm").write_bytes(written(film(4)))
    (tmp_path / f"{MARK}3.dcm").write_bytes(b"none")
    fields = ("study_uid", "accession", "modality", "language", "indication", "comparison", "findings",
              "impression", "licence", "prior", "facet:site", "laterality", "position")  # fmt: skip
    rows = [
        {"patient": f"{MARK}P", "image": name, **dict.fromkeys(fields, MARK), "language": "", "position": ""},
        {"patient": f"{MARK}P", "image": f"{MARK}2.dcm", **dict.fromkeys(fields, MARK)},
        {"patient": f"{MARK}P", "image": f"{MARK}3.dcm", **dict.fromkeys(fields, MARK)},
    ]
    for row in rows:
        row["findings"] = f"No effusion, says {MARK}."
    table = tmp_path / f"{MARK}.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    small = ("--workers", 1, "--preview-size", 64, "--patient-column", "patient")
    mapped = [f"--column={name}={name}" for name in fields]
    noisily(("ingest", "table", table, "--out", tmp_path / "corpus", *small, *mapped))
    listed = {f"{table}.{column}" for table, columns in OWN.items() for column in columns}
    assert columns_with((MARK, ROOT), tmp_path / "corpus") == {*listed, "rejected.jsonl"}
    (line,) = (tmp_path / "corpus/rejected.jsonl").read_text().splitlines()
    assert {name for name, value in json.loads(line).items() if MARK in value} == {"where"}


def test_the_docs_list_every_column_of_own_words():
    page = DOCS.read_text(encoding="utf-8")
    listed = page[page.index("**What stays in the source's own words.**") :].partition("\n\n**Domain.**")[0]
    for columns in OWN.values():
        for column in columns:
            assert f"`{column}`" in listed, column
    for facet in ("age", "sex", "projection", "procedure", "mesh", "problems", "normal", "labeler",
                  "labelers_differ", "no_finding", "site", "reader"):  # fmt: skip
        assert f"`{facet}`" in listed, facet
