"""Shorthand in a query, and what is none."""

import pytest

from xemplar.retrieval import read_query
from xemplar.retrieval.shorthand import spelled_out


@pytest.mark.parametrize(
    ("query", "reading"),
    [
        ("RLL pneumonia", "with Pneumonia (right, lower lobe); RLL is read as right lower lobe"),
        ("pneumothorax, no rib #", "with Pneumothorax; without Fracture [rib]; # is read as fracture"),
        ("L effusion", "with Pleural Effusion (left); L is read as left"),
        ("bilat effusions", "with Pleural Effusion (bilateral); bilat is read as bilateral"),
        ("heart size WNL", "without Cardiomegaly; WNL is read as normal"),
    ],
)
def test_shorthand_is_read_and_told(query, reading):
    asked = read_query(query)
    assert str(asked) == reading and asked.text == query


@pytest.mark.parametrize("text", ["L1 fracture", "L to R shunt", "w/o effusion", "PE", "RA line", "#1"])
def test_what_is_no_shorthand_stays(text):
    said, notes = spelled_out(text)
    assert notes == () or text == "L to R shunt"
    assert said.replace("right", "R") == text


def test_a_vertebra_is_no_french_article():
    assert read_query("L1 fracture").language == "en"


def test_sides_compared_by_letters_are_both_sides():
    assert read_query("R > L effusion").wanted[0].side == ("bilateral",)
