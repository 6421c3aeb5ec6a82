"""Negatives mined by labels: brute force over all pairs, and X-REM's candidate sets."""

import json

import numpy as np
import pytest

from xemplar.errors import XemplarError
from xemplar.training.objectives.mining import FindingTable


def brute(labels, row):
    """The least distance to a different row, and every row at it."""
    distances = {
        other: float(np.abs(labels[row] - labels[other]).sum())
        for other in range(len(labels))
        if other != row and not np.array_equal(labels[row], labels[other])
    }
    distances = {other: value for other, value in distances.items() if np.isfinite(value)}
    least = min(distances.values(), default=np.inf)
    return least, sorted(other for other, value in distances.items() if value == least)


def table(seed, count=60, findings=6, codes=2):
    return np.random.default_rng(seed).integers(codes, size=(count, findings)).astype(float)


@pytest.mark.parametrize("codes", [2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_candidates_are_those_of_brute_force(seed, codes):
    labels = table(seed, codes=codes)
    found = FindingTable(labels)
    for row in range(len(labels)):
        one = found.candidates(row)
        assert (one.distance, one.rows.tolist()) == brute(labels, row)
        assert one.sizes.sum() == len(one.rows)
        for group, size in zip(one.groups, one.sizes, strict=True):
            assert (labels == group).all(1).sum() == size


def test_distances_are_the_same_however_few_are_held_at_once(monkeypatch):
    labels = table(1, codes=3)
    whole = [FindingTable(labels).candidates(row).rows.tolist() for row in range(len(labels))]
    monkeypatch.setattr("xemplar.training.objectives.mining._CHUNK", 1)
    assert [FindingTable(labels).candidates(row).rows.tolist() for row in range(len(labels))] == whole


def test_what_is_drawn_is_a_candidate_and_differs():
    labels = table(2)
    found = FindingTable(labels)
    for seed in range(5):
        mined = found.draw(np.random.default_rng(seed))
        assert mined.rows.tolist() == list(range(len(labels))) and len(mined.left_out) == 0
        for row, hard, other in zip(mined.rows, mined.hard, mined.random, strict=True):
            assert hard in found.candidates(row).rows
            assert not np.array_equal(labels[row], labels[other])


def test_each_candidate_and_each_other_row_is_as_likely():
    labels = np.array([[0, 0], [1, 0], [1, 0], [0, 1], [1, 1]], float)
    found = FindingTable(labels)
    draws = [found.draw(np.random.default_rng(seed)) for seed in range(2000)]
    hard = np.bincount([one.hard[0] for one in draws], minlength=5) / 2000
    other = np.bincount([one.random[0] for one in draws], minlength=5) / 2000
    np.testing.assert_allclose(hard, [0, 1 / 3, 1 / 3, 1 / 3, 0], atol=0.04)
    np.testing.assert_allclose(other, [0, 0.25, 0.25, 0.25, 0.25], atol=0.04)


def test_the_same_generator_draws_the_same():
    found = FindingTable(table(3))
    one, two = (found.draw(np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one.hard, two.hard) and np.array_equal(one.random, two.random)


@pytest.mark.parametrize(
    ("labels", "left_out"),
    [
        (np.zeros((4, 3)), [0, 1, 2, 3]),
        (np.zeros((1, 3)), [0]),
        (np.zeros((0, 3)), []),
        (np.array([[0, np.nan], [0, 1], [1, 1]]), [0]),
        (np.full((3, 2), np.nan), [0, 1, 2]),
        (np.zeros((3, 0)), [0, 1, 2]),
    ],
)
def test_rows_without_a_negative_are_left_out_and_named(labels, left_out):
    mined = FindingTable(labels).draw(np.random.default_rng(0))
    assert mined.left_out.tolist() == left_out
    assert len(mined.rows) == len(mined.hard) == len(labels) - len(left_out)


def test_a_row_with_unknown_labels_is_nobodys_negative():
    labels = np.array([[0, np.nan], [0, 1], [1, 1], [1, 0]])
    found = FindingTable(labels)
    for seed in range(20):
        mined = found.draw(np.random.default_rng(seed))
        assert 0 not in mined.hard and 0 not in mined.random
    assert len(found.candidates(0).rows) == 0 and found.candidates(0).distance == np.inf


def test_equal_texts_are_no_negatives_whatever_their_labels():
    labels = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    found = FindingTable(labels, keys=["a", "a", "b", "c"])
    assert found.candidates(0).rows.tolist() == [2]
    for seed in range(20):
        mined = found.draw(np.random.default_rng(seed))
        drawn = dict(zip(mined.rows.tolist(), zip(mined.hard, mined.random, strict=True), strict=True))
        assert drawn[0][0] == 2 and drawn[0][1] in (2, 3)
        assert drawn[1][0] == 3 and drawn[1][1] in (2, 3)


def test_with_one_text_alone_everything_is_left_out():
    labels = np.array([[0.0], [1.0]])
    mined = FindingTable(labels, keys=["a", "a"]).draw(np.random.default_rng(0))
    assert mined.left_out.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("labels", "keys", "said"),
    [(np.zeros(3), None, "of 1 dimensions"), (np.zeros((3, 2)), ["a"], "1 keys for 3 rows")],
)
def test_tables_that_arent_tables_are_refused(labels, keys, said):
    with pytest.raises(XemplarError, match=said):
        FindingTable(labels, keys=keys)


def _cases(golden):
    for path in sorted((golden / "xrem_rerank").glob("hard_negatives*.json")):
        case = json.loads(path.read_text())
        labels = [[np.nan if value is None else value for value in row] for row in case["labels"]]
        yield path.stem, case, np.array(labels, float)


@pytest.mark.shared
def test_candidate_sets_are_xrems(golden):
    checked = 0
    for _, case, labels in _cases(golden):
        found = FindingTable(labels)
        for row, name in enumerate(case["ids"]):
            theirs = case["per_row"].get(name)
            if theirs is None or not theirs["candidate_rows"]:
                continue
            one = found.candidates(row)
            assert one.distance == theirs["min_distance"]
            assert [case["ids"][other] for other in one.rows] == sorted(theirs["candidate_rows"])
            groups = sorted(zip(theirs["candidate_groups"], theirs["group_sizes"], strict=True))
            assert [(g.tolist(), n) for g, n in zip(one.groups, one.sizes, strict=True)] == groups
            checked += 1
    assert checked >= 100


@pytest.mark.shared
def test_what_xrem_mined_is_among_the_candidates(golden):
    for _, case, labels in _cases(golden):
        found, place = FindingTable(labels), {name: row for row, name in enumerate(case["ids"])}
        for pair in case.get("train_file_seeded", ()):
            row = place[pair["dicom_id"]]
            if hard := pair.get("hard_negative_dicom_id"):
                assert place[hard] in found.candidates(row).rows
            if other := pair.get("negative_sentence_dicom_id"):
                assert not np.array_equal(labels[row], labels[place[other]])


@pytest.mark.shared
def test_where_xrem_crashes_rows_are_left_out_or_found_farther_away(golden):
    wanted = {"all_same": (np.inf, 20), "one_far": (14.0, 0), "with_nan": (np.inf, 5)}
    # Every row, none, and the rows with an unknown label.
    seen = set()
    for name, case, labels in _cases(golden):
        kind = name.removeprefix("hard_negatives_")
        if not case["raises"] or kind not in wanted:
            continue
        found = FindingTable(labels)
        mined = found.draw(np.random.default_rng(0))
        assert (found.candidates(0).distance, len(mined.left_out)) == wanted[kind]
        seen.add(kind)
    assert seen == set(wanted)
