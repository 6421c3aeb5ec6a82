"""A judge over a dual encoder's states: a pair's score is its own, and begins as the cosine."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from xemplar.errors import MismatchError
from xemplar.models.checkpoint import TorchEncoder
from xemplar.models.dual import DualEncoder
from xemplar.models.judging import FIRST_SCALE, JudgeConfig, JudgeNet, States, TorchJudge
from xemplar.models.judging_folder import is_judge, open_judge, save_judge
from xemplar.models.matching import PAIR_BATCH
from xemplar.models.tokenizer import tokenize

DRAW = np.random.default_rng(5)
WORDS = ["small", "left", "pleural", "effusion", "mild", "cardiomegaly", "the", "lungs", "are", "clear"]
TEXTS = [" ".join(DRAW.choice(WORDS, 2 + 6 * (n % 5))) for n in range(PAIR_BATCH + 5)]
IMAGES = [DRAW.random((32, 32)).astype(np.float32) for _ in range(3)]
CONFIG = JudgeConfig(
    layers=2, width=16, heads=2, inner=24, image_width=8, positions=16, text_width=16, dim=8
)  # fmt: skip


def made(encoder, *, moved=True):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = JudgeNet(CONFIG)
        for parameter in net.parameters() if moved else ():
            parameter.data.add_(torch.randn_like(parameter) * 0.2)
    return TorchJudge(net, encoder, {"files": {}, "encoder": encoder.fingerprint})


@pytest.fixture(scope="module")
def judge(encoder):
    return made(encoder)


@pytest.fixture(scope="module")
def scores(judge):
    return judge.match(IMAGES, judge.prepare(TEXTS)).scores


def test_a_score_is_that_of_the_towers_and_layers_themselves(judge, encoder, scores):
    net, model = judge.net, encoder.model
    with torch.no_grad():
        for row, image in enumerate(IMAGES):
            hidden = model.image_states(torch.from_numpy(image)[None, None])
            whole = model.image_vectors(torch.from_numpy(image)[None, None])
            for column, text in enumerate(TEXTS):
                tokens, mask = tokenize(encoder.tokenizer, [text], 48)
                tokens, mask = tokens[:, : mask.sum()], mask[:, : mask.sum()]
                cosine = (model.text_vectors(tokens, mask) * whole).sum(1)
                keys = net.image_keys(hidden, whole)
                alone = net(model.text_states(tokens, mask), mask, keys, cosines=cosine)
                assert scores[row, column] == pytest.approx(float(alone), abs=2e-5)


def test_scores_differ_among_images_and_texts(scores):
    assert len(np.unique(scores)) > 0.9 * scores.size


def test_a_score_is_the_same_alone_and_in_company(judge, scores):
    for row, image in enumerate(IMAGES):
        for column in (0, 4, len(TEXTS) - 1):
            alone = judge.match([image], judge.prepare([TEXTS[column]])).scores
            assert alone[0, 0] == scores[row, column]


def test_an_untaught_judge_ranks_by_cosine(encoder):
    judge = made(encoder, moved=False)
    cosines = encoder.encode_images(IMAGES) @ encoder.encode_texts(TEXTS).T
    found = judge.match(IMAGES, judge.prepare(TEXTS)).scores - judge.net.last.bias.item()
    np.testing.assert_allclose(found, FIRST_SCALE * cosines, atol=1e-4)


def test_maps_are_shares_over_the_grid(judge):
    maps = judge.match(IMAGES[:2], judge.prepare(TEXTS[:3]), explain=True).maps
    assert maps.shape == (2, 3, 4, 4) and (maps > 0).all()
    np.testing.assert_allclose(maps.sum((2, 3)), 1, atol=1e-5)


def test_where_a_text_looks_doesnt_hang_on_its_padding(judge):
    prepared = judge.prepare([TEXTS[0], TEXTS[4]])
    one = judge.match(IMAGES[:1], prepared.take([0]), explain=True).maps
    assert np.array_equal(one[0, 0], judge.match(IMAGES[:1], prepared, explain=True).maps[0, 0])


def test_texts_of_another_judge_are_refused(judge):
    with pytest.raises(MismatchError, match="prepared by another matcher"):
        judge.match(IMAGES, replace(judge.prepare(TEXTS[:2]), maker="other"))


def test_another_encoder_is_refused(judge, settings, tokenizer):
    other = TorchEncoder(
        DualEncoder(settings()), tokenizer,
        {"domain": "synthetic", "preview_fingerprint": None, "files": {"w": 1}},
    )  # fmt: skip
    with pytest.raises(MismatchError, match=f"one over {other.fingerprint}"):
        TorchJudge(judge.net, other, judge.manifest)


def test_what_has_no_states_is_refused():
    with pytest.raises(MismatchError, match="another kind"):
        States(object())


@pytest.mark.parametrize("image", [{}, {"pool": "max", "grid": 2}])
def test_vectors_are_those_of_the_states(settings, image):
    model = DualEncoder(settings(image=image)).eval()
    pixels = torch.from_numpy(np.stack(IMAGES))[:, None]
    tokens, mask = torch.ones(2, 5, dtype=torch.long), torch.tensor([[1] * 5, [1, 1, 1, 0, 0]])
    with torch.no_grad():
        seen = model.image_states(pixels)
        assert seen.shape == (3, 16, 8)
        np.testing.assert_allclose(model.image_vectors_of(seen), model.image_vectors(pixels), atol=1e-6)
        read = model.text_vectors_of(model.text_states(tokens, mask), mask)
        assert torch.equal(read, model.text_vectors(tokens, mask))


def test_a_saved_judge_scores_alike(judge, encoder, scores, tmp_path):
    save_judge(tmp_path, judge.net, facts={"encoder": encoder.fingerprint})
    again = open_judge(tmp_path, encoder)
    assert is_judge(tmp_path) and not is_judge(tmp_path / "none")
    assert np.array_equal(again.match(IMAGES, again.prepare(TEXTS)).scores, scores)


def test_changed_weights_are_refused(judge, encoder, tmp_path):
    save_judge(tmp_path, judge.net, facts={"encoder": encoder.fingerprint})
    with (tmp_path / "weights.safetensors").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(MismatchError, match=r"weights\.safetensors is missing or changed"):
        open_judge(tmp_path, encoder)
