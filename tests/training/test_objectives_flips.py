"""Claims turned round in a sentence: hand-written pairs, and whatever comes out read again."""

import time

import pytest

from xemplar.findings import read_claims
from xemplar.training.objectives.flips import every_flip

FIELDS = ("finding", "presence", "side", "place", "degree", "change")
WRITTEN = [
    ("No pleural effusion.", "presence", "Pleural effusion."),
    ("There is no evidence of pneumothorax.", "presence", "There is pneumothorax."),
    ("Pleural effusion is not seen.", "presence", "Pleural effusion is seen."),
    ("There is a small left pleural effusion.", "presence", "There is no small left pleural effusion."),
    ("A large right pneumothorax is present.", "presence", "A large right pneumothorax is not present."),
    ("Heart size is normal.", "presence", "Heart size is enlarged."),
    ("Possible pneumonia in the right lower lobe.", "presence", "Pneumonia in the right lower lobe."),
    ("Edema may represent pneumonia.", "presence", "Edema represents pneumonia."),
    ("There is a small left pleural effusion.", "side", "There is a small right pleural effusion."),
    ("Left-sided pleural effusion.", "side", "Right-sided pleural effusion."),
    ("Bilateral pleural effusions.", "side", "Left pleural effusions."),
    ("There is a small left pleural effusion.", "degree", "There is a large left pleural effusion."),
    ("Moderate pulmonary edema.", "degree", "Mild pulmonary edema."),
    ("Mild to moderate cardiomegaly.", "degree", "Severe cardiomegaly."),
    ("The heart is mildly enlarged.", "degree", "The heart is severely enlarged."),
    ("An extensive opacity is noted.", "degree", "A mild opacity is noted."),
]
LISTS = [
    (
        "No pleural effusion or pneumothorax.",
        ["Pleural effusion but no pneumothorax.", "No pleural effusion, but there is pneumothorax."],
    ),
    (
        "Heart size and mediastinal contours are normal.",
        [
            "Heart size is enlarged and mediastinal contours are normal.",
            "Heart size is normal and mediastinal contours are enlarged.",
        ],
    ),
    ("Cardiomegaly without edema.", ["No cardiomegaly or edema.", "Cardiomegaly with edema."]),
]
HOPELESS = [
    "Lungs are clear.",  # says two things at once
    "The examination is of good quality.",
    "No acute cardiopulmonary abnormality.",
    "",
]
READ_AGAIN = [
    *(before for before, _, _ in WRITTEN),
    *(before for before, _ in LISTS),
    "No focal consolidation, pleural effusion, or pneumothorax.",
    "Small left pleural effusion and bibasilar atelectasis.",
    "Stable cardiomegaly with mild pulmonary edema and small bilateral pleural effusions.",
    "Right middle lobe opacity, possibly pneumonia.",
    "Trace effusions, stable.",
    "There are increased bibasilar opacities, left greater than right.",
    "Left pleural effusion has resolved.",
]


def flipped(sentence, aspect):
    return [one.text for one in every_flip(sentence, read_claims(sentence)) if one.aspect == aspect]


@pytest.mark.parametrize(("before", "aspect", "after"), WRITTEN)
def test_one_claim_is_turned_round(before, aspect, after):
    assert after in flipped(before, aspect)


@pytest.mark.parametrize(("before", "after"), LISTS)
def test_one_of_a_list_is_turned_and_the_rest_stays(before, after):
    assert flipped(before, "presence") == after


@pytest.mark.parametrize("sentence", READ_AGAIN)
def test_what_comes_out_differs_in_one_respect_of_one_claim(sentence):
    claims = read_claims(sentence)
    for one in every_flip(sentence, claims):
        again = read_claims(one.text)
        differing = [
            (place, name)
            for place, (old, new) in enumerate(zip(claims, again, strict=True))
            for name in FIELDS
            if getattr(old, name) != getattr(new, name)
        ]
        assert [name for _, name in differing] == [one.aspect]
        assert (claims[differing[0][0]], again[differing[0][0]]) == (one.before, one.after)


@pytest.mark.parametrize("sentence", HOPELESS)
def test_none_where_none_is_possible(sentence):
    assert every_flip(sentence, read_claims(sentence)) == ()


def test_what_is_absent_has_no_side_or_degree_to_flip():
    """ "No large left effusion" and "no small right effusion" can both be true."""
    assert flipped("No large left pleural effusion.", "side") == []
    assert flipped("No large left pleural effusion.", "degree") == []


def test_only_the_right_lung_has_a_middle_lobe():
    assert flipped("Right middle lobe opacity.", "side") == []


def test_only_the_aspects_asked_for():
    sentence = "There is a small left pleural effusion."
    found = [one.text for one in every_flip(sentence, read_claims(sentence), aspects=("side",))]
    assert found == ["There is a small right pleural effusion."]


def test_every_aspect_has_its_flip():
    sentence = "There is a small left pleural effusion."
    found = [one.aspect for one in every_flip(sentence, read_claims(sentence))]
    assert found == ["presence", "side", "degree"]


def test_a_sentence_without_end_takes_no_time():
    """A word repeated thousands of times: texts tried are few, and each is looked at once."""
    sentence = "left " * 400 + "effusion"
    claims = read_claims(sentence)
    started = time.process_time()
    every_flip(sentence, claims)
    assert time.process_time() - started < 2.0


def test_claims_that_arent_the_sentences_own_give_none():
    assert every_flip("No pneumothorax.", read_claims("Small effusion.")) == ()
