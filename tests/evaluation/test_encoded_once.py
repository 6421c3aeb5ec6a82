"""Films of an evaluated part are encoded once, for the gallery and the drafts alike."""

from dataclasses import replace

import pytest

from handmade import HashEncoder, arrival, corpus_of
from xemplar.archive import Archive
from xemplar.drafting.calibration import Calibration, FindingFit
from xemplar.errors import XemplarError
from xemplar.evaluation.run import evaluate
from xemplar.findings import FINDINGS
from xemplar.index import build_index, fitted_to

TEXTS = ("No pleural effusion.", "Mild cardiomegaly. The lungs are clear.", "No pneumothorax is seen.")


class Counting(HashEncoder):
    """Counts the films it encodes."""

    domain = "synthetic"

    def __init__(self):
        super().__init__()
        self.films = 0

    def encode_images(self, images):
        self.films += len(images)
        return super().encode_images(images)


def opened(corpus, folder):
    """The index is built by another encoder of the same fingerprint, whose films don't count."""
    index = build_index(corpus, HashEncoder(), folder)
    fit = FindingFit(
        mean=[0.0] * 3, scale=[1.0] * 3, weights=[4.0, 0.0, 0.0], intercept=-2.0, state_at=0.2, deny_at=0.14,
        present=9,
    )  # fmt: skip
    calibration = Calibration(
        index=fitted_to(index), studies=20, title="t", findings=dict.fromkeys(FINDINGS, fit), too_few={}
    )
    return Archive(corpus, Counting(), index, calibration=calibration)


@pytest.fixture(scope="module")
def reports(phantom_corpus, tmp_path_factory):
    return opened(phantom_corpus, tmp_path_factory.mktemp("index") / "i")


@pytest.fixture(scope="module")
def captions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captions")
    arrivals = [
        arrival(n, patient=f"patient-{n}", impression=f"{TEXTS[n % 3]} Case {n // 3}.") for n in range(40)
    ]
    corpus = corpus_of(arrivals, folder / "corpus", texts="captions", fractions=(0.6, 0.0, 0.4))
    return opened(corpus, folder / "index")


@pytest.fixture(params=["reports", "captions"])
def archive(request):
    return request.getfixturevalue(request.param)


def test_every_film_is_encoded_once(archive):
    before = archive.encoder.films
    made = evaluate(archive, replicates=5)
    films = sum(len(study.views) for study in made.studies)
    assert films > 0 and archive.encoder.films - before == films


def test_drafts_are_those_of_films_encoded_again(archive):
    made = evaluate(archive, replicates=5)
    assert any(draft.lines for draft in made.drafts)
    films = [archive.films_of(study) for study in made.studies]
    assert list(made.drafts) == archive.draft_many(films)


def test_a_film_stopped_at_the_gate_shifts_no_vector(archive):
    films = [archive.films_of(study) for study in archive.corpus.part("test") if study.views][:4]
    vectors = archive.retriever.vectors_of(films)
    films[1] = [replace(film, pixels=replace(film.pixels, steps=("blank",))) for film in films[1]]
    drafts = archive.draft_many(films, vectors=vectors)
    assert [draft.gate is None for draft in drafts] == [True, False, True, True]
    assert drafts == archive.draft_many(films)


def test_vectors_of_other_studies_are_refused(reports):
    films = [reports.films_of(study) for study in reports.corpus.part("test") if study.views][:2]
    with pytest.raises(XemplarError, match="1 vectors for 2 studies; wanted one for each"):
        reports.draft_many(films, vectors=reports.retriever.vectors_of(films[:1]))
