"""Nearest unit vectors by cosine: one contract, several engines, one answer.

Knows engines by name; knows nothing of what a vector stands for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from xemplar.contracts import VectorIndex
from xemplar.errors import XemplarError
from xemplar.vectors.exact import ExactIndex
from xemplar.vectors.flat import FlatIndex

__all__ = ["ENGINES", "ExactIndex", "FlatIndex", "StoredIndex", "load_engine", "open_engine"]


class StoredIndex(VectorIndex, Protocol):
    """A vector index that knows its width and can be kept in a folder."""

    dim: int

    def save(self, folder: Path) -> None:
        """Write everything that `load_engine` needs."""
        ...


ENGINES: dict[str, type[ExactIndex] | type[FlatIndex]] = {"exact": ExactIndex, "faiss": FlatIndex}


def open_engine(name: str, dim: int) -> StoredIndex:
    """An empty index of `dim` dimensions; `name` is "exact" or "faiss"."""
    return _engine(name)(dim)


def load_engine(name: str, folder: Path) -> StoredIndex:
    """An index saved by the engine of that name; parts that don't fit raise MismatchError."""
    return _engine(name).load(folder)


def _engine(name: str) -> type[ExactIndex] | type[FlatIndex]:
    if name not in ENGINES:
        raise XemplarError(f"engine {name!r}", wanted=" or ".join(ENGINES))
    return ENGINES[name]
