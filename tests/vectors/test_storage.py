"""Saving and loading for every engine: alike after a round trip, refused where parts don't fit."""

import importlib

import numpy as np
import pytest

from xemplar.errors import MismatchError, XemplarError
from xemplar.vectors import load_engine, open_engine

DIM = 24


@pytest.fixture(params=["exact", "faiss"])
def engine(request):
    return request.param


def random_rows(seed, count):
    rows = np.random.default_rng(seed).standard_normal((count, DIM))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def filled(engine, ids, vectors):
    index = open_engine(engine, DIM)
    index.add(np.asarray(ids), vectors)
    return index


CASES = {
    "random": (np.random.default_rng(0).permutation(3000)[:700], random_rows(1, 700)),
    "all equal": (np.arange(300)[::-1], np.repeat(random_rows(3, 1), 300, axis=0)),
    "empty": (np.empty(0, dtype=np.int64), np.empty((0, DIM), dtype=np.float32)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_saved_index_answers_alike_after_loading(engine, case, tmp_path):
    ids, vectors = CASES[case]
    index = filled(engine, ids, vectors)
    index.save(tmp_path / "new" / "folder")
    again = load_engine(engine, tmp_path / "new" / "folder")
    queries = random_rows(13, 25)
    assert len(again) == len(index)
    assert (again.search(queries, 9)[0] == index.search(queries, 9)[0]).all()
    assert again.search(queries, 9)[1].tobytes() == index.search(queries, 9)[1].tobytes()


def test_a_loaded_index_can_change_and_be_saved_where_it_came_from(engine, tmp_path):
    ids, vectors = CASES["random"]
    filled(engine, ids[:600], vectors[:600]).save(tmp_path)
    index, onlooker = load_engine(engine, tmp_path), load_engine(engine, tmp_path)
    index.add(ids[600:], vectors[600:])
    index.remove(ids[:50])
    index.save(tmp_path)
    expected = filled(engine, ids[50:], vectors[50:]).search(vectors[:30], 10)
    assert (load_engine(engine, tmp_path).search(vectors[:30], 10)[0] == expected[0]).all()
    former = filled(engine, ids[:600], vectors[:600]).search(vectors[:30], 10)
    assert (onlooker.search(vectors[:30], 10)[0] == former[0]).all()


def test_removing_from_a_loaded_index_leaves_the_folder_alone(engine, tmp_path):
    filled(engine, [1, 2], random_rows(5, 2)).save(tmp_path)
    load_engine(engine, tmp_path).remove(np.array([1]))
    assert len(load_engine(engine, tmp_path)) == 2


def test_the_exact_engine_maps_its_vectors(tmp_path):
    filled("exact", [1, 2], random_rows(5, 2)).save(tmp_path)
    index = load_engine("exact", tmp_path)
    base = index._vectors
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


def test_a_folder_with_other_counts_is_refused(engine, tmp_path):
    filled(engine, [1, 2], random_rows(5, 2)).save(tmp_path)
    np.save(tmp_path / "ids.npy", np.array([1, 2, 3]))
    with pytest.raises(MismatchError, match=r"3 ids in ids.npy and 2 rows in vectors.npy"):
        load_engine(engine, tmp_path)


def test_a_folder_with_repeated_ids_is_refused(engine, tmp_path):
    filled(engine, [1, 2], random_rows(5, 2)).save(tmp_path)
    np.save(tmp_path / "ids.npy", np.array([1, 1]))
    with pytest.raises(MismatchError, match="repeated ids"):
        load_engine(engine, tmp_path)


def test_a_folder_of_other_types_is_refused(engine, tmp_path):
    filled(engine, [1, 2], random_rows(5, 2)).save(tmp_path)
    np.save(tmp_path / "vectors.npy", random_rows(5, 2).astype(np.float64))
    with pytest.raises(MismatchError, match="type float64"):
        load_engine(engine, tmp_path)


def test_a_cut_file_is_refused(engine, tmp_path):
    filled(engine, [1, 2], random_rows(5, 2)).save(tmp_path)
    whole = (tmp_path / "vectors.npy").read_bytes()
    (tmp_path / "vectors.npy").write_bytes(whole[:-8])
    with pytest.raises(XemplarError, match="can't be read"):
        load_engine(engine, tmp_path)


def test_pickled_ids_are_refused(engine, tmp_path):
    filled(engine, [1, 2], random_rows(5, 2)).save(tmp_path)
    np.save(tmp_path / "ids.npy", np.array([1, "2"], dtype=object), allow_pickle=True)
    with pytest.raises(XemplarError, match="can't be read"):
        load_engine(engine, tmp_path)


def test_an_empty_folder_is_refused(engine, tmp_path):
    with pytest.raises(XemplarError, match=r"no ids\.npy"):
        load_engine(engine, tmp_path)


def test_a_faiss_file_of_other_rows_is_refused(tmp_path):
    filled("faiss", [1, 2], random_rows(5, 2)).save(tmp_path / "two")
    filled("faiss", [1, 2, 3], random_rows(5, 3)).save(tmp_path / "three")
    (tmp_path / "three" / "index.faiss").replace(tmp_path / "two" / "index.faiss")
    with pytest.raises(MismatchError, match=r"3 rows of 24 in index.faiss and 2 rows of 24 in vectors.npy"):
        load_engine("faiss", tmp_path / "two")


def test_a_faiss_file_of_other_vectors_is_refused(tmp_path):
    filled("faiss", [1, 2], random_rows(5, 2)).save(tmp_path / "a")
    filled("faiss", [1, 2], random_rows(6, 2)).save(tmp_path / "b")
    (tmp_path / "b" / "index.faiss").replace(tmp_path / "a" / "index.faiss")
    with pytest.raises(MismatchError, match="different vectors"):
        load_engine("faiss", tmp_path / "a")


def test_a_faiss_file_that_is_none_is_refused(tmp_path):
    filled("faiss", [1, 2], random_rows(5, 2)).save(tmp_path)
    (tmp_path / "index.faiss").write_bytes(b"nothing of the kind")
    with pytest.raises(XemplarError, match=r"index\.faiss can't be read"):
        load_engine("faiss", tmp_path)


def test_another_kind_of_faiss_index_is_refused(tmp_path):
    faiss = importlib.import_module("faiss")
    filled("faiss", [1, 2], random_rows(5, 2)).save(tmp_path)
    other = faiss.IndexFlatL2(DIM)
    other.add(random_rows(5, 2))
    faiss.write_index(other, str(tmp_path / "index.faiss"))
    with pytest.raises(MismatchError, match="IndexFlatL2"):
        load_engine("faiss", tmp_path)


def test_an_exact_folder_is_no_faiss_folder(tmp_path):
    filled("exact", [1, 2], random_rows(5, 2)).save(tmp_path)
    with pytest.raises(XemplarError, match=r"no index\.faiss"):
        load_engine("faiss", tmp_path)
