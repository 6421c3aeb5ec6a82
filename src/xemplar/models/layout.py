"""What lies below a model's folder, and the model that comes with the package.

Knows names and places; opens nothing.
"""

from __future__ import annotations

from pathlib import Path

from xemplar.errors import XemplarError

LINEAR, RERANKER, NEIGHBOURS = "linear", "reranker", "neighbours"
STAGES = (LINEAR, RERANKER, NEIGHBOURS)
"""Folders below a model's, of what was trained after it."""

PROVIDED = "phantom"
"""Name of the small model that comes with the package: trained on drawn films, for drawn films alone."""


def model_folder(named: Path) -> Path:
    """The folder of a model that a user names: a path or, where no such folder is, the one provided.

    A name that is neither raises XemplarError.
    """
    if named.is_dir():
        return named
    if str(named) == PROVIDED:
        return Path(__file__).parents[1] / "weights" / PROVIDED
    raise XemplarError(
        "no such folder",
        wanted=f"a model folder, or {PROVIDED} for the one that comes with the package",
        where=str(named),
    )
