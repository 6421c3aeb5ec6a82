"""Alignment taught by findings: classes as points of the shared space, and contrast over finding sets.

After X-TRA, whose code was never published: that CLIP is fine-tuned with disease classes is known, how
is not. Knows vectors and finding tables; knows no model and no text.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from xemplar.errors import MismatchError
from xemplar.training.objectives.contrastive import check_vectors, soft_cross_entropy


def class_loss(
    vectors: Tensor, classes: Tensor, labels: Tensor, *, scale: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Binary cross entropy of findings read off the shared space: near a class's point, it is there.

    `vectors` (n, dim) and `classes` (f, dim), learnt or texts' vectors, have unit rows; the logit is
    `scale` x product + `bias` (f,). `labels` (n, f) in 0..1, NaN where nothing is known: not counted,
    and the mean is over the rest; 0 where nothing at all is known.
    """
    check_vectors(vectors=vectors, classes=classes)
    if labels.shape != (len(vectors), len(classes)):
        raise MismatchError(
            f"labels are {tuple(labels.shape)}",
            wanted=f"({len(vectors)}, {len(classes)})",
            where="class_loss",
        )
    logits = scale * vectors @ classes.T
    if bias is not None:
        logits = logits + bias
    known = ~torch.isnan(labels)
    every = functional.binary_cross_entropy_with_logits(
        logits, labels.nan_to_num(0.0).to(logits.dtype), weight=known.to(logits.dtype), reduction="sum"
    )
    return every / known.sum().clamp(min=1)


def overlap(one: Tensor, other: Tensor) -> Tensor:
    """(n, f), (m, f) bool finding sets -> (n, m) in 0..1: shared findings over all of both (Jaccard).

    Two empty sets are equal: 1.
    """
    first, second = one.float(), other.float()
    both = first @ second.T
    either = first.sum(1)[:, None] + second.sum(1)[None, :] - both
    return torch.where(either > 0, both / either.clamp(min=1.0), 1.0)


def finding_contrast(vectors: Tensor, findings: Tensor, *, scale: Tensor, partial: bool = False) -> Tensor:
    """Supervised contrast: who has the same findings is drawn together (Khosla et al., 2020, L_out).

    `vectors` (n, dim) unit rows, of images, texts or both; `findings` (n, f) bool. Right for a row is
    every other row of the equal finding set or, with `partial`, every other in proportion to its
    `overlap`. Rows for which nobody is right count nothing; 0 where that is so of all, a batch of one
    among them.
    """
    check_vectors(vectors=vectors)
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    share = overlap(findings, findings)
    weights = (share if partial else share.eq(1.0)).to(vectors.dtype).masked_fill(itself, 0.0)
    total = weights.sum(1)
    rows = total > 0
    if not bool(rows.any()):
        return (vectors * 0.0).sum()  # 0, and part of the graph
    # Finite, so that 0 x it is 0: a row's own place has no weight.
    logits = (scale * vectors @ vectors.T).masked_fill(itself, -1e9)
    targets = weights / total.clamp(min=1e-12)[:, None]
    return soft_cross_entropy(logits, targets).sum() / rows.sum()
