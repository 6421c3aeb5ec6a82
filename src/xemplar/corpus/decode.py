"""Arrivals -> previews, in this process or in several.

Knows images and processes; knows nothing of what becomes of a preview.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import cv2

from xemplar.contracts import Arrival
from xemplar.errors import ImageError
from xemplar.images import Preview, PreviewSpec, read_preview
from xemplar.records import Rejected


@dataclass(frozen=True, slots=True)
class Decoded:
    """An arrival whose pixels were read: a preview or an error for each view."""

    arrival: Arrival
    previews: tuple[Preview | Rejected, ...]


Decode = Callable[[list[Arrival]], Iterable[Decoded]]


def _decode(arrival: Arrival, spec: PreviewSpec) -> Decoded:
    previews: list[Preview | Rejected] = []
    for view, source in zip(arrival.study.views, arrival.images, strict=True):
        try:
            previews.append(read_preview(source, spec))
        except ImageError as error:
            reason = str(error).removeprefix(f"{error.where}: ")
            previews.append(
                Rejected(
                    f"{arrival.study.study_id}/{view.view_id}", f"unreadable image: {reason}", view.path or ""
                )
            )
    return Decoded(arrival, tuple(previews))


@contextmanager
def decoding(spec: PreviewSpec, workers: int) -> Iterator[Decode]:
    """A function that decodes a chunk, in this process or in several."""
    decode = partial(_decode, spec=spec)
    if workers <= 1:
        yield lambda chunk: map(decode, chunk)
        return
    context = get_context("forkserver")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_ignore_interrupts) as pool:
        try:
            yield lambda chunk: pool.map(decode, chunk, chunksize=8)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _ignore_interrupts() -> None:
    # Ctrl-C is for the parent, which lets the chunk go and keeps what is on disk.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # One thread a process: several processes of several threads each are slower than either.
    cv2.setNumThreads(1)
