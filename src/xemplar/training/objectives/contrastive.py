"""Images against texts by their vectors: InfoNCE, SigLIP's sigmoid loss, soft targets.

Knows unit vectors, which text is right for which image, and a scale. Knows no model and no state.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from xemplar.errors import XemplarError

SHOWN = 5
"""At most so many rows are named in an error."""


def check_vectors(**vectors: Tensor) -> None:
    """Refuse NaN and infinities, naming the tensor and its first such rows; a keyword for each tensor.

    One sum a tensor where all is well, so that it costs nothing beside the product of the vectors.
    """
    for name, rows in vectors.items():
        # A sum carries every NaN and infinity; only one that isn't finite is looked into.
        if bool(torch.isfinite(rows.detach().sum(dtype=torch.float32))):
            continue
        bad = (~torch.isfinite(rows.detach()).flatten(1).all(1)).nonzero().flatten().tolist()
        if bad:
            shown = ", ".join(str(row) for row in bad[:SHOWN]) + (" ..." if len(bad) > SHOWN else "")
            raise XemplarError(
                f"{name} of the batch are not finite in row {shown} ({len(bad)} of {len(rows)})",
                wanted="finite vectors", remedy="lower the learning rate, or look at these rows' input",
            )  # fmt: skip


def clamp_scale(log_scale: Tensor, *, low: float, high: float) -> None:
    """Put a learnt log scale back between two logarithms, after a step of the optimiser.

    In place and outside the graph, as CLIP does (Radford et al., 2021): clamping in the forward pass
    instead gives no gradient beyond the bound, so that the scale could never come back. TxtRayAlign
    keeps it within +-ln 100; ALBEF keeps its temperature (no logarithm) within .001 and .5.
    """
    with torch.no_grad():
        log_scale.clamp_(low, high)


def equal_keys(one: Sequence[Hashable], other: Sequence[Hashable]) -> Tensor:
    """(n, m) bool: which keys are equal, in which neither may be the other's negative.

    Keys are texts (`xemplar.report.text_key`), or, where equal claims shall count as equal texts,
    frozensets of claims. Equal rows of a batch and of a queue are found so.
    """
    numbers: dict[Hashable, int] = {}
    rows, columns = (
        torch.tensor([numbers.setdefault(key, len(numbers)) for key in keys], dtype=torch.int64)
        for keys in (one, other)
    )
    return rows[:, None] == columns[None, :]


def soft_cross_entropy(logits: Tensor, targets: Tensor, *, dim: int = 1) -> Tensor:
    """(n, m) logits, targets >= 0 -> (n,) each row's -(targets x log softmax), by column if `dim` is 0.

    Torch's cross entropy with probabilities as targets, but in float32 at least, and without a
    transposed copy for columns. A row of zeros has no loss.
    """
    logs = torch.log_softmax(logits, dim, dtype=torch.promote_types(logits.dtype, torch.float32))
    return -(targets * logs).sum(dim)


def info_nce(
    images: Tensor, texts: Tensor, positives: Tensor, *, scale: Tensor, rarity: float = 0.0
) -> Tensor:
    """Symmetric InfoNCE with shared positives.

    `images` (n, dim) and `texts` (m, dim) have unit rows; `positives` (n, m) bool says which texts
    are right for which image, so that equal text is never a negative; `scale` is the logit scale.
    The target is shared among a row's (a column's) positives, evenly where `rarity` is 0, else each
    in proportion to one over how many others it is right for, to that power: what is right for few
    says more. With one positive each it is CLIP's loss (Radford et al., 2021; van den Oord et al.,
    2018). Rows without a positive count nothing. Numbers >= 0 in place of bools say how right a text
    is, and the target is shared in proportion to them: soft targets, such as how far claims overlap.
    """
    check_vectors(images=images, texts=texts)
    logits = scale * images @ texts.T
    weights = positives.to(torch.promote_types(logits.dtype, torch.float32))
    # Columns in place of a transposed matrix, which is far slower to go through.
    return (_one_way(logits, weights, 1, rarity=rarity) + _one_way(logits, weights, 0, rarity=rarity)) / 2


def _one_way(logits: Tensor, weights: Tensor, dim: int, *, rarity: float) -> Tensor:
    if rarity:
        weights = weights / weights.sum(1 - dim, keepdim=True).clamp(min=1.0) ** rarity
    total = weights.sum(dim, keepdim=True)
    right = total > 0
    losses = soft_cross_entropy(logits, weights / total.where(right, 1.0), dim=dim)
    return losses.sum() / right.sum().clamp(min=1)


def sigmoid_loss(images: Tensor, texts: Tensor, positives: Tensor, *, scale: Tensor, bias: Tensor) -> Tensor:
    """SigLIP's loss: every pair by itself is right or wrong (Zhai et al., 2023).

    Shapes as in `info_nce`; any number of texts may be right for an image. `bias` is the learnt logit
    bias (-10 at first, with a `scale` of 10: most pairs are wrong). Summed over the pairs, over n.
    """
    check_vectors(images=images, texts=texts)
    logits = torch.addmm(bias.to(images.dtype), images * scale, texts.T)
    right = positives.to(logits.dtype)
    return functional.binary_cross_entropy_with_logits(logits, right, reduction="sum") / max(1, len(images))


def similarity_targets(images: Tensor, texts: Tensor, *, temperature: float = 1.0) -> Tensor:
    """(n, n) soft targets of n pairs: softmax of (images x images + texts x texts) / 2 x temperature.

    Rows sum to 1, and no gradient flows into them. The similarity is symmetric, so that they serve
    both directions. From Mauville/MedCLIP, whose vectors aren't of unit length.
    """
    with torch.no_grad():
        alike = torch.addmm(texts @ texts.T, images, images.T)
        return torch.softmax(alike * (temperature / 2), dim=1)


def soft_target_loss(images: Tensor, texts: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Cross entropy of n pairs both ways against `similarity_targets`: MedCLIP's loss put right.

    Rows (n, dim), of any length; logits are the products over `temperature`. `medclip_loss` is theirs
    to the letter. A batch of one has nothing to learn from and is 0.
    """
    check_vectors(images=images, texts=texts)
    targets = similarity_targets(images, texts, temperature=temperature)
    logits = images @ texts.T / temperature
    # A text's targets among images are its image's among texts: the rows again, laid as columns.
    both = soft_cross_entropy(logits, targets) + soft_cross_entropy(logits, targets.T.contiguous(), dim=0)
    return both.sum() / (2 * max(1, len(logits)))


def medclip_loss(images: Tensor, texts: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Mauville/MedCLIP's loss as published, for its recipe alone; `soft_target_loss` is the right one.

    It differs in two ways: the gradient flows through the targets too, and images learn from the
    targets' columns, which don't sum to 1.
    """
    check_vectors(images=images, texts=texts)
    logits = texts @ images.T / temperature
    alike = torch.addmm(texts @ texts.T, images, images.T)
    targets = torch.softmax(alike * (temperature / 2), dim=1)
    both = soft_cross_entropy(logits, targets) + soft_cross_entropy(logits, targets, dim=0)
    return both.sum() / (2 * max(1, len(logits)))
