"""Each tokeniser against what its program gives, from golden vectors and from a table."""

import json

import pytest

from xemplar.errors import XemplarError
from xemplar.metrics.tokenisers import tokenise, tokenise_all

# text, and what CoreNLP 3.4.1 through coco-caption gives for it
PTB = [
    ("", ""),
    (" \n\t", ""),
    ("...", ""),
    ("Heart size is normal.", "heart size is normal"),
    ("There's no change; can't or cannot.", "there 's no change ca n't or can not"),
    ("the patient\u2019s film", "the patient 's film"),
    ("(approx.) [a] {b}", "-lrb- approx -rrb- -lsb- a -rsb- -lcb- b -rcb-"),
    ("5.2cm, 10mm, 1,000 at 12:30pm", "5.2 cm 10mm 1,000 at 12:30 pm"),
    ("-5 and +5 of 2-3", "-5 and +5 of 2-3"),
    ("left-sided T7-T8, T7/T8", "left-sided t7-t8 t7/t8"),
    ("a/b/c/d", "a/b/c / d"),
    ("mild., 1.2-cm or 1.2-1.7 mm", "mild. 1.2-cm or 1.2-1 .7 mm"),
    ("gonna \u20ac5 R&D a&b", "gon na $ 5 r&d a & b"),
    ("e.g. U.S. a.m.", "e.g. u.s. a.m."),
    ("Dr. Smith vs. Prof. Jones etc.", "dr. smith vs. prof. jones etc."),
    ("the CT. Next", "the ct. next"),
    ("a large mass. Next", "a large mass next"),
    ("Fall River, Mass. Next", "fall river mass. next"),
    ("No. 5 is no. Next", "no. 5 is no next"),
    ("E. coli", "e. coli"),
    ("clear.No effusion", "clear.no effusion"),
    ("xxxx,786.2", "xxxx ,786.2"),
    ("XXXX<br>next &lt;5 &amp; more", "xxxx <br> next < 5 & more"),
    ("50% of #5", "50 % of # 5"),
    ("what?! ___ **", "what ?! ___ **"),
    ("a--b \u2013 c \u2026", "a b c"),
    ("\u201cquoted\u201d 'words'", "quoted words"),
    ("\u00bd of 5\u00b0", "1/2 of 5 \u00b0"),
    ("C\u0153ur normal. Aucun \u00e9panchement.", "c\u0153ur normal aucun \u00e9panchement"),
]


@pytest.mark.parametrize(("text", "tokens"), PTB)
def test_ptb_like_by_the_table(text, tokens):
    assert tokenise(text, "ptb_like") == tuple(tokens.split())


@pytest.mark.shared
def test_ptb_like_agrees_with_the_program_on_every_golden_text(golden):
    case = json.loads((golden / "nlg" / "coco_golden_synthetic.json").read_text())
    texts = [
        (text, words)
        for side in ("gts", "res")
        for key, several in case[side].items()
        for text, words in zip(several, case[f"ptb_{side}"][key], strict=True)
    ]
    assert len(texts) > 80
    assert [" ".join(tokenise(text)) for text, _ in texts] == [words for _, words in texts]


def test_the_plain_ones():
    text = "Heart  SIZE 1.2 cm.\nNo"
    assert tokenise(text, "coco_raw") == ("Heart", "SIZE", "1.2", "cm.", "No")
    assert tokenise(text, "lower_split") == ("heart", "size", "1.2", "cm.", "no")
    assert tokenise(text, "cxr_report_metric") == ("heart", "size", "1", ".2", "cm", ".\nno")
    assert tokenise(text, "rouge_score") == ("heart", "size", "1", "2", "cm", "no")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Heart is normal. No (new) effusion.", "heart is normal . no new effusion ."),
        ("1. Heart/lungs: clear. 2. No change..", "heartlungs clear . no change ."),
        ("left-sided", "left-sided ."),
        ("", ""),
        (" . ", ""),
    ],
)
def test_r2gen_cleans_as_its_code_does(text, tokens):
    assert tokenise(text, "r2gen") == tuple(tokens.split())


def test_equal_texts_get_equal_tokens_in_order():
    assert tokenise_all(["b a", "c", "b a"], "lower_split") == [("b", "a"), ("c",), ("b", "a")]


def test_another_name_is_refused():
    with pytest.raises(XemplarError, match="tokeniser 'ptb'; wanted ptb_like, coco_raw"):
        tokenise("text", "ptb")


@pytest.mark.parametrize("text", [None, 1.5, float("nan"), b"text", ["text"]])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(XemplarError, match=f"a {type(text).__name__}; wanted a text"):
        tokenise_all(["fine", text])
