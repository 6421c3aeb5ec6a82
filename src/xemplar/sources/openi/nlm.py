"""One report of the Indiana collection as NLM hands it out: an XML file, read without trusting it.

Knows the elements of an eCitation. Entities are refused wherever they are declared, so that no file can
grow when it is read or name another; damage is told without quoting the text.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

MAX_BYTES = 4 << 20
_LICENCES = {
    "byncnd": "CC BY-NC-ND 4.0",
    "byncsa": "CC BY-NC-SA 4.0",
    "bync": "CC BY-NC 4.0",
    "by": "CC BY 4.0",
}


class Unreadable(Exception):
    """Why a report can't be read; holds no text of it."""


@dataclass(frozen=True, slots=True)
class Citation:
    """What a report's file says, in its own words."""

    number: str
    texts: dict[str, str]
    major: tuple[str, ...]
    automatic: tuple[str, ...]
    images: tuple[str, ...]
    captions: tuple[str, ...]
    licence: str | None


def read_citation(path: Path) -> Citation:
    """A report's file -> its parts. Raises Unreadable with the reason."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Unreadable(f"an XML file of more than {MAX_BYTES} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"a file that can't be opened ({error.strerror})") from error
    root = parse(data)
    if root.tag != "eCitation":
        raise Unreadable("XML that is not a report (no eCitation)")
    number = _number(root)
    if not number:
        raise Unreadable("a report without its number (IUXRId or uId)")
    texts: dict[str, list[str]] = {}
    for section in root.iter("AbstractText"):
        if text := _text(section):
            texts.setdefault((section.get("Label") or "").strip().casefold(), []).append(text)
    images = [image for image in root.iter("parentImage") if (image.get("id") or "").strip()]
    captions = [text for image in images for caption in image.iter("caption") if (text := _text(caption))]
    return Citation(
        number=number,
        texts={label: "\n".join(parts) for label, parts in texts.items()},
        major=_terms(root, "major"),
        automatic=_terms(root, "automatic"),
        images=tuple((image.get("id") or "").strip() for image in images),
        captions=tuple(dict.fromkeys(captions)),
        licence=_LICENCES.get(_text(root.find("ccLicense"))),
    )


def parse(data: bytes) -> ET.Element:
    """XML bytes -> the root element; refuses entities, declared or unknown. Raises Unreadable."""

    def refuse(*_: object) -> NoReturn:
        raise Unreadable("XML with entities of its own, which is never expanded here")

    builder = ET.TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse
    parser.SkippedEntityHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise Unreadable(f"XML that is not well-formed (line {error.lineno})") from None
    except (ValueError, LookupError, UnicodeError):  # an encoding that is unknown or unfit
        raise Unreadable("XML in an encoding that can't be read") from None
    return builder.close()


def _number(root: ET.Element) -> str:
    """The report's number, without the letters that one of its two ids has before it."""
    for name in ("IUXRId", "uId"):
        element = root.find(name)
        value = (element.get("id") or "").strip() if element is not None else ""
        if found := re.fullmatch(r"(?:CXR)?([0-9]{1,9})", value):
            return str(int(found[1]))
    return ""


def _terms(root: ET.Element, name: str) -> tuple[str, ...]:
    return tuple(text for mesh in root.iter("MeSH") for term in mesh.iter(name) if (text := _text(term)))


def _text(element: ET.Element | None) -> str:
    return "" if element is None else "".join(element.itertext()).strip()
