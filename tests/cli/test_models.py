"""`xemplar model`: importing, showing and handing on, as a user calls them."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from commands import refused, xemplar
from safetensors.torch import save_file

from xemplar.models.checkpoint import save_model
from xemplar.models.checkpoints import openai_clip
from xemplar.models.config import ModelConfig
from xemplar.models.dual import DualEncoder
from xemplar.models.tokenizer import train_wordpiece


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A tiny CLIP in OpenAI's layout, and words for it."""
    folder = tmp_path_factory.mktemp("clip")
    sizes = openai_clip.Sizes(
        embed_dim=8, image_resolution=32, vision_layers=1, vision_width=64, vision_patch_size=16,
        context_length=12, vocab_size=515, transformer_width=64, transformer_layers=1,
    )  # fmt: skip
    weights = {name: torch.randn(shape) * 0.1 for name, shape in openai_clip.names_of(sizes).items()}
    save_file(weights, folder / "clip.safetensors")
    (folder / "bpe.txt").write_text("#version\nl u\n")
    return folder


def test_a_checkpoint_is_imported_and_shown(clip, tmp_path):
    out = tmp_path / "model"
    given = ("--tokenizer", clip / "bpe.txt", "--preprocessing", "films", "--domain", "clinical")
    said = xemplar("model", "import", clip / "clip.safetensors", "--out", out, *given).stdout
    assert "CLIP, imported from OpenAI's layout" in said and "domain         clinical" in said
    facts = json.loads(xemplar("model", "show", out, "--json").stdout)
    assert facts["image"]["letterbox"] == 320
    assert (facts["dim"], facts["imported_from"], facts["trained_on"]) == (
        8,
        "clip.safetensors",
        "not stated",
    )
    assert xemplar("model", "show", out).stdout == said


def test_a_table_is_imported_and_shown(phantom_corpus, tmp_path):
    keys = [view.view_id for study in phantom_corpus.studies for view in study.views]
    vectors = np.random.default_rng(0).normal(size=(len(keys), 4)).tolist()
    pq.write_table(pa.table({"id": keys, "vector": vectors}), tmp_path / "t.parquet")
    table = ("--vectors", tmp_path / "t.parquet", "--corpus", phantom_corpus.folder, "--maker", "M 1.0")
    said = xemplar("model", "import", "--out", tmp_path / "model", *table).stdout
    assert "maker          M 1.0" in said and f"views {len(keys)} of {len(keys)}" in said


def test_a_trained_model_is_handed_on_and_shown(tmp_path):
    words = train_wordpiece(["no effusion"], 40)
    image = {
        "model_type": "resnet",
        "num_channels": 1,
        "embedding_size": 8,
        "hidden_sizes": [8],
        "depths": [1],
    }
    text = {"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    text |= {"intermediate_size": 8, "vocab_size": len(words)}
    config = {"image": {"input_size": 32, "config": image}, "text": {"config": text}, "dim": 8}
    facts = {"domain": "synthetic", "preview_fingerprint": None, "trained_on": {"title": "drawn"}}
    model = DualEncoder(ModelConfig.model_validate(config))
    save_model(tmp_path / "model", model, words, recipe="", facts=facts)
    xemplar("model", "export", tmp_path / "model", "--out", tmp_path / "out", "--licence", "mit")
    facts = [json.loads(xemplar("model", "show", tmp_path / n, "--json").stdout) for n in ("model", "out")]
    assert facts[0]["fingerprint"] == facts[1]["fingerprint"]
    assert (facts[1]["licence"], facts[1]["trained_on"]) == ("mit", "drawn")


@pytest.mark.parametrize(("arguments", "said"), [
    ((), "an import needs either a checkpoint or --vectors TABLE"),
    (("a.pt", "--vectors", "t.parquet"), "an import needs either"),
    (("--vectors", "t.parquet"), "--vectors needs the --corpus"),
    (("a.pt", "--maker", "x"), "a checkpoint takes no --maker"),
    (("--vectors", "t", "--corpus", "c", "--maker", "m", "--fit", "crop"), "--vectors takes no --fit"),
    (("a.pt", "--precision", "fp8"), "--precision 'fp8'; wanted one of fp32, bf16"),
    (("a.pt", "--preprocessing", "mine"), "a.pt: no such checkpoint"),
    (("none.pt",), "none.pt: no such checkpoint"),
    (("a.pt", "--domain", "drawn"), "--domain 'drawn'; wanted one of synthetic, figures, clinical"),
    (("a.pt", "--fit", "wide"), "--fit 'wide'; wanted one of letterbox, squash, crop"),
])  # fmt: skip
def test_mistakes_are_told_in_a_line(tmp_path, arguments, said):
    assert said in refused("model", "import", *arguments, "--out", tmp_path / "model")
