"""Chunks against TxtRayAlign's micro-batches: its encoders' gradients, and a batch that breaks it."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from xemplar.training.cached import Passes, Side
from xemplar.training.objectives.contrastive import info_nce
from xemplar.training.ranks import Ranks


def held(golden, name):
    with np.load(golden / "txtrayalign_metrics" / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


def step(data, chunk):
    """The loss and every gradient, as the training loop makes them."""
    towers = {kind: nn.Linear(*data[f"student.{kind}.weight"].T.shape) for kind in ("img", "txt")}
    for kind, tower in towers.items():
        state = {name: data[f"student.{kind}.{name}"] for name in ("weight", "bias")}
        tower.load_state_dict(state)
    log_scale = nn.Parameter(data["logit_scale_before"].clone())
    inputs = {"img": data["x_image"], "txt": data["x_text"]}
    sides = [
        Side(len(inputs[kind]), lambda rows, kind=kind: normalize(towers[kind](inputs[kind][rows]), dim=1))
        for kind in towers
    ]
    right = torch.eye(len(data["x_image"]), dtype=torch.bool)
    loss = Passes(Ranks(device=torch.device("cpu")), chunk).backward(
        sides, lambda both: info_nce(*both, right, scale=log_scale.exp()), seed=0, own=[log_scale]
    )
    found = {f"{kind}.{name}": one.grad for kind in towers for name, one in towers[kind].named_parameters()}
    return loss, {**found, "logit_scale": log_scale.grad}


def close(found, wanted):
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.shared
@pytest.mark.parametrize(("name", "theirs"), [("infonce_full", 10.554), ("infonce_microbatch4", 21.108)])
def test_chunks_have_txtrayaligns_gradients_and_the_true_one_of_its_scale(golden, name, theirs):
    """Theirs of the scale is too large by twice the number of micro-batches."""
    data = held(golden, name)
    loss, found = step(data, int(data["minibatch_size"]))
    close(loss, data["train_loss"])
    for key in ("img.weight", "img.bias", "txt.weight", "txt.bias"):
        close(found[key], data[f"grad.{key}"])
    assert float(data["grad.logit_scale"]) == pytest.approx(theirs, abs=1e-3)
    assert float(found["logit_scale"]) == pytest.approx(5.277, abs=1e-3)


@pytest.mark.shared
def test_a_batch_that_chunks_dont_divide_breaks_txtrayalign_and_is_the_whole_batch_here(golden):
    data, name = held(golden, "infonce_uneven_crash"), "infonce_uneven_crash"
    told = json.loads((golden / "txtrayalign_metrics" / "infonce_errors.json").read_text())
    assert told[name].startswith("RuntimeError: The expanded size of the tensor (4) must match")
    size = int(data["minibatch_size"])
    assert len(data["x_image"]) % size
    loss, found = step(data, size)
    close(loss, data["val_loss"])  # theirs, of the batch at once
    for key, gradient in step(data, 0)[1].items():
        torch.testing.assert_close(found[key], gradient, rtol=1e-5, atol=1e-6)
