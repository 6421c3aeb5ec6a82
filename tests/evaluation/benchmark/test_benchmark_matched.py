"""A matcher's ranking of a gallery, against one made by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from xemplar.contracts import Matches
from xemplar.evaluation.benchmark.asked import Asked
from xemplar.evaluation.benchmark.asking import Questions, ahead, matched, nearest
from xemplar.records import Film, PixelHistory, View

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
    """One of each level; of level 0 it is blank."""
    kinds = {True: PixelHistory("png", 2, 2), False: PixelHistory("png", 2, 2, steps=("blank",))}
    return [Film(np.full((2, 2), level, np.float32), kinds[level > 0]) for level in levels]


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


def test_a_blank_film_is_left_out_of_what_is_matched():
    said = matched(ByLength(), [films(1.0, 0.0)], ["aaaa"], asked=np.array([[True]]))
    assert said[0, 0] == 4.0


def test_a_blank_film_is_left_out_of_what_is_asked(tmp_path):
    def vectors_of(queries):
        return np.stack([np.ones(2, np.float32) * film.image.mean() for film in queries])

    views = [View("v", pixels=film.pixels) for film in films(0.0, 0.5, 0.25)]
    asked = SimpleNamespace(
        name="A", studies=[SimpleNamespace(study_id="one", views=views)], filmed=np.array([True]),
        written=np.array([False]), facts=dict, films=lambda row, frontal=False: films(0.0, 0.5, 0.25),
    )  # fmt: skip
    retriever = SimpleNamespace(vectors_of=vectors_of, leave_of=lambda films: None)
    archive = SimpleNamespace(retriever=retriever, encoder=SimpleNamespace(fingerprint="e"))
    system = SimpleNamespace(archive=archive, entry=SimpleNamespace(views="all", home="here"))
    questions = Questions(system, asked, tmp_path)
    assert questions.seen.views[:, 0].tolist() == [0.5, 0.25]
    assert [film.image.mean() for film in questions.case(0).films] == [0.5, 0.25]


def test_of_a_study_the_first_frontal_film_is_asked_that_shows_anything():
    views = [View(f"{n}", position=position, pixels=film.pixels) for n, (position, film) in enumerate(
        zip(("lateral", "frontal", "frontal"), films(1.0, 0.0, 1.0), strict=True)
    )]  # fmt: skip
    corpus = SimpleNamespace(film=lambda study, view: view.view_id)
    assert Asked("A", corpus, (SimpleNamespace(views=views),)).films(0, frontal=True) == ["2"]
