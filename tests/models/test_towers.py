"""Where a tower's weights come from, and what is refused instead of made up."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from xemplar.errors import XemplarError
from xemplar.models.checkpoint import TorchEncoder, open_model, save_model
from xemplar.models.dual import DualEncoder, _pool_image
from xemplar.models.tokenizer import load_tokenizer

FACTS = {"domain": "clinical", "preview_fingerprint": None}


def from_folder(settings, hub, image="resnet", **rest):
    return settings(
        image={"config": None, "pretrained": str(hub / image), **rest},
        text={"config": None, "pretrained": str(hub / "bert")},
    )


@pytest.mark.parametrize("image", ["resnet", "vit"])
def test_an_image_tower_has_its_checkpoints_weights(settings, hub, originals, image):
    weights = DualEncoder(from_folder(settings, hub, image)).image_tower.state_dict()
    for name, value in originals[image].state_dict().items():
        assert torch.equal(weights[name], value), name


def test_a_text_tower_has_its_checkpoints_weights(settings, hub, originals):
    weights = DualEncoder(from_folder(settings, hub)).text_tower.state_dict()
    held = originals["bert"].state_dict()
    assert set(held) - set(weights) == {"pooler.dense.weight", "pooler.dense.bias"}
    assert all(torch.equal(weights[name], held[name]) for name in weights)


@pytest.mark.parametrize("image", ["resnet", "vit"])
def test_a_saved_model_never_looks_for_its_origin_again(settings, hub, tmp_path, images, image):
    origin = shutil.copytree(hub, tmp_path / "hub")
    model = DualEncoder(from_folder(settings, origin, image))
    tokenizer = load_tokenizer(origin / "bert")
    save_model(tmp_path / "model", model, tokenizer, recipe="", facts=FACTS)
    before = TorchEncoder(model, tokenizer, {**FACTS, "files": {}})
    shutil.rmtree(origin)
    after = open_model(tmp_path / "model")
    assert np.array_equal(before.encode_images(images), after.encode_images(images))
    assert np.array_equal(before.encode_texts(["clear lungs"]), after.encode_texts(["clear lungs"]))


def _changed(hub, tmp_path, change):
    folder = shutil.copytree(hub / "resnet", tmp_path / "resnet")
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_a_weight_that_the_checkpoint_lacks_is_an_error(settings, hub, tmp_path):
    name = "embedder.embedder.convolution.weight"
    folder = _changed(hub, tmp_path, lambda weights: weights.pop(name))
    with pytest.raises(XemplarError, match=rf"1 weights are not in the checkpoint; the first is {name}"):
        DualEncoder(settings(image={"config": None, "pretrained": str(folder)}))


def test_a_misshapen_weight_in_a_checkpoint_is_an_error(settings, hub, tmp_path):
    name = "embedder.embedder.convolution.weight"
    folder = _changed(hub, tmp_path, lambda weights: weights.update({name: torch.zeros(2, 2)}))
    said = rf"can't be loaded \(1 weights are of another shape: {name}\)"
    with pytest.raises(XemplarError, match=said):
        DualEncoder(settings(image={"config": None, "pretrained": str(folder)}))


def _cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    "spoil",
    [
        _cut,
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "config.json").write_text("{"),
        lambda folder: (folder / "config.json").write_text("{}"),
    ],
    ids=["cut weights", "no weights", "broken config", "no kind of model"],
)
def test_a_folder_that_cant_be_loaded_is_told_in_a_line(settings, hub, tmp_path, spoil):
    folder = shutil.copytree(hub / "resnet", tmp_path / "resnet")
    spoil(folder)
    with pytest.raises(XemplarError, match=r"backbone '.*resnet' can't be loaded \(.+\)") as caught:
        DualEncoder(settings(image={"config": None, "pretrained": str(folder)}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["no-such/model", "./no/such/folder"])
def test_a_name_that_isnt_in_the_cache_is_refused_without_asking_the_net(
    settings, monkeypatch, tmp_path, name
):
    def never(*_args, **_kwargs):
        raise AssertionError("the net was asked")

    monkeypatch.setattr("socket.getaddrinfo", never)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(XemplarError, match="can't be loaded"):
        DualEncoder(settings(image={"config": None, "pretrained": name}))


def test_a_config_without_a_kind_of_model_is_refused(settings):
    with pytest.raises(XemplarError, match="no model_type"):
        DualEncoder(settings(image={"config": {"hidden_sizes": [8]}}))


@pytest.mark.parametrize("config", [{"model_type": "bertt"}, {"model_type": "bert", "hidden_size": "a"}])
def test_a_config_that_cant_be_built_is_refused(settings, config):
    with pytest.raises(XemplarError, match="can't be loaded"):
        DualEncoder(settings(text={"config": config}))


def test_a_tower_without_an_origin_is_refused(settings):
    with pytest.raises(ValueError, match="a tower needs"):
        settings(image={"config": None})


@pytest.mark.parametrize("grid", [1, 2, 4])
@pytest.mark.parametrize(("pool", "best"), [("mean", np.mean), ("max", np.max)])
def test_pooling_by_cell(settings, pool, best, grid):
    hidden = torch.randn(3, 5, 8, 8, generator=torch.Generator().manual_seed(0))
    found = _pool_image(hidden, settings(image={"pool": pool, "grid": grid}).image).numpy()
    side = 8 // grid
    wanted = np.empty((3, 5, grid, grid), np.float32)
    for y in range(grid):
        for x in range(grid):
            cell = hidden[:, :, y * side : (y + 1) * side, x * side : (x + 1) * side].numpy()
            wanted[:, :, y, x] = best(cell, axis=(2, 3))
    np.testing.assert_allclose(found, wanted.reshape(3, -1), rtol=1e-5, atol=1e-6)


def test_a_transformers_patches_are_pooled_without_its_first_token(settings):
    hidden = torch.randn(2, 1 + 16, 6)
    found = _pool_image(hidden, settings(image={"pool": "mean"}).image)
    torch.testing.assert_close(found, hidden[:, 1:].mean(1))


def test_cls_takes_a_transformers_first_token(settings):
    hidden = torch.randn(2, 1 + 16, 6)
    assert torch.equal(_pool_image(hidden, settings(image={"pool": "cls"}).image), hidden[:, 0])


def test_cls_with_a_convolutional_tower_is_refused(settings):
    with pytest.raises(XemplarError, match="pool = cls with a convolutional"):
        _pool_image(torch.zeros(1, 4, 2, 2), settings(image={"pool": "cls"}).image)


@pytest.mark.parametrize(("pool", "grid", "width"), [("mean", 1, 16), ("max", 2, 64), ("cls", 2, 16)])
def test_a_projection_is_as_wide_as_what_is_pooled(settings, hub, pool, grid, width):
    model = DualEncoder(from_folder(settings, hub, "vit", pool=pool, grid=grid))
    assert model.image_projection[1].in_features == width
    assert model.image_vectors(torch.zeros(2, 1, 32, 32)).shape == (2, 8)


def test_left_and_right_stay_apart_on_a_grid(settings):
    model = DualEncoder(settings(image={"grid": 2})).eval()
    image = torch.zeros(1, 1, 32, 32)
    image[..., :16] = 1.0
    with torch.no_grad():
        assert not torch.allclose(model.image_vectors(image), model.image_vectors(image.flip(-1)), atol=1e-3)


@pytest.mark.parametrize(
    ("tower", "values", "named"),
    [
        ("image", {"mean": (0.1, 0.2)}, r"model\.image\.mean has 2 values; wanted 1 or 1"),
        ("text", {"max_tokens": 512}, r"model\.text\.max_tokens is 512; wanted at most"),
    ],
)
def test_settings_that_a_backbone_cannot_take_are_refused(settings, tower, values, named):
    with pytest.raises(XemplarError, match=named):
        DualEncoder(settings(**{tower: values}))


def test_an_input_of_another_size_than_the_transformers_is_refused(settings):
    vit = {"model_type": "vit", "image_size": 64, "patch_size": 16, "num_channels": 1, "hidden_size": 8}
    vit |= {"num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    with pytest.raises(XemplarError, match=r"model\.image\.input_size is 32; wanted 64"):
        DualEncoder(settings(image={"config": vit, "pool": "cls"}))
