"""A model folder is what was saved, or it is refused."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from xemplar.errors import MismatchError, XemplarError
from xemplar.models.checkpoint import load_weights, open_model, save_model, save_weights
from xemplar.models.dual import DualEncoder

FACTS = {"domain": "synthetic", "preview_fingerprint": "abc", "trained_on": {"pairs": 5}}


@pytest.fixture
def folder(encoder, tmp_path):
    save_model(tmp_path / "model", encoder.model, encoder.tokenizer, recipe='name = "tiny"', facts=FACTS)
    return tmp_path / "model"


def test_a_saved_model_gives_the_same_image_vectors(encoder, folder, images):
    assert np.array_equal(open_model(folder).encode_images(images), encoder.encode_images(images))


def test_a_saved_model_gives_the_same_text_vectors(encoder, folder):
    texts = ["Small left pleural effusion.", "", "unheard-of w\u00f6rds 3.5 cm"]
    assert np.array_equal(open_model(folder).encode_texts(texts), encoder.encode_texts(texts))


def test_the_facts_are_kept(folder):
    opened = open_model(folder)
    assert (opened.domain, opened.preview, opened.manifest["trained_on"]) == (
        "synthetic", "abc", {"pairs": 5},
    )  # fmt: skip


def test_the_same_model_has_the_same_fingerprint(folder):
    assert open_model(folder).fingerprint == open_model(folder).fingerprint


def test_other_weights_have_another_fingerprint(settings, encoder, folder, tmp_path):
    save_model(
        tmp_path / "b", DualEncoder(settings()), encoder.tokenizer, recipe='name = "tiny"', facts=FACTS
    )
    assert open_model(tmp_path / "b").fingerprint != open_model(folder).fingerprint


@pytest.mark.parametrize("name", ["weights.safetensors", "recipe.toml", "tokenizer/tokenizer.json"])
def test_a_changed_file_is_refused(folder, name):
    path = folder / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(MismatchError, match=rf"{name} is missing or changed"):
        open_model(folder)


@pytest.mark.parametrize("name", ["weights.safetensors", "recipe.toml", "tokenizer/tokenizer.json"])
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(MismatchError, match=rf"{name} is missing or changed"):
        open_model(folder)


def test_another_version_is_refused(folder):
    manifest = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**manifest, "version": 99}))
    with pytest.raises(MismatchError, match="model of version 99; wanted version 1"):
        open_model(folder)


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(XemplarError, match="`xemplar train` makes one"):
        open_model(tmp_path)


@pytest.fixture
def weights(encoder, tmp_path):
    save_weights(tmp_path / "weights.safetensors", encoder.model)
    return tmp_path / "weights.safetensors"


def _rewrite(path, change):
    held = load_file(path)
    change(held)
    save_file(held, path)


def test_a_missing_weight_is_named(encoder, weights):
    _rewrite(weights, lambda held: held.pop("image_projection.1.weight"))
    with pytest.raises(MismatchError, match=r"1 weights don't fit; image_projection\.1\.weight is missing"):
        load_weights(weights, encoder.model)


def test_an_unexpected_weight_is_named(encoder, weights):
    _rewrite(weights, lambda held: held.update({"zz": torch.zeros(2)}))
    with pytest.raises(MismatchError, match=r"1 weights don't fit; zz is \(2,\); wanted no such weight"):
        load_weights(weights, encoder.model)


def test_a_misshapen_weight_is_named(encoder, weights):
    _rewrite(weights, lambda held: held.update({"image_projection.1.weight": torch.zeros(3, 3)}))
    with pytest.raises(MismatchError, match=r"image_projection\.1\.weight is \(3, 3\); wanted \(8, 8\)"):
        load_weights(weights, encoder.model)


@pytest.mark.parametrize("length", [0, 5, 200, -1])
def test_a_truncated_weights_file_is_one_error(encoder, weights, length):
    weights.write_bytes(weights.read_bytes()[:length])
    with pytest.raises(XemplarError, match="weights can't be read"):
        load_weights(weights, encoder.model)


def test_no_weights_file_is_one_error(encoder, tmp_path):
    with pytest.raises(XemplarError, match="weights can't be read"):
        load_weights(tmp_path / "none.safetensors", encoder.model)


def test_saving_leaves_no_temporary_file(weights):
    assert [path.name for path in weights.parent.iterdir()] == ["weights.safetensors"]
