"""What each source reads, where it is to be had and on what terms: told, never fetched.

Knows words only; nothing here opens a file or a connection.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One source: what it needs, where to ask for it, its licence, and a command to begin with."""

    name: str
    reads: str
    needs: str
    where: str
    licence: str
    example: str


CATALOGUE: tuple[Entry, ...] = (
    Entry(
        name="table",
        reads="images and texts listed in a table of your own",
        needs="CSV, TSV, JSON lines or Parquet, one row an image; a column that names the patient",
        where="yours",
        licence="yours; a column can state it row by row (--column licence=COLUMN)",
        example="xemplar ingest table films.csv --patient-column patient --out archive/corpus",
    ),
    Entry(
        name="dicom",
        reads="a folder of DICOM files, however named and nested",
        needs="the files; reports, if any, in a table by accession number or study UID",
        where="your PACS, exported",
        licence="yours",
        example="xemplar ingest dicom export/ --reports reports.csv --out archive/corpus",
    ),
    Entry(
        name="openi",
        reads="Indiana University chest X-rays, 3,955 reports and 7,470 images",
        needs="NLM's ecgen-radiology/*.xml and PNG, or Kaggle's indiana_reports.csv, indiana_projections.csv "
        "and images_normalized/",
        where="openi.nlm.nih.gov/faq (no account), or kaggle.com: raddar/chest-xrays-indiana-university",
        licence="CC BY-NC-ND 4.0: not for commercial use, no altered copies",
        example="xemplar ingest openi openi/ --out archive/corpus",
    ),
    Entry(
        name="mimic-cxr",
        reads="MIMIC-CXR or MIMIC-CXR-JPG: 227,835 studies of 65,379 patients, official split, labels",
        needs="files/p10/... of either (DICOM or JPG), mimic-cxr-reports.zip unpacked, and of MIMIC-CXR-JPG "
        "the tables mimic-cxr-2.0.0-metadata, -split, -chexpert, -negbio (.csv or .csv.gz)",
        where="physionet.org/content/mimic-cxr and /mimic-cxr-jpg: credentialed access, with training in "
        "research on humans' data and a signed data use agreement",
        licence="PhysioNet Credentialed Health Data License 1.5.0: no passing on, no attempt to identify "
        "anybody, nothing sent to third parties' services",
        example="xemplar ingest mimic-cxr physionet/mimic-cxr-jpg --reports physionet/reports "
        "--out archive/corpus",
    ),
    Entry(
        name="phantom",
        reads="chest radiographs that the program draws itself, the truth known; never clinical",
        needs="nothing",
        where="here",
        licence="CC0 1.0",
        example="xemplar ingest phantom --studies 1000 --out archive/corpus",
    ),
)


def listing() -> str:
    """The catalogue as text, one block a source."""
    blocks = []
    for entry in CATALOGUE:
        lines = [f"{entry.name}: {entry.reads}"]
        lines += [f"  {word:<8} {getattr(entry, word)}" for word in ("needs", "where", "licence", "example")]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)
