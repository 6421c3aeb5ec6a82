"""A head's folder is what was saved, for the encoder it was taught on, or it is refused."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from xemplar.errors import MismatchError, XemplarError
from xemplar.folders import describe_file, publish
from xemplar.models.neighbours import NeighbourConfig, NeighbourHead, TorchAugmenter
from xemplar.models.neighbours_folder import Looks, open_neighbours, save_neighbours

LOOKS = Looks(sources=("image", "report"), count=3)


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.fixture
def head():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = NeighbourHead(NeighbourConfig(dim=8, findings=("Edema", "Fracture"), heads=2))
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        return made


@pytest.fixture
def folder(head, tmp_path):
    save_neighbours(tmp_path / "n", head, looks=LOOKS, facts={"encoder": "abc"})
    return tmp_path / "n"


def rewrite(folder, **changes):
    publish(folder, "neighbours.json", {**json.loads((folder / "neighbours.json").read_text()), **changes})


def test_an_opened_head_answers_as_the_saved_one(head, folder):
    asked = (drawn(1, 8), drawn(1, 6, 8, seed=1), np.array([[1, 1, 0, 1, 0, 0]], bool))
    opened = open_neighbours(folder, encoder="abc")
    for one, other in zip(opened.augment(*asked), TorchAugmenter(head).augment(*asked), strict=True):
        assert np.array_equal(one, other)


def test_it_says_whom_it_looks_at(folder):
    opened = open_neighbours(folder, encoder="abc")
    assert (opened.sources, opened.pick, opened.count) == (("image", "report"), "nearest", 3)
    assert opened.findings == ("Edema", "Fracture")


def test_an_answer_is_the_same_whoever_else_is_asked(folder):
    opened = open_neighbours(folder, encoder="abc")
    asked = (drawn(9, 8), drawn(9, 6, 8, seed=1), drawn(9, 6, seed=2) > 0)
    together = opened.augment(*asked)
    alone = opened.augment(*(part[4:5] for part in asked))
    assert np.array_equal(together[0][4:5], alone[0]) and np.array_equal(together[1][4:5], alone[1])


def test_another_encoder_is_refused_with_both_named(folder):
    with pytest.raises(MismatchError, match=r"vectors of encoder abc; wanted encoder xyz"):
        open_neighbours(folder, encoder="xyz")


def test_changed_weights_are_refused(folder):
    weights = load_file(folder / "weights.safetensors")
    save_file({name: value + 1 for name, value in weights.items()}, folder / "weights.safetensors")
    with pytest.raises(MismatchError, match=r"weights\.safetensors is missing or changed"):
        open_neighbours(folder, encoder="abc")


def test_misshapen_weights_are_refused(folder):
    path = folder / "weights.safetensors"
    save_file({**load_file(path), "norm.bias": torch.zeros(9)}, path)
    rewrite(folder, files={path.name: describe_file(path)})
    with pytest.raises(MismatchError, match=r"norm\.bias is \(9,\); wanted \(8,\)"):
        open_neighbours(folder, encoder="abc")


@pytest.mark.parametrize("changes", [{"looks": {"sources": ["lateral"], "count": 3}}, {"config": {"dim": 8}}])
def test_settings_that_no_head_has_are_refused(folder, changes):
    rewrite(folder, **changes)
    with pytest.raises(MismatchError, match="settings that no head has"):
        open_neighbours(folder, encoder="abc")


def test_a_folder_without_one_is_told(tmp_path):
    with pytest.raises(XemplarError, match=r"no neighbours\.json in it"):
        open_neighbours(tmp_path, encoder="abc")


def test_other_weights_are_another_fingerprint(head, folder, tmp_path):
    with torch.no_grad():
        head.norm.bias += 1
    save_neighbours(tmp_path / "other", head, looks=LOOKS, facts={"encoder": "abc"})
    prints = {open_neighbours(place, encoder="abc").fingerprint for place in (folder, tmp_path / "other")}
    assert len(prints) == 2
