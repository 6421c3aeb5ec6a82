"""A matcher in training: the network, its slow copy, the temperature, and queues of the copy's vectors.

Knows tensors and what happens to them between steps; knows nothing of losses (training/objectives
does). After ALBEF (Li et al., 2021).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from xemplar.models.config import MatcherConfig
from xemplar.models.matcher import COOLEST, WARMEST, MatcherNet

UNKNOWN = -1
"""The key of a text that nobody named."""


class MomentumMatcher(nn.Module):
    """A matcher, its momentum copy and, for pretraining, temperature and queues.

    The copy takes no gradients. Of a matcher for pretraining it lacks the ITM head, which ALBEF doesn't
    distil. A new queue is empty; ALBEF fills its own with random vectors.
    """

    image_queue: Tensor
    text_queue: Tensor
    key_queue: Tensor
    queue_at: Tensor
    queue_filled: Tensor

    def __init__(self, config: MatcherConfig) -> None:
        super().__init__()
        self.online = MatcherNet(config)
        self.momentum = MatcherNet(config, judges=config.dim is None)
        for parameter in self.momentum.parameters():
            parameter.requires_grad_(False)
        self.copy()
        if config.dim is not None:
            self.temperature = nn.Parameter(torch.tensor(config.temperature))
            self.register_buffer("image_queue", torch.zeros(config.dim, config.queue))
            self.register_buffer("text_queue", torch.zeros(config.dim, config.queue))
            self.register_buffer("key_queue", torch.full((config.queue,), UNKNOWN))
            self.register_buffer("queue_at", torch.zeros(1, dtype=torch.long))
            self.register_buffer("queue_filled", torch.zeros(1, dtype=torch.long))

    @property
    def config(self) -> MatcherConfig:
        """As it is now, a changed resolution included."""
        return self.online.config

    @torch.no_grad()
    def clamp_temperature(self) -> None:
        """Bring the temperature into .001 to .5, as is done before each step."""
        self.temperature.clamp_(COOLEST, WARMEST)

    @torch.no_grad()
    def copy(self) -> None:
        """Make the copy equal to the network."""
        for slow, own in self._both():
            slow.copy_(own)

    @torch.no_grad()
    def follow(self) -> None:
        """Move the copy towards the network: m * copy + (1 - m) * network."""
        share = self.config.momentum
        for slow, own in self._both():
            slow.mul_(share).add_(own, alpha=1 - share)

    def queued(self) -> tuple[Tensor, Tensor, Tensor]:
        """What the queues hold: image vectors and text vectors (filled, dim), and text keys (filled,)."""
        filled = int(self.queue_filled)
        return self.image_queue[:, :filled].T, self.text_queue[:, :filled].T, self.key_queue[:filled]

    @torch.no_grad()
    def enqueue(self, images: Tensor, texts: Tensor, keys: Tensor | None = None) -> None:
        """Put the copy's vectors (n, dim) over the oldest, around the end; of too many the last stay."""
        size = self.key_queue.shape[0]
        skipped = max(0, len(images) - size)
        places = torch.arange(skipped, len(images), device=images.device)
        places = (self.queue_at + places) % size
        self.image_queue[:, places] = images[skipped:].T.to(self.image_queue.dtype)
        self.text_queue[:, places] = texts[skipped:].T.to(self.text_queue.dtype)
        self.key_queue[places] = UNKNOWN if keys is None else keys[skipped:]
        self.queue_at.copy_((self.queue_at + len(images)) % size)
        self.queue_filled.copy_((self.queue_filled + len(images)).clamp(max=size))

    def resize(self, input_size: int) -> None:
        """Take images of another size: both networks' positions are interpolated."""
        self.online.resize(input_size)
        self.momentum.resize(input_size)

    def _both(self) -> Iterator[tuple[Tensor, Tensor]]:
        own = dict(self.online.named_parameters())
        return ((slow, own[name]) for name, slow in self.momentum.named_parameters())


def pair_matcher(
    pretrained: MomentumMatcher,
    *,
    classes: Literal[2, 3] = 3,
    head: Literal["linear", "mlp"] = "mlp",
    input_size: int | None = None,
) -> MomentumMatcher:
    """X-REM's second stage: the towers of a pretrained matcher under a new head that judges pairs.

    The head has random weights; positions are interpolated to `input_size`; the copy starts equal.
    """
    config = pretrained.config.model_copy(update={"dim": None, "classes": classes, "head": head})
    matcher = MomentumMatcher(config)
    matcher.online.image.load_state_dict(pretrained.online.image.state_dict())
    matcher.online.text.load_state_dict(pretrained.online.text.state_dict())
    if input_size is not None:
        matcher.resize(input_size)
    matcher.copy()
    return matcher
