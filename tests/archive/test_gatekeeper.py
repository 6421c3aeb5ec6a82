"""Who is stopped before any draft: by facts, by whom the archive holds, and by looks; what is shown then."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from xemplar.archive import fit_gate
from xemplar.archive.gating import BLANK, SYNTHETIC_ONLY
from xemplar.drafting.gate.reasons import CHILD, FAR, HELD, LATERAL_ALONE, SEEN
from xemplar.drafting.gate.spoiled import CROPPED, LATERAL


def stranger(film, **other):
    """A film as somebody else's file, of which nothing is known."""
    unknown = {"study_id": None, "patient_id": None, "cluster": None, "sha256": None, "age_years": None}
    return replace(film, **{**unknown, **other})


@pytest.fixture
def film(queries):
    return stranger(queries[0][0])


@pytest.fixture
def looks(drawn, monkeypatch):
    """A gate that says of each film what is asked, by the mean of its pixels."""

    def says(reasons, far=False):
        told = {float(film.image.mean()): reason for film, reason in reasons}
        gate = SimpleNamespace(
            reason=lambda image: told[float(image.mean())],
            is_far=lambda cosines: far,
            far=0.5,
            fingerprint="looks",
        )
        monkeypatch.setattr(drawn.gatekeeper, "gate", gate)

    return says


@pytest.mark.parametrize("word", ["lateral", "LL", "ll"])
def test_a_lateral_film_alone_is_stopped(drawn, film, word):
    assert drawn.draft(replace(film, position=word)).gate == LATERAL_ALONE


def test_a_lateral_beside_a_frontal_passes(drawn, film):
    assert drawn.draft([replace(film, position="lateral"), replace(film, position="frontal")]).gate is None


@pytest.mark.parametrize(("age", "gate"), [(0.1, CHILD), (15.9, CHILD), (16.0, None), (None, None)])
def test_a_child_is_stopped_where_its_age_is_told(drawn, film, age, gate):
    assert drawn.draft(replace(film, age_years=age)).gate == gate


def test_captions_are_of_anybody_and_from_any_side(captioned, queries):
    film = stranger(queries[0][0], position="lateral", age_years=3.0, preview=None)
    assert captioned.draft(film).gate is None


def test_an_indexed_film_is_known_again_by_its_looks(drawn):
    held = next(study for study in drawn.corpus.part("train") if study.views)
    film = stranger(drawn.films_of(held)[0])
    again = replace(film, image=np.asarray(np.clip(film.image * 0.9, 0, 1), np.float32))
    assert (
        drawn.draft(again).gate == f"no draft: the film is in the archive already, in study {held.study_id}"
    )


def test_whoever_is_known_to_be_none_of_the_archives_is_not_sought_in_it(drawn):
    held = next(study for study in drawn.corpus.part("train") if study.views)
    film = stranger(drawn.films_of(held)[0], study_id="somebody")
    assert drawn.draft(film).gate.endswith(f"in study {held.study_id}")
    assert drawn.draft_many([film], apart={"somebody"})[0].gate is None
    assert drawn.draft(film).gate.endswith(f"in study {held.study_id}")


def test_and_is_stopped_by_all_else_as_anybody_is(drawn, film, looks, monkeypatch):
    film, one = replace(film, study_id="somebody"), drawn.corpus.part("train")[0]
    looks([(film, None)], far=True)
    monkeypatch.setattr(drawn.retriever, "_by_file", {"abc": (one,)})
    for other, why in (
        ({"domain": "clinical"}, SYNTHETIC_ONLY),
        ({"pixels": replace(film.pixels, steps=("blank",))}, BLANK),
        ({"position": "lateral"}, LATERAL_ALONE),
        ({"age_years": 3.0}, CHILD),
        ({"sha256": "abc"}, HELD.format(study_id=one.study_id)),
        ({}, FAR),
    ):
        (draft,) = drawn.draft_many([replace(film, **other)], apart={"somebody"})
        assert draft.gate == why
    looks([(film, SEEN[CROPPED])])
    assert drawn.draft_many([film], apart={"somebody"})[0].gate == SEEN[CROPPED]


def test_and_by_its_bytes(drawn, film, monkeypatch):
    one, other = drawn.corpus.part("train")[0], drawn.corpus.part("test")[0]
    monkeypatch.setattr(drawn.retriever, "_by_file", {"abc": (other, one), "left": (other,)})
    assert drawn.draft(replace(film, sha256="abc")).gate.endswith(f"in study {one.study_id}")
    for sha256 in ("left", "another", None):  # of a study that isn't in the index, or of none
        assert drawn.draft(replace(film, sha256=sha256)).gate is None


def test_a_film_of_the_corpus_is_not_held_against_itself(drawn):
    held = next(study for study in drawn.corpus.part("train") if study.views)
    assert drawn.draft(drawn.films_of(held)).gate is None


def test_what_a_film_looks_like_stops_it(drawn, film, looks):
    looks([(film, SEEN[CROPPED])])
    assert drawn.draft(replace(film, position=None)).gate == SEEN[CROPPED]


def test_one_that_looks_lateral_needs_a_frontal_beside_it(drawn, queries, looks):
    one, other = (stranger(query[0], position=None) for query in queries[:2])
    looks([(one, SEEN[LATERAL]), (other, None)])
    assert drawn.draft(one).gate == SEEN[LATERAL]
    assert drawn.draft([one, other]).gate is None


def test_a_single_film_may_be_too_far(drawn, film, looks):
    looks([(film, None)], far=True)
    assert drawn.draft(film).gate == FAR


def test_the_most_similar_studies_are_shown_in_a_drafts_place(drawn, film):
    draft = drawn.draft(replace(film, position="lateral"))
    near = drawn.search(film, 3, kind="image")
    assert [hit.study_ids for hit in draft.similar] == [hit.study_ids for hit in near]
    assert {hit.text for hit in draft.similar} == {None}


def test_a_draft_that_passed_shows_none(drawn, film):
    assert drawn.draft(film).similar == ()


def test_an_archive_too_small_goes_by_facts_and_says_so(captioned):
    gate = fit_gate(captioned.retriever)
    assert gate.looks is None and "wanted at least 40 of 10" in gate.why


def test_another_gate_is_another_archive(drawn, looks):
    before = drawn.fingerprint
    looks([])
    assert drawn.fingerprint != before
