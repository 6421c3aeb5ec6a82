"""ALBEF's objectives: contrast against a queue, matching, words left out (Li et al., 2021).

Knows vectors, logits and labels, a queue and explicit generators. Knows no model: features and the
momentum copies' features are handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from xemplar.errors import MismatchError, XemplarError
from xemplar.training.objectives.contrastive import check_vectors, soft_cross_entropy

NONE = -1
"""In place of a row: there is no negative. As a key: what it holds equals nothing."""
IGNORED = -100
"""The label of a place that isn't asked about (torch's own)."""


class Paired(NamedTuple):
    """Vectors of images and of texts, row by row each other's."""

    images: Tensor
    texts: Tensor


class Contrast(NamedTuple):
    """The loss, and the logits (n, n) within the batch, to draw hard negatives by."""

    loss: Tensor
    image_to_text: Tensor
    text_to_image: Tensor


def itc_with_queue(
    online: Paired,
    momentum: Paired,
    queue: Paired,
    *,
    temperature: Tensor,
    alpha: float = 0.4,
    positives: Tensor | None = None,
) -> Contrast:
    """Image-text contrast against this batch's and earlier batches' momentum vectors.

    `online`, `momentum`: (n, dim) unit rows; `queue`: (size, dim), as it was before this batch.
    Targets are `alpha` of the momentum vectors' own softmax and the rest of what is right: the
    pair itself or, by `positives` (n, n + size) bool, every column of equal text, shared evenly.
    `temperature` divides; ALBEF clamps it into .001 to .5 before each step. ALBEF itself knows no
    `positives`, so that equal texts are each other's negatives.
    """
    check_vectors(images=online.images, texts=online.texts)
    check_vectors(momentum_images=momentum.images, momentum_texts=momentum.texts)
    ways = []
    for mine, theirs, other in ((0, 1, "texts"), (1, 0, "images")):
        columns = torch.cat([momentum[theirs], queue[theirs]]).detach()
        if positives is not None and positives.shape != (len(online.images), len(columns)):
            raise MismatchError(
                f"positives are {tuple(positives.shape)}",
                wanted=f"({len(online.images)}, {len(columns)}): the batch's {other} and the queue's",
            )
        logits = online[mine] @ columns.T / temperature
        with torch.no_grad():
            targets = _hard(logits, positives)
            if alpha:
                soft = torch.softmax(momentum[mine] @ columns.T / temperature, dim=1)
                targets = targets.mul_(1 - alpha).add_(soft, alpha=alpha)
        own = logits[:, : len(online.images)].detach().clone()
        ways.append((soft_cross_entropy(logits, targets).sum() / max(1, len(logits)), own))
        del columns, logits, targets  # the other way needs as much again
    return Contrast((ways[0][0] + ways[1][0]) / 2, ways[0][1], ways[1][1])


def _hard(logits: Tensor, positives: Tensor | None) -> Tensor:
    """(n, columns) rows that sum to 1: the pair itself is right, and whatever positives say."""
    targets = torch.zeros_like(logits) if positives is None else positives.to(logits.dtype)
    targets.fill_diagonal_(1.0)
    return targets if positives is None else targets.div_(targets.sum(1, keepdim=True))


class Queue:
    """The momentum vectors of the latest batches, with the keys of their texts; oldest go first.

    State: `images`, `texts` (size, dim), `keys` (size,) int64, `at`, the row written next, and
    `filled`, how many rows hold something. ALBEF fills its queue with random vectors at first and
    wants its size to be a multiple of the batch; here only what was put in is ever seen, and a batch
    goes round the end. `keys` number texts (`NONE`: unlike any), so that equal texts are found.
    """

    def __init__(self, size: int, dim: int, *, device: torch.device | str = "cpu") -> None:
        if size < 1:
            raise XemplarError(f"a queue of {size} rows", wanted="at least one")
        self.images = torch.zeros(size, dim, device=device)
        self.texts = torch.zeros(size, dim, device=device)
        self.keys = torch.full((size,), NONE, dtype=torch.int64, device=device)
        self.at = self.filled = 0

    def __len__(self) -> int:
        return self.filled

    @property
    def vectors(self) -> Paired:
        """What it holds (filled, dim), in no order; views, to be read before the next `put`."""
        return Paired(self.images[: self.filled], self.texts[: self.filled])

    def positives(self, keys: Tensor) -> Tensor:
        """(n, n + filled) bool for `itc_with_queue`: columns whose text has the row's key, and itself."""
        every = torch.cat([keys, self.keys[: self.filled]])
        same = (keys[:, None] == every[None, :]) & (keys[:, None] != NONE)
        return same.fill_diagonal_(True)

    @torch.no_grad()
    def put(self, momentum: Paired, keys: Tensor | None = None) -> None:
        """Add a batch's momentum vectors; of more rows than it has room for, the last ones stay."""
        check_vectors(momentum_images=momentum.images, momentum_texts=momentum.texts)
        if (
            momentum.images.shape != momentum.texts.shape
            or momentum.images.shape[1:] != self.images.shape[1:]
        ):
            raise MismatchError(
                f"vectors {tuple(momentum.images.shape)} and {tuple(momentum.texts.shape)} for a queue",
                wanted=f"as many images as texts, of {self.images.shape[1]} dimensions",
            )
        size, count = len(self.keys), len(momentum.images)
        kept = min(size, count)
        start = (self.at + count - kept) % size
        rows = (torch.arange(kept, device=self.keys.device) + start) % size
        self.images[rows] = momentum.images[count - kept :].to(self.images.dtype)
        self.texts[rows] = momentum.texts[count - kept :].to(self.texts.dtype)
        self.keys[rows] = NONE if keys is None else keys[count - kept :].to(self.keys.device)
        self.at, self.filled = (self.at + count) % size, min(size, self.filled + count)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything it remembers, as tensors that are its own no more."""
        place = torch.tensor([self.at, self.filled])
        named = {"images": self.images, "texts": self.texts, "keys": self.keys, "place": place}
        return {name: value.clone() for name, value in named.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from a saved state; one of another size is refused."""
        if state["images"].shape != self.images.shape:
            raise MismatchError(
                f"a saved queue of {tuple(state['images'].shape)}", wanted=f"{tuple(self.images.shape)}"
            )
        for name in ("images", "texts", "keys"):
            getattr(self, name).copy_(state[name])
        self.at, self.filled = (int(value) for value in state["place"])


def negative_weights(logits: Tensor, same: Tensor | None = None) -> Tensor:
    """(n, n) logits -> how likely each column is a row's hard negative: a softmax over the wrong ones.

    `same` (n, n) bool marks what is no negative beside the pair itself: equal texts. Rows sum to 1, or
    to 0 where nothing is left. What is right is left out before the softmax: ALBEF sets it to 0
    afterwards, which leaves nothing to draw from at a temperature of .001 and stops the program.
    """
    check_vectors(logits=logits)
    right = torch.zeros_like(logits, dtype=torch.bool) if same is None else same.clone()
    masked = logits.detach().float().masked_fill(right.fill_diagonal_(True), -torch.inf)
    return torch.softmax(masked, dim=1).nan_to_num(0.0)


def draw_negatives(weights: Tensor, generator: torch.Generator) -> Tensor:
    """(n, m) weights >= 0 -> (n,) int64: a column for each row by its weights, `NONE` where all are 0."""
    check_vectors(weights=weights)
    if weights.shape[1] == 0:
        return torch.full((len(weights),), NONE, dtype=torch.int64, device=weights.device)
    found = weights.sum(1) > 0
    drawn = torch.multinomial(weights.where(found[:, None], 1.0), 1, generator=generator).squeeze(1)
    return drawn.where(found, NONE)


class Matching(NamedTuple):
    """Which image meets which text, whether they match (1 or 0), and how many pairs had no negative."""

    images: Tensor
    texts: Tensor
    labels: Tensor
    left_out: int


def matching_pairs(negative_images: Tensor, negative_texts: Tensor) -> Matching:
    """The pairs of image-text matching, in ALBEF's order: right ones, then wrong ones that were drawn.

    `negative_images` (n,) holds a wrong image for each text, `negative_texts` a wrong text for each
    image; `NONE` is left out and counted, where ALBEF crashes.
    """
    own = torch.arange(len(negative_images), device=negative_images.device)
    with_image, with_text = negative_images != NONE, negative_texts != NONE
    images = torch.cat([own, negative_images[with_image], own[with_text]])
    texts = torch.cat([own, own[with_image], negative_texts[with_text]])
    labels = torch.zeros_like(images)
    labels[: len(own)] = 1
    return Matching(images, texts, labels, 3 * len(own) - len(images))


def distilled_cross_entropy(
    logits: Tensor, labels: Tensor, *, teacher_logits: Tensor | None = None, alpha: float = 0.0
) -> Tensor:
    """Cross entropy of (..., classes) logits, a share `alpha` of it against a teacher's softmax.

    Mean over the places whose label (...) isn't `IGNORED`; 0 where all are. With words as classes it
    is ALBEF's loss of masked words, with match or no match as classes X-REM's of matching.
    """
    asked = labels.flatten() != IGNORED
    kept, right = logits.flatten(0, -2)[asked], labels.flatten()[asked]
    check_vectors(logits_asked_about=kept)
    if len(kept) == 0:
        return kept.sum()  # 0, and part of the graph
    if teacher_logits is None or not alpha:
        return functional.cross_entropy(kept, right)
    with torch.no_grad():
        targets = torch.softmax(teacher_logits.flatten(0, -2)[asked], dim=1).to(kept.dtype).mul_(alpha)
        targets.scatter_add_(1, right[:, None], torch.full_like(targets[:, :1], 1 - alpha))
    return soft_cross_entropy(kept, targets).mean()


def mask_words(
    tokens: Tensor,
    generator: torch.Generator,
    *,
    mask: int,
    vocabulary: int,
    kept: Sequence[int],
    probability: float = 0.15,
) -> tuple[Tensor, Tensor]:
    """Leave words out, to be guessed: tokens (n, length) -> the same with gaps, and the labels.

    Each token not among `kept` (padding, [CLS], [SEP]) is asked about with `probability`: of these
    80 % become `mask`, 10 % a random word of the vocabulary, 10 % stay (Devlin et al., 2019). Labels
    are the tokens asked about, `IGNORED` elsewhere. Draws in ALBEF's order.
    """

    def coin(share: float) -> Tensor:
        return torch.bernoulli(torch.full(tokens.shape, share, device=tokens.device), generator=generator)

    asked = coin(probability).bool()
    asked &= ~torch.isin(tokens, torch.tensor(list(kept), dtype=tokens.dtype, device=tokens.device))
    hidden = coin(0.8).bool() & asked
    swapped = coin(0.5).bool() & asked & ~hidden
    words = torch.randint(vocabulary, tokens.shape, generator=generator, device=tokens.device)
    shown = tokens.where(~hidden, mask).where(~swapped, words.to(tokens.dtype))
    return shown, tokens.where(asked, IGNORED)
