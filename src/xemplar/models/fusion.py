"""The matcher's text side: BERT layers, of which the later ones also look at the image.

Knows tensors; knows nothing of losses. Layers of our own, because transformers' BERT turns its
self-attention causal when it is given cross-attention. Devlin et al., 2019; Li et al., ALBEF, 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from xemplar.errors import XemplarError
from xemplar.models.config import FusionTower

EPSILON = 1e-12
"""Of every LayerNorm."""

Keys = tuple[Tensor, Tensor]
"""Keys and values, each (n, heads, length, width of a head)."""


class Attention(nn.Module):
    """Multi-head attention with residual and LayerNorm behind it, over itself or over `context`."""

    def __init__(self, tower: FusionTower, context: int) -> None:
        super().__init__()
        self.heads = tower.heads
        self.dropout = tower.dropout
        self.query = nn.Linear(tower.width, tower.width)
        self.key = nn.Linear(context, tower.width)
        self.value = nn.Linear(context, tower.width)
        self.out = nn.Linear(tower.width, tower.width)
        self.norm = nn.LayerNorm(tower.width, eps=EPSILON)

    def keys(self, context: Tensor) -> Keys:
        """What there is to be looked at, (n, length, context), as keys and values."""
        return self._split(self.key(context)), self._split(self.value(context))

    def forward(self, hidden: Tensor, keys: Keys, mask: Tensor | None) -> Tensor:
        """(n, length, width); `mask` is true where a key may be seen, (n, 1, 1, keys)."""
        dropout = self.dropout if self.training else 0.0
        queries = self._split(self.query(hidden))
        seen = functional.scaled_dot_product_attention(
            queries, keys[0], keys[1], attn_mask=mask, dropout_p=dropout
        )
        out = self.out(seen.transpose(1, 2).flatten(2))
        return torch.as_tensor(self.norm(hidden + functional.dropout(out, dropout)))

    def weights(self, hidden: Tensor, keys: Keys) -> Tensor:
        """Where each position looks, (n, heads, length, keys), rows of sum 1."""
        queries = self._split(self.query(hidden))
        return torch.softmax(queries @ keys[0].transpose(2, 3) / queries.shape[-1] ** 0.5, dim=-1)

    def _split(self, states: Tensor) -> Tensor:
        return states.view(*states.shape[:2], self.heads, -1).transpose(1, 2)


class Layer(nn.Module):
    """Self-attention, cross-attention where `context` is a width, and two linear layers with GELU."""

    def __init__(self, tower: FusionTower, context: int | None) -> None:
        super().__init__()
        self.dropout = tower.dropout
        self.attention = Attention(tower, tower.width)
        self.cross = None if context is None else Attention(tower, context)
        self.fc1 = nn.Linear(tower.width, tower.inner)
        self.fc2 = nn.Linear(tower.inner, tower.width)
        self.norm = nn.LayerNorm(tower.width, eps=EPSILON)

    def forward(self, hidden: Tensor, mask: Tensor, image: Keys | None, *, first: bool = False) -> Tensor:
        """(n, length, width), or with `first` the [CLS] alone, (n, 1, width)."""
        hidden = self.looking(hidden, mask, first=first)
        if self.cross is not None and image is not None:
            hidden = self.cross(hidden, image, None)
        inner = self.fc2(functional.gelu(self.fc1(hidden)))
        inner = functional.dropout(inner, self.dropout if self.training else 0.0)
        return torch.as_tensor(self.norm(hidden + inner))

    def looking(self, hidden: Tensor, mask: Tensor, *, first: bool = False) -> Tensor:
        """What looks at the image: the states behind self-attention."""
        keys = self.attention.keys(hidden)
        return torch.as_tensor(self.attention(hidden[:, :1] if first else hidden, keys, mask))


class FusionText(nn.Module):
    """Word, position and type embeddings, text layers, fusion layers."""

    def __init__(self, tower: FusionTower, context: int) -> None:
        super().__init__()
        self.tower = tower
        self.words = nn.Embedding(tower.vocabulary, tower.width)
        self.positions = nn.Embedding(tower.positions, tower.width)
        self.types = nn.Embedding(tower.types, tower.width)
        self.norm = nn.LayerNorm(tower.width, eps=EPSILON)
        self.layers = nn.ModuleList(
            [Layer(tower, None if place < tower.fusion else context) for place in range(tower.layers)]
        )
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """The text alone: token ids and mask (n, length) -> states (n, length, width)."""
        if tokens.shape[1] > self.tower.positions:
            raise XemplarError(f"texts of {tokens.shape[1]} tokens", wanted=f"at most {self.tower.positions}")
        places = torch.arange(tokens.shape[1], device=tokens.device)
        hidden = self.words(tokens) + self.types.weight[0] + self.positions(places)
        hidden = functional.dropout(self.norm(hidden), self.tower.dropout if self.training else 0.0)
        for layer in self.layers[: self.tower.fusion]:
            hidden = layer(hidden, _seen(mask), None)
        return torch.as_tensor(hidden)

    def image_keys(self, image: Tensor) -> list[Keys]:
        """Keys and values of an image's states, (n, positions, context), for every fusion layer."""
        return [layer.cross.keys(image) for layer in self._fusing if layer.cross is not None]

    def fuse(self, states: Tensor, mask: Tensor, keys: list[Keys], *, first: bool = False) -> Tensor:
        """Text states and an image each -> fused states; with `first` [CLS] alone, (n, 1, width)."""
        hidden = self._before_last(states, mask, keys)
        return torch.as_tensor(self._fusing[-1](hidden, _seen(mask), keys[-1], first=first))

    def looks(self, states: Tensor, mask: Tensor, keys: list[Keys]) -> Tensor:
        """Where [CLS] looks in the last layer, over all heads: (n, image positions), rows of sum 1."""
        last = self._fusing[-1]
        looking = last.looking(self._before_last(states, mask, keys), _seen(mask), first=True)
        assert last.cross is not None  # every fusion layer has it
        return last.cross.weights(looking, keys[-1])[:, :, 0].mean(1)

    @property
    def _fusing(self) -> list[Layer]:
        return [layer for layer in self.layers[self.tower.fusion :] if isinstance(layer, Layer)]

    def _before_last(self, states: Tensor, mask: Tensor, keys: list[Keys]) -> Tensor:
        for layer, image in zip(self._fusing[:-1], keys[:-1], strict=True):
            states = layer(states, _seen(mask), image)
        return states


class WordHead(nn.Module):
    """MLM: states to a score for every word, by the word embeddings themselves (tied)."""

    def __init__(self, tower: FusionTower) -> None:
        super().__init__()
        self.dense = nn.Linear(tower.width, tower.width)
        self.norm = nn.LayerNorm(tower.width, eps=EPSILON)
        self.bias = nn.Parameter(torch.zeros(tower.vocabulary))
        nn.init.normal_(self.dense.weight, std=0.02)
        nn.init.zeros_(self.dense.bias)

    def forward(self, states: Tensor, words: Tensor) -> Tensor:
        """(..., width) states and (vocabulary, width) embeddings -> (..., vocabulary)."""
        return functional.linear(self.norm(functional.gelu(self.dense(states))), words, self.bias)


def _seen(mask: Tensor) -> Tensor:
    return mask.bool()[:, None, None, :]
