"""One contract over every engine, against brute force that sorts every score."""

import subprocess
import sys

import numpy as np
import pytest

from xemplar.errors import XemplarError
from xemplar.vectors import open_engine

ENGINES = ("exact", "faiss")
DIM = 24


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


def unit(rows):
    rows = np.asarray(rows, dtype=np.float64)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def random_rows(seed, count, dim=DIM):
    return unit(np.random.default_rng(seed).standard_normal((count, dim)))


def filled(engine, ids, vectors):
    index = open_engine(engine, vectors.shape[1])
    index.add(np.asarray(ids), vectors)
    return index


def brute_force(ids, vectors, queries, k):
    """Exact dot products one pair at a time, ordered in plain Python."""
    answers, scores = np.full((len(queries), k), -1), np.full((len(queries), k), -np.inf, dtype=np.float32)
    for row, query in enumerate(queries.astype(np.float64).tolist()):
        pairs = [
            (np.float32(sum(a * b for a, b in zip(query, vector, strict=True))), name)
            for name, vector in zip(ids, vectors.astype(np.float64).tolist(), strict=True)
        ]
        for place, (score, name) in enumerate(sorted(pairs, key=lambda pair: (-pair[0], pair[1]))[:k]):
            answers[row, place], scores[row, place] = name, score
    return answers, scores


def clustered(seed, copies):
    """Few distinct rows, each many times over, under shuffled ids, with near-copies among them."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(random_rows(seed, 6), copies, axis=0)
    near = rows[: copies // 2].copy()
    near[:, 0] = np.nextafter(near[:, 0], np.float32(1))
    vectors = np.concatenate([rows, near])
    return rng.permutation(5 * len(vectors))[: len(vectors)], vectors


def almost_equal(seed, count):
    """Rows that differ by less than a float32 dot product can tell."""
    rng = np.random.default_rng(seed)
    return unit(random_rows(seed, 1) + 3e-8 * rng.standard_normal((count, DIM)))


CASES = {
    "almost equal": (np.random.default_rng(5).permutation(500), almost_equal(5, 500)),
    "random": (np.random.default_rng(0).permutation(3000)[:700], random_rows(1, 700)),
    "copies": clustered(2, 60),
    "all equal": (np.arange(300)[::-1], np.repeat(random_rows(3, 1), 300, axis=0)),
    "axes, so that most scores are 0": (
        np.arange(90) * 7,
        np.tile(np.eye(DIM, dtype=np.float32), (4, 1))[:90],
    ),
    "one row": (np.array([5]), random_rows(4, 1)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("k", [1, 7, 40])
def test_agrees_with_brute_force(engine, case, k):
    ids, vectors = CASES[case]
    queries = np.concatenate([random_rows(9, 4), vectors[:3], -vectors[:1]])
    found, scores = filled(engine, ids, vectors).search(queries, k)
    expected, expected_scores = brute_force(ids, vectors, queries, k)
    assert (found == expected).all()
    assert scores == pytest.approx(expected_scores, abs=1e-7)


@pytest.mark.parametrize("case", CASES)
def test_engines_agree_bit_for_bit(case):
    ids, vectors = CASES[case]
    queries = np.concatenate([random_rows(10, 30), vectors[:20]])
    answers = [filled(name, ids, vectors).search(queries, 25) for name in ENGINES]
    assert answers[0][0].tobytes() == answers[1][0].tobytes()
    assert answers[0][1].tobytes() == answers[1][1].tobytes()


@pytest.mark.parametrize("dim", [1, 2, 7, 128, 255])
def test_engines_agree_in_any_width(dim):
    vectors, queries = random_rows(20, 3000, dim), random_rows(21, 25, dim)
    answers = [filled(name, np.arange(3000), vectors).search(queries, 10) for name in ENGINES]
    assert (answers[0][0] == answers[1][0]).all()
    assert answers[0][1].tobytes() == answers[1][1].tobytes()


@pytest.mark.parametrize("case", CASES)
def test_a_query_answers_alike_alone_and_in_company(engine, case):
    ids, vectors = CASES[case]
    queries = np.concatenate([random_rows(11, 40), vectors[:10]])
    index = filled(engine, ids, vectors)
    together = index.search(queries, 12)
    for row in range(len(queries)):
        alone = index.search(queries[row : row + 1], 12)
        assert (alone[0][0] == together[0][row]).all()
        assert alone[1].tobytes() == together[1][row].tobytes()


def test_a_longer_answer_starts_with_the_shorter_one(engine):
    ids, vectors = CASES["copies"]
    index = filled(engine, ids, vectors)
    queries = vectors[::50]
    assert (index.search(queries, 80)[0][:, :9] == index.search(queries, 9)[0]).all()


def test_the_order_of_adding_changes_nothing(engine):
    ids, vectors = CASES["copies"]
    order = np.random.default_rng(1).permutation(len(ids))
    first, second = filled(engine, ids, vectors), filled(engine, ids[order], vectors[order])
    assert (first.search(vectors[:20], 15)[0] == second.search(vectors[:20], 15)[0]).all()


def test_blocks_of_queries_do_not_show(monkeypatch):
    ids, vectors = CASES["copies"]
    whole = filled("exact", ids, vectors).search(vectors[:50], 20)
    monkeypatch.setattr("xemplar.vectors.exact._BLOCK_CELLS", 3 * len(ids))
    monkeypatch.setattr("xemplar.vectors.rows._PAIRS_AT_ONCE", 17)
    pieces = filled("exact", ids, vectors).search(vectors[:50], 20)
    assert (whole[0] == pieces[0]).all()
    assert whole[1].tobytes() == pieces[1].tobytes()


def test_short_answers_are_filled(engine):
    ids, scores = filled(engine, [4, 2], random_rows(5, 2)).search(random_rows(6, 3), 5)
    assert (ids[:, 2:] == -1).all()
    assert (scores[:, 2:] == -np.inf).all()
    assert sorted(ids[0, :2]) == [2, 4]


def test_an_empty_index_answers_nothing(engine):
    ids, scores = open_engine(engine, DIM).search(random_rows(6, 2), 3)
    assert (ids == -1).all()
    assert (scores == -np.inf).all()


def test_no_queries_have_no_answers(engine):
    ids, scores = filled(engine, [1], random_rows(5, 1)).search(np.empty((0, DIM), dtype=np.float32), 3)
    assert ids.shape == scores.shape == (0, 3)


def test_ids_and_scores_have_the_promised_types(engine):
    ids, scores = filled(engine, [1], random_rows(5, 1)).search(random_rows(6, 1), 1)
    assert (ids.dtype, scores.dtype) == (np.int64, np.float32)


def test_ids_may_be_large(engine):
    assert filled(engine, [2**62], random_rows(5, 1)).search(random_rows(6, 1), 1)[0].tolist() == [[2**62]]


# Who is left out


@pytest.mark.parametrize("case", ["random", "copies", "all equal"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_allow_answers_like_an_index_of_those_alone(engine, case, share):
    ids, vectors = CASES[case]
    chosen = np.random.default_rng(3).random(len(ids)) < share
    queries = np.concatenate([random_rows(12, 22), vectors[:5]])
    found = filled(engine, ids, vectors).search(queries, 30, allow=ids[chosen])
    expected = filled(engine, ids[chosen], vectors[chosen]).search(queries, 30)
    assert (found[0] == expected[0]).all()
    assert found[1].tobytes() == expected[1].tobytes()


def test_allowing_everyone_changes_nothing(engine):
    ids, vectors = CASES["random"]
    index = filled(engine, ids, vectors)
    assert (index.search(vectors[:5], 9, allow=ids)[0] == index.search(vectors[:5], 9)[0]).all()


@pytest.mark.parametrize("nobody", [np.empty(0, dtype=np.int64), np.array([])])
def test_allowing_nobody_answers_nothing(engine, nobody):
    ids, vectors = CASES["random"]
    assert (filled(engine, ids, vectors).search(vectors[:5], 3, allow=nobody)[0] == -1).all()


def test_an_id_allowed_twice_is_answered_once(engine):
    found, _ = filled(engine, [1, 2, 3], random_rows(5, 3)).search(
        random_rows(6, 1), 3, allow=np.array([2, 2])
    )
    assert found.tolist() == [[2, -1, -1]]


def test_unknown_allowed_ids_are_refused_and_counted(engine):
    with pytest.raises(XemplarError, match="2 of 3 ids allowed are not in the index"):
        filled(engine, [1, 2], random_rows(5, 2)).search(random_rows(6, 1), 1, allow=np.array([1, 7, 8]))


# Adding and removing


def test_adding_and_removing_ends_where_adding_what_is_left_would(engine):
    ids, vectors = CASES["copies"]
    index = filled(engine, ids[:200], vectors[:200])
    index.remove(ids[20:150])
    index.add(ids[200:], vectors[200:])
    index.add(ids[20:60], vectors[20:60])
    index.remove(ids[300:310])
    left = np.r_[0:60, 150:300, 310 : len(ids)]
    found, expected = (
        index.search(vectors[:30], 40),
        filled(engine, ids[left], vectors[left]).search(vectors[:30], 40),
    )
    assert len(index) == len(left)
    assert (found[0] == expected[0]).all()
    assert found[1].tobytes() == expected[1].tobytes()


def test_many_small_additions_equal_one(engine):
    ids, vectors = CASES["random"]
    index = open_engine(engine, DIM)
    for start in range(0, len(ids), 9):
        index.add(ids[start : start + 9], vectors[start : start + 9])
    assert (
        index.search(vectors[:20], 10)[0] == filled(engine, ids, vectors).search(vectors[:20], 10)[0]
    ).all()


def test_everything_can_be_removed_and_added_again(engine):
    index = filled(engine, [1, 2], random_rows(5, 2))
    index.remove(np.array([2, 1]))
    assert len(index) == 0
    index.add(np.array([2]), random_rows(5, 1))
    assert index.search(random_rows(5, 1), 2)[0].tolist() == [[2, -1]]


def test_an_id_takes_its_new_vector_after_removal(engine):
    axes = np.eye(DIM, dtype=np.float32)
    index = filled(engine, [1, 2], axes[:2])
    index.remove(np.array([1]))
    index.add(np.array([1]), axes[2:3])
    assert index.search(axes[2:3], 1)[0].tolist() == [[1]]


def test_the_caller_may_reuse_its_array(engine):
    vectors = random_rows(5, 3)
    index, kept = filled(engine, [1, 2, 3], vectors), vectors.copy()
    vectors[:] = 0
    assert index.search(kept, 1)[0].ravel().tolist() == [1, 2, 3]


def test_adding_nothing_and_removing_nothing_change_nothing(engine):
    index = filled(engine, [1], random_rows(5, 1))
    index.add(np.empty(0, dtype=np.int64), np.empty((0, DIM), dtype=np.float32))
    index.remove(np.empty(0, dtype=np.int64))
    assert index.search(random_rows(5, 1), 1)[0].tolist() == [[1]]


def spoilt(value):
    rows = random_rows(7, 3)
    rows[1] = value
    return rows


REFUSED = {
    "a known id": ([3, 1], random_rows(7, 2), "1 of 2 new ids already in the index"),
    "a repeated id": ([3, 3], random_rows(7, 2), "1 of 2 new ids repeated"),
    "a negative id": ([-1], random_rows(7, 1), "a negative id"),
    "fractional ids": ([0.5], random_rows(7, 1), "type float64"),
    "fewer ids than rows": ([3], random_rows(7, 2), "1 ids for 2 vectors"),
    "a NaN": ([3, 4, 5], spoilt(np.nan), "1 of 3 vectors not finite or not of length 1, the first at row 1"),
    "an infinity": ([3, 4, 5], spoilt(np.inf), "the first at row 1"),
    "a zero row": ([3, 4, 5], spoilt(0), "the first at row 1"),
    "a row of length 1.002": ([3], random_rows(7, 1) * np.float32(1.002), "the first at row 0"),
    "another width": ([3], random_rows(7, 1, DIM + 1), r"vectors of shape \(1, 25\)"),
    "integers": ([3], np.eye(1, DIM, dtype=np.int64), "type int64"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_whole(engine, case):
    ids, vectors, message = REFUSED[case]
    index = filled(engine, [1, 2], random_rows(5, 2))
    with pytest.raises(XemplarError, match=message):
        index.add(np.array(ids), vectors)
    assert len(index) == 2
    assert sorted(index.search(random_rows(5, 1), 3)[0][0]) == [-1, 1, 2]


def test_rows_within_the_tolerance_are_taken(engine):
    assert len(filled(engine, [1], random_rows(7, 1) * np.float32(1.0009))) == 1


@pytest.mark.parametrize(("ids", "message"), [([1, 9], "1 of 2 ids to remove"), ([1, 1], "named twice")])
def test_a_removal_that_does_not_fit_is_refused_whole(engine, ids, message):
    index = filled(engine, [1, 2], random_rows(5, 2))
    with pytest.raises(XemplarError, match=message):
        index.remove(np.array(ids))
    assert len(index) == 2


@pytest.mark.parametrize(
    ("queries", "k", "message"),
    [
        (random_rows(7, 1, DIM - 1), 1, "queries of shape"),
        (spoilt(np.nan), 1, "1 of 3 queries not finite"),
        (random_rows(7, 1), 0, "k = 0"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(engine, queries, k, message):
    with pytest.raises(XemplarError, match=message):
        filled(engine, [1], random_rows(5, 1)).search(queries, k)


# Opening


def test_an_unknown_engine_is_refused():
    with pytest.raises(XemplarError, match="engine 'annoy'; wanted exact or faiss"):
        open_engine("annoy", 8)


def test_no_dimensions_are_refused(engine):
    with pytest.raises(XemplarError, match="0 dimensions"):
        open_engine(engine, 0)


def test_importing_the_room_does_not_import_faiss():
    code = "import sys, xemplar.vectors; sys.exit('faiss' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_query_asked_again_at_another_depth_answers_as_if_for_the_first_time(engine):
    vectors, query = random_rows(31, 90), random_rows(32, 1)
    index = filled(engine, np.arange(90), vectors)
    for k in (40, 10, 60, 60, 120):
        found = index.search(query, k)
        fresh = filled(engine, np.arange(90), vectors).search(query, k)
        assert all(np.array_equal(one, other) for one, other in zip(found, fresh, strict=True))
        found[0][:], found[1][:] = -7, 0  # what the caller does with its answer is its own affair


def test_a_query_asked_again_sees_what_was_added_removed_or_not_allowed(engine):
    vectors, query = random_rows(33, 50), random_rows(34, 1)
    index = filled(engine, np.arange(50), vectors)
    first = index.search(query, 5)[0][0]
    assert index.search(query, 5, allow=np.arange(50)[~np.isin(np.arange(50), first)])[0][0][0] not in first
    assert np.array_equal(index.search(query, 5)[0][0], first)
    index.add(np.array([99]), query)
    assert index.search(query, 5)[0][0][0] == 99
    index.remove(np.array([99, first[0]]))
    assert np.array_equal(index.search(query, 4)[0][0], first[1:])
