"""Vectors of somebody's own, brought as a table, rank as MedCLIP's do; it then drops four of five."""

import json

import numpy as np
import pytest

from xemplar.models.checkpoints.table import read_table
from xemplar.vectors import open_engine


@pytest.mark.shared
def test_the_best_are_the_best_where_the_original_returns_every_fifth(golden, tmp_path):
    folder = golden / "medclip_soft_targets"
    held, told = np.load(folder / "find_matches.npz"), json.loads((folder / "find_matches.json").read_text())
    np.save(tmp_path / "texts.npy", held["text_embeddings"])
    (tmp_path / "ids.json").write_text(json.dumps(told["captions"]))
    brought = read_table(tmp_path / "texts.npy", ids=tmp_path / "ids.json")
    captions = {row: caption for caption, row in brought.keys.items()}
    query = held["image_embedding"] / np.linalg.norm(held["image_embedding"])
    index = open_engine("exact", query.shape[1])
    index.add(np.arange(len(brought.vectors), dtype=np.int64), brought.vectors)
    rows, scores = index.search(query, len(told["true_ranking"]))
    ranked = [captions[row] for row in rows[0].tolist()]
    assert ranked == told["true_ranking"]
    np.testing.assert_allclose(scores[0], held["cosine"][rows[0]], atol=1e-4)
    places = told["ranks_returned"]
    assert places == [1 + 5 * place for place in range(told["n"])]
    assert [ranked[place - 1] for place in places] == told["their_matches"] != ranked[: told["n"]]
