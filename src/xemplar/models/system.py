"""A model folder and what lies below it: the encoder, what ranks its candidates again, its neighbours' head.

Knows where each lies and that they fit each other.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from xemplar.assembly import Assembly
from xemplar.contracts import Stages
from xemplar.errors import MismatchError
from xemplar.models.checkpoint import TorchEncoder, open_model
from xemplar.models.checkpoints.table import VectorTable
from xemplar.models.matcher_folder import is_matcher, open_matcher
from xemplar.models.matching import TorchMatcher

RERANKER, NEIGHBOURS = "reranker", "neighbours"
"""Folders below a model's."""


def open_system(folder: Path | str) -> tuple[TorchEncoder | VectorTable | TorchMatcher, Stages]:
    """A model folder as an encoder and its stages; a stage that doesn't fit the encoder is refused."""
    folder = Path(folder)
    encoder = open_model(folder)
    try:
        assembly = Assembly.model_validate(encoder.manifest.get("assembly", {}))
    except ValidationError as error:
        raise MismatchError(
            f"an assembly that no policy has ({error.errors()[0]['msg']})", where=str(folder)
        ) from None
    matcher = open_matcher(folder / RERANKER) if is_matcher(folder / RERANKER) else None
    return encoder, Stages(assembly, matcher)
