"""Which image meets which text in a step, and which of the texts of a batch are right for it.

Knows the corpus; everything drawn follows from (seed, epoch, step), so that a resumed run draws the
same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xemplar import report
from xemplar.corpus import Corpus
from xemplar.errors import XemplarError
from xemplar.images import model_input
from xemplar.records import Split, Study
from xemplar.training.recipe import Training

Unit = Literal["report", "sentence", "mixed"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A study that has both images and text, ready to be sampled."""

    study_id: str
    view_ids: tuple[str, ...]
    report: str
    sentences: tuple[str, ...]
    keys: frozenset[str]
    """Of its report and of each of its sentences: texts with one of these are right for it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Images (n, 1, size, size), one text for each, and which texts are right for which image."""

    images: NDArray[np.float32]
    texts: tuple[str, ...]
    positives: NDArray[np.bool_]
    step: int


def pairs_of(corpus: Corpus, split: Split) -> tuple[Pair, ...]:
    """Every study of a split with images and text; too few of them is an error."""
    captions = corpus.settings.texts == "captions"
    pairs = tuple(_pair(study, captions) for study in corpus.part(split) if study.views and study.text)
    if len(pairs) < 2:
        raise XemplarError(
            f"{len(pairs)} studies with images and text in its {split} part",
            wanted="at least 2, to align images with texts",
            where=str(corpus.folder),
            remedy="texts or films alone can be indexed with a model trained elsewhere",
        )
    return pairs


def _pair(study: Study, captions: bool) -> Pair:
    whole = " ".join(study.text.split())
    parts = (whole,) if captions else tuple(
        sentence for text in (study.findings, study.impression) for sentence in report.sentences(text or "")
    )  # fmt: skip
    keys = frozenset(report.text_key(text) for text in (whole, *parts))
    return Pair(study.study_id, tuple(view.view_id for view in study.views), whole, parts or (whole,), keys)


def batches(
    corpus: Corpus, pairs: tuple[Pair, ...], settings: Training, *, size: int, epoch: int, skip: int = 0
) -> Iterator[Batch]:
    """The batches of one epoch, from batch `skip` on; a short last batch is dropped unless alone."""
    order = np.random.default_rng([settings.seed, 1, epoch]).permutation(len(pairs))
    count = steps_per_epoch(len(pairs), settings.batch)
    for number in range(skip, count):
        rows = order[number * settings.batch : (number + 1) * settings.batch]
        rng = np.random.default_rng([settings.seed, 2, epoch, number])
        yield _batch(corpus, [pairs[row] for row in rows], settings, rng, (size, epoch * count + number))


def steps_per_epoch(pairs: int, batch: int) -> int:
    """How many batches an epoch has."""
    return max(1, pairs // batch)


def _batch(
    corpus: Corpus, pairs: list[Pair], settings: Training, rng: np.random.Generator, place: tuple[int, int]
) -> Batch:
    size, step = place
    views = [pair.view_ids[rng.integers(len(pair.view_ids))] for pair in pairs]
    images = np.stack([model_input(image, size) for image in corpus.previews(views)])[:, None]
    texts = tuple(_draw_text(pair, settings.text_unit, rng) for pair in pairs)
    keys = [report.text_key(text) for text in texts]
    positives = np.array([[key in pair.keys for key in keys] for pair in pairs], np.bool_)
    shown = tuple(_drop_words(text, settings.word_dropout, rng) for text in texts)
    return Batch(images, shown, positives, step)


def _draw_text(pair: Pair, unit: Unit, rng: np.random.Generator) -> str:
    if unit == "report" or (unit == "mixed" and rng.random() < 0.5):
        return pair.report
    return pair.sentences[rng.integers(len(pair.sentences))]


def _drop_words(text: str, share: float, rng: np.random.Generator) -> str:
    if share == 0.0:
        return text
    words = text.split()
    kept = [word for word, draw in zip(words, rng.random(len(words)), strict=True) if draw >= share]
    return " ".join(kept) if kept else text
