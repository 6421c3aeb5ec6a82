"""Sentences that were made up where reading had gone wrong, each with what it says."""

import json
import sys
from pathlib import Path

import pytest

from xemplar.findings import FINDINGS, label_report, read_claims, summarise

ROOT = Path(__file__).parents[2]
P, A, U = "present", "absent", "uncertain"
EF, PT, PN, AT = "Pleural Effusion", "Pneumothorax", "Pneumonia", "Atelectasis"
CO, CM, ED, LL, SD = "Consolidation", "Cardiomegaly", "Edema", "Lung Lesion", "Support Devices"


def said(sentence):
    heard = summarise(read_claims(sentence))
    return {name: presence for name, presence in heard.items() if name in FINDINGS}


# What is stated behind a denial, and what is only the rest of its list.
CLOSED = [
    ("No pleural effusion, large right pneumothorax.", {EF: A, PT: P}),
    ("No effusion, pneumothorax is present.", {EF: A, PT: P}),
    ("No pneumothorax, right chest tube in place.", {PT: A, SD: P}),
    ("No pneumothorax, chest tube in place.", {PT: A, SD: P}),
    ("No evidence of pneumonia, right PICC in place.", {PN: A, SD: P}),
    ("No consolidation, bibasilar atelectasis is noted.", {CO: A, AT: P}),
    ("No effusion, moderate cardiomegaly.", {EF: A, CM: P}),
    ("No pneumothorax, left effusion is stable.", {PT: A, EF: P}),
    ("No pneumothorax - small effusion.", {PT: A, EF: P}),
    ("No pneumothorax (small effusion).", {PT: A, EF: P}),
    ("No pneumothorax and effusion is small.", {PT: A, EF: P}),
    ("No effusion or pneumothorax, small nodule.", {EF: A, PT: A, LL: P}),
    ("Heart normal, no effusion, mild atelectasis.", {CM: A, EF: A, AT: P}),
    ("May represent pneumonia, small left effusion.", {PN: U, EF: P}),
    ("No effusion, pneumothorax, or consolidation.", {EF: A, PT: A, CO: A}),
    ("No focal consolidation, pleural effusion or pneumothorax.", {CO: A, EF: A, PT: A}),
    ("No consolidation, effusion, or large pneumothorax.", {CO: A, EF: A, PT: A}),
    ("No consolidation, large effusion, or pneumothorax.", {CO: A, EF: A, PT: A}),
    ("No effusion, pneumothorax is not seen.", {EF: A, PT: A}),
    ("No effusion and pneumothorax are seen.", {EF: A, PT: A}),
    ("No consolidation, effusion, pneumothorax is seen.", {CO: A, EF: A, PT: A}),
    ("No effusion, no large pneumothorax.", {EF: A, PT: A}),
]  # fmt: skip

JUDGED = [
    ("Pneumonia has been ruled out.", {PN: A}),
    ("Pneumonia cannot be ruled out.", {PN: U}),
    ("Pneumonia has not been ruled out.", {PN: U}),
    ("Nothing to suggest pneumonia.", {PN: A}),
    ("I don't see a pneumothorax.", {PT: A}),
    ("I don\u2019t see a pneumothorax.", {PT: A}),
    ("There isn't any effusion.", {EF: A}),
    ("Pneumothorax - none", {PT: A}),
    ("Favor atelectasis over pneumonia.", {AT: P, PN: A}),
    ("Pneumonia is not favored.", {PN: U}),
    ("Skin fold, not pneumothorax.", {PT: A}),
    ("Effusion has disappeared.", {EF: A}),
    ("Effusion has not disappeared.", {EF: P}),
    ("Effusion hasn't changed.", {EF: P}),
    ("On the previous study there was a pneumothorax.", {}),
    ("Previous pneumonia.", {}),
    ("The previous effusion is unchanged.", {EF: P}),
    ("Not excluded is a small effusion.", {EF: U}),
    ("Doubt pneumonia.", {PN: U}),
    ("No doubt there is pneumonia.", {PN: P}),
    ("Pneumonia is doubtful.", {PN: U}),
    ("Pneumonia less likely.", {PN: U}),
    ("Consider pneumonia.", {PN: U}),
    ("Partial clearing of right lower lobe pneumonia.", {PN: P}),
    ("No definite pneumothorax, though a small one cannot be excluded.", {PT: U}),
    ("No effusion other than trace left fluid.", {EF: P}),
    ("Left lower lobe atelectasis, pneumonia not excluded.", {AT: P, PN: U}),
    ("Effusion, atelectasis, and pneumonia cannot be excluded.", {EF: U, AT: U, PN: U}),
    ("Small effusion, pneumothorax is not seen.", {EF: P, PT: A}),
    ("Body mass index.", {}),
    ("Low muscle mass.", {}),
    ("Lines of Kerley B.", {}),
]


@pytest.mark.parametrize(
    ("sentence", "wanted"), [*CLOSED, *JUDGED], ids=[row[0] for row in [*CLOSED, *JUDGED]]
)
def test_presence(sentence, wanted):
    assert said(sentence) == wanted


ABNORMAL = [
    "Suspicious for malignancy.", "Lung cancer.", "The lungs are not clear.", "Hazy lungs.",
    "Whiteout of the left hemithorax.", "Opacified left hemithorax.", "Empyema.", "ARDS.", "Large heart.",
    "Tracheal deviation.", "The trachea is deviated to the right.", "Not normal.", "Abnormal chest.",
]  # fmt: skip
UNKNOWN = [
    "zxcv qwer asdf.",
    "Keine Auff\u00e4lligkeiten.",
    "Portable chest radiograph.",
    "History of lung cancer.",
]
NORMAL = [
    "Normal chest.", "No acute disease.", "Unremarkable.", "Negative chest.", "Clear.", "Lungs clear.",
    "No acute cardiopulmonary abnormality.", "Heart size is normal.", "No pneumothorax.", "Normal study.",
]  # fmt: skip


@pytest.mark.parametrize("text", [*ABNORMAL, *UNKNOWN])
def test_no_finding_needs_something_that_says_so(text):
    assert "No Finding" not in label_report(text).presences


@pytest.mark.parametrize("text", NORMAL)
def test_what_says_that_there_is_no_finding(text):
    assert label_report(text).presences["No Finding"] == "present"


@pytest.mark.parametrize(
    ("sentence", "wanted"),
    [
        ("Right but not left effusion.", [("right", None, None, None)]),
        (
            "Large right and small left effusions.",
            [("right", None, "large", None), ("left", None, "small", None)],
        ),
        (
            "Effusions, small on the right and large on the left.",
            [("right", None, "small", None), ("left", None, "large", None)],
        ),
        (
            "Stable right and new left effusions.",
            [("right", None, None, "unchanged"), ("left", None, None, "new")],
        ),
        ("Right and left effusions.", [("bilateral", None, None, None)]),
        (
            "Right upper and lower lobe opacities.",
            [("right", "upper lobe", None, None), ("right", "lower lobe", None, None)],
        ),
        (
            "Right upper and left lower lobe opacities.",
            [("right", "upper lobe", None, None), ("left", "lower lobe", None, None)],
        ),
        ("Effusion: small, left", [("left", None, "small", None)]),
        ("Small right effusion, unchanged.", [("right", None, "small", "unchanged")]),
        ("Fluid in the minor fissure.", [(None, None, None, None)]),
        ("Discrete nodule.", [(None, None, None, None)]),
        ("Pneumothorax has nearly resolved.", [(None, None, None, "decreased")]),
    ],
)
def test_modifiers(sentence, wanted):
    assert [(one.side, one.place, one.degree, one.change) for one in read_claims(sentence)] == wanted


def test_the_table_is_read_as_was_measured(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    from labeler_made_up import made_up

    measured = json.loads((ROOT / "docs" / "results" / "labeler.json").read_text())
    assert made_up() == measured["made_up"]
