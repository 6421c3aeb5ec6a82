"""The header of a DICOM file -> the few things that say which film of which study of which patient it is.

Knows tags; reads no pixels and, of the header, only the tags that it names. A patient's name, birth date
and comments never leave this module: of the birth date the age is kept, and that up to 90 years.
"""

from __future__ import annotations

import io
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xemplar.images.tags import POSITIONS

if TYPE_CHECKING:
    from pydicom import Dataset

DIRECTORY = "1.2.840.10008.1.3.10"
DEFLATED = "1.2.840.10008.1.2.1.99"
OLDEST = 89
"""In years; above it ages are one group, as HIPAA's safe harbour has it (45 CFR 164.514(b)(2)(i)(C))."""
_MAX_HEADER = 1 << 23
_MAX_DEFLATED = 1 << 22
_PIXELS = 0x7FE00008
"""From here on, pixels of one kind or another."""
_TAGS = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "AccessionNumber", "PatientID", "IssuerOfPatientID",
    "Modality", "ViewPosition", "ImageLaterality", "Laterality", "SeriesNumber", "InstanceNumber",
    "StudyDate", "StudyTime", "AcquisitionDate", "AcquisitionTime", "PatientAge", "PatientSex",
    "PatientBirthDate",
)  # fmt: skip


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


def read_header(path: Path) -> Header | None:
    """A file's header; None where it is no DICOM file. Raises Unreadable where it is a damaged one."""
    import pydicom

    try:
        with path.open("rb") as file:
            start = file.read(512)
            known = start[128:132] == b"DICM"
            if not known and not _looks_bare(start):
                return None
            file.seek(0)
            with _silence():
                if DEFLATED.encode() in start:
                    return _header(_deflated(file.read(_MAX_DEFLATED)))
                tags: Any = list(_TAGS)
                return _header(
                    pydicom.dcmread(file, stop_before_pixels=True, specific_tags=tags, force=not known)
                )
    except Unreadable:
        raise
    except OSError as error:
        raise Unreadable(f"a file that can't be opened ({error.strerror})") from None
    # pydicom throws anything at all on bad bytes (KeyError, struct.error, RecursionError ...), with
    # messages that may quote them; of a stream that is cut short it makes an end.
    except Exception as error:
        raise Unreadable(f"a DICOM header that can't be read ({type(error).__name__})") from None


@contextmanager
def _silence() -> Iterator[None]:
    """A warning, or a line of pydicom's log, quotes the value that it speaks of, which may be a patient's."""
    from pydicom import config

    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        logged, config.logger.disabled = config.logger.disabled, True
        try:
            yield
        finally:
            config.logger.disabled = logged


def _looks_bare(start: bytes) -> bool:
    """A data set without its preamble opens with an element of group 2 or 8."""
    group = int.from_bytes(start[:2], "little")
    explicit = start[4:6].isalpha() and start[4:6].isupper()
    short = int.from_bytes(start[4:8], "little") < 256
    return len(start) >= 132 and group in (0x0002, 0x0008) and start[3] == 0 and (explicit or short)


def _deflated(data: bytes) -> Dataset:
    """The header of a deflated file, inflated no further than headers go: it may be a bomb."""
    from pydicom.filereader import read_dataset
    from pydicom.tag import Tag

    start = 144 + int.from_bytes(data[140:144], "little")
    try:
        plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[start:], _MAX_HEADER)
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
    acquired = _moment(word("AcquisitionDate"), word("AcquisitionTime"))
    made = acquired or _moment(word("StudyDate"), word("StudyTime"))
    if not len(dataset):
        raise Unreadable("a DICOM file that is cut short")
    return Header(
        sop_instance_uid=_uid(word("SOPInstanceUID")),
        study_uid=_uid(word("StudyInstanceUID")),
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


def _uid(word: str | None) -> str | None:
    return word if word is not None and re.fullmatch(r"[0-9.]{1,64}", word) else None


def _number(word: str | None) -> int:
    return int(word) if word is not None and re.fullmatch(r"[+-]?\d{1,12}", word) else 0


def _moment(day: str | None, time: str | None) -> datetime | None:
    """To the second, by the source's clock; midnight where only the day is known."""
    digits = (re.match(r"\d*", (time or "").replace(":", "")) or [""])[0][:6]
    try:
        return datetime.strptime(f"{(day or '').replace('.', '')}{digits:0<6}", "%Y%m%d%H%M%S")
    except ValueError:
        return None


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
