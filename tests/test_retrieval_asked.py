"""How a typed search is read: what is wanted, what isn't, filters, words; and what is refused."""

import pytest

from xemplar.errors import XemplarError
from xemplar.retrieval import Asked, Term, asked_from, read_query
from xemplar.retrieval.asked import LONGEST

EFFUSION, HEART = "Pleural Effusion", "Cardiomegaly"


def told(text):
    return str(read_query(text))


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        (
            "left effusion without pneumothorax, no chest tube, over 60",
            "with Pleural Effusion (left); without Pneumothorax; without Support Devices; age from 61",
        ),
        (
            "left effusion without pneumothorax, enlarged heart",
            "with Pleural Effusion (left); with Cardiomegaly; without Pneumothorax",
        ),
        (
            "no effusion, pneumothorax or edema",
            "without Pleural Effusion; without Pneumothorax; without Edema",
        ),
        ("emphysema without nodule or mass", "with Emphysema; without Lung Lesion"),
        ("moderate or large effusion", "with Pleural Effusion (moderate or large)"),
        ("small to large effusion", "with Pleural Effusion (small or moderate or large)"),
        ("moderate to severe cardiomegaly", "with Cardiomegaly (moderate or large)"),
        (
            "right effusion without left effusion",
            "with Pleural Effusion (right); without Pleural Effusion (left)",
        ),
        ("edema, heart not enlarged", "with Edema; without Cardiomegaly"),
        ("normal chest, no acute abnormality", "with nothing abnormal"),
        ("cardiomegaly, otherwise normal", "with Cardiomegaly; with nothing abnormal"),
        ("like this, but without the effusion", "without Pleural Effusion"),
        ("site=b effusion", "with Pleural Effusion; site b"),
    ],
)  # fmt: skip
def test_readings(text, reading):
    assert told(text) == reading


def test_words_that_nothing_takes_are_ranked_by_and_denied_ones_are_not():
    asked = read_query("central venous catheter without pneumothorax")
    assert asked.words == ("central", "venous") and asked.ranked == "central venous catheter"


def test_a_denial_of_what_is_not_known_is_told():
    asked = read_query("effusion, no azygos lobe")
    assert asked.notes == ('"no azygos lobe" is not understood and left out',)
    assert "azygos" not in asked.ranked


def test_a_query_that_names_no_finding_says_so():
    asked = read_query("zebra")
    assert asked.how == "words" and "names no finding" in str(asked)


@pytest.mark.parametrize(
    ("text", "language"),
    [("Pleuraerguss links ohne Pneumothorax", "de"), ("derrame pleural izquierdo", "es")],
)
def test_another_language_is_searched_by_its_words_and_says_so(text, language):
    asked = read_query(text)
    assert (asked.how, asked.language, asked.wanted) == ("words", language, ())
    assert f"in another language ({language})" in str(asked)


def test_a_pasted_report_is_answered_by_its_like():
    asked = read_query("The heart is enlarged. There is a small left effusion. " * 10)
    assert asked.how == "report" and "its like" in str(asked)


@pytest.mark.parametrize(
    "text",
    [
        "effusion without effusion",
        "left effusion, no effusion",
        "bilateral effusions without left effusion",
        "small effusion, no effusion",
    ],
)
def test_what_no_report_can_do_is_refused(text):
    with pytest.raises(XemplarError, match="no report can do both"):
        read_query(text)


def test_too_long_and_empty_ones_are_refused():
    assert "too long to be read" in str(read_query("effusion " * 1111))
    with pytest.raises(XemplarError, match="20,001 characters"):
        read_query("x" * (LONGEST + 1))
    with pytest.raises(XemplarError, match="empty query"):
        read_query(" \n")


def test_a_reading_comes_back_from_json():
    asked = read_query("moderate or large left effusion without pneumothorax, women over 60")
    assert asked_from(asked.json()) == asked


def test_a_reading_by_hand_is_checked():
    assert asked_from({"text": "", "wanted": [{"finding": EFFUSION, "side": ["left"]}]}).wanted == (
        Term(EFFUSION, side=("left",)),
    )
    with pytest.raises(XemplarError, match="no finding 'Effusion'"):
        asked_from({"text": "", "wanted": [{"finding": "Effusion"}]})
    with pytest.raises(XemplarError, match="a reading that is none"):
        asked_from({"text": "", "wants": []})
    with pytest.raises(XemplarError, match="no report can do both"):
        asked_from({"text": "", "wanted": [{"finding": HEART}], "unwanted": [{"finding": HEART}]})


def test_a_term_says_where_it_was_named():
    text = "no pneumothorax, left effusion"
    term = read_query(text).wanted[0]
    assert text[slice(*term.span)] == "effusion"


def test_an_empty_reading_says_nothing():
    assert str(Asked("")) == "nothing"
