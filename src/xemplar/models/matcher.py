"""The matcher: image tower, text and fusion layers, and the heads for ITC, ITM and MLM.

Knows tensors; knows nothing of files or of how it is trained (momentum.py does). After ALBEF (Li et
al., 2021) and X-REM (Jeong et al., 2023).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from xemplar.models.config import MatcherConfig
from xemplar.models.fusion import FusionText, WordHead
from xemplar.models.vit import VisionTransformer

COOLEST, WARMEST = 0.001, 0.5
"""Bounds of the temperature."""


class MatcherNet(nn.Module):
    """One network: what is used to search and match, and what momentum keeps a slow copy of.

    `judges` false leaves the ITM head out, as the momentum copy of a pretraining network does.
    """

    def __init__(self, config: MatcherConfig, *, judges: bool = True) -> None:
        super().__init__()
        self.config = config
        width = config.text.width
        self.image = VisionTransformer(config.image)
        self.text = FusionText(config.text, config.image.width)
        self.itm_head = _itm_head(config) if judges else None
        self.image_projection = self.text_projection = self.word_head = None
        if config.dim is not None:
            self.image_projection = nn.Linear(config.image.width, config.dim)
            self.text_projection = nn.Linear(width, config.dim)
            self.word_head = WordHead(config.text)

    def image_vectors(self, states: Tensor) -> Tensor:
        """Image states (n, positions, width) -> (n, dim), rows of length 1: [CLS], projected."""
        return _unit(self.image_projection, states)

    def text_vectors(self, states: Tensor) -> Tensor:
        """Text states (n, length, width) of the text layers -> (n, dim), rows of length 1."""
        return _unit(self.text_projection, states)

    def fused(self, states: Tensor, mask: Tensor, image: Tensor) -> Tensor:
        """The [CLS] of each text fused with its image: (n, width)."""
        return self.text.fuse(states, mask, self.text.image_keys(image), first=True)[:, 0]

    def itm_logits(self, fused: Tensor) -> Tensor:
        """Fused [CLS] -> (n, classes); the last class is the match."""
        if self.itm_head is None:
            raise ValueError("this copy has no ITM head")
        return torch.as_tensor(self.itm_head(fused))

    def word_logits(self, fused: Tensor) -> Tensor:
        """Fused states -> (..., vocabulary)."""
        if self.word_head is None:
            raise ValueError("a matcher without `dim` has no MLM head")
        return torch.as_tensor(self.word_head(fused, self.text.words.weight))

    def resize(self, input_size: int) -> None:
        """Take images of another size: positions are interpolated."""
        self.image.resize(input_size)
        self.config = self.config.model_copy(update={"image": self.image.tower})


def _itm_head(config: MatcherConfig) -> nn.Module:
    width = config.text.width
    last = nn.Linear(width, config.classes)
    if config.head == "linear":
        return last
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), last)


def _unit(head: nn.Module | None, states: Tensor) -> Tensor:
    if head is None:
        raise ValueError("a matcher without `dim` has no vectors")
    return functional.normalize(head(states[:, 0]).float(), dim=-1)
