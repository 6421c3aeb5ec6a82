"""A study of several views: each is looked at, blank ones are left out, and whose any is holds for all."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from drawn_archive import rows
from xemplar.archive.outside import BLANK_VIEW
from xemplar.archive.priors import earlier_of, with_earlier
from xemplar.drafting.gate.reasons import FAR


def outside(film, **other):
    """A film as a file from elsewhere, of which nothing is known."""
    unknown = {"study_id": None, "patient_id": None, "cluster": None, "sha256": None, "age_years": None}
    return replace(film, **{**unknown, **other})


def blank(film):
    return replace(film, image=film.image * 0, pixels=replace(film.pixels, steps=("blank",)))


@pytest.fixture
def pair(queries):
    """Two frontal films as if they were the views of one study from elsewhere."""
    return [outside(query[0], position=None) for query in queries[:2]]


@pytest.fixture
def limit(drawn, monkeypatch):
    """A gate that stops a film by its encoder's distance alone, from a mean cosine on."""

    def at(far):
        gate = SimpleNamespace(
            reason=lambda image: None,
            is_far=lambda near: float(np.mean(near)) < far,
            far=far,
            fingerprint="far",
        )
        monkeypatch.setattr(drawn.gatekeeper, "gate", gate)

    return at


def nearness(drawn, film):
    return float(np.mean([hit.score for hit in drawn.search(film, 5, kind="image")]))


# --- too far -----


def test_each_view_may_be_too_far_by_itself(drawn, pair, limit):
    far = sorted(nearness(drawn, film) for film in pair)
    limit(np.mean(far))
    assert drawn.draft(pair).gate == drawn.draft(pair[::-1]).gate == FAR
    limit(far[0] - 0.01)
    assert drawn.draft(pair).gate is None


def test_a_lateral_view_has_no_limit_of_its_own(drawn, pair, limit):
    far = [nearness(drawn, film) for film in pair]
    limit(np.mean(far))
    lateral = int(np.argmin(far))
    views = [replace(film, position="lateral") if n == lateral else film for n, film in enumerate(pair)]
    assert drawn.draft(views).gate is None


def test_a_film_of_the_archive_among_several_views_is_known_again(drawn, pair):
    held = next(study for study in drawn.corpus.part("train") if study.views)
    again = outside(drawn.films_of(held)[0], position=None)
    assert drawn.draft([*pair, again]).gate.endswith(f"in study {held.study_id}")


# --- how often each is encoded -----


@pytest.fixture
def encoded(drawn, monkeypatch):
    """How many films each call of the encoder was given."""
    counts, encode = [], drawn.encoder.encode_images
    monkeypatch.setattr(
        drawn.encoder,
        "encode_images",
        lambda images: counts.append(len(images)) or encode(images),
        raising=False,
    )
    return counts


def test_every_view_of_a_study_is_encoded_once(drawn, pair, limit, encoded):
    limit(-1.0)
    drafts = drawn.draft_many([pair, pair[:1]])
    assert encoded == [3]
    assert [draft.gate for draft in drafts] == [None, None]


@pytest.mark.parametrize(("known", "far", "calls"), [(True, -1.0, [1]), (True, None, []), (False, None, [2])])
def test_of_studies_encoded_before_only_views_that_are_looked_at_are_encoded(
    drawn, queries, pair, encoded, monkeypatch, known, far, calls
):
    """Of a known study those with a limit to how far they may be; of a stranger's each, to seek it."""
    gate = SimpleNamespace(reason=lambda image: None, is_far=lambda near: False, far=far, fingerprint="some")
    monkeypatch.setattr(drawn.gatekeeper, "gate", gate)
    views = [pair[0], replace(pair[1], position="lateral")]
    if known:
        views = [replace(film, study_id=queries[0][0].study_id) for film in views]
    vectors = drawn.retriever.vectors_of([views])
    encoded.clear()
    (draft,) = drawn.draft_many([views], vectors=vectors)
    assert encoded == calls and rows([draft]) == rows(drawn.draft_many([views]))


def test_vectors_of_views_are_those_that_each_has_alone(drawn, pair):
    studies = [[pair[0], blank(pair[1])], pair, [blank(pair[0])]]
    vectors, views = drawn.retriever.vectors_of_views(studies)
    assert np.array_equal(vectors, drawn.retriever.vectors_of(studies))
    for films, found in zip(([pair[0]], pair, [blank(pair[0])]), views, strict=True):
        assert np.array_equal(found, drawn.retriever.vectors_of(films))


# --- blank views -----


def test_a_blank_view_says_nothing_of_a_study_and_is_told(drawn, pair):
    alone, both = drawn.draft(pair[:1]), drawn.draft([blank(pair[1]), pair[0]])
    assert both.lines == alone.lines and both.abstained == alone.abstained
    assert both.notes["view 1"] == BLANK_VIEW and "view 2" not in both.notes


def test_a_blank_view_of_a_prior_is_left_out_too(drawn, pair):
    prior = [replace(film, image=film.image * np.float32(0.9)) for film in pair]
    keeper = drawn.gatekeeper
    before = earlier_of(keeper, [pair[:1]], [[prior[0], blank(prior[1])]])
    cases = drawn.cases([pair[:1]], drawn.retriever.vectors_of([pair[:1]]))
    [case] = with_earlier(keeper.retriever, cases, before)
    assert list(case.prior.films) == prior[:1]
    draft = drawn.draft(pair[0], prior=[prior[0], blank(prior[1])])
    assert draft.gate is None and draft.notes["prior view 2"] == BLANK_VIEW


def test_where_every_view_is_blank_there_is_no_draft(drawn, pair):
    draft = drawn.draft([blank(film) for film in pair])
    assert draft.gate == "no draft: the image is blank" and not draft.lines


def test_a_search_by_views_leaves_a_blank_one_out_too(drawn, pair):
    vectors = drawn.retriever.vectors_of([[pair[0], blank(pair[1])], pair[:1]])
    assert np.array_equal(vectors[0], vectors[1])


# --- whose -----


def test_a_later_view_tells_whose_a_study_is(drawn, queries, pair):
    known = queries[2][0]
    leave = drawn.retriever.leave_of([pair[0], known])
    assert leave == drawn.retriever.leave_of(known) and leave.study_id == known.study_id


def test_views_of_two_patients_leave_out_both(drawn, queries):
    one, other = queries[0][0], next(q[0] for q in queries if q[0].cluster != queries[0][0].cluster)
    leave = drawn.retriever.leave_of([one, other])
    for film in (one, other):
        studies = [s for s in drawn.corpus.studies if s.facets["cluster"] == film.cluster]
        assert studies and all(leave.drops(study) for study in studies)


def test_a_file_of_two_studies_leaves_out_both(drawn, pair, monkeypatch):
    held = drawn.corpus.studies[0], drawn.corpus.studies[-1]
    monkeypatch.setattr(drawn.retriever, "_by_file", {"abc": held})
    leave = drawn.retriever.leave_of(replace(pair[0], sha256="abc"))
    assert all(leave.drops(study) for study in held)


def test_a_film_of_the_corpus_is_somebodys(drawn, queries):
    assert drawn.draft(queries[0]).notes == {}
