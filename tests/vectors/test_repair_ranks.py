"""The exact index ranks as CXR-RePaiR does; its golden ties may stand in any order."""

import json

import numpy as np
import pytest

from xemplar.vectors import open_engine


@pytest.mark.shared
@pytest.mark.parametrize("k", [1, 2, 6])
@pytest.mark.parametrize("engine", ["exact", "faiss"])
def test_the_originals_best(golden, engine, k):
    folder = golden / "cxr_repair"
    held, wanted = np.load(folder / "topk.npz"), json.loads((folder / "topk_select.json").read_text())
    queries = held["query"] / np.linalg.norm(held["query"], axis=1, keepdims=True)
    index = open_engine(engine, queries.shape[1])
    index.add(np.arange(len(held["corpus"]), dtype=np.int64), held["corpus"])
    rows, _ = index.search(queries.astype(np.float32), k)
    same = {5: 2}  # two rows of its corpus are equal
    expected = wanted["topk"][f"top{k}"]["indices"]
    for found, named in zip(rows.tolist(), expected, strict=True):
        assert [same.get(row, row) for row in found] == [same.get(row, row) for row in named]


@pytest.mark.shared
def test_the_originals_selection(golden):
    """One sentence where the best is labelled No Finding, else six, each followed by a blank."""
    folder = golden / "cxr_repair"
    held, wanted = np.load(folder / "topk.npz"), json.loads((folder / "topk_select.json").read_text())
    index = open_engine("exact", held["corpus"].shape[1])
    index.add(np.arange(len(held["corpus"]), dtype=np.int64), held["corpus"])
    queries = held["query"] / np.linalg.norm(held["query"], axis=1, keepdims=True)
    rows, _ = index.search(queries.astype(np.float32), 6)
    normal = wanted["label_order"].index("No Finding")
    for found, labels, report in zip(
        rows.tolist(), wanted["labels_of_top1"], wanted["select_reports"], strict=True
    ):
        chosen = found[: 1 if labels[normal] == 1 else 6]
        twins = {2: "s5. ", 5: "s2. "}  # equal rows, in any order
        said = sorted(sentence + " " for sentence in report.split())
        told = [f"{wanted['corpus'][row]} " for row in chosen]
        assert sorted(told) == said or sorted(
            twins.get(row, text) for row, text in zip(chosen, told, strict=True)
        ) == said  # fmt: skip
