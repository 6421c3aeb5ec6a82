"""Two networks of one name that compare texts are told apart by their files."""

import pytest
import torch
from transformers import BertConfig, BertModel

from xemplar.assembly import Assembly
from xemplar.models.system import _judge


@pytest.fixture
def alike(tmp_path, tokenizer):
    """The judge of a tiny BERT drawn with a seed, in a folder of one and the same name."""

    def make(seed):
        folder = tmp_path / str(seed) / "bert"
        tokenizer.save_pretrained(folder)
        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            BertModel(BertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
        return _judge(Assembly(filter="bertscore", judge=str(folder)))

    return make


def test_bertscores_judge_is_named_by_its_files(alike):
    names = [alike(seed).name for seed in (1, 2, 1)]
    assert names[0] == names[2] != names[1]
    assert all(name.startswith("bertscore-bert-layer1-raw-noidf ") for name in names)
