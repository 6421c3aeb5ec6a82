"""What a network sees of a region: pooled as by hand, the whole as the whole, and who can't."""

import numpy as np
import pytest
import torch

from xemplar.contracts import RegionEncoder
from xemplar.errors import XemplarError
from xemplar.images import model_input
from xemplar.models.checkpoint import TorchEncoder
from xemplar.models.dual import OVERLAP, DualEncoder
from xemplar.models.linear import LinearSpace, WithLinear

BOX = (0.1, 0.55, 0.4, 0.4)


def made(settings, tokenizer, **image):
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = DualEncoder(settings(image=image))
    facts = {"domain": "synthetic", "preview_fingerprint": None, "files": {}}
    return TorchEncoder(model, tokenizer, facts)


def by_hand(encoder, image, box):
    """Pooled place by place, in loops."""
    tower = encoder.model.config.image
    pixels = torch.from_numpy(model_input(image, tower.input_size))[None, None]
    with torch.no_grad():
        states = encoder.model.image_states(pixels)[0].numpy()
    side = round(len(states) ** 0.5)
    share = {}
    for row in range(side):
        for column in range(side):
            high = min((row + 1) / side, box[1] + box[3]) - max(row / side, box[1])
            wide = min((column + 1) / side, box[0] + box[2]) - max(column / side, box[0])
            share[row, column] = max(high, 0) * max(wide, 0) * side * side
    least, cell = min(OVERLAP, max(share.values())), side // tower.grid
    features = np.zeros((states.shape[1], tower.grid, tower.grid), np.float32)
    for i in range(tower.grid):
        for j in range(tower.grid):
            inside = [
                states[row * side + column]
                for (row, column), part in share.items()
                if row // cell == i and column // cell == j and part >= least
            ]
            if inside:
                features[:, i, j] = (np.max if tower.pool == "max" else np.mean)(inside, axis=0)
    with torch.no_grad():
        vector = encoder.model.image_projection(torch.from_numpy(features.reshape(1, -1)))[0].numpy()
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize(("pool", "grid"), [("max", 2), ("mean", 2), ("mean", 1)])
@pytest.mark.parametrize("box", [BOX, (0.0, 0.0, 0.1, 0.1), (0.3, 0.0, 0.7, 1.0)])
def test_a_region_is_what_lies_in_it_pooled_and_projected(settings, tokenizer, images, pool, grid, box):
    encoder = made(settings, tokenizer, pool=pool, grid=grid)
    seen = encoder.encode_regions(images[:2], [box, box])
    np.testing.assert_allclose(seen[1], by_hand(encoder, images[1], box), atol=1e-5)


@pytest.mark.parametrize("pool", ["max", "mean"])
def test_the_whole_as_a_region_is_the_whole_film(settings, tokenizer, images, pool):
    encoder = made(settings, tokenizer, pool=pool, grid=2)
    seen = encoder.encode_regions(images, [(0.0, 0.0, 1.0, 1.0)] * len(images))
    np.testing.assert_allclose(seen, encoder.encode_images(images), atol=1e-5)


def test_a_region_is_seen_alike_whatever_is_encoded_with_it(settings, tokenizer, images):
    encoder = made(settings, tokenizer, pool="max", grid=2)
    several = encoder.encode_regions(images, [BOX] * len(images))
    assert np.array_equal(several[3], encoder.encode_regions([images[3]], [BOX])[0])


def test_a_vector_of_cls_alone_has_no_regions(tokenizer, settings):
    vit = {"model_type": "vit", "num_channels": 1, "hidden_size": 8, "num_hidden_layers": 1,
           "num_attention_heads": 1, "intermediate_size": 8, "image_size": 32, "patch_size": 16}  # fmt: skip
    encoder = made(settings, tokenizer, config=vit, pool="cls")
    with pytest.raises(XemplarError, match=r"a \[CLS\] alone; .*cut the region out"):
        encoder.encode_regions([np.zeros((40, 40), np.float32)], [BOX])


@pytest.fixture(scope="module")
def space():
    rng = np.random.default_rng(5)
    weights = {
        "mean": rng.random(64), "scale": rng.random(64) + 0.5, "slope": rng.standard_normal((6, 64)),
        "start": rng.standard_normal(6), "image_centre": np.zeros(6), "text_centre": np.zeros(6),
    }  # fmt: skip
    return LinearSpace(8, (), {name: value.astype(np.float32) for name, value in weights.items()})


def test_beyond_the_box_a_linear_space_sees_the_mean_film(space):
    films = list(np.random.default_rng(1).random((2, 8, 8), np.float32))
    mean = space.weights["mean"].reshape(8, 8)
    halves = [np.concatenate([film[:, :4], mean[:, 4:]], axis=1) for film in films]
    seen = space.encode_regions(films, [(0.0, 0.0, 0.5, 1.0)] * 2)
    np.testing.assert_allclose(seen, space.encode_images(halves), atol=1e-5)


def test_a_pixel_that_lies_half_in_the_box_counts_half(space):
    film = np.random.default_rng(1).random((8, 8), np.float32)
    mixed = space.weights["mean"].reshape(8, 8).copy()
    mixed[:, :4] = film[:, :4]
    mixed[:, 4] += (film[:, 4] - mixed[:, 4]) / 2
    seen = space.encode_regions([film], [(0.0, 0.0, 4.5 / 8, 1.0)])
    np.testing.assert_allclose(seen, space.encode_images([mixed]), atol=1e-5)


class Blind:
    """An encoder that sees whole films alone."""

    fingerprint, preview, domain = "blind", None, "synthetic"


def test_both_spaces_together_see_a_region_if_the_network_does(space, encoder, images):
    with pytest.raises(XemplarError, match=r"sees whole films alone; .*cut the region out"):
        WithLinear(Blind(), space, {"files": {}, "weight": 0.5}).encode_regions(images[:1], [BOX])
    both = WithLinear(encoder, space, {"files": {}, "weight": 0.5})
    assert isinstance(both, RegionEncoder)
    seen, network, linear = (one.encode_regions(images[:2], [BOX] * 2) for one in (both, encoder, space))
    want = (float(network[0] @ network[1]) + 0.5 * float(linear[0] @ linear[1])) / 1.5
    assert float(seen[0] @ seen[1]) == pytest.approx(want, abs=1e-5)
