"""Archives that the facade's tests share, made once a worker; only to be read."""

import numpy as np
import pytest
from PIL import Image

from drawn_archive import Stub, by_hand, ingested
from xemplar.archive import Archive
from xemplar.index import build_index, open_index


@pytest.fixture(scope="session")
def index_folder(phantom_corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("index") / "index"
    build_index(phantom_corpus, Stub(), folder)
    return folder


@pytest.fixture(scope="session")
def bare(phantom_corpus, index_folder):
    """The drawn archive without a calibration."""
    return Archive(phantom_corpus, Stub(), open_index(index_folder, phantom_corpus, Stub()))


@pytest.fixture(scope="session")
def drawn(bare):
    return Archive(bare.corpus, bare.encoder, bare.index, calibration=by_hand(bare.index))


@pytest.fixture(scope="session")
def queries(drawn):
    return [drawn.films_of(study) for study in drawn.corpus.part("test") if study.views]


@pytest.fixture(scope="session")
def captioned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captions")
    corpus = ingested(folder, domain="figures", texts="captions")
    return Archive(corpus, Stub("figures"), build_index(corpus, Stub("figures"), folder / "index"))


@pytest.fixture
def figure(tmp_path):
    """A picture that says nothing of where it comes from."""
    pixels = np.add.outer(np.arange(120), np.arange(100)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "figure.png")
    return tmp_path / "figure.png"
