"""Our own recipe: what its tiny size is, whose figures are published, and what the others keep of it."""

import tomllib

import pytest

from xemplar.training.recipe import Recipe, load_recipe

MEASURED = """
name = "xemplar"
domain = "chest"

[model]
dim = 192
temperature = 0.1

[model.image]
input_size = 128
pool = "max"
grid = 2
centre = true
dropout = 0.1
mean = [0.45]
std = [0.25]

[model.image.config]
model_type = "resnet"
num_channels = 1
embedding_size = 24
hidden_sizes = [24, 48, 96, 128]
depths = [1, 1, 1, 1]
layer_type = "basic"
hidden_act = "relu"

[model.text]
max_tokens = 128
vocabulary = 2000
pool = "mean"
dropout = 0.1

[model.text.config]
model_type = "bert"
hidden_size = 128
num_hidden_layers = 1
num_attention_heads = 4
intermediate_size = 256
max_position_embeddings = 128
hidden_dropout_prob = 0.1
attention_probs_dropout_prob = 0.0

[objective]
positives = "claims"
rarity = 1.0

[linear]
weight = 0.5

[training]
text_unit = "both"
sentences = 3
batch = 48
epochs = 10
learning_rate = 2e-3
weight_decay = 0.05
warmup = 0.05
patience = 6
average = 0.98
seed = 1

[training.augmentation]
rotation = 2.0
shift = 0.04
zoom = 0.06
contrast = 0.2
brightness = 0.05
"""


def test_its_tiny_size_is_the_one_that_was_measured():
    assert load_recipe("xemplar")[0] == Recipe.model_validate(tomllib.loads(MEASURED))


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
