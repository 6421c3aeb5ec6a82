"""Arrivals -> previews, in this process or in several.

Knows images and processes; knows nothing of what becomes of a preview.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from xemplar.contracts import Arrival
from xemplar.corpus.landmarks import landmarks_of
from xemplar.corpus.pool import Lost, Pool
from xemplar.errors import ImageError
from xemplar.images import Preview, PreviewSpec, read_preview
from xemplar.memory import keep_freed
from xemplar.records import Rejected


@dataclass(frozen=True, slots=True)
class ReadView:
    """What is kept of a view's pixels: its preview, and the landmarks that near-duplicates are told by."""

    preview: Preview
    landmarks: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Decoded:
    """An arrival whose pixels were read: what was read of each view, or why it could not be."""

    arrival: Arrival
    views: tuple[ReadView | Rejected, ...]


Decode = Callable[[list[Arrival]], Iterable[Decoded]]


def _decode(arrival: Arrival, spec: PreviewSpec) -> Decoded:
    views: list[ReadView | Rejected] = []
    for view, source in zip(arrival.study.views, arrival.images, strict=True):
        try:
            preview = read_preview(source, spec)
            views.append(ReadView(preview, landmarks_of(preview.pixels)))
        except ImageError as error:
            reason = str(error).removeprefix(f"{error.where}: ")
            views.append(
                Rejected(
                    f"{arrival.study.study_id}/{view.view_id}", f"unreadable image: {reason}", view.path or ""
                )
            )
    return Decoded(arrival, tuple(views))


@contextmanager
def decoding(spec: PreviewSpec, workers: int) -> Iterator[Decode]:
    """A function that decodes a chunk, in this process or in several.

    In several, an image whose decoder crashes, hangs or eats up the memory is rejected; in this one it
    takes the ingest along.
    """
    decode = partial(_decode, spec=spec)
    if workers <= 1:
        yield lambda chunk: map(decode, chunk)
        return
    pool: Pool[Arrival, Decoded] = Pool(decode, workers, prepare=_settle)
    try:
        yield partial(_decode_apart, pool)
    finally:
        pool.close()


def _decode_apart(pool: Pool[Arrival, Decoded], chunk: list[Arrival]) -> Iterator[Decoded]:
    """Decode in other processes; a study that was lost with one is read again, view by view."""
    for arrival, found in zip(chunk, list(pool.map(chunk)), strict=True):
        if not isinstance(found, Lost):
            yield found
            continue
        views = [
            replace(arrival, study=replace(arrival.study, views=(view,)), images=(image,))
            for view, image in zip(arrival.study.views, arrival.images, strict=True)
        ]
        again = pool.map(views) if len(views) > 1 else iter([found])
        yield Decoded(arrival, tuple(_lost(one, each) for one, each in zip(views, again, strict=True)))


def _lost(arrival: Arrival, found: Decoded | Lost) -> ReadView | Rejected:
    """What became of an arrival's only view."""
    if not isinstance(found, Lost):
        return found.views[0]
    view = arrival.study.views[0]
    reason = f"unreadable image: {found.why}"
    return Rejected(f"{arrival.study.study_id}/{view.view_id}", reason, view.path or "")


def _settle() -> None:
    # Several processes of several threads each are slower than either.
    cv2.setNumThreads(1)
    keep_freed()
    # What decoders print of damage may quote the file; what has to be known comes as an exception.
    warnings.simplefilter("ignore")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
