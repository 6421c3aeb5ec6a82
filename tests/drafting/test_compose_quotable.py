"""What may be quoted of another film, whatever is believed."""

import pytest

from xemplar.drafting.composition import quotable
from xemplar.drafting.composition.quotable import Words
from xemplar.findings import read_claims
from xemplar.records import Sentence


def sentence(text, studies=1):
    return Sentence(text, text, tuple(f"{text} {n}" for n in range(studies)), read_claims(text))


@pytest.mark.parametrize(
    "text",
    [
        "The heart is enlarged, with a cardiothoracic ratio of 62%.",
        "A nodule of 12 mm lies in the left upper zone.",
        "Nodule, 1.5 cm.",
        "Opacity of 3 x 4 centimetres.",
        "Drain placed on 12/03/2019 at 14:30.",
    ],
)
def test_a_measurement_or_a_date_belongs_to_its_own_study(text):
    assert quotable.is_own(text)


@pytest.mark.parametrize("text", ["Fracture of T7.", "2 drains on the left.", "Fracture of ribs 6-8."])
def test_a_number_that_counts_or_names_a_level_does_not(text):
    assert not quotable.is_own(text)


@pytest.mark.parametrize(
    "text",
    [
        "Also small left effusion.",
        "The lungs are otherwise clear of consolidation.",
        "An additional nodule is in the left base.",
        "These findings suggest edema.",
        "It is likely edema.",
        "Nodule, better seen on CT.",
        "Effusion three days after drainage.",
        "ADDENDUM: moderate left effusion.",
        "Small effusion in patient 4711.",
        "Small effusion, film AB12345.",
        "Small effusion seen by Dr Miller.",
        "Edema, as discussed.",
        "Age 62, edema in a 62-year-old man.",
        "Edema?",
        "Edema in ___.",
    ],
)
def test_what_leans_on_something_else_is_not_quoted(text):
    assert not quotable.quotable(sentence(text))


@pytest.mark.parametrize(
    "text",
    [
        "Heart: Cardiac silhouette mildly enlarged.",
        "Endotracheal tube 4 cm above the carina.",
        "Both lungs are clear.",
        "Old fracture of the right 5th rib.",
        "The left lung base has a small opacity.",
    ],
)
def test_what_speaks_of_the_film_alone_is(text):
    assert quotable.quotable(sentence(text))


@pytest.mark.parametrize(
    "text",
    [
        "No acute cardiopulmonary abnormality.",
        "Normal chest radiograph.",
        "The chest is normal.",
        "Negative chest.",
    ],
)
def test_everything_is_denied_at_once(text):
    assert quotable.denies_all(text) and quotable.denies_all_alone(text)


def test_or_beside_something_else():
    text = "No pneumothorax or acute cardiopulmonary process."
    assert not quotable.denies_all_alone(text)
    assert quotable.denies_all("Pacemaker; no acute cardiopulmonary process.")


@pytest.mark.parametrize(
    "text",
    [
        "The heart is normal in size.",
        "Normal heart size.",
        "No acute bony abnormality.",
        "Heart and lungs are normal.",
    ],
)
def test_one_organ_is_not_everything(text):
    assert not quotable.denies_all(text)


def test_nor_is_a_healthy_lung_a_healthy_chest():
    assert not quotable.denies_all_alone("No acute pulmonary disease.")


@pytest.mark.parametrize(
    "text",
    [
        "Right pneumothorax, small.",
        "Bilateral effusions, small right and moderate left.",
        "Interstitial edema, moderate.",
    ],
)
def test_a_detail_that_no_claim_tells_is_noticed(text):
    assert quotable.tells_unread(text, read_claims(text))


@pytest.mark.parametrize(
    "text", ["Small right pneumothorax.", "Small right and left effusions.", "No edema."]
)
def test_a_detail_that_is_read_is_not_held_against_it(text):
    assert not quotable.tells_unread(text, read_claims(text))


@pytest.mark.parametrize("slip", ["pnuemothorax", "pneumothorx", "pneumothoraxx", "pneumothorix"])
def test_a_word_one_letter_away_from_a_far_commoner_one_is_a_slip(slip):
    words = Words([sentence("Small pneumothorax.", 40), sentence(f"Small {slip}.")])
    assert words.strange(f"Small {slip}.") and not words.strange("Small pneumothorax.")


@pytest.mark.parametrize(("text", "studies"), [("Small pneumothoraxs.", 1), ("Small pneumothorix.", 9)])
def test_a_plural_is_none_nor_what_many_write(text, studies):
    assert not Words([sentence("Small pneumothorax.", 180), sentence(text, studies)]).strange(text)


def test_among_many_studies_a_word_of_one_is_strange():
    assert Words([sentence("Edema.", 199), sentence("Miller edema.")]).strange("Miller edema.")
    assert not Words([sentence("Edema.", 50), sentence("Miller edema.")]).strange("Miller edema.")


def test_rare_words_cost_more():
    words = Words([sentence("Pulmonary edema.", 30), sentence("Congestive edema.", 2)])
    assert (
        0 == words.rare("Pulmonary edema.") < words.rare("Congestive edema.") < words.rare("Unheard edema.")
    )
