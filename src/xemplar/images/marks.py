"""The mark by which a file says what it is: synthetic, figures or clinical.

Knows where a PNG and a DICOM file carry it; doesn't know pixels, nor what a mark permits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemplar.errors import ImageError
from xemplar.records import DOMAINS, Domain

if TYPE_CHECKING:
    from pydicom import Dataset

DOMAIN_KEY = "xemplar-domain"
"""Of a PNG's text chunk; its value is the domain."""

DICOM_GROUP, DICOM_CREATOR, DICOM_ELEMENT = 0x0009, "XEMPLAR", 0x01
"""Of a DICOM file's private block: (0009,xx01) LO within the block of this creator."""


def mark_dataset(dataset: Dataset, domain: Domain) -> None:
    """Write the mark into a pydicom data set, for whoever makes DICOM files that say what they are."""
    block = dataset.private_block(DICOM_GROUP, DICOM_CREATOR, create=True)
    block.add_new(DICOM_ELEMENT, "LO", domain)


def domain_of_dataset(dataset: Dataset, where: str) -> Domain | None:
    """What a pydicom data set says of itself, None where it says nothing.

    Raises ImageError for a mark that isn't a domain, which is never quoted.
    """
    try:
        value = dataset.private_block(DICOM_GROUP, DICOM_CREATOR)[DICOM_ELEMENT].value
    except KeyError:
        return None
    # Where the representation isn't written (implicit), a private element is bytes.
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    return domain_of(text.strip(" \0"), where)


def domain_of(mark: str, where: str) -> Domain:
    """A mark's text -> the domain; ImageError for any other text."""
    if mark not in DOMAINS:
        raise ImageError(f"an unknown {DOMAIN_KEY} mark", wanted=" or ".join(DOMAINS), where=where)
    return mark
