"""Heads and pooling: by hand, by TxtRayAlign's numbers, and in a dual encoder."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from xemplar.models.blocks import ResidualProjection, decay_groups, masked_mean, projection
from xemplar.models.checkpoint import load_weights, save_weights
from xemplar.models.dual import DualEncoder


def test_the_residual_head_is_medclips():
    torch.manual_seed(0)
    head, features = ResidualProjection(6, 4).eval(), torch.randn(3, 6)
    nn.init.normal_(head.norm.weight)
    projected = features @ head.projection.weight.T + head.projection.bias
    gelu = projected * 0.5 * (1 + torch.erf(projected / 2**0.5))
    added = projected + gelu @ head.inner.weight.T + head.inner.bias
    centred = added - added.mean(1, keepdim=True)
    normed = centred / (added.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(head(features), normed * head.norm.weight + head.norm.bias)


def test_dropout_is_within_the_residual_head():
    head, features = ResidualProjection(6, 4, dropout=0.999).train(), torch.randn(3, 6)
    expected = functional.layer_norm(head.projection(features), (4,))
    torch.testing.assert_close(head(features), expected, atol=1e-4, rtol=1e-4)


def test_the_linear_head_has_no_bias():
    head = projection("linear", 5, 3)
    assert torch.equal(head(torch.zeros(2, 5)), torch.zeros(2, 3))


def test_the_mean_is_over_what_is_masked_in():
    states = torch.arange(12.0).view(2, 3, 2)
    mask = torch.tensor([[1, 0, 1], [0, 0, 0]])
    assert masked_mean(states, mask).tolist() == [[2.0, 3.0], [0.0, 0.0]]


@pytest.mark.shared
def test_txtrayaligns_masked_mean(golden):
    with np.load(golden / "txtrayalign_metrics" / "masked_mean_pool.npz", allow_pickle=False) as held:
        data = {name: torch.from_numpy(held[name]) for name in held}
    pooled = masked_mean(data["embedding"][data["input_ids"]], data["attention_mask"])
    torch.testing.assert_close(pooled, data["pooled"], atol=1e-6, rtol=1e-5)
    projected = pooled @ data["linear_weight"].T + data["linear_bias"]
    torch.testing.assert_close(projected, data["projected"], atol=1e-6, rtol=1e-5)


def test_a_dual_encoder_takes_residual_heads(settings, tmp_path):
    model = DualEncoder(settings(projection="residual")).eval()
    assert isinstance(model.image_projection, ResidualProjection)
    assert isinstance(model.text_projection, ResidualProjection)
    with torch.no_grad():
        vectors = model.image_vectors(torch.rand(2, 1, 32, 32))
        words = model.text_vectors(torch.tensor([[2, 7, 3]]), torch.ones(1, 3))
    for rows in (vectors, words):
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(len(rows)))
    save_weights(tmp_path / "weights.safetensors", model)
    other = DualEncoder(settings(projection="residual"))
    load_weights(tmp_path / "weights.safetensors", other)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())


def test_vectors_and_biases_are_not_decayed():
    model = nn.Module()
    model.weight = nn.Parameter(torch.zeros(2, 2))
    model.number = nn.Parameter(torch.zeros(()))
    model.vector = nn.Parameter(torch.zeros(3))
    model.layer = nn.Linear(2, 2)
    model.frozen = nn.Parameter(torch.zeros(2, 2), requires_grad=False)
    free, decayed = decay_groups(model, 0.02)
    assert {id(part) for part in free["params"]} == {id(model.vector), id(model.layer.bias)}
    assert {id(part) for part in decayed["params"]} == {
        id(model.weight), id(model.number), id(model.layer.weight),
    }  # fmt: skip
    assert (free["weight_decay"], decayed["weight_decay"]) == (0.0, 0.02)
