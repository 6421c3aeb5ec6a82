"""A model folder: save a dual encoder, open it again, and encode with it.

Knows safetensors, the manifest and fixed batch shapes. The encoder handed out speaks numpy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from xemplar.contracts import Json
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import describe_file, file_sha256, fingerprint, publish, read_manifest, sync_below
from xemplar.images import model_input
from xemplar.models.config import ModelConfig
from xemplar.models.dual import DualEncoder
from xemplar.models.tokenizer import load_tokenizer, padded_length, tokenize
from xemplar.records import Domain, Image, Vectors

VERSION = 1
IMAGE_BATCH = 16
TEXT_BATCH = 32
"""Every forward pass has one of a few fixed shapes, padded, so that an item's vector is the same
whatever it is encoded with."""


class TorchEncoder:
    """An `Encoder` over a dual encoder: previews and texts to unit float32 rows.

    `domain` is that of the corpus it was trained on; `preview` the fingerprint of the previews.
    """

    def __init__(self, model: DualEncoder, tokenizer: PreTrainedTokenizerBase, manifest: Json) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.manifest = manifest
        self.domain: Domain | None = manifest["domain"]
        self.preview: str | None = manifest["preview_fingerprint"]
        self.dim = model.config.dim
        self.fingerprint = fingerprint(
            [
                manifest["files"],
                manifest["preview_fingerprint"],
                model.config.precision,
                IMAGE_BATCH,
                TEXT_BATCH,
            ]
        )

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """Previews -> (n, dim)."""
        size = self.model.config.image.input_size
        inputs = np.zeros((len(images), 1, size, size), np.float32)
        for place, image in enumerate(images):
            inputs[place, 0] = model_input(image, size)
        return self._in_batches(len(images), IMAGE_BATCH, lambda at: self._images(inputs[at]))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Texts -> (n, dim); texts of one padded length share batches."""
        limit = self.model.config.text.max_tokens
        tokens, mask = tokenize(self.tokenizer, texts, limit) if texts else (torch.empty(0), torch.empty(0))
        lengths = np.array([padded_length(int(row.sum()), limit) for row in mask], np.int64)
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            part = (tokens[rows, :length], mask[rows, :length])
            vectors[rows] = self._in_batches(len(rows), TEXT_BATCH, partial(self._texts, *part))
        return vectors

    def _images(self, batch: NDArray[np.float32]) -> Tensor:
        padded = np.zeros((IMAGE_BATCH, *batch.shape[1:]), np.float32)
        padded[: len(batch)] = batch
        return self.model.image_vectors(torch.from_numpy(padded))

    def _texts(self, tokens: Tensor, mask: Tensor, at: slice) -> Tensor:
        tokens, mask = tokens[at], mask[at]
        empty = TEXT_BATCH - len(tokens)
        # Rows of padding attend to one token, so that no softmax is over nothing.
        tokens = torch.nn.functional.pad(tokens, (0, 0, 0, empty), value=int(self.tokenizer.pad_token_id))
        mask = torch.nn.functional.pad(mask, (0, 0, 0, empty))
        mask[len(mask) - empty :, 0] = 1
        return self.model.text_vectors(tokens, mask)

    def _in_batches(self, count: int, size: int, forward: Callable[[slice], Tensor]) -> Vectors:
        vectors = np.zeros((count, self.dim), np.float32)
        bf16 = self.model.config.precision == "bf16"
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            for start in range(0, count, size):
                at = slice(start, min(start + size, count))
                vectors[at] = forward(at)[: at.stop - start].float().numpy()
        return vectors


def save_model(
    folder: Path, model: DualEncoder, tokenizer: PreTrainedTokenizerBase, *, recipe: str, facts: Json
) -> None:
    """Write a model folder; `facts` are domain, preview fingerprint, corpus, training results."""
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(folder / "weights.safetensors", model)
    # As it was made: how it last cut and padded is no part of it, and a resumed run may not have done so.
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.save_pretrained(folder / "tokenizer")
    (folder / "recipe.toml").write_text(recipe, encoding="utf-8")
    sync_below(folder)  # before the manifest that lists them
    names = ["weights.safetensors", "recipe.toml"]
    names += sorted(str(path.relative_to(folder)) for path in (folder / "tokenizer").iterdir())
    manifest = {
        "kind": "model",
        "version": VERSION,
        "config": model.config.model_dump(mode="json"),
        "files": {name: describe_file(folder / name) for name in names},
        **facts,
    }
    publish(folder, "model.json", manifest)


def save_weights(path: Path, model: DualEncoder) -> None:
    """All parameters and buffers, as safetensors, swapped in atomically."""
    temporary = path.with_name(f".{path.name}.tmp")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, temporary)
    temporary.replace(path)


def load_weights(path: Path, model: DualEncoder) -> None:
    """Read weights back; every missing, unexpected or misshapen name is an error."""
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise XemplarError(f"weights can't be read ({type(error).__name__})", where=str(path)) from None
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    if wrong := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        first = wrong[0]
        raise MismatchError(
            f"{len(wrong)} weights don't fit; {first} is {found.get(first, 'missing')}",
            wanted=str(wanted.get(first, "no such weight")),
            where=str(path),
        )
    model.load_state_dict(weights)


def open_model(folder: Path | str) -> TorchEncoder:
    """Open a model folder as an encoder; a file that is not the one listed is refused."""
    folder = Path(folder)
    manifest = read_manifest(folder, "model.json", kind="model", version=VERSION)
    for name, entry in manifest["files"].items():
        path = folder / name
        if not path.exists() or file_sha256(path) != entry["sha256"]:
            raise MismatchError(
                f"{name} is missing or changed", wanted="the file its model.json lists", where=str(folder)
            )
    model = DualEncoder(ModelConfig.model_validate(manifest["config"]), load_pretrained=False)
    load_weights(folder / "weights.safetensors", model)
    return TorchEncoder(model, load_tokenizer(folder / "tokenizer"), manifest)
