"""A dual encoder in training: which loss of which vectors, and how it is validated.

Knows batches and a dual encoder; the losses themselves are in training/objectives, the loop next door.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from xemplar.contracts import Json
from xemplar.errors import XemplarError
from xemplar.findings import FINDINGS
from xemplar.models.checkpoint import TorchEncoder, save_model
from xemplar.models.config import ModelConfig
from xemplar.models.dual import MAX_SCALE, DualEncoder
from xemplar.models.tokenizer import load_tokenizer, padded_length, tokenize, train_wordpiece
from xemplar.training.augment import augment
from xemplar.training.cached import Side
from xemplar.training.learners.learner import Ground, NotFinite, names_of
from xemplar.training.learners.validation import ranked
from xemplar.training.norms import freeze, refuse_chunks, share_statistics
from xemplar.training.objectives.contrastive import (
    clamp_scale,
    info_nce,
    medclip_loss,
    sigmoid_loss,
    soft_target_loss,
)
from xemplar.training.objectives.supervised import class_loss, finding_contrast
from xemplar.training.objectives.teacher import Teacher, sinkhorn_targets, transport_loss
from xemplar.training.ranks import seeded
from xemplar.training.recipe import Recipe
from xemplar.training.sampling import Batch, Pair, Texts

HIGHEST = float(np.nextafter(np.float32(math.log(MAX_SCALE)), np.float32(0)))
"""Of the logit scale's logarithm, either way: where the scale still has a gradient, to come back by."""

_FIRST_BIAS = -10.0
"""SigLIP's logit bias at first (Zhai et al., 2023): most pairs are wrong."""

_TEACHER_SCALE = math.log(1 / 0.07)
"""TxtRayAlign's second scale at first, used as it is."""


class Learnt(nn.Module):
    """A dual encoder and whatever its objectives learn beside it, which no model folder holds."""

    def __init__(self, recipe: Recipe, config: ModelConfig) -> None:
        super().__init__()
        self.encoder = DualEncoder(config)
        aims = recipe.objective
        dim = config.dim
        self.bias = nn.Parameter(torch.tensor(_FIRST_BIAS)) if aims.alignment == "sigmoid" else None
        self.teacher_scale = nn.Parameter(torch.tensor(_TEACHER_SCALE)) if aims.teacher else None
        self.classes = nn.Parameter(torch.randn(len(FINDINGS), dim) / dim**0.5) if aims.classes else None
        self.class_bias = nn.Parameter(torch.zeros(len(FINDINGS))) if aims.classes else None

    @property
    def own(self) -> list[nn.Parameter]:
        """Parameters of the losses, not of a tower."""
        beside = (self.bias, self.teacher_scale, self.classes, self.class_bias)
        return [self.encoder.log_scale, *(one for one in beside if one is not None)]


class DualLearner:
    """Trains a recipe's dual encoder; see `Learner`."""

    measure = "val_mrr"

    def __init__(self, ground: Ground) -> None:
        self.ground, self.recipe = ground, ground.recipe
        self.settings, self.aims = ground.recipe.training, ground.recipe.objective
        self.ranks = ground.ranks
        self.tokenizer = _tokenizer(ground.recipe, ground.pairs)
        self.module = self._built()
        self.model = self.module.encoder
        self.teacher = self._teacher()
        self._findings = _finding_rows(ground.pairs) if self.aims.classes or self.aims.same_findings else {}

    def _built(self) -> Learnt:
        with torch.random.fork_rng(devices=self.ranks.generators):
            torch.manual_seed(self.settings.seed)
            module = Learnt(self.recipe, _with_vocabulary(self.recipe, self.tokenizer))
        if self.settings.chunk and not self.settings.frozen_norm:
            refuse_chunks(module.encoder)
        if self.ranks.count > 1:
            share_statistics(module.encoder)
        clamp_scale(module.encoder.log_scale, low=-HIGHEST, high=HIGHEST)
        return module.to(self.ranks.device)

    def _teacher(self) -> Teacher | None:
        if not self.aims.teacher:
            return None
        if self.ranks.count > 1 or self.settings.chunk:
            raise XemplarError(
                f"a teacher with {self.ranks.count} processes and chunks of {self.settings.chunk}",
                wanted="one process and no chunks: it looks at the whole batch",
                where=f"recipe {self.recipe.name}",
                remedy="set objective.teacher to 0, or train in one process with training.chunk = 0",
            )
        teacher = Teacher(self.model, decay=self.aims.teacher_decay)
        self.module.add_module("teacher", teacher.module)  # so that it is kept when training stops
        return teacher

    @property
    def input_size(self) -> int:
        """Pixels a side."""
        return self.model.config.image.input_size

    def backward(self, batch: Batch, *, of: int) -> float:
        """Add a batch's gradients over `of`; its loss."""
        self.module.train()
        if self.teacher is not None:
            self.teacher.module.eval()
        if self.settings.frozen_norm:
            freeze(self.model)
        sides = self._sides(batch, self.model)

        def loss_of(vectors: Sequence[Tensor]) -> Tensor:
            _check_finite(vectors[0], batch)
            loss = self._loss(vectors, batch)
            if not math.isfinite(float(loss.detach())):
                raise NotFinite(f"the loss is {float(loss.detach())}")
            return loss / of

        seed = seeded(self.settings.seed + 1, batch.step)  # dropout's draws
        found = self.ground.passes.backward(sides, loss_of, seed=seed, own=self.module.own)
        return float(found) * of

    def after_step(self) -> None:
        """Keep the scale within its bounds; let the teacher follow."""
        clamp_scale(self.model.log_scale, low=-HIGHEST, high=HIGHEST)
        if self.teacher is not None:
            self.teacher.follow(self.model)

    def kept(self) -> Mapping[str, Tensor]:
        """The encoder's state."""
        return self.model.state_dict()

    def validate(self) -> dict[str, float]:
        """MRR and success@k of image -> report."""
        encoder = TorchEncoder(self.model, self.tokenizer, {**self.ground.facts, "files": {}})
        return ranked(self.ground, encoder.encode_images, encoder.encode_texts)

    def write(self, folder: Path, *, recipe_text: str, facts: Json) -> None:
        """Write encoder, tokenizer and recipe."""
        save_model(folder, self.model, self.tokenizer, recipe=recipe_text, facts=facts)

    def _sides(self, batch: Batch, model: DualEncoder) -> list[Side]:
        """How each tower embeds rows of a batch."""
        settings, device, limit = self.settings, self.ranks.device, model.config.text.max_tokens
        count = len(batch.study_ids)

        def images(rows: slice) -> Tensor:
            generator = torch.Generator().manual_seed(seeded(settings.seed, batch.step))
            shown = torch.from_numpy(batch.images[rows.start - batch.first : rows.stop - batch.first])
            with torch.autocast("cpu", enabled=False):  # pixels are moved in full precision
                moved = augment(shown, settings.augmentation, generator, part=(rows.start, count))
            return model.image_vectors(moved.to(device))

        def texts(words: tuple[Tensor, Tensor], rows: slice) -> Tensor:
            tokens, mask = (part[rows] for part in words)
            if settings.chunk:  # no longer than its own texts
                length = padded_length(int(mask.sum(1).max()), limit)
                tokens, mask = tokens[:, :length], mask[:, :length]
            return model.text_vectors(tokens.to(device), mask.to(device))

        read = [tokenize(self.tokenizer, one.texts, limit) for one in batch.texts]
        return [Side(count, images), *(Side(len(words[0]), partial(texts, words)) for words in read)]

    def _loss(self, vectors: Sequence[Tensor], batch: Batch) -> Tensor:
        images, *kinds = vectors
        pairs = list(zip(kinds, batch.texts, strict=True))
        loss = torch.stack([self._aligned(images, *pair) for pair in pairs]).mean()
        if self.teacher is not None:
            loss = loss + self.aims.teacher * self._taught(images, kinds, batch)
        if self._findings:
            loss = loss + self._supervised(images, pairs, batch)
        return loss

    def _aligned(self, images: Tensor, vectors: Tensor, texts: Texts) -> Tensor:
        right = torch.from_numpy(texts.positives).to(images.device)
        kind = self.aims.alignment
        if kind == "info_nce":
            return info_nce(images, vectors, right, scale=self.model.scale, rarity=self.aims.rarity)
        if kind == "sigmoid":
            assert self.module.bias is not None
            return sigmoid_loss(images, vectors, right, scale=self.model.scale, bias=self.module.bias)
        loss = soft_target_loss if kind == "soft_targets" else medclip_loss
        length = images.shape[1] ** 0.5  # that of a vector behind a LayerNorm
        return loss(images * length, vectors[_own(texts)] * length, temperature=self.aims.temperature)

    def _taught(self, images: Tensor, kinds: Sequence[Tensor], batch: Batch) -> Tensor:
        """Towards the slow copy's transport between images and their own first texts, of each kind."""
        teacher, scale = self.teacher, self.module.teacher_scale
        assert teacher is not None and scale is not None
        with torch.no_grad():
            slow = [side.embed(slice(0, side.count)) for side in self._sides(batch, teacher.module)]  # type: ignore[arg-type]
        losses = []
        for own, old, texts in zip(kinds, slow[1:], batch.texts, strict=True):
            rows = _own(texts)
            targets = sinkhorn_targets(slow[0], old[rows])
            losses.append(transport_loss(images, own[rows], targets, scale=scale))
        return torch.stack(losses).mean()

    def _supervised(self, images: Tensor, pairs: Sequence[tuple[Tensor, Texts]], batch: Batch) -> Tensor:
        """What each study's report claims, read off its image and its own first text."""
        rows = np.stack([self._findings[study_id] for study_id in batch.study_ids])
        there = torch.from_numpy(rows).to(images.device)
        loss = images.new_zeros(())
        classes, bias, scale = self.module.classes, self.module.class_bias, self.model.scale
        if classes is not None:
            points = functional.normalize(classes, dim=-1)
            every = [images, *(vectors[_own(texts)] for vectors, texts in pairs if texts.whole)]
            found = [class_loss(one, points, there.float(), scale=scale, bias=bias) for one in every]
            loss = loss + self.aims.classes * torch.stack(found).mean()
        if self.aims.same_findings:
            loss = loss + self.aims.same_findings * finding_contrast(images, there, scale=scale, partial=True)
        return loss


def _own(texts: Texts) -> Tensor:
    """For each image the column of the first text that was drawn for it."""
    return torch.from_numpy(texts.own)


def _check_finite(images: Tensor, batch: Batch) -> None:
    """Refuse image vectors that aren't finite, naming their studies."""
    with torch.no_grad():
        bad = (~torch.isfinite(images).all(1)).nonzero().flatten().tolist()
    if bad:
        raise NotFinite(f"image vectors are not finite, of {len(bad)} studies ({names_of(bad, batch)})")


def _finding_rows(pairs: Sequence[Pair]) -> dict[str, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """study_id -> which findings its report states as present."""
    found = {}
    for pair in pairs:
        present = {finding for finding, presence, _ in pair.claims if presence == "present"}
        found[pair.study_id] = np.array([name in present for name in FINDINGS], np.bool_)
    return found


def _tokenizer(recipe: Recipe, pairs: tuple[Pair, ...]) -> PreTrainedTokenizerBase:
    assert recipe.model is not None
    text = recipe.model.text
    if text.pretrained is not None:
        return load_tokenizer(text.pretrained)
    return train_wordpiece((pair.report for pair in pairs), text.vocabulary)


def _with_vocabulary(recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> ModelConfig:
    """The recipe's model, its from-scratch text tower made for the tokenizer's words."""
    assert recipe.model is not None
    text = recipe.model.text
    if text.pretrained is not None or text.config is None:
        return recipe.model
    words = {"vocab_size": len(tokenizer), "pad_token_id": int(tokenizer.pad_token_id)}
    return recipe.model.model_copy(
        update={"text": text.model_copy(update={"config": {**text.config, **words}})}
    )
