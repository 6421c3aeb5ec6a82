"""A film looks at its nearest items, never at its own; the report nearest to what comes of it is quoted."""

from types import SimpleNamespace

import numpy as np
import pytest

from xemplar.assembly import Assembly
from xemplar.drafting.policies.augmented import Augmented, Neighbourhood
from xemplar.drafting.policies.case import Case
from xemplar.errors import XemplarError
from xemplar.report import text_key
from xemplar.retrieval import NOBODY, Leave

REPORTS = [
    ("p0", "Small left effusion."),
    ("p0", "The heart is large."),
    ("p1", "No pneumothorax."),
    ("p2", "No pneumothorax."),
    ("p3", "Clear lungs. Normal heart."),
    ("p4", "Old rib fracture."),
]


class Recording:
    """Adds the mean of the neighbours it is shown, and remembers them."""

    fingerprint, findings, pick = "rec", ("Edema", "Fracture"), "nearest"

    def __init__(self, *, sources=("image", "report"), count=2, pick="nearest"):
        self.sources, self.count, self.pick, self.seen = sources, count, pick, []

    def augment(self, queries, neighbours, mask):
        self.seen.append((neighbours, mask))
        vectors = queries + neighbours.sum(1)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.full((len(queries), 2), 0.5)


def unit(*shape):
    rows = np.random.default_rng(7).normal(size=shape).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.fixture
def archive(archive_of):
    return archive_of(REPORTS)


def case(vector, leave=NOBODY):
    return Case((), vector, leave)


def of(corpus, text):
    return next(study for study in corpus.studies if study.findings == text)


def test_each_source_has_its_nearest_in_its_own_half(archive):
    corpus, index, _ = archive
    looking, vector = Recording(), unit(48)
    Neighbourhood(corpus, index, looking).augmented([case(vector)])
    (seen,), (mask,) = looking.seen[0]
    for source, half in (("image", seen[:2]), ("report", seen[2:])):
        vectors = np.asarray(index.items[source].vectors)
        assert np.array_equal(half, vectors[np.argsort(-(vectors @ vector), kind="stable")[:2]])
    assert mask.all()


def test_its_own_patient_is_no_neighbour_and_no_answer(archive):
    corpus, index, _ = archive
    mine = of(corpus, "Small left effusion.")
    leave = Leave(mine.study_id, mine.patient_id, mine.facets["cluster"])
    looking = Recording(count=50)
    drafter = Augmented(
        corpus, index, augmenter=looking, assembly=Assembly(policy="augmented", unit="report", count=50)
    )
    (made,) = drafter.drafts([case(unit(48), leave)])
    assert looking.seen[0][1].sum() == 2 * 4
    assert {line.text for line in made.lines} == {
        "No pneumothorax.", "Clear lungs.", "Normal heart.", "Old rib fracture."
    }  # fmt: skip


@pytest.mark.parametrize("pick", ["nearest", "random"])
def test_with_nobody_left_it_answers_from_itself(archive, pick):
    corpus, index, _ = archive
    looking = Recording(pick=pick)
    leave = Leave(facets={"source": "nowhere"})
    drafter = Augmented(
        corpus, index, augmenter=looking, assembly=Assembly(policy="augmented", unit="report")
    )
    assert drafter.drafts([case(unit(48), leave)])[0].lines == ()
    assert not looking.seen[0][1].any()


def test_looking_at_nobody_it_takes_no_neighbour(archive):
    corpus, index, _ = archive
    looking, vector = Recording(sources=()), unit(48)
    found = Neighbourhood(corpus, index, looking).vectors([case(vector)])
    assert looking.seen[0][0].shape == (1, 0, 48)
    assert np.allclose(found[0], vector, atol=1e-6)


def test_a_source_that_the_index_lacks_is_masked(archive):
    corpus, index, _ = archive
    looking = Recording()
    without = SimpleNamespace(items={kind: one for kind, one in index.items.items() if kind != "image"})
    Neighbourhood(corpus, without, looking).augmented([case(unit(48))])
    assert looking.seen[0][1].tolist() == [[False, False, True, True]]


def test_random_ones_are_the_films_own_and_others_for_another(archive):
    corpus, index, _ = archive
    around = Neighbourhood(corpus, index, Recording(pick="random", count=3))
    vectors = unit(12, 48)
    drawn = [tuple(around.neighbours("image", case(vector))) for vector in vectors]
    assert drawn == [tuple(around.neighbours("image", case(vector))) for vector in vectors]
    assert all(len(set(rows)) == 3 for rows in drawn) and len(set(drawn)) > 4


def test_the_report_nearest_to_the_augmented_vector_is_quoted(archive):
    corpus, index, encoder = archive
    (vector,) = encoder.encode_texts(["Clear lungs. Normal heart."])
    drafter = Augmented(
        corpus,
        index,
        augmenter=Recording(sources=()),
        assembly=Assembly(policy="augmented", unit="report", count=1),
    )
    (made,) = drafter.drafts([case(vector)])
    assert [line.text for line in made.lines] == ["Clear lungs.", "Normal heart."]
    assert made.lines[0].scores["augmented"] == pytest.approx(1.0, abs=1e-5)
    assert made.lines[0].source_study_ids == (of(corpus, "Clear lungs. Normal heart.").study_id,)


def test_equal_reports_are_one(archive):
    corpus, index, encoder = archive
    (vector,) = encoder.encode_texts(["No pneumothorax."])
    drafter = Augmented(
        corpus,
        index,
        augmenter=Recording(sources=()),
        assembly=Assembly(policy="augmented", unit="report", count=2),
    )
    found = drafter.reports(case(vector), vector)
    assert len({text_key(corpus.by_id[study_id].text) for study_id, _ in found}) == 2


def test_a_deeper_search_goes_on_where_it_stopped(archive, monkeypatch):
    corpus, index, _ = archive
    monkeypatch.setattr("xemplar.drafting.policies.augmented._DEPTH", 1)
    around, items, vector = Neighbourhood(corpus, index, Recording()), index.items["report"], unit(48)
    found = [row for row, _ in around.nearest(items, vector, NOBODY)]
    assert found == np.argsort(-(np.asarray(items.vectors) @ vector), kind="stable").tolist()


def test_no_case_is_no_answer(archive):
    corpus, index, _ = archive
    vectors, probabilities = Neighbourhood(corpus, index, Recording()).augmented([])
    assert vectors.shape == (0, 48) and probabilities.shape == (0, 2)


def test_the_policy_names_the_head_and_whom_it_looks_at(archive):
    corpus, index, _ = archive
    made = Augmented(
        corpus, index, augmenter=Recording(), assembly=Assembly(policy="augmented", unit="report", count=1)
    )
    assert made.policy == "nearest 1 reports, having looked at nearest 2 images and reports (rec), v1"


def test_an_index_without_reports_is_refused(archive):
    corpus, index, _ = archive
    films = SimpleNamespace(items={"image": index.items["image"]})
    with pytest.raises(XemplarError, match="no report in the index"):
        Augmented(corpus, films, augmenter=Recording(), assembly=Assembly(policy="augmented", unit="report"))
