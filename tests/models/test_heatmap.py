"""Heatmaps: what hiding takes away, gradients against finite differences, and models that have none."""

import numpy as np
import pytest
import torch

from xemplar.errors import XemplarError
from xemplar.images import model_input
from xemplar.models.checkpoint import TorchEncoder
from xemplar.models.config import MatcherConfig
from xemplar.models.dual import DualEncoder
from xemplar.models.heatmap import CELLS, ByAttention, ByGradient, ByHiding, cosine, explainer_of, matching
from xemplar.models.judging import JudgeConfig, JudgeNet, TorchJudge
from xemplar.models.linear import LinearSpace, WithLinear
from xemplar.models.matcher import MatcherNet
from xemplar.models.matching import TorchMatcher
from xemplar.models.preprocessing import Preprocessing

TEXT = "Small left pleural effusion."
FACTS = {"domain": "synthetic", "preview_fingerprint": None, "files": {}}
WIDE = {"heads": 2, "layers": 3, "fusion": 0, "inner": 24, "positions": 64, "max_tokens": 32}


def shaken(make):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = make()
        for parameter in net.parameters():
            parameter.data.add_(torch.randn_like(parameter) * 0.2)
    return net


@pytest.fixture(scope="module")
def matcher(tokenizer):
    made = MatcherConfig.model_validate({
        "image": {"input_size": 32, "patch": 8, "width": 16, "depth": 1, "heads": 2},
        "text": {"vocabulary": len(tokenizer), "width": 12, **WIDE, "cls_token": 2, "sep_token": 3,
                 "mask_token": 4},
        "dim": 8, "queue": 6,
    })  # fmt: skip
    return TorchMatcher(shaken(lambda: MatcherNet(made)), tokenizer, FACTS)


@pytest.fixture(scope="module")
def judge(encoder):
    made = JudgeConfig(
        layers=1, width=16, heads=2, inner=24, image_width=8, positions=16, text_width=16, dim=8
    )
    return TorchJudge(shaken(lambda: JudgeNet(made)), encoder, {"files": {}, "encoder": encoder.fingerprint})


@pytest.fixture(params=["hiding", "gradient", "attention", "judge"])
def explainer(request, encoder, matcher, judge):
    return {
        "hiding": ByHiding(cosine(encoder)), "gradient": ByGradient(encoder),
        "attention": ByAttention(matcher), "judge": ByAttention(judge),
    }[request.param]  # fmt: skip


def test_a_map_has_the_previews_pixels_and_values_up_to_1(explainer, images):
    (heat,) = explainer.explain(images[:1], TEXT)
    assert heat.shape == images[0].shape and heat.dtype == np.float32
    assert heat.min() >= 0 and heat.max() == 1 and len(np.unique(heat)) > 10


def test_the_same_asked_again_is_the_same_map(explainer, images):
    one, two = (explainer.explain(images[:1], TEXT)[0] for _ in range(2))
    assert np.array_equal(one, two)


def test_another_text_has_another_map(explainer, images):
    one, two = (explainer.explain(images[:1], text)[0] for text in (TEXT, "The lungs are clear."))
    assert not np.allclose(one, two, atol=1e-3)


def test_views_share_one_scale(explainer, images):
    both = explainer.explain(images[:2], TEXT)
    assert max(heat.max() for heat in both) == 1
    alone = [explainer.explain([image], TEXT)[0] for image in images[:2]]
    for heat, own in zip(both, alone, strict=True):
        np.testing.assert_allclose(heat, own * heat.max(), atol=1e-5)


def test_hiding_finds_the_one_place_that_counts():
    def score(images, text):
        return np.array([image[50:60, 10:20].std() for image in images], np.float32)

    image = np.random.default_rng(1).random((80, 80), dtype=np.float32)
    (heat,) = ByHiding(score).explain([image], TEXT)
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert 45 <= row < 65 and 5 <= column < 25
    assert heat[:, 40:].max() == 0 and heat[:30].max() == 0


def test_a_score_that_nothing_moves_has_a_map_of_nothing(images):
    (heat,) = ByHiding(lambda given, text: np.ones(len(given), np.float32)).explain(images[:1], TEXT)
    assert heat.shape == (40, 40) and not heat.any()


def test_hiding_counts_no_gain():
    image = np.zeros((16, 16), np.float32)
    image[0, 0] = 1
    (heat,) = ByHiding(lambda given, text: np.array([-one[0, 0] for one in given])).explain([image], TEXT)
    assert not heat.any()


def test_every_cell_is_hidden_by_four_windows():
    seen = []

    def score(images, text):
        images = list(images)
        seen.append(np.array([image < 0.99 for image in images[1:]]).sum(0))
        return np.zeros(len(images), np.float32)

    image = np.zeros((CELLS * 4, CELLS * 4), np.float32)
    image[:] = np.indices(image.shape).sum(0) % 2  # blurred everywhere to below 1
    ByHiding(score).explain([image], TEXT)
    assert set(seen[0][image == 1].tolist()) == {4}


def test_a_gradients_map_is_activation_times_slope_by_finite_differences(encoder, images):
    model, image = encoder.model, images[0]
    vector = torch.from_numpy(encoder.encode_texts([TEXT])[0]).double()
    double = DualEncoder(model.config)
    double.load_state_dict(model.state_dict())
    double = double.double().eval()
    with torch.no_grad():
        pixels = torch.from_numpy(model_input(image, 32))[None, None].double()
        states = double.image_states(pixels)

        def at(changed):
            pooled = changed.mean(1)
            return torch.nn.functional.normalize(double.image_projection(pooled), dim=-1)[0] @ vector

        places = torch.zeros(states.shape[1], dtype=torch.float64)
        for place in range(states.shape[1]):
            scaled = states.clone()
            scaled[0, place] *= 1 + 1e-6
            places[place] = (at(scaled) - at(states)) / 1e-6
    expected = places.clamp(min=0).reshape(4, 4).numpy()
    found = ByGradient(encoder)._map(image, vector.float())
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.max() + 1e-7)


@pytest.mark.parametrize("kind", ["matcher", "judge"])
def test_attention_explains_the_very_score_that_is_matched(kind, matcher, judge, images):
    from xemplar.models.heatmap import _judged, _matched

    asked = matcher if kind == "matcher" else judge
    prepared = asked.prepare([TEXT])
    states = torch.from_numpy(np.array(prepared.states)[None])
    score, weights, places = (_matched if kind == "matcher" else _judged)(asked, images[0], states)
    full = float(asked.match(images[:1], prepared).scores[0, 0])
    if kind == "judge":
        full -= judge.net.scale.item() * float(encoded(judge, images[0]) @ texts(judge))
    assert score.item() == pytest.approx(full, abs=2e-5)
    assert weights.shape[-1] == places + 1
    np.testing.assert_allclose(weights.detach().sum(-1), 1, atol=1e-5)


def encoded(judge, image):
    return judge.states.encoder.encode_images([image])[0]


def texts(judge):
    return judge.states.encoder.encode_texts([TEXT])[0]


def test_a_matcher_given_explains_in_the_encoders_place(encoder, matcher, images, monkeypatch):
    monkeypatch.setattr("xemplar.models.heatmap.CELLS", 2)
    (heat,) = explainer_of(encoder, matcher).explain(images[:1], TEXT)
    assert np.array_equal(heat, ByHiding(matching(matcher)).explain(images[:1], TEXT)[0])


def test_beside_a_linear_space_the_networks_part_is_explained(encoder, images):
    numbers = {name: np.ones(4, np.float32) for name in ("mean", "scale", "start", "idf")}
    beside = WithLinear(encoder, LinearSpace(2, ("a",), numbers), {"weight": 0.5, "files": {}})
    (heat,) = explainer_of(beside).explain(images[:1], TEXT)
    assert np.array_equal(heat, explainer_of(encoder).explain(images[:1], TEXT)[0])


class Table:
    """Vectors that somebody else made."""


def test_a_table_of_vectors_has_no_map():
    with pytest.raises(XemplarError, match=r"no heatmap.*found Table"):
        explainer_of(Table())


def test_a_foreign_matcher_has_no_map(encoder):
    with pytest.raises(XemplarError, match=r"no heatmap.*found Table"):
        explainer_of(encoder, Table())


def test_a_cls_vector_has_no_map_by_gradient(settings, tokenizer):
    vit = {
        "model_type": "vit", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 8, "image_size": 32, "patch_size": 8, "num_channels": 1,
    }  # fmt: skip
    model = DualEncoder(settings(image={"config": vit, "pool": "cls"}))
    with pytest.raises(XemplarError, match="CLS"):
        explainer_of(TorchEncoder(model, tokenizer, FACTS), way="gradient")


def test_a_matcher_of_cropped_films_has_no_map_by_attention(matcher):
    seen = Preprocessing(input_size=32, fit="crop")
    cropped = TorchMatcher(matcher.net, matcher.tokenizer, FACTS, preprocessing=seen)
    with pytest.raises(XemplarError, match="whole films"):
        explainer_of(cropped, cropped, way="gradient")
