"""A model folder: save a dual encoder, open it again, and encode with it.

Knows safetensors, the manifest and fixed batch shapes. The encoder handed out speaks numpy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from xemplar.contracts import Box, Json
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import describe_file, fingerprint, publish, read_listed, sync_below
from xemplar.images import model_input
from xemplar.models.checkpoints.folder import WEIGHTS, open_towers
from xemplar.models.checkpoints.table import VECTORS, VectorTable, open_table
from xemplar.models.checkpoints.write import is_exported, read_exported
from xemplar.models.config import ModelConfig
from xemplar.models.dual import CUT, POOLED, DualEncoder
from xemplar.models.imported import Towers
from xemplar.models.tokenizer import load_tokenizer, padded_length, tokenize
from xemplar.records import Domain, Image, Vectors

if TYPE_CHECKING:
    from xemplar.models.matching import TorchMatcher

VERSION = 1
DUAL = "dual"
"""The architecture of a manifest that names none: a dual encoder of ours."""

IMAGE_BATCH = 16
TEXT_BATCH = 32
"""Every forward pass has one of a few fixed shapes, padded, so that an item's vector is the same
whatever it is encoded with."""

ALONE = 192
"""Pixels a side from which an image goes alone: a batch saves a fifth a film there, and makes whoever waits
for one film wait for sixteen."""


class TorchEncoder:
    """An `Encoder` over a dual encoder, ours or imported: previews and texts to unit float32 rows.

    `domain` is that of the corpus it was trained on; `preview` the fingerprint of the previews, None for
    an imported one, which takes any.
    """

    def __init__(
        self, model: DualEncoder | Towers, tokenizer: PreTrainedTokenizerBase, manifest: Json
    ) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.manifest = manifest
        self.domain: Domain | None = manifest["domain"]
        self.preview: str | None = manifest["preview_fingerprint"]
        self.dim = model.config.dim
        self.image_batch = 1 if model.config.image.input_size >= ALONE else IMAGE_BATCH
        settings = (
            [manifest["config"]] if isinstance(model, Towers) else []
        )  # ours are in a file of their own
        self.fingerprint = fingerprint(
            [
                manifest["files"],
                manifest["preview_fingerprint"],
                model.config.precision,
                self.image_batch,
                TEXT_BATCH,
                *settings,
            ]
        )

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """Previews -> (n, dim)."""
        size, channels = self.model.config.image.input_size, 3 if isinstance(self.model, Towers) else 1
        inputs = np.zeros((len(images), channels, size, size), np.float32)
        for place, image in enumerate(images):
            inputs[place] = self._input(image)
        return self._in_batches(len(images), self.image_batch, lambda at: self._images(inputs[at]))

    def encode_regions(self, images: Sequence[Image], boxes: Sequence[Box]) -> Vectors:
        """Previews and a box of each -> (n, dim); refused for a tower that pools over no places."""
        if not isinstance(self.model, DualEncoder):
            raise XemplarError("no region: this model is an imported one", wanted=POOLED, remedy=CUT)
        model, size = self.model, self.model.config.image.input_size
        inputs = np.zeros((len(images), 1, size, size), np.float32)
        for place, image in enumerate(images):
            inputs[place] = self._input(image)
        parts = np.asarray(boxes, np.float32).reshape(-1, 4)

        def seen(at: slice) -> Tensor:
            pixels, within = (
                torch.from_numpy(_filled(part[at], self.image_batch)).to(self._device)
                for part in (inputs, parts)
            )
            return model.image_vectors_within(pixels, within)

        return self._in_batches(len(images), self.image_batch, seen)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Texts -> (n, dim); texts of one padded length share batches."""
        limit = self.model.config.text.max_tokens
        if isinstance(self.model, Towers):
            texts = self.model.config.text.cleaned(texts)
        tokens, mask = tokenize(self.tokenizer, texts, limit) if texts else (torch.empty(0), torch.empty(0))
        lengths = np.array([padded_length(int(row.sum()), limit) for row in mask], np.int64)
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            part = (tokens[rows, :length], mask[rows, :length])
            vectors[rows] = self._in_batches(len(rows), TEXT_BATCH, partial(self._texts, *part))
        return vectors

    def _input(self, image: Image) -> NDArray[np.float32]:
        """(channels, size, size)."""
        if isinstance(self.model, Towers):
            return self.model.config.image.prepare(image)
        return model_input(image, self.model.config.image.input_size)[None]

    def _images(self, batch: NDArray[np.float32]) -> Tensor:
        padded = _filled(batch, self.image_batch)
        return self.model.image_vectors(torch.from_numpy(padded).to(self._device))

    def _texts(self, tokens: Tensor, mask: Tensor, at: slice) -> Tensor:
        tokens, mask = tokens[at], mask[at]
        empty = TEXT_BATCH - len(tokens)
        # Rows of padding attend to one token, so that no softmax is over nothing.
        tokens = torch.nn.functional.pad(tokens, (0, 0, 0, empty), value=int(self.tokenizer.pad_token_id))
        mask = torch.nn.functional.pad(mask, (0, 0, 0, empty))
        mask[len(mask) - empty :, 0] = 1
        return self.model.text_vectors(tokens.to(self._device), mask.to(self._device))

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def _in_batches(self, count: int, size: int, forward: Callable[[slice], Tensor]) -> Vectors:
        vectors = np.zeros((count, self.dim), np.float32)
        bf16 = self.model.config.precision == "bf16"
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=bf16):
            for start in range(0, count, size):
                at = slice(start, min(start + size, count))
                vectors[at] = forward(at)[: at.stop - start].float().cpu().numpy()
        return vectors


def _filled(rows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Rows of zeros added, up to `count`."""
    filled = np.zeros((count, *rows.shape[1:]), np.float32)
    filled[: len(rows)] = rows
    return filled


def save_model(
    folder: Path, model: DualEncoder, tokenizer: PreTrainedTokenizerBase, *, recipe: str, facts: Json
) -> None:
    """Write a model folder; `facts` are domain, preview fingerprint, corpus, training results."""
    told = {"kind": "model", "version": VERSION, "config": model.config.model_dump(mode="json")}
    save_network(folder, model, tokenizer, told=told, facts=facts, texts={"recipe.toml": recipe})


def save_network(
    folder: Path,
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    *,
    told: Json,
    facts: Json,
    texts: Mapping[str, str] | None = None,
) -> None:
    """Write weights, texts (by file name) and words, then the manifest that lists them.

    The manifest is called by its kind; it holds `told`, the files, and `facts`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(folder / WEIGHTS, model)
    # As it was made: how it last cut and padded is no part of it, and a resumed run may not have done so.
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.save_pretrained(folder / "tokenizer")
    for name, text in (texts or {}).items():
        (folder / name).write_text(text, encoding="utf-8")
    sync_below(folder)  # before the manifest that lists them
    names = [WEIGHTS, *(texts or {})]
    names += sorted(str(path.relative_to(folder)) for path in (folder / "tokenizer").iterdir())
    files = {name: describe_file(folder / name) for name in names}
    publish(folder, f"{told['kind']}.json", {**told, "files": files, **facts})


def save_weights(path: Path, model: nn.Module) -> None:
    """All parameters and buffers, as safetensors, swapped in atomically."""
    temporary = path.with_name(f".{path.name}.tmp")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, temporary)
    temporary.replace(path)


def load_weights(path: Path, model: nn.Module) -> None:
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


def open_model(folder: Path | str) -> TorchEncoder | VectorTable | TorchMatcher:
    """Open a model folder as an encoder; a file that is not the one listed is refused.

    `architecture` in its manifest says whose it is; without one it is a dual encoder of ours. A folder
    that `xemplar model export` wrote opens, too, and a matcher's where it has a shared space; a matcher
    that only judges pairs is refused.
    """
    from xemplar.models.matcher_folder import is_matcher, open_searching_matcher  # which import this room

    folder = Path(folder)
    if is_matcher(folder):
        return open_searching_matcher(folder)
    if is_exported(folder):
        manifest, place = read_exported(folder)
        return _open_dual(manifest, weights=place[WEIGHTS], tokenizer=folder)
    manifest = read_listed(folder, "model", version=VERSION)
    architecture = manifest.get("architecture", DUAL)
    if architecture == VECTORS:
        return open_table(folder, manifest)
    if architecture != DUAL:
        return TorchEncoder(open_towers(folder, manifest), load_tokenizer(folder / "tokenizer"), manifest)
    return _open_dual(manifest, weights=folder / WEIGHTS, tokenizer=folder / "tokenizer")


def _open_dual(manifest: Json, *, weights: Path, tokenizer: Path) -> TorchEncoder:
    model = DualEncoder(ModelConfig.model_validate(manifest["config"]), load_pretrained=False)
    load_weights(weights, model)
    return TorchEncoder(model, load_tokenizer(tokenizer), manifest)
