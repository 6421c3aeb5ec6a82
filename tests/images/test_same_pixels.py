"""Ingest-then-encode equals load-then-encode bit for bit, for every transfer syntax a sample can be made of.

No encoder of HTJ2K or of JPEG extended with 12 bits is at hand: the extended sample has 8 bits.
"""

import hashlib

import cv2
import numpy as np
import pytest
from films import by_gdcm, compressed, file_bytes, film, jpeg2000, jpeg_ls, noise, rle

from handmade import arrival, corpus_of
from xemplar.images import PreviewSpec, load_film

SPEC = PreviewSpec(size=64)
SYNTAX = "1.2.840.10008.1.2.4."
PIXELS = noise(shape=(150, 130))
EIGHT = (PIXELS >> 4).astype(np.uint8)


def jpeg(syntax):
    frame = cv2.imencode(".jpg", EIGHT, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    return compressed(EIGHT, frame, syntax, BitsStored=8, HighBit=7)


FILES = {
    "plain": lambda: film(PIXELS),
    "implicit": lambda: film(PIXELS, syntax="1.2.840.10008.1.2"),
    "big endian": lambda: film(PIXELS, syntax="1.2.840.10008.1.2.2", PixelData=PIXELS.byteswap().tobytes()),
    "jpeg baseline": lambda: jpeg(SYNTAX + "50"),
    "jpeg extended": lambda: jpeg(SYNTAX + "51"),
    "deflated": lambda: film(PIXELS, syntax="1.2.840.10008.1.2.1.99"),
    "jpeg lossless": lambda: by_gdcm(film(PIXELS), SYNTAX + "57"),
    "jpeg lossless sv1": lambda: by_gdcm(film(PIXELS), SYNTAX + "70"),
    "jpeg-ls": lambda: compressed(PIXELS, jpeg_ls(PIXELS), SYNTAX + "80"),
    "jpeg-ls near-lossless": lambda: compressed(PIXELS, jpeg_ls(PIXELS, lossy=3), SYNTAX + "81"),
    "jpeg 2000": lambda: compressed(PIXELS, jpeg2000(PIXELS), SYNTAX + "90"),
    "jpeg 2000 lossy": lambda: compressed(PIXELS, jpeg2000(PIXELS, ratio=8), SYNTAX + "91"),
    "rle": lambda: compressed(PIXELS, rle(PIXELS), "1.2.840.10008.1.2.5"),
}


class Projection:
    """A seeded linear encoder, in single precision as models are."""

    def __init__(self):
        self.weights = np.random.default_rng(0).standard_normal((64 * 64, 16)).astype(np.float32)

    def encode_images(self, images):
        vectors = np.stack([image.reshape(-1) for image in images]) @ self.weights
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    paths = {}
    for number, (name, make) in enumerate(FILES.items()):
        data = make()
        paths[name] = folder / f"{number}.dcm"
        paths[name].write_bytes(data if isinstance(data, bytes) else file_bytes(data))
    arrivals = [arrival(k, patient=f"p{k}", images=[path]) for k, path in enumerate(paths.values())]
    corpus = corpus_of(arrivals, folder / "corpus")
    return paths, {view.sha256: corpus.preview(view.view_id) for s in corpus.studies for view in s.views}


@pytest.mark.parametrize("name", FILES)
def test_ingested_film_encodes_as_the_loaded_one(ingested, name):
    paths, stored = ingested
    encoder = Projection()
    kept = stored[hashlib.sha256(paths[name].read_bytes()).hexdigest()]
    loaded = load_film(paths[name], SPEC).image
    assert kept.std() > 0.01
    assert encoder.encode_images([kept]).tobytes() == encoder.encode_images([loaded]).tobytes()
