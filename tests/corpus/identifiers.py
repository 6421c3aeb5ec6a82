"""DICOM films with a mark wherever a header, its surroundings or its pixels have room; whole and broken."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import pydicom
from pydicom import config
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless

MARK = "ZQX"
BORN = "19370813"
NUMBER = "8437219"
"""What stands for a phone, a height or a dose in every number that is not the pixels' own."""
ROOT = "1.2.840.8437219"
SIDE = 24

TEXTS = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
DAYS = {"DA": BORN, "DT": f"{BORN}101112", "TM": "101112", "AS": "077Y"}
OF_PIXELS = {
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel", "PixelRepresentation",
    "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "PixelAspectRatio", "PixelSpacing",
    "ImagerPixelSpacing", "RescaleSlope", "RescaleIntercept", "RescaleType", "WindowCenter", "WindowWidth",
    "VOILUTFunction", "ModalityLUTSequence", "VOILUTSequence", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", "PixelPaddingValue", "PixelPaddingRangeLimit",
}  # fmt: skip
"""What the picture depends on; told of it are numbers and words of a list."""
KEPT = {
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "Modality", "SpecificCharacterSet", "StudyDate",
    "StudyTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime", "AcquisitionDateTime",
    "PatientAge", "PatientSex", "ImageLaterality", "Laterality", "ViewPosition",
}  # fmt: skip
"""What a corpus keeps, and the character set; each is set by itself."""


def film(number: int, **tags: object) -> Dataset:
    """A DX film of study and patient `number`, with nothing in it but what is kept."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
    data = Dataset()
    data.file_meta = meta
    values = {
        "SOPClassUID": meta.MediaStorageSOPClassUID, "SOPInstanceUID": f"1.2.3.{number}",
        "StudyInstanceUID": f"1.2.4.{number}", "PatientID": f"{MARK}P{number}", "Modality": "DX",
        "AccessionNumber": f"{MARK}A{number}", "StudyDate": "20200504", "StudyTime": "1015",
        "Rows": SIDE, "Columns": SIDE, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7,
        "SamplesPerPixel": 1, "PixelRepresentation": 0, "PhotometricInterpretation": "MONOCHROME2",
        "PixelData": np.random.default_rng(number).integers(0, 255, (SIDE, SIDE), np.uint8).tobytes(),
        **tags,
    }  # fmt: skip
    for keyword, value in values.items():
        setattr(data, keyword, value)
    return data


def planted() -> tuple[Dataset, set[str]]:
    """A film that can be read, with a mark in every element of the standard's that holds text or numbers.

    Also in items of every sequence, two deep; in private elements, the file's meta information, its
    preamble and what follows the pixels. And which value representations were planted.
    """
    data = film(1, PatientAge="089Y", PatientSex="F", ImageLaterality="L", ViewPosition="PA")
    representations = set()
    for number, (tag, entry) in enumerate(sorted(DicomDictionary.items())):
        vr, multiplicity, _, _, keyword = entry
        outside = tag < 0x00080000 or tag >= 0x7FE00000 or (tag & 0xFFFF) == 0 or not keyword
        if outside or keyword in OF_PIXELS | KEPT:
            continue
        value = _value(vr, number, many=multiplicity != "1")
        if value is not None:
            data.add_new(tag, vr, value)
            representations.add(vr)
    for number, group in enumerate((0x5000, 0x6000)):
        data.add_new((group, 0x2500 if group == 0x5000 else 0x1500), "LO", f"{MARK}G{number}")
    block = data.private_block(0x0011, f"{MARK} MAKER", create=True)
    block.add_new(0x01, "LO", f"{MARK}PRIVATE")
    block.add_new(0x02, "SQ", [_item(0)])
    block.add_new(0x03, "UN", f"{MARK}BYTES ".encode())
    data.PixelData += f"{MARK}TAIL ".encode()
    data.add_new(0xFFFCFFFC, "OB", f"{MARK}PADDING".encode())
    data.file_meta.SourceApplicationEntityTitle = f"{MARK}META"
    data.file_meta.SendingApplicationEntityTitle = f"{MARK}SENT"
    data.file_meta.ImplementationVersionName = f"{MARK}IMPL"
    data.preamble = f"{MARK}PREAMBLE".encode().ljust(128, b"\0")
    return data, representations


def _value(vr: str, number: int, *, many: bool) -> object:
    """A mark of a value representation; two where several are allowed; None where it can hold none."""
    if vr == "SQ":
        return [_item(number)]
    if vr in TEXTS:
        one = f"{MARK}{number}^{MARK}" if vr == "PN" else f"{MARK}{number}"
    elif vr in DAYS:
        one = DAYS[vr]
    elif vr == "UI":
        one = f"{ROOT}.{number}"
    elif vr in ("DS", "IS"):
        one = NUMBER
    elif vr in ("OB", "UN"):
        return f"{MARK}{number:05} ".encode()
    else:
        return None
    return [one, one] if many and vr not in ("LT", "ST", "UT", "UR") else one


def _item(number: int) -> Dataset:
    """An item of a sequence, with one of another in it."""
    inner, outer = Dataset(), Dataset()
    inner.PatientName, inner.PatientBirthDate = f"{MARK}{number}^INNER", BORN
    outer.PersonName, outer.CodeMeaning = f"{MARK}{number}^OUTER", f"{MARK}MEANING"
    outer.ReferencedPatientSequence = [inner]
    return outer


def written(data: Dataset) -> bytes:
    sink = io.BytesIO()
    with config.disable_value_validation():
        pydicom.dcmwrite(sink, data, enforce_file_format=True)
    return sink.getvalue()


def _spoiled(number: int, spoil: Callable[[Dataset], None]) -> bytes:
    with config.disable_value_validation():
        data = film(
            number, PatientName=f"{MARK}^{MARK}", PatientBirthDate=BORN, PatientComments=f"{MARK}NOTE"
        )
        spoil(data)
        return written(data)


def _set(keyword: str, vr: str, value: object) -> Callable[[Dataset], None]:
    return lambda data: data.add_new(keyword, vr, value)


def _compressed(syntax: str, frame: bytes) -> Callable[[Dataset], None]:
    def spoil(data: Dataset) -> None:
        data.file_meta.TransferSyntaxUID = syntax
        data.PixelData = encapsulate([frame])
        data["PixelData"].is_undefined_length = True

    return spoil


def broken() -> Iterator[tuple[str, bytes]]:
    """Damaged files by name, each in its own way; all but `representation.dcm` can't be read."""
    spoils = {
        "photometric": _set("PhotometricInterpretation", "CS", f"{MARK}MONO"),
        "frames": _set("NumberOfFrames", "LO", MARK),
        "multi": _set("NumberOfFrames", "IS", "2"),
        "bits": _set("BitsStored", "US", 99),
        "aspect": _set("PixelAspectRatio", "LO", [MARK, MARK]),
        "short": _set("PixelData", "OB", MARK.encode() * 4),
        "mark": lambda data: data.private_block(0x0009, "XEMPLAR", create=True).add_new(1, "LO", MARK),
        "jpeg": _compressed(JPEGBaseline8Bit, b"\xff\xd8\xff\xfe\0\x08" + MARK.encode() * 40),
        "rle": _compressed(RLELossless, MARK.encode() * 60),
    }
    for number, (name, spoil) in enumerate(spoils.items(), start=100):
        yield f"{name}.dcm", _spoiled(number, spoil)

    def without(data: Dataset) -> None:
        data.SOPClassUID = f"{MARK}CLASS"
        del data.PixelData

    yield "none.dcm", _spoiled(120, without)
    plain, *others = (_spoiled(number, lambda data: None) for number in range(121, 126))
    yield "deflated.dcm", _deflated(plain)
    syntax = ExplicitVRLittleEndian.encode() + b"\0"
    yield "syntax.dcm", others[0].replace(syntax, f"1.2.{MARK * 5}.".encode(), 1)
    yield "half.dcm", others[1][: len(others[1]) - SIDE * SIDE // 2]
    yield "representation.dcm", others[2].replace(b"PN\x08\0", b"ZQ\x08\0", 1)
    yield "length.dcm", others[3].replace(b"LT\x08\0", b"LT\xff\xff", 1)
    yield "text.dcm", f"{MARK} {BORN}".encode()
    yield "cut.png", b"\x89PNG\r\n\x1a\n\0\0\0\x10tEXtName\0" + MARK.encode() * 4
    yield "cut.jpg", b"\xff\xd8\xff\xfe\0\x20" + MARK.encode() * 20


def _deflated(plain: bytes) -> bytes:
    """A deflated file that is cut short and goes on with marks."""
    body = 144 + int.from_bytes(plain[140:144], "little")
    before, after = plain[:body].split(b"UI\x14\0" + ExplicitVRLittleEndian.encode() + b"\0")
    syntax = DeflatedExplicitVRLittleEndian.encode()
    before = before[:140] + (body - 144 + 2).to_bytes(4, "little") + before[144:]
    packed = zlib.compressobj(wbits=-15)
    rest = packed.compress(plain[body:]) + packed.flush()
    return before + b"UI\x16\0" + syntax + after + rest[: len(rest) // 2] + MARK.encode() * 9
