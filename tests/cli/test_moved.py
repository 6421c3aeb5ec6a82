"""An index whose corpus and model lie elsewhere by now: where to say so is told, and saying so does."""

from __future__ import annotations

import json
import shutil

import pytest
from commands import draw, refused, xemplar


@pytest.fixture(scope="module")
def moved(walk, tmp_path_factory):
    """The index by itself, with its calibration."""
    folder = tmp_path_factory.mktemp("moved")
    shutil.copytree(walk / "index", folder / "index")
    shutil.copytree(walk / "calibration", folder / "calibration")
    return folder / "index"


def test_a_corpus_that_is_not_there_is_named_with_the_option(moved, tmp_path):
    line = refused("classify", moved, draw(tmp_path / "film.png"))
    assert "no corpus folder where the index says it is" in line and "--corpus" in line


def test_a_model_that_is_not_there_is_named_with_the_option(walk, moved, tmp_path):
    line = refused("classify", moved, draw(tmp_path / "film.png"), "--corpus", walk / "corpus")
    assert "no model folder where the index says it is" in line and "--model" in line


@pytest.mark.parametrize("verb", ["draft", "classify"])
def test_named_they_are_taken(walk, moved, tmp_path, verb):
    film, where = draw(tmp_path / "film.png"), ("--corpus", walk / "corpus", "--model", walk / "model")
    told = json.loads(xemplar(verb, moved, film, *where, "--json").stdout)
    plain = json.loads(xemplar(verb, walk / "index", film, "--json").stdout)
    key = "lines" if verb == "draft" else "findings"
    assert told[key] == plain[key]
