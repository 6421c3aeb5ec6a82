"""What is printed: JSON that is JSON, drafts that claim no more than they know."""

import math
from types import SimpleNamespace

import pytest

from xemplar.records import UNVERIFIED, Claim, Draft, Line
from xemplar.terminal import say_json, show_draft, show_scores, tell_domains, tell_left_out

CORPUS = SimpleNamespace(title="synthetic, 2 patients, 2 studies")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_has_no_word_for_is_never_printed(capsys, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        say_json({"score": [value]})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("corpus", "model", "is_told"),
    [
        ("clinical", "synthetic", True),
        ("synthetic", "clinical", True),
        ("synthetic", "synthetic", False),
        ("clinical", "figures", False),
        ("clinical", None, False),
    ],
)
def test_a_drawn_model_and_a_corpus_that_is_not_are_told(capsys, corpus, model, is_told):
    tell_domains(corpus, model)
    told = f"a {corpus} corpus with a {model} model: to be searched, but it drafts for drawn films alone\n"
    assert capsys.readouterr().err == (told if is_told else "")


@pytest.mark.parametrize(
    ("left_out", "own", "told"),
    [
        (("a",), "a", "left out: study a, which holds this film\n"),
        (
            ("a", "b", "c"),
            "a",
            "left out: study a, which holds this film, and 2 more of its patient or group\n",
        ),
        (("b", "c"), "a", "left out: 2 studies of its patient or group\n"),
        (("b",), None, "left out: 1 study of its patient or group\n"),
        ((), None, ""),
    ],
)
def test_only_the_study_that_holds_a_film_is_said_to(capsys, left_out, own, told):
    tell_left_out(left_out, own)
    assert capsys.readouterr().err == told


def test_a_line_is_sure_of_its_finding_alone(capsys):
    said = Line("Mild edema.", "t", "Mild edema.", (0, 11), ("s",), (Claim("Edema", "present"),), {}, 0.87)
    show_draft(Draft("d", "s", (said,), {}, None, "p", None, "f", "synthetic"), CORPUS)
    printed = capsys.readouterr().out
    assert "87 % that the finding is there" in printed
    assert UNVERIFIED in printed and "sure" not in printed


def test_what_is_promised_is_said_with_the_draft(capsys):
    show_draft(Draft("d", "s", (), {}, None, "p", "Promised: this.", "f", "synthetic"), CORPUS)
    assert "  Promised: this.\n" in capsys.readouterr().out


def test_scores_tell_whether_the_probabilities_hold(capsys):
    interval = {"low": 0.1, "value": 0.2, "high": 0.3}
    nothing = {"low": None, "value": None, "high": None, "claims": 0}
    brier = {"measure": "Brier score", "ours": interval, "chance": None, "floors": {"prevalence": interval}}
    held = {
        "brier": brier, "expected_calibration_error": interval, "wrong_among_denied": nothing,
        "wrong_among_stated": {**interval, "claims": 7},
    }  # fmt: skip
    drafts = {"drafts": 3, "truth": "labels", "scores": [], "by_finding": [], "reliability": held}
    show_scores(
        {
            "title": "t", "split": "test", "resampling": {"of": "patients"}, "drafts": drafts, "words": None,
            "retrieval": {"tables": []}, "left_out": {"near_duplicates": 2}, "trust": None,
        }
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert "2 studies left out: a film of theirs, or nearly, is in another split as well" in printed
    assert "Brier score" in printed and "prevalence 0.200 [0.100, 0.300]" in printed
    assert "wrong of 7 stated 0.200 [0.100, 0.300]; wrong of 0 denied undefined" in printed


def test_what_was_promised_stands_beside_what_came_of_it(capsys):
    interval = {"low": 0.1, "value": 0.2, "high": 0.3}
    trust = {
        "truth": "what was drawn", "drift": {"warns": True, "sentence": "films have moved"},
        "scores": [{"measure": "wrong lines", "ours": interval, "count": 2, "of": 10}],
        "promise": {"risks": {"wrong_lines": {"asked": 0.05, "measured": interval, "verdict": "broken"}}},
    }  # fmt: skip
    show_scores(
        {
            "title": "t", "split": "test", "resampling": {"of": "patients"}, "drafts": None, "words": None,
            "retrieval": {"tables": []}, "left_out": {"near_duplicates": 0}, "trust": trust,
        }
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert "WARNING: films have moved" in printed
    assert "wrong lines: promised at most 0.05, measured 0.200 [0.100, 0.300]: broken" in printed
