"""Hugging Face folders: CLIP and SigLIP whole, and single towers as halves of a dual encoder."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    CLIPConfig,
    CLIPModel,
    ConvNextConfig,
    ConvNextModel,
    Dinov2Config,
    Dinov2Model,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
    ViTConfig,
    ViTModel,
)

from xemplar.errors import MismatchError, XemplarError
from xemplar.models.checkpoint import open_model, save_model
from xemplar.models.checkpoints.folder import Choices, import_checkpoint
from xemplar.models.checkpoints.huggingface import resized
from xemplar.models.dual import DualEncoder
from xemplar.models.tokenizer import load_tokenizer, train_wordpiece

SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48}
TEXTS = ["no effusion", "small left effusion", "", "lungs " * 40]


@pytest.fixture(scope="module")
def words():
    trained = train_wordpiece(["no effusion", "small left effusion of the lungs"], 90)
    return PreTrainedTokenizerFast(
        tokenizer_object=trained.backend_tokenizer, pad_token="[PAD]", eos_token="[SEP]", unk_token="[UNK]"
    )


@pytest.fixture(scope="module")
def duals(tmp_path_factory, words):
    """A CLIP and a SigLIP as `save_pretrained` leaves them, with their words and image settings."""
    text = {**SMALL, "vocab_size": 100, "max_position_embeddings": 24}
    image = {**SMALL, "image_size": 32, "patch_size": 8}
    made = {
        "clip": CLIPModel(
            CLIPConfig(
                text_config={**text, "eos_token_id": words.eos_token_id, "projection_dim": 12},
                vision_config={**image, "projection_dim": 12},
                projection_dim=12,
            )
        ),
        "siglip": SiglipModel(SiglipConfig(text_config=text, vision_config=image)),
    }
    folder = tmp_path_factory.mktemp("duals")
    for name, model in made.items():
        with torch.no_grad():
            for value in model.parameters():
                value.add_(torch.randn(value.shape, generator=torch.Generator().manual_seed(7)) * 0.05)
        model.eval().save_pretrained(folder / name)
        words.save_pretrained(folder / name)
        said = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.3], "resample": 2}
        (folder / name / "preprocessor_config.json").write_text(json.dumps(said))
    return folder, made


def _pixels(images, size):
    from PIL import Image as Picture

    rows = []
    for image in images:
        grey = Picture.fromarray(np.rint(image * 255).astype(np.uint8)).resize(
            (size, size), Picture.Resampling.BILINEAR
        )
        rows.append(np.repeat(np.asarray(grey, np.float32)[None] / 255, 3, axis=0))
    mean, std = np.array([0.5, 0.4, 0.3]), np.array([0.2, 0.25, 0.3])
    made = (np.stack(rows) - mean[:, None, None]) / std[:, None, None]
    return torch.from_numpy(made.astype(np.float32))


def _close(found, wanted):
    wanted = torch.nn.functional.normalize(wanted, dim=-1).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_vectors_are_those_of_transformers(duals, words, tmp_path, images, name):
    folder, made = duals
    import_checkpoint(folder / name, tmp_path / "model")
    encoder, model = open_model(tmp_path / "model"), made[name]
    with torch.inference_mode():
        image = model.vision_model(_pixels(images[:5], 32)).pooler_output
        _close(
            encoder.encode_images(images[:5]), image if name == "siglip" else model.visual_projection(image)
        )
        padded = {"padding": "max_length", "truncation": True, "max_length": 24, "return_tensors": "pt"}
        ids = words(TEXTS, **padded)
        if name == "siglip":
            _close(encoder.encode_texts(TEXTS), model.text_model(ids["input_ids"]).pooler_output)
        else:
            text = model.text_model(ids["input_ids"], ids["attention_mask"]).pooler_output
            _close(encoder.encode_texts(TEXTS), model.text_projection(text))


def test_words_whose_class_needs_another_library_are_read_from_their_file(duals, tmp_path):
    folder = shutil.copytree(duals[0] / "siglip", tmp_path / "siglip")
    said = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**said, "tokenizer_class": "SiglipTokenizer"}))
    vectors = []
    for name, place in (("a", duals[0] / "siglip"), ("b", folder)):
        import_checkpoint(place, tmp_path / name)
        vectors.append(open_model(tmp_path / name).encode_texts(TEXTS))
    assert np.array_equal(*vectors)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(XemplarError, match=r"needs another library; wanted a tokenizer\.json"):
        import_checkpoint(folder, tmp_path / "c")


def test_settings_that_cant_be_are_named(duals, tmp_path):
    folder = shutil.copytree(duals[0] / "clip", tmp_path / "clip")
    (folder / "preprocessor_config.json").write_text('{"image_mean": [0.1, 0.2]}')
    with pytest.raises(MismatchError, match="mean has 2 values; wanted 1 or 3"):
        import_checkpoint(folder, tmp_path / "model")


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_logits_are_those_of_transformers(duals, tmp_path, name):
    folder, made = duals
    import_checkpoint(folder / name, tmp_path / "model")
    towers, model = open_model(tmp_path / "model").model, made[name]
    eos = 3
    tokens = torch.randint(5, 90, (3, 24), generator=torch.Generator().manual_seed(1))
    tokens[:, -1] = eos
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        wanted = model(input_ids=tokens, pixel_values=pixels).logits_per_image
        found = towers.logits(pixels, tokens, torch.ones_like(tokens))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_another_resolution_is_what_transformers_interpolates(duals, tmp_path, images, name):
    folder, made = duals
    import_checkpoint(folder / name, tmp_path / "model", Choices(input_size=48))
    encoder, model = open_model(tmp_path / "model"), made[name]
    with torch.inference_mode():
        wanted = model.vision_model(_pixels(images[:3], 48), interpolate_pos_encoding=True).pooler_output
        wanted = wanted if name == "siglip" else model.visual_projection(wanted)
    _close(encoder.encode_images(images[:3]), wanted)


TOWERS = {
    "vit": lambda: ViTModel(ViTConfig(**SMALL, image_size=32, patch_size=8), add_pooling_layer=False),
    "dinov2": lambda: Dinov2Model(
        Dinov2Config(
            hidden_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ["vit", "dinov2"])
def test_a_tower_at_another_resolution_is_what_transformers_interpolates(settings, hub, tmp_path, name):
    model = TOWERS[name]().eval()
    with torch.no_grad():
        model.embeddings.position_embeddings.normal_()
    model.save_pretrained(tmp_path / name)
    step = model.config.patch_size
    size = 4 * step + step * (name == "vit")
    tower = {"config": None, "pretrained": str(tmp_path / name), "input_size": size, "pool": "cls"}
    dual = DualEncoder(settings(image=tower)).eval()
    pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    extra = {"interpolate_pos_encoding": True} if name == "vit" else {}
    with torch.inference_mode():
        wanted = model(pixels, **extra).last_hidden_state
        found = dual.image_tower(pixel_values=pixels).last_hidden_state
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    # Saved, it is built again at its new resolution.
    assert DualEncoder(dual.config, load_pretrained=False).image_tower.config.image_size == size


@pytest.mark.parametrize("name", ["resnet", "convnext", "dinov2", "vit"])
def test_single_towers_are_halves_of_a_dual_encoder(settings, hub, tmp_path, images, name):
    if name == "resnet":
        folder = hub / "resnet"
    else:
        convnext = ConvNextConfig(num_channels=3, hidden_sizes=[8, 16], depths=[1, 1], num_stages=2)
        model = ConvNextModel(convnext) if name == "convnext" else TOWERS[name]()
        folder = tmp_path / name
        model.save_pretrained(folder)
    size = 56 if name == "dinov2" else 32
    pool = "cls" if name in ("vit", "dinov2") else "mean"
    dual = DualEncoder(
        settings(
            image={"config": None, "pretrained": str(folder), "input_size": size, "pool": pool},
            text={"config": None, "pretrained": str(hub / "bert")},
        )
    )
    held = AutoModel.from_pretrained(folder).state_dict()
    for key, value in dual.image_tower.state_dict().items():
        known = not key.startswith("pooler.") and not key.endswith("position_embeddings")
        assert not known or torch.equal(value, held[key]), key
    facts = {"domain": "clinical", "preview_fingerprint": None}
    save_model(tmp_path / "model", dual, load_tokenizer(hub / "bert"), recipe="", facts=facts)
    vectors = open_model(tmp_path / "model").encode_images(images[:2])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)


def test_a_network_without_positions_takes_any_size(originals):
    assert resized(originals["resnet"], 96) is originals["resnet"]


def test_the_same_resolution_changes_nothing(originals):
    assert resized(originals["vit"], 32) is originals["vit"]


def test_a_side_that_patches_dont_fill_is_refused(originals):
    with pytest.raises(XemplarError, match="an input of 36 pixels; wanted a multiple of 8"):
        resized(originals["vit"], 36)


def test_a_single_tower_is_no_encoder(hub, tmp_path):
    with pytest.raises(MismatchError, match="a checkpoint of bert; wanted one of clip, siglip"):
        import_checkpoint(hub / "bert", tmp_path / "model")


SPOILT = [
    (lambda w: w.pop("visual_projection.weight"), "1 missing: visual_projection.weight"),
    (lambda w: w.update({"zz": torch.zeros(2)}), "1 unexpected: zz"),
    (lambda w: w.update({"text_projection.weight": torch.zeros(3, 3)}),
     r"1 misshapen: text_projection.weight is \(3, 3\) and not \(12, 32\)"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "said"), SPOILT)
def test_weights_that_dont_fit_are_named(duals, tmp_path, spoil, said):
    folder = shutil.copytree(duals[0] / "clip", tmp_path / "clip")
    weights = load_file(folder / "model.safetensors")
    spoil(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(MismatchError, match=said):
        import_checkpoint(folder, tmp_path / "model")


@pytest.mark.parametrize("spoil", [
    lambda folder: (folder / "model.safetensors").write_bytes(b"\x08"),
    lambda folder: (folder / "config.json").write_text("{"),
    lambda folder: (folder / "model.safetensors").unlink(),
], ids=["cut weights", "broken config", "no weights"])  # fmt: skip
def test_a_broken_folder_is_one_line(duals, tmp_path, spoil):
    folder = shutil.copytree(duals[0] / "clip", tmp_path / "clip")
    spoil(folder)
    with pytest.raises(XemplarError, match=r"(can't be loaded|no config can be read) \(") as caught:
        import_checkpoint(folder, tmp_path / "model")
    assert "\n" not in str(caught.value)


def test_a_tokenizer_of_more_words_than_the_model_is_refused(duals, tmp_path):
    many = " ".join(f"{a}{b}" for a in "abcdefghijklmnop" for b in "qrstuvwxyz")
    train_wordpiece([many], 400).save_pretrained(tmp_path / "t")
    with pytest.raises(MismatchError, match=r"a tokenizer of \d+ tokens; wanted at most 100"):
        import_checkpoint(duals[0] / "clip", tmp_path / "model", Choices(tokenizer=tmp_path / "t"))


def test_a_changed_file_is_refused(duals, tmp_path):
    import_checkpoint(duals[0] / "siglip", tmp_path / "model")
    path = tmp_path / "model" / "backbone" / "config.json"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(MismatchError, match=r"backbone/config\.json is missing or changed"):
        open_model(tmp_path / "model")


def test_a_folder_that_holds_other_things_is_refused(duals, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.txt").write_text("x")
    with pytest.raises(XemplarError, match="the folder holds other files"):
        import_checkpoint(duals[0] / "clip", tmp_path / "model")
