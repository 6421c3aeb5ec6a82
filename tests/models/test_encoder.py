"""What an encoder promises: unit rows, and an item's vector the same whatever it is encoded with."""

import numpy as np
import pytest
import torch

from xemplar.contracts import Encoder
from xemplar.models.checkpoint import IMAGE_BATCH, TEXT_BATCH, TorchEncoder
from xemplar.models.dual import MAX_SCALE, DualEncoder

WORDS = [
    "small",
    "left",
    "pleural",
    "effusion",
    "mild",
    "cardiomegaly",
    "with",
    "pulmonary",
    "edema",
    "the",
    "lungs",
    "are",
    "clear",
]
DRAW = np.random.default_rng(3)
TEXTS = [" ".join(DRAW.choice(WORDS, 3 + 7 * (n % 5))) for n in range(TEXT_BATCH + 9)]


def test_it_keeps_the_contract(encoder):
    assert isinstance(encoder, Encoder)


def test_image_rows_have_length_one(encoder, images):
    np.testing.assert_allclose(np.linalg.norm(encoder.encode_images(images), axis=1), 1, rtol=1e-6)


def test_text_rows_have_length_one(encoder):
    np.testing.assert_allclose(np.linalg.norm(encoder.encode_texts(TEXTS), axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("centre", [False, True])
@pytest.mark.parametrize("pool", ["mean", "max"])
def test_an_image_has_one_vector_alone_or_among_others(settings, tokenizer, images, pool, centre):
    config = settings(image={"pool": pool, "grid": 2, "centre": centre})
    encoder = TorchEncoder(DualEncoder(config), tokenizer, _manifest())
    assert len(images) > IMAGE_BATCH
    together = encoder.encode_images(images)
    for row in (0, 3, len(images) - 1):
        assert np.array_equal(encoder.encode_images([images[row]])[0], together[row])


def test_an_image_has_one_vector_in_any_order(encoder, images):
    order = np.random.default_rng(1).permutation(len(images))
    shuffled = encoder.encode_images([images[row] for row in order])
    assert np.array_equal(shuffled, encoder.encode_images(images)[order])


def test_a_text_has_one_vector_alone_or_among_others(encoder):
    together = encoder.encode_texts(TEXTS)
    for row in (0, 1, 4, len(TEXTS) - 1):
        assert np.array_equal(encoder.encode_texts([TEXTS[row]])[0], together[row])


def test_a_text_has_one_vector_in_any_order(encoder):
    order = np.random.default_rng(2).permutation(len(TEXTS))
    assert np.array_equal(
        encoder.encode_texts([TEXTS[row] for row in order]), encoder.encode_texts(TEXTS)[order]
    )


def test_different_items_have_different_vectors(encoder, images):
    assert len(np.unique(encoder.encode_images(images), axis=0)) == len(images)
    assert len(np.unique(encoder.encode_texts(TEXTS), axis=0)) == len(TEXTS)


def test_no_item_gives_no_row(encoder):
    assert encoder.encode_images([]).shape == (0, 8)
    assert encoder.encode_texts([]).shape == (0, 8)


def test_an_empty_text_has_a_vector(encoder):
    assert np.isfinite(encoder.encode_texts([""])).all()


def test_what_lies_beyond_the_longest_text_changes_nothing(encoder):
    long = "effusion " * 60
    assert np.array_equal(*encoder.encode_texts([long + "edema", long + "pneumothorax"]))


def test_vectors_are_float32_numpy_in_bf16_too(settings, tokenizer, images):
    encoder = TorchEncoder(DualEncoder(settings(precision="bf16")), tokenizer, _manifest())
    assert encoder.encode_images(images[:2]).dtype == np.float32


def test_precision_is_part_of_the_fingerprint(settings, tokenizer):
    model = DualEncoder(settings())
    other = DualEncoder(settings(precision="bf16"))
    assert (
        TorchEncoder(model, tokenizer, _manifest()).fingerprint
        != TorchEncoder(other, tokenizer, _manifest()).fingerprint
    )


def test_encoding_draws_nothing(settings, tokenizer, images):
    config = settings(image={"dropout": 0.5}, text={"dropout": 0.5})
    encoder = TorchEncoder(DualEncoder(config), tokenizer, _manifest())
    assert np.array_equal(encoder.encode_images(images), encoder.encode_images(images))


@pytest.mark.parametrize(("start", "wanted"), [(10.0, 10.0), (100.0, 100.0), (5000.0, MAX_SCALE)])
def test_the_scale_is_at_most_100(settings, start, wanted):
    model = DualEncoder(settings())
    with torch.no_grad():
        model.log_scale.fill_(float(np.log(start)))
    assert float(model.scale.detach()) == pytest.approx(wanted, rel=1e-5)


def test_the_scale_starts_at_one_over_the_temperature(settings):
    assert float(DualEncoder(settings(temperature=0.05)).scale.detach()) == pytest.approx(20)


def test_text_padding_changes_no_vector(settings):
    model = DualEncoder(settings()).eval()
    tokens = torch.tensor([[2, 7, 9, 3]])
    wide = torch.nn.functional.pad(tokens, (0, 12))
    narrow = model.text_vectors(tokens, torch.ones_like(tokens))
    padded = model.text_vectors(wide, (torch.arange(16) < 4).long()[None])
    torch.testing.assert_close(narrow, padded)


def _manifest():
    return {"domain": "synthetic", "preview_fingerprint": None, "files": {}}


def test_a_large_film_goes_alone_and_its_encoder_is_another_for_it(settings, tokenizer, encoder):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = DualEncoder(settings(image={"input_size": 192}))
    large = TorchEncoder(model, tokenizer, {"domain": "synthetic", "preview_fingerprint": None, "files": {}})
    films = list(np.random.default_rng(0).random((3, 200, 200), dtype=np.float32))
    assert (encoder.image_batch, large.image_batch) == (IMAGE_BATCH, 1)
    assert large.fingerprint != encoder.fingerprint
    together = large.encode_images(films)
    assert np.array_equal(together, np.concatenate([large.encode_images([film]) for film in films]))
