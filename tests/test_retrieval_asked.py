"""How a typed search is read: what is wanted, what isn't, filters, words; and what is refused."""

import json

import pytest

from xemplar.errors import XemplarError
from xemplar.retrieval import Asked, Term, asked_from, read_query
from xemplar.retrieval.asked import LONGEST

EFFUSION, HEART = "Pleural Effusion", "Cardiomegaly"


def told(text):
    return str(read_query(text))


E, X = "Pleural Effusion", "Pneumothorax"
PLAIN = [
    (
        "right pneumothorax without rib fracture, no pacemaker, over 60",
        "with Pneumothorax (right); without Fracture [rib]; without Support Devices [pacemaker]; age from 61",
    ),
    ("no rib fracture, pneumothorax", "with Pneumothorax; without Fracture [rib]"),
    ("no effusion, pneumothorax or edema", f"without {E}; without {X}; without Edema"),
    ("emphysema without nodule or mass", "with Emphysema; without Lung Lesion [mass or nodule]"),
    ("small or moderate pneumothorax", f"with {X} (small or moderate)"),
    ("small to large effusion", f"with {E} (small or moderate or large)"),
    ("moderate to severe cardiomegaly", "with Cardiomegaly (moderate or large)"),
    ("right effusion without left effusion", f"with {E} (right); without {E} (left)"),
    ("effusion, mediastinum not widened", f"with {E}; without Enlarged Cardiomediastinum"),
    ("unremarkable study", "with nothing abnormal"),
    ("cardiomegaly, otherwise normal", "with Cardiomegaly; with nothing abnormal"),
    ("like this, but without the effusion", f"without {E}"),
    ("site=b effusion", f"with {E}; site b"),
    ("effusion?", f"with {E}"),
    ("chest tube, no pacemaker", "with Support Devices [chest tube]; without Support Devices [pacemaker]"),
    ("device other than a pacemaker", "with Support Devices; without Support Devices [pacemaker]"),
]
EXCLUDED = [
    ("excluding pneumothorax, effusion", f"with {E}; without {X}"),
    ("everything except effusion", f"without {E}"),
    ("all effusions but small ones", f"with {E}; without {E} (small)"),
    ("effusion lacking pneumothorax", f"with {E}; without {X}"),
    ("effusion minus pneumothorax", f"with {E}; without {X}"),
    ("effusion -pneumothorax", f"with {E}; without {X}"),
    ("effusion, pneumothorax excluded", f"with {E}; without {X}"),
    ("effusion-free, pneumothorax", f"with {X}; without {E}"),
    ("excluding edema, pneumothorax or effusion", f"without Edema; without {X}; without {E}"),
    ("not (effusion or pneumothorax), edema", f"with Edema; without {E}; without {X}"),
    ("effusion not on the left", f"with {E}; without {E} (left)"),
    ("effusion not large", f"with {E}; without {E} (large)"),
    ("right but no left effusion", f"with {E} (right); without {E} (left)"),
    ("right effusion but not left", f"with {E} (right); without {E} (left)"),
    ("no left effusion but right", f"with {E} (right); without {E} (left)"),
    ("heart isn't enlarged", "without Cardiomegaly"),
    ("effusion isn't present", f"without {E}"),
    ("cannot exclude pneumothorax", f"with possible {X}"),
]
OUT = "is not understood and left out"
LEFT_OUT = [
    ("except clear lungs, effusion", f'with {E}; "except clear lungs" {OUT}'),
    ("catheter not in the right atrium", f'with Support Devices [catheter]; "not in the right atrium" {OUT}'),
    ("pneumothorax which does not need a tube", f'with {X}; "not need a tube" {OUT}'),
    ("pneumothorax that doesn't need a tube", f'with {X}; "doesn\'t need a tube" {OUT}'),
    ("not only effusion but pneumothorax", f'with {X}; "not only effusion" {OUT}'),
    ("effusion not loculated", f'with {E}; "not loculated" {OUT}'),
    ("effusion ohne Pneumothorax", f'with {E}; "ohne Pneumothorax" {OUT}'),
    ("effusion, absent pneumothorax", f'with {E}; "absent pneumothorax" {OUT}'),
    ("no normal chest, effusion", f'with {E}; "no normal chest" {OUT}'),
    ("not a normal chest, effusion", f'with {E}; "not a normal chest" {OUT}'),
    (
        "effusion with or without pneumothorax",
        f'with {E}; "with or without pneumothorax" filters nothing and is left out',
    ),
    ("effusion \u00b1 edema", f'with {E}; "\u00b1 edema" filters nothing and is left out'),
    ("effusion regardless of sex", f'with {E}; "regardless of sex" filters nothing and is left out'),
    ("no change in effusion", f'with {E}; "no change in" is asked of no report, and left out'),
    (
        "possible effusion, effusion",
        f"with {E}; possible {E} is left out beside the same without a doubt",
    ),
]
OPEN = [
    ("effusion or pneumothorax", f"with {E} or {X}"),
    ("either effusion, pneumothorax or edema", f"with {E} or {X} or Edema"),
    ("effusion; pneumothorax or edema", f"with {E}; with {X} or Edema"),
    ("(effusion OR pneumothorax) AND NOT edema", f"with {E} or {X}; without Edema"),
    ("effusion and (edema or pneumonia)", f"with {E}; with Edema or Pneumonia"),
    ("left effusion or right pneumothorax", f"with {E} (left) or {X} (right)"),
    ("possible effusion", f"with possible {E}"),
    ("left or right effusion", f"with {E} (left or right)"),
    ("effusion without zebra stripes or edema", f"with {E}; without Edema"),
    ("enlarged heart or cardiomegaly and edema", "with Cardiomegaly; with Edema; words: cardiomegaly"),
    ("without pneumothorax, left or right effusion", f"with {E} (left or right); without {X}"),
    ("no edema, either effusion or pneumothorax", f"with {E} or {X}; without Edema"),
    ("right upper or lower lobe pneumonia", "with Pneumonia (right, upper lobe or lower lobe)"),
    (
        "opacity in the upper or lower lobe",
        "with Lung Opacity (upper lobe or lower lobe) [opacity or infiltrate]",
    ),
    ("effusion left and right", f"with {E} (bilateral)"),
    (
        "right > left effusion",
        f'with {E} (bilateral); of "right > left" only that both sides have it is asked',
    ),
    ("effusion more than small", f"with {E} (moderate or large)"),
    ("effusion, small, left", f"with {E} (small, left)"),
    ("no edema, left", "without Edema; words: left"),
    ("at least moderate effusion", f"with {E} (moderate or large)"),
    ("effusion moderate or larger", f"with {E} (moderate or large)"),
    ("no more than small effusion", f"with {E} (small)"),
]


@pytest.mark.parametrize(("text", "reading"), [*PLAIN, *EXCLUDED, *LEFT_OUT, *OPEN])
def test_readings(text, reading):
    assert told(text) == reading


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no", "asks for nothing"),
        ("not normal", 'asks for nothing .*"not normal"'),
        ("the patient", "asks for nothing"),
        ("excluding those with no effusion", "unclear what .* excludes"),
        ("chest tube not in place", "unclear what .* excludes"),
        ("-effusion cardiomegaly", "unclear what .* excludes"),
        ("effusion and edema or pneumonia", '"and" beside "or"'),
        ("effusion or no pneumothorax", "unclear what"),
        ("clear lungs or effusion", "either Consolidation or not Pleural|either .* or not"),
        ("effusion, or no pneumothorax", "unclear what"),
        ("mild or no cardiomegaly", "unclear what"),
        ("no or small effusion", "unclear what"),
        ("edema without effusion or with pneumothorax", "unclear what"),
        ("effusion, pneumothorax or edema", 'unclear what "or" joins'),
        ("(effusion and edema) or pneumonia", '"or" beside brackets'),
        ("effusion more than large", "no degree"),
        ("normal except for an enlarged heart", "unclear what .* excludes"),
        ("left upper or right lower lobe opacity", "a side to each place"),
        ("left effusion not on the left", "no report can do both"),
    ],
)
def test_what_is_unclear_is_refused(text, why):
    with pytest.raises(XemplarError, match=why):
        read_query(text)


DENIALS = """
not {0}|no {0}|without {0}|excluding {0}|except for {0}|minus {0}|lacking {0}|-{0}|
other than {0}|and not {0}|but no {0}|apart from {0}|never {0}|free of {0}|devoid of {0}|
negative for {0}|who don't have {0}|which does not have {0}|not showing {0}|isn't {0}|ohne {0}|
save for {0}|excluding those with {0}|not in patients with {0}|regardless of {0}|
with or without {0}|neither {0} nor edema|in the absence of {0}|unless {0}|NOT {0}|!{0}|
zero {0}|rather than {0}|nothing like {0}|anything but {0}|ignoring {0}|skip {0}|remove {0}|
no longer {0}|w/out {0}|w/o {0}|less {0}|{0} excluded|{0} absent|{0} negative|{0} not seen|
{0} not present|{0}: no|{0} ruled out|{0} not wanted|{0} not there|{0} isn't there|{0} free|
no edema or {0}|not edema or {0}|excluding edema and {0}|don't want {0}
""".replace("\n", "").split("|")
DENIED = (
    "pneumothorax",
    "chest tube",
    "left effusion",
    "enlarged heart",
    "pleural thickening",
    "normal chest",
)


@pytest.mark.parametrize("denial", DENIALS)
def test_what_is_denied_is_never_wanted(denial):
    for finding in DENIED:
        for text in ("atelectasis {}", "atelectasis, {}", "{}, atelectasis"):
            try:
                wanted = read_query(text.format(denial.format(finding).strip())).wanted
            except XemplarError:
                continue
            assert {one.finding for term in wanted for one in term.each} <= {"Atelectasis"}, text


@pytest.mark.parametrize("text", ["resolved pneumothorax", "chest tube removed", "effusion no longer seen"])
def test_what_has_gone_is_searched_for_by_its_words(text):
    asked = read_query(text)
    assert (asked.how, asked.unwanted) == ("words", ())
    assert set(text.split()[:2]) <= {*asked.ranked.split(), "no"}


def test_what_is_like_an_image_may_ask_for_nothing_else():
    assert read_query("like this").how == "claims"


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
        "pacemaker, no device",
        "enlarged heart, no cardiomegaly",
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


@pytest.mark.parametrize(
    "text", ["moderate pneumothorax or left effusion without edema, not women, over 60", "effusion 60-70"]
)
def test_a_reading_comes_back_from_json(text):
    asked = read_query(text)
    assert asked_from(json.loads(json.dumps(asked.json()))) == asked


def test_a_reading_by_hand_is_taken_as_it_stands():
    made = asked_from({"text": "", "wanted": [{"finding": EFFUSION, "side": ["left"]}]})
    assert made.wanted == (Term(EFFUSION, side=("left",)),)
    made = asked_from({"text": "", "unwanted": [{"finding": EFFUSION}]})
    assert made.unwanted == (Term(EFFUSION, "absent"),)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"wanted": [{"finding": "Effusion"}]}, "no finding 'Effusion'"),
        ({"wanted": ["Pleural Effusion"]}, "a reading that is none: wanted.0"),
        ({"wanted": [{"finding": EFFUSION, "side": "left"}]}, "a list is wanted"),
        ({"wanted": [{"finding": EFFUSION, "side": ["up"]}]}, "no side 'up': one of"),
        ({"wanted": [{"finding": EFFUSION, "degree": ["huge"]}]}, "no degree 'huge'"),
        ({"wanted": [{"finding": EFFUSION, "presence": "absent"}]}, "wanted and absent"),
        ({"wanted": [{"finding": EFFUSION, "any_of": [{"finding": HEART}]}]}, "two terms or more"),
        ({"unwanted": [{"finding": "No Finding"}]}, "can't be unwanted"),
        ({"wants": []}, "a reading that is none: wants"),
        ({"how": "claim"}, "a reading that is none: how"),
        ({"words": "rib"}, "a list is wanted"),
        ({"filters": [{"name": "age", "low": "60"}]}, "a reading that is none: filters.0.low"),
        ({"filters": [{"name": "age", "low": 60, "high": 50}]}, "an age from 60 to 50"),
        ({"filters": [{"name": "sex"}]}, "either values, or low or high"),
        ({"filters": [{"name": "site", "low": 3}]}, "of the age alone"),
        ({"filters": [{"name": "sex", "values": [v]} for v in "FM"]}, "no study is both"),
        ({}, "asks for nothing"),
        ({"wanted": [{"finding": HEART}], "unwanted": [{"finding": HEART}]}, "no report can do both"),
    ],
)
def test_a_reading_by_hand_is_checked(fields, why):
    with pytest.raises(XemplarError, match=why):
        asked_from({"text": "", **fields})


def test_a_term_says_where_it_was_named():
    text = "no pneumothorax, right effusion"
    term = read_query(text).wanted[0]
    assert text[slice(*term.span)] == "effusion"


def test_an_empty_reading_says_nothing():
    assert str(Asked("")) == "nothing"
