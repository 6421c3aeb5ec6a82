"""A batch embedded chunk by chunk has the whole batch's loss and gradients, dropout's draws included."""

import copy
from itertools import accumulate

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from xemplar.errors import XemplarError
from xemplar.training.cached import Passes, Side
from xemplar.training.objectives.contrastive import info_nce
from xemplar.training.ranks import Ranks


class Two(nn.Module):
    """Two small towers with dropout, and a scale."""

    def __init__(self, dropout):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.towers = nn.ModuleList(
                nn.Sequential(nn.Linear(width, 24), nn.GELU(), nn.Dropout(dropout), nn.Linear(24, 8))
                for width in (12, 20)
            )
        self.log_scale = nn.Parameter(torch.tensor(2.0))


GENERATOR = torch.Generator().manual_seed(3)
IMAGES = torch.randn(23, 12, generator=GENERATOR)
TEXTS = torch.randn(31, 20, generator=GENERATOR)
RIGHT = torch.rand(23, 31, generator=GENERATOR) < 0.1


def sides_of(model, asked=None):
    def embed(tower, inputs, rows):
        if asked is not None:
            asked.append(rows.stop - rows.start)
        return nn.functional.normalize(tower(inputs[rows]), dim=-1)

    return [
        Side(len(inputs), lambda rows, tower=tower, inputs=inputs: embed(tower, inputs, rows))
        for tower, inputs in zip(model.towers, (IMAGES, TEXTS), strict=True)
    ]


def loss_of(model):
    return lambda vectors: info_nce(vectors[0], vectors[1], RIGHT, scale=model.log_scale.exp())


def found(model, *, chunk=0, seed=7, asked=None):
    """The loss, and every parameter's gradient."""
    model = copy.deepcopy(model).train()
    passes = Passes(Ranks(device=torch.device("cpu")), chunk)
    loss = passes.backward(sides_of(model, asked), loss_of(model), seed=seed, own=[model.log_scale])
    return loss, [one.grad for one in model.parameters()]


def close(one, other):
    torch.testing.assert_close(one[0], other[0], rtol=1e-5, atol=1e-6)
    for gradient, wanted in zip(one[1], other[1], strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("chunk", [1, 5, 23, 31, 64])
def test_without_dropout_any_chunk_has_the_plain_batchs_gradients(chunk):
    close(found(Two(0.0), chunk=chunk), found(Two(0.0)))


@pytest.mark.parametrize("chunk", [1, 5, 64])
def test_with_dropout_the_gradients_are_those_of_one_graph_with_the_same_draws(chunk, monkeypatch):
    """The oracle keeps every chunk's first graph, and goes through all of them at once."""
    model = Two(0.4)
    cached = found(model, chunk=chunk)
    whole = copy.deepcopy(model).train()
    pieces, real = [], torch.manual_seed
    seeds = []
    monkeypatch.setattr(torch, "manual_seed", lambda seed: (seeds.append(seed), real(seed))[1])
    found(model, chunk=chunk)
    monkeypatch.undo()
    first = seeds[1 : 1 + (len(seeds) - 1) // 2]  # one for the batch, then each chunk's, twice
    assert first == seeds[1 + len(first) :] and len(set(first)) == len(first)
    with torch.random.fork_rng(devices=[]):
        for side in sides_of(whole):
            parts = []
            for start in range(0, side.count, chunk):
                torch.manual_seed(first.pop(0))
                parts.append(side.embed(slice(start, min(start + chunk, side.count))))
            pieces.append(torch.cat(parts))
    loss = loss_of(whole)(pieces)
    loss.backward()
    close(cached, (loss.detach(), [one.grad for one in whole.parameters()]))


def test_dropout_is_on():
    assert found(Two(0.4), chunk=5)[0] != found(Two(0.4), chunk=5, seed=8)[0]


def test_plain_is_the_plain_way_of_writing_it_to_the_bit():
    model = Two(0.4)
    whole = copy.deepcopy(model).train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        loss = loss_of(whole)([side.embed(slice(0, side.count)) for side in sides_of(whole)])
    loss.backward()
    value, gradients = found(model)
    assert torch.equal(value, loss.detach())
    assert all(torch.equal(a, b.grad) for a, b in zip(gradients, whole.parameters(), strict=True))


def test_no_more_rows_than_a_chunk_are_embedded_at_once_and_each_twice():
    asked = []
    found(Two(0.0), chunk=5, asked=asked)
    assert max(asked) == 5 and sum(asked) == 2 * (23 + 31)


def test_gradients_add_up_over_batches():
    model = Two(0.0).train()
    passes = Passes(Ranks(device=torch.device("cpu")), 5)
    for _ in range(2):
        passes.backward(sides_of(model), loss_of(model), seed=7, own=[model.log_scale])
    once = found(Two(0.0))[1]
    for one, single in zip(model.parameters(), once, strict=True):
        torch.testing.assert_close(one.grad, 2 * single, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("chunk", [0, 5])
def test_the_global_generator_is_left_alone(chunk):
    before = torch.random.get_rng_state()
    found(Two(0.4), chunk=chunk)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(("chunk", "number", "rows"), [
    (0, 0, (0, 3)), (0, 1, (3, 7)), (2, 0, (0, 4)), (2, 1, (4, 7)), (6, 0, (0, 6)), (6, 1, (6, 7)),
])  # fmt: skip
def test_each_process_has_its_own_images(chunk, number, rows):
    passes = Passes(Ranks(number, 2, device=torch.device("cpu")), chunk)
    assert passes.rows_at_hand(7) == slice(*rows)


@pytest.mark.parametrize(("chunk", "said"), [
    (0, "a batch of 2 studies for 3 processes; wanted at least one for each; start fewer"),
    (1, "a batch of 2 studies, in chunks of 1, for 3 processes; .* or a smaller chunk"),
])  # fmt: skip
def test_a_process_without_an_image_is_refused(chunk, said):
    passes = Passes(Ranks(2, 3, device=torch.device("cpu")), chunk)
    with pytest.raises(XemplarError, match=said):
        passes.rows_at_hand(2)


def peak(batch, chunk):
    """The most bytes that a step holds at a time, from torch's own allocation events."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [part for _ in range(8) for part in (nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())]
        tower = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        words = nn.Linear(6, 8)
        images, texts = torch.randn(batch, 1, 24, 24), torch.randn(batch, 6)
    sides = [Side(batch, lambda rows: tower(images[rows])), Side(batch, lambda rows: words(texts[rows]))]
    right, scale = torch.eye(batch, dtype=torch.bool), torch.tensor(5.0)
    passes = Passes(Ranks(device=torch.device("cpu")), chunk)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        passes.backward(sides, lambda both: info_nce(both[0], both[1], right, scale=scale), seed=1)
    events = [one for one in record.profiler.kineto_results.events() if one.name() == "[memory]"]
    held = [one.nbytes() for one in sorted(events, key=lambda one: one.start_ns())]
    return max(accumulate(held))


def test_a_batch_of_512_takes_the_memory_of_32():
    few = peak(32, 0)
    assert peak(512, 0) > 10 * few
    assert peak(512, 32) <= 1.3 * few
