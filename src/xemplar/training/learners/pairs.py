"""X-REM's second stage: a finished matcher learns to judge pairs, against reports mined by their findings.

Knows batches, a matcher and the findings that reports claim; never what is true of an image. The loss is
in training/objectives, the mining too. Jeong et al., X-REM, 2023.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from xemplar.contracts import Json
from xemplar.errors import XemplarError
from xemplar.folders import write_atomic
from xemplar.images import model_input
from xemplar.models.matcher_folder import open_matcher, save_matcher
from xemplar.models.momentum import pair_matcher
from xemplar.models.tokenizer import tokenize
from xemplar.training.learners.learner import Ground, NotFinite
from xemplar.training.learners.matcher import (
    continued,
    normalised,
    ramped,
    refuse_parts,
    shown,
    steps_of_an_epoch,
)
from xemplar.training.objectives.matcher import Pairs, matching_logits, matching_loss
from xemplar.training.objectives.mining import Mined
from xemplar.training.objectives.negatives import Negatives
from xemplar.training.ranks import seeded
from xemplar.training.recipe import Matching, Recipe
from xemplar.training.sampling import Batch

_EACH = 3
"""Texts an image meets: its own report, a hard negative, a random one."""


def pair_recipe(recipe: Recipe) -> Recipe:
    """The recipe by which the loop trains the second stage: the same, at its epochs, batch and rate."""
    stage = _stage(recipe)
    told = {"epochs": stage.epochs, "batch": stage.batch, "learning_rate": stage.learning_rate}
    alone = {"text_unit": "report", "chunk": 0, "word_dropout": 0.0}
    return recipe.model_copy(update={"training": recipe.training.model_copy(update={**told, **alone})})


class PairLearner:
    """Trains what judges pairs, from the finished first stage in the folder `first`; see `Learner`.

    Each image meets its own report, the report of a study whose findings differ least, and that of one
    whose findings differ at all (`negatives = "random"`: two reports of other text), drawn anew every
    epoch. A study without a negative isn't learnt from, and counted; a corpus without any is refused.
    """

    measure = "val_match"

    def __init__(self, ground: Ground, first: Path) -> None:
        self.ground, self.settings, self.ranks = ground, ground.recipe.training, ground.ranks
        self.stage = _stage(ground.recipe)
        refuse_parts(ground)
        opened = open_matcher(first)
        self.tokenizer = opened.tokenizer
        with torch.random.fork_rng(devices=self.ranks.generators):
            torch.manual_seed(self.settings.seed)
            matcher = pair_matcher(continued(opened, opened.net.config))
        self.module = matcher.to(self.ranks.device)
        self.row = {pair.study_id: row for row, pair in enumerate(ground.pairs)}
        self._negatives = Negatives(ground.pairs, self.stage.negatives)
        self.per_epoch = steps_of_an_epoch(ground)
        self._mined = lru_cache(maxsize=1)(self._mine)
        self.left_out = len(self._mined(0)[1])
        self._held = self._drawn_once(ground)

    @property
    def input_size(self) -> int:
        """Pixels a side."""
        return self.module.config.image.input_size

    def backward(self, batch: Batch, *, of: int) -> float:
        """Add a batch's gradients over `of`; the loss, 0 where none of its studies has a negative."""
        self.module.train()
        triples, _ = self._mined(batch.step // self.per_epoch)
        met = [triples.get(self.row[name]) for name in batch.study_ids]
        whole = [row for row, triple in enumerate(met) if triple is not None]
        if not whole:
            return 0.0
        images = shown(batch, self.ground, self.module.config.image)[whole]
        texts = [self.ground.pairs[at].report for triple in met if triple is not None for at in triple]
        pairs = self._pairs(images, texts)
        alpha = ramped(self.stage.alpha, batch.step, self.per_epoch)
        with torch.random.fork_rng(devices=self.ranks.generators):
            torch.manual_seed(seeded(self.settings.seed + 1, batch.step))  # dropout's draws
            with self.ground.passes.autocast():
                loss = self._loss(pairs, alpha)
        (loss / of).backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    def _loss(self, pairs: Pairs, alpha: float) -> Tensor:
        targets = torch.zeros(len(pairs.tokens), dtype=torch.long, device=self.ranks.device)
        targets[::_EACH] = self.module.config.classes - 1
        try:
            loss = matching_loss(self.module, pairs, targets, alpha=alpha)
        except XemplarError as error:  # logits that are no numbers, with their rows
            raise NotFinite(str(error)) from error
        if not math.isfinite(float(loss.detach())):
            raise NotFinite(f"the loss is {float(loss.detach())}")
        return loss

    def _pairs(self, images: Tensor, texts: Sequence[str]) -> Pairs:
        """Images, and as many times three texts, each image's together."""
        device = self.ranks.device
        tokens, mask = tokenize(self.tokenizer, texts, self.module.config.text.max_tokens)
        rows = torch.arange(len(images), device=device).repeat_interleave(_EACH)
        return Pairs(images, tokens.to(device), mask.to(device), rows=rows)

    def _mine(self, epoch: int) -> tuple[dict[int, tuple[int, int, int]], tuple[int, ...]]:
        """Row -> itself, its hard and its random negative; and the rows that have none."""
        mined = self._negatives.draw(np.random.default_rng([self.settings.seed, 4, epoch]))
        return _triples(mined), tuple(mined.left_out.tolist())

    def _drawn_once(self, ground: Ground) -> list[tuple[int, int, int]]:
        """Of the studies held back the triples that they are judged by, the same at every epoch."""
        if not self._mined(0)[0]:
            raise XemplarError(
                f"none of {len(ground.pairs)} studies has a report to tell its own from"
                + (", by the findings that they claim" if self.stage.negatives == "labels" else ""),
                wanted="reports that differ", where=f"recipe {ground.recipe.name}, matching",
                remedy='set matching.negatives = "random", or leave the second stage out',
            )  # fmt: skip
        rng = np.random.default_rng([self.settings.seed, 5])
        triples = _triples(Negatives(ground.validation, self.stage.negatives).draw(rng))
        if not triples:  # few are held back; what tells apart is then any other text
            triples = _triples(Negatives(ground.validation, "random").draw(rng))
        return list(triples.values())

    def after_step(self) -> None:
        """Nothing: the copy follows within the loss."""

    def kept(self) -> Mapping[str, Tensor]:
        """The network itself, without its copy."""
        return self.module.online.state_dict()

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """`val_match`: the share of those held back whose own report outscores both negatives.

        Ties lose; 0 where nobody held back has a negative, of whom `val_matched` counts the others.
        """
        self.module.eval()
        held, size = self.ground.validation, self.settings.batch
        won = 0
        for start in range(0, len(self._held), size):
            part = self._held[start : start + size]
            previews = self.ground.corpus.previews([held[own].view_ids[0] for own, _, _ in part])
            images = torch.from_numpy(np.stack([model_input(one, self.input_size) for one in previews]))
            taken = normalised(images[:, None], self.module.config.image).to(self.ranks.device)
            pairs = self._pairs(taken, [held[at].report for triple in part for at in triple])
            scores = matching_logits(self.module.online, pairs)[:, -1].view(-1, _EACH)
            won += int((scores[:, 0] > scores[:, 1:].amax(1)).sum())
        return {"val_match": won / max(1, len(self._held)), "val_matched": float(len(self._held))}

    def write(self, folder: Path, *, recipe_text: str, facts: Json) -> None:
        """Write the folder of a matcher that judges pairs: the model folder's `reranker`."""
        write_atomic(folder / "recipe.toml", recipe_text.encode())
        mined = {"negatives": self.stage.negatives, "left_out": self.left_out, "of": len(self.ground.pairs)}
        save_matcher(folder, self.module.online, self.tokenizer, facts={**facts, "mined": mined})


def _triples(mined: Mined) -> dict[int, tuple[int, int, int]]:
    drawn = zip(mined.rows.tolist(), mined.hard.tolist(), mined.random.tolist(), strict=True)
    return {row: (row, hard, other) for row, hard, other in drawn}


def _stage(recipe: Recipe) -> Matching:
    stage = recipe.matching
    if recipe.matcher is None or stage is None or stage.layers:
        raise XemplarError(
            "no second stage that goes on from a matcher",
            wanted="a recipe with `matcher`, and `matching` with layers = 0",
            where=f"recipe {recipe.name}",
        )
    return stage
