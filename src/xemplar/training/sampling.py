"""Which image meets which text in a step, and which of the texts of a batch are right for it.

Knows the corpus; everything drawn follows from (seed, epoch, step), so that a resumed run draws the
same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xemplar.corpus import Corpus
from xemplar.errors import XemplarError
from xemplar.images import model_input
from xemplar.records import Claim, Split, Study
from xemplar.report import sentences, text_key
from xemplar.training.objectives.flips import Aspect, Flip, every_flip
from xemplar.training.recipe import Recipe

FEWEST = 4
Claimed = frozenset[tuple[str, str, str | None]]
"""Findings with their presence and side."""

Part = Callable[[int], slice]
"""How many rows a batch has -> which of them this process embeds, at least one."""

TOLD_APART: tuple[Aspect, ...] = ("presence", "side")
"""What of a claim is turned round: what `Claimed` tells apart, or a flip would be right for its own film."""

HELD_BACK = 0.1
"""Share of the training pairs that are held back from learning, to stop by."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A study that has both images and text, ready to be sampled."""

    study_id: str
    view_ids: tuple[str, ...]
    report: str
    sentences: tuple[str, ...]
    cluster: str
    """What is never parted: its patient, group or study."""
    keys: frozenset[str]
    """Of its report and of each of its sentences: texts with one of these are right for it."""
    claims: Claimed = frozenset()
    """All that its sentences claim."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts of one kind and, (images, texts) bool, which of them are right for which image."""

    texts: tuple[str, ...]
    positives: NDArray[np.bool_]
    own: NDArray[np.int64]
    """(images,) which text was drawn first for each image."""
    whole: bool = True
    """Whether these are whole reports, and not sentences of them."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Images (n, 1, size, size) and the texts, of each kind, that they are aligned with.

    `step` counts batches on from epoch to epoch. Where only a part of the images was asked for,
    `images` are those from row `first` of the batch on; `study_ids` are of all its rows.
    """

    images: NDArray[np.float32]
    texts: tuple[Texts, ...]
    step: int
    study_ids: tuple[str, ...]
    first: int = 0


def pairs_of(corpus: Corpus, split: Split) -> tuple[Pair, ...]:
    """Every study of a split with images and text; too few of them is an error."""
    captions, says = corpus.settings.texts == "captions", claimed(corpus)
    whole = [study for study in corpus.part(split) if study.views and study.text]
    pairs = tuple(_pair(study, captions, says) for study in whole)
    if len(pairs) < FEWEST:
        raise XemplarError(
            f"{len(pairs)} studies with images and text in its {split} part",
            wanted=f"at least {FEWEST}, to align images with texts and to stop by",
            where=str(corpus.folder),
            remedy="ingest more studies; texts or films alone can be indexed with a model trained elsewhere",
        )
    return pairs


def hold_back(pairs: tuple[Pair, ...], seed: int) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """Pairs to learn from, and a tenth of the patients (groups) to stop by, drawn with the seed.

    The corpus's own validation part stays untouched by training, so that whoever calibrates on it
    meets patients that chose nothing.
    """
    sizes = Counter(pair.cluster for pair in pairs)
    clusters = sorted(sizes)
    drawn = np.random.default_rng([seed, 3]).permutation(len(clusters))
    held: set[str] = set()
    count = 0
    for place in drawn[:-1]:
        if count >= max(2, HELD_BACK * len(pairs)):
            break
        held.add(clusters[place])
        count += sizes[clusters[place]]
    learnt = tuple(pair for pair in pairs if pair.cluster not in held)
    return learnt, tuple(pair for pair in pairs if pair.cluster in held)


def claimed(corpus: Corpus) -> dict[str, Claimed]:
    """What each sentence of a corpus claims, by its text's key; those that claim nothing are left out."""
    return {
        sentence.sentence_id: frozenset((c.finding, c.presence, c.side) for c in sentence.claims)
        for sentence in corpus.sentences
        if sentence.claims
    }


def _pair(study: Study, captions: bool, says: Mapping[str, Claimed]) -> Pair:
    whole = " ".join(study.text.split())
    parts = (whole,) if captions else tuple(
        sentence for text in (study.findings, study.impression) for sentence in sentences(text or "")
    )  # fmt: skip
    keys = frozenset(text_key(text) for text in (whole, *parts))
    view_ids = tuple(view.view_id for view in study.views)
    claims: Claimed = frozenset().union(*(says.get(key, frozenset()) for key in keys))
    return Pair(study.study_id, view_ids, whole, parts or (whole,), study.facets["cluster"], keys, claims)


class Sampler:
    """Draws the batches of an epoch from pairs; what it draws follows from (seed, epoch, batch)."""

    def __init__(self, corpus: Corpus, pairs: tuple[Pair, ...], recipe: Recipe, *, size: int) -> None:
        self.corpus, self.pairs, self.size = corpus, pairs, size
        self.settings, self.aims = recipe.training, recipe.objective
        self._says = claimed(corpus) if self.aims.positives == "claims" or self.aims.flips else {}
        self._flips = _Flips(corpus) if self.aims.flips else None
        counts = Counter(sentence for pair in pairs for sentence in set(pair.sentences))
        # Common sentences are drawn less often, or an archive of normals would be all that is seen.
        self._weight = {sentence: count**-0.5 for sentence, count in counts.items()}

    @property
    def per_epoch(self) -> int:
        """How many batches an epoch has; a short last one is dropped unless it is the only one."""
        return max(1, len(self.pairs) // self.settings.batch)

    def batches(self, epoch: int, *, skip: int = 0, part: Part | None = None) -> Iterator[Batch]:
        """The batches of one epoch, from batch `skip` on; `part` says which images of each are wanted."""
        order = np.random.default_rng([self.settings.seed, 1, epoch]).permutation(len(self.pairs))
        for number in range(skip, self.per_epoch):
            rows = order[number * self.settings.batch : (number + 1) * self.settings.batch]
            rng = np.random.default_rng([self.settings.seed, 2, epoch, number])
            batch = self._batch([self.pairs[row] for row in rows], rng, part or _all)
            yield replace(batch, step=epoch * self.per_epoch + number)

    def _batch(self, pairs: list[Pair], rng: np.random.Generator, part: Part) -> Batch:
        views = [pair.view_ids[rng.integers(len(pair.view_ids))] for pair in pairs]
        rows = part(len(pairs))
        shown = self.corpus.previews(views[rows])
        images = np.stack([model_input(image, self.size) for image in shown])[:, None]
        texts = []
        if self.settings.text_unit != "sentence":
            texts.append(self._texts([[pair.report] for pair in pairs], pairs, rng, whole=True))
        if self.settings.text_unit != "report":
            drawn = [self._draw_sentences(pair, rng) for pair in pairs]
            texts.append(self._texts(drawn, pairs, rng, whole=False))
        return Batch(images, tuple(texts), 0, tuple(pair.study_id for pair in pairs), rows.start)

    def _draw_sentences(self, pair: Pair, rng: np.random.Generator) -> list[str]:
        weights = np.array([self._weight[sentence] for sentence in pair.sentences])
        count = min(self.settings.sentences, len(weights))
        rows = rng.choice(len(weights), count, replace=False, p=weights / weights.sum())
        return [pair.sentences[row] for row in rows]

    def _texts(
        self, drawn: list[list[str]], pairs: list[Pair], rng: np.random.Generator, *, whole: bool
    ) -> Texts:
        """Each distinct text once, with every image of the batch that it is right for."""
        distinct = {text_key(text): text for texts in drawn for text in texts}
        says: dict[str, Claimed] = {}
        place = {key: at for at, key in enumerate(distinct)}
        own = np.array([place[text_key(texts[0])] for texts in drawn], np.int64)
        if self._flips is not None and not whole:
            for texts in drawn:
                turned = self._flips.draw(texts[: self.aims.flips], rng)
                says.update((text_key(text), claims) for text, claims in turned.items())
                distinct |= {text_key(text): text for text in turned if text_key(text) not in distinct}
        right = [[self._is_right(key, pair, says) for key in distinct] for pair in pairs]
        shown = tuple(_drop_words(text, self.settings.word_dropout, rng) for text in distinct.values())
        return Texts(shown, np.array(right, np.bool_), own, whole)

    def _is_right(self, key: str, pair: Pair, flipped: Mapping[str, Claimed]) -> bool:
        """Whether a text is the pair's own, or a sentence that claims nothing but what the pair's do."""
        if key in pair.keys:
            return True
        if key in flipped:  # a text turned round here may be true of another image
            return flipped[key] <= pair.claims
        return self.aims.positives == "claims" and key in self._says and self._says[key] <= pair.claims


class _Flips:
    """Sentences with a claim turned round, each looked for once."""

    def __init__(self, corpus: Corpus) -> None:
        self._claims = {sentence.sentence_id: sentence.claims for sentence in corpus.sentences}
        self._found: dict[str, tuple[tuple[str, Claimed], ...]] = {}

    def draw(self, texts: Sequence[str], rng: np.random.Generator) -> dict[str, Claimed]:
        """One flip of each text that has any, with what it claims."""
        found = {}
        for text in texts:
            if options := self._of(text):
                turned, claims = options[rng.integers(len(options))]
                found[turned] = claims
        return found

    def _of(self, text: str) -> tuple[tuple[str, Claimed], ...]:
        key = text_key(text)
        if key not in self._found:
            claims = self._claims.get(key, ())
            self._found[key] = tuple(
                (one.text, _claims_of(one, claims)) for one in every_flip(text, claims, aspects=TOLD_APART)
            )
        return self._found[key]


def _claims_of(turned: Flip, claims: Sequence[Claim]) -> Claimed:
    rest = [turned.after if claim == turned.before else claim for claim in claims]
    return frozenset((claim.finding, claim.presence, claim.side) for claim in rest)


def _all(count: int) -> slice:
    return slice(0, count)


def _drop_words(text: str, share: float, rng: np.random.Generator) -> str:
    if share == 0.0:
        return text
    words = text.split()
    kept = [word for word, draw in zip(words, rng.random(len(words)), strict=True) if draw >= share]
    return " ".join(kept) if kept else text
