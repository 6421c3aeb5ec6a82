"""A head that looks at a query's nearest neighbours before it says what it sees (after X-TRA).

Knows vectors and masks; knows nothing of studies or files. Van Sonsbeek and Worring, X-TRA, 2023,
published neither code nor settings, so that what is here is in its manner and not theirs.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from xemplar.errors import MismatchError, XemplarError
from xemplar.records import Vectors

Source = Literal["image", "report"]

NOBODY = -1
"""In a table of neighbours: there is none."""

_BLOCK = 256
"""Queries whose scores against the whole gallery are held at once."""


class NeighbourConfig(BaseModel):
    """The head's settings.

    `dim` is that of the vectors, `findings` names what it answers, in order. `sources` says what the
    neighbours are: their images' vectors, their reports', or both, the one half behind the other.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dim: int = Field(ge=2, le=4096)
    findings: tuple[str, ...] = Field(min_length=1)
    sources: tuple[Source, ...] = ("image", "report")
    heads: int = Field(default=4, ge=1, le=64)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _fits(self) -> NeighbourConfig:
        if self.dim % self.heads:
            raise ValueError(f"{self.dim} dimensions can't be shared by {self.heads} heads")
        if not self.sources or len(set(self.sources)) != len(self.sources):
            raise ValueError(f"sources {self.sources}; wanted image, report or both")
        return self


class NeighbourHead(nn.Module):
    """h' = LayerNorm(h + attention(query h, over its neighbours)); findings are read from h'.

    The last layer of the attention begins at zero: an untrained head adds nothing.
    """

    def __init__(self, config: NeighbourConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.sources = nn.Embedding(len(config.sources), dim)
        nn.init.normal_(self.sources.weight, std=0.02)
        self.dropout = nn.Dropout(config.dropout)
        self.norm = nn.LayerNorm(dim)
        self.findings = nn.Linear(dim, len(config.findings))

    def forward(self, queries: Tensor, neighbours: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(n, dim), (n, k, dim), (n, k) bool, true where there is one -> unit (n, dim), logits (n, findings).

        With two sources the first half of the k are of the first. A query without any neighbour is
        answered from itself. Another shape raises MismatchError.
        """
        self._check(queries, neighbours, mask)
        seen, _ = self._attend(queries, neighbours, mask)
        hidden = self.norm(queries + self.dropout(seen))
        return functional.normalize(hidden.float(), dim=-1), self.findings(hidden)

    def weights(self, queries: Tensor, neighbours: Tensor, mask: Tensor) -> Tensor:
        """How much each neighbour weighs, over all heads: (n, k), rows of sum 1, or 0 without any."""
        self._check(queries, neighbours, mask)
        return self._attend(queries, neighbours, mask)[1].mean(1)

    def _attend(self, queries: Tensor, neighbours: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        count, several, dim = neighbours.shape
        heads, width = self.config.heads, dim // self.config.heads
        each = several // len(self.config.sources)
        marked = neighbours + self.sources.weight.repeat_interleave(each, dim=0)
        query = self.query(queries).view(count, heads, 1, width)
        key = self.key(marked).view(count, several, heads, width).transpose(1, 2)
        value = self.value(marked).view(count, several, heads, width).transpose(1, 2)
        allowed = mask.bool()[:, None, None, :]
        scores = (query @ key.transpose(2, 3)).float() / width**0.5
        # A finite floor, so that a row without neighbours has gradients of 0 and not none at all.
        weights = torch.softmax(scores.masked_fill(~allowed, torch.finfo(scores.dtype).min), dim=-1)
        weights = (weights * allowed).to(value.dtype)
        seen = (weights @ value).reshape(count, dim)
        # Without neighbours not even the bias of the last layer is added.
        return self.out(seen) * mask.bool().any(1, keepdim=True), weights[:, :, 0]

    def _check(self, queries: Tensor, neighbours: Tensor, mask: Tensor) -> None:
        shape = (len(queries), mask.shape[-1] if mask.ndim else 0)
        if (
            queries.shape[1:] != (self.config.dim,)
            or tuple(mask.shape) != shape
            or tuple(neighbours.shape) != (*shape, self.config.dim)
            or shape[1] % len(self.config.sources)
        ):
            raise MismatchError(
                f"queries {tuple(queries.shape)}, neighbours {tuple(neighbours.shape)}, "
                f"mask {tuple(mask.shape)}",
                wanted=f"(n, {self.config.dim}), (n, k, {self.config.dim}), (n, k), k a multiple of "
                f"{len(self.config.sources)}",
            )


class TorchAugmenter:
    """A `contracts.Augmenter` over a head: numpy in, numpy out.

    Who the neighbours are, and that none is of the query's own study or patient, is the caller's part.
    """

    def __init__(self, head: NeighbourHead) -> None:
        self.head = head.eval()

    @property
    def findings(self) -> tuple[str, ...]:
        """What the columns of the probabilities are."""
        return self.head.config.findings

    def augment(
        self, queries: Vectors, neighbours: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> tuple[Vectors, NDArray[np.float32]]:
        """(n, dim), (n, k, dim), (n, k) -> augmented (n, dim) and finding probabilities (n, f)."""
        device = self.head.out.weight.device
        # What stands where there is no neighbour must not matter, not even if it is no number.
        held = np.where(mask[..., None], neighbours, np.float32(0)) if mask.ndim == 2 else neighbours
        parts = (torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in (queries, held, mask))
        with torch.inference_mode():
            vectors, logits = self.head(*parts)
        return vectors.cpu().numpy(), torch.sigmoid(logits.float()).cpu().numpy()


def neighbour_table(
    queries: Vectors,
    gallery: Vectors,
    count: int,
    *,
    own: NDArray[np.str_] | NDArray[np.int64],
    others: NDArray[np.str_] | NDArray[np.int64],
) -> NDArray[np.int64]:
    """Gallery rows of each query's `count` nearest by cosine that are of another patient: (n, count).

    `own` (n,) and `others` (m,) are the patients' keys (the study's, where no patient is known: so its
    own study is never among them). Best first, equal scores by rising row, -1 where there are too few.
    For training: a head that sees its own study learns to copy.
    """
    if len(own) != len(queries) or len(others) != len(gallery):
        raise MismatchError(
            f"{len(own)} and {len(others)} keys", wanted=f"{len(queries)} and {len(gallery)}, one a vector"
        )
    if count < 1:
        raise XemplarError(f"{count} neighbours", wanted="at least 1")
    table = np.full((len(queries), count), NOBODY, np.int64)
    kept = min(count, len(gallery))
    for start in range(0, len(queries) if kept else 0, _BLOCK):
        block = slice(start, min(start + _BLOCK, len(queries)))
        scores = queries[block] @ gallery.T
        scores[own[block, None] == others[None, :]] = -np.inf
        # The worst score that may still be among them: a full sort of a large gallery is slow.
        worst = np.partition(scores, -kept, axis=1)[:, -kept]
        for place, (row, least) in enumerate(zip(scores, worst, strict=True), start):
            near = np.flatnonzero((row >= least) & (row > -np.inf))
            near = near[np.argsort(-row[near], kind="stable")][:kept]
            table[place, : len(near)] = near
    return table


def gathered(table: NDArray[np.int64], gallery: Vectors) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A table of rows -> the neighbours' vectors (n, k, dim), 0 where there is none, and the mask (n, k)."""
    mask = table != NOBODY
    if not len(gallery):
        return np.zeros((*table.shape, gallery.shape[1]), np.float32), mask
    return np.where(mask[..., None], gallery[table], np.float32(0)), mask
