"""DICOM bytes -> pixels as they are displayed, bone bright, and the few tags that a corpus may hold.

Knows which objects are one picture and refuses the others; how pixels are
stored, decoded and displayed is told in the modules of those names. Doesn't know multi-frame objects or
presentation states. pydicom is imported on the first call, because start-up matters.
"""

from __future__ import annotations

import io
import math
import zlib
from typing import TYPE_CHECKING, Any

from xemplar.errors import ImageError
from xemplar.images.decoded import MAX_BYTES, Decoded, decoder_border
from xemplar.images.dicom_file import DEFLATED, deflated_from, silence
from xemplar.images.display import display
from xemplar.images.marks import domain_of_dataset
from xemplar.images.stored import Layout, read_layout, read_stored
from xemplar.images.tags import read_spacing, read_tags
from xemplar.records import PixelHistory

if TYPE_CHECKING:
    from pydicom import Dataset

PLAIN = b"1.2.840.10008.1.2.1\0\0\0"
"""Explicit little endian, padded to the length of the deflated one's uid."""

NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")
COMPRESSED = (
    *(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70, 80, 81, 90, 91, 201, 202, 203)),
    "1.2.840.10008.1.2.5",
)
NOT_IMAGES = ("1.2.840.10008.5.1.4.1.1.66.", "1.2.840.10008.5.1.4.1.1.481.2", "1.2.840.10008.5.1.4.1.1.30")
"""Segmentations and registrations, doses, parametric maps: pixels that are no picture."""

FUNCTIONAL_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
MACROS = {
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction"),
    "PixelMeasuresSequence": ("PixelSpacing",),
}
MOST_ASPECT = 10.0


def decode_dicom(data: bytes, size: int, where: str) -> Decoded:
    """A DICOM file's bytes -> Decoded: places in a table for grey, uint8 for colour; `size` is the preview's.

    Raises ImageError for objects without pixels, more than one frame, compression that can't be decoded
    here, and pixel data cut short.
    """
    deflated, data = _inflated(data, where)
    with silence(), decoder_border("a DICOM header that can't be read", where):
        dataset, syntax = _read(data, where)
        _refuse_non_images(dataset, where)
        _refuse_syntax(syntax, where)
        _lift_functional_groups(dataset)
        layout = read_layout(dataset, syntax, where)
        tags, domain = read_tags(dataset), domain_of_dataset(dataset, where)
        aspect, steps = _aspect(dataset)
    with decoder_border("DICOM pixel data that can't be decoded", where):
        stored = read_stored(dataset, layout, least=size, where=where)
    with silence(), decoder_border("DICOM pixel data that can't be displayed", where):
        table, told = None, {"steps": stored.steps}
        if not stored.colour:
            table, told = display(dataset, stored, inverted=layout.photometric == "MONOCHROME1")
    told["steps"] += steps
    history = _history(layout, DEFLATED.decode() if deflated else syntax, told)
    return Decoded(stored.pixels, history, domain, aspect, table, tags)


def _history(layout: Layout, syntax: str, told: dict[str, Any]) -> PixelHistory:
    return PixelHistory(
        format="DICOM",
        height=layout.height,
        width=layout.width,
        bits_stored=layout.bits,
        photometric=layout.photometric,
        transfer_syntax=syntax,
        **told,
    )


def _inflated(data: bytes, where: str) -> tuple[bool, bytes]:
    """A deflated file as the same one undeflated, never larger than a file may be."""
    start = deflated_from(data)
    if start is None:
        return False, data
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    with decoder_border("a deflated DICOM file that can't be inflated", where):
        rest = inflater.decompress(data[start:], MAX_BYTES)
        if inflater.unconsumed_tail:
            raise ImageError("a DICOM file that inflates", wanted=f"at most {MAX_BYTES} bytes", where=where)
        if not inflater.eof:
            raise ImageError("a deflated DICOM file that is cut short", where=where)
    return True, data[:start].replace(DEFLATED, PLAIN) + rest


def _read(data: bytes, where: str) -> tuple[Dataset, str]:
    """The data set and its transfer syntax; one without file meta is read as what it looks like."""
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    # pydicom answers the end of a file within an element with an empty data set.
    if not len(dataset):
        raise ImageError("a DICOM file that is cut short", wanted="a whole data set", where=where)
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax:
        return dataset, str(syntax)
    implicit, little = dataset.original_encoding
    if "PixelData" in dataset and dataset["PixelData"].is_undefined_length:
        raise ImageError(
            "compressed pixel data without a Transfer Syntax UID (0002,0010)",
            wanted="a file with its meta information",
            where=where,
        )
    return dataset, NATIVE[0 if implicit else 1 if little else 3]


def _refuse_non_images(dataset: Dataset, where: str) -> None:
    sop_class = dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID")
    name = _named(sop_class) if sop_class else "object of no stated class"
    for keyword, tag in (("FloatPixelData", "7FE0,0008"), ("DoubleFloatPixelData", "7FE0,0009")):
        if keyword in dataset:
            raise ImageError(
                f"{name}: floating-point pixel data ({tag})", wanted="whole numbers (7FE0,0010)", where=where
            )
    if "PixelData" not in dataset:
        raise ImageError(f"{name}: no pixel data (7FE0,0010)", wanted="an image", where=where)
    if sop_class and str(sop_class).startswith(NOT_IMAGES):
        raise ImageError(f"{name}: its pixels are not a picture", wanted="an image", where=where)


def _named(uid: Any) -> str:  # noqa: ANN401 - pydicom's UID
    """The standard's name of a uid; one that the standard doesn't know is not quoted."""
    name = getattr(uid, "name", str(uid))
    return "something private" if name == str(uid) else str(name)


def _refuse_syntax(syntax: str, where: str) -> None:
    from pydicom.uid import UID

    if syntax not in NATIVE and syntax not in COMPRESSED:
        raise ImageError(
            f"compressed as {_named(UID(syntax))}: no decoder for it here",
            remedy="decompress it first",
            where=where,
        )


def _lift_functional_groups(dataset: Dataset) -> None:
    """What an enhanced object of one frame says of its values within sequences, where others say it."""
    for groups in (dataset.get(keyword) for keyword in FUNCTIONAL_GROUPS):
        for macro, keywords in MACROS.items() if groups else ():
            for item in (groups[0].get(macro) or [])[:1]:
                for keyword in keywords:
                    if keyword in item and keyword not in dataset:
                        dataset[keyword] = item[keyword]


def _aspect(dataset: Dataset) -> tuple[float, tuple[str, ...]]:
    """A pixel's height over its width, 1 where nothing, or nothing credible, is said."""
    pair = read_spacing(dataset)
    if pair is None:
        ratio = dataset.get("PixelAspectRatio")
        if ratio is None or isinstance(ratio, str) or len(ratio) != 2:
            return 1.0, ()
        pair = (float(ratio[0]), float(ratio[1]))
    aspect = pair[0] / pair[1] if pair[0] > 0 and pair[1] > 0 else math.inf
    if not 1 / MOST_ASPECT <= aspect <= MOST_ASPECT:
        return 1.0, ("pixel aspect ignored",)
    return (aspect, ("made square",)) if abs(aspect - 1) > 0.001 else (1.0, ())
