"""The few DICOM tags that may leave a header: which film this is, from which side, of which age.

Knows how each is written; an optional tag that can't be read is None, never an error. Doesn't know
pixels.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from xemplar.images.decoded import Tags
from xemplar.images.dicom_file import uid_of

if TYPE_CHECKING:
    from pydicom import Dataset

POSITIONS = {
    "PA": "frontal",
    "AP": "frontal",
    "FRONTAL": "frontal",
    "LL": "lateral",
    "RL": "lateral",
    "LAT": "lateral",
    "LATERAL": "lateral",
    "LLD": "decubitus",
    "RLD": "decubitus",
}
PROJECTIONS = ("CR", "DX", "DR", "RG", "XR")
"""Modalities whose picture's axes tell the direction of the beam; a slice's don't."""

VIEW_CODES = {
    "399348003": "frontal",
    "R-10206": "frontal",
    "272479007": "frontal",
    "R-10214": "frontal",
    "R-40888": "frontal",
    "399033003": "frontal",
    "R-10202": "frontal",
    "399173006": "lateral",
    "R-10236": "lateral",
    "399198007": "lateral",
    "R-10232": "lateral",
    "399067008": "lateral",
    "R-102CD": "lateral",
}
"""View Code Sequence (DICOM PS3.16 CID 4010), by SNOMED CT and its older codes."""


def read_tags(dataset: Dataset) -> Tags:
    """A pydicom data set -> Tags."""
    laterality = _word(dataset, "ImageLaterality") or _word(dataset, "Laterality")
    return Tags(
        sop_instance_uid=uid_of(_word(dataset, "SOPInstanceUID")),
        position=_position(_word(dataset, "ViewPosition")) or _coded(dataset) or _oriented(dataset),
        laterality=laterality if laterality in ("L", "R", "B", "U") else None,
        pixel_spacing=read_spacing(dataset),
        age_years=_years(dataset),
    )


def _years(dataset: Dataset) -> float | None:
    """As stated, else between the birth date and the first day that is told of the study."""
    if (stated := _age(_word(dataset, "PatientAge"))) is not None:
        return stated
    days = (_day(_word(dataset, name)) for name in ("StudyDate", "AcquisitionDate", "ContentDate"))
    born, made = _day(_word(dataset, "PatientBirthDate")), next((day for day in days if day), None)
    if born is None or made is None:
        return None
    years = (made - born).days / 365.25
    return years if 0 <= years <= 150 else None


def _day(word: str | None) -> date | None:
    try:
        return None if word is None else datetime.strptime(word.replace(".", ""), "%Y%m%d").date()
    except ValueError:
        return None


def _age(word: str | None) -> float | None:
    """Years by an age string such as 014Y, 008M, 003W or 010D."""
    found = re.fullmatch(r"(\d{1,3})([DWMY])", word.upper()) if word is not None else None
    return None if found is None else int(found[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[found[2]]


def read_spacing(dataset: Dataset) -> tuple[float, float] | None:
    """(row, column) millimetres between pixels, at the patient or else at the detector."""
    return _spacing(dataset, "PixelSpacing") or _spacing(dataset, "ImagerPixelSpacing")


def _value(dataset: Dataset, keyword: str) -> Any:  # noqa: ANN401 - whatever the value representation says
    """A tag's value; None where it is absent, empty, or not what its representation demands."""
    try:
        return dataset.get(keyword)
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, NotImplementedError):
        return None


def _word(dataset: Dataset, keyword: str) -> str | None:
    value = _value(dataset, keyword)
    return None if value is None else str(value).strip() or None


def _position(word: str | None) -> str | None:
    """Frontal, lateral, or the source's own word where it is spelt as a code is."""
    if word is None or not re.fullmatch(r"[A-Z0-9_ ]{1,16}", word.upper()):
        return None
    return POSITIONS.get(word.upper(), word)


def _coded(dataset: Dataset) -> str | None:
    """Frontal or lateral by the view's code."""
    sequence = _value(dataset, "ViewCodeSequence")
    return VIEW_CODES.get(_word(sequence[0], "CodeValue") or "") if sequence else None


def _oriented(dataset: Dataset) -> str | None:
    """Frontal or lateral by where a projection's rows and columns run, one of them along the body.

    Rows that run left or right show the patient from before or behind, rows that run forward or back
    from the side. Oblique directions (two letters) are left open.
    """
    value = _value(dataset, "PatientOrientation")
    if _word(dataset, "Modality") not in PROJECTIONS or value is None or isinstance(value, str):
        return None
    ways = [str(way).strip() for way in value]
    if len(ways) != 2 or not {"H", "F"} & set(ways):
        return None
    other = ways[0] if ways[1] in ("H", "F") else ways[1]
    return {"L": "frontal", "R": "frontal", "A": "lateral", "P": "lateral"}.get(other)


def _spacing(dataset: Dataset, keyword: str) -> tuple[float, float] | None:
    """(row, column) millimetres, both finite and above 0."""
    value = _value(dataset, keyword)
    if value is None or isinstance(value, str) or not hasattr(value, "__len__") or len(value) != 2:
        return None
    try:
        pair = (float(value[0]), float(value[1]))
    except (TypeError, ValueError):
        return None
    return pair if all(math.isfinite(side) and side > 0 for side in pair) else None
