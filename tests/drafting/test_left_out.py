"""Who is left out is found by looking up what `Leave.drops` says of every study."""

from dataclasses import fields

import pytest

from xemplar.drafting.composition import spans
from xemplar.drafting.left_out import LeftOut
from xemplar.findings import read_claims
from xemplar.records import Sentence
from xemplar.retrieval import NOBODY, Leave

STUDIES = [
    ("a", "Mild edema. Clear lungs."),
    ("a", "Clear lungs. No pneumothorax."),
    ("b", "Mild edema. No pneumothorax."),
    (None, "Clear lungs. Acute rib fracture."),
]


@pytest.fixture
def made(archive_of):
    return archive_of(STUDIES)


def leaves(corpus):
    yield NOBODY
    yield Leave(patient_id="nobody here")
    for study in corpus.studies:
        yield Leave(study.study_id, study.patient_id)
        yield Leave(study_id=study.study_id)
        yield Leave(cluster=study.facets["cluster"])
        yield Leave(study.study_id, study.patient_id, study.facets["cluster"])
        yield Leave(study.study_id, facets={"cluster": study.facets["cluster"]})
        yield Leave(others=frozenset({study.study_id, "nobody here"}))


@pytest.mark.parametrize("kind", ["image", "sentence", "report"])
def test_rows_and_sources_are_those_of_asking_every_study(made, kind):
    corpus, index, _ = made
    items = index.items[kind]
    left_out, emptied = LeftOut(corpus, items), 0
    for leave in leaves(corpus):
        gone = left_out.of(leave)
        kept = [
            tuple(name for name in names if not leave.drops(corpus.by_id[name])) for names in items.study_ids
        ]
        assert [left_out.sources(row, gone) for row in range(len(items))] == kept
        assert sorted(left_out.rows(gone)) == [row for row, names in enumerate(kept) if not names]
        emptied += len(left_out.rows(gone))
    assert emptied


def test_it_looks_at_all_that_a_leave_may_name():
    names = {field.name for field in fields(Leave)}
    assert names == {"study_id", "patient_id", "cluster", "facets", "others"}


def test_spans_of_a_sentence_of_many_studies_hash_none_of_them():
    class Unhashed(str):
        __slots__ = ()

        def __hash__(self):
            raise AssertionError("a study was hashed")

    text = "Mild edema; no pneumothorax."
    sentence = Sentence("s", text, (Unhashed("one"), Unhashed("two")), read_claims(text))
    assert len(spans(sentence)) == 3
