"""Training images moved and re-exposed a little; never mirrored, since side is a finding.

Knows tensors and one explicit generator.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from xemplar.training.recipe import Augmentation


def augment(
    images: Tensor, settings: Augmentation, generator: torch.Generator, *, part: tuple[int, int] | None = None
) -> Tensor:
    """(n, 1, size, size) in [0, 1] -> the same, each turned, shifted, scaled and re-exposed.

    `part` (first, whole) says that these are rows first .. first + n of a batch of `whole`: they are
    moved as they would be in it, whichever other rows are at hand.
    """
    count = len(images)
    first, whole = part or (0, count)

    def draw(spread: float) -> Tensor:
        return (torch.rand(whole, generator=generator) * 2 - 1)[first : first + count] * spread

    angle, zoom = draw(math.radians(settings.rotation)), 1 + draw(settings.zoom)
    shift_x, shift_y = draw(2 * settings.shift), draw(2 * settings.shift)
    cosine, sine = angle.cos() * zoom, angle.sin() * zoom
    rows = torch.stack([cosine, -sine, shift_x, sine, cosine, shift_y], dim=1).view(count, 2, 3)
    grid = functional.affine_grid(rows, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, align_corners=False)
    gain = (1 + draw(settings.contrast)).view(-1, 1, 1, 1)
    lift = draw(settings.brightness).view(-1, 1, 1, 1)
    exposed = ((moved - 0.5) * gain + 0.5 + lift).clamp(0, 1)
    if not settings.erase:
        return exposed
    side = torch.rand(whole, 1, 1, generator=generator) * settings.erase
    middle = torch.rand(whole, 2, 1, generator=generator)
    return _erase(exposed, side[first : first + count], middle[first : first + count])


def _erase(images: Tensor, side: Tensor, middle: Tensor) -> Tensor:
    _, _, height, width = images.shape
    y = (torch.arange(height) + 0.5).view(1, -1, 1) / height
    x = (torch.arange(width) + 0.5).view(1, 1, -1) / width
    inside = ((y - middle[:, :1]).abs() < side / 2) & ((x - middle[:, 1:]).abs() < side / 2)
    return images.masked_fill(inside.unsqueeze(1), 0.0)
