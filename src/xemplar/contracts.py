"""The protocols between rooms: Encoder, Augmenter, Matcher, VectorIndex, and what a source hands over.

Knows shapes and promises only; who keeps them lives further down the house.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from xemplar.assembly import Assembly
from xemplar.records import Domain, Image, Study, Vectors


@runtime_checkable
class Drawable(Protocol):
    """An image that has no file: it is drawn on demand, in whichever process needs it."""

    def draw(self) -> NDArray[np.uint8]:
        """(height, width) grey, bone bright."""
        ...


@runtime_checkable
class Written(Protocol):
    """An image whose file is written on demand; it is read as any other file is."""

    def data(self) -> bytes:
        """The whole file (DICOM, PNG ...), the same at every call."""
        ...


@dataclass(frozen=True, slots=True)
class Arrival:
    """A study as its source hands it over: own keys, images not yet read, one for each view.

    `split_key` is what must stay in one split (a patient or a group); None falls back on the study.
    """

    study: Study
    images: tuple[Path | Drawable | Written, ...]
    split_key: str | None = None
    cut: Mapping[str, int] = field(default_factory=dict)
    """Lines of its report that are in none of its texts, by kind; never what stood in them."""

    def __post_init__(self) -> None:
        if len(self.images) != len(self.study.views):
            raise ValueError(f"{len(self.images)} images for {len(self.study.views)} views")


@runtime_checkable
class Encoder(Protocol):
    """Images and texts to unit vectors of one space."""

    fingerprint: str
    """Of weights, preview, tensor, tokenizer and precision."""

    preview: str | None
    """Fingerprint of the previews it was made with; None where any will do."""

    domain: Domain | None
    """Of what it was trained on; None where nobody said."""

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """Previews -> (n, dim) unit rows."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Texts -> (n, dim) unit rows."""
        ...


Box = tuple[float, float, float, float]
"""A part of a preview: left, top, width and height, in shares of its side."""


@runtime_checkable
class RegionEncoder(Protocol):
    """An `Encoder` that can look at one part of an image, where it stands in the whole."""

    def encode_regions(self, images: Sequence[Image], boxes: Sequence[Box]) -> Vectors:
        """Previews and a box of each -> (n, dim) unit rows of the space that images lie in."""
        ...


class Augmenter(Protocol):
    """A query vector enriched by its neighbours (after X-TRA)."""

    fingerprint: str
    """Of its weights, and of whom it looks at."""

    @property
    def findings(self) -> tuple[str, ...]:
        """What the columns of its probabilities are."""
        ...

    @property
    def sources(self) -> Sequence[Literal["image", "report"]]:
        """The kinds of item it looks at; none for the control that looks at nobody."""
        ...

    @property
    def pick(self) -> Literal["nearest", "random"]:
        """Which of them."""
        ...

    @property
    def count(self) -> int:
        """How many of each."""
        ...

    def augment(
        self, queries: Vectors, neighbours: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> tuple[Vectors, NDArray[np.float32]]:
        """(n, dim), (n, k, dim), (n, k) -> augmented (n, dim) and finding probabilities (n, f)."""
        ...


class TextStates(Protocol):
    """A matcher's texts, encoded once and memory-mapped."""

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Matches:
    """Image-text matching scores (images, texts) and, on request, what each rests on."""

    scores: NDArray[np.float32]
    maps: NDArray[np.float32] | None = None


class Matcher(Protocol):
    """Image-text matching: one score for each pair."""

    fingerprint: str
    """Of weights, tensor, tokenizer and precision."""

    def prepare(self, texts: Sequence[str]) -> TextStates:
        """Encode texts once."""
        ...

    def match(self, images: Sequence[Image], states: TextStates, *, explain: bool = False) -> Matches:
        """Score every image against every prepared text."""
        ...


class Explainer(Protocol):
    """Says what of an image a text's score rests on."""

    def explain(self, images: Sequence[Image], text: str) -> list[NDArray[np.float32]]:
        """Previews of one study -> a map (h, w) each, in 0..1, the largest value of them all 1 (or all 0)."""
        ...


class TextJudge(Protocol):
    """A network that compares two texts."""

    @property
    def name(self) -> str:
        """What it is called in drafts."""
        ...

    def __call__(self, premise: str, hypothesis: str) -> Any:  # noqa: ANN401
        """What the first says of the second (a verdict's name), or how alike they are (0..1)."""
        ...


@dataclass(frozen=True, slots=True)
class Stages:
    """What a system has beside its encoder: how hits become text, and what was trained for that."""

    assembly: Assembly = field(default_factory=Assembly)
    matcher: Matcher | None = None
    augmenter: Augmenter | None = None
    judge: TextJudge | None = None


class VectorIndex(Protocol):
    """Nearest unit vectors by cosine; one contract and one test suite over every engine.

    Ids are int64, unique. Results are ordered by falling score, equal scores by rising id, so that
    every engine answers alike; rows short of k are filled with id -1 and score -inf.
    """

    def add(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        """Append rows; a known id, a repeated id or a row that isn't a finite unit vector is refused."""
        ...

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Drop rows; an unknown id is refused."""
        ...

    def search(
        self, queries: Vectors, k: int, *, allow: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """(q, dim) -> ids (q, k) and scores (q, k); `allow` limits the answer to those ids."""
        ...

    def __len__(self) -> int: ...


Json = dict[str, Any]
"""A JSON object on its way to or from a file."""
