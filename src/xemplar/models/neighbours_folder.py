"""A neighbour-attending head's folder: save it, open it again for the encoder whose vectors it was taught.

Knows safetensors and the manifest; knows nothing of training, nor of who a query's neighbours are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xemplar.contracts import Json
from xemplar.errors import MismatchError
from xemplar.folders import describe_file, fingerprint, publish, read_listed, sync_below
from xemplar.models.checkpoint import load_weights, save_weights
from xemplar.models.neighbours import NeighbourConfig, NeighbourHead, Source, TorchAugmenter
from xemplar.records import Vectors

VERSION = 1
MANIFEST = "neighbours.json"
WEIGHTS = "weights.safetensors"


class Looks(BaseModel):
    """Whom a head was taught to look at: `count` of each source, the nearest, or any as a control.

    Without a source it looks at nobody: the control that says what neighbours are worth.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[Source, ...]
    pick: Literal["nearest", "random"] = "nearest"
    count: int = Field(ge=1)


class TrainedAugmenter(TorchAugmenter):
    """A `contracts.Augmenter` that says whom it looks at, and in what its answers are named."""

    def __init__(self, head: NeighbourHead, manifest: Json) -> None:
        super().__init__(head)
        self.manifest = manifest
        self.looks = Looks.model_validate(manifest["looks"])
        self.fingerprint = fingerprint([manifest["files"], manifest["config"], manifest["looks"]])

    @property
    def sources(self) -> tuple[Source, ...]:
        """The kinds of item it looks at, in the order in which their neighbours are handed in."""
        return self.looks.sources

    @property
    def pick(self) -> Literal["nearest", "random"]:
        """Which of them."""
        return self.looks.pick

    @property
    def count(self) -> int:
        """How many of each source."""
        return self.looks.count

    def augment(
        self, queries: Vectors, neighbours: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> tuple[Vectors, NDArray[np.float32]]:
        """As `TorchAugmenter`, one query at a time: an answer's bits don't depend on who else is asked."""
        if len(queries) < 2 or not len(queries) == len(neighbours) == len(mask):
            return super().augment(queries, neighbours, mask)
        alone = super().augment
        each = [
            alone(queries[row : row + 1], neighbours[row : row + 1], mask[row : row + 1])
            for row in range(len(queries))
        ]
        return np.concatenate([one for one, _ in each]), np.concatenate([one for _, one in each])


def save_neighbours(folder: Path, head: NeighbourHead, *, looks: Looks, facts: Json) -> None:
    """Write a head's folder; `facts` are at least `encoder`, the fingerprint of the one that it fits."""
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(folder / WEIGHTS, head)
    sync_below(folder)
    manifest = {
        "kind": "neighbours",
        "version": VERSION,
        "config": head.config.model_dump(mode="json"),
        "looks": looks.model_dump(mode="json"),
        "files": {WEIGHTS: describe_file(folder / WEIGHTS)},
        **facts,
    }
    publish(folder, MANIFEST, manifest)


def open_neighbours(folder: Path | str, *, encoder: str) -> TrainedAugmenter:
    """Open a head's folder for the encoder of that fingerprint.

    One taught on another encoder's vectors, a file that is not the one listed, and weights of another
    shape are refused.
    """
    folder = Path(folder)
    manifest = read_listed(folder, "neighbours", version=VERSION)
    if manifest["encoder"] != encoder:
        raise MismatchError(
            f"the head was taught on the vectors of encoder {manifest['encoder']}",
            wanted=f"encoder {encoder}, the one given",
            where=str(folder),
            remedy="train the head again on this encoder",
        )
    try:
        head = NeighbourHead(NeighbourConfig.model_validate(manifest["config"]))
        load_weights(folder / WEIGHTS, head)
        return TrainedAugmenter(head, manifest)
    except ValidationError as error:
        raise MismatchError(
            f"settings that no head has ({error.errors()[0]['msg']})", where=str(folder / MANIFEST)
        ) from error
