"""ALBEF's and X-REM's checkpoints, read into a matcher of ours, and the tokenizer they were made with.

Knows their names for weights, and how their program cleans a caption; knows nothing of training. Li et
al., ALBEF, 2021; Jeong et al., X-REM, 2023. Nothing but tensors is read from a `.pth`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece
from torch import Tensor
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from xemplar.errors import MismatchError, XemplarError
from xemplar.models.checkpoints.weights import Weights, check_fits, read_names, read_weights
from xemplar.models.config import MatcherConfig
from xemplar.models.momentum import UNKNOWN, MomentumMatcher
from xemplar.models.preprocessing import OPENAI_MEAN, OPENAI_STD

HEAD_WIDTH = 64
"""Of every published ViT and BERT; weights don't tell it."""

BERT_WORDS = 30522
"""In bert-base-uncased's vocabulary, which all published checkpoints have."""

TOKENS = 25
"""Longest text in X-REM's pretraining and search: [CLS] and 24 word pieces."""

_VISUAL = (
    ("patches.", "patch_embed.proj."),
    (".qkv.", ".attn.qkv."),
    (".out.", ".attn.proj."),
    (".fc", ".mlp.fc"),
)
_EMBEDDINGS = {
    "words": "word_embeddings", "positions": "position_embeddings", "types": "token_type_embeddings",
    "norm": "LayerNorm",
}  # fmt: skip
_ATTENDED = {"attention": "attention", "cross": "crossattention"}
_IN_ATTENTION = {
    "query": "self.query", "key": "self.key", "value": "self.value", "out": "output.dense",
    "norm": "output.LayerNorm",
}  # fmt: skip
_IN_LAYER = {"fc1": "intermediate.dense", "fc2": "output.dense", "norm": "output.LayerNorm"}
_WORD_HEAD = {"dense": "transform.dense", "norm": "transform.LayerNorm"}
_LOOSE = {
    "temperature": "temp", "image_queue": "image_queue", "text_queue": "text_queue",
    "queue_at": "queue_ptr",
}  # fmt: skip
_OURS_ALONE = ("key_queue", "queue_filled")
_QUEUES = ("image_queue", "text_queue", "queue_ptr")
_DECODER = "cls.predictions.decoder"
_PUNCTUATION = re.compile(r"([,.'!?\"()*#:;~])")


@dataclass(frozen=True, slots=True)
class Heads:
    """How many attention heads each tower has: the one size that no weight's shape shows."""

    image: int
    text: int


def their_name(name: str, *, judges_pairs: bool) -> str | None:
    """Our name of a weight of MomentumMatcher -> ALBEF's; None for what theirs doesn't have.

    `judges_pairs`: X-REM's second stage, whose text tower has no `bert.` and whose head is `cls_head`.
    """
    if name in _LOOSE or name in _OURS_ALONE:
        return _LOOSE.get(name)
    net, part, rest = name.split(".", 2)
    slow = "_m" if net == "momentum" else ""
    if part == "image":
        for ours, theirs in _VISUAL:
            rest = rest.replace(ours, theirs)
        return f"visual_encoder{slow}.{rest}"
    if part == "text":
        return f"text_encoder{slow}.{'' if judges_pairs else 'bert.'}{_bert_name(rest)}"
    if part == "word_head":
        first, _, last = rest.partition(".")
        rest = f"{_WORD_HEAD[first]}.{last}" if first in _WORD_HEAD else rest
        return f"text_encoder{slow}.cls.predictions.{rest}"
    head = "cls_head" if judges_pairs else "itm_head"
    return {"image_projection": "vision_proj", "text_projection": "text_proj", "itm_head": head}[
        part
    ] + f"{slow}.{rest}"


def _bert_name(name: str) -> str:
    parts = name.split(".")
    if parts[0] != "layers":
        return f"embeddings.{_EMBEDDINGS[parts[0]]}.{parts[1]}"
    _, place, part, *rest = parts
    if part in _ATTENDED:
        return f"encoder.layer.{place}.{_ATTENDED[part]}.{_IN_ATTENTION[rest[0]]}.{rest[1]}"
    return f"encoder.layer.{place}.{_IN_LAYER[part]}.{rest[0]}"


def is_albef(path: Path | str) -> bool:
    """Whether a checkpoint's names are ALBEF's or X-REM's: BERT that looks at an image.

    Reads no weight; a file that can't be read at all is refused as `read_weights` does.
    """
    return any(name.startswith("text_encoder.") and ".crossattention." in name for name in read_names(path))


def import_albef(
    path: Path | str,
    *,
    heads: Heads | None = None,
    input_size: int | None = None,
    config: MatcherConfig | None = None,
) -> MomentumMatcher:
    """A matcher from an ALBEF or X-REM checkpoint, `.pth` or `.safetensors`; in evaluation mode.

    Sizes come from the weights' shapes; `heads` are 64 wide where nothing is said, or `config` says
    all. With `input_size` the positions are interpolated, the momentum copy's too. A checkpoint without
    any momentum copy gets one equal to the network; one without queues gets empty ones. Every other
    weight that is missing, unexpected or misshapen is named in MismatchError. Mean and std are CLIP's,
    with which both were trained; X-REM's program answers with `film_preprocessing` all the same.
    """
    weights = _without_ties(read_weights(path), str(path))
    pairs = not any(name.startswith("text_encoder.bert.") for name in weights)
    if config is None:
        config = _config(weights, pairs, heads=heads, where=str(path))
    matcher = MomentumMatcher(config)
    names = {name: their_name(name, judges_pairs=pairs) for name in matcher.state_dict()}
    wanted = {theirs: matcher.state_dict()[name] for name, theirs in names.items() if theirs is not None}
    copied = not any(_is_slow(name) for name in weights)
    queued = any(name in weights for name in _QUEUES)
    for name in list(wanted):
        if (copied and _is_slow(name)) or (not queued and name in _QUEUES):
            del wanted[name]
    check_fits(wanted, weights, what="those of ALBEF over these sizes", where=str(path))
    held = matcher.state_dict()
    held.update({name: weights[theirs] for name, theirs in names.items() if theirs in wanted})
    if queued:
        held["queue_filled"] = torch.full((1,), config.queue)
        held["key_queue"] = torch.full((config.queue,), UNKNOWN)
    matcher.load_state_dict(held)
    if copied:
        matcher.copy()
    if input_size is not None:
        matcher.resize(input_size)
    return matcher.eval()


def _is_slow(name: str) -> bool:
    return name.partition(".")[0].endswith("_m")


def _without_ties(weights: Weights, where: str) -> Weights:
    """Without position ids, and without the decoder of MLM where it is what it is tied to."""
    kept = {name: value for name, value in weights.items() if not name.endswith(".position_ids")}
    for encoder in ("text_encoder", "text_encoder_m"):
        for tail, tied in (
            ("weight", "bert.embeddings.word_embeddings.weight"),
            ("bias", "cls.predictions.bias"),
        ):
            decoder = kept.get(f"{encoder}.{_DECODER}.{tail}")
            other = kept.get(f"{encoder}.{tied}")
            if decoder is None or other is None:
                continue
            if not torch.equal(decoder, other):
                raise MismatchError(
                    f"{encoder}.{_DECODER}.{tail} is not {encoder}.{tied}", wanted="tied weights", where=where
                )
            del kept[f"{encoder}.{_DECODER}.{tail}"]
    return kept


def _config(weights: Weights, pairs: bool, *, heads: Heads | None, where: str) -> MatcherConfig:
    """The sizes that a checkpoint's shapes tell."""
    shapes = _Shapes(weights, where)
    image, text = (
        _image_sizes(shapes),
        _text_sizes(shapes, "text_encoder." if pairs else "text_encoder.bert."),
    )
    if heads is None:
        if image["width"] % HEAD_WIDTH or text["width"] % HEAD_WIDTH:
            raise MismatchError(
                f"towers {image['width']} and {text['width']} wide, and nothing says how many heads",
                wanted=f"multiples of {HEAD_WIDTH}, as published, or the number of heads",
                where=where,
                remedy="say how many: --heads IMAGE,TEXT",
            )
        heads = Heads(image["width"] // HEAD_WIDTH, text["width"] // HEAD_WIDTH)
    values = {
        "image": {**image, "heads": heads.image},
        "text": {**text, "heads": heads.text},
        "dim": None if pairs else shapes.of("vision_proj.weight")[0][0],
        "classes": shapes.of("cls_head.2.weight" if pairs else "itm_head.weight")[0][0],
        "head": "mlp" if pairs else "linear",
    }
    if "image_queue" in weights:
        values["queue"] = weights["image_queue"].shape[-1]
    try:
        return MatcherConfig.model_validate(values)
    except ValidationError as error:
        raise MismatchError(
            f"sizes that no matcher has ({error.errors()[0]['msg']})",
            where=where,
            remedy="say how many attention heads each tower has, if they aren't 64 wide: --heads IMAGE,TEXT",
        ) from error


def _image_sizes(shapes: _Shapes) -> dict[str, Any]:
    patches, positions, fc1 = shapes.of(
        "visual_encoder.patch_embed.proj.weight",
        "visual_encoder.pos_embed",
        "visual_encoder.blocks.0.mlp.fc1.weight",
    )
    return {
        "input_size": math.isqrt(positions[1] - 1) * patches[2],
        "patch": patches[2],
        "channels": patches[1],
        "width": patches[0],
        "mean": OPENAI_MEAN,
        "std": OPENAI_STD,
        "depth": 1 + max(shapes.numbers(r"visual_encoder\.blocks\.(\d+)\.")),
        "mlp_ratio": fc1[0] / patches[0],
    }


def _text_sizes(shapes: _Shapes, bert: str) -> dict[str, Any]:
    words, places, types, inner = shapes.of(
        f"{bert}embeddings.word_embeddings.weight",
        f"{bert}embeddings.position_embeddings.weight",
        f"{bert}embeddings.token_type_embeddings.weight",
        f"{bert}encoder.layer.0.intermediate.dense.weight",
    )
    layer = rf"{re.escape(bert)}encoder\.layer\.(\d+)\."
    fused = shapes.numbers(rf"{layer}crossattention\.")
    if not fused:
        raise MismatchError("a text tower without cross-attention", wanted="ALBEF's", where=shapes.where)
    return {
        "vocabulary": words[0],
        "width": words[1],
        "layers": 1 + max(shapes.numbers(layer)),
        "fusion": min(fused),
        "inner": inner[0],
        "positions": places[0],
        "types": types[0],
        "max_tokens": min(places[0], 512),
        **_special(words[0]),
    }


def _special(vocabulary: int) -> dict[str, int]:
    """Ids of [CLS], [SEP] and [MASK]: bert-base-uncased's, or those of a vocabulary that begins with them."""
    return {} if vocabulary == BERT_WORDS else {"cls_token": 2, "sep_token": 3, "mask_token": 4}


class _Shapes:
    """What a checkpoint's shapes tell; whatever is not there is named at once."""

    def __init__(self, weights: Mapping[str, Tensor], where: str) -> None:
        self.shapes = {name: tuple(value.shape) for name, value in weights.items()}
        self.where = where

    def of(self, *names: str) -> list[tuple[int, ...]]:
        missing = [name for name in names if name not in self.shapes]
        if missing:
            raise MismatchError(
                f"{len(missing)} weights are missing: {', '.join(missing)}",
                wanted="a checkpoint of ALBEF or X-REM",
                where=self.where,
            )
        return [self.shapes[name] for name in names]

    def numbers(self, pattern: str) -> set[int]:
        found = (re.match(pattern, name) for name in self.shapes)
        return {int(match.group(1)) for match in found if match}


def albef_tokenizer(vocabulary: Sequence[str] | Path | str) -> PreTrainedTokenizerBase:
    """WordPiece as ALBEF's program has it: lower case, [CLS] in front, and no [SEP] behind.

    `vocabulary` is a `vocab.txt` or its lines: a piece's line number is its id.
    """
    if isinstance(vocabulary, Path | str):
        try:
            vocabulary = Path(vocabulary).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise XemplarError(
                "no vocabulary can be read", wanted="a vocab.txt", where=str(vocabulary)
            ) from error
    ids = {piece: place for place, piece in enumerate(vocabulary)}
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    if missing := [piece for piece in special if piece not in ids]:
        raise XemplarError(f"a vocabulary without {', '.join(missing)}", wanted="BERT's")
    tokenizer = Tokenizer(WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", ids["[CLS]"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip


def clean_caption(text: str, max_words: int = 30) -> str:
    """A text as ALBEF reads captions: lower case, without most punctuation, at most so many words.

    Hyphens and slashes part words. Decimals lose their point, as in the original.
    """
    text = _PUNCTUATION.sub("", text.lower()).replace("-", " ").replace("/", " ")
    text = re.sub(r"\s{2,}", " ", text.replace("<person>", "person")).rstrip("\n").strip(" ")
    return " ".join(text.split(" ")[:max_words])
