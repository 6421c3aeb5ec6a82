"""The choice of spans is the best there is, told by trying them all."""

from itertools import combinations

import numpy as np
import pytest

from xemplar.drafting.composition.cover import best_cover


def value_of(masks, values, stated):
    told = sum(masks)
    return (told & stated).bit_count(), told.bit_count(), sum(values[mask] for mask in masks)


def by_trying_all(values, stated):
    best = (0, 0, 0)
    for count in range(len(values) + 1):
        for masks in combinations(values, count):
            if sum(masks) == np.bitwise_or.reduce([*masks, 0]):
                best = max(best, value_of(masks, values, stated))
    return best


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_better(seed):
    rng = np.random.default_rng(seed)
    bits = int(rng.integers(2, 8))
    masks = {int(mask) for mask in rng.integers(1, 1 << bits, int(rng.integers(1, 11)))}
    values = {mask: int(rng.integers(-50, 50)) for mask in masks}
    stated = int(rng.integers(0, 1 << bits))
    taken = best_cover(values, stated=stated)
    assert sum(taken) == np.bitwise_or.reduce([*taken, 0])
    assert value_of(taken, values, stated) == by_trying_all(values, stated)


def test_what_is_there_counts_before_how_much_is_told():
    assert best_cover({0b0001: 0, 0b1111: 9, 0b1110: 99}, stated=0b0001) == (0b0001, 0b1110)
    assert best_cover({0b001: 0, 0b110: 9}, stated=0b001) == (0b001, 0b110)
    assert best_cover({0b011: 0, 0b110: 9}, stated=0b001) == (0b011,)


def test_of_equal_choices_it_is_always_the_same():
    values = {0b01: 5, 0b10: 5, 0b11: 10}
    turned = dict(reversed(values.items()))
    assert best_cover(values, stated=0) == best_cover(turned, stated=0)


def test_of_nothing_nothing():
    assert best_cover({}, stated=3) == ()
