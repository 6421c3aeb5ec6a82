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
    image's own mean for `mean`, so that exposure matters less.
    """

    input_size: int = Field(default=128, ge=32, le=1024)
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.25,)
    pool: Pooling = "mean"
    grid: int = Field(default=1, ge=1, le=16)
    centre: bool = False
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)


class TextTower(_Tower):
    """The text side; from scratch its WordPiece tokenizer is trained on the training texts."""

    max_tokens: int = Field(default=128, ge=8, le=512)
    vocabulary: int = Field(default=4000, ge=100, le=100_000)
    pool: Literal["mean", "cls"] = "mean"
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)


class ModelConfig(BaseModel):
    """A dual encoder: two towers, each with a linear projection to `dim` shared dimensions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: ImageTower
    text: TextTower
    dim: int = Field(default=128, ge=8, le=4096)
    temperature: float = Field(default=0.07, gt=0.0, le=1.0)
    precision: Literal["fp32", "bf16"] = "fp32"
    """Of encoding, in use; part of the fingerprint. Training has a setting of its own."""
