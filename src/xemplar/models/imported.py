"""Two towers that somebody else trained, as one encoder of ours wants them; and what is known of them.

Knows tensors and settings; knows nothing of files. Which checkpoint becomes which towers stands in
`checkpoints/`.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from xemplar.errors import XemplarError
from xemplar.models.preprocessing import Preprocessing

Architecture = Literal["openai-clip", "huggingface", "open-clip"]


class TextInput(BaseModel):
    """How a text becomes tokens: at most so many, with or without padding to that length.

    A text that is longer is cut, and its last token stays the end of text. `unescape` turns "&lt;" and
    its like into what they stand for, as OpenAI's tokenizer does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_tokens: int = Field(ge=2, le=512)
    pad_to_limit: bool = False
    unescape: bool = False

    def cleaned(self, texts: Sequence[str]) -> list[str]:
        """Texts as the tokenizer is to have them."""
        if not self.unescape:
            return list(texts)
        return [html.unescape(html.unescape(text)).strip() for text in texts]


class ImportedConfig(BaseModel):
    """What an imported model is: whose layout, how films and texts go in, and the sizes found in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: Architecture
    dim: int = Field(ge=1)
    image: Preprocessing
    text: TextInput
    precision: Literal["fp32", "bf16"] = "fp32"
    sizes: dict[str, Any] = Field(default_factory=dict)


class Towers(nn.Module):
    """An image tower and a text tower with the scale that their makers gave the cosine.

    `image` takes (n, 3, size, size) pixels, normalised; `text` takes token ids and mask, each
    (n, length); both give (n, dim). `bias` is what SigLIP adds to its logits, else 0.
    """

    def __init__(
        self,
        config: ImportedConfig,
        image: nn.Module,
        text: nn.Module,
        *,
        log_scale: Tensor,
        bias: float = 0.0,
    ) -> None:
        super().__init__()
        self.config = config
        self.image, self.text = image, text
        self.log_scale = nn.Parameter(log_scale.reshape(()).float())
        self.bias = bias

    def image_features(self, pixels: Tensor) -> Tensor:
        """(n, dim), as the tower gives them: of no particular length."""
        features: Tensor = self.image(pixels)
        return features

    def text_features(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(n, dim), as the tower gives them: of no particular length."""
        features: Tensor = self.text(tokens, mask)
        return features

    def image_vectors(self, images: Tensor) -> Tensor:
        """(n, 3, size, size), as `config.image.prepare` makes them -> (n, dim), rows of length 1."""
        return functional.normalize(self.image_features(images).float(), dim=-1)

    def text_vectors(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(n, length) token ids and attention mask -> (n, dim), rows of length 1."""
        return functional.normalize(self.text_features(tokens, mask).float(), dim=-1)

    def logits(self, images: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """(images, texts): cosine times scale, plus bias."""
        cosine = self.image_vectors(images) @ self.text_vectors(tokens, mask).T
        return cosine * self.log_scale.exp() + self.bias


class Features(nn.Module):
    """A network and what is taken of its answer: the tower that `Towers` wants."""

    def __init__(self, network: nn.Module, take: Callable[..., Tensor]) -> None:
        super().__init__()
        self.network, self.take = network, take

    def forward(self, *inputs: Tensor) -> Tensor:
        """Whatever the tower takes -> (n, dim)."""
        return self.take(self.network, *inputs)


def at_resolution(positions: Tensor, grid: int, *, first: int) -> Tensor:
    """Position embeddings of a square grid, (first + old**2, width), at another grid's size.

    The `first` rows (of [CLS] and its like) stay; the others are interpolated by bicubic, corners not
    aligned, as DINO, transformers and ALBEF do (Caron et al. 2021).
    """
    held, width = positions.shape[0] - first, positions.shape[1]
    side = math.isqrt(max(held, 0))
    if side * side != held or side == 0:
        raise XemplarError(f"{held} positions", wanted="those of a square grid of patches")
    if side == grid:
        return positions
    square = positions[first:].reshape(1, side, side, width).permute(0, 3, 1, 2).float()
    made = functional.interpolate(square, size=(grid, grid), mode="bicubic", align_corners=False)
    rest = made.permute(0, 2, 3, 1).reshape(grid * grid, width).to(positions.dtype)
    return torch.cat([positions[:first], rest])
