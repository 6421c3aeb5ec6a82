"""A model is named by its folder, or is the one that comes with the package."""

from pathlib import Path

import numpy as np
import pytest

from xemplar.errors import XemplarError
from xemplar.models.layout import PROVIDED, model_folder
from xemplar.models.system import open_system


def test_a_folder_is_itself(tmp_path):
    assert model_folder(tmp_path) == tmp_path


def test_a_name_that_is_neither_says_what_there_is():
    with pytest.raises(XemplarError, match="no such folder; wanted a model folder, or phantom for the one"):
        model_folder(Path("nowhere"))


def test_the_one_provided_is_small_drawn_and_opens(phantom_corpus):
    folder = model_folder(Path(PROVIDED))
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 10 * 2**20
    encoder, stages = open_system(folder)
    assert encoder.domain == "synthetic" and stages.assembly.policy == "evidence"
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "never drafts for a real one" in card and "xemplar ingest phantom" in card
    vectors = encoder.encode_texts(["No pleural effusion.", "Large right pneumothorax."])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
