"""BatchNorm in training: frozen, refused, or shared by processes under its own names."""

import copy

import pytest
import torch
from torch import nn

from xemplar.errors import XemplarError
from xemplar.models.blocks import group_norms
from xemplar.training.norms import batch_norms, freeze, refuse_chunks, share_statistics
from xemplar.training.ranks import SharedBatchNorm


@pytest.fixture
def model():
    return nn.Sequential(
        nn.Conv2d(1, 24, 3), nn.Sequential(nn.BatchNorm2d(24), nn.ReLU()), nn.BatchNorm2d(24)
    )


IMAGES = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_chunks_with_batch_norm_are_refused_with_the_remedy(model):
    with pytest.raises(
        XemplarError, match=r'BatchNorm \(2 of it, 1\.0 first\).* set model\.image\.norm = "group"'
    ):
        refuse_chunks(model)


def test_frozen_statistics_stay_and_weights_learn(model):
    model.train()
    freeze(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model(IMAGES).square().sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model[2].weight.grad is not None and model[2].weight.requires_grad


def test_group_norm_takes_its_place_and_its_weights(model):
    nn.init.constant_(model[2].weight, 3.0)
    group_norms(model)
    assert batch_norms(model) == []
    refuse_chunks(model)
    assert isinstance(model[1][0], nn.GroupNorm) and model[1][0].num_groups == 3
    assert (model[2].weight == 3.0).all()


@pytest.mark.parametrize(("channels", "groups"), [(4, 1), (8, 1), (20, 2), (21, 1), (192, 24), (2048, 32)])
def test_groups_divide_the_channels(channels, groups):
    model = nn.Sequential(nn.BatchNorm2d(channels))
    group_norms(model)
    assert model[0].num_groups == groups


def test_with_groups_a_row_depends_on_itself_alone(model):
    group_norms(model)
    torch.testing.assert_close(model.train()(IMAGES)[:1], model(IMAGES[:1]))


def test_shared_statistics_keep_names_and_values(model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    share_statistics(model)
    assert isinstance(model[1][0], SharedBatchNorm)
    found = model.state_dict()
    assert list(found) == list(before) and all(torch.equal(found[name], before[name]) for name in before)


def test_in_one_process_shared_is_torchs_own(model, monkeypatch):
    """Output, gradients and running statistics, training and not."""
    other = copy.deepcopy(model)
    share_statistics(other)
    monkeypatch.setattr("xemplar.training.ranks._summed", lambda values: values.clone())
    for mode in (True, False):
        one, two = model.train(mode)(IMAGES), other.train(mode)(IMAGES)
        torch.testing.assert_close(two, one, rtol=1e-5, atol=1e-5)
        (one**3).sum().backward()
        (two**3).sum().backward()
    for (name, value), (_, wanted) in zip(
        other.state_dict().items(), model.state_dict().items(), strict=True
    ):
        torch.testing.assert_close(value, wanted, rtol=1e-5, atol=1e-6, msg=name)
    for value, wanted in zip(other.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(value.grad, wanted.grad, rtol=1e-4, atol=1e-3)
