"""Floors: nobody's own text, the same for the same seed, and a ceiling that is the nearest."""

import numpy as np
import pytest

from xemplar.evaluation.texts.floors import CONSTANT, NEAREST, RANDOM, RANDOM_NORMAL, Pool, floor_texts

TEXTS = ("big heart", "clear lungs", "left effusion", "small left effusion", "clear lungs again", "wires")
OWNERS = np.array(["p1", "p2", "p3", "p4", "p5", "p6"])
NORMAL = np.array([False, True, False, False, True, False])
POOL = Pool(TEXTS, OWNERS, NORMAL)


def floors(seed=0, clusters=OWNERS, pool=POOL):
    return floor_texts(TEXTS, clusters, pool, seed=seed)


@pytest.mark.parametrize("name", [RANDOM, RANDOM_NORMAL, NEAREST])
@pytest.mark.parametrize("seed", range(5))
def test_no_floor_takes_a_text_of_the_patient_it_stands_in_for(name, seed):
    for own, taken in zip(TEXTS, floors(seed)[name], strict=True):
        assert own != taken


def test_a_random_normal_report_is_normal():
    assert set(floors()[RANDOM_NORMAL]) <= {"clear lungs", "clear lungs again"}


def test_the_ceiling_is_the_nearest_text_of_somebody_else():
    nearest = dict(zip(TEXTS, floors()[NEAREST], strict=True))
    assert nearest["left effusion"] == "small left effusion"
    assert nearest["clear lungs"] == "clear lungs again"


def test_the_same_seed_draws_the_same_texts():
    assert floors(3) == floors(3)
    assert floors(3)[RANDOM] != floors(4)[RANDOM]


def test_every_study_of_one_patient_is_kept_from_all_of_that_patients_texts():
    owners = np.array(["p1", "p1", "p1", "p4", "p5", "p6"])
    found = floors(clusters=owners, pool=Pool(TEXTS, owners, NORMAL))
    assert not set(found[RANDOM][:3]) & set(TEXTS[:3])


def test_a_floor_that_nobody_else_can_give_is_left_out():
    one = Pool(TEXTS, OWNERS, np.array([False, True, False, False, False, False]))
    assert RANDOM_NORMAL not in floors(pool=one)
    assert {CONSTANT, RANDOM, NEAREST} <= set(floors(pool=one))


def test_a_pool_of_other_patients_may_be_a_single_one():
    found = floors(pool=Pool(("clear",), np.array(["another"]), np.array([True])))
    assert set(found[RANDOM_NORMAL]) == {"clear"}
