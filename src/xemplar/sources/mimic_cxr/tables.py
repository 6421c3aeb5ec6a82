"""The tables of MIMIC-CXR: which images there are, the official split, the labels of two labelers.

Knows their columns and codes; knows nothing of where images and reports lie. Whatever a row says that
its code doesn't provide for is a fault of that row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from xemplar.errors import XemplarError
from xemplar.records import Presence, Rejected, Split
from xemplar.sources.columns import find_table, read_columns_of
from xemplar.sources.rows import Row

Labeler = Literal["chexpert", "negbio"]
LABELERS: tuple[Labeler, ...] = ("chexpert", "negbio")
NO_FINDING = "No Finding"
FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Enlarged Cardiomediastinum",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
)
_VERSION = "mimic-cxr-2.0.0-"
_KEYS = ("subject_id", "study_id")
_SPLITS: Mapping[str, Split] = {"train": "train", "validate": "val", "test": "test"}
_PRESENCE: Mapping[str, Presence] = {"1": "present", "0": "absent", "-1": "uncertain"}


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image as the metadata has it; `position` is the word of its ViewPosition."""

    dicom: str
    subject: str
    study: str
    position: str
    procedure: str
    moment: datetime | None


@dataclass(frozen=True, slots=True)
class Said:
    """What one labeler says of a study: finding -> presence, and whether it says "No Finding"."""

    labels: Mapping[str, Presence]
    no_finding: bool


def table_of(folder: Path, name: str, *, remedy: str = "") -> Path:
    """The table `mimic-cxr-2.0.0-NAME.csv`, gzipped or not. Raises XemplarError where there is none."""
    found = find_table(folder, _VERSION + name)
    if found is None:
        said = "put it there, or name its folder (--tables)"
        raise XemplarError(
            f"no {_VERSION}{name}.csv or .csv.gz",
            where=str(folder),
            remedy=f"{said}{remedy}",
            wanted="the tables of MIMIC-CXR-JPG",
        )
    return found


def read_metadata(folder: Path) -> Iterator[ImageRow | Rejected]:
    """Every image of the metadata's table, in its order, and the rows that name none."""
    path = table_of(folder, "metadata")
    wanted = ("dicom_id", *_KEYS, "ViewPosition", "StudyDate", "StudyTime")
    for row in read_columns_of(path, wanted, ("PerformedProcedureStepDescription",)):
        fault = _fault(row, "dicom_id")
        where = f"{path.name}, row {row.number}"
        if fault:
            yield Rejected(where, fault, where)
            continue
        value = row.values
        yield ImageRow(
            dicom=value["dicom_id"],
            subject=value["subject_id"],
            study=value["study_id"],
            position=value["ViewPosition"],
            procedure=value.get("PerformedProcedureStepDescription", ""),
            moment=_moment(value["StudyDate"], value["StudyTime"]),
        )


def count_studies(folder: Path) -> int:
    """How many studies the metadata's table names."""
    rows = read_columns_of(table_of(folder, "metadata"), ("study_id",))
    return len({row.values["study_id"] for row in rows if not row.fault} - {""})


def read_split(folder: Path) -> tuple[dict[str, Split], list[Rejected]]:
    """Image -> its part of the official split, and the rows that name no image or no part."""
    path = table_of(folder, "split", remedy=", or draw a split (--own-split)")
    parts: dict[str, Split] = {}
    rejected: list[Rejected] = []
    for row in read_columns_of(path, ("dicom_id", "split")):
        where = f"{path.name}, row {row.number}"
        part = _SPLITS.get(row.values.get("split", ""))
        if row.fault or part is None or not row.values["dicom_id"]:
            rejected.append(Rejected(where, row.fault or "a row that names no part of the split", where))
        elif parts.setdefault(row.values["dicom_id"], part) != part:
            rejected.append(Rejected(where, "an image in two parts of the split", where))
    return parts, rejected


def read_labels(folder: Path, labeler: Labeler) -> tuple[dict[str, Said], list[Rejected]] | None:
    """Study -> what a labeler says of it, and the rows that don't say it; None without its table.

    1 is present, 0 absent, -1 uncertain, and an empty cell says nothing.
    """
    path = find_table(folder, _VERSION + labeler)
    if path is None:
        return None
    said: dict[str, Said] = {}
    rejected: list[Rejected] = []
    for row in read_columns_of(path, (*_KEYS, *FINDINGS), (NO_FINDING,)):
        where = f"{path.name}, row {row.number}"
        fault = _fault(row) or _miscoded(row)
        if not fault and row.values["study_id"] in said:
            fault = "labels of a study twice"
        if fault:
            rejected.append(Rejected(where, fault, where))
            continue
        codes = {name: _code(row.values[name]) for name in FINDINGS if row.values[name]}
        no_finding = _code(row.values.get(NO_FINDING, "")) == "1"
        labels = {name: _PRESENCE[code] for name, code in codes.items()}
        said[row.values["study_id"]] = Said(labels, no_finding)
    return said, rejected


def differing(one: Said | None, other: Said | None) -> tuple[str, ...]:
    """The findings of which two labelers don't say the same; saying nothing is an answer, too."""
    first, second = (said.labels if said is not None else {} for said in (one, other))
    return tuple(name for name in FINDINGS if first.get(name) != second.get(name))


def _fault(row: Row, *others: str) -> str:
    if row.fault:
        return row.fault
    for name in (*_KEYS, *others):
        value = row.values[name]
        if not value or (name in _KEYS and not _is_number(value)) or "/" in value or value.startswith("."):
            return f"no {name}" if not value else f"a {name} that is none"
    return ""


def _miscoded(row: Row) -> str:
    for name in FINDINGS:
        if row.values[name] and _code(row.values[name]) not in _PRESENCE:
            return f"a label that is none of 1, 0 and -1 ({name})"
    return ""


def _code(value: str) -> str:
    return value.removesuffix(".0")


def _moment(date: str, time: str) -> datetime | None:
    """20800506 and 83045.531 (a number: its leading zeros are gone) -> half past eight, to the second."""
    digits = time.partition(".")[0].zfill(6) if time else "000000"
    if not (_is_number(date + digits) and len(date) == 8 and len(digits) == 6):
        return None
    try:
        return datetime.fromisoformat(f"{date}T{digits}")
    except ValueError:
        return None


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit()
