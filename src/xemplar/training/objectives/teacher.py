"""A teacher that follows its pupil slowly, and the targets that optimal transport makes of its vectors.

After TxtRayAlign, which has it from train-CLIP, OTTER (Wu et al., 2021) and SwAV (Caron et al., 2020).
Knows vectors and, in `Teacher`, any module; knows nothing of what the module is for.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from xemplar.training.objectives.contrastive import check_vectors, soft_cross_entropy


class Teacher:
    """A moving average of a module's weights: `module` is the copy, never trained, in evaluation mode.

    State: the copy alone (`module.state_dict()`).
    """

    def __init__(self, pupil: nn.Module, *, decay: float = 0.999) -> None:
        self.decay = decay
        self.module = copy.deepcopy(pupil).requires_grad_(False).eval()

    @torch.no_grad()
    def follow(self, pupil: nn.Module) -> None:
        """After a step: every weight becomes `decay` of itself and the rest of the pupil's.

        Buffers (running means, counters) are taken over as they are.
        """
        for weight, learnt in zip(self.module.parameters(), pupil.parameters(), strict=True):
            weight.lerp_(learnt, 1 - self.decay)
        for mine, theirs in zip(self.module.buffers(), pupil.buffers(), strict=True):
            mine.copy_(theirs)


@torch.no_grad()
def sinkhorn(alike: Tensor, *, epsilon: float = 0.05, iterations: int = 3) -> Tensor:
    """(n, m) similarities -> (n, m) targets, rows summing to 1: what is alike gets much.

    Optimal transport of equal masses with an entropy of weight `epsilon` (Cuturi, 2013): `iterations`
    times columns, then rows, are made to sum alike. In logarithms, so that nothing overflows.
    train-CLIP and TxtRayAlign pass costs in place of similarities, so that the pair itself gets next
    to nothing; that is put right here by taking similarities.
    """
    logs = alike.float() / epsilon
    for _ in range(iterations):
        logs -= torch.logsumexp(logs, 0, keepdim=True)
        logs -= torch.logsumexp(logs, 1, keepdim=True)
    return logs.exp_() if iterations else torch.softmax(logs, dim=1)


@torch.no_grad()
def sinkhorn_targets(
    images: Tensor, texts: Tensor, *, epsilon: float = 0.05, iterations: int = 3
) -> tuple[Tensor, Tensor]:
    """A teacher's unit vectors of n pairs -> targets (n, n) for images among texts and the reverse.

    What is alike is the sum of images' likeness, texts' likeness and that of images with texts.
    """
    check_vectors(teacher_images=images, teacher_texts=texts)
    within = torch.addmm(texts @ texts.T, images, images.T)
    across = images @ texts.T
    to_text = sinkhorn(within + across, epsilon=epsilon, iterations=iterations)
    return to_text, sinkhorn(within + across.T, epsilon=epsilon, iterations=iterations)


def transport_loss(images: Tensor, texts: Tensor, targets: tuple[Tensor, Tensor], *, scale: Tensor) -> Tensor:
    """Mean Kullback-Leibler divergence of a pupil's softmax from the targets, both ways over two.

    `scale` multiplies the products. TxtRayAlign learns one for this alone and, unlike its logit scale,
    never takes its exponential: its 2.66 at the start is ln(1 / .07), used as it is.
    """
    check_vectors(images=images, texts=texts)
    logits = scale * images @ texts.T
    return (_divergence(logits, targets[0], 1) + _divergence(logits, targets[1].T.contiguous(), 0)) / 2


def _divergence(logits: Tensor, targets: Tensor, dim: int) -> Tensor:
    # Minus the targets' own entropy, which no gradient comes from.
    within: Tensor = torch.special.xlogy(targets, targets).sum()
    loss: Tensor = soft_cross_entropy(logits, targets, dim=dim).sum() + within
    return loss / max(1, logits.shape[1 - dim])
