"""Small parts that several models share: projection heads and pooling.

Knows tensors only; knows nothing of what is projected or why.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Projection = Literal["linear", "residual"]


class ResidualProjection(nn.Module):
    """A projection with a GELU residual block behind it (Mauville/MedCLIP's head).

    p = W1 x; LayerNorm(p + dropout(W2 gelu(p))), both with bias.
    """

    def __init__(self, width: int, dim: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.projection = nn.Linear(width, dim)
        self.inner = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, features: Tensor) -> Tensor:
        """(n, width) -> (n, dim), not of length 1."""
        projected = self.projection(features)
        inner = self.dropout(self.inner(functional.gelu(projected)))
        return torch.as_tensor(self.norm(projected + inner))


def projection(kind: Projection, width: int, dim: int, *, dropout: float = 0.0) -> nn.Module:
    """A head from `width` features to `dim`: "linear" without bias behind dropout, or "residual"."""
    if kind == "residual":
        return ResidualProjection(width, dim, dropout=dropout)
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(width, dim, bias=False))


def group_norms(module: nn.Module) -> None:
    """Put a GroupNorm (Wu and He, 2018), with its weight and bias, in place of every BatchNorm below.

    Groups of 8 channels or more, 32 groups at most. It has no statistics to keep.
    """
    for name, child in module.named_children():
        if not isinstance(child, nn.BatchNorm2d):
            group_norms(child)
            continue
        channels = child.num_features
        groups = next(n for n in range(max(1, min(32, channels // 8)), 0, -1) if channels % n == 0)
        norm = nn.GroupNorm(groups, channels, eps=child.eps, affine=child.affine)
        if child.affine:
            norm.load_state_dict({"weight": child.weight.detach(), "bias": child.bias.detach()})
        setattr(module, name, norm)


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """(n, length, width) and (n, length) of 0 and 1 -> (n, width), 0 where nothing is masked in."""
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1.0)


def first_token(states: Tensor) -> Tensor:
    """(n, length, width) -> (n, width), the state of [CLS]."""
    return states[:, 0]


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Trainable parameters in two groups: biases and vectors without weight decay, the rest with it.

    ALBEF's rule: no decay for exactly the 1-d tensors and what is called a bias. So tokens, position
    embeddings and a temperature, which is a number and no vector, are decayed.
    """
    free: list[nn.Parameter] = []
    decayed: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (free if parameter.ndim == 1 or name.endswith(".bias") else decayed).append(parameter)
    return [
        {"params": free, "weight_decay": 0.0},
        {"params": decayed, "weight_decay": weight_decay},
    ]
