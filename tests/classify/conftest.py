"""A drawn archive whose films tell their findings, calibrated once a worker; only to be read."""

import pytest
from squares import Seeing, corpus_of

from xemplar.archive import Archive, calibrate
from xemplar.index import build_index


@pytest.fixture(scope="package", autouse=True)
def _squares_are_all_alike():
    """Who shows the same film is tested with the gate; of squares it would say so of all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xemplar.archive.gating.shows_same", lambda one, held: False)
        yield


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The archive, calibrated; only to be read. Its calibration lies beside its index."""
    folder = tmp_path_factory.mktemp("classify")
    corpus = corpus_of(folder)
    archive = Archive(corpus, Seeing(), build_index(corpus, Seeing(), folder / "index"))
    calibrate(archive, folder / "calibration", promise=None)
    return archive


@pytest.fixture(scope="session")
def asked(made):
    """Test studies, their vectors, and who each leaves out."""
    studies = made.corpus.part("test")
    queries = [made.films_of(study) for study in studies]
    return studies, made.retriever.vectors_of(queries), [made.retriever.leave_of(one) for one in queries]
