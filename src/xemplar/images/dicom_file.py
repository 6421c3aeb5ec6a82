"""A DICOM file as such: what it starts with, where its data set lies, and how it is read without a word said.

Knows the preamble, the file meta information and pydicom's settings; doesn't know any tag of a film. One
for whoever opens such a file, be it for the header alone, so that the same files are DICOM to all.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

DEFLATED = b"1.2.840.10008.1.2.1.99"
STARTS = (b"\x02\0", b"\x08\0", b"\0\x08")
"""Groups 2 and 8, and 8 in big endian, as a file without its preamble opens."""

ONE_AT_A_TIME = threading.Lock()


def is_dicom(data: bytes) -> bool:
    """Whether bytes, or the first of them, are plainly DICOM, be it without the preamble a file starts with.

    Without one they must start with an element of group 2 or 8 whose number and representation, or
    length, are such as occur there.
    """
    if data[128:132] == b"DICM":
        return True
    if len(data) < 16 or data[:2] not in STARTS:
        return False
    order: Any = "big" if data[0] == 0 else "little"
    if int.from_bytes(data[2:4], order) > 0x0100:
        return False
    explicit = data[4:6] in (b"UL", b"OB", b"UI", b"CS", b"DA", b"TM", b"LO", b"SH", b"ST", b"DT")
    return explicit or int.from_bytes(data[4:8], order) <= 256


def deflated_from(data: bytes) -> int | None:
    """Where the data set starts in the bytes of a deflated file; None for any other file."""
    start = 144 + int.from_bytes(data[140:144], "little")
    return start if data[128:132] == b"DICM" and DEFLATED in data[132:start] else None


def uid_of(word: str | None) -> str | None:
    """A word that is written as a UID is; None for any other, such as a name."""
    return word if word is not None and re.fullmatch(r"[0-9.]{1,64}", word) else None


@contextmanager
def silence() -> Iterator[None]:
    """What pydicom warns, or writes into its log, of odd values quotes them, and a value may be a patient's.

    Filters and settings are of the whole process, so that one thread at a time changes them.
    """
    from pydicom import config

    with ONE_AT_A_TIME, warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        logged, config.logger.disabled = config.logger.disabled, True
        try:
            yield
        finally:
            config.logger.disabled = logged
