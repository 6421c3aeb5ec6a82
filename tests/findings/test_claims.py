"""What the findings engine promises: who is mentioned, present or not, where, how much, and since when."""

import hashlib
import time
from importlib.resources import files

import pytest

from xemplar import findings
from xemplar.findings import FINDINGS, read_claims, summarise
from xemplar.findings.lexicon import lexicon
from xemplar.records import Claim
from xemplar.report import sentences
from xemplar.sources import phantom


def said(sentence):
    """Of CheXpert's findings alone."""
    heard = summarise(read_claims(sentence))
    return {name: presence for name, presence in heard.items() if name in FINDINGS}


PRESENCE = [
    ("No pleural effusion or pneumothorax.", {"Pleural Effusion": "absent", "Pneumothorax": "absent"}),
    (
        "No focal consolidation, pleural effusion, or pneumothorax.",
        {"Consolidation": "absent", "Pleural Effusion": "absent", "Pneumothorax": "absent"},
    ),
    ("Cardiomegaly without overt edema.", {"Cardiomegaly": "present", "Edema": "absent"}),
    ("Lungs are free of infiltrate.", {"Lung Opacity": "absent"}),
    ("The lungs are clear.", {"Consolidation": "absent", "Lung Opacity": "absent"}),
    ("Hyperexpanded but clear lungs.", {"Consolidation": "absent", "Lung Opacity": "absent"}),
    ("Lungs are otherwise clear.", {}),
    ("Heart size is normal.", {"Cardiomegaly": "absent"}),
    ("The heart is within normal limits.", {"Cardiomegaly": "absent"}),
    ("The cardiac silhouette is not enlarged.", {"Cardiomegaly": "absent"}),
    ("The heart is mildly enlarged.", {"Cardiomegaly": "present"}),
    ("Heart size is stable.", {}),
    (
        "The cardiac and mediastinal contours are within normal limits.",
        {"Cardiomegaly": "absent", "Enlarged Cardiomediastinum": "absent"},
    ),
    (
        "Heart is enlarged and mediastinum is normal.",
        {"Cardiomegaly": "present", "Enlarged Cardiomediastinum": "absent"},
    ),
    (
        "Normal heart size and mediastinal contours.",
        {"Cardiomegaly": "absent", "Enlarged Cardiomediastinum": "absent"},
    ),
    (
        "No pneumothorax but small right effusion.",
        {"Pneumothorax": "absent", "Pleural Effusion": "present"},
    ),
    (
        "No effusion, however there is bibasilar atelectasis.",
        {"Pleural Effusion": "absent", "Atelectasis": "present"},
    ),
    ("There is no evidence of pneumonia.", {"Pneumonia": "absent"}),
    ("The right pneumothorax has resolved.", {"Pneumothorax": "absent"}),
    ("Edema is no longer seen.", {"Edema": "absent"}),
    ("Interval resolution of the left effusion.", {"Pleural Effusion": "absent"}),
    ("Left effusion with interval resolution.", {"Pleural Effusion": "absent"}),
    (
        "Pleural effusion and pneumothorax are not seen.",
        {"Pleural Effusion": "absent", "Pneumothorax": "absent"},
    ),
    (
        "Effusion is present and pneumothorax is not seen.",
        {"Pleural Effusion": "present", "Pneumothorax": "absent"},
    ),
    ("Chest tube has been removed.", {"Support Devices": "absent"}),
    ("Pneumonia cannot be excluded.", {"Pneumonia": "uncertain"}),
    ("Cannot exclude pneumonia.", {"Pneumonia": "uncertain"}),
    ("Opacity may represent pneumonia.", {"Lung Opacity": "present", "Pneumonia": "uncertain"}),
    ("Possible effusion.", {"Pleural Effusion": "uncertain"}),
    ("Findings suspicious for pneumonia.", {"Pneumonia": "uncertain"}),
    ("Questionable nodule.", {"Lung Lesion": "uncertain"}),
    ("Borderline cardiomegaly.", {"Cardiomegaly": "uncertain"}),
    ("Heart size is borderline.", {"Cardiomegaly": "uncertain"}),
    ("Heart size is at the upper limits of normal.", {"Cardiomegaly": "absent"}),
    ("The heart size is upper limits normal or mildly enlarged.", {"Cardiomegaly": "uncertain"}),
    ("The heart is slightly large.", {"Cardiomegaly": "present"}),
    ("The lungs are clear except for the left base.", {}),
    ("In the left base there is an opacity.", {"Lung Opacity": "present"}),
    ("No focal opacity to suggest pneumonia.", {"Lung Opacity": "absent", "Pneumonia": "absent"}),
    (
        "Opacity, atelectasis versus pneumonia.",
        {"Lung Opacity": "present", "Atelectasis": "uncertain", "Pneumonia": "uncertain"},
    ),
    ("Pulmonary vascular congestion.", {}),
    ("No pulmonary edema or vascular congestion.", {"Edema": "absent"}),
    ("Likely atelectasis.", {"Atelectasis": "present"}),
    ("Atelectasis or consolidation.", {"Atelectasis": "uncertain", "Consolidation": "uncertain"}),
    ("No change in the left effusion.", {"Pleural Effusion": "present"}),
    ("Effusion not significantly changed.", {"Pleural Effusion": "present"}),
    ("Pericardial effusion.", {}),
    ("Calcified nodule.", {}),
    ("Portable chest radiograph.", {}),
    ("Midline trachea.", {}),
    ("The ribs are intact.", {"Fracture": "absent"}),
    ("The left lower lobe is collapsed.", {"Atelectasis": "present"}),
    ("Collapse of the right upper lobe.", {"Atelectasis": "present"}),
    ("Collapsed vertebral body.", {}),
    ("Coin lesion in the left lung.", {"Lung Lesion": "present"}),
    ("No suspicious pulmonary nodules or masses.", {"Lung Lesion": "absent"}),
    ("The left 5th rib is fractured.", {"Fracture": "present"}),
    ("Old healed left rib fractures.", {"Fracture": "present"}),
    (
        "Lungs are clear without edema.",
        {"Consolidation": "absent", "Lung Opacity": "absent", "Edema": "absent"},
    ),
    ("Healing rib fracture.", {"Fracture": "present"}),
    ("Apical pleural thickening.", {"Pleural Other": "present"}),
    ("Mediastinal widening.", {"Enlarged Cardiomediastinum": "present"}),
    ("NO\nPLEURAL  EFFUSION", {"Pleural Effusion": "absent"}),
    ("", {}),
]


@pytest.mark.parametrize(("sentence", "wanted"), PRESENCE, ids=[row[0] for row in PRESENCE])
def test_presence(sentence, wanted):
    assert said(sentence) == wanted


@pytest.mark.parametrize(
    "device",
    [
        "endotracheal tube",
        "central venous line",
        "pacemaker",
        "subclavian catheter",
        "sternotomy wires",
        "right chest port",
        "surgical clips",
        "PICC",
    ],
)
def test_devices(device):
    assert said(f"There is a {device}.") == {"Support Devices": "present"}


@pytest.mark.parametrize(
    ("sentence", "side"),
    [
        ("Left pleural effusion.", "left"),
        ("Right-sided effusion.", "right"),
        ("Bilateral effusions.", "bilateral"),
        ("Both-sided effusions.", "bilateral"),
        ("Effusion on the left.", "left"),
        ("In the right lung there is an effusion.", "right"),
        ("Effusion.", None),
        ("Effusion and left atelectasis.", None),
    ],
)
def test_side(sentence, side):
    assert read_claims(sentence)[0].side == side


def test_each_finding_keeps_its_own_side():
    claims = read_claims("Bibasilar atelectasis and small left-sided pleural effusion.")
    assert [(c.finding, c.side, c.place, c.degree) for c in claims] == [
        ("Atelectasis", "bilateral", "base", None),
        ("Pleural Effusion", "left", None, "small"),
    ]


@pytest.mark.parametrize(
    ("sentence", "place"),
    [
        ("Opacity in the right upper lobe.", "upper lobe"),
        ("Left mid zone opacity.", "mid zone"),
        ("Right middle lobe opacity.", "middle lobe"),
        ("Lower zone opacity.", "lower zone"),
        ("Basilar opacity.", "base"),
        ("Opacity at the left apex.", "apex"),
        ("Effusion in the costophrenic angle.", "costophrenic angle"),
        ("Opacity.", None),
    ],
)
def test_place(sentence, place):
    assert read_claims(sentence)[0].place == place


@pytest.mark.parametrize(
    ("sentence", "degree"),
    [
        ("Small effusion.", "small"),
        ("Trace effusion.", "small"),
        ("Heart is mildly enlarged.", "small"),
        ("Moderate effusion.", "moderate"),
        ("Mild to moderate edema.", "moderate"),
        ("Severe edema.", "large"),
        ("Effusion.", None),
    ],
)
def test_degree(sentence, degree):
    assert read_claims(sentence)[0].degree == degree


@pytest.mark.parametrize(
    ("sentence", "change"),
    [
        ("New effusion.", "new"),
        ("Effusion has increased.", "increased"),
        ("Worsening edema.", "increased"),
        ("Effusion is smaller.", "decreased"),
        ("Stable cardiomegaly.", "unchanged"),
        ("No change in the effusion.", "unchanged"),
        ("Effusion has resolved.", "resolved"),
        ("Increased interstitial markings.", None),
    ],
)
def test_change(sentence, change):
    assert read_claims(sentence)[0].change == change


def test_a_change_reaches_over_a_list():
    claims = read_claims("The effusion and atelectasis are unchanged.")
    assert [claim.change for claim in claims] == ["unchanged", "unchanged"]


def test_no_new_is_absent_and_new():
    (claim,) = read_claims("No new consolidation.")
    assert (claim.presence, claim.change) == ("absent", "new")


def test_span_covers_the_mention():
    sentence = "There is a small left pleural effusion."
    (claim,) = read_claims(sentence)
    assert sentence[slice(*claim.span)] == "pleural effusion"


def test_span_stays_true_where_lower_case_is_longer():
    sentence = "\u0130\u0130 Effusion."
    (claim,) = read_claims(sentence)
    assert sentence[slice(*claim.span)] == "Effusion"


def test_no_meaning_twice():
    claims = read_claims("Effusion, effusion and effusion.")
    assert len({claim.meaning for claim in claims}) == len(claims)


@pytest.mark.parametrize(
    ("presences", "wanted"),
    [
        (["absent", "present"], "present"),
        (["present", "uncertain"], "present"),
        (["uncertain", "absent"], "uncertain"),
        (["absent"], "absent"),
    ],
)
def test_summary_ranks(presences, wanted):
    claims = [Claim("Edema", presence) for presence in presences]
    assert summarise(claims) == {"Edema": wanted}


def test_version_is_of_the_data_file_and_of_the_code():
    folder = files("xemplar.findings")
    modules = sorted(one.name for one in folder.iterdir() if one.name.endswith(".py"))
    version = hashlib.sha256(folder.joinpath("lexicon.toml").read_bytes())
    for name in modules:
        if name != "__init__.py":
            version.update(hashlib.sha256(folder.joinpath(name).read_bytes()).digest())
    assert version.hexdigest() == findings.LEXICON_VERSION


def test_unknown_attribute():
    with pytest.raises(AttributeError, match="no attribute 'NOTHING'"):
        findings.NOTHING  # noqa: B018


def test_every_structure_speaks_of_known_findings():
    named = {finding for structure in lexicon().structures.values() for finding in structure.findings}
    assert named <= {*FINDINGS, *findings.OTHER_FINDINGS}


def test_every_predicate_of_a_structure_exists():
    kinds = set(lexicon().predicates.labels)
    for structure in lexicon().structures.values():
        assert structure.normal | structure.abnormal <= kinds


def test_never_contradicts_what_was_drawn():
    opposite = {("present", "absent"), ("absent", "present")}
    compared = 0
    for arrival in phantom.studies(200):
        study = arrival.study
        if study.language != "en":
            continue
        summary = summarise(claim for one in sentences(study.text) for claim in read_claims(one))
        pairs = [(study.labels[finding], summary[finding]) for finding in study.labels if finding in summary]
        compared += len(pairs)
        assert not opposite & set(pairs)
    assert compared > 400


# --- what is right rather than usual -----

RIGHT = [
    ("No pleural effusions or pneumothorax.", {"Pleural Effusion": "absent", "Pneumothorax": "absent"}),
    ("Resolved interstitial edema.", {"Edema": "absent"}),
    ("Nearly resolved pneumothorax.", {"Pneumothorax": "present"}),
    ("Near complete resolution of the edema.", {"Edema": "present"}),
    ("The effusion has not resolved.", {"Pleural Effusion": "present"}),
    ("Not without effusion.", {"Pleural Effusion": "present"}),
    ("It is not the case that there is no pneumothorax.", {"Pneumothorax": "present"}),
    ("A pneumothorax is not excluded.", {"Pneumothorax": "uncertain"}),
    ("Follow-up to exclude pneumonia.", {}),
    ("Correlate clinically for pneumonia.", {}),
    ("History of pneumonia.", {}),
    ("Cannot exclude pneumonia.", {"Pneumonia": "uncertain"}),
    ("Atelectasis is favored over pneumonia.", {"Atelectasis": "present", "Pneumonia": "absent"}),
    ("Small left effusion?", {"Pleural Effusion": "uncertain"}),
    ("Pleural effusion: none.", {"Pleural Effusion": "absent"}),
    ("Cardiomegaly: no change.", {"Cardiomegaly": "present"}),
    ("No change in the effusion or atelectasis.", {"Pleural Effusion": "present", "Atelectasis": "present"}),
    ("New effusion not seen on the prior.", {"Pleural Effusion": "present"}),
    ("The effusion seen on the prior is gone.", {"Pleural Effusion": "absent"}),
    ("Clear lungs except for atelectasis.", {"Atelectasis": "present"}),
    ("No abnormality other than cardiomegaly.", {"Cardiomegaly": "present"}),
    ("No effusion; mild edema.", {"Pleural Effusion": "absent", "Edema": "present"}),
    ("No XXXX consolidation.", {"Consolidation": "absent"}),
    ("___ effusion without pneumothorax.", {"Pleural Effusion": "present", "Pneumothorax": "absent"}),
    ("No new or enlarging effusion.", {"Pleural Effusion": "absent"}),
    ("Normal heart, lungs, mediastinum.", {"Cardiomegaly": "absent", "Enlarged Cardiomediastinum": "absent"}),
    ("Heart size is increased.", {"Cardiomegaly": "present"}),
    ("Prominence of the cardiac silhouette.", {"Cardiomegaly": "uncertain"}),
    ("Kerley B-lines.", {}),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "wanted"), RIGHT, ids=[row[0] for row in RIGHT])
def test_right_rather_than_usual(sentence, wanted):
    heard = said(sentence)
    assert {name: heard[name] for name in heard if name in wanted or not wanted} == wanted


@pytest.mark.parametrize(
    ("sentence", "finding"),
    [
        ("Thoracic dextroscoliosis.", "Scoliosis"),
        ("Mild rightward curvature of the thoracic spine.", "Scoliosis"),
        ("Moderate hiatal hernia.", "Hernia"),
        ("Emphysematous changes.", "Emphysema"),
        ("Hyperexpanded lungs.", "Hyperinflation"),
        ("Flattened hemidiaphragms.", "Hyperinflation"),
        ("Old granulomatous disease.", "Granuloma"),
        ("Calcified nodule.", "Calcification"),
        ("Atherosclerotic aorta.", "Atherosclerosis"),
        ("Tortuous aorta.", "Tortuous Aorta"),
        ("Degenerative changes of the spine.", "Degenerative Change"),
        ("Elevated right hemidiaphragm.", "Elevated Diaphragm"),
        ("Low lung volumes.", "Low Lung Volumes"),
        ("Central vascular congestion.", "Vascular Congestion"),
        ("Congestive heart failure.", "Heart Failure"),
        ("Diffuse osteopenia.", "Osteopenia"),
        ("Subcutaneous emphysema.", "Subcutaneous Emphysema"),
    ],
)
def test_beyond_the_fourteen(sentence, finding):
    assert finding in findings.OTHER_FINDINGS
    assert {(claim.finding, claim.presence) for claim in read_claims(sentence)} >= {(finding, "present")}
    denied = read_claims(f"No {sentence.lower()}")
    assert {claim.presence for claim in denied if claim.finding == finding} == {"absent"}


@pytest.mark.parametrize(
    "device",
    ["sternotomy XXXX", "coronary stent", "surgical clips", "port-a-cath", "XXXX-a-XXXX", "IVC filter",
     "cervical spine fusion", "bone anchor", "tracheostomy", "pulse generator"],
)  # fmt: skip
def test_more_devices(device):
    assert said(f"{device} noted.") == {"Support Devices": "present"}


@pytest.mark.parametrize("unit", ["heart, ", "no effusion ", "effusion or ", "not completely ", "1. ", "( "])
def test_a_long_sentence_takes_no_longer_than_it_should(unit):
    start = time.process_time()
    read_claims(unit * 400)
    assert time.process_time() - start < 2
