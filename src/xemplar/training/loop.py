"""The one training loop: steps, validation, early stop, log, and resuming where it stopped.

Knows pairs, a dual encoder and a folder. Every random draw follows from the recipe's seed and the
batch's number, never from a global seed, so that a resumed run makes the numbers of an undisturbed one,
and several processes (`torchrun`) those of one. Only the first of them writes.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NoReturn

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
from xemplar.models.dual import MAX_SCALE, DualEncoder
from xemplar.models.tokenizer import load_tokenizer, padded_length, tokenize, train_wordpiece
from xemplar.records import Vectors
from xemplar.report import text_key
from xemplar.training import state
from xemplar.training.augment import augment
from xemplar.training.cached import Passes, Side
from xemplar.training.curves import add_point, draw
from xemplar.training.norms import freeze, refuse_chunks, share_statistics
from xemplar.training.objectives.contrastive import clamp_scale, info_nce
from xemplar.training.ranks import Ranks, share, started
from xemplar.training.recipe import Recipe
from xemplar.training.sampling import Batch, Pair, Sampler, Texts, hold_back, pairs_of

SAVE_SECONDS = 60.0
SHOWN = 5
"""At most so many studies are named in an error."""

HIGHEST = float(np.nextafter(np.float32(math.log(MAX_SCALE)), np.float32(0)))
"""Of the logit scale's logarithm, either way: where the scale still has a gradient, to come back by."""

VALIDATED = 2000
"""At most so many of the studies held back are ranked after an epoch."""

_OURS = r"state|tokenizer|log\.jsonl|training\.png|recipe\.toml|\.?weights\.safetensors(\.tmp)?"
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
    same recipe and corpus is returned as it is; one of another is refused. Under `torchrun` every
    process makes the same call, on a folder that all of them see; `on_progress` is the first one's.
    """
    ranks = started()
    with ranks.alone(lambda: writing(folder)):
        origin = fingerprint([recipe.model_dump(mode="json"), corpus.fingerprint])
        if ranks.agreed(ranks.first and (folder / "model.json").exists()):
            manifest = _finished(folder, origin)
            if ranks.first:
                clear_leftovers(folder)
                state.discard(folder)  # killed between its manifest and this
            return manifest
        if ranks.first:
            check_new(folder, but=_OURS)
            clear_leftovers(folder)
        run = _Run(corpus, recipe, folder, origin=origin, ranks=ranks)
        run.run(on_progress if ranks.first else None)
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

    def __init__(
        self, corpus: Corpus, recipe: Recipe, folder: Path, *, origin: str, ranks: Ranks | None = None
    ) -> None:
        self.corpus, self.recipe, self.folder, self.origin = corpus, recipe, folder, origin
        self.settings, self.ranks = recipe.training, ranks or Ranks()
        self.passes = Passes(self.ranks, self.settings.chunk, self.settings.precision)
        self.pairs, held = hold_back(pairs_of(corpus, "train"), self.settings.seed)
        if len(self.pairs) < 2:
            raise XemplarError(
                "one study is left to learn from", wanted="at least 2, to tell apart",
                where=str(corpus.folder), remedy="ingest more patients",
            )  # fmt: skip
        self.validation = held[:VALIDATED]
        self.tokenizer = _tokenizer(recipe, self.pairs)
        self.model = self._built()
        self.optimizer: torch.optim.Optimizer = torch.optim.AdamW(
            _groups(self.model, self.settings.weight_decay)
        )
        self.average = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.best = {name: value.clone() for name, value in self.average.items()}
        self.at = state.Position()
        size = self.model.config.image.input_size
        self.sampler = Sampler(corpus, self.pairs, self.settings, size=size)
        self.per_epoch = max(1, self.sampler.per_epoch // self.settings.accumulate)
        self.steps = self.settings.epochs * self.per_epoch
        state.restore(self)
        self.ranks.wait()  # until everyone has read it

    def _built(self) -> DualEncoder:
        with torch.random.fork_rng(devices=self.ranks.generators):
            torch.manual_seed(self.settings.seed)
            model = DualEncoder(_with_vocabulary(self.recipe, self.tokenizer))
        if self.settings.chunk and not self.settings.frozen_norm:
            refuse_chunks(model)
        if self.ranks.count > 1:
            share_statistics(model)
        clamp_scale(model.log_scale, low=-HIGHEST, high=HIGHEST)
        return model.to(self.ranks.device)

    def run(self, on_progress: Report | None) -> None:
        """Train to the last epoch or until validation stops getting better."""
        saved = time.monotonic()
        while self.at.epoch < self.settings.epochs and not self._stale():
            began = time.monotonic()
            for batches in self._groups_of_batches():
                self.at.loss = self._step(batches)
                add_point(self.at.curve, self.at.loss)
                self.at.step += 1
                began, took = time.monotonic(), time.monotonic() - began
                if on_progress is not None:
                    rate = sum(len(batch.study_ids) for batch in batches) / took
                    on_progress(Progress(self.at.step, self.steps, self.at.loss, self.at.best, rate))
                if time.monotonic() - saved > SAVE_SECONDS:
                    self._save()
                    saved = time.monotonic()
            self._end_epoch()
            self._save()
            saved = time.monotonic()

    def _groups_of_batches(self) -> Iterator[list[Batch]]:
        """The batches of each step that is left of the epoch; a short last step is dropped."""
        done = self.at.step - self.at.epoch * self.per_epoch
        each = min(self.settings.accumulate, self.sampler.per_epoch)
        drawn = self.sampler.batches(self.at.epoch, skip=done * each, part=self.passes.rows_at_hand)
        for _ in range(done, self.per_epoch):
            yield list(islice(drawn, each))

    def _save(self) -> None:
        if self.ranks.first:
            state.save(self)

    def _stale(self) -> bool:
        return self.at.epoch - self.at.best_epoch >= self.settings.patience

    def _step(self, batches: list[Batch]) -> float:
        self.model.train()
        if self.settings.frozen_norm:
            freeze(self.model)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(self.at.step)
        self.optimizer.zero_grad(set_to_none=True)
        value = sum(self._add_gradients(batch, len(batches)) for batch in batches) / len(batches)
        self.ranks.add_up(self.model.parameters())
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0))
        if not math.isfinite(norm):
            self._stop(f"the gradient's norm is {norm}", batches)
        self.optimizer.step()
        clamp_scale(self.model.log_scale, low=-HIGHEST, high=HIGHEST)
        self._track_average()
        return value

    def _add_gradients(self, batch: Batch, of: int) -> float:
        """Add a batch's gradients, divided by how many batches the step has; its loss."""

        def loss_of(vectors: Sequence[Tensor]) -> Tensor:
            self._check_finite(vectors[0], batch)
            pairs = zip(vectors[1:], batch.texts, strict=True)
            loss = torch.stack([self._loss(vectors[0], *pair) for pair in pairs]).mean()
            if not math.isfinite(float(loss.detach())):
                self._stop(f"the loss is {float(loss.detach())}", [batch])
            return loss / of

        seed = _seed(self.settings.seed + 1, batch.step)  # dropout's draws
        found = self.passes.backward(self._sides(batch), loss_of, seed=seed, own=[self.model.log_scale])
        return float(found) * of

    def _sides(self, batch: Batch) -> list[Side]:
        """How each tower embeds rows of a batch."""
        settings, device, limit = self.settings, self.ranks.device, self.model.config.text.max_tokens
        count = len(batch.study_ids)

        def images(rows: slice) -> Tensor:
            generator = torch.Generator().manual_seed(_seed(settings.seed, batch.step))
            shown = torch.from_numpy(batch.images[rows.start - batch.first : rows.stop - batch.first])
            with torch.autocast("cpu", enabled=False):  # pixels are moved in full precision
                moved = augment(shown, settings.augmentation, generator, part=(rows.start, count))
            return self.model.image_vectors(moved.to(device))

        def texts(words: tuple[Tensor, Tensor], rows: slice) -> Tensor:
            tokens, mask = (part[rows] for part in words)
            if settings.chunk:  # no longer than its own texts
                length = padded_length(int(mask.sum(1).max()), limit)
                tokens, mask = tokens[:, :length], mask[:, :length]
            return self.model.text_vectors(tokens.to(device), mask.to(device))

        read = [tokenize(self.tokenizer, one.texts, limit) for one in batch.texts]
        return [Side(count, images), *(Side(len(words[0]), partial(texts, words)) for words in read)]

    def _loss(self, images: Tensor, vectors: Tensor, texts: Texts) -> Tensor:
        right = torch.from_numpy(texts.positives).to(images.device)
        return info_nce(images, vectors, right, scale=self.model.scale, rarity=self.settings.rarity)

    def _check_finite(self, images: Tensor, batch: Batch) -> None:
        """Refuse image vectors that aren't finite, naming their studies."""
        with torch.no_grad():
            bad = (~torch.isfinite(images).all(1)).nonzero().flatten().tolist()
        if bad:
            names = ", ".join(batch.study_ids[row] for row in bad[:SHOWN])
            self._stop(f"image vectors are not finite, of {len(bad)} studies ({names})", [batch])

    def _stop(self, found: str, batches: list[Batch]) -> NoReturn:
        """End before a step that would spoil the weights; those before it are kept."""
        self._save()
        names = [name for batch in batches for name in batch.study_ids]
        shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        raise XemplarError(
            f"{found} at step {self.at.step}, in batch {batches[0].step} (studies {shown})",
            where=str(self.folder),
            remedy="lower the learning rate and train into a new folder; the weights before this step are "
            "kept in its state/, from which the same command tries the step again",
        )

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
        scores = self._validate()
        score = scores["val_mrr"]
        self.at.epoch += 1
        if score > self.at.best:
            self.at.best, self.at.best_epoch = score, self.at.epoch
            self.best = {name: value.clone() for name, value in self.average.items()}
        row = {"epoch": self.at.epoch, "step": self.at.step, "loss": round(self.at.loss, 4)}
        row |= {name: round(value, 4) for name, value in scores.items()}
        self.at.log.append({**row, "learning_rate": self._rate(self.at.step - 1)})

    def _validate(self) -> dict[str, float]:
        """MRR and success@k of image -> report among the patients held back; ties earn nothing."""
        kept = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.average)
        encoder = TorchEncoder(self.model, self.tokenizer, {**self._facts(), "files": {}})
        counts = [share(len(self.validation), one, self.ranks.count) for one in range(self.ranks.count)]
        mine = self.validation[counts[self.ranks.number]]
        previews = self.corpus.previews([pair.view_ids[0] for pair in mine])
        images = self._gathered(encoder.encode_images(previews), counts)
        texts = self._gathered(encoder.encode_texts([pair.report for pair in mine]), counts)
        keys = np.array([text_key(pair.report) for pair in self.validation])
        ranks = right_ranks(images @ texts.T, keys[:, None] == keys[None, :])
        self.model.load_state_dict(kept)
        hits = {f"val_success_at_{k}": float((ranks <= k).mean()) for k in (1, 5, 10)}
        return {"val_mrr": float((1.0 / ranks).mean()), **hits}

    def _gathered(self, vectors: Vectors, runs: list[slice]) -> Vectors:
        rows = torch.from_numpy(vectors).to(self.ranks.device)
        return self.ranks.gather(rows, [run.stop - run.start for run in runs]).cpu().numpy()

    def _facts(self) -> Json:
        return {
            "domain": self.corpus.settings.domain,
            "texts": self.corpus.settings.texts,
            "preview_fingerprint": self.corpus.settings.preview.fingerprint,
        }

    def finish(self, recipe_text: str) -> Json:
        """Write the model folder from the best weights and drop the state kept for resuming."""
        if self.ranks.first:
            self._write(recipe_text)
        self.ranks.wait()
        return read_manifest(self.folder, "model.json", kind="model", version=1)

    def _write(self, recipe_text: str) -> None:
        self.model.load_state_dict(self.best)
        log = "".join(json.dumps(row) + "\n" for row in self.at.log)
        write_atomic(self.folder / "log.jsonl", log.encode())
        title = f"{self.recipe.name}: {self.corpus.title}"
        picture = draw(title, self.at.curve, self.at.log, best_epoch=self.at.best_epoch)
        write_atomic(self.folder / "training.png", picture)
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
