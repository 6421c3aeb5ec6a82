"""A JPEG's structure walked and its pixels decoded, so that damage is found which libjpeg forgives.

Knows baseline and progressive JPEG of 8 bits (ITU-T T.81); doesn't know what a picture is for. libjpeg
fills what is missing with grey and skips what is too much, with warnings that Pillow doesn't hand on.
What can be found nonetheless is found: broken segments, stray markers, restarts out of order, data that
end before the picture does, and data left over when it is done. A damage that keeps the length of the
data (a few changed coefficients) can't be told from a picture.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import cast

from PIL import Image as Pillow
from PIL.JpegImagePlugin import JpegImageFile

from xemplar.errors import ImageError
from xemplar.images.codestream import marker_at

AFTER_A_SCAN = (0xC4, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0))
END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
RESTARTS = re.compile(rb"\xff([\xd0-\xd7])")
TAIL = 2
"""Bytes of a scan that are handed out last."""

AHEAD = b"\xff\x00" * 8
"""As much as libjpeg reads ahead of what it decodes: ones, which no code consists of."""


@dataclass(frozen=True, slots=True)
class Walked:
    """Where the data of the last scan end, how many scans there are, whether it is progressive."""

    end: int
    scans: int
    progressive: bool


def walk_jpeg(data: bytes, where: str) -> Walked:
    """A JPEG's segments from first to last; ImageError where they don't make a whole one."""
    try:
        return _walk(data, where)
    except IndexError as error:
        raise ImageError("a JPEG that is cut short", wanted="its end mark", where=where) from error


def _walk(data: bytes, where: str) -> Walked:
    at, scans, interval, progressive = 2, 0, 0, False
    while True:
        marker, at = marker_at(data, at, where, of="a segment")
        if marker == 0xD9:
            return Walked(_without_fill(data, at), scans, progressive)
        if marker == 0x01:
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2 or (scans and marker not in AFTER_A_SCAN):
            raise ImageError("a damaged JPEG: a stray marker", where=where)
        if marker == 0xDD:
            interval = int.from_bytes(data[at + 4 : at + 6], "big")
        progressive |= marker == 0xC2
        at += 2 + length
        if marker == 0xDA:
            scans += 1
            at = _end_of_scan(data, at, interval=interval, where=where)


def _end_of_scan(data: bytes, start: int, *, interval: int, where: str) -> int:
    found = END_OF_SCAN.search(data, start)
    if found is None:
        raise ImageError("a JPEG that is cut short", wanted="its end mark", where=where)
    if interval or b"\xff\xd0" in data[start : found.start()]:
        numbers = [match[1][0] - 0xD0 for match in RESTARTS.finditer(data, start, found.start())]
        if any(number != turn % 8 for turn, number in enumerate(numbers)) or (numbers and not interval):
            raise ImageError("a damaged JPEG: restarts out of order", where=where)
    return found.start()


def _without_fill(data: bytes, end: int) -> int:
    """The end less the bytes that pad it: 0xff before a marker, zeros of careless writers."""
    while end > 2 and data[end - 1] == 0xFF:
        end -= 1
    return end


class _Metered(io.BytesIO):
    """A file that hands out its last bytes only to who has used the others up."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__(data)
        self.most = most

    def read(self, size: int | None = -1, /) -> bytes:
        left = self.most - self.tell()
        if left > 0:
            size = left if size is None or size < 0 else min(size, left)
        return super().read(size)


def open_jpeg(data: bytes, where: str) -> JpegImageFile:
    """A walked JPEG, open and not yet decoded, for `load_jpeg`."""
    walked = walk_jpeg(data, where)
    file: io.BytesIO = io.BytesIO(data)
    if walked.scans == 1 and not walked.progressive:
        # Without its end mark libjpeg asks for more where it would else make up what is missing.
        file = _Metered(data[: walked.end] + AHEAD, walked.end - TAIL)
    return cast(JpegImageFile, Pillow.open(file, formats=("JPEG",)))


def load_jpeg(film: JpegImageFile, where: str) -> None:
    """Decode an opened JPEG; ImageError where its data end early or go on after the last pixel."""
    file = film.fp
    try:
        film.load()
    except OSError as error:
        if "truncated" in str(error):
            raise ImageError("a damaged JPEG: its data end before the picture does", where=where) from error
        raise
    if isinstance(file, _Metered) and file.tell() <= file.most:
        raise ImageError("a damaged JPEG: data left over after the last pixel", where=where)
