"""What a dual encoder is made of, as settings: towers, pooling, shared dimension, input size.

Knows names and numbers only; imports no torch, so that a recipe can be read and checked without it.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Pooling = Literal["mean", "max", "cls"]


class _Tower(BaseModel):
    """A backbone: from scratch by `config`, or by `pretrained`, a Hugging Face name or local folder.

    `config` is a Hugging Face configuration ("model_type" and its keys). With `pretrained` it is
    filled in from the checkpoint, so that a saved model never looks for its origin again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pretrained: str | None = None
    config: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> _Tower:
        if self.pretrained is None and self.config is None:
            raise ValueError("a tower needs `config` (from scratch) or `pretrained` (a name or a folder)")
        return self


class ImageTower(_Tower):
    """The image side: square input, grey repeated over the channels that the backbone wants.

    `pool`: "mean" or "max" over positions within each cell of a coarse `grid` x `grid`, so that left
    and right can stay apart; "cls" takes the first token of a transformer. `centre` takes each
    image's own mean for `mean`, so that exposure matters less. `norm` "group" puts a GroupNorm in
    place of every BatchNorm: what a film's vector is no longer depends on its batch.
    """

    input_size: int = Field(default=128, ge=32, le=1024)
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.25,)
    pool: Pooling = "mean"
    grid: int = Field(default=1, ge=1, le=16)
    centre: bool = False
    norm: Literal["own", "group"] = "own"
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)


class TextTower(_Tower):
    """The text side; from scratch its WordPiece tokenizer is trained on the training texts."""

    max_tokens: int = Field(default=128, ge=8, le=512)
    vocabulary: int = Field(default=4000, ge=100, le=100_000)
    pool: Literal["mean", "cls"] = "mean"
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)


class ModelConfig(BaseModel):
    """A dual encoder: two towers, each with a projection to `dim` shared dimensions.

    `projection`: "linear", or "residual", a GELU block with LayerNorm (MedCLIP).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: ImageTower
    text: TextTower
    dim: int = Field(default=128, ge=8, le=4096)
    projection: Literal["linear", "residual"] = "linear"
    temperature: float = Field(default=0.07, gt=0.0, le=1.0)
    precision: Literal["fp32", "bf16"] = "fp32"
    """Of encoding, in use; part of the fingerprint. Training has a setting of its own."""


class PatchTower(BaseModel):
    """A matcher's image side: a vision transformer over square images of `input_size`.

    `mean` and `std` are those of pixels in [0, 1].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_size: int = Field(default=256, ge=8, le=1024)
    patch: int = Field(default=16, ge=1, le=64)
    channels: Literal[1, 3] = 3
    width: int = Field(default=768, ge=8, le=4096)
    depth: int = Field(default=12, ge=1, le=64)
    heads: int = Field(default=12, ge=1, le=64)
    mlp_ratio: float = Field(default=4.0, gt=0.0, le=16.0)
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.25,)

    @property
    def grid(self) -> int:
        """Patches a side."""
        return self.input_size // self.patch

    @model_validator(mode="after")
    def _fits(self) -> PatchTower:
        if self.width % self.heads:
            raise ValueError(f"a width of {self.width} can't be shared by {self.heads} heads")
        if self.input_size % self.patch:
            raise ValueError(f"{self.input_size} px can't be cut into patches of {self.patch} px")
        if any(len(values) not in (1, self.channels) for values in (self.mean, self.std)):
            raise ValueError(f"mean and std need 1 or {self.channels} values")
        return self


class FusionTower(BaseModel):
    """A matcher's text side: `layers` BERT layers, of which those from `fusion` on look at the image."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vocabulary: int = Field(default=30522, ge=5)
    width: int = Field(default=768, ge=8, le=4096)
    layers: int = Field(default=12, ge=1, le=64)
    fusion: int = Field(default=6, ge=0)
    heads: int = Field(default=12, ge=1, le=64)
    inner: int = Field(default=3072, ge=8)
    positions: int = Field(default=512, ge=8)
    types: int = Field(default=2, ge=1)
    max_tokens: int = Field(default=128, ge=2, le=512)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    pad_token: int = Field(default=0, ge=0)
    cls_token: int = Field(default=101, ge=0)
    sep_token: int = Field(default=102, ge=0)
    mask_token: int = Field(default=103, ge=0)
    """Ids, those of bert-base-uncased; MLM hides words behind the last and never asks for the others."""

    @model_validator(mode="after")
    def _fits(self) -> FusionTower:
        if self.width % self.heads:
            raise ValueError(f"a width of {self.width} can't be shared by {self.heads} heads")
        if self.fusion >= self.layers:
            raise ValueError(f"fusion begins with layer {self.fusion} of {self.layers}")
        if max(self.pad_token, self.cls_token, self.sep_token, self.mask_token) >= self.vocabulary:
            raise ValueError(f"the id of a mark is beyond {self.vocabulary} words")
        if self.max_tokens > self.positions:
            raise ValueError(f"{self.max_tokens} tokens for {self.positions} positions")
        return self


class MatcherConfig(BaseModel):
    """A matcher after ALBEF and X-REM.

    With `dim` it is one for pretraining: ITC in so many shared dimensions, MLM, and a queue. Without,
    it only judges pairs, as X-REM's second stage does. `classes`: 2 (no match, match) or 3 (no match,
    unused, match); the last is the match. `head`: one linear layer, or two with a ReLU between.
    `pretrained` is a matcher's folder to train on from, whose sizes and words then take the place of
    these; no saved matcher has it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pretrained: str | None = None
    image: PatchTower = PatchTower()
    text: FusionTower = FusionTower()
    dim: int | None = Field(default=256, ge=2, le=4096)
    classes: Literal[2, 3] = 2
    head: Literal["linear", "mlp"] = "linear"
    temperature: float = Field(default=0.07, gt=0.0)
    queue: int = Field(default=65536, ge=1)
    momentum: float = Field(default=0.995, ge=0.0, lt=1.0)
    alpha: float = Field(default=0.4, ge=0.0, le=1.0)
    """Share of the slow copy's opinion in ITC's and MLM's targets."""
    masked: float = Field(default=0.15, gt=0.0, lt=1.0)
    """Share of the words that MLM asks for."""
    precision: Literal["fp32", "bf16"] = "fp32"
