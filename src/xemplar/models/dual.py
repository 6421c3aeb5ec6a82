"""The dual encoder: an image tower and a text tower, each projected to unit vectors of one space.

Knows tensors; knows nothing of files, corpora or how it is trained.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PreTrainedConfig

from xemplar.errors import MismatchError, XemplarError
from xemplar.models.blocks import first_token, group_norms, masked_mean, projection
from xemplar.models.checkpoints.huggingface import resized
from xemplar.models.checkpoints.weights import some
from xemplar.models.config import ImageTower, ModelConfig, TextTower, _Tower

MAX_SCALE = 100.0
"""Upper bound of the logit scale (Radford et al., CLIP, 2021)."""

OVERLAP = 0.25
"""Of a place of the grid: the share that lies in a region, from which on it is looked at."""

POOLED = "a dual encoder of ours that pools over places"
CUT = "cut the region out as a picture and search with that, or search with the whole film"


class DualEncoder(nn.Module):
    """Two towers and a learnt logit scale.

    Freshly built from a configuration it has random weights; a pretrained tower has its
    checkpoint's. `config` is the configuration as built, complete enough to build it again.
    """

    def __init__(self, config: ModelConfig, *, load_pretrained: bool = True) -> None:
        super().__init__()
        image, image_dim, image_config = _backbone(config.image, load_pretrained)
        text, text_dim, text_config = _backbone(config.text, load_pretrained)
        _check_fits(config, image.config, text.config)
        self.config = config.model_copy(
            update={
                "image": config.image.model_copy(update={"config": image_config}),
                "text": config.text.model_copy(update={"config": text_config}),
            }
        )
        if config.image.norm == "group":
            group_norms(image)
        # Convolutions on a CPU are a third faster with channels last.
        self.image_tower = image.to(memory_format=torch.channels_last)
        self.text_tower = text
        positions = 1 if config.image.pool == "cls" else config.image.grid**2
        self.image_projection = projection(
            config.projection, image_dim * positions, config.dim, dropout=config.image.dropout
        )
        self.text_projection = projection(
            config.projection, text_dim, config.dim, dropout=config.text.dropout
        )
        self.log_scale = nn.Parameter(torch.tensor(math.log(1.0 / config.temperature)))
        self.register_buffer("mean", _channels(config.image.mean), persistent=False)
        self.register_buffer("std", _channels(config.image.std), persistent=False)

    mean: Tensor
    std: Tensor

    @property
    def scale(self) -> Tensor:
        """The logit scale, at most 100."""
        return self.log_scale.exp().clamp(max=MAX_SCALE)

    def image_vectors(self, images: Tensor) -> Tensor:
        """(n, 1, size, size) in [0, 1] -> (n, dim), rows of length 1."""
        return self.image_vectors_of(self._image_hidden(images))

    def image_vectors_of(self, states: Tensor) -> Tensor:
        """The vectors of `image_states`, pooled and projected: (n, positions, channels) -> (n, dim)."""
        pooled = _pool_image(states, self.config.image)
        return functional.normalize(self.image_projection(pooled).float(), dim=-1)

    def image_vectors_within(self, images: Tensor, boxes: Tensor) -> Tensor:
        """What is seen of boxes (n, 4: left, top, width, height, in shares) of images -> (n, dim).

        The whole film goes through the tower; of its last hidden states those outside the box are left
        out of the pooling, and a pooled cell that has none within is 0. The projection is the whole
        film's, so that a place keeps its meaning. Refused for a tower that pools over no places.
        """
        if self.config.image.pool == "cls":
            raise XemplarError("no region: this model's vector is a [CLS] alone", wanted=POOLED, remedy=CUT)
        hidden = _grid_of(self._image_hidden(images))
        pooled = _pool_within(hidden, _within(boxes, hidden.shape[2], hidden.shape[3]), self.config.image)
        return functional.normalize(self.image_projection(pooled).float(), dim=-1)

    def image_states(self, images: Tensor) -> Tensor:
        """(n, 1, size, size) in [0, 1] -> the tower's last hidden states, (n, positions, channels).

        Of a CNN row by row of its grid; of a transformer as it gives them, [CLS] first where it has one.
        """
        hidden = self._image_hidden(images)
        return hidden.flatten(2).transpose(1, 2) if hidden.ndim == 4 else hidden

    def text_states(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(n, length) token ids and attention mask -> the tower's last hidden states, (n, length, width)."""
        return torch.as_tensor(self.text_tower(input_ids=tokens, attention_mask=mask).last_hidden_state)

    def text_vectors(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(n, length) token ids and attention mask -> (n, dim), rows of length 1."""
        return self.text_vectors_of(self.text_states(tokens, mask), mask)

    def text_vectors_of(self, states: Tensor, mask: Tensor) -> Tensor:
        """The vectors of `text_states`, pooled and projected: (n, length, width) -> (n, dim)."""
        pooled = first_token(states) if self.config.text.pool == "cls" else masked_mean(states, mask)
        return functional.normalize(self.text_projection(pooled).float(), dim=-1)

    def _image_hidden(self, images: Tensor) -> Tensor:
        channels = int(getattr(self.image_tower.config, "num_channels", 3))
        middle = images.mean((2, 3), keepdim=True) if self.config.image.centre else self.mean
        pixels = (images.expand(-1, channels, -1, -1) - middle) / self.std
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        return torch.as_tensor(self.image_tower(pixel_values=pixels).last_hidden_state)


def _backbone(tower: _Tower, load_pretrained: bool) -> tuple[Any, int, dict[str, Any]]:
    """A Hugging Face backbone, the width of its last hidden state, and its configuration."""
    extra = {"add_pooling_layer": False} if isinstance(tower, TextTower) else {}
    try:
        if tower.pretrained is not None and load_pretrained:
            model = pretrained_backbone(tower.pretrained, extra)
            if isinstance(tower, ImageTower):
                model = resized(model, tower.input_size)
        else:
            values = dict(tower.config or {})
            kind = values.pop("model_type", None)
            if kind is None:
                raise XemplarError(
                    "a tower's config has no model_type", wanted="for instance resnet, vit or bert"
                )
            model = AutoModel.from_config(AutoConfig.for_model(kind, **values), **extra)
    except (OSError, ValueError, RuntimeError, SafetensorError, StrictDataclassError) as error:
        name = tower.pretrained or (tower.config or {}).get("model_type")
        first = str(error).strip().splitlines()[0]
        raise XemplarError(
            f"backbone {name!r} can't be loaded ({first})",
            remedy="give a local folder with config.json and model.safetensors, or a cached name",
        ) from error
    config = model.config.to_dict()
    sizes = getattr(model.config, "hidden_sizes", None)
    width = sizes[-1] if sizes else model.config.hidden_size
    kept = {key: value for key, value in config.items() if key not in _NOT_KEPT and value is not None}
    return model, int(width), kept


def pretrained_backbone(name: str, extra: dict[str, bool]) -> Any:  # noqa: ANN401  whichever class it is
    """A checkpoint from a folder or the cache, never from the net; a weight that it lacks is an error.

    transformers would fill the gap at random and only warn. Its pooler's are never used here.
    """
    model, told = AutoModel.from_pretrained(
        name, output_loading_info=True, local_files_only=True, ignore_mismatched_sizes=True, **extra
    )
    if other := sorted(key for key, _, _ in told["mismatched_keys"] if not key.startswith("pooler.")):
        raise ValueError(f"{len(other)} weights are of another shape: {some(other)}")
    if missing := sorted(key for key in told["missing_keys"] if not key.startswith("pooler.")):
        raise MismatchError(
            f"{len(missing)} weights are not in the checkpoint; the first is {missing[0]}",
            wanted="every weight of its backbone", where=name,
        )  # fmt: skip
    return model


def _check_fits(config: ModelConfig, image: PreTrainedConfig, text: PreTrainedConfig) -> None:
    """Refuse settings that a backbone can't take, before it meets a tensor."""
    channels = int(getattr(image, "num_channels", 3))
    for name, values in (("mean", config.image.mean), ("std", config.image.std)):
        if len(values) not in (1, channels):
            raise XemplarError(
                f"model.image.{name} has {len(values)} values", wanted=f"1 or {channels}, the channels"
            )
    size = getattr(image, "image_size", None)
    if size is not None and hasattr(image, "patch_size") and config.image.input_size not in _sides(size):
        raise XemplarError(
            f"model.image.input_size is {config.image.input_size}",
            wanted=f"{size}, the backbone's image_size",
        )
    positions = getattr(text, "max_position_embeddings", None)
    if positions is not None and config.text.max_tokens > positions:
        raise XemplarError(
            f"model.text.max_tokens is {config.text.max_tokens}",
            wanted=f"at most {positions}, the backbone's max_position_embeddings",
        )


def _sides(size: int | list[int] | tuple[int, ...]) -> tuple[int, ...]:
    return (size,) if isinstance(size, int) else tuple(size)


_NOT_KEPT = {"_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype"}


def _pool_image(hidden: Tensor, tower: ImageTower) -> Tensor:
    """Last hidden states, (n, c, h, w) of a CNN or (n, tokens, c) of a transformer, to (n, features)."""
    if tower.pool == "cls":
        if hidden.ndim != 3:
            raise XemplarError("pool = cls with a convolutional image tower", wanted="mean or grid")
        return hidden[:, 0]
    pool = functional.adaptive_max_pool2d if tower.pool == "max" else functional.adaptive_avg_pool2d
    return pool(_grid_of(hidden), tower.grid).flatten(1)


def _grid_of(hidden: Tensor) -> Tensor:
    """Last hidden states as (n, c, h, w); what a transformer has before its places is left out."""
    if hidden.ndim == 4:
        return hidden
    side = math.isqrt(hidden.shape[1])
    return hidden[:, -side * side :].transpose(1, 2).reshape(len(hidden), -1, side, side)


def _within(boxes: Tensor, height: int, width: int) -> Tensor:
    """(n, 4) -> (n, 1, height, width), true for places of which OVERLAP lies in the box, or the most."""

    def along(start: Tensor, length: Tensor, places: int) -> Tensor:
        edges = torch.linspace(0, 1, places + 1, device=boxes.device)
        inside = torch.minimum(edges[1:], (start + length)[:, None])
        return (inside - torch.maximum(edges[:-1], start[:, None])).clamp(min=0) * places

    left, top, wide, high = boxes.unbind(1)
    share = along(top, high, height)[:, :, None] * along(left, wide, width)[:, None, :]
    return (share >= share.amax((1, 2), keepdim=True).clamp(max=OVERLAP))[:, None]


def _pool_within(hidden: Tensor, kept: Tensor, tower: ImageTower) -> Tensor:
    """(n, c, h, w) to (n, features) as `_pool_image` does, of the places that are kept alone."""
    if tower.pool == "max":
        inside = hidden.masked_fill(~kept, -math.inf)
        cells = functional.adaptive_max_pool2d(inside, tower.grid)
        return cells.masked_fill(cells.isneginf(), 0).flatten(1)
    cells = functional.adaptive_avg_pool2d(hidden * kept, tower.grid)
    shares = functional.adaptive_avg_pool2d(kept.to(hidden.dtype), tower.grid)
    return torch.where(shares > 0, cells / shares.clamp(min=1e-6), 0).flatten(1)


def _channels(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)
