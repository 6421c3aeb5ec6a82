"""OpenAI's CLIP layout: the golden numbers, sizes from shapes, words, and whatever doesn't fit."""

import gzip
import json
import re
import zipfile
from argparse import Namespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from xemplar.errors import MismatchError, XemplarError
from xemplar.models.checkpoint import open_model
from xemplar.models.checkpoints import openai_clip
from xemplar.models.checkpoints.folder import Choices, import_checkpoint, openai_tokenizer
from xemplar.models.checkpoints.weights import read_weights
from xemplar.models.imported import ImportedConfig, TextInput
from xemplar.models.preprocessing import openai_preprocessing
from xemplar.models.tokenizer import train_wordpiece

KINDS = ("vit", "resnet")
MERGES = ["l u", "lu n", "lun g</w>", "e f", "ef f", "n o</w>", "c l"]
VOCABULARY = 2 * 256 + len(MERGES) + 2


def towers_of(weights, where="a test"):
    weights = openai_clip.cleaned(weights)
    sizes = openai_clip.sizes_of(weights, where=where)
    openai_clip.check(weights, sizes, where=where)
    config = ImportedConfig(
        architecture="openai-clip", dim=sizes.embed_dim, sizes=sizes.model_dump(mode="json"),
        image=openai_preprocessing(sizes.image_resolution), text=TextInput(max_tokens=sizes.context_length),
    )  # fmt: skip
    return openai_clip.build(weights, sizes, config).eval()


def made_up(kind, *, dtype=torch.float32, **changes):
    """Random weights of a small CLIP by OpenAI's names."""
    values = {
        "embed_dim": 24, "image_resolution": 64, "vision_layers": 2, "vision_width": 64,
        "vision_patch_size": 16, "context_length": 20, "vocab_size": VOCABULARY, "transformer_width": 64,
        "transformer_layers": 1,
    }  # fmt: skip
    if kind == "resnet":
        values |= {"vision_layers": (1, 2, 1, 1), "vision_width": 8, "vision_patch_size": None}
    shapes = openai_clip.names_of(openai_clip.Sizes.model_validate({**values, **changes}))
    draw = torch.Generator().manual_seed(5)
    weights = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=draw) * 0.1
        if name.endswith("running_var"):
            value = value.abs() + 0.5
        weights[name] = torch.tensor(0) if name.endswith("num_batches_tracked") else value.to(dtype)
    return weights


@pytest.fixture
def words(tmp_path):
    path = tmp_path / "bpe.txt.gz"
    path.write_bytes(gzip.compress("\n".join(["#version", *MERGES, "x y", ""]).encode()))
    return path


@pytest.mark.shared
@pytest.mark.parametrize("kind", KINDS)
def test_the_originals_numbers(golden, kind):
    folder = golden / "clip_openai_format" / kind
    towers, held = towers_of(read_weights(folder / "state_dict.safetensors")), np.load(folder / "data.npz")
    image, tokens = torch.from_numpy(held["image"]), torch.from_numpy(held["token_ids"])
    mask = torch.ones_like(tokens)
    with torch.inference_mode():
        logits = towers.logits(image, tokens, mask).numpy()
        found = {
            "image_features": towers.image_features(image).numpy(),
            "text_features": towers.text_features(tokens, mask).numpy(),
            "logits_per_image": logits,
            "logits_per_text": logits.T,
        }
    for name, values in found.items():
        np.testing.assert_allclose(values, held[name], rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.shared
@pytest.mark.parametrize("kind", KINDS)
def test_the_originals_sizes(golden, kind):
    folder = golden / "clip_openai_format" / kind
    wanted = json.loads((folder / "config.json").read_text())["clip_args"]
    found = openai_clip.sizes_of(read_weights(folder / "state_dict.safetensors"), where="").model_dump(
        mode="json"
    )
    assert {name: found[name] for name in wanted if name != "transformer_heads"} == {
        name: value for name, value in wanted.items() if name != "transformer_heads"
    }


@pytest.mark.shared
@pytest.mark.parametrize("kind", KINDS)
def test_an_imported_folder_gives_the_originals_numbers(golden, words, tmp_path, kind):
    folder = golden / "clip_openai_format" / kind
    # Words that fit its 300 tokens: it has none of its own.
    tokenizer = train_wordpiece(["no effusion"], 40)
    tokenizer.add_special_tokens({"eos_token": "[EOT]"})
    tokenizer.save_pretrained(tmp_path / "words")
    choices = Choices(tokenizer=tmp_path / "words")
    import_checkpoint(folder / "state_dict.safetensors", tmp_path / "model", choices)
    held = np.load(folder / "data.npz")
    towers = open_model(tmp_path / "model").model
    with torch.inference_mode():
        found = towers.image_features(torch.from_numpy(held["image"])).numpy()
    np.testing.assert_allclose(found, held["image_features"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("changes", [
    {}, {"vision_patch_size": 32}, {"image_resolution": 96}, {"vision_width": 96, "transformer_width": 160},
    {"context_length": 77, "transformer_layers": 3}, {"vision_layers": 1, "embed_dim": 8},
])  # fmt: skip
def test_sizes_are_told_by_shapes(changes):
    weights = made_up("vit", **changes)
    found = openai_clip.sizes_of(weights, where="").model_dump()
    assert {name: found[name] for name in changes} == changes
    assert towers_of(weights).image_features(
        torch.zeros(1, 3, found["image_resolution"], found["image_resolution"])
    ).shape == (1, found["embed_dim"])


@pytest.mark.parametrize("changes", [{}, {"vision_layers": (2, 1, 3, 1)}, {"image_resolution": 96}])
def test_a_resnets_sizes_are_told_by_shapes(changes):
    found = openai_clip.sizes_of(made_up("resnet", **changes), where="").model_dump()
    assert {name: found[name] for name in changes} == changes


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_becomes_single(tmp_path, words, kind):
    save_file(made_up(kind, dtype=torch.float16), tmp_path / "clip.safetensors")
    import_checkpoint(tmp_path / "clip.safetensors", tmp_path / "model", Choices(tokenizer=words))
    model = open_model(tmp_path / "model").model
    assert {one.dtype for one in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("wrap", [
    lambda w: w, lambda w: {"state_dict": w, "epoch": 3}, lambda w: {"model": w},
    lambda w: {f"module.{name}": value for name, value in w.items()},
    lambda w: {**w, "input_resolution": torch.tensor(64), "context_length": torch.tensor(20)},
], ids=["plain", "state_dict", "model", "module.", "OpenAI's numbers"])  # fmt: skip
def test_the_ways_in_which_weights_are_saved(tmp_path, words, wrap, images):
    weights = made_up("vit")
    torch.save(weights, tmp_path / "plain.pt")
    torch.save(wrap(weights), tmp_path / "clip.pth")
    vectors = []
    for name in ("plain.pt", "clip.pth"):
        import_checkpoint(tmp_path / name, tmp_path / f"m-{name}", Choices(tokenizer=words))
        vectors.append(open_model(tmp_path / f"m-{name}").encode_images(images[:2]))
    assert np.array_equal(*vectors)


def test_the_text_sees_nothing_behind_its_end_nor_to_the_right():
    towers = towers_of(made_up("vit"))
    end = VOCABULARY - 1
    short = torch.tensor([[end - 1, 7, 9, end]])
    long = torch.nn.functional.pad(short, (0, 12), value=3)
    with torch.inference_mode():
        one = towers.text_features(short, torch.ones_like(short))
        other = towers.text_features(long, torch.ones_like(long))
        masked = towers.text_features(long, (torch.arange(16) < 4).long()[None])
    torch.testing.assert_close(one, other)
    torch.testing.assert_close(one, masked)


def test_an_imported_clip_keeps_the_contract(tmp_path, words, images):
    save_file(made_up("vit"), tmp_path / "clip.safetensors")
    said = Choices(tokenizer=words, domain="clinical", trained_on="films of somewhere", licence="MIT")
    import_checkpoint(tmp_path / "clip.safetensors", tmp_path / "model", said)
    encoder = open_model(tmp_path / "model")
    together = encoder.encode_images(images)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-6)
    assert np.array_equal(encoder.encode_images(images[5:6])[0], together[5])
    texts = ["no lung", "effusion " * 60, "", "lung &lt; 3"]
    rows = encoder.encode_texts(texts)
    assert np.array_equal(encoder.encode_texts(texts[3:])[0], rows[3])
    assert np.array_equal(encoder.encode_texts(["lung < 3"])[0], rows[3])
    assert (encoder.domain, encoder.preview, encoder.manifest["licence"]) == ("clinical", None, "MIT")


def test_another_preprocessing_is_another_fingerprint(tmp_path, words):
    save_file(made_up("vit"), tmp_path / "clip.safetensors")
    prints = set()
    for name in ("openai", "films"):
        choices = Choices(tokenizer=words, preprocessing=name)
        import_checkpoint(tmp_path / "clip.safetensors", tmp_path / name, choices)
        prints.add(open_model(tmp_path / name).fingerprint)
    assert len(prints) == 2


def test_another_resolution_interpolates_positions(tmp_path, words, images):
    weights = made_up("vit")
    save_file(weights, tmp_path / "clip.safetensors")
    choices = Choices(tokenizer=words, input_size=96)
    import_checkpoint(tmp_path / "clip.safetensors", tmp_path / "model", choices)
    encoder = open_model(tmp_path / "model")
    held = encoder.model.image.network
    found = held.vision_model.embeddings.position_embedding.weight.detach()
    square = weights["visual.positional_embedding"][1:].T.reshape(1, 64, 4, 4)
    wanted = torch.nn.functional.interpolate(square, (6, 6), mode="bicubic", align_corners=False)
    torch.testing.assert_close(found[1:], wanted.reshape(64, 36).T)
    assert torch.equal(found[0], weights["visual.positional_embedding"][0])
    assert encoder.encode_images(images[:1]).shape == (1, 24)


def test_a_side_that_patches_dont_fill_is_refused(tmp_path, words):
    save_file(made_up("vit"), tmp_path / "clip.safetensors")
    with pytest.raises(MismatchError, match="an input of 100 pixels; wanted a multiple of 16"):
        import_checkpoint(
            tmp_path / "clip.safetensors", tmp_path / "m", Choices(tokenizer=words, input_size=100)
        )


SPOILT = [
    (lambda w: w.pop("visual.transformer.resblocks.0.ln_1.bias"),
     r"1 weights don't fit; 1 missing: visual\.transformer\.resblocks\.0\.ln_1\.bias"),
    (lambda w: w.update({"zz.weight": torch.zeros(2)}), r"1 unexpected: zz\.weight"),
    (lambda w: w.update({"visual.proj": torch.zeros(3, 24)}), r"misshapen: visual\.proj is \(3, 24\) and"),
    (lambda w: [w.pop(name) for name in list(w) if name.startswith("transformer.resblocks.0.")],
     r"a tower without a layer"),
    (lambda w: [w.pop(name) for name in list(w) if "ln_" in name], r"1 weights that .* ln_final\.weight"),
    (lambda w: w.update({"visual.positional_embedding": torch.zeros(16, 64)}), "one row more than a square"),
    (lambda w: w.update({"logit_scale": torch.zeros(2)}), r"logit_scale is \(2,\)"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "said"), SPOILT)
def test_weights_that_dont_fit_are_named(tmp_path, words, spoil, said):
    weights = made_up("vit")
    spoil(weights)
    save_file(weights, tmp_path / "clip.safetensors")
    with pytest.raises(MismatchError, match=said):
        import_checkpoint(tmp_path / "clip.safetensors", tmp_path / "model", Choices(tokenizer=words))
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(("name", "said"), [
    ("visual_encoder.cls_token", "this looks like ALBEF's or X-REM's"),
    ("vision_model.embeddings.class_embedding", "this looks like Hugging Face's CLIP"),
    ("conv1.weight", r"none of those known \(its first name is conv1\.weight\)"),
])  # fmt: skip
def test_another_architecture_is_told(tmp_path, words, name, said):
    torch.save({name: torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(MismatchError, match=said):
        import_checkpoint(tmp_path / "other.pth", tmp_path / "model", Choices(tokenizer=words))


@pytest.mark.parametrize("name", ["clip.pt", "clip.safetensors"])
@pytest.mark.parametrize("length", [0, 7, 5000, -9])
def test_a_truncated_file_is_one_line(tmp_path, words, name, length):
    weights, path = made_up("vit"), tmp_path / name
    torch.save(weights, path) if name.endswith(".pt") else save_file(weights, path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(XemplarError, match=r"can't be read as (safetensors|a checkpoint)") as caught:
        import_checkpoint(path, tmp_path / "model", Choices(tokenizer=words))
    assert "truncated" in str(caught.value)


def test_a_pickle_of_more_than_tensors_is_refused(tmp_path, words):
    torch.save({"state_dict": made_up("vit"), "args": Namespace(lr=1)}, tmp_path / "clip.pt")
    with pytest.raises(MismatchError, match="a pickle of more than tensors"):
        import_checkpoint(tmp_path / "clip.pt", tmp_path / "model", Choices(tokenizer=words))


def test_a_torchscript_archive_is_refused(tmp_path, words):
    with zipfile.ZipFile(tmp_path / "ViT-B-32.pt", "w") as archive:
        archive.writestr("archive/constants.pkl", b"")
        archive.writestr("archive/code/__torch__.py", b"")
        archive.writestr("archive/data.pkl", b"")
    with pytest.raises(MismatchError, match=r"a TorchScript archive, .*; save the state_dict\(\)"):
        import_checkpoint(tmp_path / "ViT-B-32.pt", tmp_path / "model", Choices(tokenizer=words))


def test_entries_that_are_no_tensors_are_named(tmp_path, words):
    torch.save({**made_up("vit"), "note": "hello"}, tmp_path / "clip.pt")
    with pytest.raises(MismatchError, match=r"1 of \d+ entries are no tensors: note"):
        import_checkpoint(tmp_path / "clip.pt", tmp_path / "model", Choices(tokenizer=words))


def test_weights_that_are_not_finite_are_named(tmp_path, words):
    torch.save({**made_up("vit"), "ln_final.bias": torch.full((64,), torch.nan)}, tmp_path / "clip.pt")
    with pytest.raises(MismatchError, match=r"1 weights are not finite: ln_final\.bias"):
        import_checkpoint(tmp_path / "clip.pt", tmp_path / "model", Choices(tokenizer=words))


@pytest.mark.parametrize(("spoil", "said"), [
    (lambda value: value.to(torch.int8), "text_projection is int8"),
    (lambda value: value.to_sparse(), "text_projection is sparse_coo"),
    (lambda value: value.to(torch.complex64), "text_projection is complex64"),
])  # fmt: skip
def test_weights_that_are_no_plain_numbers_are_named(tmp_path, words, spoil, said):
    weights = made_up("vit")
    torch.save({**weights, "text_projection": spoil(weights["text_projection"])}, tmp_path / "clip.pt")
    with pytest.raises(MismatchError, match="1 weights are no plain numbers: " + said):
        import_checkpoint(tmp_path / "clip.pt", tmp_path / "model", Choices(tokenizer=words))


def test_an_absurd_layer_is_unexpected(tmp_path, words):
    far = "visual.transformer.resblocks.999999999.ln_1.bias"
    torch.save({**made_up("vit"), far: torch.zeros(64)}, tmp_path / "clip.pt")
    with pytest.raises(MismatchError, match="1 unexpected: " + re.escape(far)):
        import_checkpoint(tmp_path / "clip.pt", tmp_path / "model", Choices(tokenizer=words))


def test_half_precision_in_use_is_another_fingerprint(tmp_path, words, images):
    save_file(made_up("vit"), tmp_path / "clip.safetensors")
    opened = []
    for precision in ("fp32", "bf16"):
        choices = Choices(tokenizer=words, precision=precision)
        import_checkpoint(tmp_path / "clip.safetensors", tmp_path / precision, choices)
        opened.append(open_model(tmp_path / precision))
    assert opened[0].fingerprint != opened[1].fingerprint
    exact, rough = (one.encode_images(images[:2]) for one in opened)
    assert not np.array_equal(exact, rough)
    np.testing.assert_allclose(exact, rough, atol=0.05)


@pytest.mark.parametrize(("quick", "activation"), [(True, "quick_gelu"), (False, "gelu"), (None, "gelu")])
def test_open_clips_own_towers_have_their_own_activation(tmp_path, words, quick, activation):
    folder = tmp_path / "open_clip"
    folder.mkdir()
    save_file(made_up("vit"), folder / "open_clip_model.safetensors")
    model = {"embed_dim": 24, "vision_cfg": {"layers": 2}, "text_cfg": {"layers": 1}}
    model |= {} if quick is None else {"quick_gelu": quick}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": model}))
    import_checkpoint(folder, tmp_path / "model", Choices(tokenizer=words))
    towers = open_model(tmp_path / "model").model
    assert towers.image.network.config.hidden_act == towers.text.network.config.hidden_act == activation


def test_a_checkpoint_without_words_asks_for_them(tmp_path):
    save_file(made_up("vit"), tmp_path / "clip.safetensors")
    with pytest.raises(XemplarError, match="name it: --tokenizer PATH"):
        import_checkpoint(tmp_path / "clip.safetensors", tmp_path / "model")


@pytest.mark.parametrize("text", ["#version\nl u", "", "#version\n" + "a\n" * 9])
def test_a_list_of_merges_that_doesnt_fit_is_refused(tmp_path, text):
    (tmp_path / "bpe.txt").write_text(text)
    with pytest.raises(MismatchError, match=rf"\d pairs; wanted {len(MERGES)}"):
        openai_tokenizer(tmp_path / "bpe.txt", VOCABULARY, context=20)


def by_hand(text, merges, size):
    """OpenAI's byte-pair encoding as its paper tells it, slowly (Sennrich et al. 2016)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    letter = {byte: chr(byte) for byte in plain} | {byte: chr(256 + n) for n, byte in enumerate(rest)}
    ids = [letter[byte] for byte in [*plain, *rest]]
    ids += [f"{one}</w>" for one in ids] + ["".join(pair) for pair in merges]
    found = [size - 2]
    for word in re.findall(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^\s\w]|_)+", text.lower()):
        parts = [letter[byte] for byte in word.encode()]
        parts[-1] += "</w>"
        for pair in merges:  # by rank
            place = 0
            while place < len(parts) - 1:
                if tuple(parts[place : place + 2]) == pair:
                    parts[place : place + 2] = ["".join(pair)]
                place += 1
        found += [ids.index(part) for part in parts]
    return [*found, size - 1]


@pytest.mark.parametrize("text", [
    "No lung.", "", "  Lungs   are\nclear ", "na\u00efve fa\u00e7ade \u0394 3.5cm", "patient's lung; don't!?",
])  # fmt: skip
def test_words_are_encoded_as_by_hand(words, text):
    pairs = [tuple(line.split()) for line in MERGES]
    tokenizer = openai_tokenizer(words, VOCABULARY, context=77)
    assert tokenizer(text)["input_ids"] == by_hand(text, pairs, VOCABULARY)


def test_a_long_text_keeps_its_end(words):
    tokenizer = openai_tokenizer(words, VOCABULARY, context=20)
    ids = tokenizer("lung " * 90, truncation=True, max_length=20)["input_ids"]
    assert (len(ids), ids[0], ids[-1]) == (20, VOCABULARY - 2, VOCABULARY - 1)
