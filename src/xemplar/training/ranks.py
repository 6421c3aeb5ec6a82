"""Several processes that train one model: who takes which rows, and how vectors and gradients meet.

`torchrun` starts them and Accelerate joins them; neither is needed, nor imported, for one process.
Knows tensors and rows; knows nothing of models or losses. What is random is drawn for the whole batch
by every process, which then takes its own rows, so that the numbers are those of a single one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode


def started() -> Ranks:
    """The processes that `torchrun` started, joined; one, where it didn't."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return Ranks()
    from accelerate import PartialState  # takes seconds, and one process needs none of it

    state = PartialState(cpu=not torch.cuda.is_available())
    return Ranks(state.process_index, state.num_processes, device=state.device)


class Ranks:
    """The processes, and which of them it is: its number, how many there are, and where its tensors lie."""

    def __init__(self, number: int = 0, count: int = 1, *, device: torch.device | None = None) -> None:
        self.number, self.count = number, count
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.number == 0

    @property
    def generators(self) -> list[torch.device]:
        """Devices whose generators are to be put back, besides the CPU's."""
        return [] if self.device.type == "cpu" else [self.device]

    def share(self, count: int) -> slice:
        """Which of so many rows are this process's: a run of them, evenly."""
        return share(count, self.number, self.count)

    def counts(self, count: int) -> list[int]:
        """How many of so many rows each process has."""
        runs = [share(count, number, self.count) for number in range(self.count)]
        return [run.stop - run.start for run in runs]

    def gather(self, rows: Tensor, counts: Sequence[int]) -> Tensor:
        """Every process's rows in order, (sum of counts, ...); `counts` has each process's number of rows."""
        if self.count == 1:
            return rows
        from accelerate.utils import gather

        most = max(counts)
        padded = rows.new_zeros((most, *rows.shape[1:]))
        padded[: len(rows)] = rows
        every = gather(padded).view(self.count, most, *rows.shape[1:])
        return torch.cat([every[number, :count] for number, count in enumerate(counts)])

    def add_up(self, parameters: Iterable[nn.Parameter]) -> None:
        """Make each parameter's gradient the sum of all processes'."""
        if self.count == 1:
            return
        from accelerate.utils import reduce

        learnt = [one for one in parameters if one.requires_grad]
        flat = torch.cat([
            (one.grad if one.grad is not None else torch.zeros_like(one)).flatten().float() for one in learnt
        ])  # fmt: skip
        summed = reduce(flat, reduction="sum")
        for one, gradient in zip(learnt, summed.split([one.numel() for one in learnt]), strict=True):
            one.grad = gradient.view_as(one).to(one.dtype)

    def wait(self) -> None:
        """Until every process is here."""
        if self.count > 1:
            from accelerate import PartialState

            PartialState().wait_for_everyone()

    def agreed(self, said: bool) -> bool:
        """What the first process says."""
        if self.count == 1:
            return said
        from accelerate.utils import broadcast

        return bool(broadcast(torch.tensor([float(said)], device=self.device)).item())

    def drawn_as_whole(self, rows: slice, count: int) -> AbstractContextManager[object]:
        """Within it, dropout of these rows draws what it would have drawn in the batch of `count`."""
        if self.count == 1 or self.device.type != "cpu":
            return nullcontext()
        return _Whole(rows, count)

    def alone(self, work: Callable[[], AbstractContextManager[None]]) -> AbstractContextManager[None]:
        """The first process's own context, such as a lock; nothing in the others."""
        return work() if self.first else nullcontext()


def share(count: int, number: int, of: int) -> slice:
    """Run `number` of `of` runs of `count` rows, whose lengths differ by one at most."""
    return slice(count * number // of, count * (number + 1) // of)


def seeded(*numbers: int) -> int:
    """A generator's seed that follows from some numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


class _Whole(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Draws the mask of a whole batch wherever rows of it ask for theirs.

    Below autograd a CPU's dropout, within attention too, is `bernoulli_` on a tensor like its input.
    """

    def __init__(self, rows: slice, count: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.first, self.own, self.whole = rows.start, rows.stop - rows.start, count

    def __torch_dispatch__(self, func: Any, types: Any, *given: Any) -> Any:  # noqa: ANN401
        """Every operation as it is, but for that one."""
        args, words = given[0], given[1] or {}
        if func is not torch.ops.aten.bernoulli_.float or args[0].shape[0] % self.own:
            return func(*args, **words)
        mask, each = args[0], args[0].shape[0] // self.own
        drawn = mask.new_empty((self.whole * each, *mask.shape[1:]))
        func(drawn, *args[1:], **words)
        return mask.copy_(drawn[self.first * each : (self.first + self.own) * each])


class _Sum(torch.autograd.Function):
    """The sum over processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # noqa: ANN401
        return _summed(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        return _summed(gradients[0])


def _summed(values: Tensor) -> Tensor:
    from accelerate.utils import reduce

    return torch.as_tensor(reduce(values.contiguous(), reduction="sum"))


class SharedBatchNorm(nn.BatchNorm2d):
    """BatchNorm over the rows of every process, for any device; torch's own is for GPUs alone."""

    def forward(self, input: Tensor) -> Tensor:
        """(n, channels, height, width), n this process's rows -> the same."""
        if not self.training or self.momentum is None or self.running_mean is None:
            return torch.as_tensor(super().forward(input))
        assert self.running_var is not None
        values = input.float()
        number = _summed(values.new_tensor([values.numel() / values.shape[1]]))
        mean = _Sum.apply(values.sum((0, 2, 3))) / number  # type: ignore[no-untyped-call]
        offset = values - mean.view(1, -1, 1, 1)
        variance = _Sum.apply(offset.square().sum((0, 2, 3))) / number  # type: ignore[no-untyped-call]
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (number / (number - 1)), self.momentum)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
        found = offset * torch.rsqrt(variance + self.eps).view(1, -1, 1, 1)
        if self.affine:
            found = found * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        return torch.as_tensor(found.to(input.dtype))
