"""A recipe that trains in seconds over the drawn corpus."""

import pytest
import torch

from xemplar.training.learners import dual
from xemplar.training.recipe import Recipe

TINY = {
    "name": "tiny",
    "domain": "chest",
    "model": {
        "dim": 8,
        "image": {
            "input_size": 32,
            "dropout": 0.1,
            "config": {
                "model_type": "resnet", "num_channels": 1, "embedding_size": 8, "hidden_sizes": [8, 8],
                "depths": [1, 1], "layer_type": "basic",
            },
        },
        "text": {
            "max_tokens": 64,
            "vocabulary": 300,
            "config": {
                "model_type": "bert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
                "intermediate_size": 32, "max_position_embeddings": 64, "hidden_dropout_prob": 0.1,
            },
        },
    },
    "training": {"batch": 12, "epochs": 3, "average": 0.9, "word_dropout": 0.1, "seed": 5},
}  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny():
    """Changes to the training settings -> a tiny recipe."""

    def make(**training):
        return Recipe.model_validate({**TINY, "training": {**TINY["training"], **training}})

    return make


@pytest.fixture(scope="session")
def spoil_loss():
    """Make the loss NaN at its so many-th call, of which a step of a tiny recipe has two."""

    def spoil(monkeypatch, *, call):
        real, calls = dual.info_nce, []

        def broken(*args, **options):
            calls.append(1)
            return real(*args, **options) * (float("nan") if len(calls) == call else 1.0)

        monkeypatch.setattr(dual, "info_nce", broken)

    return spoil
