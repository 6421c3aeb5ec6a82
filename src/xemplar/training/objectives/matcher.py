"""One step of a matcher: its objectives, put together in ALBEF's order.

Knows the order in which network, copy, queue and losses meet; the losses themselves are in momentum.py
beside it. Li et al., ALBEF, 2021; X-REM's fine-tuning, Jeong et al., 2023.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from xemplar.models.fusion import Keys
from xemplar.models.matcher import MatcherNet
from xemplar.models.momentum import MomentumMatcher
from xemplar.training.objectives.momentum import (
    IGNORED,
    NONE,
    Paired,
    distilled_cross_entropy,
    draw_negatives,
    itc_with_queue,
    mask_words,
    matching_pairs,
    negative_weights,
)

Gather = Callable[[Tensor], Tensor]
"""Rows of this rank -> rows of all ranks."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Images (n, channels, size, size), normalised, and their texts' token ids and mask (n, length).

    `keys` (n,) int64 number what a text says, -1 for unlike any: rows with one key are never each
    other's negatives, and share ITC's target, in the queue too. Without keys every other row is a
    negative, as in ALBEF, even one of equal text. `rows` (m,) say which image each of m texts meets,
    where they aren't row by row each other's; for `matching_loss` alone.
    """

    images: Tensor
    tokens: Tensor
    mask: Tensor
    keys: Tensor | None = None
    rows: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """What is left to chance in a step, rows of the batch (n,) and words (n, length).

    `images`: a wrong image for each text, `texts`: a wrong text for each image; -1 where there is none.
    `tokens` with words left out, and their `labels`, -100 where nothing is asked.
    """

    images: Tensor
    texts: Tensor
    tokens: Tensor
    labels: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class MatcherLosses:
    """The three losses, what was drawn, and how many of the 2 n negatives there were none of."""

    itc: Tensor
    itm: Tensor
    mlm: Tensor
    draws: Draws
    left_out: int

    @property
    def total(self) -> Tensor:
        """Their sum."""
        return self.itc + self.itm + self.mlm


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    image: Tensor
    text: Tensor
    vectors: Paired


def pretraining_losses(
    matcher: MomentumMatcher,
    pairs: Pairs,
    alpha: float,
    *,
    draws: Draws | None = None,
    generator: torch.Generator | None = None,
    gather: Gather | None = None,
) -> MatcherLosses:
    """ITC with queue, ITM and MLM; clamps the temperature, moves the copy, queues its vectors.

    `alpha` in [0, 1] is the weight of the copy's opinion in ITC and MLM. Without `draws` negatives are
    drawn by `generator`, the likelier the more alike, and then words. A negative that doesn't exist is
    left out and counted. `gather` lets every rank queue the vectors of all.
    """
    if matcher.config.dim is None:
        raise ValueError("a matcher without `dim` judges pairs and has no ITC: train it by matching_loss")
    matcher.clamp_temperature()
    seen = _look(matcher.online, pairs)
    with torch.no_grad():
        matcher.follow()
        slow = _look(matcher.momentum, pairs)
    itc, alike = _itc(matcher, seen, slow, keys=pairs.keys, alpha=alpha)
    _enqueue(matcher, slow.vectors, pairs.keys, gather=gather)
    if draws is None:
        draws = _draw(matcher, pairs, alike, generator=generator)
    keys = matcher.online.text.image_keys(seen.image)
    itm, left_out = _itm(matcher.online, seen.text, pairs.mask, keys=keys, draws=draws)
    mlm = _mlm(matcher, pairs.mask, keys, slow=slow.image, draws=draws, alpha=alpha)
    return MatcherLosses(itc, itm, mlm, draws, left_out)


def matching_loss(matcher: MomentumMatcher, pairs: Pairs, targets: Tensor, *, alpha: float) -> Tensor:
    """X-REM's fine-tuning: cross entropy over the classes `targets` (n,), mixed with the copy's opinion.

    Class 0 is no match, the last the match. Moves the copy. Only for a matcher without `dim`.
    """
    logits = matching_logits(matcher.online, pairs)
    with torch.no_grad():
        matcher.follow()
        teacher = matching_logits(matcher.momentum, pairs)
    return distilled_cross_entropy(logits, targets, teacher_logits=teacher, alpha=alpha)


def matching_logits(net: MatcherNet, pairs: Pairs) -> Tensor:
    """(m, classes) of each text with its image; an image that several texts meet is encoded once."""
    image, text = net.image(pairs.images), net.text(pairs.tokens, pairs.mask)
    image = image if pairs.rows is None else image[pairs.rows]
    return net.itm_logits(net.fused(text, pairs.mask, image)).float()


def _look(net: MatcherNet, pairs: Pairs) -> _Seen:
    image, text = net.image(pairs.images), net.text(pairs.tokens, pairs.mask)
    return _Seen(image, text, Paired(net.image_vectors(image), net.text_vectors(text)))


def _itc(
    matcher: MomentumMatcher, seen: _Seen, slow: _Seen, *, keys: Tensor | None, alpha: float
) -> tuple[Tensor, Paired]:
    """The loss, and how alike the batch's images and texts are: both ways, (n, n)."""
    images, texts, queued = matcher.queued()
    positives = None
    if keys is not None:
        every = torch.cat([keys, queued])
        positives = ((keys[:, None] == every) & (keys[:, None] != NONE)).fill_diagonal_(True)
    with torch.autocast(images.device.type, enabled=False):
        contrast = itc_with_queue(
            seen.vectors,
            slow.vectors,
            Paired(images, texts),
            temperature=matcher.temperature,
            alpha=alpha,
            positives=positives,
        )
    count = len(seen.image)
    return contrast.loss, Paired(contrast.image_to_text[:, :count], contrast.text_to_image[:, :count])


def _enqueue(
    matcher: MomentumMatcher, vectors: Paired, keys: Tensor | None, *, gather: Gather | None
) -> None:
    if gather is not None:
        vectors = Paired(gather(vectors.images), gather(vectors.texts))
        keys = None if keys is None else gather(keys)
    matcher.enqueue(vectors.images, vectors.texts, keys)


def _draw(
    matcher: MomentumMatcher, pairs: Pairs, alike: Paired, *, generator: torch.Generator | None
) -> Draws:
    if generator is None:
        raise ValueError("a step without draws needs a generator")
    same = None
    if pairs.keys is not None:
        same = (pairs.keys[:, None] == pairs.keys) & (pairs.keys[:, None] != NONE)
    text = matcher.config.text
    # A row of `alike.images` is an image and its columns are texts, and the other way round.
    images = draw_negatives(negative_weights(alike.texts, same), generator)
    texts = draw_negatives(negative_weights(alike.images, same), generator)
    tokens, labels = mask_words(
        pairs.tokens,
        generator,
        mask=text.mask_token,
        vocabulary=text.vocabulary,
        kept=(text.pad_token, text.cls_token, text.sep_token),
        probability=matcher.config.masked,
    )
    return Draws(images, texts, tokens, labels.masked_fill(pairs.mask == 0, IGNORED))


def _itm(
    net: MatcherNet, states: Tensor, mask: Tensor, *, keys: list[Keys], draws: Draws
) -> tuple[Tensor, int]:
    """Own pairs against (another image, own text) and (own image, another text)."""
    pairs = matching_pairs(draws.images, draws.texts)
    picked = [(key[pairs.images], value[pairs.images]) for key, value in keys]
    fused = net.text.fuse(states[pairs.texts], mask[pairs.texts], picked, first=True)[:, 0]
    targets = pairs.labels * (net.config.classes - 1)
    return functional.cross_entropy(net.itm_logits(fused).float(), targets), pairs.left_out


def _mlm(
    matcher: MomentumMatcher, mask: Tensor, keys: list[Keys], *, slow: Tensor, draws: Draws, alpha: float
) -> Tensor:
    asked = draws.labels != IGNORED
    net, copy = matcher.online, matcher.momentum
    fused = net.text.fuse(net.text(draws.tokens, mask), mask, keys)
    logits = net.word_logits(fused[asked]).float()
    with torch.no_grad():
        states = copy.text.fuse(copy.text(draws.tokens, mask), mask, copy.text.image_keys(slow))
        teacher = copy.word_logits(states[asked]).float()
    return distilled_cross_entropy(logits, draws.labels[asked], teacher_logits=teacher, alpha=alpha)
