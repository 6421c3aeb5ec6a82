"""The one training loop: steps, validation, early stop, log, and resuming where it stopped.

Knows pairs, a dual encoder and a folder. Every random draw follows from the recipe's seed and the
step's number, never from a global seed, so that a resumed run makes the numbers of an undisturbed one.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from xemplar.contracts import Json
from xemplar.corpus import Corpus
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import (
    check_new,
    clear_leftovers,
    fingerprint,
    read_manifest,
    write_atomic,
    writing,
)
from xemplar.metrics.ranking import right_ranks
from xemplar.models.checkpoint import TorchEncoder, save_model
from xemplar.models.config import ModelConfig
from xemplar.models.dual import DualEncoder
from xemplar.models.tokenizer import load_tokenizer, tokenize, train_wordpiece
from xemplar.report import text_key
from xemplar.training import state
from xemplar.training.augment import augment
from xemplar.training.objectives.contrastive import info_nce
from xemplar.training.recipe import Recipe
from xemplar.training.sampling import Batch, Pair, Sampler, Texts, hold_back, pairs_of

SAVE_SECONDS = 60.0
VALIDATED = 2000
"""At most so many of the studies held back are ranked after an epoch."""

_OURS = r"state|tokenizer|log\.jsonl|recipe\.toml|\.?weights\.safetensors(\.tmp)?"
"""What an interrupted training may have left in its folder."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training stands: steps done of all, the last loss, the best validation score so far."""

    step: int
    steps: int
    loss: float
    best: float
    pairs_per_second: float


Report = Callable[[Progress], None]


def train(
    corpus: Corpus, recipe: Recipe, folder: Path, *, recipe_text: str, on_progress: Report | None = None
) -> Json:
    """Train a recipe on a corpus's training part into a model folder; returns the model's manifest.

    Stopped at any moment, the same call goes on from its last saved state. A finished model of the
    same recipe and corpus is returned as it is; one of another is refused.
    """
    with writing(folder):
        origin = fingerprint([recipe.model_dump(mode="json"), corpus.fingerprint])
        if (folder / "model.json").exists():
            manifest = _finished(folder, origin)
            clear_leftovers(folder)
            state.discard(folder)  # killed between its manifest and this
            return manifest
        check_new(folder, but=_OURS)
        clear_leftovers(folder)
        run = _Run(corpus, recipe, folder, origin=origin)
        run.run(on_progress)
        return run.finish(recipe_text)


def _finished(folder: Path, origin: str) -> Json:
    manifest = read_manifest(folder, "model.json", kind="model", version=1)
    if manifest.get("origin") != origin:
        raise MismatchError(
            "a finished model of another recipe or corpus", wanted="a new folder", where=str(folder)
        )
    return manifest


class _Run:
    """One training run: its model, its optimiser, and how far it has come."""

    def __init__(self, corpus: Corpus, recipe: Recipe, folder: Path, *, origin: str) -> None:
        self.corpus, self.recipe, self.folder, self.origin = corpus, recipe, folder, origin
        self.settings = recipe.training
        self.pairs, held = hold_back(pairs_of(corpus, "train"), self.settings.seed)
        self.validation = held[:VALIDATED]
        self.tokenizer = _tokenizer(recipe, self.pairs)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings.seed)
            self.model = DualEncoder(_with_vocabulary(recipe, self.tokenizer))
        self.optimizer: torch.optim.Optimizer = torch.optim.AdamW(
            _groups(self.model, self.settings.weight_decay)
        )
        self.average = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.best = {name: value.clone() for name, value in self.average.items()}
        self.at = state.Position()
        size = self.model.config.image.input_size
        self.sampler = Sampler(corpus, self.pairs, self.settings, size=size)
        self.per_epoch = self.sampler.per_epoch
        self.steps = self.settings.epochs * self.per_epoch
        state.restore(self)

    def run(self, on_progress: Report | None) -> None:
        """Train to the last epoch or until validation stops getting better."""
        saved = time.monotonic()
        while self.at.epoch < self.settings.epochs and not self._stale():
            skip = self.at.step - self.at.epoch * self.per_epoch
            for batch in self.sampler.batches(self.at.epoch, skip=skip):
                started = time.monotonic()
                self.at.loss = self._step(batch)
                self.at.step += 1
                if on_progress is not None:
                    rate = len(batch.images) / (time.monotonic() - started)
                    on_progress(Progress(self.at.step, self.steps, self.at.loss, self.at.best, rate))
                if time.monotonic() - saved > SAVE_SECONDS:
                    state.save(self)
                    saved = time.monotonic()
            self._end_epoch()
            state.save(self)
            saved = time.monotonic()

    def _stale(self) -> bool:
        return self.at.epoch - self.at.best_epoch >= self.settings.patience

    def _step(self, batch: Batch) -> float:
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(batch.step)
        generator = torch.Generator().manual_seed(_seed(self.settings.seed, batch.step))
        images = augment(torch.from_numpy(batch.images), self.settings.augmentation, generator)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_seed(self.settings.seed + 1, batch.step))  # dropout's draws
            with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.precision == "bf16"):
                vectors = self.model.image_vectors(images)
                losses = [self._loss(vectors, texts) for texts in batch.texts]
        loss = torch.stack(losses).mean()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise XemplarError(
                f"the loss is {value} at step {batch.step}", where=str(self.folder),
                remedy="lower the learning rate and train into a new folder",
            )  # fmt: skip
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self._track_average()
        return value

    def _loss(self, images: Tensor, texts: Texts) -> Tensor:
        tokens, mask = tokenize(self.tokenizer, texts.texts, self.model.config.text.max_tokens)
        vectors = self.model.text_vectors(tokens, mask)
        right = torch.from_numpy(texts.positives)
        return info_nce(images, vectors, right, scale=self.model.scale, rarity=self.settings.rarity)

    def _rate(self, step: int) -> float:
        """Linear warm-up, then a cosine to nothing."""
        warm = max(1, round(self.settings.warmup * self.steps))
        if step < warm:
            return self.settings.learning_rate * (step + 1) / warm
        done = (step - warm) / max(1, self.steps - warm)
        return self.settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    def _track_average(self) -> None:
        # Early on the decay is shorter, so that the average forgets the random start.
        decay = min(self.settings.average, (1 + self.at.step) / (10 + self.at.step))
        for name, value in self.model.state_dict().items():
            if self.settings.average and value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def _end_epoch(self) -> None:
        score = self._validate()
        self.at.epoch += 1
        if score > self.at.best:
            self.at.best, self.at.best_epoch = score, self.at.epoch
            self.best = {name: value.clone() for name, value in self.average.items()}
        row = {
            "epoch": self.at.epoch,
            "step": self.at.step,
            "loss": round(self.at.loss, 4),
            "val_mrr": round(score, 4),
        }
        self.at.log.append({**row, "learning_rate": self._rate(self.at.step - 1)})

    def _validate(self) -> float:
        """Mean reciprocal rank of image -> report among the patients held back; ties earn nothing."""
        kept = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.average)
        encoder = TorchEncoder(self.model, self.tokenizer, {**self._facts(), "files": {}})
        previews = self.corpus.previews([pair.view_ids[0] for pair in self.validation])
        images, texts = encoder.encode_images(previews), [pair.report for pair in self.validation]
        keys = np.array([text_key(text) for text in texts])
        ranks = right_ranks(images @ encoder.encode_texts(texts).T, keys[:, None] == keys[None, :])
        self.model.load_state_dict(kept)
        return float((1.0 / ranks).mean())

    def _facts(self) -> Json:
        return {
            "domain": self.corpus.settings.domain,
            "texts": self.corpus.settings.texts,
            "preview_fingerprint": self.corpus.settings.preview.fingerprint,
        }

    def finish(self, recipe_text: str) -> Json:
        """Write the model folder from the best weights and drop the state kept for resuming."""
        self.model.load_state_dict(self.best)
        log = "".join(json.dumps(row) + "\n" for row in self.at.log)
        write_atomic(self.folder / "log.jsonl", log.encode())
        facts = {
            **self._facts(),
            "recipe": self.recipe.name,
            "origin": self.origin,
            "trained_on": {
                "corpus": self.corpus.fingerprint,
                "title": self.corpus.title,
                "pairs": len(self.pairs),
            },
            "validation": {"mrr": self.at.best, "epoch": self.at.best_epoch, "studies": len(self.validation)},
            "preview": self.corpus.settings.preview.model_dump(mode="json"),
        }
        save_model(self.folder, self.model, self.tokenizer, recipe=recipe_text, facts=facts)
        state.discard(self.folder)
        return read_manifest(self.folder, "model.json", kind="model", version=1)


def _tokenizer(recipe: Recipe, pairs: tuple[Pair, ...]) -> PreTrainedTokenizerBase:
    text = recipe.model.text
    if text.pretrained is not None:
        return load_tokenizer(text.pretrained)
    return train_wordpiece((pair.report for pair in pairs), text.vocabulary)


def _with_vocabulary(recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> ModelConfig:
    """The recipe's model, its from-scratch text tower made for the tokenizer's words."""
    text = recipe.model.text
    if text.pretrained is not None or text.config is None:
        return recipe.model
    words = {"vocab_size": len(tokenizer), "pad_token_id": int(tokenizer.pad_token_id)}
    return recipe.model.model_copy(
        update={"text": text.model_copy(update={"config": {**text.config, **words}})}
    )


def _groups(model: DualEncoder, weight_decay: float) -> list[dict[str, object]]:
    """Weight decay for matrices and kernels alone, as is usual."""
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim >= 2]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)
