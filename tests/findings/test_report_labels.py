"""What is said of a whole report: 14 observations, how mentions add up, and where each one stands."""

import csv
import json
import random

import pytest

from xemplar.errors import XemplarError
from xemplar.findings import FINDINGS, OBSERVATIONS, OTHER_FINDINGS, PROFILES, Labeler, label_report
from xemplar.findings.cleaning import cut, cut_cleaned

both = pytest.mark.parametrize("profile", list(PROFILES))
MENTIONED = "Small left effusion. No pneumothorax.\n\nPossible pneumonia."


def values(text, profile="default"):
    labels = label_report(text, profile=profile)
    return {name: value for name, value in zip(OBSERVATIONS, labels.row(), strict=True) if value is not None}


# --- hand-made -----


@both
def test_four_values(profile):
    assert values(MENTIONED, profile) == {"Pleural Effusion": 1, "Pneumothorax": 0, "Pneumonia": -1}


@pytest.mark.parametrize(
    ("text", "default", "chexpert"),
    [
        ("Effusion. No effusion.", 1, 1),
        ("Possible effusion. No effusion.", -1, -1),
        ("Effusion. Possible effusion.", 1, 1),
        ("Effusion. Possible effusion. No effusion.", 1, -1),
    ],
)
def test_how_mentions_add_up(text, default, chexpert):
    assert values(text)["Pleural Effusion"] == default
    assert values(text, "chexpert")["Pleural Effusion"] == chexpert


@both
@pytest.mark.parametrize(
    ("text", "none"),
    [
        ("The lungs are clear. No effusion.", True),
        ("Sternotomy wires. Pacemaker with two leads. No pneumothorax.", True),
        ("Chest tube in place.", True),
        ("Small effusion.", False),
        ("Possible effusion.", False),
        ("Thoracic scoliosis.", False),
        ("Hiatal hernia. No effusion.", False),
    ],
)
def test_no_finding(text, none, profile):
    assert (values(text, profile).get("No Finding") == 1) is none


@both
def test_no_finding_is_never_absent(profile):
    assert all(values(text, profile).get("No Finding") != 0 for text in (MENTIONED, "Clear.", "No mass."))


@pytest.mark.parametrize(
    ("text", "value"), [("CHF.", -1), ("Heart failure.", -1), ("No heart failure.", None)]
)
def test_heart_failure_hints_at_a_large_heart(text, value):
    assert values(text, "chexpert").get("Cardiomegaly") == value


def test_findings_beyond_the_fourteen_are_no_labels():
    labels = label_report("Scoliosis. Hiatal hernia.")
    assert [one.observation for one in labels.mentions] == ["Scoliosis", "Hernia"]
    assert labels.presences == {}


def test_other_findings_are_kept_apart():
    assert not {*FINDINGS} & {*OTHER_FINDINGS}
    assert len({*OTHER_FINDINGS}) == len(OTHER_FINDINGS)


def test_what_is_only_implied_is_no_label():
    labels = label_report("The lungs are clear.")
    assert {one.observation for one in labels.mentions if one.implied} == {"Consolidation", "Lung Opacity"}
    assert labels.presences == {"No Finding": "present"}


# What the original's parser gets wrong, by its own table.
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("No pleural effusions or pneumothorax.", "Pneumothorax"),
        ("No displaced rib fractures.", "Fracture"),
        ("No focal airspace consolidations.", "Consolidation"),
        ("No new effusion.", "Pleural Effusion"),
        ("No acute infiltrate.", "Lung Opacity"),
    ],
)
def test_default_denies_what_is_denied(text, name):
    assert values(text)[name] == 0


def test_no_new_is_uncertain_to_the_original():
    assert values("No new effusion.", "chexpert")["Pleural Effusion"] == -1


@pytest.mark.parametrize("text", ["", "   ", "...", "\n\n"])
def test_default_says_nothing_of_nothing(text):
    assert label_report(text).row() == (None,) * 14


def test_to_the_original_an_empty_text_has_no_finding():
    assert values("", "chexpert") == {"No Finding": 1}


@both
def test_spans_are_of_the_reports_text(profile):
    labels = label_report({"findings": "Heart  SIZE normal..\nEffusion", "impression": "1.Effusion/edema."},
                          profile=profile)  # fmt: skip
    found = [(one.observation, labels.text[slice(*one.span)].lower()) for one in labels.mentions]
    assert found[0][1].startswith("heart  size")
    assert found[1:] == [
        ("Pleural Effusion", "effusion"),
        ("Pleural Effusion", "effusion"),
        ("Edema", "edema"),
    ]


@both
def test_sections_are_read_as_one_report(profile):
    parts = {"findings": "No pneumothorax", "impression": "Effusion"}
    whole = label_report(parts, profile=profile)
    assert whole.text == "No pneumothorax\n\nEffusion"
    assert whole.presences == {"Pneumothorax": "absent", "Pleural Effusion": "present"}
    assert whole == label_report(list(parts.values()), profile=profile)
    assert [whole.text[slice(*one.span)].lower() for one in whole.mentions] == ["pneumothorax", "effusion"]


@both
def test_each_mention_names_its_sentence_and_rule(profile):
    first, second, _ = label_report(MENTIONED, profile=profile).mentions
    assert (first.sentence.lower(), first.rule) == ("small left effusion.", "stated")
    assert (second.sentence.lower(), second.rule) == ("no pneumothorax.", "denied: no")


@both
def test_what_is_remembered_changes_nothing(profile):
    texts = [MENTIONED, "Heart size is normal. Effusion.", MENTIONED]
    keeps, forgets, few = (Labeler(profile, remembered=size) for size in (100, 0, 1))
    for text in texts:
        assert keeps.label(text) == forgets.label(text) == few.label(text)


@both
def test_any_text_is_read(profile):
    rng = random.Random(7)
    words = [
        "No",
        "effusion",
        ",",
        "XXXX",
        "or",
        "___",
        "?",
        "İ",
        "ß",
        ".",
        "..",
        "and/or",
        "heart",
        "\n",
        "1.2",
        "(",
        "/",
    ]
    for _ in range(500):
        text = rng.choice(("", " ")).join(rng.choices(words, k=rng.randint(0, 14)))
        labels = label_report(text, profile=profile)
        for one in labels.mentions:
            assert 0 <= one.span[0] <= one.span[1] <= len(text)


def test_an_unknown_profile():
    with pytest.raises(XemplarError, match="no profile 'best'; wanted one of default, chexpert"):
        label_report("Effusion.", profile="best")


@pytest.mark.parametrize("report", [["Effusion.", None], {"findings": 3}])
def test_a_section_that_is_no_text(report):
    with pytest.raises(XemplarError, match=r"a report's section is .*; wanted text"):
        label_report(report)


@pytest.mark.parametrize("report", [None, 3, 1.5, b"Effusion."])
def test_a_report_that_is_no_text(report):
    with pytest.raises(XemplarError, match=r"a report is .*; wanted text or sections"):
        label_report(report)


# --- sentences -----


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One. Two.", ["One.", "Two."]),
        ("A 1.2 cm nodule. Clear.", ["A 1.2 cm nodule.", "Clear."]),
        ("1. Effusion. 2. Edema.", ["1. Effusion.", "2. Edema."]),
        ("Discussed with Dr. Smith. Clear.", ["Discussed with Dr. Smith.", "Clear."]),
        ("One\n\nTwo", ["One", "Two"]),
        ("Effusion\n- Edema\n- Mass", ["Effusion", "- Edema", "- Mass"]),
        ("No\neffusion.", ["No\neffusion."]),
        ("Clear.Heart normal.", ["Clear.", "Heart normal."]),
    ],
)
def test_sentences(text, wanted):
    found = list(cut(text))
    assert [part.text.strip() for part in found] == wanted
    assert all(text[part.start : part.start + len(part.text)] == part.text for part in found)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Edema AND/OR Effusion", ["edema or effusion"]),
        ("scar/atelectasis", ["scar or atelectasis"]),
        ("5/6 ribs", ["5/6 ribs"]),
        ("Clear..Normal", ["clear.", "normal"]),
        ("Clear.Normal,large", ["clear.", "normal, large"]),
        ("No\n  effusion . . Mass", ["no effusion .", "mass"]),
    ],
)
def test_cleaned_sentences(text, wanted):
    assert [part.text.strip() for part in cut_cleaned(text)] == wanted


def test_the_way_back_through_cleaning():
    text = "No\n\n effusion,edema/mass..  A  Fracture"
    for word in ("effusion", "edema", "mass", "fracture"):
        for part in cut_cleaned(text):
            at = part.text.find(word)
            if at >= 0:
                start, end = part.span(at, at + len(word))
                assert text[start:end].lower() == word


# --- what the original's authors publish -----


def number(cell):
    return int(float(cell)) if cell else None


@pytest.mark.shared
@both
def test_published_examples(golden, profile):
    folder = golden / "labeler"
    with (folder / "sample_reports.csv").open(newline="", encoding="utf-8") as file:
        texts = [row[0] for row in csv.reader(file)]
    with (folder / "labeled_reports.csv").open(newline="", encoding="utf-8") as file:
        wanted = list(csv.DictReader(file))
    assert len(texts) == len(wanted) == 4
    for text, row in zip(texts, wanted, strict=True):
        assert label_report(text, profile=profile).row() == tuple(number(row[name]) for name in OBSERVATIONS)


@pytest.mark.shared
@both
def test_the_maintainers_example(golden, profile):
    known = json.loads((golden / "labeler" / "issue15_golden.json").read_text())
    assert known["columns"] == list(OBSERVATIONS)
    assert label_report(known["text"], profile=profile).row() == tuple(known["labels"])
