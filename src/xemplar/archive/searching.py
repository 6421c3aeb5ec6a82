"""Searching an archive: by likeness alone, or by a query that is read; with a film, or a region of one.

Knows what is asked and of whom; how it is answered is known in `retrieval`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemplar.errors import XemplarError
from xemplar.records import Hit, Kind
from xemplar.retrieval import Answer, Asked, Leave, Query, Region

if TYPE_CHECKING:
    from xemplar.archive.facade import Archive, Views


def searched(
    archive: Archive,
    query: Query,
    k: int = 10,
    *,
    kind: Kind = "report",
    leave: Leave | None = None,
    region: Region | None = None,
) -> tuple[Hit, ...]:
    """The k best images, sentences or reports for a text, a film or the views of one study.

    With a `region` of one film, by what lies in it; refused where the model sees whole films alone.
    """
    if region is None:
        return archive.retriever.search(query, kind, k, leave=leave)
    if isinstance(query, str):
        raise XemplarError("a region without an image", wanted="the image that it is a region of")
    vector = archive.retriever.vector_of_region(query, region)
    return archive.retriever.search(query, kind, k, leave=leave, vector=vector)


def asked(
    archive: Archive,
    query: str | Asked,
    k: int = 10,
    *,
    kind: Kind = "report",
    like: Views | None = None,
    region: Region | None = None,
) -> Answer:
    """The best reports or images for a query that is read; with `like`, the most alike it lets pass.

    With a `region` of that image, alike by what lies there.
    """
    return archive.finder.find(query, k, kind=kind, like=like, region=region)
