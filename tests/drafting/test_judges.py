"""Rules over claims by hand; filters keep what their judge lets them."""

from types import SimpleNamespace

import pytest

from xemplar.assembly import Assembly
from xemplar.drafting import judges
from xemplar.drafting.judges import ByLikeness, ByVerdict, ClaimJudge, Everything, closed, filter_for
from xemplar.errors import XemplarError
from xemplar.records import Sentence
from xemplar.report import text_key

BY_HAND = [
    ("Small left pleural effusion.", "No pleural effusion.", "contradiction"),
    ("No pleural effusion.", "Small left pleural effusion.", "contradiction"),
    ("Small left pleural effusion.", "No right pleural effusion.", "neutral"),
    ("Bilateral pleural effusions.", "No right pleural effusion.", "contradiction"),
    ("Consolidation in the left upper lobe.", "No consolidation in the left lower lobe.", "neutral"),
    ("Small left pleural effusion. Clear lungs.", "Small left pleural effusion.", "entailment"),
    ("Small left pleural effusion.", "Left pleural effusion.", "entailment"),
    ("Left pleural effusion.", "Small left pleural effusion.", "neutral"),
    ("Pleural effusion.", "Left pleural effusion.", "neutral"),
    ("No pleural effusion.", "No left pleural effusion.", "entailment"),
    ("No left pleural effusion.", "No pleural effusion.", "neutral"),
    ("No pleural effusion.", "No pleural effusion. No pneumothorax.", "neutral"),
    ("No pleural effusion or pneumothorax.", "No pneumothorax.", "entailment"),
    ("Possible pneumonia.", "Pneumonia.", "neutral"),
    ("Possible pneumonia.", "No pneumonia.", "neutral"),
    ("Mild cardiomegaly. No effusion.", "Moderate pneumothorax. Small effusion.", "contradiction"),
    ("Views were obtained. No effusion.", "VIEWS WERE OBTAINED", "entailment"),
    ("Views were obtained. No effusion.", "Two views were obtained.", "neutral"),
    ("No effusion.", "Views were obtained.", "neutral"),
]


@pytest.mark.parametrize(("premise", "hypothesis", "verdict"), BY_HAND)
def test_verdicts_are_those_made_by_hand(premise, hypothesis, verdict):
    assert ClaimJudge()(premise, hypothesis) == verdict


def test_a_text_is_read_once(monkeypatch):
    seen, real = [], judges.read_claims
    monkeypatch.setattr(judges, "read_claims", lambda text: seen.append(text) or real(text))
    judge = ClaimJudge()
    for _ in range(3):
        judge("Small effusion.", "No effusion.")
    assert seen == ["Small effusion.", "No effusion."]


def test_a_known_sentence_claims_what_its_corpus_says():
    """One in a language without a lexicon claims nothing, whatever its words look like."""
    text = "No pleural effusion."
    judge = ClaimJudge([Sentence(text_key(text), text, ("s",), claims=())])
    assert ClaimJudge()("Small pleural effusion.", text) == "contradiction"
    assert judge("Small pleural effusion.", text) == "neutral"


def test_a_filter_keeps_what_is_neutral_and_counts_its_verdicts():
    by = ByVerdict(ClaimJudge(), "rules")
    texts = ["Small left effusion", "Left effusion", "No effusion", "Mild cardiomegaly", "Pneumothorax"]
    assert by.kept(texts, 2) == [0, 3]
    assert by.said == {"entailment": 1, "contradiction": 1, "neutral": 1}


def test_texts_joined_keep_their_sentences_apart():
    """Without a stop "left effusion no pneumothorax" would deny less, or more."""
    asked = []
    by = ByVerdict(lambda premise, _: asked.append(premise) or "neutral", "spy")
    by.kept(["Left  effusion\n", "No pneumothorax", "Clear lungs."], 3)
    assert asked == ["Left effusion.", "Left effusion. No pneumothorax."]


@pytest.mark.parametrize(
    ("text", "ended"), [("a", "a."), ("a.", "a."), ("a?", "a?"), ("", ""), (" a \n b ", "a b.")]
)
def test_a_text_is_closed_once(text, ended):
    assert closed(text) == ended


def test_likeness_keeps_what_is_alike_by_less():
    by = ByLikeness(lambda kept, text: 0.9 if text[0] in kept else 0.4, "spy")
    assert by.kept(["a.", "a!", "b.", "c."], 2) == [0, 2]


def test_nobody_keeps_the_first_that_say_something():
    assert Everything().kept(["", "a", "b", "c"], 2) == [1, 2]


CORPUS = SimpleNamespace(sentences=())


@pytest.mark.parametrize(("kind", "name"), [("claims", "rules over claims v1"), ("none", "nobody")])
def test_an_assembly_names_its_filter(kind, name):
    assert filter_for(Assembly(filter=kind), CORPUS).name == name


@pytest.mark.parametrize("kind", ["nli", "bertscore"])
def test_a_network_has_to_be_given(kind):
    with pytest.raises(XemplarError, match=f"filter is '{kind}', and no network"):
        filter_for(Assembly(filter=kind, judge="named"), CORPUS)
    given = ByVerdict(ClaimJudge(), "mine")
    assert filter_for(Assembly(filter=kind, judge="named"), CORPUS, given=given) is given
