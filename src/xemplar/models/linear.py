"""A linear space beside a network's: small pixels by ridge regression to the latent words of a text.

Knows arrays, words and its folder; knows nothing of how it is fitted. Latent semantic analysis of
TF-IDF (Deerwester et al., 1990). Alone it is the floor that a network has to beat; its errors are other
ones than a network's, so that both together find more than either.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer

from xemplar.contracts import Box, Encoder, Json, RegionEncoder
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import describe_file, fingerprint, publish, read_listed, sync_below
from xemplar.images import model_input
from xemplar.models.dual import CUT, POOLED
from xemplar.records import Domain, Image, Vectors

VERSION = 1
MANIFEST, WEIGHTS, WORDS = "linear.json", "weights.safetensors", "words.json"
_EPSILON = 1e-12
Numbers = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LinearSpace:
    """Two maps into one space of d latent words, as numbers.

    `pixels` a side; `weights`: `mean`, `scale` (p,) of pixels, `slope` (d, p) and `start` (d,) of the
    ridge regression, `idf` (w,) and `latent` (d, w) of the `words`, in their order. `image_centre`
    and `text_centre` (d,) are taken from the unit vectors before these are made of length 1 again:
    the mean of each side over the training part, or zeros.
    """

    pixels: int
    words: tuple[str, ...]
    weights: dict[str, Numbers]

    @property
    def dim(self) -> int:
        """Dimensions of its vectors."""
        return len(self.weights["start"])

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """Previews -> (n, dim) rows of length 1."""
        return self._of_pixels(self._standard(images))

    def encode_regions(self, images: Sequence[Image], boxes: Sequence[Box]) -> Vectors:
        """Previews and a box of each -> (n, dim) rows of length 1; beyond its box each is the mean film."""
        return self._of_pixels(self._standard(images) * _shares(boxes, self.pixels))

    def _standard(self, images: Sequence[Image]) -> Numbers:
        return (small_pixels(images, self.pixels) - self.weights["mean"]) / self.weights["scale"]

    def _of_pixels(self, standard: Numbers) -> Vectors:
        # One product an image: several at once are rounded by how many they are.
        rows = [self.weights["slope"] @ row for row in standard]
        guess = np.stack(rows) if rows else np.zeros((0, self.dim), np.float32)
        vectors = unit(guess + self.weights["start"])
        return unit(vectors - self.weights["image_centre"])

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Texts -> (n, dim) rows of length 1, or 0 where no word is known."""
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        counts = self._vectorizer.transform(texts)
        vectors = unit(np.asarray(counts @ self.weights["latent"].T, np.float32))
        known = np.asarray(counts.getnnz(axis=1) > 0)[:, None]
        return np.where(known, unit(vectors - self.weights["text_centre"]), np.float32(0))

    @cached_property
    def _vectorizer(self) -> TfidfVectorizer:
        reader = TfidfVectorizer(sublinear_tf=True, vocabulary=list(self.words))
        reader.idf_ = self.weights["idf"].astype(np.float64)
        return reader


class WithLinear:
    """An `Encoder` of a network's vectors with a linear space's behind them, `weight` times as heavy.

    The cosine of two vectors is (the network's + `weight` x the linear space's) / (1 + `weight`). One last
    dimension is 1 for a text of which the linear space knows no word, and 0 for all else: its vector has
    length 1 then, too, and its linear cosine is 0.
    """

    def __init__(self, encoder: Encoder, space: LinearSpace, manifest: Json) -> None:
        self.encoder, self.space, self.manifest = encoder, space, manifest
        self.preview: str | None = encoder.preview
        self.domain: Domain | None = encoder.domain
        self.weight = float(manifest["weight"])
        self.fingerprint = fingerprint([encoder.fingerprint, manifest["files"], self.weight])

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """Previews -> (n, dim of both)."""
        return self._joined(self.encoder.encode_images(images), self.space.encode_images(images))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Texts -> (n, dim of both)."""
        return self._joined(self.encoder.encode_texts(texts), self.space.encode_texts(texts))

    def encode_regions(self, images: Sequence[Image], boxes: Sequence[Box]) -> Vectors:
        """Previews and a box of each -> (n, dim of both); refused where the network sees no regions."""
        if not isinstance(self.encoder, RegionEncoder):
            raise XemplarError("no region: this model sees whole films alone", wanted=POOLED, remedy=CUT)
        network = self.encoder.encode_regions(images, boxes)
        return self._joined(network, self.space.encode_regions(images, boxes))

    def _joined(self, network: Vectors, linear: Vectors) -> Vectors:
        share = self.weight / (1 + self.weight)
        unknown = ~linear.any(axis=1, keepdims=True)
        beside = np.concatenate([linear, unknown], axis=1) * share**0.5
        return unit(np.concatenate([network * (1 - share) ** 0.5, beside], axis=1))


def save_linear(folder: Path, space: LinearSpace, *, facts: Json) -> Json:
    """Write a linear space's folder; `facts` are its weight, the encoder it stands beside, and its origin."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {name: np.ascontiguousarray(value, np.float32) for name, value in space.weights.items()}
    save_file(whole, folder / WEIGHTS)
    (folder / WORDS).write_text(json.dumps(list(space.words), ensure_ascii=False), encoding="utf-8")
    sync_below(folder)
    manifest = {
        "kind": "linear",
        "version": VERSION,
        "pixels": space.pixels,
        "files": {name: describe_file(folder / name) for name in (WEIGHTS, WORDS)},
        **facts,
    }
    publish(folder, MANIFEST, manifest)
    return manifest


def open_linear(folder: Path, encoder: Encoder) -> WithLinear:
    """The encoder with the linear space of a folder beside it; one fitted beside another is refused."""
    manifest = read_listed(folder, "linear", version=VERSION)
    if manifest["encoder"] != encoder.fingerprint:
        raise MismatchError(
            f"the linear space stands beside encoder {manifest['encoder']}",
            wanted=f"encoder {encoder.fingerprint}, the one given",
            where=str(folder),
            remedy="train the recipe's stages again",
        )
    try:
        weights = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise XemplarError(f"weights can't be read ({type(error).__name__})", where=str(folder)) from None
    words = tuple(json.loads((folder / WORDS).read_text(encoding="utf-8")))
    return WithLinear(encoder, LinearSpace(manifest["pixels"], words, weights), manifest)


def small_pixels(images: Sequence[Image], side: int) -> Numbers:
    """(n, side x side) of each preview."""
    if not images:
        return np.zeros((0, side * side), np.float32)
    return np.stack([model_input(image, side).ravel() for image in images])


def _shares(boxes: Sequence[Box], side: int) -> Numbers:
    """(n, side x side): how much of each pixel lies in the box."""
    edges = np.linspace(0, 1, side + 1)
    found = np.zeros((len(boxes), side, side), np.float32)
    for row, (left, top, width, height) in enumerate(boxes):
        along, down = (
            np.clip(np.minimum(edges[1:], start + length) - np.maximum(edges[:-1], start), 0, None) * side
            for start, length in ((left, width), (top, height))
        )
        found[row] = np.outer(down, along)
    return found.reshape(len(boxes), -1)


def unit(rows: NDArray[np.floating]) -> Vectors:
    """Rows made of length 1; a row of zeros stays so."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > _EPSILON, lengths, 1), np.float32)
