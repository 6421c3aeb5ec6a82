"""Drawn films of patients in no archive: encoded once, and the same when they are read again."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from xemplar.images import PreviewSpec, read_preview
from xemplar.sources import phantom

SOURCE = Path(__file__).parents[1] / "benchmarks" / "fresh.py"
PREVIEW = PreviewSpec(size=64)


class Halves:
    """Encodes an image as the means of its upper and lower half; counts how often it is asked."""

    def __init__(self):
        self.asked = 0

    def encode_images(self, images):
        self.asked += 1
        return np.array([[one[: len(one) // 2].mean(), one[len(one) // 2 :].mean()] for one in images])


@pytest.fixture
def fresh():
    spec = importlib.util.spec_from_file_location("fresh", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_they_are_encoded_once_as_the_mean_of_their_views(fresh, tmp_path):
    arrivals = list(phantom.studies(2, seed=3, site="A"))
    corpus = SimpleNamespace(settings=SimpleNamespace(preview=PREVIEW))
    archive = SimpleNamespace(encoder=Halves(), corpus=corpus)
    first, again = (fresh.encoded_cases(archive, arrivals, tmp_path / "kept.npy") for _ in range(2))
    assert archive.encoder.asked == len(arrivals)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.npy"]
    for arrival, one, kept in zip(arrivals, first, again, strict=True):
        views = Halves().encode_images([read_preview(image, PREVIEW).image for image in arrival.images])
        mean = views.mean(axis=0)
        np.testing.assert_allclose(one.vector, mean / np.linalg.norm(mean), rtol=1e-6)
        assert np.array_equal(one.vector, kept.vector)
