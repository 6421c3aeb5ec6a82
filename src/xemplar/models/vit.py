"""The matcher's image tower: a vision transformer (Dosovitskiy et al., 2021) as DeiT and ALBEF build it.

Knows tensors and positions; knows nothing of texts. Its own, because transformers' ViT has other
names, another epsilon by default and no interpolation to a smaller grid.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from xemplar.errors import XemplarError
from xemplar.models.config import PatchTower

EPSILON = 1e-6
"""Of every LayerNorm."""


class VisionTransformer(nn.Module):
    """Patches, [CLS], learnt positions, pre-norm blocks and a last LayerNorm."""

    def __init__(self, tower: PatchTower) -> None:
        super().__init__()
        self.tower = tower
        width = tower.width
        self.patches = nn.Conv2d(tower.channels, width, tower.patch, stride=tower.patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + tower.grid**2, width))
        inner = round(width * tower.mlp_ratio)
        self.blocks = nn.ModuleList([_Block(width, tower.heads, inner) for _ in range(tower.depth)])
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        for parameter in (self.cls_token, self.pos_embed, self.patches.weight):
            nn.init.trunc_normal_(parameter, std=0.02)

    def forward(self, images: Tensor) -> Tensor:
        """(n, channels, size, size), normalised -> (n, 1 + patches, width), [CLS] first."""
        if tuple(images.shape[-2:]) != (self.tower.input_size, self.tower.input_size):
            raise XemplarError(
                f"images of {images.shape[-2]} x {images.shape[-1]} px",
                wanted=f"{self.tower.input_size} x {self.tower.input_size}, those of its positions",
                remedy="interpolate the positions to another resolution with resize()",
            )
        patches = self.patches(images).flatten(2).transpose(1, 2)
        hidden = torch.cat([self.cls_token.expand(len(images), -1, -1), patches], dim=1) + self.pos_embed
        for block in self.blocks:
            hidden = block(hidden)
        return torch.as_tensor(self.norm(hidden))

    def resize(self, input_size: int) -> None:
        """Take images of another size from now on: positions are interpolated, all else stays."""
        if input_size % self.tower.patch or input_size < self.tower.patch:
            raise XemplarError(f"images of {input_size} px", wanted=f"a multiple of {self.tower.patch} px")
        self.tower = self.tower.model_copy(update={"input_size": input_size})
        with torch.no_grad():
            self.pos_embed = nn.Parameter(
                interpolate_positions(self.pos_embed, self.tower.grid),
                requires_grad=self.pos_embed.requires_grad,
            )


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, eps=EPSILON)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, eps=EPSILON)
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)
        for layer in (self.qkv, self.out, self.fc1, self.fc2):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        count, length, width = hidden.shape
        mixed = self.qkv(self.norm1(hidden)).view(count, length, 3, self.heads, width // self.heads)
        queries, keys, values = mixed.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(queries, keys, values)
        hidden = hidden + self.out(seen.transpose(1, 2).reshape(count, length, width))
        return hidden + torch.as_tensor(self.fc2(functional.gelu(self.fc1(self.norm2(hidden)))))


def interpolate_positions(positions: Tensor, grid: int) -> Tensor:
    """(1, 1 + g * g, width) -> (1, 1 + grid * grid, width): bicubic, [CLS] as it is.

    DeiT's and ALBEF's way (align_corners False); the same grid gives the same numbers. Positions of no
    square grid raise XemplarError.
    """
    side = math.isqrt(positions.shape[1] - 1)
    if side * side != positions.shape[1] - 1:
        raise XemplarError(
            f"{positions.shape[1]} positions", wanted="[CLS] and a square grid", where="position embeddings"
        )
    if side == grid:
        return positions.clone()
    square = positions[:, 1:].transpose(1, 2).reshape(1, -1, side, side).float()
    square = functional.interpolate(square, size=(grid, grid), mode="bicubic", align_corners=False)
    patches = square.flatten(2).transpose(1, 2).to(positions.dtype)
    return torch.cat([positions[:, :1], patches], dim=1)
