"""The one training loop: steps, validation, early stop, log, and resuming where it stopped.

Knows pairs, a learner and a folder; what a batch teaches is the learner's. Every random draw follows
from the recipe's seed and the batch's number, never from a global seed, so that a resumed run makes the
numbers of an undisturbed one, and several processes (`torchrun`) those of one. Only the first of them
writes.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NoReturn

import torch
from torch import nn

from xemplar.contracts import Json
from xemplar.corpus import Corpus
from xemplar.errors import XemplarError
from xemplar.folders import (
    check_new,
    clear_leftovers,
    fingerprint,
    read_finished,
    write_atomic,
    writing,
)
from xemplar.training import state
from xemplar.training.cached import Passes
from xemplar.training.curves import add_point, draw
from xemplar.training.learners import learner_for
from xemplar.training.learners.learner import Ground, Learner, NotFinite
from xemplar.training.ranks import Ranks, started
from xemplar.training.recipe import Recipe
from xemplar.training.sampling import Batch, Sampler, hold_back, pairs_of

SAVE_SECONDS = 60.0
SHOWN = 5
"""At most so many studies are named in an error."""

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


Make = Callable[[Ground], Learner]
"""What trains a recipe's model."""


def train(
    corpus: Corpus,
    recipe: Recipe,
    folder: Path,
    *,
    recipe_text: str,
    on_progress: Report | None = None,
    learner: Make = learner_for,
) -> Json:
    """Train a recipe on a corpus's training part into a model folder; returns the model's manifest.

    Stopped at any moment, the same call goes on from its last saved state. A finished model of the
    same recipe and corpus is returned as it is; one of another is refused. Under `torchrun` every
    process makes the same call, on a folder that all of them see; `on_progress` is the first one's.
    A `learner` other than the recipe's own is a second stage's.
    """
    manifest = manifest_of(recipe)
    ranks = started()
    with ranks.alone(lambda: writing(folder)):
        origin = fingerprint([recipe.model_dump(mode="json"), corpus.fingerprint])
        if ranks.agreed(ranks.first and (folder / manifest).exists()):
            found = _finished(folder, manifest, origin)
            if ranks.first:
                clear_leftovers(folder)
                state.discard(folder)  # killed between its manifest and this
            return found
        if ranks.first:
            check_new(folder, but=_OURS)
            clear_leftovers(folder)
        run = _Run(corpus, recipe, folder, origin=origin, ranks=ranks, learner=learner)
        run.run(on_progress if ranks.first else None)
        return run.finish(recipe_text)


def manifest_of(recipe: Recipe) -> str:
    """Name of the manifest that a recipe's model has."""
    return "model.json" if recipe.matcher is None else "matcher.json"


def _finished(folder: Path, name: str, origin: str) -> Json:
    kind = name.removesuffix(".json")
    return read_finished(folder, kind, version=1, origin=origin, what="model of another recipe or corpus")


class _Run:
    """One training run: its model, its optimiser, and how far it has come."""

    def __init__(
        self,
        corpus: Corpus,
        recipe: Recipe,
        folder: Path,
        *,
        origin: str,
        ranks: Ranks | None = None,
        learner: Make = learner_for,
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
        ground = Ground(corpus, recipe, self.pairs, self.validation, self.ranks, self.passes)
        self.learner = learner(ground)
        self.facts = ground.facts
        self.model = self.learner.module
        self.optimizer: torch.optim.Optimizer = torch.optim.AdamW(
            _groups(self.model, self.settings.weight_decay)
        )
        self.average = {name: value.clone() for name, value in self.learner.kept().items()}
        self.best = {name: value.clone() for name, value in self.average.items()}
        self.at = state.Position()
        self.sampler = Sampler(corpus, self.pairs, recipe, size=self.learner.input_size)
        self.per_epoch = max(1, self.sampler.per_epoch // self.settings.accumulate)
        self.steps = self.settings.epochs * self.per_epoch
        state.restore(self)
        self.ranks.wait()  # until everyone has read it

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
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(self.at.step)
        self.optimizer.zero_grad(set_to_none=True)
        value = sum(self._learn(batch, len(batches)) for batch in batches) / len(batches)
        self.ranks.add_up(self.model.parameters())
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0))
        if not math.isfinite(norm):
            self._stop(f"the gradient's norm is {norm}", batches)
        self.optimizer.step()
        self.learner.after_step()
        self._track_average()
        return value

    def _learn(self, batch: Batch, of: int) -> float:
        try:
            return self.learner.backward(batch, of=of)
        except NotFinite as found:
            self._stop(str(found), [batch])

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
        for name, value in self.learner.kept().items():
            if self.settings.average and value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def _end_epoch(self) -> None:
        scores = self._validate()
        score = scores[self.learner.measure]
        self.at.epoch += 1
        if score > self.at.best:
            self.at.best, self.at.best_epoch = score, self.at.epoch
            self.best = {name: value.clone() for name, value in self.average.items()}
        row = {"epoch": self.at.epoch, "step": self.at.step, "loss": round(self.at.loss, 4)}
        row |= {name: round(value, 4) for name, value in scores.items()}
        self.at.log.append({**row, "learning_rate": self._rate(self.at.step - 1)})

    def _validate(self) -> dict[str, float]:
        """The learner's own scores, of the averaged weights."""
        own = {name: value.clone() for name, value in self.learner.kept().items()}
        self._take(self.average)
        scores = self.learner.validate()
        self._take(own)
        return scores

    def _take(self, weights: dict[str, torch.Tensor]) -> None:
        """Put weights in the place of the learner's."""
        with torch.no_grad():
            for name, value in self.learner.kept().items():
                value.copy_(weights[name])

    def finish(self, recipe_text: str) -> Json:
        """Write the model folder from the best weights and drop the state kept for resuming."""
        if self.ranks.first:
            self._write(recipe_text)
        self.ranks.wait()
        return _finished(self.folder, manifest_of(self.recipe), self.origin)

    def _write(self, recipe_text: str) -> None:
        self._take(self.best)
        log = "".join(json.dumps(row) + "\n" for row in self.at.log)
        write_atomic(self.folder / "log.jsonl", log.encode())
        title = f"{self.recipe.name}: {self.corpus.title}"
        picture = draw(title, self.at.curve, self.at.log, best_epoch=self.at.best_epoch)
        write_atomic(self.folder / "training.png", picture)
        facts = {
            **self.facts,
            "recipe": self.recipe.name,
            "size": self.recipe.size,
            "origin": self.origin,
            "trained_on": {
                "corpus": self.corpus.fingerprint,
                "title": self.corpus.title,
                "pairs": len(self.pairs),
            },
            "validation": {
                self.learner.measure.removeprefix("val_"): self.at.best,
                "epoch": self.at.best_epoch,
                "studies": len(self.validation),
            },
            "preview": self.corpus.settings.preview.model_dump(mode="json"),
            "assembly": self.recipe.assembly.model_dump(mode="json"),
        }
        self.learner.write(self.folder, recipe_text=recipe_text, facts=facts)
        state.discard(self.folder)


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weight decay for matrices and kernels alone, as is usual."""
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim >= 2]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
