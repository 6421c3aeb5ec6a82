"""Objectives as pure functions of vectors: no model, no data, no state."""

from __future__ import annotations

import torch
from torch import Tensor


def info_nce(
    images: Tensor, texts: Tensor, positives: Tensor, *, scale: Tensor, rarity: float = 0.0
) -> Tensor:
    """Symmetric InfoNCE with shared positives.

    `images` (n, dim) and `texts` (m, dim) have unit rows; `positives` (n, m) bool says which texts
    are right for which image, so that equal text is never a negative; `scale` is the logit scale.
    The target is shared among a row's (a column's) positives, evenly where `rarity` is 0, else each
    in proportion to one over how many others it is right for, to that power: what is right for few
    says more. With one positive each it is CLIP's loss (Radford et al., 2021; van den Oord et al.,
    2018). Rows without a positive count nothing.
    """
    logits = scale * images @ texts.T
    return (_one_way(logits, positives, rarity) + _one_way(logits.T, positives.T, rarity)) / 2


def _one_way(logits: Tensor, positives: Tensor, rarity: float) -> Tensor:
    weights = positives.to(logits.dtype)
    weights = weights / weights.sum(0, keepdim=True).clamp(min=1.0) ** rarity
    right = positives.any(1)
    targets = weights / weights.sum(1, keepdim=True).where(right.unsqueeze(1), 1.0)
    losses = -(targets * torch.log_softmax(logits, dim=1)).sum(1)
    return losses.sum() / right.sum().clamp(min=1)
