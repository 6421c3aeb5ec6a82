"""Shares of the training patients; whom a system is asked about."""

from dataclasses import replace
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest

from xemplar.corpus import Corpus
from xemplar.errors import XemplarError
from xemplar.evaluation.benchmark import corpora
from xemplar.evaluation.benchmark.asked import Asked, asked_of
from xemplar.evaluation.benchmark.corpora import Thinned, drawn_corpora, taught
from xemplar.sources import phantom


@pytest.fixture(scope="module")
def half(phantom_corpus):
    return Thinned(phantom_corpus, 0.5)


def patients(corpus):
    return {study.facets["cluster"] for study in corpus.part("train")}


def test_a_share_of_the_training_patients_stays_with_all_their_studies(phantom_corpus, half):
    assert len(patients(half)) == round(0.5 * len(patients(phantom_corpus)))
    kept = [study for study in phantom_corpus.part("train") if study.facets["cluster"] in patients(half)]
    assert half.part("train") == tuple(kept)


def test_nobody_else_is_touched(phantom_corpus, half):
    assert half.part("test") == phantom_corpus.part("test")
    assert half.part("val") == phantom_corpus.part("val")


def test_a_smaller_share_lies_within_a_larger_one(phantom_corpus, half):
    assert patients(Thinned(phantom_corpus, 0.2)) < patients(half)


def test_two_patients_stay_whatever_the_share(phantom_corpus):
    assert len(patients(Thinned(phantom_corpus, 0.001))) == 2


def test_sentences_name_only_studies_that_stay(half):
    assert {study_id for one in half.sentences for study_id in one.study_ids} <= set(half.by_id)


def test_a_share_is_another_corpus(phantom_corpus, half):
    assert half.fingerprint != phantom_corpus.fingerprint
    assert half.fingerprint == Thinned(phantom_corpus, 0.5).fingerprint
    assert taught(phantom_corpus, 1.0) is phantom_corpus


def test_one_frontal_view_is_asked_where_there_is_one(phantom_corpus):
    asked = asked_of("A", phantom_corpus)
    for row, study in enumerate(asked.studies):
        films = asked.films(row, frontal=True)
        assert len(films) == 1
        assert films[0].position == "frontal" or all(view.position != "frontal" for view in study.views)


def test_truth_of_drawn_films_is_what_was_drawn(phantom_corpus):
    asked = asked_of("A", phantom_corpus)
    study, row = asked.studies[0], asked.truth[0]
    assert {name for name, has in zip(asked.findings, row, strict=True) if has} == {
        name for name, said in study.labels.items() if said == "present" and name in asked.findings
    }
    assert asked.truth.shape == (len(asked), len(asked.findings))
    assert np.array_equal(asked.filmed, [True] * len(asked))


@pytest.mark.parametrize(
    ("films_only", "labelled", "told"),
    [
        (False, 12, "the source's labels; of drawn films what was drawn"),
        (False, 0, "claims of the report"),
        (False, 3, "the source's labels of 3 studies; claims of the report of the others"),
        (True, 12, "the source's labels; of drawn films what was drawn"),
        (True, 3, "the source's labels of 3 studies; the others count as without findings"),
        (True, 0, "unknown: neither labels nor reports"),
    ],
)
def test_a_set_is_headed_by_what_its_truth_is(phantom_corpus, films_only, labelled, told):
    none = dict.fromkeys(("indication", "comparison", "findings", "impression"))
    studies = [replace(one, **none, claims=()) if films_only else one for one in phantom_corpus.studies[:12]]
    studies = [*studies[:labelled], *(replace(one, labels={}) for one in studies[labelled:])]
    asked = Asked("A", phantom_corpus, tuple(studies))
    assert asked.facts()["truth"] == told
    assert bool(asked.findings) == (not films_only or labelled > 0)


def test_a_part_of_one_patient_is_refused(phantom_corpus):
    one = Thinned(phantom_corpus, 1.0)
    vars(one)["studies"] = phantom_corpus.part("test")[:1]
    with pytest.raises(XemplarError, match="fewer than two patients"):
        asked_of("A", one)


def test_a_folder_drawn_with_more_studies_is_refused(tmp_path):
    drawn_corpora(tmp_path, 12, preview=64, told=lambda line: None)
    told = []
    drawn_corpora(tmp_path, 12, preview=64, told=told.append)
    assert told == []
    with pytest.raises(XemplarError, match="12 drawn studies"):
        drawn_corpora(tmp_path, 11, preview=64, told=told.append)


def test_a_drawing_stopped_before_anything_was_whole_goes_on(tmp_path, monkeypatch):
    def stopped(count, **rest):
        yield from islice(phantom.studies(count, **rest), 2)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(corpora, "phantom", SimpleNamespace(studies=stopped, label=phantom.label))
        patch.setattr(corpora, "WORKERS", 1)
        with pytest.raises(KeyboardInterrupt):
            drawn_corpora(tmp_path, 6, preview=64, told=lambda _: None)
    assert (tmp_path / "site-a" / "corpus.json").exists()
    found = drawn_corpora(tmp_path, 6, preview=64, told=lambda _: None)
    assert len(Corpus.open(found["A"]).studies) == 6
