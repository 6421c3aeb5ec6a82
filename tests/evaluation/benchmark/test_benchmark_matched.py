"""A matcher's ranking of a gallery, against one made by hand."""

import numpy as np
import pytest

from xemplar.contracts import Matches
from xemplar.evaluation.benchmark.asking import ahead, matched, nearest
from xemplar.records import Film, PixelHistory

COSINES = np.array([[0.9, 0.5, 0.4, 0.1], [0.2, 0.3, 0.8, 0.7]], np.float32)


class Listed(list):
    """Texts, of which some can be taken."""

    def take(self, rows):
        return Listed(self[row] for row in rows)


class ByLength:
    """Scores a text by its length, times the image's mean; counts the pairs."""

    def __init__(self):
        self.pairs = 0

    def prepare(self, texts):
        return Listed(texts)

    def match(self, images, states, *, explain=False):
        self.pairs += len(images) * len(states)
        lengths = np.array([len(text) for text in states], np.float32)
        return Matches(np.stack([image.mean() * lengths for image in images]))


def films(*levels):
    pixels = PixelHistory("png", 2, 2)
    return [Film(np.full((2, 2), level, np.float32), pixels) for level in levels]


def test_the_nearest_are_chosen_equal_ones_in_order():
    chosen = nearest(np.array([[0.5, 0.5, 0.5, 0.9]], np.float32), 2)
    assert chosen.tolist() == [[True, False, False, True]]


def test_the_chosen_stand_before_all_others_as_the_matcher_says():
    said = np.array([[0.1, 0.7, np.nan, np.nan], [np.nan, np.nan, 0.2, 0.2]], np.float32)
    scores = ahead(COSINES, said, nearest(COSINES, 2))
    assert np.argsort(-scores[0], kind="stable").tolist() == [1, 0, 2, 3]
    assert scores[1, 2] == scores[1, 3]  # a tie stays one
    assert scores[1, :2].tolist() == pytest.approx([0.2, 0.3])


def test_only_pairs_asked_for_are_matched_and_equal_texts_once():
    matcher = ByLength()
    texts = ["aa", "bbb", "aa", "c"]
    asked = np.array([[True, True, True, False], [False, False, False, True]])
    said = matched(matcher, [films(1.0), films(0.5)], texts, asked=asked)
    assert said[0, :3].tolist() == [2, 3, 2]
    assert np.isnan(said[0, 3])
    assert said[1, 3] == 0.5
    assert matcher.pairs == 2 + 1


def test_several_films_are_averaged():
    said = matched(ByLength(), [films(1.0, 0.5)], ["aaaa"], asked=np.array([[True]]))
    assert said[0, 0] == 3.0
