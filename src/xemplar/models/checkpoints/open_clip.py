"""open_clip's layout as BiomedCLIP has it: timm's ViT beside Hugging Face's BERT; read without either.

Knows the names in such a state dict and what its configuration says; knows nothing of folders of ours.
Heads are 64 wide unless a configuration beside it says otherwise.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from transformers import BertConfig, BertModel, ViTConfig, ViTModel

from xemplar.contracts import Json
from xemplar.errors import MismatchError, XemplarError
from xemplar.models.checkpoints.weights import Weights, check_fits, some
from xemplar.models.imported import Features, ImportedConfig, Towers, at_resolution

HEAD = 64
CONFIG = "open_clip_config.json"
FILES = (
    "open_clip_model.safetensors",
    "model.safetensors",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin",
)
PoolerKind = Literal["cls_last_hidden_state_pooler", "cls_pooler", "mean_pooler"]
POOLERS = ("cls_last_hidden_state_pooler", "cls_pooler", "mean_pooler")

Shapes = dict[str, tuple[int, ...]]
_TRUNK, _BERT = "visual.trunk.", "text.transformer."


class Sizes(BaseModel):
    """What such a model is built from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    embed_dim: int
    image_size: int
    patch: int
    vision_width: int
    vision_layers: int
    vision_mlp: int
    vision_heads: int
    projected: bool
    """Whether the image side has a linear projection."""
    text_width: int
    text_layers: int
    text_mlp: int
    text_heads: int
    vocab_size: int
    positions: int
    token_types: int
    hidden: int | None
    """Width between the two layers of the text's projection; None for a single one, 0 for none."""
    pooler: PoolerKind
    context_length: int
    pad_token_id: int = 0


def native(folder: Path) -> str | None:
    """The activation of open_clip's own towers, whose layout is OpenAI's; None for others' towers."""
    model = read_config(folder)["model_cfg"]
    own = not model["vision_cfg"].get("timm_model_name") and not model["text_cfg"].get("hf_model_name")
    return ("quick_gelu" if model.get("quick_gelu") else "gelu") if own else None


def read_config(folder: Path) -> Json:
    """open_clip_config.json; one that isn't is refused."""
    path = folder / CONFIG
    try:
        config: Json = json.loads(path.read_bytes())
        towers = [dict(config["model_cfg"][side]) for side in ("vision_cfg", "text_cfg")]
    except FileNotFoundError:
        raise XemplarError(f"no {CONFIG} in it", wanted="an open_clip folder", where=str(folder)) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise XemplarError(
            f"{CONFIG} can't be read ({type(error).__name__})",
            wanted="model_cfg with vision_cfg and text_cfg",
            where=str(folder),
        ) from None
    return {**config, "model_cfg": {**config["model_cfg"], "vision_cfg": towers[0], "text_cfg": towers[1]}}


def check_towers(config: Json, where: str) -> None:
    """Refuse a configuration of other towers than timm's ViT and a BERT."""
    vision, text = config["model_cfg"]["vision_cfg"], config["model_cfg"]["text_cfg"]
    asked = (
        ("vision_cfg.timm_model_name", str(vision.get("timm_model_name", "none")), r"vit_.*"),
        ("vision_cfg.timm_pool", str(vision.get("timm_pool", "")), r"|token"),
        ("vision_cfg.timm_proj", str(vision.get("timm_proj", "linear")), r"|None|none|linear"),
        ("text_cfg.hf_model_name", str(text.get("hf_model_name", "none")), r"(?!none$).+"),
        ("text_cfg.hf_pooler_type", _pooler(text), "|".join(POOLERS)),
    )  # fmt: skip
    for name, found, wanted in asked:
        if not re.fullmatch(wanted, found):
            raise MismatchError(
                f"{name} is {found!r}", wanted="timm's ViT and a BERT, as BiomedCLIP's", where=where
            )


def weights_file(folder: Path) -> Path:
    """The file with the weights."""
    for name in FILES:
        if (folder / name).is_file():
            return folder / name
    raise XemplarError("no weights in it", wanted=f"one of {', '.join(FILES)}", where=str(folder))


def cleaned(weights: Weights) -> Weights:
    """Without numbered positions, which are no weights."""
    return {name: value for name, value in weights.items() if not name.endswith("position_ids")}


def sizes_of(weights: Weights, config: Json, *, where: str, text_heads: int | None = None) -> Sizes:
    """What the model is built from, by shapes; whatever can't be told from them by its configuration."""
    shapes = _told(weights, where)
    model = config["model_cfg"]
    patch, places, mlp, words, texts, types, inner = shapes
    limit = min(int(model["text_cfg"].get("context_length", texts[0])), texts[0])
    middle = weights.get("text.proj.0.weight")
    return Sizes(
        embed_dim=int(model["embed_dim"]),
        image_size=round((places[1] - 1) ** 0.5) * patch[-1],
        patch=patch[-1],
        vision_width=patch[0],
        vision_layers=_depth(weights, rf"{re.escape(_TRUNK)}blocks"),
        vision_mlp=mlp[0],
        vision_heads=_heads(patch[0], None, where),
        projected=str(model["vision_cfg"].get("timm_proj", "linear")) == "linear",
        text_width=words[1],
        text_layers=_depth(weights, rf"{re.escape(_BERT)}encoder\.layer"),
        text_mlp=inner[0],
        text_heads=_heads(words[1], text_heads, where),
        vocab_size=words[0],
        positions=texts[0],
        token_types=types[0],
        hidden=len(middle) if middle is not None else None if "text.proj.weight" in weights else 0,
        pooler=_pooler(model["text_cfg"]),
        context_length=limit,
    )


def check(weights: Weights, sizes: Sizes, *, where: str) -> None:
    """Name every weight that is missing, unexpected or misshapen."""
    wanted = {name: torch.empty(shape, device="meta") for name, shape in names_of(sizes).items()}
    check_fits(wanted, weights, what="timm's ViT and a BERT by open_clip's names", where=where)


def resized(weights: Weights, size: int) -> Weights:
    """The same weights for images of another size: position embeddings interpolated."""
    patch = int(weights[f"{_TRUNK}patch_embed.proj.weight"].shape[-1])
    if size % patch or size < patch:
        raise MismatchError(f"an input of {size} pixels", wanted=f"a multiple of {patch}")
    name = f"{_TRUNK}pos_embed"
    return {**weights, name: at_resolution(weights[name][0], size // patch, first=1)[None]}


def names_of(sizes: Sizes) -> Shapes:
    """Every name that such a model has, and its shape."""
    with torch.device("meta"):
        vit, bert = _vit(sizes), _bert(sizes)
    shapes: Shapes = {"logit_scale": ()}
    for name, sources in _vision_names(sizes).items():
        ours = tuple(vit.state_dict()[name].shape)
        if isinstance(sources, tuple):  # one third of a joint matrix
            shapes[sources[0]] = (3 * ours[0], *ours[1:])
        else:
            shapes[sources] = ours
    shapes |= {f"{_BERT}{name}": tuple(value.shape) for name, value in bert.state_dict().items()}
    if sizes.projected:
        shapes["visual.head.proj.weight"] = (sizes.embed_dim, sizes.vision_width)
    if sizes.hidden is None:
        shapes["text.proj.weight"] = (sizes.embed_dim, sizes.text_width)
    elif sizes.hidden:
        shapes["text.proj.0.weight"] = (sizes.hidden, sizes.text_width)
        shapes["text.proj.2.weight"] = (sizes.embed_dim, sizes.hidden)
    return shapes


def build(weights: Weights, sizes: Sizes, config: ImportedConfig) -> Towers:
    """The two towers with these weights, which `check` has passed."""
    vit, bert = _vit(sizes), _bert(sizes)
    ours: Weights = {}
    for name, source in _vision_names(sizes).items():
        if isinstance(source, tuple):
            ours[name] = weights[source[0]].chunk(3)[source[1]].contiguous()
        else:
            ours[name] = weights[source]
    vit.load_state_dict(ours)
    held = {n.removeprefix(_BERT): v for n, v in weights.items() if n.startswith(_BERT)}
    bert.load_state_dict(held)
    image = nn.ModuleList([vit.eval(), _linear(weights, "visual.head.proj.weight")])
    text = nn.ModuleList([bert.eval(), _text_projection(weights, sizes)])
    pooled = _Text(sizes.pooler)
    return Towers(config, Features(image, _image), Features(text, pooled), log_scale=weights["logit_scale"])


def _image(network: nn.Module, pixels: Tensor) -> Tensor:
    vit, projection = network.children()
    features: Tensor = projection(vit(pixel_values=pixels).last_hidden_state[:, 0])
    return features


class _Text:
    """A BERT's answer, pooled as open_clip names it, and projected."""

    def __init__(self, pooler: PoolerKind) -> None:
        self.pooler = pooler

    def __call__(self, network: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
        bert, projection = network.children()
        out = bert(input_ids=tokens, attention_mask=mask)
        if self.pooler == "cls_pooler":
            pooled = out.pooler_output
        elif self.pooler == "mean_pooler":
            weights = mask.unsqueeze(-1).to(out.last_hidden_state.dtype)
            pooled = (out.last_hidden_state * weights).sum(1) / weights.sum(1)
        else:
            pooled = out.last_hidden_state[:, 0]
        features: Tensor = projection(pooled)
        return features


def _linear(weights: Weights, name: str) -> nn.Module:
    if name not in weights:
        return nn.Identity()
    made = nn.Linear(weights[name].shape[1], weights[name].shape[0], bias=False)
    made.load_state_dict({"weight": weights[name]})
    return made


def _text_projection(weights: Weights, sizes: Sizes) -> nn.Module:
    if not sizes.hidden:
        return _linear(weights, "text.proj.weight")
    first, second = (_linear(weights, f"text.proj.{n}.weight") for n in (0, 2))
    return nn.Sequential(first, nn.GELU(), second)


def _vit(sizes: Sizes) -> Any:  # noqa: ANN401  transformers has no types
    return ViTModel(
        ViTConfig(
            hidden_size=sizes.vision_width, num_hidden_layers=sizes.vision_layers,
            num_attention_heads=sizes.vision_heads, intermediate_size=sizes.vision_mlp,
            image_size=sizes.image_size, patch_size=sizes.patch, hidden_act="gelu", layer_norm_eps=1e-6,
        ),
        add_pooling_layer=False,
    )  # fmt: skip


def _bert(sizes: Sizes) -> Any:  # noqa: ANN401  transformers has no types
    return BertModel(
        BertConfig(
            vocab_size=sizes.vocab_size, hidden_size=sizes.text_width, num_hidden_layers=sizes.text_layers,
            num_attention_heads=sizes.text_heads, intermediate_size=sizes.text_mlp,
            max_position_embeddings=sizes.positions, type_vocab_size=sizes.token_types,
            pad_token_id=sizes.pad_token_id,
        ),
        add_pooling_layer=sizes.pooler == "cls_pooler",
    )  # fmt: skip


def _vision_names(sizes: Sizes) -> dict[str, str | tuple[str, int]]:
    """Transformers' name -> timm's, or the third of timm's that it is."""
    names: dict[str, str | tuple[str, int]] = {
        "embeddings.cls_token": f"{_TRUNK}cls_token",
        "embeddings.position_embeddings": f"{_TRUNK}pos_embed",
    }
    for kind in ("weight", "bias"):
        names[f"embeddings.patch_embeddings.projection.{kind}"] = f"{_TRUNK}patch_embed.proj.{kind}"
        names[f"layernorm.{kind}"] = f"{_TRUNK}norm.{kind}"
        for number in range(sizes.vision_layers):
            ours, theirs = f"layers.{number}", f"{_TRUNK}blocks.{number}"
            for third, part in enumerate(("q_proj", "k_proj", "v_proj")):
                names[f"{ours}.attention.{part}.{kind}"] = (f"{theirs}.attn.qkv.{kind}", third)
            for mine, other in (
                ("attention.o_proj", "attn.proj"), ("layernorm_before", "norm1"),
                ("layernorm_after", "norm2"), ("mlp.fc1", "mlp.fc1"), ("mlp.fc2", "mlp.fc2"),
            ):  # fmt: skip
                names[f"{ours}.{mine}.{kind}"] = f"{theirs}.{other}.{kind}"
    return names


_ANCHORS = {
    f"{_TRUNK}patch_embed.proj.weight": 4,
    f"{_TRUNK}pos_embed": 3,
    f"{_TRUNK}blocks.0.mlp.fc1.weight": 2,
    f"{_BERT}embeddings.word_embeddings.weight": 2,
    f"{_BERT}embeddings.position_embeddings.weight": 2,
    f"{_BERT}embeddings.token_type_embeddings.weight": 2,
    f"{_BERT}encoder.layer.0.intermediate.dense.weight": 2,
}
"""Names that tell the sizes, and how many dimensions each has."""


def _told(weights: Weights, where: str) -> list[tuple[int, ...]]:
    """The shapes of `_ANCHORS`; one that is missing or no matrix is refused."""
    if missing := [name for name in _ANCHORS if name not in weights]:
        first = next(iter(sorted(weights)), "none")
        raise MismatchError(
            f"{len(missing)} weights that tell its sizes are missing: {some(missing)}",
            wanted=f"timm's ViT and a BERT by open_clip's names; the first name here is {first}",
            where=where,
        )
    shapes = {name: tuple(weights[name].shape) for name in _ANCHORS}
    if wrong := [f"{name} is {shapes[name]}" for name, rank in _ANCHORS.items() if len(shapes[name]) != rank]:
        raise MismatchError(f"{len(wrong)} misshapen: {some(wrong)}", wanted="a ViT and a BERT", where=where)
    return list(shapes.values())


def _pooler(text: Json) -> Any:  # noqa: ANN401  one of POOLERS, or refused
    """As newer and older configurations name it."""
    return str(text.get("hf_pooler_type", text.get("pooler_type", "mean_pooler")))


def _depth(weights: Weights, stack: str) -> int:
    found = (re.match(rf"{stack}\.(\d+)\.", name) for name in weights)
    depth = 1 + max((int(match[1]) for match in found if match), default=-1)
    return min(depth, len(weights))  # an absurd number is named later, not counted up to


def _heads(width: int, said: int | None, where: str) -> int:
    heads = said or width // HEAD
    if heads < 1 or width % heads or (said is None and width % HEAD):
        raise MismatchError(
            f"a tower {width} wide", wanted=f"a multiple of {HEAD}, or a config.json that says its heads",
            where=where,
        )  # fmt: skip
    return heads
