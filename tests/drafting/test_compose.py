"""Lines are quoted from real sentences that say what is believed, and nothing else."""

import numpy as np
import pytest

from xemplar.drafting import compose
from xemplar.drafting.compose import ORDER, Composer
from xemplar.findings import read_claims
from xemplar.report import points_elsewhere
from xemplar.retrieval import NOBODY, Leave

P, D = 0.9, 0.02


def composed(made, beliefs=(), denials=(), near="", leave=NOBODY):
    corpus, index, encoder = made
    vector = encoder.encode_texts([near])[0]
    return Composer(corpus, index).compose(
        vector, dict.fromkeys(beliefs, P), dict.fromkeys(denials, D), leave=leave
    )


def texts(lines):
    return [line.text for line in lines]


def test_the_nearest_sentence_that_says_it_is_quoted(archive_of):
    made = archive_of([("a", "Mild edema."), ("b", "Pulmonary edema."), ("c", "Severe pulmonary edema.")])
    lines, _ = composed(made, ["Edema"], near="Pulmonary edema.")
    assert texts(lines) == ["Pulmonary edema."]
    assert lines[0].scores["cosine"] == pytest.approx(1.0)


def test_equally_near_sentences_are_taken_in_their_order(archive_of):
    made = archive_of([("a", "Mild edema."), ("b", "Pulmonary edema.")])
    corpus, index, _ = made
    lines, _ = Composer(corpus, index).compose(np.zeros(48, np.float32), {"Edema": P}, {}, leave=NOBODY)
    assert texts(lines) == ["Mild edema."]


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


def test_what_a_later_line_says_is_not_called_unsaid(archive_of, monkeypatch):
    """The nearest sentence can't be quoted, and no other is tried; the next finding's says it as well."""
    monkeypatch.setattr(compose, "_LOOKED_AT", 1)
    near, other = "No pleural effusion or consolidation.", "No pneumothorax or pleural effusion."
    made = archive_of([("a", near), ("b", other)])
    lines, silent = composed(made, [], ["Pleural Effusion", "Pneumothorax"], near=near)
    assert texts(lines) == [other] and silent == {}


@pytest.mark.parametrize(
    ("first", "second", "third"),
    [
        ("Edema with a small left pleural effusion.", "Right pleural effusion and rib fracture.", "right"),
        ("Edema with a small left pleural effusion.", "Large pleural effusion and rib fracture.", "large"),
    ],
    ids=["side", "degree"],
)
def test_no_line_speaks_against_one_before_it(archive_of, first, second, third):
    made = archive_of([("a", first), ("b", second), ("c", "Acute rib fracture.")])
    claims = {claim.finding: claim for claim in read_claims(second)}
    assert third in (claims["Pleural Effusion"].side, claims["Pleural Effusion"].degree)
    lines, _ = composed(made, ["Edema", "Fracture", "Pleural Effusion"], near=second)
    assert lines[0].text == first
    said = {(c.side, c.degree) for line in lines for c in line.claims if c.finding == "Pleural Effusion"}
    assert len(said) == 1
    assert "Fracture" in {claim.finding for line in lines for claim in line.claims}


def test_a_line_may_say_again_what_one_before_it_said(archive_of):
    first, second = "Edema with a small left pleural effusion.", "Left pleural effusion and rib fracture."
    lines, _ = composed(archive_of([("a", first), ("b", second)]), ["Edema", "Fracture", "Pleural Effusion"])
    assert texts(lines) == [first, second]


def test_a_sentence_of_two_sides_agrees_with_either(archive_of):
    both = "Edema; small left pleural effusion; moderate right pleural effusion."
    one = "Rib fracture and right pleural effusion."
    made = archive_of([("a", both), ("b", one)])
    assert {c.side for c in read_claims(both) if c.finding == "Pleural Effusion"} == {"left", "right"}
    lines, _ = composed(made, ["Edema", "Fracture", "Pleural Effusion"], near=both)
    assert texts(lines) == [both, one]


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


def test_what_is_present_stands_before_what_is_absent(archive_of):
    made = archive_of([("a", "The heart is normal in size."), ("b", "Acute rib fracture.")])
    lines, _ = composed(made, ["Fracture"], ["Cardiomegaly"])
    assert texts(lines) == ["Acute rib fracture.", "The heart is normal in size."]


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
    (line,), _ = Composer(corpus, index).compose(
        encoder.encode_texts(["x"])[0], {"Cardiomegaly": 0.7}, {"Pleural Effusion": 0.4}, leave=NOBODY
    )
    assert line.confidence == pytest.approx(0.6)


def test_over_the_drawn_archive_no_line_breaks_a_rule(phantom_corpus, tmp_path_factory):
    """Random beliefs and vectors: every line quotes, claims only what is believed, and stands alone."""
    from xemplar.index import build_index

    class Random:
        fingerprint, preview, domain = "random", None, "synthetic"

        def encode_images(self, images):
            return self.encode_texts([""] * len(images))

        def encode_texts(self, texts):
            rows = np.random.default_rng(0).standard_normal((len(texts), 16)).astype(np.float32)
            return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    index = build_index(phantom_corpus, Random(), tmp_path_factory.mktemp("index") / "i")
    composer, rng = Composer(phantom_corpus, index), np.random.default_rng(1)
    by_id = {sentence.sentence_id: sentence for sentence in phantom_corpus.sentences}
    seen = 0
    for _ in range(60):
        drawn = rng.random(len(ORDER))
        beliefs = {name: 0.9 for name, p in zip(ORDER, drawn, strict=True) if p > 0.6}
        denials = {name: 0.1 for name, p in zip(ORDER, drawn, strict=True) if p < 0.4}
        vector = rng.standard_normal(16).astype(np.float32)
        lines, silent = composer.compose(vector / np.linalg.norm(vector), beliefs, denials, leave=NOBODY)
        said = {claim.finding for line in lines for claim in line.claims}
        assert said | set(silent) == beliefs.keys() | denials.keys()
        assert not said & set(silent)
        for line in lines:
            sentence = by_id[line.sentence_id]
            assert line.text == sentence.text[slice(*line.span)] and line.sentence_text == sentence.text
            assert not sentence.compares_with_prior and not points_elsewhere(sentence.text)
            assert set(line.source_study_ids) <= set(sentence.study_ids)
            for claim in read_claims(line.text):
                assert claim.finding in {"present": beliefs, "absent": denials}[claim.presence]
                assert claim.change is None
            seen += 1
    assert seen > 100


@pytest.mark.parametrize(
    "text",
    [
        "The heart is enlarged, with a cardiothoracic ratio of 62%.",
        "A nodule of 12 mm lies in the left upper zone.",
        "Nodule, 1.5 cm.",
        "Drain placed on 12/03/2019 at 14:30.",
    ],
)
def test_a_measurement_or_a_date_belongs_to_its_own_study(text):
    assert compose._OWN.search(text)


@pytest.mark.parametrize("text", ["Fracture of T7.", "2 drains on the left.", "Fracture of ribs 6-8."])
def test_a_number_that_counts_or_names_a_level_does_not(text):
    assert compose._OWN.search(text) is None
