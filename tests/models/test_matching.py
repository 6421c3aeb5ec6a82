"""A matcher in use: a pair's score is its own, texts are prepared once, X-REM's two stages."""

import json
from functools import partial

import numpy as np
import pytest
import torch

from xemplar.contracts import Encoder, Matches
from xemplar.errors import MismatchError, XemplarError
from xemplar.models.checkpoints.albef import TOKENS, Heads, albef_tokenizer, import_albef
from xemplar.models.config import MatcherConfig
from xemplar.models.matcher import MatcherNet
from xemplar.models.matching import PAIR_BATCH, PreparedTexts, TorchMatcher
from xemplar.models.preprocessing import Preprocessing
from xemplar.models.tokenizer import tokenize
from xemplar.records import Hit
from xemplar.rerank import best, reranked

DRAW = np.random.default_rng(5)
WORDS = ["small", "left", "pleural", "effusion", "mild", "cardiomegaly", "the", "lungs", "are", "clear"]
TEXTS = [" ".join(DRAW.choice(WORDS, 2 + 6 * (n % 5))) for n in range(2 * PAIR_BATCH + 7)]


def config(tokenizer, **rest):
    return MatcherConfig.model_validate({
        "image": {"input_size": 32, "patch": 8, "width": 16, "depth": 1, "heads": 2},
        "text": {"vocabulary": len(tokenizer), "width": 12, "layers": 3, "fusion": 1, "heads": 2, "inner": 24,
                 "positions": 64, "max_tokens": 32, "cls_token": 2, "sep_token": 3, "mask_token": 4},
        "dim": 8, "queue": 6, **rest,
    })  # fmt: skip


@pytest.fixture(scope="module")
def matcher(tokenizer):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = MatcherNet(config(tokenizer))
        for parameter in net.parameters():  # larger than at the start, so that scores differ
            parameter.data.add_(torch.randn_like(parameter) * 0.2)
        return TorchMatcher(net, tokenizer, {"files": {}, "domain": "synthetic", "preview_fingerprint": None})


@pytest.fixture(scope="module")
def scores(matcher, images):
    return matcher.match(images[:3], matcher.prepare(TEXTS)).scores


def test_a_score_is_that_of_the_network_itself(matcher, images, tokenizer, scores):
    tokens, mask = tokenize(tokenizer, TEXTS, 32)
    with torch.no_grad():
        for row in range(3):
            image = matcher.net.image(matcher._pixels(images[row])).expand(len(TEXTS), -1, -1)
            fused = matcher.net.fused(matcher.net.text(tokens, mask), mask, image)
            np.testing.assert_allclose(scores[row], matcher.net.itm_logits(fused)[:, 1], atol=1e-5)


def test_scores_differ_among_images_and_texts(scores):
    assert len(np.unique(scores)) > 0.9 * scores.size


def test_a_pair_has_one_score_alone_or_among_others(matcher, images, scores):
    for text in (0, 4, len(TEXTS) - 1):
        alone = matcher.match([images[1]], matcher.prepare([TEXTS[text]])).scores
        assert np.array_equal(alone[0, 0], scores[1, text])


def test_a_choice_of_prepared_texts_scores_as_it_did(matcher, images, scores):
    rows = np.array([9, 2, 2, 17])
    found = matcher.match(images[:3], matcher.prepare(TEXTS).take(rows)).scores
    assert np.array_equal(found, scores[:, rows])


def test_texts_opened_from_a_folder_score_as_they_did(matcher, images, scores, tmp_path):
    matcher.prepare(TEXTS).save(tmp_path / "texts")
    opened = PreparedTexts.open(tmp_path / "texts")
    assert isinstance(opened.states, np.memmap)
    assert np.array_equal(matcher.match(images[:3], opened).scores, scores)


def test_texts_prepared_into_a_folder_are_those_prepared_at_once(matcher, tmp_path, monkeypatch):
    monkeypatch.setattr("xemplar.models.matching._CHUNK", 5)
    written, held = matcher.prepare_to(tmp_path / "texts", [*TEXTS, "effusion " * 60]), matcher.prepare(TEXTS)
    assert np.array_equal(written.states[: len(held.states)], held.states)
    assert np.array_equal(written.offsets[:-1], held.offsets)
    assert (written.maker, written.cut, len(written)) == (held.maker, 1, len(TEXTS) + 1)


def test_no_texts_are_prepared_into_a_folder(matcher, images, tmp_path):
    assert matcher.match(images[:1], matcher.prepare_to(tmp_path / "texts", [])).scores.shape == (1, 0)


@pytest.mark.parametrize("name", ["states.npy", "offsets.npy"])
def test_a_truncated_file_of_prepared_texts_is_one_error(matcher, tmp_path, name):
    matcher.prepare(TEXTS).save(tmp_path / "texts")
    path = tmp_path / "texts" / name
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(XemplarError, match=r"prepared texts can't be read.*prepare them again"):
        PreparedTexts.open(tmp_path / "texts")


def test_texts_of_another_matcher_are_refused(matcher, tokenizer, images):
    other = TorchMatcher(
        matcher.net, tokenizer, {"files": {"w": 1}, "domain": None, "preview_fingerprint": None}
    )
    with pytest.raises(MismatchError, match="texts prepared by another matcher"):
        matcher.match(images[:1], other.prepare(["clear"]))


def test_no_texts_and_no_images_have_no_scores(matcher, images):
    assert matcher.match(images[:2], matcher.prepare([])).scores.shape == (2, 0)
    assert matcher.match([], matcher.prepare(["clear"])).scores.shape == (0, 1)


def test_an_empty_text_has_a_score(matcher, images):
    assert np.isfinite(matcher.match(images[:1], matcher.prepare([""])).scores).all()


def test_cut_texts_are_counted(matcher):
    assert matcher.prepare(["effusion " * 60, "clear"]).cut == 1


def test_what_is_cut_changes_nothing(matcher, images):
    states = matcher.prepare(["effusion " * 60, "effusion " * 60 + "clear"])
    found = matcher.match(images[:1], states).scores
    assert found[0, 0] == found[0, 1]


def test_a_map_is_a_share_of_looks_for_each_patch(matcher, images):
    found = matcher.match(images[:2], matcher.prepare(TEXTS), explain=True)
    assert isinstance(found, Matches)
    assert found.maps.shape == (2, len(TEXTS), 4, 4)
    np.testing.assert_allclose(found.maps.sum((2, 3)), 1, rtol=1e-5)
    assert (found.maps >= 0).all()


def test_a_map_is_asked_for(matcher, images):
    assert matcher.match(images[:1], matcher.prepare(["clear"])).maps is None


def test_a_map_is_the_attention_of_the_last_layer(matcher, images, tokenizer):
    """By hand: softmax of queries by keys, head by head."""
    net, tokens = matcher.net, tokenize(tokenizer, ["small left effusion"], 32)
    with torch.no_grad():
        image = net.image(matcher._pixels(images[0]))
        states, seen = net.text(*tokens), tokens[1].bool()[:, None, None]
        states = net.text.layers[1](states, seen, net.text.layers[1].cross.keys(image))
        last = net.text.layers[2]
        first = last.attention(states[:, :1], last.attention.keys(states), seen)
        query, key = last.cross.query(first)[0, 0], last.cross.key(image)[0]
        heads = [torch.softmax(key[:, at : at + 6] @ query[at : at + 6] / 6**0.5, dim=0) for at in (0, 6)]
        looks = (sum(heads) / 2)[1:]
    found = matcher.match(images[:1], matcher.prepare(["small left effusion"]), explain=True).maps[0, 0]
    np.testing.assert_allclose(found.ravel(), looks / looks.sum(), atol=1e-6)


def test_it_is_an_encoder_too(matcher, images):
    assert isinstance(matcher, Encoder)
    np.testing.assert_allclose(np.linalg.norm(matcher.encode_images(images[:2]), axis=1), 1, rtol=1e-6)
    together = matcher.encode_texts(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-6)
    assert np.array_equal(matcher.encode_texts(TEXTS[3:4])[0], together[3])
    assert matcher.encode_texts([]).shape == (0, 8)


def test_a_matcher_that_only_judges_has_no_vectors(tokenizer, images):
    net = MatcherNet(config(tokenizer, dim=None))
    judge = TorchMatcher(net, tokenizer, {"files": {}, "domain": None, "preview_fingerprint": None})
    with pytest.raises(XemplarError, match="only judges pairs"):
        judge.encode_images(images[:1])


def test_images_prepared_at_another_size_are_refused(matcher, tokenizer):
    facts = {"files": {}, "domain": None, "preview_fingerprint": None}
    with pytest.raises(MismatchError, match="images prepared at 64 px; wanted 32 px"):
        TorchMatcher(matcher.net, tokenizer, facts, preprocessing=Preprocessing(input_size=64))


def test_a_tokenizer_of_more_words_is_refused(tokenizer):
    words = {**config(tokenizer).text.model_dump(), "vocabulary": 50}
    net = MatcherNet(config(tokenizer, text=words))
    with pytest.raises(MismatchError, match=r"a tokenizer of .* words; wanted at most 50"):
        TorchMatcher(net, tokenizer, {"files": {}, "domain": None, "preview_fingerprint": None})


def _stage(case, told, name, **rest):
    heads = Heads(image=told["bert"]["num_attention_heads"], text=told["bert"]["num_attention_heads"])
    return import_albef(case / name, heads=heads, **rest).online


@pytest.mark.shared
def test_the_two_stages_of_the_original(golden):
    """Bank, films, both networks: cosines, positions at the other size, scores, and who is kept."""
    found = sorted(path for path in (golden / "xrem_rerank").iterdir() if path.is_dir())
    assert found
    for case in found:
        told = json.loads((case / "result.json").read_text())
        with np.load(case / "data.npz", allow_pickle=False) as held:
            data = dict(held)
        tokenizer = albef_tokenizer(told["vocab"])
        first = _stage(case, told, "pretrain_state_dict.safetensors")
        sizes = sorted(int(name[5:]) for name in data if name.startswith("image") and name[5:].isdigit())
        small, large = torch.from_numpy(data[f"image{sizes[0]}"]), torch.from_numpy(data[f"image{sizes[1]}"])
        cosine = _cosines(first, tokenizer, told["bank"], small, data)
        second = _stage(case, told, next(case.glob("itm*.safetensors")).name, input_size=sizes[1])
        np.testing.assert_allclose(
            second.image.pos_embed.detach(), data[f"itm_pos_embed_{sizes[1]}"], atol=1e-4, rtol=1e-4
        )
        for row, candidates in enumerate(told["itm_candidates"]):
            scores = _scores(second, tokenizer, candidates, large[row : row + 1])
            np.testing.assert_allclose(scores, data["itm_scores"][row], atol=1e-4, rtol=1e-4)
            # Their list ends with an empty candidate, which they score and may keep; ours has none.
            assert candidates[-1] == ""
            judge = partial(_of, second, tokenizer, told["bank"], large[row : row + 1])
            first_best = best(cosine[row], told["topk_cosine"])
            hits = [Hit("report", str(at), float(cosine[row][at]), ("s",)) for at in first_best]
            ranked = reranked(hits, judge(first_best), keep=len(candidates) - 1)
            kept = [int(hit.item_id) for hit in ranked]
            theirs = [text for text in (candidates[at] for at in best(scores, len(scores))) if text]
            assert [told["bank"][at] for at in kept] == theirs
            written = [text for text in told["final_strings"][row].split("[SEP]") if text]
            assert written == theirs[: len(written)]


def _cosines(net, tokenizer, bank, images, data):
    encoded = tokenizer(bank, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt")
    assert np.array_equal(encoded["input_ids"], data["bank_input_ids_pad25"])
    with torch.no_grad():
        texts = net.text_vectors(net.text(encoded["input_ids"], encoded["attention_mask"]))
        films = net.image_vectors(net.image(images))
    np.testing.assert_allclose(texts, data["text_embeddings"], atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(films, data["image_features"], atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(films @ texts.T, data["cosine"], atol=1e-4, rtol=1e-4)
    return (films @ texts.T).numpy()


def _scores(net, tokenizer, texts, image):
    encoded = tokenizer(texts, padding="longest", return_tensors="pt")
    with torch.no_grad():
        states, mask = net.text(encoded["input_ids"], encoded["attention_mask"]), encoded["attention_mask"]
        fused = net.fused(states, mask, net.image(image).expand(len(texts), -1, -1))
        return net.itm_logits(fused)[:, 2].numpy()


def _of(net, tokenizer, bank, image, places):
    return _scores(net, tokenizer, [bank[at] for at in places], image)
