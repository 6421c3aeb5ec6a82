"""Marks in a text held against another: true to the labeler, and the text stays whole."""

from __future__ import annotations

import pytest

from xemplar.evaluation.texts.marked import Piece, compared, judge, pieces, read_text
from xemplar.findings import Labeler

REPORTS = (
    "The heart is enlarged. There is a small left pleural effusion.",
    "No pleural effusion or pneumothorax. The lungs are clear.",
    "A nodule in the left upper lobe. Possible pneumonia, or atelectasis. Heart and mediastinum are normal.",
)


def _marks(prediction: str, reference: str) -> dict[str, tuple[str, str | None]]:
    labeler = Labeler()
    own, other = read_text(labeler, prediction), read_text(labeler, reference)
    found = pieces(own, [judge(own, other, alone="not in the reference")])
    return {piece.text: (piece.signs, piece.kind) for piece in found if piece.kind}


def test_a_finding_of_both_agrees():
    assert _marks("There is a pleural effusion.", "Small pleural effusion.") == {
        "pleural effusion": ("✓", "hit")
    }  # fmt: skip


def test_presence_against_absence_contradicts():
    assert _marks("No pleural effusion.", "Small pleural effusion.")["pleural effusion"] == ("✗", "miss")


def test_what_one_side_alone_says_is_graver_where_it_is_present():
    assert _marks("There is a pneumothorax.", "Small pleural effusion.")["pneumothorax"] == ("+", "miss")
    assert _marks("No pneumothorax.", "Small pleural effusion.")["pneumothorax"] == ("+", "open")


def test_uncertain_counts_as_present():
    assert _marks("Possible pneumonia.", "There is pneumonia.")["pneumonia"] == ("✓", "hit")
    assert _marks("Possible pneumonia.", "No pneumonia.")["pneumonia"] == ("✗", "miss")


def test_a_mention_that_another_one_outweighs_is_not_judged():
    marks = [
        (piece.text, piece.signs)
        for piece in _both("No pleural effusion on the right. There is a pleural effusion on the left.")
        if piece.kind
    ]
    assert marks == [("pleural effusion", "·"), ("pleural effusion", "✓")]


def _both(text: str) -> tuple[Piece, ...]:
    own = read_text(Labeler(), text)
    return pieces(own, [judge(own, own, alone="missed")])


@pytest.mark.parametrize(
    "text", [*REPORTS, "", "<b>no</b> & edema", "No edema,\n\nlungs clear", "Pas de fracture."]
)
def test_the_pieces_of_a_text_are_the_text(text):
    assert "".join(piece.text for piece in _both(text)) == text


def test_a_table_of_a_study_tells_what_each_side_says():
    labeler = Labeler()
    truth = read_text(labeler, "There is a pneumothorax. The lungs are clear.")
    said = read_text(labeler, "No pneumothorax. The heart is enlarged.")
    rows = {row.observation: row for row in compared(truth, [said])}
    assert (rows["Pneumothorax"].reference, rows["Pneumothorax"].said) == ("present", ("absent",))
    assert rows["Pneumothorax"].judged[0].verdict == "contradicts"
    assert rows["Cardiomegaly"].judged[0].verdict == "not in the reference"
    assert rows["Lung Opacity"].reference == "absent, implied"
    assert rows["Lung Opacity"].judged[0].verdict == "missed"
    assert "Fracture" not in rows


def test_in_a_comparison_the_reference_bears_a_sign_for_each_system():
    labeler = Labeler()
    truth = read_text(labeler, "There is a pneumothorax.")
    said = [read_text(labeler, "There is a pneumothorax."), read_text(labeler, "No pneumothorax.")]
    found = [
        piece for piece in pieces(truth, [judge(truth, one, alone="missed") for one in said]) if piece.kind
    ]
    assert [(piece.signs, piece.kind) for piece in found] == [("✓✗", "open")]
    assert found[0].told == "Pneumothorax present: agrees | contradicts"
