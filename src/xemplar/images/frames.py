"""One compressed frame -> pixels, each kind of codestream by one named decoder.

Which decoder a frame takes follows from its bytes alone, never from what else is installed, so that the
same bytes give the same pixels everywhere. Knows the decoders; doesn't know DICOM's tags.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from xemplar.errors import ImageError
from xemplar.images.codestream import Codestream
from xemplar.images.jpeg import load_jpeg, open_jpeg


def decode_frame(
    stream: Codestream, least: int, where: str, *, luminance: bool
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """A codestream -> (h, w) or (h, w, 3) uint8 or uint16, and steps.

    `luminance` says that the first of three components is all that is wanted, which may then come alone.
    Signed values come as two's complement of the array's own width. Where the codestream allows it, the
    size is halved while its longer side stays >= `least`.
    """
    if stream.kind == "jpeg":
        return _jpeg(stream, least, luminance=luminance, where=where)
    if stream.kind == "jpeg 2000":
        times = _halvings(stream, least)
        if times:
            return _reduced_jpeg2000(stream, times), (f"decoded at 1/{1 << times}",)
        return _whole_jpeg2000(stream), ()
    if stream.kind == "jpeg-ls":
        return _jpeg_ls(stream), ()
    return _gdcm(stream, where), ()


def decode_rle(frame: bytes, shape: tuple[int, int, int], allocated: int, *, where: str) -> NDArray[Any]:
    """An RLE frame of DICOM PS3.5 annex G, by pylibjpeg-rle; shape is (height, width, samples).

    -> (h, w) or (h, w, 3), uint8 or uint16.
    """
    try:
        return _rle(frame, shape, allocated)
    except BaseException as error:
        # The decoder is written in Rust, whose panics aren't of class Exception and can't be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise ImageError("a damaged RLE frame", where=where) from error


def _rle(frame: bytes, shape: tuple[int, int, int], allocated: int) -> NDArray[Any]:
    from rle.utils import decode_pixel_data

    height, width, samples = shape
    found = decode_pixel_data(frame, version=2, rows=height, columns=width, bits_allocated=allocated)
    planes = np.frombuffer(found, f"<u{allocated // 8}").reshape(samples, height, width)
    return planes[0] if samples == 1 else np.ascontiguousarray(planes.transpose(1, 2, 0))


def _jpeg(
    stream: Codestream, least: int, *, luminance: bool, where: str
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """By Pillow, which is libjpeg-turbo; colours as they are stored, never transformed."""
    with open_jpeg(stream.data, where) as film:
        whole, longer = film.size, max(film.size)
        size = (max(1, whole[0] * least // longer), max(1, whole[1] * least // longer))
        if luminance or film.mode == "L":
            film.draft("L", size)
        else:
            # Without a marker that says RGB, libjpeg believes in YCbCr; asked for YCbCr, it changes nothing.
            told = stream.adobe == 0 or stream.component_ids == b"RGB"
            film.draft("RGB" if told else "YCbCr", size)
        load_jpeg(film, where)
        return np.asarray(film), ("draft decoded",) if film.size != whole else ()


def _halvings(stream: Codestream, least: int) -> int:
    """How often a JPEG 2000 frame can be halved; 0 where it isn't plain grey of 8 to 16 bits."""
    if stream.components != 1 or not stream.plain or stream.precision < 8:
        return 0
    times, longer = 0, max(stream.height, stream.width)
    while times < min(stream.levels, 5) and -(-longer >> (times + 1)) >= least:
        times += 1
    return times


class _Reduced(ImageFile.ImageFile):
    """A JPEG 2000 codestream at a lower resolution; Pillow's own plugin rounds odd sizes the other way."""

    format = "JPEG2000"
    reduce_by: tuple[Codestream, int]

    def _open(self) -> None:
        stream, times = self.reduce_by
        self._size = (-(-stream.width >> times), -(-stream.height >> times))
        self._mode = "L" if stream.precision == 8 else "I;16"
        arguments = ("j2k", times, 0, -1, len(stream.data))
        self.tile = [ImageFile._Tile("jpeg2k", (0, 0, *self._size), 0, arguments)]


def _reduced_jpeg2000(stream: Codestream, times: int) -> NDArray[Any]:
    """The wavelet's low band, whose values are of the film's own scale, by Pillow (openjpeg)."""
    kind = type("_ReducedFilm", (_Reduced,), {"reduce_by": (stream, times)})
    with kind(io.BytesIO(stream.data)) as film:
        film.load()
        found = np.array(film)
    if stream.precision == 8:
        return found ^ 0x80 if stream.signed else found
    # Pillow spreads the values over 16 bits, and adds half the range to signed ones.
    values = found >> (16 - stream.precision)
    if stream.signed:
        values = (values.astype(np.int32) - (1 << (stream.precision - 1))).astype(np.int16).view(np.uint16)
    return np.asarray(values, np.uint16)


def _whole_jpeg2000(stream: Codestream) -> NDArray[Any]:
    import openjpeg

    found = openjpeg.decode_pixel_data(stream.data, version=2)
    kind = "<u1" if stream.precision <= 8 else "<u2"
    return _shaped(found, kind, stream)


def _jpeg_ls(stream: Codestream) -> NDArray[Any]:
    import jpeg_ls

    found, info = jpeg_ls.decode_pixel_data(stream.data)
    kind = "<u1" if stream.precision <= 8 else "<u2"
    if stream.components > 1 and info["interleave_mode"] == 0:
        planes = np.frombuffer(found, kind).reshape(stream.components, stream.height, stream.width)
        return np.ascontiguousarray(planes.transpose(1, 2, 0))
    return _shaped(found, kind, stream)


def _gdcm(stream: Codestream, where: str) -> NDArray[Any]:
    """JPEG lossless and 12-bit JPEG, by python-gdcm; the way in is the one pydicom documents."""
    import gdcm

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(stream.data)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((stream.width, stream.height, 1))
    image.SetDataElement(element)
    colours = gdcm.PhotometricInterpretation
    image.SetPhotometricInterpretation(
        colours(colours.MONOCHROME2 if stream.components == 1 else colours.RGB)
    )
    syntaxes = gdcm.TransferSyntax
    lossless = stream.kind == "jpeg lossless"
    image.SetTransferSyntax(
        syntaxes(syntaxes.JPEGLosslessProcess14 if lossless else syntaxes.JPEGExtendedProcess2_4)
    )
    allocated = 8 if stream.precision <= 8 else 16
    image.SetPixelFormat(
        gdcm.PixelFormat(stream.components, allocated, stream.precision, stream.precision - 1, 0)
    )
    found = image.GetBuffer()
    if found is None:
        raise ImageError("a JPEG frame that can't be decoded", where=where)
    return _shaped(found.encode("utf-8", "surrogateescape"), f"<u{allocated // 8}", stream)


def _shaped(found: bytes, kind: str, stream: Codestream) -> NDArray[Any]:
    shape = (stream.height, stream.width) + ((stream.components,) if stream.components > 1 else ())
    return np.frombuffer(found, kind).reshape(shape)
