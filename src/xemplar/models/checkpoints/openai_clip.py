"""OpenAI's CLIP layout (also CheXzero's and CXR-RePaiR's): its names and sizes, onto networks of ours.

Knows the names in such a state dict and how sizes follow from shapes (Radford et al. 2021); knows
nothing of preprocessing, tokens or folders. A transformer has a
head for every 64 of its width, as all of OpenAI's.
"""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from xemplar.errors import MismatchError
from xemplar.models.checkpoints.weights import Weights, check_fits, some
from xemplar.models.clip_resnet import EXPANSION, ClipResNet
from xemplar.models.imported import Features, ImportedConfig, Towers, at_resolution

HEAD = 64
NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size")
"""Numbers that OpenAI's archives carry among the weights."""

Shapes = dict[str, tuple[int, ...]]

_MATCHERS = "`xemplar model import` and import_matcher read matchers"

_ANCHORS = (
    "visual.conv1.weight",
    "text_projection",
    "positional_embedding",
    "token_embedding.weight",
    "ln_final.weight",
    "logit_scale",
)


class Sizes(BaseModel):
    """A CLIP's constructor arguments; `vision_layers` has a depth for each stage of a ResNet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    embed_dim: int
    image_resolution: int
    vision_layers: int | tuple[int, int, int, int]
    vision_width: int
    vision_patch_size: int | None
    context_length: int
    vocab_size: int
    transformer_width: int
    transformer_layers: int
    activation: str = "quick_gelu"

    @property
    def is_vit(self) -> bool:
        """Whether the image tower is a vision transformer, or else CLIP's ResNet."""
        return self.vision_patch_size is not None


def sizes_of(weights: Weights, *, where: str, activation: str = "quick_gelu") -> Sizes:
    """Constructor arguments from names and shapes; refuses what is no CLIP, naming what it lacks."""
    missing = [name for name in _ANCHORS if name not in weights]
    vit = "visual.proj" in weights
    stem = "visual.positional_embedding" if vit else "visual.attnpool.positional_embedding"
    missing += [name for name in (stem,) if name not in weights]
    if missing:
        raise MismatchError(
            f"{len(missing)} weights that tell a CLIP's sizes are missing: {some(missing)}",
            wanted="OpenAI's CLIP (ViT or ResNet); this looks like " + _looks_like(weights),
            where=where,
            remedy=_MATCHERS if any(".crossattention." in name for name in weights) else "",
        )
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    _check_ranks(shapes, stem, where)
    grid = math.isqrt(shapes[stem][0] - 1)
    common = {
        "embed_dim": shapes["text_projection"][1],
        "context_length": shapes["positional_embedding"][0],
        "vocab_size": shapes["token_embedding.weight"][0],
        "transformer_width": shapes["ln_final.weight"][0],
        "transformer_layers": _depth(shapes, r"transformer\.resblocks"),
        "activation": activation,
    }
    if vit:
        width, _, patch, _ = shapes["visual.conv1.weight"]
        vision: dict[str, Any] = {
            "image_resolution": grid * patch,
            "vision_layers": _depth(shapes, r"visual\.transformer\.resblocks"),
            "vision_width": width,
            "vision_patch_size": patch,
        }
    else:
        vision = {
            "image_resolution": grid * 32,
            "vision_layers": tuple(_depth(shapes, rf"visual\.layer{stage}") for stage in (1, 2, 3, 4)),
            "vision_width": shapes["visual.conv1.weight"][0] * 2,
            "vision_patch_size": None,
        }
    sizes = Sizes.model_validate({**common, **vision})
    _check_heads(sizes, where)
    return sizes


def names_of(sizes: Sizes) -> Shapes:
    """Every name that a CLIP of these sizes has, and its shape."""
    width, dim = sizes.transformer_width, sizes.embed_dim
    shapes: Shapes = {
        "positional_embedding": (sizes.context_length, width),
        "text_projection": (width, dim),
        "logit_scale": (),
        "token_embedding.weight": (sizes.vocab_size, width),
        **_norm("ln_final", width),
        **_blocks("transformer", width, sizes.transformer_layers),
    }
    if isinstance(sizes.vision_layers, int):
        wide, patch = sizes.vision_width, sizes.vision_patch_size or 1
        places = (sizes.image_resolution // patch) ** 2 + 1
        shapes |= {
            "visual.class_embedding": (wide,),
            "visual.positional_embedding": (places, wide),
            "visual.proj": (wide, dim),
            "visual.conv1.weight": (wide, 3, patch, patch),
            **_norm("visual.ln_pre", wide),
            **_norm("visual.ln_post", wide),
            **_blocks("visual.transformer", wide, sizes.vision_layers),
        }
    else:
        with torch.device("meta"):
            network = _resnet(sizes)
        shapes |= {f"visual.{name}": tuple(value.shape) for name, value in network.state_dict().items()}
    return shapes


def cleaned(weights: Weights) -> Weights:
    """Without the numbers that are no weights."""
    return {name: value for name, value in weights.items() if name not in NOT_WEIGHTS}


def check(weights: Weights, sizes: Sizes, *, where: str) -> None:
    """Name every weight that is missing, unexpected or misshapen for a CLIP of these sizes."""
    wanted = {name: torch.empty(shape, device="meta") for name, shape in names_of(sizes).items()}
    kind = "ViT" if sizes.is_vit else "ResNet"
    check_fits(
        wanted, weights, what=f"OpenAI's CLIP with a {kind} of width {sizes.vision_width}", where=where
    )


def resized(weights: Weights, size: int) -> Weights:
    """The same weights for images of another size: position embeddings interpolated."""
    vit = "visual.proj" in weights
    name = "visual.positional_embedding" if vit else "visual.attnpool.positional_embedding"
    step = int(weights["visual.conv1.weight"].shape[-1]) if vit else 32
    if size % step or size < step:
        raise MismatchError(f"an input of {size} pixels", wanted=f"a multiple of {step}")
    return {**weights, name: at_resolution(weights[name], size // step, first=1)}


def build(weights: Weights, sizes: Sizes, config: ImportedConfig) -> Towers:
    """The two towers with these weights, which `check` has passed."""
    text = _filled(_text(sizes), _text_names(weights, sizes))
    image: nn.Module
    if sizes.is_vit:
        image = Features(_filled(_vit(sizes), _vision_names(weights, sizes)), _image_embeds)
    else:
        held = {n.removeprefix("visual."): v for n, v in weights.items() if n.startswith("visual.")}
        image = _filled(_resnet(sizes), held)
    return Towers(config, image, Features(text, _text_embeds), log_scale=weights["logit_scale"])


def _image_embeds(network: nn.Module, pixels: Tensor) -> Tensor:
    embeds: Tensor = network(pixel_values=pixels).image_embeds
    return embeds


def _text_embeds(network: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
    # Nothing behind the end of text is seen by it (causal), so that padding needs no mask; it is the
    # highest id, and padding must not be higher.
    embeds: Tensor = network(input_ids=tokens * mask).text_embeds
    return embeds


def _filled(network: nn.Module, weights: Weights) -> nn.Module:
    network.load_state_dict(weights)
    return network.eval()


def _text(sizes: Sizes) -> Any:  # noqa: ANN401  transformers has no types
    width = sizes.transformer_width
    return CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=sizes.vocab_size, hidden_size=width, intermediate_size=4 * width,
            projection_dim=sizes.embed_dim, num_hidden_layers=sizes.transformer_layers,
            num_attention_heads=_heads(width), max_position_embeddings=sizes.context_length,
            hidden_act=sizes.activation,
            eos_token_id=2,  # means: the highest id is the end of text, as OpenAI has it
            bos_token_id=0, pad_token_id=0,
        )
    )  # fmt: skip


def _vit(sizes: Sizes) -> Any:  # noqa: ANN401  transformers has no types
    width = sizes.vision_width
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=width, intermediate_size=4 * width, projection_dim=sizes.embed_dim,
            num_hidden_layers=sizes.vision_layers, num_attention_heads=_heads(width),
            image_size=sizes.image_resolution, patch_size=sizes.vision_patch_size,
            hidden_act=sizes.activation,
        )
    )  # fmt: skip


def _resnet(sizes: Sizes) -> ClipResNet:
    layers = sizes.vision_layers if isinstance(sizes.vision_layers, tuple) else (1, 1, 1, 1)
    return ClipResNet(
        layers,
        sizes.vision_width,
        heads=_heads(sizes.vision_width * 8 * EXPANSION),
        input_size=sizes.image_resolution,
        dim=sizes.embed_dim,
    )


def _text_names(weights: Weights, sizes: Sizes) -> Weights:
    ours = {
        "text_model.embeddings.token_embedding.weight": weights["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": weights["positional_embedding"],
        "text_model.final_layer_norm.weight": weights["ln_final.weight"],
        "text_model.final_layer_norm.bias": weights["ln_final.bias"],
        "text_projection.weight": weights["text_projection"].T.contiguous(),
    }
    return ours | _block_names(weights, "transformer", "text_model", depth=sizes.transformer_layers)


def _vision_names(weights: Weights, sizes: Sizes) -> Weights:
    at = "vision_model."
    ours = {
        f"{at}embeddings.class_embedding": weights["visual.class_embedding"],
        f"{at}embeddings.patch_embedding.weight": weights["visual.conv1.weight"],
        f"{at}embeddings.position_embedding.weight": weights["visual.positional_embedding"],
        "visual_projection.weight": weights["visual.proj"].T.contiguous(),
    }
    for theirs, mine in (("ln_pre", "pre_layrnorm"), ("ln_post", "post_layernorm")):
        ours |= {f"{at}{mine}.{part}": weights[f"visual.{theirs}.{part}"] for part in ("weight", "bias")}
    depth = int(sizes.vision_layers) if isinstance(sizes.vision_layers, int) else 0
    return ours | _block_names(weights, "visual.transformer", "vision_model", depth=depth)


def _block_names(weights: Weights, theirs: str, ours: str, *, depth: int) -> Weights:
    """Blocks by transformers' names; OpenAI keeps query, key and value in one matrix."""
    renamed = {
        "attn.out_proj": "self_attn.out_proj",
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
    }
    made: Weights = {}
    for number in range(depth):
        source, target = f"{theirs}.resblocks.{number}", f"{ours}.encoder.layers.{number}"
        for kind in ("weight", "bias"):
            parts = weights[f"{source}.attn.in_proj_{kind}"].chunk(3)
            for name, part in zip(("q_proj", "k_proj", "v_proj"), parts, strict=True):
                made[f"{target}.self_attn.{name}.{kind}"] = part.contiguous()
            for theirs_part, our_part in renamed.items():
                made[f"{target}.{our_part}.{kind}"] = weights[f"{source}.{theirs_part}.{kind}"]
    return made


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _blocks(name: str, width: int, depth: int) -> Shapes:
    shapes: Shapes = {}
    for number in range(depth):
        at = f"{name}.resblocks.{number}"
        shapes |= {
            f"{at}.attn.in_proj_weight": (3 * width, width),
            f"{at}.attn.in_proj_bias": (3 * width,),
            f"{at}.attn.out_proj.weight": (width, width),
            f"{at}.attn.out_proj.bias": (width,),
            f"{at}.mlp.c_fc.weight": (4 * width, width),
            f"{at}.mlp.c_fc.bias": (4 * width,),
            f"{at}.mlp.c_proj.weight": (width, 4 * width),
            f"{at}.mlp.c_proj.bias": (width,),
            **_norm(f"{at}.ln_1", width),
            **_norm(f"{at}.ln_2", width),
        }
    return shapes


def _heads(width: int) -> int:
    return max(1, width // HEAD)


def _depth(shapes: Shapes, stack: str) -> int:
    """One more than the highest number in a stack of blocks, whichever of their weights are there."""
    found = (re.match(rf"{stack}\.(\d+)\.", name) for name in shapes)
    depth = 1 + max((int(match[1]) for match in found if match), default=-1)
    return min(depth, len(shapes))  # an absurd number is named later, not counted up to


def _check_ranks(shapes: Shapes, stem: str, where: str) -> None:
    ranks = {
        "visual.conv1.weight": 4, "text_projection": 2, "positional_embedding": 2,
        "token_embedding.weight": 2, "ln_final.weight": 1, stem: 2,
    }  # fmt: skip
    wrong = [f"{name} is {shapes[name]}" for name, rank in ranks.items() if len(shapes[name]) != rank]
    places = shapes[stem][0] - 1 if len(shapes[stem]) == 2 else 0
    if places < 1 or math.isqrt(places) ** 2 != places:
        wrong.append(f"{stem} is {shapes[stem]}, not one row more than a square")
    if wrong:
        raise MismatchError(f"{len(wrong)} misshapen: {some(wrong)}", wanted="OpenAI's CLIP", where=where)


def _check_heads(sizes: Sizes, where: str) -> None:
    layers = sizes.vision_layers
    wide = {"transformer": sizes.transformer_width}
    wide["visual"] = sizes.vision_width if sizes.is_vit else sizes.vision_width * 8 * EXPANSION
    for name, width in wide.items():
        if width < 1 or width % _heads(width):
            raise MismatchError(
                f"{name} is {width} wide, which {_heads(width)} heads can't share",
                wanted=f"a head for every {HEAD}",
                where=where,
            )
    depths = (layers,) if isinstance(layers, int) else layers
    if min(*depths, sizes.transformer_layers, 10**6) < 1:
        raise MismatchError("a tower without a layer", wanted="OpenAI's CLIP", where=where)


def _looks_like(weights: Weights) -> str:
    """What the names are known for."""
    signs = {
        "visual_encoder.": "ALBEF's or X-REM's", "visual.trunk.": "open_clip's", "vision_model.":
        "Hugging Face's CLIP or SigLIP", "text_transformer.": "DeCLIP's", "encoder.layer.": "Hugging Face's",
        "image_encoder.": "a dual encoder of another program",
    }  # fmt: skip
    for sign, name in signs.items():
        if any(key.startswith(sign) for key in weights):
            return name
    return "none of those known (its first name is " + next(iter(sorted(weights)), "none") + ")"
