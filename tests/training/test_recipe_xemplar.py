"""Our own recipe: its tiny size, and what the larger ones keep of it."""

import pytest

from xemplar.training.recipe import Recipe, load_recipe


def test_its_tiny_towers_and_pace():
    recipe = load_recipe("xemplar")[0]
    image, text, pace = recipe.model.image, recipe.model.text, recipe.training
    assert (recipe.model.dim, recipe.model.temperature) == (192, 0.1)
    assert (image.input_size, image.pool, image.grid, image.centre, image.dropout) == (
        128,
        "max",
        2,
        True,
        0.1,
    )
    assert (image.mean, image.std, image.config["hidden_sizes"]) == ((0.45,), (0.25,), [24, 48, 96, 128])
    assert (text.max_tokens, text.vocabulary, text.pool, text.dropout) == (128, 2000, "mean", 0.1)
    assert (text.config["hidden_size"], text.config["num_hidden_layers"]) == (128, 1)
    assert (pace.batch, pace.epochs, pace.learning_rate, pace.patience, pace.average) == (
        48,
        14,
        2e-3,
        14,
        0.98,
    )
    assert (pace.weight_decay, pace.warmup, pace.seed, pace.precision, pace.chunk) == (
        0.05,
        0.05,
        1,
        "fp32",
        0,
    )


@pytest.mark.parametrize("size", ["small", "published"])
def test_a_larger_size_differs_in_size_and_pace_alone(size):
    tiny, other = (load_recipe("xemplar", one)[0] for one in ("tiny", size))
    assert (other.objective, other.linear, other.assembly) == (tiny.objective, tiny.linear, tiny.assembly)
    assert other.matching is None and other.objective.flips == 0
    assert (other.model.image.pool, other.model.image.grid, other.model.image.centre) == ("max", 2, True)
    assert (other.training.text_unit, other.training.sentences) == ("both", 3)


def test_what_is_pretrained_goes_in_chunks_with_its_statistics_kept():
    recipe = load_recipe("xemplar", "published")[0]
    assert recipe.model.image.pretrained == "microsoft/resnet-50"
    assert recipe.model.text.pretrained == "emilyalsentzer/Bio_ClinicalBERT"
    assert (recipe.training.batch, recipe.training.chunk, recipe.training.frozen_norm) == (512, 32, True)


@pytest.mark.parametrize("matching", [{"layers": 1}, {"layers": 2, "unit": "report"}])
def test_evidence_of_sentences_is_not_sought_from_a_judge_of_whole_reports(matching):
    values = {**load_recipe("xemplar")[0].model_dump(), "matching": matching}
    with pytest.raises(ValueError, match=r'set matching\.unit = "sentence"'):
        Recipe.model_validate(values)
    assert Recipe.model_validate({**values, "matching": {**matching, "unit": "sentence"}})
    other = {"policy": "consistent", "unit": "report"}
    assert Recipe.model_validate({**values, "assembly": other}).matching.unit == "report"
