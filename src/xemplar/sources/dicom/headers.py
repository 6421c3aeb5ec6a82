"""The header of a DICOM file -> the few things that say which film of which study of which patient it is.

Knows tags; reads no pixels and, of the header, only the tags that it names. A patient's name, birth date
and comments never leave this module: of the birth date the age is kept, and that up to 90 years.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xemplar.images.dicom_file import deflated_from, is_dicom, silence, uid_of
from xemplar.images.tags import POSITIONS

if TYPE_CHECKING:
    from pydicom import Dataset

DIRECTORY = "1.2.840.10008.1.3.10"
OLDEST = 89
"""In years; above it ages are one group, as HIPAA's safe harbour has it (45 CFR 164.514(b)(2)(i)(C))."""
_MAX_HEADER = 1 << 23
_MAX_DEFLATED = 1 << 22
_PIXELS = 0x7FE00008
"""From here on, pixels of one kind or another."""
_TAGS = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "AccessionNumber", "PatientID", "IssuerOfPatientID",
    "Modality", "ViewPosition", "ImageLaterality", "Laterality", "SeriesNumber", "InstanceNumber",
    "StudyDate", "StudyTime", "AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime", "ContentDate",
    "ContentTime", "PatientAge", "PatientSex", "PatientBirthDate",
)  # fmt: skip
_MOMENTS = (
    ("AcquisitionDateTime", ""),
    ("AcquisitionDate", "AcquisitionTime"),
    ("StudyDate", "StudyTime"),
    ("ContentDate", "ContentTime"),
)
"""Where a film's moment may stand; the first that is one holds. Content may be made long after the film."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_NOBODY = _set(
    "ANON ANONYM ANONYMOUS ANONYMISED ANONYMIZED DEIDENTIFIED DE-IDENTIFIED UNKNOWN UNDEFINED NONE NULL N/A"
    " NA REMOVED REDACTED PATIENT PATIENTID"
)
"""What programs that take the patient's id out of a header leave in its place; nobody's id."""
MODALITIES = _set(
    "AR AU BI BMD CR CT DG DOC DX ECG EPS ES FID GM HC HD IO IOL IVOCT IVUS KER KO LEN LS MG MR M3D NM OAM"
    " OCT OP OPM OPR OPT OPV OSS OT PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTPLAN RTRECORD RTSTRUCT"
    " RWV SC SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA XC"
)
"""DICOM PS3.3 C.7.3.1.1.1; a word that isn't one of these is not repeated."""


class Unreadable(Exception):
    """Why a header can't be read; quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself. Identifiers are left out of its repr."""

    sop_instance_uid: str | None
    study_uid: str | None
    modality: str | None
    position: str | None
    projection: str | None
    laterality: str | None
    series: int
    instance: int
    acquired_at: datetime | None
    age: str | None
    sex: str | None
    patient: str | None = field(repr=False)
    issuer: str | None = field(repr=False)
    accession: str | None = field(repr=False)
    is_directory: bool = False


def read_header(source: Path | bytes) -> Header | None:
    """A file's header, or its bytes'; None for what isn't DICOM. Raises Unreadable for a damaged one."""
    import pydicom

    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            start = file.read(512)
            if not is_dicom(start):
                return None
            file.seek(0)
            with silence():
                if (begin := deflated_from(start)) is not None:
                    file.seek(begin)
                    return _header(_deflated(file.read(_MAX_DEFLATED)))
                tags: Any = list(_TAGS)
                return _header(pydicom.dcmread(file, stop_before_pixels=True, specific_tags=tags, force=True))
    except Unreadable:
        raise
    except OSError as error:
        raise Unreadable(f"a file that can't be opened ({error.strerror})") from None
    # pydicom throws anything at all on bad bytes (KeyError, struct.error, RecursionError ...), with
    # messages that may quote them; of a stream that is cut short it makes an end.
    except Exception as error:
        raise Unreadable(f"a DICOM header that can't be read ({type(error).__name__})") from None


def _deflated(data: bytes) -> Dataset:
    """The header of a deflated data set, inflated no further than headers go: it may be a bomb."""
    from pydicom.filereader import read_dataset
    from pydicom.tag import Tag

    try:
        plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, _MAX_HEADER)
    except zlib.error:
        raise Unreadable("a deflated DICOM file that can't be inflated") from None
    return read_dataset(
        io.BytesIO(plain), False, True,
        stop_when=lambda tag, *_: tag >= _PIXELS,
        specific_tags=[Tag(keyword) for keyword in ("SpecificCharacterSet", *_TAGS)],
    )  # fmt: skip


def _header(dataset: Dataset) -> Header:
    word, meta = _words(dataset), getattr(dataset, "file_meta", {})
    modality = (word("Modality") or "").upper()
    position = (word("ViewPosition") or "").upper()
    laterality = word("ImageLaterality") or word("Laterality")
    made = next((when for day, time in _MOMENTS if (when := _moment(word(day), word(time)))), None)
    if not len(dataset):
        raise Unreadable("a DICOM file that is cut short")
    return Header(
        sop_instance_uid=uid_of(word("SOPInstanceUID")),
        study_uid=uid_of(word("StudyInstanceUID")),
        modality=modality if modality in MODALITIES else None,
        position=POSITIONS.get(position),
        projection=position if position in POSITIONS else None,
        laterality=laterality if laterality in ("L", "R", "B", "U") else None,
        series=_number(word("SeriesNumber")),
        instance=_number(word("InstanceNumber")),
        acquired_at=made,
        age=_age(word("PatientAge"), word("PatientBirthDate"), made),
        sex=word("PatientSex") if word("PatientSex") in ("F", "M", "O") else None,
        patient=_somebody(word("PatientID")),
        issuer=word("IssuerOfPatientID"),
        accession=word("AccessionNumber"),
        is_directory=DIRECTORY in (word("SOPClassUID"), meta.get("MediaStorageSOPClassUID")),
    )


def _words(dataset: Dataset) -> Callable[[str], str | None]:
    def word(keyword: str) -> str | None:
        """A tag's value as one line; None where it is absent, empty, or not what its type demands."""
        try:
            value = dataset.get(keyword)
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, NotImplementedError):
            return None
        return None if value is None else " ".join(str(value).replace("\0", "").split()) or None

    return word


def _somebody(number: str | None) -> str | None:
    """A patient's id; None where it is empty or plainly nobody's."""
    if number is None or number.upper() in _NOBODY or not number.strip("0Xx-_. *"):
        return None
    return number


def _number(word: str | None) -> int:
    return int(word) if word is not None and re.fullmatch(r"[+-]?\d{1,12}", word) else 0


def _moment(day: str | None, time: str | None) -> datetime | None:
    """To the second, by the source's clock; midnight where only the day is known.

    A day of more than eight digits has its time within it, as (0008,002A) has.
    """
    digits = _digits(day, ".")
    clock = digits[8:] or _digits(time, ":")
    try:
        return datetime.strptime(f"{digits[:8]:_<8}{clock[:6]:0<6}", "%Y%m%d%H%M%S")
    except ValueError:
        return None


def _digits(word: str | None, between: str) -> str:
    """The pairs that a word starts with, passing over the mark that ACR-NEMA set between them."""
    return (re.match(r"(?:\d\d)*", (word or "").replace(between, "")) or [""])[0]


def _age(stated: str | None, born: str | None, made: datetime | None) -> str | None:
    """In whole years, as stated, else from the birth date; "90+" from 90 on."""
    years = None
    if stated is not None and (found := re.fullmatch(r"(\d{1,3})([DWMY])", stated.upper())):
        years = int(found[1]) // {"D": 365, "W": 52, "M": 12, "Y": 1}[found[2]]
    elif made is not None and (day := _moment(born, None)) is not None:
        years = _years(day.date(), made.date())
    if years is None or not 0 <= years <= 150:
        return None
    return "90+" if years > OLDEST else str(years)


def _years(born: date, then: date) -> int:
    return then.year - born.year - ((then.month, then.day) < (born.month, born.day))
