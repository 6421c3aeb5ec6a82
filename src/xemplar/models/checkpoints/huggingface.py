"""Hugging Face folders of a CLIP or a SigLIP, and single towers at another resolution than their own.

Knows transformers' models and configurations; knows nothing of tokens or of our folders. Nothing is ever
fetched: a name is looked for in the cache alone, and no code of a checkpoint is run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from xemplar.contracts import Json
from xemplar.errors import MismatchError, XemplarError
from xemplar.models.checkpoints.weights import some
from xemplar.models.imported import Features, ImportedConfig, Towers, at_resolution
from xemplar.models.preprocessing import Fit, Interpolation, Preprocessing

DUAL = ("clip", "siglip")
UNREADABLE = (OSError, ValueError, RuntimeError, SafetensorError, StrictDataclassError)

_BUFFERS = "position_ids"
_POSITIONS = ("embeddings.position_embeddings", "embeddings.position_embedding.weight")
_FILTERS: dict[int, Interpolation] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers of its filters, as a preprocessor_config.json names them."""


def config_of(folder: Path) -> Any:  # noqa: ANN401  whichever class it is
    """The folder's configuration; one that can't be read, or needs code of its own, is refused."""
    try:
        return AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except UNREADABLE as error:
        raise XemplarError(f"no config can be read ({_said(error)})", where=str(folder)) from error


def load_dual(folder: Path, *, input_size: int | None = None) -> Any:  # noqa: ANN401  whichever class it is
    """A CLIP or SigLIP with its two towers, float32; every weight must fit.

    With another `input_size` than its own its position embeddings are interpolated.
    """
    kind = config_of(folder).model_type
    if kind not in DUAL:
        raise MismatchError(
            f"a checkpoint of {kind}",
            wanted=f"one of {', '.join(DUAL)}, which encode images and texts into one space",
            where=str(folder),
            remedy="a single tower is named as `pretrained` of a recipe's image or text tower",
        )
    model, told = _loaded(folder)
    wrong = {
        "missing": sorted(told["missing_keys"]),
        "unexpected": sorted(name for name in told["unexpected_keys"] if not name.endswith(_BUFFERS)),
        "misshapen": [
            f"{name} is {tuple(found)} and not {tuple(wanted)}"
            for name, found, wanted in sorted(told["mismatched_keys"])
        ],
    }
    if any(wrong.values()):
        parts = "; ".join(f"{len(names)} {said}: {some(names)}" for said, names in wrong.items() if names)
        count = sum(len(names) for names in wrong.values())
        raise MismatchError(f"{count} weights don't fit; {parts}", wanted=f"its {kind}", where=str(folder))
    if input_size is not None:
        model = resized(model, input_size)
    return model.eval()


def towers(model: Any, config: ImportedConfig) -> Towers:  # noqa: ANN401  whichever class it is
    """A CLIP or SigLIP as the two towers of an encoder."""
    if model.config.model_type == "siglip":
        take: Callable[..., Tensor] = _SiglipText(config)
        image, text = model.vision_model, model.text_model
        bias = float(model.logit_bias.detach())
    else:
        image = _Projected(model.vision_model, model.visual_projection)
        text, take = _Projected(model.text_model, model.text_projection), _clip_text
        bias = 0.0
    scale = model.logit_scale.detach()
    return Towers(config, Features(image, _image), Features(text, take), log_scale=scale, bias=bias)


def width_of(model: Any) -> int:  # noqa: ANN401  whichever class it is
    """Dimensions of the space that both towers share."""
    config = model.config
    return int(config.text_config.projection_size if config.model_type == "siglip" else config.projection_dim)


def preprocessing_of(folder: Path, *, size: int, fit: Fit | None = None) -> Preprocessing:
    """What the folder's preprocessor_config.json says of means, deviations and the filter.

    `fit` is "letterbox" where nothing is said, since a film cut or stretched is another film.
    """
    path = folder / "preprocessor_config.json"
    said: Json = {}
    if path.exists():
        try:
            said = json.loads(path.read_bytes())
        except ValueError:
            raise XemplarError("isn't readable JSON", where=str(path)) from None
    values: Json = {"input_size": size, "fit": fit or "letterbox"}
    for ours, theirs in (("mean", "image_mean"), ("std", "image_std")):
        if theirs in said:
            values[ours] = tuple(said[theirs])
    if "resample" in said:
        if said["resample"] not in _FILTERS:
            raise XemplarError(f"resample {said['resample']}", wanted="0, 1, 2 or 3", where=str(path))
        values["interpolation"] = _FILTERS[said["resample"]]
    if said.get("do_normalize") is False:
        values |= {"mean": (0.0,), "std": (1.0,)}
    return Preprocessing.model_validate(values)


def resized(model: Any, size: int) -> Any:  # noqa: ANN401  whichever class it is
    """The same network for images of another size; one without a grid of positions stays as it is.

    ViT, DeiT, DINOv2, CLIP and SigLIP keep an embedding for each patch: these are interpolated and all
    other weights kept. A side that patches don't fill is refused.
    """
    config = model.config
    vision = getattr(config, "vision_config", config)
    held, patch = getattr(vision, "image_size", None), getattr(vision, "patch_size", None)
    if not isinstance(held, int) or not isinstance(patch, int) or held == size:
        return model
    weights: dict[str, Tensor] = model.state_dict()
    names = [name for name in weights if name.endswith(_POSITIONS) and not name.startswith("text_model.")]
    if not names:
        vision.image_size = size  # a convolution's own is hearsay: it takes any
        return model
    if size % patch or size < patch:
        raise XemplarError(f"an input of {size} pixels", wanted=f"a multiple of {patch}, the patches' side")
    for name in names:
        rows = weights[name].reshape(-1, weights[name].shape[-1])
        made = at_resolution(rows, size // patch, first=len(rows) - (held // patch) ** 2)
        weights[name] = made.reshape(*weights[name].shape[:-2], *made.shape)
    vision.image_size = size
    # Built anew, so that whatever a class derives from the size is right.
    made = type(model)(config, **_built_with(model))
    made.load_state_dict(weights)
    return made.train(model.training)


def _built_with(model: nn.Module) -> dict[str, bool]:
    """A tower without its pooler is built without one again."""
    without = "pooler" in vars(model).get("_modules", {}) and model.pooler is None
    return {"add_pooling_layer": False} if without else {}


def _loaded(folder: Path) -> tuple[nn.Module, Json]:
    try:
        model, told = AutoModel.from_pretrained(
            str(folder),
            output_loading_info=True,
            local_files_only=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # so that they are all named, and then refused
            dtype=torch.float32,
        )
    except UNREADABLE as error:
        raise XemplarError(
            f"can't be loaded ({_said(error)})",
            where=str(folder),
            remedy="give a folder with config.json and model.safetensors",
        ) from error
    return model, told


class _Projected(nn.Module):
    """A CLIP's tower and what brings its answer into the shared space."""

    def __init__(self, tower: nn.Module, projection: nn.Module) -> None:
        super().__init__()
        self.tower, self.projection = tower, projection

    def forward(self, **inputs: Tensor) -> Any:  # noqa: ANN401  an output of transformers
        out = self.tower(**inputs)
        out.pooler_output = self.projection(out.pooler_output)
        return out


def _image(network: nn.Module, pixels: Tensor) -> Tensor:
    pooled: Tensor = network(pixel_values=pixels).pooler_output
    return pooled


def _clip_text(network: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
    pooled: Tensor = network(input_ids=tokens, attention_mask=mask).pooler_output
    return pooled


class _SiglipText:
    """SigLIP was trained on texts padded to its limit, seen whole: padding is read like words."""

    def __init__(self, config: ImportedConfig) -> None:
        self.limit = config.text.max_tokens
        self.pad = int(config.sizes["pad_token_id"])

    def __call__(self, network: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
        tokens = torch.where(mask.bool(), tokens, self.pad)
        tokens = nn.functional.pad(tokens, (0, self.limit - tokens.shape[1]), value=self.pad)
        pooled: Tensor = network(input_ids=tokens).pooler_output
        return pooled


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
