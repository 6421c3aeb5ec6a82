"""Scorers over tiny random checkpoints, laid out as the real ones are."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

from xemplar.errors import MismatchError, XemplarError
from xemplar.metrics.embedding import bert_scores, cosine, idf_weights
from xemplar.metrics.radcliq import MAKERS
from xemplar.models.scorers import CHEXBERT_ORDER, _Heads, load_bertscore, load_chexbert
from xemplar.records import OBSERVATIONS

TEXTS = [
    "Small left pleural effusion.", "The heart is normal in size.  No pneumothorax.\nNo effusion.", "",
    "Mild cardiomegaly with pulmonary edema. " * 4, "The lungs are clear.",
]  # fmt: skip
SIZES = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 512,
}  # fmt: skip


@pytest.fixture(scope="module")
def bert(tmp_path_factory, tokenizer):
    """A folder with config and tokenizer, as bert-base-uncased has them; and a BERT that fits it."""
    folder = tmp_path_factory.mktemp("bert")
    tokenizer.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = BertModel(BertConfig(vocab_size=len(tokenizer), initializer_range=0.5, **SIZES)).eval()
    model.save_pretrained(folder)
    return folder, model


@pytest.fixture(scope="module")
def heads():
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return [nn.Linear(16, 4) for _ in range(13)] + [nn.Linear(16, 2)]


@pytest.fixture
def checkpoint(tmp_path, bert, heads):
    """Writes chexbert.pth as its authors' training did, changed by the caller."""

    def write(change=lambda held: None, wrap=lambda held: {"epoch": 7, "model_state_dict": held}):
        held = {f"module.bert.{name}": value for name, value in bert[1].state_dict().items()}
        held["module.bert.embeddings.position_ids"] = torch.arange(512)[None]
        for place, head in enumerate(heads):
            held[f"module.linear_heads.{place}.weight"] = head.weight.detach()
            held[f"module.linear_heads.{place}.bias"] = head.bias.detach()
        change(held)
        torch.save(wrap(held), tmp_path / "chexbert.pth")
        return tmp_path / "chexbert.pth"

    return write


def _ids(tokenizer, text, limit=512):
    return tokenizer(" ".join(text.split()), truncation=True, max_length=limit)["input_ids"]


def _by_hand(bert, heads, tokenizer, text):
    """One text by itself, unpadded: [CLS] and the values of the heads, by name."""
    with torch.inference_mode():
        hidden = bert(input_ids=torch.tensor([_ids(tokenizer, text)])).last_hidden_state[0, 0]
        classes = [int(head(hidden).argmax()) for head in heads]
    return hidden.numpy(), dict(zip(CHEXBERT_ORDER, classes, strict=True))


def test_labels_and_embeddings_are_those_of_each_text_by_itself(checkpoint, bert, heads, tokenizer):
    reading = load_chexbert(checkpoint(), bert[0])(TEXTS)
    codes = {0: -2, 1: 1, 2: 0, 3: -1}  # blank, positive, negative, uncertain
    assert reading.labels.findings == OBSERVATIONS
    seen = set()
    for row, text in enumerate(TEXTS):
        vector, classes = _by_hand(bert[1], heads, tokenizer, text)
        assert reading.embeddings[row] == pytest.approx(vector, abs=1e-5)
        wanted = [codes[classes[name]] for name in OBSERVATIONS]
        assert reading.labels.codes[row].tolist() == wanted
        seen |= set(wanted)
    assert len(seen) > 2


@pytest.mark.parametrize(
    ("head", "finding"),
    [(0, "Enlarged Cardiomediastinum"), (2, "Lung Opacity"), (3, "Lung Lesion"), (4, "Edema"),
     (7, "Atelectasis"), (12, "Support Devices"), (13, "No Finding")],
)  # fmt: skip
def test_each_head_speaks_of_its_own_finding(checkpoint, bert, head, finding):
    """The order of CheXbert's constants, in which lung opacity stands before lung lesion."""

    def only(held):
        for place in range(14):
            width = 2 if place == 13 else 4
            held[f"module.linear_heads.{place}.weight"] = torch.zeros(width, 16)
            held[f"module.linear_heads.{place}.bias"] = torch.eye(width)[int(place == head)]

    labels = load_chexbert(checkpoint(only), bert[0])(TEXTS[:1]).labels
    assert {name: int(code) for name, code in zip(labels.findings, labels.codes[0], strict=True)} == {
        name: 1 if name == finding else -2 for name in OBSERVATIONS
    }


def test_at_its_published_size_it_has_the_227_weights_of_the_released_checkpoint():
    with torch.device("meta"):
        names = list(_Heads(BertModel(BertConfig())).state_dict())
    assert len(names) == 227
    assert {"bert.encoder.layer.11.output.LayerNorm.bias", "bert.pooler.dense.weight"} <= set(names)
    assert {"linear_heads.0.weight", "linear_heads.13.bias"} <= set(names)


def test_a_text_reads_the_same_in_any_company(checkpoint, bert):
    chexbert = load_chexbert(checkpoint(), bert[0])
    together, reversed_ = chexbert(TEXTS * 4), chexbert(TEXTS[::-1])
    alone = [chexbert([text]).embeddings[0] for text in TEXTS]
    assert (together.embeddings[:5] == np.stack(alone)).all()
    assert (reversed_.embeddings[::-1] == np.stack(alone)).all()


def test_what_is_cut_and_what_is_empty_is_counted(checkpoint, bert):
    reading = load_chexbert(checkpoint(), bert[0])(["effusion " * 600, "  \n", "edema"])
    assert (reading.cut, reading.empty) == (1, 1)


def test_no_texts_have_no_labels(checkpoint, bert):
    reading = load_chexbert(checkpoint(), bert[0])([])
    assert reading.embeddings.shape == (0, 16)
    assert reading.labels.codes.shape == (0, 14)


def test_its_embeddings_go_into_a_cosine(checkpoint, bert):
    chexbert = load_chexbert(checkpoint(), bert[0])
    vectors = chexbert(TEXTS).embeddings
    assert cosine(vectors, vectors) == pytest.approx(np.ones(5), abs=1e-6)


def test_a_tiny_network_is_not_called_chexbert(checkpoint, bert):
    assert load_chexbert(checkpoint(), bert[0]).maker == MAKERS["semb_score"] + "-of-2x16"


@pytest.mark.parametrize("wrap", [lambda held: held, lambda held: {"model_state_dict": held}])
def test_weights_may_stand_alone_and_without_module(checkpoint, bert, wrap):
    def bare(held):
        for name in list(held):
            held[name.removeprefix("module.")] = held.pop(name)

    plain = load_chexbert(checkpoint(bare, wrap), bert[0])(TEXTS)
    assert (plain.embeddings == load_chexbert(checkpoint(), bert[0])(TEXTS).embeddings).all()


def test_every_weight_that_does_not_fit_is_named(checkpoint, bert):
    def change(held):
        del held["module.linear_heads.13.bias"], held["module.bert.pooler.dense.bias"]
        held["module.dropout.zz"] = torch.zeros(1)
        held["module.linear_heads.0.bias"] = torch.zeros(3)

    with pytest.raises(MismatchError, match="4 weights don't fit") as error:
        load_chexbert(checkpoint(change), bert[0])
    for said in (
        "linear_heads.13.bias is missing", "bert.pooler.dense.bias is missing",
        "dropout.zz is unexpected", "linear_heads.0.bias is (3,) and not (4,)",
    ):  # fmt: skip
        assert said in str(error.value)


class _Code:
    """An object that would run code if it were unpickled."""

    def __reduce__(self):
        return (print, ("code ran",))


def test_a_checkpoint_that_carries_code_is_refused_and_not_run(checkpoint, bert, capsys):
    path = checkpoint(wrap=lambda held: {"model_state_dict": held, "optimizer": _Code()})
    with pytest.raises(XemplarError, match="only tensors are read from it"):
        load_chexbert(path, bert[0])
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", None])
def test_a_file_that_is_no_checkpoint_is_one_error(tmp_path, bert, content):
    path = tmp_path / "chexbert.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(XemplarError, match="checkpoint can't be read"):
        load_chexbert(path, bert[0])


def test_a_checkpoint_of_no_weights_is_refused(checkpoint, bert):
    with pytest.raises(MismatchError, match="without weights"):
        load_chexbert(checkpoint(wrap=lambda held: {"epoch": 7}), bert[0])


def test_a_name_on_a_hub_is_no_folder(checkpoint):
    with pytest.raises(XemplarError, match="bert-base-uncased: no such folder"):
        load_chexbert(checkpoint(), "bert-base-uncased")


def test_a_config_of_another_model_is_refused(checkpoint, bert, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "roberta"}))
    with pytest.raises(MismatchError, match="a config of roberta; wanted bert"):
        load_chexbert(checkpoint(), folder)


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(checkpoint, bert, tmp_path, tokenizer):
    tokenizer.save_pretrained(tmp_path)
    BertConfig(vocab_size=len(tokenizer) - 1, **SIZES).save_pretrained(tmp_path)
    path = checkpoint(lambda held: _shorten(held, "module.bert.embeddings.word_embeddings.weight"))
    with pytest.raises(MismatchError, match=rf"{len(tokenizer)} tokens; wanted at most {len(tokenizer) - 1}"):
        load_chexbert(path, tmp_path)


def _shorten(held, name):
    held[name] = held[name][:-1].clone()


def test_a_config_with_a_wrong_value_is_one_error(checkpoint, bert, tmp_path):
    values = json.loads((bert[0] / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**values, "hidden_size": "wide"}))
    with pytest.raises(XemplarError, match="no config can be read"):
        load_chexbert(checkpoint(), tmp_path)


def test_a_folder_without_a_config_is_one_error(checkpoint, tmp_path):
    with pytest.raises(XemplarError, match="no config can be read"):
        load_chexbert(checkpoint(), tmp_path)


def test_a_text_that_is_no_string_is_located_and_not_quoted(checkpoint, bert):
    with pytest.raises(XemplarError, match="text 1: a float; wanted a string"):
        load_chexbert(checkpoint(), bert[0])(["edema", float("nan")])


# -- BERTScore -----------------------------------------------------------------------------------------


def test_tokens_are_the_layer_asked_for_of_each_text_by_itself(bert, tokenizer):
    folder, model = bert
    scorer = load_bertscore(folder, name="tiny", layer=1)
    for text, found in zip(TEXTS, scorer.tokens(TEXTS), strict=True):
        ids = tokenizer(text)["input_ids"]
        with torch.inference_mode():
            states = model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states
        assert found.ids.tolist() == ids
        assert found.special.tolist() == [place in (0, len(ids) - 1) for place in range(len(ids))]
        assert found.vectors == pytest.approx(states[1][0].numpy(), abs=1e-5)


def test_scores_are_those_of_the_arithmetic(bert):
    scorer = load_bertscore(bert[0], name="tiny", layer=2, baseline=(0.1, 0.2, 0.3))
    references = TEXTS[1:] + TEXTS[:1]
    found = scorer(TEXTS, references, idf=True)
    said, true = scorer.tokens(TEXTS), scorer.tokens(references)
    idf = idf_weights([one.ids for one in true])
    wanted = bert_scores(said, true, idf=idf, baseline=(0.1, 0.2, 0.3))
    assert found.f1 == pytest.approx(wanted.f1, nan_ok=True)
    assert (found.undefined, found.empty) == (wanted.undefined, wanted.empty) == (1, 1)


def test_pairs_beyond_one_block_keep_their_order(bert, monkeypatch):
    scorer = load_bertscore(bert[0], name="tiny", layer=1)
    whole = scorer(TEXTS, TEXTS[::-1])
    monkeypatch.setattr("xemplar.models.scorers._PAIRS", 2)
    assert scorer(TEXTS, TEXTS[::-1]).f1 == pytest.approx(whole.f1, nan_ok=True)


def test_a_copy_scores_1(bert):
    found = load_bertscore(bert[0], name="tiny", layer=2)(TEXTS[:2], TEXTS[:2])
    assert found.f1 == pytest.approx([1.0, 1.0], abs=1e-6)


def test_a_maker_names_all_that_a_score_depends_on(bert):
    raw = load_bertscore(bert[0], name="tiny", layer=1)
    rescaled = load_bertscore(bert[0], name="distilroberta-base", layer=2, baseline=(0.1, 0.2, 0.3))
    assert raw.maker(idf=True) == "bertscore-tiny-layer1-raw-idf"
    assert rescaled.maker() == "bertscore-distilroberta-base-layer2-rescaled-noidf"
    assert rescaled.maker().replace("layer2", "layer5") == MAKERS["bertscore"]


def test_roberta_keeps_its_positions_for_padding(tmp_path, tokenizer):
    tokenizer.save_pretrained(tmp_path)
    sizes = {**SIZES, "max_position_embeddings": 40}
    RobertaModel(RobertaConfig(vocab_size=len(tokenizer), pad_token_id=0, **sizes)).save_pretrained(tmp_path)
    scorer = load_bertscore(tmp_path, name="tiny", layer=1)
    assert scorer.limit == 39
    assert len(scorer.tokens(["effusion " * 100])[0].ids) == 39


def test_no_pairs_have_no_scores(bert):
    assert load_bertscore(bert[0], name="tiny", layer=1)([], []).f1.shape == (0,)


def test_unequal_numbers_are_refused(bert):
    with pytest.raises(MismatchError, match="1 predictions for 2 references"):
        load_bertscore(bert[0], name="tiny", layer=1)(["a"], ["a", "b"])


def test_idf_over_one_reference_is_refused(bert):
    with pytest.raises(XemplarError, match="idf weights from 1 reference;"):
        load_bertscore(bert[0], name="tiny", layer=1)(["edema"], ["edema"], idf=True)


def test_a_layer_that_is_not_there_is_refused(bert):
    with pytest.raises(XemplarError, match=r"layer 3; wanted 0\.\.2"):
        load_bertscore(bert[0], name="tiny", layer=3)


def test_a_missing_weight_is_named(tmp_path, bert, tokenizer):
    from safetensors.torch import load_file, save_file

    tokenizer.save_pretrained(tmp_path)
    bert[1].save_pretrained(tmp_path)
    held = load_file(tmp_path / "model.safetensors")
    del held["encoder.layer.1.output.dense.weight"]
    save_file(held, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(MismatchError, match=r"the first is encoder\.layer\.1\.output\.dense\.weight"):
        load_bertscore(tmp_path, name="tiny", layer=1)


def test_a_folder_without_a_model_is_one_error(tmp_path):
    with pytest.raises(XemplarError, match="no model can be loaded"):
        load_bertscore(tmp_path, name="tiny", layer=1)
