"""ALBEF's pretraining in the loop: resumed bit for bit, its own words, equal reports no negatives."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from xemplar.errors import MismatchError, XemplarError
from xemplar.images import model_input
from xemplar.models.checkpoint import open_model
from xemplar.models.matcher_folder import open_matcher
from xemplar.training import loop
from xemplar.training.cached import Passes
from xemplar.training.learners import matcher as learning
from xemplar.training.learners.learner import Ground, NotFinite
from xemplar.training.learners.matcher import MatcherLearner, normalised, ramped
from xemplar.training.ranks import Ranks
from xemplar.training.recipe import Recipe
from xemplar.training.sampling import Sampler, hold_back, pairs_of

MATCHER = {
    "image": {"input_size": 32, "patch": 8, "channels": 1, "width": 16, "depth": 1, "heads": 2},
    "text": {"vocabulary": 300, "width": 16, "layers": 2, "fusion": 1, "heads": 2, "inner": 32,
             "positions": 128, "max_tokens": 96, "dropout": 0.1},
    "dim": 8, "queue": 40, "momentum": 0.9,
}  # fmt: skip
RECIPE = {
    "name": "tiny", "domain": "chest", "matcher": MATCHER,
    "training": {"text_unit": "report", "batch": 12, "epochs": 2, "seed": 5},
}  # fmt: skip

FACTS = {"files": {}, "domain": "synthetic", "preview_fingerprint": None}


class Stopped(Exception):
    """Raised by a test to stop a run."""


def recipe(**training):
    return Recipe.model_validate({**RECIPE, "training": {**RECIPE["training"], **training}})


def ground_of(corpus, made, *, ranks=None):
    pairs, held = hold_back(pairs_of(corpus, "train"), made.training.seed)
    ranks = ranks or Ranks()
    return Ground(corpus, made, pairs, held, ranks, Passes(ranks, made.training.chunk))


def batches_of(ground, learner):
    sampler = Sampler(ground.corpus, ground.pairs, ground.recipe, size=learner.input_size)
    return list(sampler.batches(0))


def stop_at(step):
    def told(progress):
        if progress.step == step:
            raise Stopped

    return told


@pytest.fixture(scope="module")
def ground(phantom_corpus):
    return ground_of(phantom_corpus, recipe())


@pytest.fixture(scope="module")
def learner(ground):
    return MatcherLearner(ground)


@pytest.fixture
def run_of(phantom_corpus):
    """A folder -> a run of the loop over this learner."""

    def make(folder, **training):
        folder.mkdir(exist_ok=True)
        return loop._Run(phantom_corpus, recipe(**training), folder, origin="o", learner=MatcherLearner)

    return make


def test_an_interrupted_run_goes_on_to_the_same_bits(run_of, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SAVE_SECONDS", -1.0)
    whole = run_of(tmp_path / "whole")
    whole.run(None)
    with pytest.raises(Stopped):
        run_of(tmp_path / "m").run(stop_at(whole.steps // 2 + 1))
    torch.manual_seed(99)  # must not matter
    again = run_of(tmp_path / "m")
    assert 0 < again.at.step < whole.steps
    again.run(None)
    assert again.at.step == whole.at.step == whole.steps
    one, two = whole.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert again.at.log == whole.at.log


def test_the_temperature_is_kept_and_learnt_but_no_part_of_the_model(learner):
    assert "temperature" in learner.module.state_dict()
    assert learner.kept().keys() == learner.module.online.state_dict().keys()


def test_what_is_averaged_is_the_network_itself(learner):
    name, value = next(iter(learner.kept().items()))
    assert value.data_ptr() == dict(learner.module.online.named_parameters())[name].data_ptr()


def test_words_and_marks_follow_from_the_tokenizer(learner):
    text, words = learner.module.config.text, learner.tokenizer
    assert text.vocabulary == len(words)
    marks = words.convert_ids_to_tokens([text.pad_token, text.cls_token, text.sep_token, text.mask_token])
    assert marks == ["[PAD]", "[CLS]", "[SEP]", "[MASK]"]


def test_towers_from_scratch_tell_texts_apart(ground, learner):
    """With weights of BERT's .02 in a narrow tower the same cosine is above .999."""
    served = learning.TorchMatcher(MatcherLearner(ground).module.online, learner.tokenizer, FACTS)
    vectors = served.encode_texts([pair.report for pair in ground.pairs])
    assert float((vectors @ vectors.T).mean()) < 0.98


def test_equal_reports_have_one_key(ground, monkeypatch):
    first, second, third, *rest = ground.pairs
    same = replace(second, report=first.report.upper() + " ")
    learner = MatcherLearner(replace(ground, pairs=(first, same, third, *rest)))
    (batch,) = [one for one in batches_of(ground, learner)][:1]
    batch = replace(batch, study_ids=(first.study_id, same.study_id, third.study_id, *batch.study_ids[3:]))
    seen = []
    monkeypatch.setattr(
        learning, "pretraining_losses", lambda _m, pairs, *_a, **_k: seen.append(pairs) or _raise()
    )
    with pytest.raises(Stopped):
        learner.backward(batch, of=1)
    keys = seen[0].keys.tolist()
    assert keys[0] == keys[1] != keys[2]


def _raise():
    raise Stopped


def test_each_image_meets_its_own_report(ground, learner, monkeypatch):
    batch, seen = batches_of(ground, learner)[0], []
    monkeypatch.setattr(
        learning, "pretraining_losses", lambda _m, pairs, *_a, **_k: seen.append(pairs) or _raise()
    )
    with pytest.raises(Stopped):
        learner.backward(batch, of=1)
    reports = {pair.study_id: pair.report for pair in ground.pairs}
    for row, name in enumerate(batch.study_ids):
        own = learner.tokenizer(reports[name], truncation=True, max_length=96)["input_ids"]
        assert seen[0].tokens[row, : len(own)].tolist() == own


def test_steps_lower_the_loss_of_the_same_batch(phantom_corpus):
    made = Recipe.model_validate({**RECIPE, "matcher": {**MATCHER, "queue": 1}})
    ground = ground_of(phantom_corpus, made)
    learner = MatcherLearner(ground)
    batch = replace(batches_of(ground, learner)[0], step=100)  # past the ramp
    optimizer = torch.optim.AdamW([p for p in learner.module.parameters() if p.requires_grad], 3e-3)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        losses.append(learner.backward(batch, of=1))
        optimizer.step()
        learner.after_step()
    assert losses[-1] < losses[0] - 0.5


def test_gradients_are_of_the_loss_divided(ground):
    found = []
    for of in (1, 4):
        learner = MatcherLearner(ground)
        learner.backward(batches_of(ground, learner)[0], of=of)
        found.append(learner.module.online.image_projection.weight.grad)
    np.testing.assert_allclose(found[0], 4 * found[1], rtol=1e-5, atol=1e-8)


def test_the_copy_and_the_queue_move_with_a_batch(ground):
    learner = MatcherLearner(ground)
    learner.backward(batches_of(ground, learner)[0], of=1)
    assert int(learner.module.queue_filled) == 12
    assert all(one.grad is None for one in learner.module.momentum.parameters())


@pytest.mark.parametrize(("step", "share"), [(0, 0.0), (2, 0.2), (4, 0.4), (9, 0.4)])
def test_the_copys_share_is_raised_in_the_first_epoch(step, share):
    assert ramped(0.4, step, 4) == pytest.approx(share)


def test_the_temperature_is_brought_within_its_bounds(ground):
    learner = MatcherLearner(ground)
    learner.module.temperature.data.fill_(7.0)
    learner.after_step()
    assert learner.module.temperature.item() == 0.5


def test_an_image_goes_in_as_it_is_served(learner, phantom_corpus, tmp_path):
    learner.write(tmp_path, recipe_text="", facts=learner.ground.facts)
    served, size = open_matcher(tmp_path), learner.input_size
    image = phantom_corpus.preview(phantom_corpus.studies[0].views[0].view_id)
    ours = normalised(torch.from_numpy(model_input(image, size))[None, None], learner.module.config.image)
    assert torch.equal(ours, served._pixels(image))


def test_the_folder_searches_and_matches(learner, phantom_corpus, tmp_path):
    learner.write(tmp_path, recipe_text="text", facts=learner.ground.facts)
    encoder = open_model(tmp_path)
    assert encoder.preview == phantom_corpus.settings.preview.fingerprint
    assert encoder.encode_texts(["no effusion"]).shape == (1, 8)
    assert (tmp_path / "recipe.toml").read_text() == "text"


def test_the_folders_scores_are_those_of_training(ground, tmp_path):
    learner = MatcherLearner(ground)
    scores = learner.validate()
    learner.write(tmp_path, recipe_text="", facts=ground.facts)
    again = learning.ranked(ground, (kept := open_model(tmp_path)).encode_images, kept.encode_texts)
    assert scores == again
    assert 0 < scores["val_mrr"] <= 1


def test_it_trains_on_from_a_folder(ground, phantom_corpus, tmp_path):
    learner = MatcherLearner(ground)
    learner.write(tmp_path, recipe_text="", facts=ground.facts)
    values = {**MATCHER, "pretrained": str(tmp_path), "queue": 7, "image": {"input_size": 48, "patch": 8}}
    made = Recipe.model_validate({**RECIPE, "matcher": values})
    second = MatcherLearner(ground_of(phantom_corpus, made))
    assert (second.input_size, second.module.config.queue, second.module.config.pretrained) == (48, 7, None)
    assert second.tokenizer.get_vocab() == learner.tokenizer.get_vocab()
    assert torch.equal(second.module.online.text.words.weight, learner.module.online.text.words.weight)
    assert torch.equal(second.module.momentum.text.words.weight, learner.module.online.text.words.weight)


def test_a_loss_that_is_no_number_stops_before_the_queue(ground):
    learner = MatcherLearner(ground)
    batch = batches_of(ground, learner)[0]
    images = batch.images.copy()
    images[2] = np.nan
    with pytest.raises(NotFinite, match=r"not finite in row 2"):
        learner.backward(replace(batch, images=images), of=1)
    assert int(learner.module.queue_filled) == 0


class TwoRanks(Ranks):
    """Says that it is one of two."""

    def __init__(self):
        super().__init__(0, 2)


def test_several_processes_are_refused(phantom_corpus):
    with pytest.raises(XemplarError, match="a matcher with 2 processes and chunks of 0; wanted one process"):
        MatcherLearner(ground_of(phantom_corpus, recipe(), ranks=TwoRanks()))


def test_chunks_are_refused(phantom_corpus):
    with pytest.raises(XemplarError, match="1 processes and chunks of 4"):
        MatcherLearner(ground_of(phantom_corpus, recipe(chunk=4)))


@pytest.mark.parametrize("unit", ["sentence", "both"])
def test_texts_other_than_reports_are_refused(phantom_corpus, unit):
    with pytest.raises(XemplarError, match=f"text_unit '{unit}'; wanted 'report'"):
        MatcherLearner(ground_of(phantom_corpus, recipe(text_unit=unit)))


def test_a_dual_encoders_objectives_are_refused(phantom_corpus):
    made = Recipe.model_validate({**RECIPE, "objective": {"classes": 1.0}})
    with pytest.raises(XemplarError, match="settings of `objective`"):
        MatcherLearner(ground_of(phantom_corpus, made))


def test_a_folder_that_only_judges_pairs_is_no_beginning(phantom_corpus, ground, tmp_path):
    learner = MatcherLearner(ground)
    net = learning.MomentumMatcher(learner.module.config.model_copy(update={"dim": None})).online
    learning.save_matcher(tmp_path, net, learner.tokenizer, facts=ground.facts)
    made = Recipe.model_validate({**RECIPE, "matcher": {**MATCHER, "pretrained": str(tmp_path)}})
    with pytest.raises(MismatchError, match="only judges pairs"):
        MatcherLearner(ground_of(phantom_corpus, made))
