"""Small made-up archives: sentences given by hand, an encoder that knows their words and no more."""

import numpy as np
import pytest

from xemplar.contracts import Arrival
from xemplar.corpus import Corpus, IngestSettings, ingest
from xemplar.images import PreviewSpec
from xemplar.index import build_index
from xemplar.records import Study, View

DIM = 48


class Square:
    """An image without a file."""

    def __init__(self, grey):
        self.grey = grey

    def draw(self):
        pixels = np.full((64, 64), 40, np.uint8)
        pixels[16:48, 16:48] = self.grey
        return pixels


class Hashed:
    """Words and pixels as unit vectors of one space, drawn from what they are."""

    fingerprint, preview, domain = "hashed", None, "synthetic"

    def encode_images(self, images):
        return unit(np.stack([_drawn(int(image.sum() * 1000)) for image in images]))

    def encode_texts(self, texts):
        return unit(np.stack([_drawn(*text.lower().encode()) for text in texts]))


def _drawn(*seed):
    return np.random.default_rng(list(seed)).standard_normal(DIM)


def unit(rows):
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.fixture
def archive_of(tmp_path):
    """[(patient, findings)] -> corpus, index and encoder; every study in its train part."""

    def make(studies, **settings):
        given = {"domain": "synthetic", "texts": "reports", "source": "t", "fractions": (1.0, 0.0, 0.0)}
        arrivals = [
            Arrival(
                Study(
                    study_id=f"s{number}", patient_id=patient, domain="synthetic", findings=findings,
                    views=(View(f"v{number}"),), language="en",
                ),
                (Square(60 + 3 * number),),
                split_key=patient,
            )
            for number, (patient, findings) in enumerate(studies)
        ]  # fmt: skip
        ingest(
            arrivals, tmp_path / "corpus",
            IngestSettings(**{**given, **settings}, preview=PreviewSpec(size=64)), key_salt=b"t",
        )  # fmt: skip
        corpus, encoder = Corpus.open(tmp_path / "corpus"), Hashed()
        return corpus, build_index(corpus, encoder, tmp_path / "index"), encoder

    return make
