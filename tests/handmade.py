"""Small studies made by hand, images drawn from a number, and encoders without a network.

For tests that need a corpus whose every word and pixel they know; nothing here reads a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xemplar.contracts import Arrival
from xemplar.corpus import Corpus, IngestSettings, ingest
from xemplar.images import PreviewSpec
from xemplar.records import Study, View

SIZE = 64
DIM = 16
NOWHERE = Path("/nowhere/film.png")
"""An image that can't be read."""


@dataclass(frozen=True)
class Pattern:
    """A drawn image of 4 x 4 grey squares, random by `seed`."""

    seed: int

    def draw(self):
        squares = np.random.default_rng(self.seed).integers(0, 256, (4, 4), dtype=np.uint8)
        return np.kron(squares, np.ones((SIZE // 4, SIZE // 4), np.uint8))


def arrival(number, *, patient=None, findings=None, images=None, split_key="patient", **fields):
    """Study `number` of the source, one view of Pattern(number) unless `images` says otherwise."""
    images = (Pattern(number),) if images is None else tuple(images)
    views = tuple(View(f"view-{number}-{k}", path=f"films/{number}-{k}.png") for k in range(len(images)))
    key = patient if split_key == "patient" else split_key
    study = Study(
        study_id=f"source-study-{number}",
        patient_id=patient,
        domain=fields.pop("domain", "synthetic"),
        views=views,
        findings=findings,
        **fields,
    )
    return Arrival(study, images, split_key=key)


def settings(**changes):
    values = {
        "domain": "synthetic",
        "texts": "reports",
        "source": "handmade",
        "preview": PreviewSpec(size=SIZE),
        "segment_size": 4,
    }
    return IngestSettings(**{**values, **changes})


def corpus_of(arrivals: Iterable[Arrival], folder: Path, **changes) -> Corpus:
    ingest(arrivals, folder, settings(**changes), key_salt=b"handmade")
    return Corpus.open(folder)


def many(count, *, start=0, patients=8):
    """`count` studies of few patients, with texts that repeat."""
    texts = ("No pleural effusion.", "Mild cardiomegaly. The lungs are clear.", "No pneumothorax is seen.")
    return [
        arrival(
            n,
            patient=f"source-patient-{n % patients}",
            findings=texts[n % len(texts)],
            impression=f"Small left effusion, number {n}." if n % 2 else None,
            images=[Pattern(10 * n + k) for k in range(1 + n % 2)],
        )
        for n in range(start, start + count)
    ]


def content(corpus: Corpus):
    """All that a corpus holds, whatever its segments."""
    pixels = {
        view.view_id: corpus.preview_pixels([view.view_id])[0].tobytes()
        for study in corpus.studies
        for view in study.views
    }
    return corpus.studies, corpus.sentences, pixels


def unit(values: Sequence[float]):
    row = np.asarray(values, np.float64)
    return (row / np.linalg.norm(row)).astype(np.float32)


class HashEncoder:
    """Texts to random unit vectors by their hash, images to their 4 x 4 mean greys."""

    domain = None

    def __init__(self, fingerprint="hash", preview=None):
        self.fingerprint, self.preview = fingerprint, preview

    def encode_texts(self, texts):
        return np.stack([self.text(text) for text in texts])

    def text(self, text):
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        return unit(np.random.default_rng(seed).standard_normal(DIM))

    def encode_images(self, images):
        side = images[0].shape[0] // 4
        greys = [image.reshape(4, side, 4, side).mean(axis=(1, 3)).ravel() - 0.5 for image in images]
        return np.stack([unit(grey) for grey in greys])


class TableEncoder(HashEncoder):
    """Texts to the vectors of a table; texts that it lacks, and images, as HashEncoder has them."""

    def __init__(self, table: Mapping[str, Sequence[float]]):
        super().__init__("table")
        self.table = {text: unit([*row, *[0.0] * (DIM - len(row))]) for text, row in table.items()}

    def text(self, text):
        return self.table[text] if text in self.table else super().text(text)
