"""A matcher in pretraining, after ALBEF and X-REM: ITC with queue, ITM, MLM, and the slow copy behind them.

Knows batches and a matcher; the losses are in training/objectives, the loop next door. Li et al., ALBEF,
2021; Jeong et al., X-REM, 2023.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from xemplar.contracts import Json
from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import write_atomic
from xemplar.models.config import FusionTower, MatcherConfig, PatchTower
from xemplar.models.matcher_folder import open_matcher, save_matcher
from xemplar.models.matching import TorchMatcher
from xemplar.models.momentum import MomentumMatcher
from xemplar.models.tokenizer import tokenize, train_wordpiece
from xemplar.report import text_key
from xemplar.training.augment import augment
from xemplar.training.learners.learner import Ground, NotFinite
from xemplar.training.learners.validation import ranked
from xemplar.training.objectives.matcher import Pairs, pretraining_losses
from xemplar.training.ranks import seeded
from xemplar.training.recipe import Objective
from xemplar.training.sampling import Batch, Pair

_GAIN = 2.0**0.5
"""Of Xavier's bounds (Glorot and Bengio, 2010), for layers before a GELU or a softmax."""


class MatcherLearner:
    """Trains a recipe's matcher on whole reports; see `Learner`.

    Reports of equal text are never each other's negatives, in the queue neither. A step's draws
    (augmentation, words left out, negatives, dropout) follow from the seed and the batch's number.
    """

    measure = "val_mrr"

    def __init__(self, ground: Ground) -> None:
        self.ground, self.recipe = ground, ground.recipe
        self.settings, self.ranks = ground.recipe.training, ground.ranks
        assert ground.recipe.matcher is not None
        refuse_parts(ground)
        if ground.recipe.objective != Objective():
            raise XemplarError(
                "a matcher with settings of `objective`, which are a dual encoder's",
                wanted="none: ITC, ITM and MLM are its own",
                where=f"recipe {ground.recipe.name}",
            )
        with torch.random.fork_rng(devices=self.ranks.generators):
            torch.manual_seed(self.settings.seed)
            built, self.tokenizer = _built(ground.recipe.matcher, ground.pairs)
        self.module = built.to(self.ranks.device)
        self.numbers = numbered(text_key(pair.report) for pair in ground.pairs)
        self.of_study = {pair.study_id: self.numbers[text_key(pair.report)] for pair in ground.pairs}
        self.per_epoch = steps_of_an_epoch(ground)

    @property
    def input_size(self) -> int:
        """Pixels a side."""
        return self.module.config.image.input_size

    def backward(self, batch: Batch, *, of: int) -> float:
        """Add a batch's gradients over `of`; ITC, ITM and MLM, summed."""
        self.module.train()
        texts = batch.texts[0]
        words = [texts.texts[column] for column in texts.own.tolist()]
        tokens, mask = tokenize(self.tokenizer, words, self.module.config.text.max_tokens)
        device = self.ranks.device
        keys = torch.tensor([self.of_study[name] for name in batch.study_ids])
        images = shown(batch, self.ground, self.module.config.image)
        pairs = Pairs(images, tokens.to(device), mask.to(device), keys.to(device))
        draws = torch.Generator(device).manual_seed(seeded(self.settings.seed, batch.step, 1))
        with torch.random.fork_rng(devices=self.ranks.generators):
            torch.manual_seed(seeded(self.settings.seed + 1, batch.step))  # dropout's draws
            with self.ground.passes.autocast():
                loss = self._loss(pairs, batch.step, draws)
        if not math.isfinite(float(loss.detach())):
            raise NotFinite(f"the loss is {float(loss.detach())}")
        (loss / of).backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    def _loss(self, pairs: Pairs, step: int, draws: torch.Generator) -> Tensor:
        alpha = ramped(self.module.config.alpha, step, self.per_epoch)
        try:
            return pretraining_losses(self.module, pairs, alpha, generator=draws).total
        except MismatchError:
            raise
        except XemplarError as error:  # vectors or logits that are no numbers, with their rows
            raise NotFinite(str(error)) from error

    def after_step(self) -> None:
        """Keep the temperature within its bounds; the copy follows and queues within the loss."""
        self.module.clamp_temperature()

    def kept(self) -> Mapping[str, Tensor]:
        """The network itself: no copy, no queue."""
        return self.module.online.state_dict()

    def validate(self) -> dict[str, float]:
        """MRR and success@k of image -> report, by ITC's vectors alone."""
        matcher = TorchMatcher(self.module.online, self.tokenizer, {**self.ground.facts, "files": {}})
        return ranked(self.ground, matcher.encode_images, matcher.encode_texts)

    def write(self, folder: Path, *, recipe_text: str, facts: Json) -> None:
        """Write the matcher's folder, which searches and ranks again."""
        write_atomic(folder / "recipe.toml", recipe_text.encode())
        save_matcher(folder, self.module.online, self.tokenizer, facts=facts)


def refuse_parts(ground: Ground) -> None:
    """A matcher looks at a whole batch of whole reports, in one process."""
    settings, count = ground.recipe.training, ground.ranks.count
    where = f"recipe {ground.recipe.name}"
    if count > 1 or settings.chunk:
        raise XemplarError(
            f"a matcher with {count} processes and chunks of {settings.chunk}",
            wanted="one process and no chunks: its negatives are the whole batch's",
            where=where,
            remedy="set training.chunk = 0 and start one process; `accumulate` needs less memory a step",
        )
    if settings.text_unit != "report":
        raise XemplarError(
            f"a matcher with text_unit {settings.text_unit!r}", wanted="'report': one text an image",
            where=where, remedy='set training.text_unit = "report"',
        )  # fmt: skip


def steps_of_an_epoch(ground: Ground) -> int:
    """How many batches the sampler draws in an epoch."""
    return max(1, len(ground.pairs) // ground.recipe.training.batch)


def ramped(alpha: float, step: int, per_epoch: int) -> float:
    """The slow copy's share, raised from 0 in the first epoch, as ALBEF does."""
    return alpha * min(1.0, step / per_epoch)


def numbered(keys: Iterable[str]) -> dict[str, int]:
    """Distinct keys, counted in the order in which they come."""
    return {key: number for number, key in enumerate(dict.fromkeys(keys))}


def shown(batch: Batch, ground: Ground, tower: PatchTower) -> Tensor:
    """A batch's images as the tower takes them: moved a little, on every channel, normalised."""
    settings = ground.recipe.training
    generator = torch.Generator().manual_seed(seeded(settings.seed, batch.step))
    moved = augment(torch.from_numpy(batch.images), settings.augmentation, generator)
    return normalised(moved, tower).to(ground.ranks.device)


def normalised(images: Tensor, tower: PatchTower) -> Tensor:
    """(n, 1, size, size) in [0, 1] -> (n, channels, size, size), as a matcher in use sees a preview."""
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (tower.mean, tower.std))
    return (images.expand(-1, tower.channels, -1, -1) - mean) / std


def _built(config: MatcherConfig, pairs: tuple[Pair, ...]) -> tuple[MomentumMatcher, PreTrainedTokenizerBase]:
    """A matcher from scratch with words of its own, or one that goes on from a folder, with its words."""
    if config.pretrained is None:
        tokenizer = train_wordpiece((pair.report for pair in pairs), config.text.vocabulary)
        text = _with_words(config.text, tokenizer)
        matcher = MomentumMatcher(config.model_copy(update={"text": text}))
        _widen(matcher)
        return matcher, tokenizer
    first = open_matcher(config.pretrained)
    if first.net.config.dim is None:
        raise MismatchError(
            "a matcher that only judges pairs", wanted="one with a shared space", where=config.pretrained
        )
    matcher = continued(first, config)
    if matcher.config.image.input_size != config.image.input_size:
        matcher.resize(config.image.input_size)
    return matcher, first.tokenizer


def _widen(matcher: MomentumMatcher) -> None:
    """Give towers without training wider weights than BERT's and ViT's .02, which is made for widths of 768.

    In narrow layers as small as that attention adds next to nothing to [CLS], and every text has one
    vector: cosines of .9999 among reports, from which contrast takes hundreds of steps to find out.
    """
    for tower in (matcher.online.image, matcher.online.text):
        for module in tower.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight, gain=_GAIN)
    matcher.copy()


def continued(first: TorchMatcher, config: MatcherConfig) -> MomentumMatcher:
    """An opened matcher, ready to be trained on by a recipe's settings; its copy starts equal."""
    names = ("queue", "momentum", "alpha", "masked", "temperature", "precision")
    taken = {name: getattr(config, name) for name in names}
    matcher = MomentumMatcher(first.net.config.model_copy(update=taken))
    matcher.online.load_state_dict(first.net.state_dict())
    matcher.copy()
    return matcher


def _with_words(text: FusionTower, tokenizer: PreTrainedTokenizerBase) -> FusionTower:
    """The text tower made for a tokenizer: how many words, and which ids its marks have."""
    ids = {
        "pad_token": tokenizer.pad_token_id, "cls_token": tokenizer.cls_token_id,
        "sep_token": tokenizer.sep_token_id, "mask_token": tokenizer.mask_token_id,
    }  # fmt: skip
    return FusionTower.model_validate({**text.model_dump(), **ids, "vocabulary": len(tokenizer)})
