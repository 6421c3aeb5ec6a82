"""What the gate learns of how films look: limits against counting by hand, kinds on drawn films."""

import json

import numpy as np
import pytest

from xemplar.drafting.gate import Gate, learn, limits, open_gate, rows_of, save_gate
from xemplar.drafting.gate.features import features_of, framed
from xemplar.drafting.gate.reasons import FAR, SEEN
from xemplar.drafting.gate.spoiled import DOUBLED, INVERTED, SPOILS, UPSIDE_DOWN, spoiled
from xemplar.errors import MismatchError
from xemplar.folders import publish
from xemplar.images import PreviewSpec, read_preview
from xemplar.parts import FittedTo
from xemplar.sources import phantom

INDEX = FittedTo(fingerprint="i", generation=1, corpus="c", model="m", reports=10)


def frontals(count, seed):
    spec = PreviewSpec(size=96)
    return [read_preview(one.images[0], spec).image for one in phantom.studies(count, seed=seed)]


@pytest.fixture(scope="module")
def gate():
    films = frontals(40, 1)
    learnt = learn(films, [], people=[str(n // 2) for n in range(len(films))])
    strange = learnt.strange
    return Gate(index=INDEX, looks=learnt.looks, limits=limits(strange), spreads=strange.std(axis=0).tolist())


@pytest.fixture(scope="module")
def unseen():
    return frontals(16, 2)


def test_a_proper_film_passes(gate, unseen):
    assert sum(gate.reason(film) is None for film in unseen) >= 14


@pytest.mark.parametrize("kind", [UPSIDE_DOWN, INVERTED, DOUBLED])
def test_a_spoiled_film_is_stopped_for_what_was_done_to_it(gate, unseen, kind):
    random = np.random.default_rng(3)
    reasons = [gate.reason(spoiled(kind, film, unseen[0], random=random)) for film in unseen[1:]]
    assert sum(reason == SEEN[kind] for reason in reasons) >= 13


def test_something_else_altogether_is_stopped(gate):
    noise = np.random.default_rng(0).random((96, 96)).astype(np.float32)
    assert gate.reason(noise) in {FAR, *SEEN.values()}


def test_excess_is_above_zero_just_where_a_film_is_stopped(gate, unseen):
    films = [*unseen[:6], *(film[::-1].copy() for film in unseen[:6])]
    assert [gate.excess(film) > 0 for film in films] == [gate.reason(film) is not None for film in films]


def test_a_film_is_judged_the_same_after_the_file(gate, unseen, tmp_path):
    save_gate(tmp_path, gate)
    again = open_gate(tmp_path, index=INDEX)
    assert again == gate and again.fingerprint == gate.fingerprint
    assert [again.excess(film) for film in unseen[:3]] == [gate.excess(film) for film in unseen[:3]]


def test_nothing_learnt_stops_nobody(unseen):
    assert Gate(index=INDEX, why="too few").reason(unseen[0][::-1].copy()) is None


def test_a_copy_has_a_fingerprint_of_its_own():
    first = Gate(index=INDEX, why="too few")
    before = first.fingerprint
    copied = first.model_copy(update={"why": "none at all"})
    assert copied.fingerprint == Gate(index=INDEX, why="none at all").fingerprint != before
    assert first.fingerprint == before


def test_no_file_is_no_gate(tmp_path):
    assert open_gate(tmp_path, index=INDEX) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"limits": "x"}, "gate.json has a bad limits"),
        ({"features": 99}, "gate.json of features 99; wanted features 1"),
        (
            {"index": {**INDEX.model_dump(), "corpus": "other", "fingerprint": "j"}},
            "fitted with corpus other",
        ),
        ({"version": 7}, "gate of version 7"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(gate, tmp_path, change, said):
    save_gate(tmp_path, gate)
    told = json.loads((tmp_path / "gate.json").read_text())
    publish(tmp_path, "gate.json", {**told, **change})
    with pytest.raises(MismatchError, match=said):
        open_gate(tmp_path, index=INDEX)


def test_no_patient_is_judged_by_what_was_learnt_of_him(monkeypatch):
    from xemplar.drafting.gate import fitting

    left = []
    real = fitting._Made.without
    monkeypatch.setattr(fitting._Made, "without", lambda made, films: left.append(films) or real(made, films))
    people = ["a", "a", "b", "c", "c", "d", "e", "f", "f", "g"]
    fitting.learn(frontals(10, 4), [], people=people)
    folds = [{people[film] for film in films} for films in left if len(films)]
    assert sorted(film for films in left for film in films) == list(range(10))
    assert sum(len(fold) for fold in folds) == len(set(people))


def test_limits_stop_as_many_as_allowed_and_no_more():
    strange = np.random.default_rng(5).standard_normal((400, 4))
    stopped = (strange > limits(strange, false=0.05)).any(axis=1).sum()
    assert 14 <= stopped <= 20


def test_limits_by_hand():
    strange = np.array([[9.0, 0.0], [8.0, 1.0], [1.0, 7.0], [2.0, 2.0], [3.0, 3.0]])
    assert limits(strange, false=0.4) == [8.0, 3.0]
    assert limits(strange, false=0.39) == [9.0, 7.0]


def test_numbers_of_a_film_are_finite_and_of_one_count(unseen):
    flat, dark = np.full((96, 96), 0.5, np.float32), np.zeros((96, 96), np.float32)
    rows = rows_of([*unseen[:2], flat, dark])
    assert np.isfinite(rows).all()
    assert rows.shape[1] == len(features_of(unseen[0]))


def test_the_black_surround_is_no_part_of_a_film():
    image = np.zeros((96, 96), np.float32)
    image[10:50, 20:90] = 0.5
    assert framed(image).shape == (40, 70)


@pytest.mark.parametrize("kind", SPOILS)
def test_a_spoiled_film_is_a_preview(kind, unseen):
    film = spoiled(kind, unseen[0], unseen[1], random=np.random.default_rng(1))
    assert (film.shape, film.dtype) == ((96, 96), np.float32)
    assert 0 <= film.min() < film.max() <= 1
    assert not np.array_equal(film, unseen[0])
