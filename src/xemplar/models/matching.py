"""A matcher in use: texts prepared once, and any image scored against them; numpy in, numpy out.

Knows fixed batch shapes, so that a pair's score is the same whatever it is matched with, and the file
form of prepared texts. Knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from xemplar.contracts import Json, Matches, TextStates
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import check_listed, describe_file, fingerprint, publish, read_manifest
from xemplar.images import model_input
from xemplar.models.fusion import Keys
from xemplar.models.matcher import MatcherNet
from xemplar.models.preprocessing import Preprocessing
from xemplar.models.tokenizer import padded_length, tokenize
from xemplar.records import Domain, Image, Vectors

VERSION = 1
STATES, OFFSETS = "states.npy", "offsets.npy"
_CHUNK = 2048
"""Texts whose states are held in memory at once, where they are written to a folder."""
TEXT_BATCH = 32
PAIR_BATCH = 8
"""Images go one by one, texts and pairs in batches of one size, padded, at one of a few lengths."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedTexts:
    """Texts behind a matcher's text layers: token states end to end, and where each text begins.

    `states` (tokens, width) float32, perhaps memory-mapped; `offsets` (texts + 1,); `maker` is the
    fingerprint of the matcher they fit; `cut` counts texts that were longer than it reads.
    """

    states: NDArray[np.float32]
    offsets: NDArray[np.int64]
    maker: str
    cut: int = 0

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text."""
        return np.diff(self.offsets)

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> PreparedTexts:
        """Some of the texts, in that order; `cut` is not known of them, and is 0."""
        parts = [self.states[self.offsets[row] : self.offsets[row + 1]] for row in np.asarray(rows, np.int64)]
        offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
        states = np.concatenate(parts) if parts else self.states[:0]
        return PreparedTexts(states, offsets, self.maker)

    def save(self, folder: Path) -> None:
        """Write them, to be opened memory-mapped."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / STATES, self.states, allow_pickle=False)
        self.describe(folder)

    def describe(self, folder: Path) -> None:
        """Write what belongs to states that are there already."""
        np.save(folder / OFFSETS, self.offsets, allow_pickle=False)
        facts = {
            "maker": self.maker, "cut": self.cut, "texts": len(self), "tokens": int(self.offsets[-1]),
            "files": {name: describe_file(folder / name) for name in (STATES, OFFSETS)},
        }  # fmt: skip
        publish(folder, "texts.json", {"kind": "prepared texts", "version": VERSION, **facts})

    @staticmethod
    def open(folder: Path) -> PreparedTexts:
        """What `save` wrote, its bytes compared; states are read when they are needed."""
        told = read_manifest(folder, "texts.json", kind="prepared texts", version=VERSION)
        try:
            states = np.load(folder / STATES, mmap_mode="r", allow_pickle=False)
            offsets = np.load(folder / OFFSETS, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise XemplarError(
                f"prepared texts can't be read ({type(error).__name__})",
                where=str(folder),
                remedy="prepare them again",
            ) from error
        if len(offsets) != told["texts"] + 1 or len(states) != told["tokens"]:
            raise MismatchError(
                f"{len(offsets) - 1} texts of {len(states)} tokens",
                wanted=f"{told['texts']} of {told['tokens']}",
                where=str(folder),
            )
        check_listed(folder, told.get("files", {}), "texts.json")
        return PreparedTexts(states, offsets, told["maker"], told["cut"])


@dataclass(frozen=True, slots=True, eq=False)
class TextReader:
    """A text tower that prepares texts: `forward` makes states (n, length, width) of tokens and mask.

    It is asked for one number of texts, padded, at one of a few lengths, so that a text's states are the
    same whatever it is prepared with. `maker` is whom they fit.
    """

    tokenizer: PreTrainedTokenizerBase
    limit: int
    width: int
    maker: str
    forward: Callable[[Tensor, Tensor], NDArray[np.float32]]

    def prepare(self, texts: Sequence[str]) -> PreparedTexts:
        """Texts -> their states; what is beyond `limit` tokens isn't read, and counted."""
        if not texts:
            return PreparedTexts(np.zeros((0, self.width), np.float32), np.zeros(1, np.int64), self.maker)
        lengths, cut = self._lengths(texts)
        tokens, mask = tokenize(self.tokenizer, texts, self.limit)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        states = np.zeros((offsets[-1], self.width), np.float32)
        for rows, length in alike(lengths, self.limit, TEXT_BATCH):
            hidden = self._states(tokens[rows, :length], mask[rows, :length])
            for row, state in zip(rows, hidden[: len(rows)], strict=True):
                states[offsets[row] : offsets[row + 1]] = state[: lengths[row]]
        return PreparedTexts(states, offsets, self.maker, cut)

    def prepare_to(self, folder: Path, texts: Sequence[str]) -> PreparedTexts:
        """The same, written to a folder as it goes, for more texts than memory holds."""
        folder.mkdir(parents=True, exist_ok=True)
        parts = [texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK)]
        counted = [self._lengths(part) for part in parts]
        lengths = [np.zeros(1, np.int64), *(found for found, _ in counted)]
        offsets = np.cumsum(np.concatenate(lengths)).astype(np.int64)
        states: np.memmap[Any, np.dtype[np.float32]] = open_memmap(
            folder / STATES, mode="w+", dtype=np.float32,
            shape=(int(offsets[-1]) if texts else 0, self.width),
        )  # fmt: skip
        at = 0
        for part in parts:
            found = self.prepare(part).states
            states[at : at + len(found)] = found
            at += len(found)
        states.flush()
        PreparedTexts(states, offsets, self.maker, sum(cut for _, cut in counted)).describe(folder)
        return PreparedTexts.open(folder)

    def _lengths(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], int]:
        """Tokens of each text, and how many texts were cut."""
        encoded = self.tokenizer(list(texts), truncation=True, max_length=self.limit).encodings
        lengths = np.array([len(one.ids) for one in encoded], np.int64)
        return lengths, sum(bool(one.overflowing) for one in encoded)

    def _states(self, tokens: Tensor, mask: Tensor) -> NDArray[np.float32]:
        empty = TEXT_BATCH - len(tokens)
        padding = int(self.tokenizer.pad_token_id)
        tokens = torch.nn.functional.pad(tokens, (0, 0, 0, empty), value=padding)
        mask = torch.nn.functional.pad(mask, (0, 0, 0, empty))
        mask[len(mask) - empty :, 0] = 1  # so that no softmax is over nothing
        return self.forward(tokens, mask)


class TorchMatcher:
    """A `contracts.Matcher` and, where it has a shared space, an `Encoder`.

    A score is the raw logit of the class "match", as ALBEF and X-REM rank by it: of any sign, and to be
    compared among the texts of one image. `facts` hold `files` (whatever tells these weights from
    others), `domain` and `preview_fingerprint`. Without `preprocessing` previews go in as our own
    models take them, with the mean and std of the configuration.
    """

    def __init__(
        self,
        net: MatcherNet,
        tokenizer: PreTrainedTokenizerBase,
        facts: Json,
        *,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        size = net.config.image.input_size
        if preprocessing is not None and preprocessing.input_size != size:
            raise MismatchError(f"images prepared at {preprocessing.input_size} px", wanted=f"{size} px")
        if len(tokenizer) > net.config.text.vocabulary:
            raise MismatchError(
                f"a tokenizer of {len(tokenizer)} words", wanted=f"at most {net.config.text.vocabulary}"
            )
        self.net = net.eval()
        self.tokenizer = tokenizer
        self.preprocessing = preprocessing
        self.manifest = facts
        self.domain: Domain | None = facts["domain"]
        self.preview: str | None = facts["preview_fingerprint"]
        shape = net.config.model_dump(mode="json")
        seen = None if preprocessing is None else preprocessing.model_dump(mode="json")
        self.fingerprint = fingerprint([facts["files"], self.preview, shape, seen, TEXT_BATCH, PAIR_BATCH])

    def prepare(self, texts: Sequence[str]) -> PreparedTexts:
        """Texts -> states of the text layers; what is beyond `max_tokens` isn't read, and counted."""
        return self._reader.prepare(texts)

    def prepare_to(self, folder: Path, texts: Sequence[str]) -> PreparedTexts:
        """The same, written to a folder as it goes, for more texts than memory holds."""
        return self._reader.prepare_to(folder, texts)

    @property
    def _reader(self) -> TextReader:
        text = self.net.config.text
        return TextReader(
            self.tokenizer, text.max_tokens, text.width, self.fingerprint,
            forward=lambda tokens, mask: self._run(self.net.text, tokens, mask),
        )  # fmt: skip

    def match(self, images: Sequence[Image], states: TextStates, *, explain: bool = False) -> Matches:
        """Previews against prepared texts: scores (images, texts).

        With `explain` also maps (images, texts, grid, grid): where the text's [CLS] looks in the last
        layer, averaged over its heads, the image's own [CLS] left out; each map's sum is 1. States of
        another matcher are refused.
        """
        if not isinstance(states, PreparedTexts) or states.maker != self.fingerprint:
            raise MismatchError("texts prepared by another matcher", wanted="those of this one")
        grid = self.net.config.image.grid
        scores = np.zeros((len(images), len(states)), np.float32)
        maps = np.zeros((len(images), len(states), grid, grid), np.float32) if explain else None
        for place, image in enumerate(images):
            keys = self._keys(image)
            for rows, length in alike(states.lengths, self.net.config.text.max_tokens, PAIR_BATCH):
                held, mask = padded(states, rows, length)
                scores[place, rows] = self._run(self._score, held, mask, keys)[: len(rows)]
                if maps is not None:
                    looks = self._run(self.net.text.looks, held, mask, keys)[: len(rows), 1:]
                    shares = looks / looks.sum(1, keepdims=True)
                    maps[place, rows] = shares.reshape(len(rows), grid, grid)
        return Matches(scores, maps)

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """Previews -> (n, dim) unit rows."""
        vectors = np.zeros((len(images), self.dim), np.float32)
        for place, image in enumerate(images):
            vectors[place] = self._run(self._image_vectors, self._pixels(image))[0]
        return vectors

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Texts -> (n, dim) unit rows."""
        vectors = np.zeros((len(texts), self.dim), np.float32)
        states = self.prepare(texts)
        first = np.array(states.states[states.offsets[:-1]])[:, None]
        for start in range(0, len(texts), TEXT_BATCH):
            batch = np.zeros((TEXT_BATCH, *first.shape[1:]), np.float32)
            count = min(TEXT_BATCH, len(texts) - start)
            batch[:count] = first[start : start + count]
            vectors[start : start + count] = self._run(self.net.text_vectors, torch.from_numpy(batch))[:count]
        return vectors

    @property
    def dim(self) -> int:
        """Of the shared space; a matcher without one has no vectors, and says so."""
        if self.net.config.dim is None:
            raise XemplarError("this matcher only judges pairs", wanted="one with a shared space (ITC)")
        return self.net.config.dim

    def _pixels(self, image: Image) -> Tensor:
        tower = self.net.config.image
        if self.preprocessing is not None:
            return torch.from_numpy(self.preprocessing.prepare(image)[None, : tower.channels])
        pixels = torch.from_numpy(model_input(image, tower.input_size)).expand(1, tower.channels, -1, -1)
        mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (tower.mean, tower.std))
        return (pixels - mean) / std

    def _keys(self, image: Image) -> list[Keys]:
        with self._mode():
            states = self.net.image(self._pixels(image).to(self._device))
            keys = self.net.text.image_keys(states)
            return [(spread(key), spread(value)) for key, value in keys]

    def _image_vectors(self, pixels: Tensor) -> Tensor:
        return self.net.image_vectors(self.net.image(pixels))

    def _score(self, states: Tensor, mask: Tensor, keys: list[Keys]) -> Tensor:
        fused = self.net.text.fuse(states, mask, keys, first=True)[:, 0]
        return self.net.itm_logits(fused)[:, -1]

    def _run(self, forward: Callable[..., Tensor], *inputs: Tensor | list[Keys]) -> NDArray[np.float32]:
        placed = [part.to(self._device) if isinstance(part, Tensor) else part for part in inputs]
        with self._mode():
            found: NDArray[np.float32] = forward(*placed).float().cpu().numpy()
        return found

    @property
    def _device(self) -> torch.device:
        return self.net.text.words.weight.device

    def _mode(self) -> AbstractContextManager[None]:
        return inference(self._device.type, half=self.net.config.precision == "bf16")


@contextmanager
def inference(device: str, *, half: bool) -> Iterator[None]:
    """Without gradients, in bf16 where asked."""
    with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=half):
        yield


def alike(lengths: NDArray[np.int64], limit: int, batch: int) -> list[tuple[NDArray[np.int64], int]]:
    """Rows of one padded length, at most `batch` together, and that length."""
    padded = np.array([padded_length(int(length), limit) for length in lengths], np.int64)
    groups = []
    for length in np.unique(padded).tolist():
        rows = np.flatnonzero(padded == length)
        groups += [(rows[start : start + batch], length) for start in range(0, len(rows), batch)]
    return groups


def padded(states: PreparedTexts, rows: NDArray[np.int64], length: int) -> tuple[Tensor, Tensor]:
    """A full batch of texts' states and their mask; rows of padding attend to one state of zeros."""
    held = np.zeros((PAIR_BATCH, length, states.states.shape[1]), np.float32)
    mask = np.zeros((PAIR_BATCH, length), np.int64)
    mask[:, 0] = 1
    for place, row in enumerate(rows):
        start, stop = states.offsets[row], states.offsets[row + 1]
        held[place, : stop - start] = states.states[start:stop]
        mask[place, : stop - start] = 1
    return torch.from_numpy(held), torch.from_numpy(mask)


def spread(keys: Tensor) -> Tensor:
    """One image's keys for every text of a batch, without a copy."""
    return keys.expand(PAIR_BATCH, -1, -1, -1)
