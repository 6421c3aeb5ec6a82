"""Somebody else's checkpoint as a model folder: told apart, checked, kept in its own layout, opened again.

Knows which files a checkpoint comes in and what a folder of ours lists; leaves names and sizes to the
modules of each layout. What is kept is the checkpoint's own names in float32, so that a folder doesn't
depend on how a library names things.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import ValidationError
from safetensors.torch import save_file
from transformers import CLIPTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from xemplar.contracts import Json
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import check_new, describe_file, file_sha256, publish, sync_below, writing
from xemplar.models.checkpoints import huggingface, open_clip, openai_clip
from xemplar.models.checkpoints.weights import Weights, read_weights
from xemplar.models.imported import ImportedConfig, TextInput, Towers
from xemplar.models.preprocessing import Fit, Preprocessing, film_preprocessing, openai_preprocessing
from xemplar.models.tokenizer import load_tokenizer
from xemplar.records import Domain

VERSION = 1
WEIGHTS = "weights.safetensors"
PRESETS: dict[str, Callable[[int], Preprocessing]] = {
    "openai": openai_preprocessing,
    "films": film_preprocessing,
}
"""Names of ways to prepare a film: CLIP's own, and CheXzero's and CXR-RePaiR's."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What a checkpoint doesn't say itself; whatever is None is taken from it, or is as is usual.

    `tokenizer` is OpenAI's bpe_simple_vocab_16e6.txt.gz (or its text), or a Hugging Face tokenizer folder.
    `trained_on` and `licence` are for people to read. `domain` is that of what it was trained on,
    `precision` that of encoding.
    """

    tokenizer: Path | None = None
    preprocessing: str | None = None
    fit: Fit | None = None
    input_size: int | None = None
    domain: Domain | None = None
    trained_on: str | None = None
    licence: str | None = None
    precision: Literal["fp32", "bf16"] = "fp32"


@dataclass(frozen=True, slots=True)
class _Read:
    """A checkpoint that was read and checked, and how to write it down."""

    config: ImportedConfig
    tokenizer: PreTrainedTokenizerBase
    origin: Path
    write: Callable[[Path], None]


def import_checkpoint(source: Path | str, out: Path | str, choices: Choices | None = None) -> Json:
    """Write a checkpoint as a model folder and return its manifest; `open_model` opens it.

    `source` is a file of OpenAI's layout (.pt, .pth, .safetensors), a Hugging Face folder of a CLIP or
    SigLIP, or an open_clip folder as BiomedCLIP's. Whatever doesn't fit is refused before anything is
    written.
    """
    source, out = Path(source), Path(out)
    choices = choices or Choices()
    if not source.exists():
        raise XemplarError("no such checkpoint", wanted="a file or a folder", where=str(source))
    try:
        read = _read(source, choices)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or error.title
        raise MismatchError(
            f"{name}: {first['msg']}", wanted="a model's settings", where=str(source)
        ) from None
    return _write(out, read, choices)


def open_towers(folder: Path, manifest: Json) -> Towers:
    """The towers of an imported folder, whose files have been checked."""
    config = ImportedConfig.model_validate(manifest["config"])
    if config.architecture == "huggingface":
        return huggingface.towers(huggingface.load_dual(folder / "backbone"), config)
    weights, where = read_weights(folder / WEIGHTS), str(folder)
    if config.architecture == "open-clip":
        sizes = open_clip.Sizes.model_validate(config.sizes)
        open_clip.check(weights, sizes, where=where)
        return open_clip.build(weights, sizes, config)
    wanted = openai_clip.Sizes.model_validate(config.sizes)
    openai_clip.check(weights, wanted, where=where)
    return openai_clip.build(weights, wanted, config)


def openai_tokenizer(path: Path, vocabulary: int, *, context: int) -> PreTrainedTokenizerBase:
    """CLIP's byte-pair tokenizer from OpenAI's list of merges, for so many tokens in all.

    A line is a pair; the first is a title. A list too short for the vocabulary is refused.
    """
    try:
        data = path.read_bytes()
        lines = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8").split("\n")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise XemplarError(
            f"can't be read ({type(error).__name__})",
            wanted="bpe_simple_vocab_16e6.txt.gz",
            where=str(path),
        ) from error
    count = vocabulary - 2 * len(letters := _letters()) - 2
    pairs = [tuple(line.split()) for line in lines[1 : 1 + max(count, 0)]]
    if count < 0 or len(pairs) != count or any(len(pair) != 2 for pair in pairs):
        raise MismatchError(
            f"{len([p for p in pairs if len(p) == 2])} pairs",
            wanted=f"{max(count, 0)}, for the checkpoint's {vocabulary} tokens",
            where=str(path),
        )
    tokens = [*letters, *(f"{one}</w>" for one in letters), *("".join(pair) for pair in pairs)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    ids = {token: number for number, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=ids, merges=pairs, model_max_length=context)


def _letters() -> list[str]:
    """The 256 bytes as printable letters, in GPT-2's order (Radford et al. 2019)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + place) for place in range(len(rest))]


def _read(source: Path, choices: Choices) -> _Read:
    if source.is_file():
        return _read_openai(source, choices)
    if (source / open_clip.CONFIG).exists():
        return _read_open_clip(source, choices)
    if (source / "config.json").exists():
        return _read_huggingface(source, choices)
    raise XemplarError(
        "a folder without config.json or open_clip_config.json",
        wanted="a Hugging Face or open_clip folder, or a file of OpenAI's layout",
        where=str(source),
    )


def _read_openai(path: Path, choices: Choices, *, activation: str = "quick_gelu") -> _Read:
    weights = openai_clip.cleaned(read_weights(path))
    sizes = openai_clip.sizes_of(weights, where=str(path), activation=activation)
    openai_clip.check(weights, sizes, where=str(path))
    if choices.input_size is not None:
        weights = openai_clip.resized(weights, choices.input_size)
        sizes = sizes.model_copy(update={"image_resolution": choices.input_size})
    config = ImportedConfig(
        architecture="openai-clip",
        dim=sizes.embed_dim,
        image=chosen_preprocessing(openai_preprocessing(sizes.image_resolution), choices),
        text=TextInput(max_tokens=sizes.context_length, unescape=True),
        sizes=sizes.model_dump(mode="json"),
    )
    tokenizer = _openai_words(choices.tokenizer, sizes, path)
    return _Read(config, tokenizer, path, lambda folder: _keep(weights, folder))


def _openai_words(given: Path | None, sizes: openai_clip.Sizes, path: Path) -> PreTrainedTokenizerBase:
    if given is None:
        raise XemplarError(
            "a checkpoint of OpenAI's layout has no words of its own",
            wanted="bpe_simple_vocab_16e6.txt.gz, or a CLIP's tokenizer folder",
            where=str(path),
            remedy="name it: --tokenizer PATH",
        )
    if given.is_dir():
        tokenizer = _words_of(given)
    else:
        tokenizer = openai_tokenizer(given, sizes.vocab_size, context=sizes.context_length)
    _check_words(tokenizer, sizes.vocab_size, str(given))
    if tokenizer.eos_token_id != len(tokenizer) - 1:
        raise MismatchError(
            f"an end of text that is token {tokenizer.eos_token_id} of {len(tokenizer)}",
            wanted="the last, by which OpenAI's CLIP finds it",
            where=str(given),
        )
    return tokenizer


def _read_huggingface(folder: Path, choices: Choices) -> _Read:
    model = huggingface.load_dual(folder, input_size=choices.input_size)
    held = model.config
    tokenizer = _words_of(choices.tokenizer or folder)
    words = held.text_config
    _check_words(tokenizer, int(words.vocab_size), str(choices.tokenizer or folder))
    siglip = held.model_type == "siglip"
    size = int(held.vision_config.image_size)
    config = ImportedConfig(
        architecture="huggingface",
        dim=huggingface.width_of(model),
        image=chosen_preprocessing(huggingface.preprocessing_of(folder, size=size), choices),
        text=TextInput(max_tokens=int(words.max_position_embeddings), pad_to_limit=siglip),
        sizes={"model_type": held.model_type, "pad_token_id": int(tokenizer.pad_token_id)},
    )
    return _Read(config, tokenizer, folder, lambda out: model.save_pretrained(out / "backbone"))


def _read_open_clip(folder: Path, choices: Choices) -> _Read:
    said, path = open_clip.read_config(folder), open_clip.weights_file(folder)
    if activation := open_clip.native(folder):
        own = replace(choices, tokenizer=choices.tokenizer or folder)
        return _read_openai(path, own, activation=activation)
    open_clip.check_towers(said, str(folder / open_clip.CONFIG))
    weights = open_clip.cleaned(read_weights(path))
    sizes = open_clip.sizes_of(weights, said, where=str(path), text_heads=_bert_heads(folder))
    open_clip.check(weights, sizes, where=str(path))
    if choices.input_size is not None:
        weights = open_clip.resized(weights, choices.input_size)
        sizes = sizes.model_copy(update={"image_size": choices.input_size})
    tokenizer = _words_of(choices.tokenizer or folder)
    _check_words(tokenizer, sizes.vocab_size, str(choices.tokenizer or folder))
    sizes = sizes.model_copy(update={"pad_token_id": int(tokenizer.pad_token_id)})
    means = said.get("preprocess_cfg", {})
    image = openai_preprocessing(sizes.image_size).model_copy(
        update={name: tuple(means[name]) for name in ("mean", "std") if name in means}
    )
    config = ImportedConfig(
        architecture="open-clip",
        dim=sizes.embed_dim,
        image=chosen_preprocessing(image, choices),
        text=TextInput(max_tokens=sizes.context_length),
        sizes=sizes.model_dump(mode="json"),
    )
    return _Read(config, tokenizer, path, lambda out: _keep(weights, out))


def _bert_heads(folder: Path) -> int | None:
    """What a BERT's own config.json beside the weights says of its heads."""
    path = folder / "config.json"
    if not path.exists():
        return None
    try:
        heads = json.loads(path.read_bytes()).get("num_attention_heads")
    except (ValueError, AttributeError):
        raise XemplarError("isn't a readable configuration", where=str(path)) from None
    return heads if isinstance(heads, int) else None


def chosen_preprocessing(usual: Preprocessing, choices: Choices) -> Preprocessing:
    """As the checkpoint has it, unless somebody names another way.

    A film that is squashed goes through no letterbox, which would undo it.
    """
    if choices.preprocessing is not None:
        if choices.preprocessing not in PRESETS:
            wanted = f"one of {', '.join(PRESETS)}"
            raise XemplarError(f"preprocessing {choices.preprocessing!r}", wanted=wanted)
        usual = PRESETS[choices.preprocessing](usual.input_size)
    if choices.fit is None:
        return usual
    between = None if choices.fit == "squash" else usual.letterbox
    return usual.model_copy(update={"fit": choices.fit, "letterbox": between})


def _words_of(folder: Path) -> PreTrainedTokenizerBase:
    """A folder's tokenizer; where its class wants a library that isn't here, its tokenizer.json alone.

    So SigLIP's, whose class wants sentencepiece.
    """
    try:
        return load_tokenizer(folder)
    except ImportError as error:
        if not (folder / "tokenizer.json").exists():
            raise XemplarError(
                "a tokenizer that needs another library", wanted="a tokenizer.json", where=str(folder)
            ) from error
        return PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True)


def _check_words(tokenizer: PreTrainedTokenizerBase, vocabulary: int, where: str) -> None:
    if not tokenizer.is_fast or tokenizer.pad_token_id is None:
        raise MismatchError("a tokenizer without padding or a fast form", wanted="both", where=where)
    if len(tokenizer) > vocabulary:
        raise MismatchError(
            f"a tokenizer of {len(tokenizer)} tokens",
            wanted=f"at most {vocabulary}, the model's",
            where=where,
        )


def _keep(weights: Weights, folder: Path) -> None:
    # A tensor that shares its memory with another is written on its own.
    save_file({name: value.clone() for name, value in weights.items()}, folder / WEIGHTS)


def _write(out: Path, read: _Read, choices: Choices) -> Json:
    config = read.config.model_copy(update={"precision": choices.precision})
    with writing(out):
        check_new(out, but=r"$^")
        read.write(out)
        read.tokenizer.save_pretrained(out / "tokenizer")
        sync_below(out)
        names = sorted(
            str(path.relative_to(out)) for path in out.rglob("*") if path.is_file() and path.name != ".lock"
        )
        manifest = {
            "kind": "model",
            "version": VERSION,
            "architecture": config.architecture,
            "config": config.model_dump(mode="json"),
            "files": {name: describe_file(out / name) for name in names},
            **facts_of(read.origin, choices),
        }
        publish(out, "model.json", manifest)
    return manifest


def facts_of(origin: Path, choices: Choices) -> Json:
    """What a manifest tells of where a model comes from: which files it was, never where they lay."""
    files = [origin]
    if origin.is_dir():
        files = sorted(one for one in origin.iterdir() if one.suffix in {".safetensors", ".bin"})
    return {
        "domain": choices.domain,
        "preview_fingerprint": None,
        "trained_on": {"title": choices.trained_on or "not stated"},
        "licence": choices.licence or "not stated",
        "imported": {"name": origin.name, "files": {one.name: file_sha256(one) for one in files}},
    }
