"""Lines are quoted from real sentences that say what is believed, and nothing else."""

import numpy as np
import pytest

from xemplar.drafting.beliefs import Belief, Limits
from xemplar.drafting.composition import ORDER, Composer
from xemplar.findings import read_claims
from xemplar.retrieval import NOBODY, Leave

P, D = 0.9, 0.02
LIMITS = Limits(state_at=0.5, deny_at=0.1)
ANY = {
    "side": dict.fromkeys(("left", "right", "bilateral"), 1.0),
    "place": dict.fromkeys(("upper zone", "mid zone", "lower zone", "upper lobe", "lower lobe", "base"), 1.0),
    "degree": dict.fromkeys(("small", "moderate", "large"), 1.0),
}


def composed(made, beliefs=(), denials=(), near="", leave=NOBODY):
    """Lines and silence for what is present with P and absent with 1 - D, all details believed."""
    corpus, index, encoder = made
    vector = encoder.encode_texts([near])[0]
    believed = {**dict.fromkeys(beliefs, Belief(P, ANY)), **dict.fromkeys(denials, Belief(D))}
    made = Composer(corpus, index).compose(vector, believed, LIMITS, leave=leave)
    return made.lines, made.silent


def texts(lines):
    return [line.text for line in lines]


def test_the_nearest_sentence_that_says_it_is_quoted(archive_of):
    made = archive_of([("a", "Mild edema."), ("b", "Pulmonary edema."), ("c", "Severe pulmonary edema.")])
    lines, _ = composed(made, ["Edema"], near="Pulmonary edema.")
    assert texts(lines) == ["Pulmonary edema."]
    assert lines[0].scores["cosine"] == pytest.approx(1.0)


def test_equally_good_sentences_are_taken_in_their_order(archive_of):
    corpus, index, _ = archive_of([("a", "Mild edema."), ("b", "Small edema.")])
    zero = np.zeros(48, np.float32)
    made = Composer(corpus, index).compose(zero, {"Edema": Belief(P, ANY)}, LIMITS, leave=NOBODY)
    first = index.items["sentence"].ids[0]
    assert [line.sentence_id for line in made.lines] == [first]


@pytest.mark.parametrize(
    "text",
    [
        "Unchanged mild edema.",
        "Edema has worsened.",
        "Edema is improved compared to the prior study.",
        "Pulmonary edema as above.",
        "Edema, as described.",
        "Edema (see below).",
        "Mild edema, discussed with Dr. A by telephone at 3 pm.",
        "Findings of mild edema were discussed with the team.",
        "Dr. ___ was informed of the edema.",
        "Mild edema; recommend a repeat radiograph.",
        "I have personally reviewed the images and agree that there is mild edema.",
    ],
)
def test_a_sentence_that_cant_stand_alone_is_never_quoted(archive_of, text):
    assert "Edema" in {claim.finding for claim in read_claims(text)}
    lines, silent = composed(archive_of([("a", text), ("b", "The lungs are clear.")]), ["Edema"], near=text)
    assert lines == () and list(silent) == ["Edema"]


def test_nor_is_a_part_of_one(archive_of):
    made = archive_of([("a", "Unchanged cardiomegaly, with mild edema.")])
    assert composed(made, ["Edema", "Cardiomegaly"])[0] == ()


def test_a_sentence_with_an_unbelieved_claim_is_not_quoted_whole(archive_of):
    made = archive_of([("a", "Mild edema; small left pleural effusion.")])
    lines, _ = composed(made, ["Edema"])
    assert texts(lines) == ["Mild edema"]


def test_a_claim_that_no_part_says_alone_is_left_unsaid(archive_of):
    made = archive_of([("a", "No pleural effusion or pneumothorax.")])
    lines, silent = composed(made, [], ["Pneumothorax"])
    assert lines == ()
    assert silent == {"Pneumothorax": "no sentence of the archive says it is absent and nothing unbelieved"}


def test_an_uncertain_sentence_states_nothing(archive_of):
    lines, silent = composed(archive_of([("a", "Possible edema.")]), ["Edema"])
    assert lines == () and "says it is present" in silent["Edema"]


def test_what_is_believed_present_is_not_denied(archive_of):
    made = archive_of([("a", "No edema."), ("b", "Mild edema.")])
    assert texts(composed(made, ["Edema"])[0]) == ["Mild edema."]


def test_one_line_covers_its_findings_once(archive_of):
    made = archive_of([("a", "No pleural effusion or pneumothorax."), ("b", "No pneumothorax.")])
    lines, silent = composed(
        made, [], ["Pleural Effusion", "Pneumothorax"], near="No pleural effusion or pneumothorax."
    )
    assert texts(lines) == ["No pleural effusion or pneumothorax."] and silent == {}


def test_a_denial_within_a_stated_line_is_not_said_again(archive_of):
    made = archive_of([("a", "Cardiomegaly without pleural effusion."), ("b", "No pleural effusion.")])
    lines, silent = composed(
        made, ["Cardiomegaly"], ["Pleural Effusion"], near="Cardiomegaly without pleural effusion."
    )
    assert texts(lines) == ["Cardiomegaly without pleural effusion."] and silent == {}


def test_no_finding_is_told_twice(archive_of):
    first, second = "Edema with a small left pleural effusion.", "Right pleural effusion and rib fracture."
    made = archive_of([("a", first), ("b", second), ("c", "Acute rib fracture.")])
    lines, silent = composed(made, ["Edema", "Fracture", "Pleural Effusion"], near=second)
    told = [claim.finding for line in lines for claim in line.claims]
    assert sorted(told) == ["Edema", "Fracture", "Pleural Effusion"] and silent == {}


def test_what_could_only_be_told_twice_is_left_unsaid(archive_of):
    first, second = "Edema around a left pleural effusion.", "Left pleural effusion near a rib fracture."
    made = archive_of([("a", first), ("b", second)])
    lines, silent = composed(made, ["Edema", "Fracture", "Pleural Effusion"], near=first)
    assert texts(lines) == [first]
    assert silent == {"Fracture": "what says it is present tells again what another line does"}


STATING = {
    "Support Devices": "Endotracheal tube in place.",
    "Cardiomegaly": "The heart is enlarged.",
    "Edema": "Mild edema.",
    "Pleural Effusion": "Small left pleural effusion.",
    "Fracture": "Acute rib fracture.",
}


def test_lines_stand_in_the_order_of_a_report(archive_of):
    made = archive_of([(name, text) for name, text in reversed(STATING.items())])
    lines, _ = composed(made, reversed(STATING))
    assert texts(lines) == list(STATING.values())
    assert list(STATING) == sorted(STATING, key=ORDER.index)


def test_the_order_is_that_of_the_body_and_in_a_region_what_is_there_comes_first(archive_of):
    made = archive_of(
        [
            ("a", "The heart is normal in size."),
            ("b", "Acute rib fracture."),
            ("c", "Atelectasis."),
            ("d", "No edema."),
        ]
    )
    lines, _ = composed(made, ["Fracture", "Atelectasis"], ["Cardiomegaly", "Edema"])
    assert texts(lines) == [
        "The heart is normal in size.",
        "Atelectasis.",
        "No edema.",
        "Acute rib fracture.",
    ]


def test_every_study_that_wrote_it_is_named(archive_of):
    made = archive_of(
        [("a", "Mild edema."), ("b", "Mild edema."), ("c", "Clear lungs."), ("d", "mild edema")]
    )
    by_text = {study.study_id: study.findings for study in made[0].studies}
    (line,), _ = composed(made, ["Edema"])
    assert sorted(by_text[study_id] for study_id in line.source_study_ids) == [
        "Mild edema.", "Mild edema.", "mild edema",
    ]  # fmt: skip


def test_a_patient_left_out_is_no_source(archive_of):
    made = archive_of([("a", "Mild edema."), ("a", "Mild edema."), ("b", "Mild edema.")])
    corpus = made[0]
    first, _, last = corpus.studies
    (line,), _ = composed(made, ["Edema"], leave=Leave(first.study_id, first.patient_id))
    assert line.source_study_ids == (last.study_id,)


def test_a_sentence_that_only_those_left_out_wrote_is_not_quoted(archive_of):
    made = archive_of([("a", "Mild edema."), ("b", "Severe pulmonary edema.")])
    first = made[0].studies[0]
    lines, _ = composed(made, ["Edema"], near="Mild edema.", leave=Leave(first.study_id, first.patient_id))
    assert texts(lines) == ["Severe pulmonary edema."]


def test_no_belief_no_line(archive_of):
    assert composed(archive_of([("a", "Mild edema.")])) == ((), {})


def test_a_line_is_as_sure_as_its_least_sure_claim(archive_of):
    corpus, index, encoder = archive_of([("a", "Cardiomegaly without pleural effusion.")])
    believed = {"Cardiomegaly": Belief(0.7), "Pleural Effusion": Belief(0.4)}
    made = Composer(corpus, index).compose(
        encoder.encode_texts(["x"])[0], believed, Limits(0.5, 0.4), leave=NOBODY
    )
    assert made.lines[0].confidence == pytest.approx(0.6)


def test_side_and_degree_count_among_its_claims(archive_of):
    corpus, index, encoder = archive_of([("a", "Small left pleural effusion.")])
    details = {"side": {"left": 0.9}, "degree": {"small": 0.8}}
    made = Composer(corpus, index).compose(
        encoder.encode_texts(["x"])[0], {"Pleural Effusion": Belief(0.9, details)}, LIMITS, leave=NOBODY
    )
    assert made.lines[0].confidence == pytest.approx(0.9 * 0.9 * 0.8)
