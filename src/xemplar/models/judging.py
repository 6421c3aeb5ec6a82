"""A judge of pairs over a finished dual encoder: its image grid and its words, a few layers that look across.

Knows tensors, fixed batch shapes and the encoder whose states it takes, which stay as they are; knows
nothing of training. What ALBEF's second stage does (Li et al., 2021), without towers of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from xemplar.contracts import Encoder, Json, Matches, TextStates
from xemplar.errors import MismatchError
from xemplar.folders import fingerprint
from xemplar.images import model_input
from xemplar.models.blocks import first_token, masked_mean
from xemplar.models.checkpoint import TorchEncoder
from xemplar.models.config import FusionTower
from xemplar.models.dual import DualEncoder
from xemplar.models.fusion import Keys, Layer
from xemplar.models.matching import (
    PAIR_BATCH,
    TEXT_BATCH,
    PreparedTexts,
    TextReader,
    alike,
    inference,
    padded,
    spread,
)
from xemplar.records import Domain, Image, Vectors

FIRST_SCALE = 10.0
"""Of cosines, at first."""


class JudgeConfig(BaseModel):
    """Sizes: of the layers, and of the states they take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layers: int = Field(ge=1, le=12)
    width: int = Field(default=128, ge=8, le=4096)
    heads: int = Field(default=4, ge=1, le=64)
    inner: int = Field(default=256, ge=8)
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    image_width: int = Field(ge=1)
    positions: int = Field(ge=1)
    """Of the image."""
    text_width: int = Field(ge=1)
    dim: int = Field(ge=1)
    """Of the encoder's vectors."""
    pool: Literal["mean", "cls"] = "mean"
    """Which text state says whether it matches: the mean of all, or [CLS]."""


class JudgeNet(nn.Module):
    """Words look at each other and at the image, `layers` times; then a number, higher where they match.

    It is added to the cosine of the two vectors, and begins at nothing: what is learnt is what the first
    stage gets wrong. The image's vector is looked at beside its grid.
    """

    def __init__(self, config: JudgeConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        tower = FusionTower(
            width=width, layers=config.layers, fusion=0, heads=config.heads, inner=config.inner,
            dropout=config.dropout,
        )  # fmt: skip
        self.image = nn.Sequential(nn.LayerNorm(config.image_width), nn.Linear(config.image_width, width))
        self.places = nn.Parameter(torch.zeros(config.positions, width))
        self.text = nn.Sequential(nn.LayerNorm(config.text_width), nn.Linear(config.text_width, width))
        self.layers = nn.ModuleList([Layer(tower, width) for _ in range(config.layers)])
        self.whole = nn.Linear(config.dim, width)
        self.head = nn.Sequential(nn.Linear(width, width), nn.GELU())
        self.last = nn.Linear(width, 1)
        self.scale = nn.Parameter(torch.tensor(FIRST_SCALE))
        nn.init.normal_(self.places, std=0.02)
        nn.init.zeros_(self.last.weight)

    def image_keys(self, states: Tensor, vectors: Tensor) -> list[Keys]:
        """Image states (n, positions, image width) and vectors (n, dim) -> what each layer looks at."""
        whole = self.whole(vectors * vectors.shape[1] ** 0.5)[:, None]
        seen = torch.cat([whole, self.image(states) + self.places], dim=1)
        return [layer.cross.keys(seen) for layer in self._looking if layer.cross is not None]

    def forward(self, states: Tensor, mask: Tensor, keys: list[Keys], *, cosines: Tensor) -> Tensor:
        """Text states (n, length, text width), their mask, an image each and (n,) cosines -> (n,) logits."""
        hidden = self.text(states)
        for layer, image in zip(self._looking, keys, strict=True):
            hidden = layer(hidden, _seen(mask), image)
        pooled = first_token(hidden) if self.config.pool == "cls" else masked_mean(hidden, mask)
        return torch.as_tensor(self.last(self.head(pooled))[:, 0] + self.scale * cosines)

    def looks(self, states: Tensor, mask: Tensor, keys: list[Keys]) -> Tensor:
        """Where the words look in the last layer, over all words and heads: (n, positions), rows of sum 1."""
        hidden = self.text(states)
        for layer, image in zip(self._looking[:-1], keys[:-1], strict=True):
            hidden = layer(hidden, _seen(mask), image)
        last = self._looking[-1]
        assert last.cross is not None  # every layer has it
        weights = last.cross.weights(last.looking(hidden, _seen(mask)), keys[-1]).mean(1)
        return masked_mean(weights, mask)

    @property
    def _looking(self) -> list[Layer]:
        return [layer for layer in self.layers if isinstance(layer, Layer)]


def _seen(mask: Tensor) -> Tensor:
    return mask.bool()[:, None, None, :]


def judged_encoder(encoder: Encoder) -> TorchEncoder:
    """The encoder, if it is a dual encoder of ours; of any other there are no states to be had."""
    if isinstance(encoder, TorchEncoder) and isinstance(encoder.model, DualEncoder):
        return encoder
    raise MismatchError(
        f"a model of another kind ({type(encoder).__name__})", wanted="a dual encoder of ours, to judge over"
    )


class States:
    """What a finished dual encoder knows of images and texts before it pools them."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = judged_encoder(encoder)
        assert isinstance(self.encoder.model, DualEncoder)
        self.model: DualEncoder = self.encoder.model

    @property
    def device(self) -> torch.device:
        """Where the encoder's weights are."""
        return next(self.model.parameters()).device

    def of_images(self, images: Sequence[Image]) -> tuple[NDArray[np.float32], Vectors]:
        """Previews -> states (n, positions, channels) and vectors (n, dim).

        Each goes alone, so that it has the same states whatever it is asked with.
        """
        size = self.model.config.image.input_size
        pixels = (torch.from_numpy(model_input(image, size))[None, None] for image in images)
        states = np.concatenate([self._run(self.model.image_states, one) for one in pixels])
        return states, self._run(self.model.image_vectors_of, torch.from_numpy(states))

    def reader(self, maker: str) -> TextReader:
        """Prepares texts with the encoder's text tower."""
        text = self.model.config.text
        return TextReader(
            self.encoder.tokenizer, text.max_tokens, int(self.model.text_tower.config.hidden_size), maker,
            forward=partial(self._run, self.model.text_states),
        )  # fmt: skip

    def _run(self, forward: Callable[..., Tensor], *inputs: Tensor) -> NDArray[np.float32]:
        with inference(self.device.type, half=self.model.config.precision == "bf16"):
            found: NDArray[np.float32] = (
                forward(*(one.to(self.device) for one in inputs)).float().cpu().numpy()
            )
        return found


class TorchJudge:
    """A `contracts.Matcher` over a dual encoder: its scores are logits, to be compared for one image.

    `facts` are the manifest's: `files` (what tells these weights from others) and `encoder`, the
    fingerprint of the dual encoder that it fits; any other is refused.
    """

    def __init__(self, net: JudgeNet, encoder: Encoder, facts: Json) -> None:
        self.states = States(encoder)
        if facts["encoder"] != encoder.fingerprint:
            raise MismatchError(
                f"a judge over encoder {facts['encoder']}", wanted=f"one over {encoder.fingerprint}",
                remedy="train it again over this one",
            )  # fmt: skip
        self.net = net.to(self.states.device).eval()
        self.manifest = facts
        self.domain: Domain | None = encoder.domain
        self.preview: str | None = encoder.preview
        shape = net.config.model_dump(mode="json")
        self.fingerprint = fingerprint([facts["files"], encoder.fingerprint, shape, TEXT_BATCH, PAIR_BATCH])
        self._reader = self.states.reader(self.fingerprint)

    def prepare(self, texts: Sequence[str]) -> PreparedTexts:
        """Texts -> the encoder's text states; what is beyond its `max_tokens` isn't read, and counted."""
        return self._reader.prepare(texts)

    def prepare_to(self, folder: Path, texts: Sequence[str]) -> PreparedTexts:
        """The same, written to a folder as it goes, for more texts than memory holds."""
        return self._reader.prepare_to(folder, texts)

    def match(self, images: Sequence[Image], states: TextStates, *, explain: bool = False) -> Matches:
        """Previews against prepared texts: scores (images, texts).

        With `explain` also maps (images, texts, grid, grid): where the text's words look in the last
        layer, averaged over its heads; each map's sum is 1. Texts of another judge are refused.
        """
        if not isinstance(states, PreparedTexts) or states.maker != self.fingerprint:
            raise MismatchError("texts prepared by another matcher", wanted="those of this one")
        grid = math.isqrt(self.net.config.positions)
        scores = np.zeros((len(images), len(states)), np.float32)
        maps = np.zeros((len(images), len(states), grid, grid), np.float32) if explain else None
        limit = self.states.model.config.text.max_tokens
        for place, image in enumerate(images):
            keys, vector = self._seen(image)
            for rows, length in alike(states.lengths, limit, PAIR_BATCH):
                parts = padded(states, rows, length)
                scores[place, rows] = self._run(partial(self._score, vector=vector), parts, keys)[: len(rows)]
                if maps is not None:
                    looks = self._run(self.net.looks, parts, keys)[: len(rows), -grid * grid :]
                    shares = looks / looks.sum(1, keepdims=True)
                    maps[place, rows] = shares.reshape(len(rows), grid, grid)
        return Matches(scores, maps)

    def _seen(self, image: Image) -> tuple[list[Keys], Tensor]:
        """One image's keys for every text of a batch, and its vector (1, dim)."""
        device = self.states.device
        states, vectors = (torch.from_numpy(part).to(device) for part in self.states.of_images([image]))
        with inference(device.type, half=False):
            keys = self.net.image_keys(states, vectors)
            return [(spread(key), spread(value)) for key, value in keys], vectors

    def _score(self, states: Tensor, mask: Tensor, keys: list[Keys], *, vector: Tensor) -> Tensor:
        cosines = (self.states.model.text_vectors_of(states, mask) * vector).sum(1)
        return torch.as_tensor(self.net(states, mask, keys, cosines=cosines))

    def _run(
        self, forward: Callable[..., Tensor], texts: tuple[Tensor, Tensor], keys: list[Keys]
    ) -> NDArray[np.float32]:
        states, mask = (part.to(self.states.device) for part in texts)
        with inference(states.device.type, half=False):
            found: NDArray[np.float32] = forward(states, mask, keys).cpu().numpy()
        return found
