"""CLIP's ResNet: three stem convolutions, anti-aliasing strides, attention as the last pooling.

Knows tensors and OpenAI's names of the weights (Radford et al. 2021, section 2.4 and appendix); knows
nothing of files or texts.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

EXPANSION = 4


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions beside a shortcut; it strides by averaging."""

    def __init__(self, inner: int, planes: int, *, stride: int) -> None:
        super().__init__()
        outer = planes * EXPANSION
        self.conv1 = nn.Conv2d(inner, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, outer, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outer)
        self.stride = stride
        self.downsample: nn.Sequential | None = None
        if stride > 1 or inner != outer:
            # Named "0" and "1" as OpenAI's are, whose averaging has a name of its own.
            self.downsample = nn.Sequential(nn.Conv2d(inner, outer, 1, bias=False), nn.BatchNorm2d(outer))

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, inner, h, w) -> (n, 4 planes, h / stride, w / stride)."""
        out = functional.relu(self.bn1(self.conv1(inputs)))
        out = functional.relu(self.bn2(self.conv2(out)))
        if self.stride > 1:
            out, inputs = functional.avg_pool2d(out, self.stride), functional.avg_pool2d(inputs, self.stride)
        out = self.bn3(self.conv3(out))
        shortcut = inputs if self.downsample is None else self.downsample(inputs)
        return functional.relu(out + shortcut)


class AttentionPool(nn.Module):
    """The mean of all positions asks every position, and itself."""

    def __init__(self, side: int, width: int, *, heads: int, dim: int) -> None:
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.randn(side**2 + 1, width) / width**0.5)
        self.k_proj, self.q_proj, self.v_proj = (nn.Linear(width, width) for _ in range(3))
        self.c_proj = nn.Linear(width, dim)
        self.heads = heads

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, width, side, side) -> (n, dim)."""
        places = inputs.flatten(2).transpose(1, 2)
        places = torch.cat([places.mean(1, keepdim=True), places], 1) + self.positional_embedding
        query, key, value = self.q_proj(places[:, :1]), self.k_proj(places), self.v_proj(places)
        split = [
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (query, key, value)
        ]  # (n, heads, positions, width of a head)
        asked = functional.scaled_dot_product_attention(*split)
        pooled: Tensor = self.c_proj(asked.transpose(1, 2).flatten(2)[:, 0])
        return pooled


class ClipResNet(nn.Module):
    """The image tower of CLIP's RN50, RN101, RN50x4 ...; weights by OpenAI's names below "visual."."""

    def __init__(self, layers: Sequence[int], width: int, *, heads: int, input_size: int, dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width // 2, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width // 2)
        self.conv2 = nn.Conv2d(width // 2, width // 2, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width // 2)
        self.conv3 = nn.Conv2d(width // 2, width, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        inner = width
        stages = []
        for number, depth in enumerate(layers):
            planes = width * 2**number
            blocks = [Bottleneck(inner, planes, stride=1 if number == 0 else 2)]
            inner = planes * EXPANSION
            blocks += [Bottleneck(inner, planes, stride=1) for _ in range(depth - 1)]
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.attnpool = AttentionPool(input_size // 32, inner, heads=heads, dim=dim)

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3, size, size), normalised -> (n, dim), of no particular length."""
        out = functional.relu(self.bn1(self.conv1(pixels)))
        out = functional.relu(self.bn2(self.conv2(out)))
        out = functional.avg_pool2d(functional.relu(self.bn3(self.conv3(out))), 2)
        out = self.layer4(self.layer3(self.layer2(self.layer1(out))))
        pooled: Tensor = self.attnpool(out)
        return pooled
