"""A judge trained over a finished encoder: the same twice, never touching the encoder or torch's seed."""

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from xemplar.errors import MismatchError, XemplarError
from xemplar.models.judging import TorchJudge
from xemplar.models.layout import RERANKER
from xemplar.models.system import open_system
from xemplar.training.judging import train_judge
from xemplar.training.objectives.negatives import Negatives
from xemplar.training.recipe import Recipe
from xemplar.training.sampling import hold_back, pairs_of
from xemplar.training.stages import train_system


@pytest.fixture(scope="module")
def recipe(tiny):
    values = tiny(epochs=1).model_dump()
    return Recipe.model_validate(
        {**values, "matching": {"layers": 1, "epochs": 2, "batch": 16, "unit": "sentence"}}
    )


@pytest.fixture(scope="module")
def model(phantom_corpus, recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("judging") / "model"
    train_system(phantom_corpus, recipe, folder, recipe_text="")
    return folder


@pytest.fixture(scope="module")
def manifest(phantom_corpus, recipe, model):
    return train_judge(phantom_corpus, recipe, model, out=model / RERANKER)


def test_a_second_training_gives_the_same_weights_and_leaves_the_seed(
    phantom_corpus, recipe, model, manifest, tmp_path
):
    torch.manual_seed(77)
    before = torch.get_rng_state()
    again = train_judge(phantom_corpus, recipe, model, out=tmp_path / "again")
    assert torch.equal(torch.get_rng_state(), before)
    one, two = (
        load_file(folder / "weights.safetensors") for folder in (model / RERANKER, tmp_path / "again")
    )
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert again["results"] == manifest["results"]


def test_a_kept_judge_is_no_worse_than_cosine_among_those_held_back(manifest):
    found = manifest["results"]
    assert found["score"] >= found["cosine"]["score"] > 0
    known = [found[kind] for kind in ("flip", "mined", "random", "film") if found[kind] is not None]
    assert found["score"] == pytest.approx(np.mean(known))


def test_the_folder_opens_as_the_systems_second_stage(model, manifest):
    encoder, stages = open_system(model)
    assert isinstance(stages.matcher, TorchJudge)
    assert stages.matcher.manifest["encoder"] == manifest["encoder"] == encoder.fingerprint


def test_a_finished_judge_of_other_settings_is_refused(phantom_corpus, recipe, model, manifest):
    other = recipe.model_copy(update={"matching": recipe.matching.model_copy(update={"epochs": 3})})
    with pytest.raises(MismatchError, match="finished judge of other settings"):
        train_judge(phantom_corpus, other, model, out=model / RERANKER)


def test_a_recipe_without_layers_is_refused(phantom_corpus, recipe, model, tmp_path):
    with pytest.raises(XemplarError, match="no second stage over a dual encoder"):
        train_judge(
            phantom_corpus, recipe.model_copy(update={"matching": None}), model, out=tmp_path / "x"
        )  # fmt: skip


def test_whole_reports_are_judged_where_the_recipe_says_so(phantom_corpus, recipe, model, manifest, tmp_path):
    stage = recipe.matching.model_copy(update={"unit": "report"})
    whole = recipe.model_copy(update={"matching": stage})
    found = train_judge(phantom_corpus, whole, model, out=tmp_path / "judge")
    kinds = {"mined", "random"}
    assert found["trained_on"]["unit"] == "report" and "left_out" not in manifest["trained_on"]
    pairs, _ = hold_back(pairs_of(phantom_corpus, "train"), recipe.training.seed)
    left_out = len(Negatives(pairs, "labels").draw(np.random.default_rng(0)).left_out)
    assert found["trained_on"]["left_out"] == left_out
    assert kinds == found["results"].keys() - {"epoch", "score", "cosine"}
    assert found["results"]["score"] >= found["results"]["cosine"]["score"] > 0


def test_sentences_are_judged_by_layers_of_their_own(recipe):
    with pytest.raises(ValueError, match="wanted layers of 1 or more"):
        Recipe.model_validate({**recipe.model_dump(), "matching": {"unit": "sentence"}})


def test_captions_are_refused_before_anything_is_trained(phantom_corpus, recipe, tmp_path, monkeypatch):
    captions = phantom_corpus.settings.model_copy(update={"texts": "captions"})
    monkeypatch.setattr(phantom_corpus, "settings", captions)
    whole = recipe.model_copy(update={"matching": recipe.matching.model_copy(update={"unit": "report"})})
    with pytest.raises(XemplarError, match=r'captions, which claim no findings.*negatives = "random"'):
        train_system(phantom_corpus, whole, tmp_path / "model", recipe_text="")
    assert not (tmp_path / "model").exists()
