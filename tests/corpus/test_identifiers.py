"""Planted identifiers: what a file or a table says of a patient is nowhere in a corpus, nor in any output.

Free text is kept as it is between a report's headings (it is de-identified by nothing here); what stands
before the first heading, where names and numbers stand, is not.
"""

import io
import json
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pydicom
import pytest
from pydicom.datadict import DicomDictionary
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

MARK = "ZQX"
KEPT = {"SOPInstanceUID", "Modality"}
"""Tags that a corpus keeps as they are; docs/folders.md says so."""

TEXTS = ("PN", "LO", "SH", "ST", "LT", "UT", "UC", "AE")


def planted(folder, name="film.dcm"):
    """A DX file with a mark in every text element of the standard, in private ones, and around them."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPInstanceUID = ExplicitVRLittleEndian, "1.2.3.4"
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.SourceApplicationEntityTitle = f"{MARK}META"
    data = pydicom.Dataset()
    data.file_meta = meta
    for number, (tag, entry) in enumerate(sorted(DicomDictionary.items())):
        vr, multiplicity, _, retired, keyword = entry
        fits = tag >> 16 in range(0x8, 0x4010) and vr in TEXTS and not retired and multiplicity[0] == "1"
        if fits and keyword not in {"SpecificCharacterSet", "PresentationLUTShape"}:
            setattr(data, keyword, f"{MARK}{number}^{MARK}" if vr == "PN" else f"{MARK}{number}")
    data.PatientID, data.PatientBirthDate, data.AccessionNumber = f"{MARK}ID", "19510203", f"{MARK}ACC"
    data.OtherPatientIDs = [f"{MARK}OTHER", f"{MARK}MORE"]
    data.private_block(0x0011, f"{MARK} MAKER", create=True).add_new(0x01, "LO", f"{MARK}PRIVATE")
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3.4"
    data.StudyInstanceUID, data.SeriesInstanceUID = "1.2.999.7", "1.2.999.8"
    data.Modality, data.ViewPosition = "DX", "PA"
    data.Rows = data.Columns = 96
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    data.SamplesPerPixel, data.PixelRepresentation = 1, 0
    data.PhotometricInterpretation = "MONOCHROME2"
    pixels = np.random.default_rng(1).integers(0, 4096, (12, 12), dtype=np.uint16)
    data.PixelData = np.kron(pixels, np.ones((8, 8), np.uint16)).tobytes()
    data.preamble = f"{MARK}PREAMBLE".encode().ljust(128, b"\0")
    sink = io.BytesIO()
    pydicom.dcmwrite(sink, data, enforce_file_format=True)
    (folder / name).write_bytes(sink.getvalue())
    return sink.getvalue()


REPORT = f"""{MARK}NAME, JANE   MRN: {MARK}MRN   DOB: 02/03/1951
Referring physician: Dr {MARK}DOC

FINDINGS: The lungs are clear. No pleural effusion.

IMPRESSION: No acute disease."""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """An ingest of planted films and reports, one of them broken: its folder, and all that it printed."""
    folder = tmp_path_factory.mktemp("planted")
    whole = planted(folder)
    assert whole.count(MARK.encode()) > 300
    (folder / "broken.dcm").write_bytes(whole[: len(whole) // 2])
    rows = [
        {"id": f"{MARK}S1", "patient": f"{MARK}P1", "image": "film.dcm", "report": REPORT},
        {"id": f"{MARK}S2", "patient": f"{MARK}P2", "image": "broken.dcm", "report": REPORT},
        {"id": f"{MARK}S1", "patient": f"{MARK}P1", "image": "film.dcm", "report": REPORT},
    ]
    table = folder / "studies.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = [f"--column={field}={column}" for field, column in (("study", "id"), ("report", "report"))]
    done = subprocess.run(
        [sys.executable, "-m", "xemplar", "ingest", "table", str(table), "--out", str(folder / "corpus"),
         "--patient-column", "patient", "--images-root", str(folder), "--texts", "reports",
         "--domain", "clinical", "--workers", "1", *columns],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "corpus", done.stdout + done.stderr


def test_no_mark_is_in_any_byte_or_row_of_the_corpus(ran):
    folder, _ = ran
    held = [path for path in folder.rglob("*") if path.is_file()]
    assert {"corpus.json", "rejected.jsonl"} <= {path.name for path in held}
    for path in held:
        assert MARK.encode() not in path.read_bytes(), path.name
        if path.suffix == ".parquet":
            rows = json.dumps(pq.read_table(path).to_pylist(), default=str)
            assert MARK not in rows and "1951" not in rows, path.name


def test_what_is_kept_is_what_the_docs_list(ran):
    folder, _ = ran
    (view,) = pq.read_table(folder / "views/000000.parquet").to_pylist()
    assert view["sop_instance_uid"] == "1.2.3.4"
    (study,) = pq.read_table(folder / "studies/000000.parquet").to_pylist()
    assert study["findings"] == "The lungs are clear. No pleural effusion."
    assert study["accession"] is None


def test_nor_is_it_in_what_was_printed(ran):
    _, printed = ran
    assert "rejected" in printed
    assert MARK not in printed and "1951" not in printed


def test_nor_in_what_the_other_corpus_verbs_print(ran):
    folder, _ = ran
    for verb in (["check"], ["card", "--json"]):
        done = subprocess.run(
            [sys.executable, "-m", "xemplar", "corpus", verb[0], str(folder), *verb[1:]],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert MARK not in done.stdout + done.stderr
