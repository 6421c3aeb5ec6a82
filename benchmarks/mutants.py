"""Small films of every format and syntax, and the many ways in which a file may be damaged, by seed.

Knows how to write them; `mutated.py` knows what should become of them.
"""

from __future__ import annotations

import io
import os
import random
import re
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

PLANTED = "Planted^Name"
PRE = "1.2.840.10008.1.2"
HUGE = b"\xff\xff\xff\xff"


# --- the originals -----


def drawn(bits: int = 12, shape: tuple[int, int] = (96, 80)) -> np.ndarray:
    """A smooth picture with some noise, (height, width) uint16 of so many bits."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    waves = np.sin(x / 9.0) + np.cos(y / 13.0) + np.random.default_rng(1).normal(0, 0.05, shape)
    return np.clip((waves + 2.2) / 4.4 * ((1 << bits) - 1), 0, (1 << bits) - 1).astype(np.uint16)


def pictures() -> dict[str, bytes]:
    """PNG, JPEG, TIFF and WebP files of several kinds."""
    grey, deep = Image.fromarray(drawn(8).astype(np.uint8)), Image.fromarray(drawn(16))
    colour = Image.merge("RGB", (grey, grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT), grey))
    kinds: dict[str, tuple[Image.Image, dict]] = {
        "png8": (grey, {"format": "PNG"}),
        "png16": (deep, {"format": "PNG"}),
        "png-palette": (colour.quantize(64), {"format": "PNG"}),
        "png-alpha": (colour.convert("RGBA"), {"format": "PNG"}),
        "jpeg-grey": (grey, {"format": "JPEG", "quality": 85}),
        "jpeg-colour": (colour, {"format": "JPEG", "quality": 85}),
        "jpeg-progressive": (colour, {"format": "JPEG", "progressive": True}),
        "tiff": (grey, {"format": "TIFF"}),
        "tiff-lzw": (colour, {"format": "TIFF", "compression": "tiff_lzw"}),
        "tiff16-deflate": (deep, {"format": "TIFF", "compression": "tiff_adobe_deflate"}),
        "webp": (colour, {"format": "WEBP", "quality": 80}),
        "webp-lossless": (colour, {"format": "WEBP", "lossless": True}),
    }
    files = {}
    for name, (image, settings) in kinds.items():
        sink = io.BytesIO()
        image.save(sink, **settings)
        files[name] = sink.getvalue()
    files["png-interlaced"] = interlaced(drawn(8).astype(np.uint8))
    return files


def png(width: int, height: int, depth: int, raw: Callable[[], bytes], interlace: int = 0) -> bytes:
    """A grey PNG of these header values and whatever pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", raw()) + chunk(b"IEND", b"")


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def interlaced(pixels: np.ndarray) -> bytes:
    """A PNG in Adam7's seven passes."""
    passes = (
        (0, 8, 0, 8),
        (0, 8, 4, 8),
        (4, 8, 0, 4),
        (0, 4, 2, 4),
        (2, 4, 0, 2),
        (0, 2, 1, 2),
        (1, 2, 0, 1),
    )
    rows = (row for y, dy, x, dx in passes for row in pixels[y::dy, x::dx])
    return png(*pixels.shape[::-1], 8, lambda: zlib.compress(b"".join(b"\0" + r.tobytes() for r in rows)), 1)


def dicom(syntax: str, frame: bytes | None = None, **tags: object) -> bytes:
    """A small radiograph, whose one frame may already be compressed."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate

    pixels, data = drawn(), Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3.4"
    data.PatientName, data.PatientID, data.ViewPosition = PLANTED, "4711", "PA"
    data.Rows, data.Columns, data.SamplesPerPixel = *pixels.shape, 1
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PhotometricInterpretation, data.WindowCenter, data.WindowWidth = "MONOCHROME2", 2048, 4096
    data.PixelData = encapsulate([frame]) if frame else pixels.tobytes()
    for keyword, value in tags.items():
        setattr(data, keyword, value)
    sink = io.BytesIO()
    data.save_as(sink, enforce_file_format=True)
    return sink.getvalue()


def by_gdcm(syntax: str) -> bytes:
    """The same, compressed by gdcm."""
    import gdcm

    with tempfile.TemporaryDirectory() as folder:
        plain, packed = os.path.join(folder, "plain"), os.path.join(folder, "packed")
        Path(plain).write_bytes(dicom(f"{PRE}.1"))
        reader = gdcm.ImageReader()
        reader.SetFileName(plain)
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
        if not reader.Read():
            sys.exit("gdcm can't read the plain film")
        change.SetInput(reader.GetImage())
        writer = gdcm.ImageWriter()
        writer.SetFileName(packed)
        if not change.Change():
            sys.exit(f"gdcm can't compress as {syntax}")
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.Write()
        return Path(packed).read_bytes()


@cache
def radiographs() -> dict[str, bytes]:
    """DICOM files, one for each transfer syntax that is read."""
    import jpeg_ls
    from openjpeg.utils import encode_array

    pixels, baseline = drawn(), io.BytesIO()
    Image.fromarray((pixels >> 4).astype(np.uint8)).save(baseline, "JPEG", quality=90)
    eight = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "WindowCenter": 128, "WindowWidth": 256}
    near = bytes(jpeg_ls.encode_buffer(pixels.tobytes(), *pixels.shape, 1, 12, 2, 0))
    lossy = bytes(encode_array(pixels, bits_stored=12, photometric_interpretation=2, compression_ratios=[6]))
    big = dict.fromkeys(["PixelData"], pixels.astype(">u2").tobytes())
    made = {
        "explicit": dicom(f"{PRE}.1"),
        "implicit": dicom(PRE),
        "big-endian": dicom(f"{PRE}.2", **big),
        "deflated": dicom(f"{PRE}.1.99"),
        "jpeg-baseline": dicom(f"{PRE}.4.50", baseline.getvalue(), **eight),
        "jpeg-ls-near": dicom(f"{PRE}.4.81", near),
        "jpeg2000": dicom(f"{PRE}.4.91", lossy),
        "monochrome1": dicom(f"{PRE}.1", PhotometricInterpretation="MONOCHROME1"),
    }
    by_name = {"jpeg-lossless": "4.57", "jpeg-lossless-sv1": "4.70", "jpeg-ls": "4.80"}
    by_name |= {"jpeg2000-lossless": "4.90", "rle": "5"}
    made.update({name: by_gdcm(f"{PRE}.{number}") for name, number in by_name.items()})
    return {f"dicom-{name}": data for name, data in made.items()}


def shared_films() -> dict[str, bytes]:
    """The small ones of the shared DICOM files, where they are at hand."""
    root = os.environ.get("XEMPLAR_DATA")
    if not root:
        return {}
    files = sorted((Path(root) / "dicom" / "files").rglob("*"))
    return {
        f"shared-{number:02d}": path.read_bytes()
        for number, path in enumerate(files)
        if path.is_file() and path.stat().st_size < 4 << 20
    }


# --- the damage -----

Mutation = Callable[[random.Random, bytes, list[bytes]], bytes]


def cut(draw: random.Random, data: bytes, _: list[bytes]) -> bytes:
    return data[: draw.randrange(len(data))]


def turned_bits(draw: random.Random, data: bytes, _: list[bytes]) -> bytes:
    return _turned(draw, data, len(data))


def turned_bits_of_the_header(draw: random.Random, data: bytes, _: list[bytes]) -> bytes:
    start = 132 if data[128:132] == b"DICM" else 0
    return data[:start] + _turned(draw, data[start:], 400)


def _turned(draw: random.Random, data: bytes, most: int) -> bytes:
    damaged = bytearray(data)
    for _ in range(draw.randint(1, 100)):
        damaged[draw.randrange(min(most, len(data)))] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def header_of_another(draw: random.Random, data: bytes, others: list[bytes]) -> bytes:
    length = draw.choice([4, 8, 16, 132, 200, 400])
    return draw.choice(others)[:length] + data[length:]


def tail_of_another(draw: random.Random, data: bytes, others: list[bytes]) -> bytes:
    other = draw.choice(others)
    return data[: draw.randrange(len(data))] + other[draw.randrange(len(other)) :]


def _block(draw: random.Random, data: bytes) -> slice:
    start = draw.randrange(len(data))
    return slice(start, min(len(data), start + draw.randint(1, max(1, len(data) // 4))))


def blanked(draw: random.Random, data: bytes, _: list[bytes]) -> bytes:
    damaged, at = bytearray(data), _block(draw, data)
    damaged[at] = bytes([draw.choice([0, 255])]) * (at.stop - at.start)
    return bytes(damaged)


def doubled(draw: random.Random, data: bytes, _: list[bytes]) -> bytes:
    at = _block(draw, data)
    return data[: at.stop] + data[at] * draw.randint(1, 3) + data[at.stop :]


def shuffled(draw: random.Random, data: bytes, _: list[bytes]) -> bytes:
    size = draw.choice([16, 64, 256, 1024])
    blocks = [data[at : at + size] for at in range(0, len(data), size)]
    draw.shuffle(blocks)
    return b"".join(blocks)


def lengths_that_lie(draw: random.Random, data: bytes, _: list[bytes]) -> bytes:
    damaged = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(0, max(1, min(len(data), draw.choice([64, 400, 1200, len(data)])) - 4))
        damaged[at : at + 4] = draw.choice([HUGE, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0"])
    return bytes(damaged)


def sizes_that_lie(draw: random.Random, data: bytes, _: list[bytes]) -> bytes:
    """Wherever the header states its width or height (80 and 96), another number stands."""
    damaged = bytearray(data)
    for number in (80, 96):
        for code in ("<H", ">H", "<I", ">I"):
            found = [m.start() for m in re.finditer(re.escape(struct.pack(code, number)), data[:1500])]
            for at in found if draw.random() < 0.5 else found[:1]:
                big = draw.choice([1, 7, 4000, 20000, 29999, 60000, 65535])
                struct.pack_into(code, damaged, at, big)
    if data.startswith(b"\x89PNG"):  # so that the lie is not met by the checksum
        damaged[29:33] = struct.pack(">I", zlib.crc32(damaged[12:29]))
    return bytes(damaged)


def noise(draw: random.Random, data: bytes, _: list[bytes]) -> bytes:
    kept = draw.choice([0, 0, 4, 12, 132])
    return data[:kept] + draw.randbytes(draw.randint(1, 20_000))


def nothing(draw: random.Random, _data: bytes, _: list[bytes]) -> bytes:
    return draw.choice([b"", b"\0", b"\0" * 5000, b"text, not a film\n" * 40])


MUTATIONS: tuple[Mutation, ...] = (
    *(cut, turned_bits, turned_bits_of_the_header, header_of_another, tail_of_another, blanked, doubled),
    *(shuffled, lengths_that_lie, sizes_that_lie, noise),
)


def bomb(draw: random.Random) -> tuple[str, bytes]:
    """A small file that asks for a lot: of memory, of time, or of patience."""
    width, height = draw.choice([(60_000, 60_000), (30_000, 6_600), (14_000, 14_000), (2**31 - 1, 2**31 - 1)])
    kind = draw.choice(
        ["png", "png-flood", "png-short", "dicom-rows", "dicom-deflated", "j2k", "jpeg-ls", "rle"]
    )
    side = draw.choice([9_000, 20_000, 65_535])
    if kind == "png":
        return kind, png(width, height, draw.choice([8, 16]), lambda: zlib.compress(bytes(1000)))
    if kind == "png-flood":  # all the pixels are there, and more
        return kind, png(5000, 5000, 8, lambda: zlib.compress(bytes(5001 * 5000 + (1 << 27)), 9))
    if kind == "png-short":
        return kind, png(80, 96, 8, lambda: zlib.compress(bytes(1 << 26), 9))
    if kind == "dicom-rows":
        return kind, dicom(
            f"{PRE}.1", Rows=side, Columns=draw.choice([80, side]), NumberOfFrames=draw.choice([1, 9999])
        )
    if kind == "dicom-deflated":
        return kind, deflated_flood()
    name = {"j2k": "jpeg2000", "jpeg-ls": "jpeg-ls-near", "rle": "rle"}[kind]
    lying = bytearray(radiographs()[f"dicom-{name}"])
    _lie_in_stream(lying, kind, side)
    return kind, bytes(lying)


@cache
def deflated_flood() -> bytes:
    """A megabyte that inflates to more than one may have."""
    packer, plain = zlib.compressobj(9, wbits=-15), dicom(f"{PRE}.1.99")
    start = 144 + int.from_bytes(plain[140:144], "little")
    header = packer.compress(struct.pack("<HH2sHI", 0x7FE1, 0x10, b"OB", 0, 0xFFFFFFF0))
    header += packer.flush(zlib.Z_FULL_FLUSH)
    megabyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return plain[:start] + header + 1200 * megabyte + packer.flush()


def _lie_in_stream(data: bytearray, kind: str, side: int) -> None:
    if kind == "j2k":
        at = data.find(b"\xff\x51")
        struct.pack_into(">II", data, at + 6, side, side)
    elif kind == "jpeg-ls":
        at = data.find(b"\xff\xf7")
        struct.pack_into(">HH", data, at + 5, side, side)
    else:
        at = data.find(b"\xfe\xff\x00\xe0", data.find(b"\xe0\x7f\x10\x00") + 20)
        struct.pack_into("<III", data, at + 8, 2, 64, 0xFFFFFFF0)


def mutants(count: int, seed: int) -> Iterator[tuple[str, str, bytes]]:
    """(original's name, what was done, bytes), the same at every call; one in thirty is a bomb."""
    originals = {**pictures(), **radiographs(), **shared_films()}
    names, everything = list(originals), list(originals.values())
    for number in range(count):
        draw = random.Random(f"{seed} {number}")
        if number % 30 == 29:
            name, data = bomb(draw)
            yield name, "bomb", data
            continue
        name = names[number % len(names)]
        done = draw.choice(MUTATIONS) if number % 61 else nothing
        yield name, done.__name__.replace("_", " "), done(draw, originals[name], everything)
