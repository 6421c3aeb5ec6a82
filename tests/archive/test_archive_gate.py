"""For whom an archive drafts at all, and that no flag changes it."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from drawn_archive import Stub, by_hand, ingested
from xemplar.archive import BLANK, STOPPED, SYNTHETIC_ONLY, Archive, open_archive
from xemplar.errors import XemplarError
from xemplar.images import PreviewSpec, load_film
from xemplar.index import build_index
from xemplar.sources import phantom


def test_a_drawn_archive_drafts_for_a_film_that_says_it_is_drawn(drawn, tmp_path):
    drafts = []
    for number, one in enumerate(phantom.studies(6, seed=7)):
        phantom.save_film(one, 0, tmp_path / f"{number}.png")
        drafts.append(drawn.draft(drawn.load_film(tmp_path / f"{number}.png")))
    assert {draft.gate for draft in drafts} == {None}
    assert any(draft.lines for draft in drafts)


def test_a_drawn_archive_drafts_for_no_film_that_doesnt_say_so(drawn, figure):
    draft = drawn.draft(drawn.load_film(figure))
    assert draft.lines == () and draft.gate == SYNTHETIC_ONLY


@pytest.mark.parametrize("domain", ["clinical", "figures", None])
def test_nor_for_one_of_another_domain(drawn, queries, domain):
    draft = drawn.draft(replace(queries[0][0], domain=domain))
    assert draft.lines == () and draft.gate == SYNTHETIC_ONLY


def test_one_foreign_view_stops_the_study(drawn, queries):
    views = [queries[0][0], replace(queries[0][0], domain=None)]
    assert drawn.draft(views).gate == SYNTHETIC_ONLY


def test_search_answers_all_the_same(drawn, figure):
    for kind in ("image", "sentence", "report"):
        assert len(drawn.search(drawn.load_film(figure), 3, kind=kind)) == 3


def test_a_drawn_model_over_a_clinical_corpus_drafts_for_nobody_else(tmp_path):
    corpus = ingested(tmp_path)
    index = build_index(corpus, Stub(), tmp_path / "index")
    archive = Archive(corpus, Stub(), index, calibration=by_hand(index))
    draft = archive.draft(archive.films_of(corpus.studies[0]))
    assert draft.gate == SYNTHETIC_ONLY and draft.lines == ()


def test_a_clinical_archive_drafts_for_a_film_of_unknown_origin(tmp_path, figure):
    corpus, encoder = ingested(tmp_path), Stub("clinical")
    index, film = build_index(corpus, encoder, tmp_path / "index"), load_film(figure, PreviewSpec(size=64))
    assert Archive(corpus, encoder, index, calibration=by_hand(index)).draft(film).gate is None


@pytest.mark.parametrize("callable_", [Archive.draft, Archive.draft_many, Archive.__init__, open_archive])
def test_no_flag_turns_the_gate_off(callable_):
    known = {
        "self", "views", "studies", "corpus", "encoder", "index", "calibration", "model", "calibrated",
        "vectors", "stages", "kept", "prior", "priors",
        "apart",  # says that films are no archive's; all else is asked of them as of any, in test_gatekeeper
    }  # fmt: skip
    assert set(inspect.signature(callable_).parameters) <= known


def test_a_blank_image_is_stopped(drawn, queries):
    film = replace(queries[0][0], pixels=replace(queries[0][0].pixels, steps=("blank",)))
    assert drawn.draft(film).gate == BLANK


def test_a_blank_file_is_stopped(captioned, tmp_path):
    Image.fromarray(np.full((90, 90), 77, np.uint8)).save(tmp_path / "blank.png")
    draft = captioned.draft(captioned.load_film(tmp_path / "blank.png"))
    assert draft.gate == BLANK and draft.lines == ()
    assert draft.policy == STOPPED


def test_one_view_that_isnt_blank_is_enough(drawn, queries):
    blank = replace(queries[0][0], pixels=replace(queries[0][0].pixels, steps=("blank",)))
    assert drawn.draft([blank, queries[0][0]]).gate is None


def test_a_study_without_an_image_is_refused(drawn):
    with pytest.raises(XemplarError, match="a study without an image"):
        drawn.draft([])
