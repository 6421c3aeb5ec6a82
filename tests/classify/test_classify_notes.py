"""What else has to be known of films whose findings are told: blank views, and whose they are."""

import json
from dataclasses import replace

import pytest
from verb_output import printed

from xemplar.archive.outside import BLANK_VIEW, STRANGER


@pytest.fixture(scope="module")
def outside(made, asked):
    """A film as a file from elsewhere, of which nothing is known."""
    film = made.films_of(asked[0][0])[0]
    return replace(film, study_id=None, patient_id=None, cluster=None, sha256=None)


def test_a_blank_view_is_left_out_and_told(made, outside):
    blank = replace(outside, image=outside.image * 0, pixels=replace(outside.pixels, steps=("blank",)))
    answer, alone = made.classify([outside, blank]), made.classify(outside)
    assert answer.notes == {"view 2": BLANK_VIEW, "patient": STRANGER}
    assert [one.probability for one in answer.findings] == [one.probability for one in alone.findings]


def test_of_a_film_of_the_corpus_there_is_nothing_to_note(made, asked):
    assert made.classify(made.films_of(asked[0][0])).notes == {}


def test_one_that_is_stopped_has_its_gate_alone(made, outside):
    assert made.classify(replace(outside, domain=None)).notes == {}


def test_the_verb_tells_notes_in_text_and_json(made, outside, monkeypatch):
    said = printed(monkeypatch, made, outside)
    assert f"  patient: {STRANGER}" in said.splitlines()
    assert json.loads(printed(monkeypatch, made, outside, "--json"))["notes"] == {"patient": STRANGER}


def test_whoever_is_left_out_may_have_been_learnt_from(made, asked, outside):
    """Of views of two patients the other one's study, too."""
    own = made.films_of(asked[0][0])[0]
    trained = made.films_of(made.corpus.part("train")[0])[0]
    assert not made.classify(own).learnt_from
    assert made.classify([own, trained]).learnt_from
