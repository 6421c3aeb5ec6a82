"""A dual encoder so small that a forward pass takes milliseconds, and Hugging Face folders as small."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, ResNetConfig, ResNetModel, ViTConfig, ViTModel

from xemplar.models.checkpoint import TorchEncoder
from xemplar.models.config import ModelConfig
from xemplar.models.dual import DualEncoder
from xemplar.models.tokenizer import train_wordpiece

IMAGE = {
    "model_type": "resnet", "num_channels": 1, "embedding_size": 8, "hidden_sizes": [8, 8],
    "depths": [1, 1], "layer_type": "basic",
}  # fmt: skip
TEXT = {
    "model_type": "bert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 32, "max_position_embeddings": 64,
}  # fmt: skip
FACTS = {"domain": "synthetic", "preview_fingerprint": None}
CORPUS = [
    "The heart is normal in size.", "No pleural effusion or pneumothorax.", "Small left pleural effusion.",
    "Mild cardiomegaly with pulmonary edema.", "The lungs are clear.",
]  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer():
    return train_wordpiece(CORPUS, 200)


@pytest.fixture(scope="session")
def settings(tokenizer):
    """Changes to the tiny configuration, by tower -> a ModelConfig."""

    def make(image=None, text=None, **rest):
        words = {**TEXT, "vocab_size": len(tokenizer)}
        return ModelConfig.model_validate(
            {
                "image": {"input_size": 32, "config": IMAGE, **(image or {})},
                "text": {"max_tokens": 48, "config": words, **(text or {})},
                "dim": 8,
                **rest,
            }
        )

    return make


@pytest.fixture(scope="session")
def encoder(settings, tokenizer):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TorchEncoder(DualEncoder(settings()), tokenizer, {**FACTS, "files": {}})


@pytest.fixture(scope="session")
def images():
    return list(np.random.default_rng(0).random((21, 40, 40), dtype=np.float32))


@pytest.fixture(scope="session")
def originals(tokenizer):
    """Backbones by name, with weights of their own."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        resnet = ResNetConfig(**{key: value for key, value in IMAGE.items() if key != "model_type"})
        vit = ViTConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
            image_size=32, patch_size=8, num_channels=3,
        )  # fmt: skip
        bert = {key: value for key, value in TEXT.items() if key != "model_type"}
        return {
            "resnet": ResNetModel(resnet),
            "vit": ViTModel(vit, add_pooling_layer=False),
            "bert": BertModel(BertConfig(vocab_size=len(tokenizer), **bert)),
        }


@pytest.fixture(scope="session")
def hub(tmp_path_factory, originals, tokenizer):
    """The folders that `save_pretrained` leaves of them, the text tower's with its words."""
    folder = tmp_path_factory.mktemp("hub")
    for name, model in originals.items():
        model.save_pretrained(folder / name)
    tokenizer.save_pretrained(folder / "bert")
    return folder
