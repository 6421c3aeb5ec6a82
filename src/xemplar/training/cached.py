"""One batch's loss and its gradients: at once, as one of several processes, or chunk by chunk.

Knows rows, vectors and a loss over all of them; knows nothing of images, texts or optimisers. After
GradCache (Gao et al., 2021, Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup):
every chunk is embedded without its graph, the loss is taken over all vectors, and each chunk is
embedded again, with the same draws, to hand on the gradient of its own vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from xemplar.errors import XemplarError
from xemplar.training.ranks import Ranks, seeded, share


@dataclass(frozen=True, slots=True)
class Side:
    """What one tower embeds of a batch: `embed` makes vectors (k, dim) of k of its `count` rows.

    `embed` must give the same vectors for the same rows and the same state of torch's generator.
    """

    count: int
    embed: Callable[[slice], Tensor]


Loss = Callable[[Sequence[Tensor]], Tensor]
"""Every side's vectors, all rows of the batch -> a number."""


@dataclass(frozen=True, slots=True)
class Passes:
    """How a batch goes through a model: in which processes, how many rows at a time, how precisely.

    `chunk` 0 takes all rows at once, and is exactly the plain way of writing it where there is one
    process; `precision` "bf16" is autocast.
    """

    ranks: Ranks
    chunk: int = 0
    precision: Literal["fp32", "bf16"] = "fp32"

    def backward(
        self, sides: Sequence[Side], loss_of: Loss, *, seed: int, own: Sequence[nn.Parameter] = ()
    ) -> Tensor:
        """Add the gradients of one batch's loss to the parameters', and return the loss.

        With several processes each has the gradients that flow through its own rows, and
        `Ranks.add_up` makes the whole of them. `own` are parameters of the loss itself, such as a
        temperature. What is random is drawn from `seed`; torch's generator is put back.
        """
        with torch.random.fork_rng(devices=self.ranks.generators):
            torch.manual_seed(seed)
            if self.chunk:
                return self._cached(sides, loss_of, seed=seed, own=own)
            if self.ranks.count > 1:
                return self._shared(sides, loss_of, own=own)
            with self.autocast():
                loss = loss_of([side.embed(slice(0, side.count)) for side in sides])
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def autocast(self) -> torch.autocast:
        """What towers and losses run in."""
        return torch.autocast(self.ranks.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def rows_at_hand(self, count: int) -> slice:
        """Which of a batch's `count` images this process embeds; no process may be without."""
        counts = _Plan(count, self.chunk, self.ranks).counts if self.chunk else self.ranks.counts(count)
        if not all(counts):
            how = f", in chunks of {self.chunk}," if self.chunk else ""
            less = " or a smaller chunk" if self.chunk else ""
            raise XemplarError(
                f"a batch of {count} studies{how} for {self.ranks.count} processes",
                wanted="at least one for each",
                remedy=f"start fewer processes, or take a larger batch{less}",
            )
        first = sum(counts[: self.ranks.number])
        return slice(first, first + counts[self.ranks.number])

    def _shared(self, sides: Sequence[Side], loss_of: Loss, *, own: Sequence[nn.Parameter]) -> Tensor:
        """Each process embeds its share of every side, with the draws of the whole batch."""
        kept, leaves = [], []
        for side in sides:
            rows, counts = self.ranks.share(side.count), self.ranks.counts(side.count)
            idle = rows.start == rows.stop
            # With nothing to embed it embeds a row for nothing: the generators have to stay in step.
            at = slice(0, 1) if idle else rows
            with self.ranks.drawn_as_whole(at, side.count), torch.set_grad_enabled(not idle), self.autocast():
                vectors = side.embed(at)[: counts[self.ranks.number]]
            leaf = self.ranks.gather(vectors.detach(), counts).requires_grad_()
            leaves.append(leaf)
            if not idle:
                kept.append((vectors, leaf, rows))
        loss = self._through(loss_of, leaves, own=own)
        # One walk back, so that every process meets the others in the same order.
        gradients = [_gradient(leaf)[rows] for _, leaf, rows in kept]
        torch.autograd.backward([vectors for vectors, _, _ in kept], gradients)
        return loss

    def _cached(
        self, sides: Sequence[Side], loss_of: Loss, *, seed: int, own: Sequence[nn.Parameter]
    ) -> Tensor:
        """Each process embeds its chunks of every side, twice; the draws follow from a chunk's place."""
        plans = [_Plan(side.count, self.chunk, self.ranks) for side in sides]

        def embed(number: int, place: int) -> Tensor:
            torch.manual_seed(seeded(seed, number, place))
            with self.autocast():
                return sides[number].embed(plans[number].rows(place))

        leaves = []
        with torch.no_grad():
            for number, plan in enumerate(plans):
                parts = [embed(number, place) for place in plan.mine]
                # With no chunk of its own, it embeds one to know how wide a vector is.
                vectors = torch.cat(parts) if parts else embed(number, 0)[:0]
                leaves.append(self.ranks.gather(vectors, plan.counts))
        loss = self._through(loss_of, [leaf.requires_grad_() for leaf in leaves], own=own)
        for number, (plan, leaf) in enumerate(zip(plans, leaves, strict=True)):
            for place in plan.mine:
                torch.autograd.backward(embed(number, place), _gradient(leaf)[plan.rows(place)])
        return loss

    def _through(self, loss_of: Loss, leaves: Sequence[Tensor], *, own: Sequence[nn.Parameter]) -> Tensor:
        """The loss over all vectors, its gradient in them, and in its own parameters but once over all."""
        with self.autocast():
            loss = loss_of(leaves)
        loss.backward(inputs=[*leaves, *(own if self.ranks.first else ())])  # type: ignore[no-untyped-call]
        return loss.detach()


class _Plan:
    """The chunks of a side's rows, and which of them are this process's."""

    def __init__(self, count: int, chunk: int, ranks: Ranks) -> None:
        self.count, self.chunk = count, chunk
        runs = [share(-(-count // chunk), number, ranks.count) for number in range(ranks.count)]
        self.mine = range(runs[ranks.number].start, runs[ranks.number].stop)
        self.counts = [min(run.stop * chunk, count) - min(run.start * chunk, count) for run in runs]

    def rows(self, place: int) -> slice:
        return slice(place * self.chunk, min((place + 1) * self.chunk, self.count))


def _gradient(leaf: Tensor) -> Tensor:
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
