"""Pictures, DICOM files and tables written for tests, with names of a patient wherever a header has room."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import config
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

PLANTED = ("Zacharias", "Quux^Zacharias", "19310203", "Ward-Sister-Note")
SIDE = 24


def pixels(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 255, (SIDE, SIDE), np.uint8)


def write_picture(path: Path, number: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(number)).save(path)
    return path


def write_dicom(path: Path, number: int, **tags: object) -> Path:
    """A CR film; a tag given as None is left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = f"1.2.9.{number}"
    dataset = Dataset()
    dataset.file_meta = meta
    values = {
        "SOPClassUID": ComputedRadiographyImageStorage,
        "SOPInstanceUID": f"1.2.9.{number}",
        "StudyInstanceUID": f"1.2.3.{number}",
        "PatientID": f"P{number}",
        "PatientName": PLANTED[1],
        "PatientBirthDate": PLANTED[2],
        "PatientComments": PLANTED[3],
        "ReferringPhysicianName": PLANTED[0],
        "Modality": "CR",
        "StudyDate": "20200504",
        "StudyTime": "101500",
        "Rows": SIDE,
        "Columns": SIDE,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelData": pixels(number).tobytes(),
        **tags,
    }
    with config.disable_value_validation():
        for keyword, value in values.items():
            if value is not None:
                setattr(dataset, keyword, value)
        dataset.save_as(path, enforce_file_format=True)
    return path


def write_rows(path: Path, header: str, rows: Iterable[Iterable[object]]) -> Path:
    """A CSV file, gzipped where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header.split(","))
    writer.writerows(rows)
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def without_pixels(path: Path) -> None:
    """Leave of an image what a listing may look at: a header, or nothing."""
    if path.suffix == ".dcm":
        path.write_bytes(path.read_bytes().partition(b"\xe0\x7f\x10\x00")[0])
    else:
        path.write_bytes(b"")
