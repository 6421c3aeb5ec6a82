"""Names of measures: each tells its measure apart from every other, and each key is one that is scored."""

from __future__ import annotations

import pytest

from xemplar.contracts import Json
from xemplar.evaluation.texts.measures import QUESTIONS
from xemplar.evaluation.texts.names import label_key, over, titled
from xemplar.evaluation.texts.pairs import pair_up
from xemplar.evaluation.texts.run import TextSettings, score_texts
from xemplar.findings import OBSERVATIONS


@pytest.fixture(scope="module")
def summary() -> Json:
    texts = {"one": "The heart is enlarged.", "two": "No pleural effusion."}
    return score_texts(pair_up(texts, texts), TextSettings(replicates=5, floors=False)).summary


def test_no_two_measures_of_a_summary_have_one_name(summary):
    rows = [row["measure"] for group in ("wording", "labels") for row in summary[group]]
    assert len({titled(key) for key in rows}) == len(rows)


def test_every_key_that_the_page_asks_for_is_one_of_the_summary(summary):
    known = {row["measure"] for row in summary["by finding"]}
    for question in QUESTIONS:
        assert {label_key("f1", question, name) for name in OBSERVATIONS} <= known


def test_a_name_says_what_has_to_be_known_to_compare_it():
    assert titled("BLEU-4[ptb_like]") == ("BLEU-4", "tokeniser ptb_like")
    assert titled("meteor_es[ptb_like]") == ("meteor_es", "exact and stem matches; tokeniser ptb_like")
    assert titled("f1_present_micro_14[uncertain=present]") == (
        "micro-F1",
        "present, 14 findings, uncertain counts as present",
    )
    assert titled("recall_uncertain_samples_5") == ("recall, mean over studies", "uncertain, 5 findings")
    assert titled("f1_absent_pleural_other[uncertain=own]") == (
        "F1 pleural other",
        "absent, uncertain is neither",
    )


@pytest.mark.parametrize(
    ("measure", "left_out", "told"),
    [
        ("f1_present_macro_14[uncertain=present]", 5, "over 9 of 14 findings"),
        ("recall_uncertain_macro_5", 5, "over 0 of 5 findings"),
        ("f1_present_macro_14[uncertain=present]", 0, ""),
        ("f1_present_samples_5[uncertain=present]", 1200, "1,200 studies left out"),
        ("f1_present_samples_5[uncertain=present]", 1, "1 study left out"),
        ("f1_present_weighted_14[uncertain=present]", 5, ""),
        ("BLEU-4[ptb_like]", 0, ""),
    ],
)
def test_a_mean_says_what_it_leaves_out(measure, left_out, told):
    assert over({"measure": measure, "left_out": left_out}) == told
