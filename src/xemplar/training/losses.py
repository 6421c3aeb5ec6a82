"""Objectives as pure functions of vectors: no model, no data, no state."""

from __future__ import annotations

import torch
from torch import Tensor


def info_nce(images: Tensor, texts: Tensor, scale: Tensor, positives: Tensor) -> Tensor:
    """Symmetric InfoNCE with shared positives.

    `images` (n, dim) and `texts` (m, dim) have unit rows; `scale` is the logit scale; `positives`
    (n, m) bool says which texts are right for which image, so that equal text is never a negative:
    the target is uniform over a row's (a column's) positives. With one positive each it is CLIP's
    loss (Radford et al., 2021; van den Oord et al., 2018). Rows without a positive count nothing.
    """
    logits = scale * images @ texts.T
    return (_one_way(logits, positives) + _one_way(logits.T, positives.T)) / 2


def _one_way(logits: Tensor, positives: Tensor) -> Tensor:
    weights = positives.to(logits.dtype)
    counts = weights.sum(1)
    targets = weights / counts.clamp(min=1.0).unsqueeze(1)
    losses = -(targets * torch.log_softmax(logits, dim=1)).sum(1)
    return losses.sum() / (counts > 0).sum().clamp(min=1)
