"""open_clip's layout as BiomedCLIP has it: the forward pass written out from the raw weights."""

import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from xemplar.errors import MismatchError, XemplarError
from xemplar.models.checkpoint import open_model
from xemplar.models.checkpoints.folder import Choices, import_checkpoint
from xemplar.models.tokenizer import train_wordpiece

WIDTH, TEXT, DIM, PATCH, SIDE, DEPTH = 128, 64, 20, 8, 4, 2
TEXTS = ["no effusion", "small left effusion of the lungs", "", "lungs " * 60]


def _draw(shapes):
    draw = torch.Generator().manual_seed(11)
    return {name: torch.randn(shape, generator=draw) * 0.15 for name, shape in shapes.items()}


def made_up(*, pooler="cls_last_hidden_state_pooler", projection="mlp", words=90):
    shapes = {
        "logit_scale": (),
        "visual.trunk.cls_token": (1, 1, WIDTH),
        "visual.trunk.pos_embed": (1, 1 + SIDE**2, WIDTH),
        "visual.trunk.patch_embed.proj.weight": (WIDTH, 3, PATCH, PATCH),
        "visual.trunk.patch_embed.proj.bias": (WIDTH,),
        "visual.trunk.norm.weight": (WIDTH,),
        "visual.trunk.norm.bias": (WIDTH,),
        "visual.head.proj.weight": (DIM, WIDTH),
        "text.transformer.embeddings.word_embeddings.weight": (words, TEXT),
        "text.transformer.embeddings.position_embeddings.weight": (40, TEXT),
        "text.transformer.embeddings.token_type_embeddings.weight": (2, TEXT),
        "text.transformer.embeddings.LayerNorm.weight": (TEXT,),
        "text.transformer.embeddings.LayerNorm.bias": (TEXT,),
    }
    for n in range(DEPTH):
        at = f"visual.trunk.blocks.{n}"
        for name, rows, columns in (
            ("attn.qkv", 3 * WIDTH, WIDTH), ("attn.proj", WIDTH, WIDTH),
            ("mlp.fc1", 96, WIDTH), ("mlp.fc2", WIDTH, 96),
        ):  # fmt: skip
            shapes |= {f"{at}.{name}.weight": (rows, columns), f"{at}.{name}.bias": (rows,)}
        for name in ("norm1", "norm2"):
            shapes |= {f"{at}.{name}.weight": (WIDTH,), f"{at}.{name}.bias": (WIDTH,)}
        at = f"text.transformer.encoder.layer.{n}"
        for name, rows, columns in (
            ("attention.self.query", TEXT, TEXT), ("attention.self.key", TEXT, TEXT),
            ("attention.self.value", TEXT, TEXT), ("attention.output.dense", TEXT, TEXT),
            ("intermediate.dense", 80, TEXT), ("output.dense", TEXT, 80),
        ):  # fmt: skip
            shapes |= {f"{at}.{name}.weight": (rows, columns), f"{at}.{name}.bias": (rows,)}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{at}.{name}.weight": (TEXT,), f"{at}.{name}.bias": (TEXT,)}
    if projection == "mlp":
        shapes |= {"text.proj.0.weight": (42, TEXT), "text.proj.2.weight": (DIM, 42)}
    elif projection == "linear":
        shapes["text.proj.weight"] = (DIM, TEXT)
    if pooler == "cls_pooler":
        shapes |= {
            f"text.transformer.pooler.dense.{k}": s for k, s in (("weight", (TEXT, TEXT)), ("bias", (TEXT,)))
        }
    return _draw(shapes)


def by_hand_image(w, pixels):
    """timm's ViT: pre-norm, exact GELU, eps 1e-6, the class token behind the last norm."""
    at = "visual.trunk."
    x = F.conv2d(pixels, w[at + "patch_embed.proj.weight"], w[at + "patch_embed.proj.bias"], stride=PATCH)
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([w[at + "cls_token"].expand(len(x), -1, -1), x], 1) + w[at + "pos_embed"]
    for n in range(DEPTH):
        b = f"{at}blocks.{n}."
        y = F.layer_norm(x, (WIDTH,), w[b + "norm1.weight"], w[b + "norm1.bias"], 1e-6)
        qkv = F.linear(y, w[b + "attn.qkv.weight"], w[b + "attn.qkv.bias"])
        q, k, v = qkv.reshape(len(x), -1, 3, 2, 64).permute(2, 0, 3, 1, 4)
        y = (q @ k.transpose(-1, -2) / 8).softmax(-1) @ v
        y = y.transpose(1, 2).flatten(2)
        x = x + F.linear(y, w[b + "attn.proj.weight"], w[b + "attn.proj.bias"])
        y = F.layer_norm(x, (WIDTH,), w[b + "norm2.weight"], w[b + "norm2.bias"], 1e-6)
        y = F.gelu(F.linear(y, w[b + "mlp.fc1.weight"], w[b + "mlp.fc1.bias"]))
        x = x + F.linear(y, w[b + "mlp.fc2.weight"], w[b + "mlp.fc2.bias"])
    x = F.layer_norm(x, (WIDTH,), w[at + "norm.weight"], w[at + "norm.bias"], 1e-6)
    return x[:, 0] @ w["visual.head.proj.weight"].T


def by_hand_text(w, ids, *, pooler, heads=1):
    """Hugging Face's BERT, one text without padding: post-norm, eps 1e-12; pooled and projected."""
    at = "text.transformer."

    def norm(x, name):
        return F.layer_norm(x, (TEXT,), w[at + name + ".weight"], w[at + name + ".bias"], 1e-12)

    def linear(x, name):
        return F.linear(x, w[at + name + ".weight"], w[at + name + ".bias"])

    x = w[at + "embeddings.word_embeddings.weight"][ids]
    x = x + w[at + "embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x + w[at + "embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for n in range(DEPTH):
        b = f"encoder.layer.{n}."
        q, k, v = (
            linear(x, f"{b}attention.self.{part}").reshape(len(ids), heads, -1).transpose(0, 1)
            for part in ("query", "key", "value")
        )
        y = (q @ k.transpose(-1, -2) / math.sqrt(TEXT // heads)).softmax(-1) @ v
        y = linear(y.transpose(0, 1).flatten(1), b + "attention.output.dense")
        x = norm(x + y, b + "attention.output.LayerNorm")
        y = linear(F.gelu(linear(x, b + "intermediate.dense")), b + "output.dense")
        x = norm(x + y, b + "output.LayerNorm")
    x = {"cls_last_hidden_state_pooler": lambda: x[0], "mean_pooler": lambda: x.mean(0),
         "cls_pooler": lambda: torch.tanh(linear(x[0], "pooler.dense"))}[pooler]()  # fmt: skip
    if "text.proj.weight" in w:
        return w["text.proj.weight"] @ x
    return w["text.proj.2.weight"] @ F.gelu(w["text.proj.0.weight"] @ x)


@pytest.fixture(scope="module")
def vocabulary():
    return train_wordpiece(["no effusion", "small left effusion of the lungs"], 90)


@pytest.fixture
def folder(tmp_path, vocabulary):
    """How to write such a folder: weights, what its configuration says, and the file's name."""

    def write(weights, name="open_clip_model.safetensors", text=None, vision=None):
        place = tmp_path / "biomed"
        place.mkdir()
        said = {
            "model_cfg": {
                "embed_dim": DIM,
                "vision_cfg": {
                    "timm_model_name": "vit_base_patch16_224", "timm_model_pretrained": False,
                    "timm_pool": "", "timm_proj": "linear", "image_size": 32, **(vision or {}),
                },
                "text_cfg": {
                    "hf_model_name": "somebody/bert", "hf_proj_type": "mlp", "context_length": 32,
                    "hf_pooler_type": "cls_last_hidden_state_pooler", **(text or {}),
                },
            },
            "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3]},
        }  # fmt: skip
        (place / "open_clip_config.json").write_text(json.dumps(said))
        path = place / name
        save_file(weights, path) if name.endswith(".safetensors") else torch.save(weights, path)
        vocabulary.save_pretrained(place)
        return place

    return write


@pytest.mark.parametrize("projection", ["mlp", "linear"])
@pytest.mark.parametrize("pooler", ["cls_last_hidden_state_pooler", "mean_pooler", "cls_pooler"])
def test_features_are_those_written_out(folder, tmp_path, vocabulary, pooler, projection):
    weights = made_up(pooler=pooler, projection=projection)
    place = folder(weights, text={"hf_pooler_type": pooler, "hf_proj_type": projection})
    import_checkpoint(place, tmp_path / "model")
    encoder = open_model(tmp_path / "model")
    pixels = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        found = encoder.model.image_features(pixels)
    torch.testing.assert_close(found, by_hand_image(weights, pixels), atol=1e-4, rtol=1e-4)
    wanted = []
    for text in TEXTS:
        ids = vocabulary(text, truncation=True, max_length=32)["input_ids"]
        wanted.append(by_hand_text(weights, torch.tensor(ids), pooler=pooler))
    wanted = F.normalize(torch.stack(wanted), dim=-1).numpy()
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), wanted, atol=1e-5)


def test_films_go_in_as_its_configuration_says(folder, tmp_path, images):
    weights = made_up()
    import_checkpoint(folder(weights), tmp_path / "model")
    encoder = open_model(tmp_path / "model")
    settings = encoder.model.config.image
    assert (settings.mean, settings.std, settings.input_size) == ((0.5, 0.4, 0.3), (0.2, 0.25, 0.3), 32)
    pixels = torch.from_numpy(np.stack([settings.prepare(image) for image in images[:3]]))
    wanted = F.normalize(by_hand_image(weights, pixels), dim=-1).numpy()
    np.testing.assert_allclose(encoder.encode_images(images[:3]), wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["open_clip_pytorch_model.bin", "pytorch_model.bin", "model.safetensors"])
def test_the_names_that_its_weights_go_by(folder, tmp_path, name):
    numbered = {"text.transformer.embeddings.position_ids": torch.arange(40)[None]}
    import_checkpoint(folder({**made_up(), **numbered}, name), tmp_path / "model")
    assert open_model(tmp_path / "model").dim == DIM


def test_a_berts_own_configuration_says_its_heads(folder, tmp_path, vocabulary):
    weights = made_up()
    place = folder(weights)
    (place / "config.json").write_text(json.dumps({"model_type": "bert", "num_attention_heads": 4}))
    import_checkpoint(place, tmp_path / "model")
    ids = torch.tensor(vocabulary(TEXTS[1])["input_ids"])
    wanted = by_hand_text(weights, ids, pooler="cls_last_hidden_state_pooler", heads=4)
    found = open_model(tmp_path / "model").encode_texts(TEXTS[1:2])[0]
    np.testing.assert_allclose(found, F.normalize(wanted, dim=-1).numpy(), atol=1e-5)


def test_another_resolution_interpolates_positions(folder, tmp_path, images):
    weights = made_up()
    import_checkpoint(folder(weights), tmp_path / "model", Choices(input_size=48))
    encoder = open_model(tmp_path / "model")
    held = weights["visual.trunk.pos_embed"]
    square = held[0, 1:].T.reshape(1, WIDTH, SIDE, SIDE)
    made = F.interpolate(square, (6, 6), mode="bicubic", align_corners=False).reshape(1, WIDTH, 36)
    larger = {**weights, "visual.trunk.pos_embed": torch.cat([held[:, :1], made.transpose(1, 2)], 1)}
    pixels = torch.from_numpy(encoder.model.config.image.prepare(images[0]))[None]
    wanted = F.normalize(by_hand_image(larger, pixels), dim=-1).numpy()
    np.testing.assert_allclose(encoder.encode_images(images[:1]), wanted, atol=1e-5)


SPOILT = [
    (lambda w: w.pop("visual.head.proj.weight"), r"1 missing: visual\.head\.proj\.weight"),
    (lambda w: w.pop("visual.trunk.blocks.1.attn.qkv.bias"), r"1 missing: visual\.trunk\.blocks\.1\.attn"),
    (lambda w: w.update({"text.zz": torch.zeros(1)}), r"1 unexpected: text\.zz"),
    (lambda w: w.update({"visual.trunk.norm.bias": torch.zeros(4)}),
     r"1 misshapen: visual\.trunk\.norm\.bias is \(4,\) and not \(128,\)"),
    (lambda w: w.pop("visual.trunk.pos_embed"), r"1 weights that tell its sizes are missing: visual\.trunk"),
    (lambda w: w.update({"visual.trunk.pos_embed": torch.zeros(17, 128)}), r"1 misshapen: .*pos_embed is"),
    (lambda w: w.pop("text.proj.2.weight"), r"1 missing: text\.proj\.2\.weight"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "said"), SPOILT)
def test_weights_that_dont_fit_are_named(folder, tmp_path, spoil, said):
    weights = made_up()
    spoil(weights)
    with pytest.raises(MismatchError, match=said):
        import_checkpoint(folder(weights), tmp_path / "model")


@pytest.mark.parametrize(("text", "vision", "said"), [
    ({"hf_pooler_type": "max_pooler"}, {}, r"text_cfg\.hf_pooler_type is 'max_pooler'"),
    ({}, {"timm_model_name": "resnet50"}, r"timm_model_name is 'resnet50'"),
    ({}, {"timm_proj": "mlp"}, r"timm_proj is 'mlp'"),
    ({"hf_model_name": "none"}, {}, r"hf_model_name is 'none'"),
])  # fmt: skip
def test_other_towers_are_told(folder, tmp_path, text, vision, said):
    with pytest.raises(MismatchError, match=said):
        import_checkpoint(folder(made_up(), text=text, vision=vision), tmp_path / "model")


@pytest.mark.parametrize("said", ["{", "[]", '{"model_cfg": {}}'])
def test_a_broken_configuration_is_one_line(folder, tmp_path, said):
    place = folder(made_up())
    (place / "open_clip_config.json").write_text(said)
    with pytest.raises(XemplarError, match=r"open_clip_config\.json can't be read"):
        import_checkpoint(place, tmp_path / "model")


def test_a_folder_without_weights_says_which_it_looked_for(folder, tmp_path):
    place = folder(made_up())
    (place / "open_clip_model.safetensors").unlink()
    with pytest.raises(XemplarError, match=r"no weights in it; wanted one of open_clip_model\.safetensors"):
        import_checkpoint(place, tmp_path / "model")
