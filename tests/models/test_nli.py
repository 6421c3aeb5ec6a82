"""A network as a judge, over a tiny random checkpoint: its classes by name, no guess, no download."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel

from xemplar import rerank
from xemplar.errors import MismatchError, XemplarError
from xemplar.models import nli
from xemplar.models.nli import load_nli

ORDER = ("contradiction", "entailment", "neutral")
SIZES = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 64, "initializer_range": 0.8,
}  # fmt: skip
PAIRS = [
    ("No pleural effusion.", "Small left pleural effusion."),
    ("The lungs are clear.", "The lungs are clear."),
    ("Mild cardiomegaly with pulmonary edema. " * 3, "The heart is normal in size."),
]  # fmt: skip


@pytest.fixture(scope="module")
def model(tokenizer):
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return BertForSequenceClassification(
            BertConfig(vocab_size=len(tokenizer), num_labels=3, **SIZES)
        ).eval()


@pytest.fixture
def folder(tmp_path, model, tokenizer):
    """Label names -> a folder with the model, as the hub has them."""

    def write(labels=ORDER, name="radnli"):
        model.config.id2label = dict(enumerate(labels))
        model.config.label2id = {label: place for place, label in enumerate(labels)}
        model.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
        return tmp_path / name

    return write


def test_logits_are_the_networks_in_the_order_of_verdicts(folder, model, tokenizer):
    judge = load_nli(folder())
    for premise, hypothesis in PAIRS:
        with torch.no_grad():
            wanted = model(**tokenizer(premise, hypothesis, return_tensors="pt")).logits[0].numpy()
        np.testing.assert_allclose(judge.logits(premise, hypothesis), wanted[[1, 2, 0]], atol=1e-5)


def test_the_verdict_is_that_of_the_highest_logit(folder):
    judge = load_nli(folder())
    for pair in PAIRS:
        assert judge(*pair) == rerank.VERDICTS[int(np.argmax(judge.logits(*pair)))]


class Told:
    """A network whose logits are given beforehand."""

    config = SimpleNamespace(model_type="bert", max_position_embeddings=64)

    def __init__(self, logits):
        self.rows = iter(logits)

    def float(self):
        return self

    eval = float

    def __call__(self, **_):
        return SimpleNamespace(logits=torch.tensor([next(self.rows)]))


def said(logits, tokenizer, order=nli.VERDICTS):
    judge = nli.NliJudge(Told(logits), tokenizer, name="told", order=order)
    return [judge(*PAIRS[0]) for _ in logits]


def test_the_first_of_equal_logits_is_the_verdict(tokenizer):
    logits = [[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 2.0]]
    assert said(logits, tokenizer) == ["entailment", "neutral", "contradiction"]


@pytest.mark.shared
def test_the_original_judges_verdicts(golden, tokenizer):
    told = json.loads((golden / "xrem_rerank" / "nli_labels.json").read_text())
    order = sorted(told["label_index"], key=told["label_index"].get)
    assert said(told["logits"], tokenizer, order) == told["preds"]


def test_its_verdicts_are_those_of_the_filter():
    assert nli.VERDICTS == rerank.VERDICTS


def test_names_are_read_in_any_case(folder):
    lower, upper = (load_nli(folder(labels)) for labels in (ORDER, [name.upper() for name in ORDER]))
    assert np.array_equal(lower.logits(*PAIRS[0]), upper.logits(*PAIRS[0]))


@pytest.mark.parametrize(
    "labels",
    [("LABEL_0", "LABEL_1", "LABEL_2"), ("entailment", "not_entailment", "neutral"),
     ("entailment", "entails", "neutral")],
)  # fmt: skip
def test_names_that_say_nothing_are_refused_with_a_remedy(folder, labels):
    with pytest.raises(MismatchError, match=r"3 classes, called .*wanted three.*in the order of its logits"):
        load_nli(folder(labels))


def test_the_user_may_say_which_is_which(folder):
    told = load_nli(folder(("LABEL_0", "LABEL_1", "LABEL_2")), labels=ORDER)
    assert np.array_equal(told.logits(*PAIRS[0]), load_nli(folder()).logits(*PAIRS[0]))


def test_two_classes_are_refused(tmp_path, tokenizer):
    config = BertConfig(
        vocab_size=len(tokenizer), id2label={0: "entailment", 1: "contradiction"},
        label2id={"entailment": 0, "contradiction": 1}, **SIZES,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(MismatchError, match="2 classes, called entailment, contradiction"):
        load_nli(tmp_path)


def test_a_checkpoint_without_a_head_is_refused(tmp_path, tokenizer):
    BertModel(BertConfig(vocab_size=len(tokenizer), num_labels=3, **SIZES)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(MismatchError, match="weights are not in the checkpoint; the first is classifier"):
        load_nli(tmp_path)


def test_a_pair_that_is_too_long_is_cut_and_counted(folder):
    judge = load_nli(folder())
    assert judge("The lungs are clear. " * 60, "No effusion.") in nli.VERDICTS
    judge(*PAIRS[0])
    assert judge.cut == 1


def test_a_name_that_is_not_in_the_cache_is_refused_without_asking_the_hub(monkeypatch):
    asked = []

    def fetch(name, *, local_files_only, **_):
        asked.append(local_files_only)
        raise nli.LocalEntryNotFoundError("none")

    monkeypatch.setattr(nli, "snapshot_download", fetch)
    with pytest.raises(XemplarError, match="no model of that name in the cache"):
        load_nli("nobody/radnli-of-nobody")
    assert asked == [True]


def test_its_name_tells_other_weights_apart(folder, model):
    one = load_nli(folder()).name
    assert one == load_nli(folder()).name
    assert one.startswith("radnli ")
    with torch.no_grad():
        model.classifier.bias.add_(1.0)
    assert load_nli(folder()).name != one
    with torch.no_grad():
        model.classifier.bias.sub_(1.0)
