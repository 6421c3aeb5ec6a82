"""A region of a film: how it is typed, what is refused, where it lies in a preview, and what it finds."""

import numpy as np
import pytest

from handmade import HashEncoder, arrival, corpus_of, unit
from xemplar.errors import XemplarError
from xemplar.images import PreviewSpec, load_film, preview_from_array
from xemplar.index import build_index
from xemplar.records import Film
from xemplar.retrieval import Finder, Region, Retriever, read_region
from xemplar.retrieval.region import box_of, region_vector


class Quarters(HashEncoder):
    """An encoder that sees of a region the greys of the 4 x 4 squares whose middle lies in it."""

    def encode_regions(self, images, boxes):
        return np.stack([self._seen(image, box) for image, box in zip(images, boxes, strict=True)])

    def _seen(self, image, box):
        side = image.shape[0] // 4
        greys = image.reshape(4, side, 4, side).mean(axis=(1, 3)) - 0.5
        middles = (np.arange(4) + 0.5) / 4
        across, down = (
            (middles > start) & (middles < start + length)
            for start, length in ((box[0], box[2]), (box[1], box[3]))
        )
        return unit((greys * np.outer(down, across)).ravel())


@pytest.mark.parametrize("typed", ["0.5,0.25,0.4,0.5", " 0.5, 0.25, 0.4, 0.5 ", "(0.5 0.25 0.4 0.5)"])
def test_four_numbers_are_a_region(typed):
    assert read_region(typed) == Region(0.5, 0.25, 0.4, 0.5)
    assert str(read_region(typed)) == "0.5,0.25,0.4,0.5"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("0.1,0.2,0.3", "a region of 3 numbers; wanted left,top,width,height in shares"),
        ("left lower zone", "what is no four numbers"),
        ("", "what is no four numbers"),
        ("nan,0,1,1", "wanted left,top,width,height"),
        ("100,200,50,50", "outside the film; .*divide pixels by the film's width and height"),
        ("0.8,0,0.3,0.3", "outside the film; wanted left \\+ width"),
        ("-0.1,0,0.3,0.3", "outside the film"),
        ("0.1,0.1,0,0.5", "an empty region"),
        ("0.5,0.5,-0.2,0.2", "an empty region"),
        ("0.5,0.5,0.05,0.4", "too small .*wanted a width and a height of at least 0.1; take more"),
    ],
)
def test_what_is_no_region_is_refused_with_what_is_wanted(typed, said):
    with pytest.raises(XemplarError, match=said):
        read_region(typed)


def test_shares_that_sum_to_one_but_for_rounding_are_a_region():
    assert read_region("0.7,0.9,0.3,0.1").left == 0.7


def pixels_of(height, width):
    return np.random.default_rng(0).integers(100, 256, (height, width), np.uint8)


def film_of(height, width):
    made = preview_from_array(pixels_of(height, width), PreviewSpec(size=64))
    return Film(made.image, made.history)


@pytest.mark.parametrize(("height", "width"), [(64, 32), (32, 64), (64, 64)])
def test_a_region_of_the_whole_film_is_what_is_lit_of_its_preview(height, width):
    film = film_of(height, width)
    left, top, wide, high = box_of(Region(0, 0, 1, 1), film)
    rows, columns = (np.flatnonzero(film.image.any(axis=axis)) for axis in (1, 0))
    assert (top * 64, (top + high) * 64) == (rows[0], rows[-1] + 1)
    assert (left * 64, (left + wide) * 64) == (columns[0], columns[-1] + 1)


def test_a_film_that_was_turned_lies_as_its_preview_shows(tmp_path):
    from PIL import Image

    turn = Image.Exif()
    turn[0x0112] = 6  # a quarter: the file is wide, the film high
    Image.fromarray(pixels_of(32, 64)).save(tmp_path / "film.jpg", exif=turn)
    film = load_film(tmp_path / "film.jpg", PreviewSpec(size=64))
    assert box_of(Region(0, 0, 1, 1), film) == (0.25, 0.0, 0.5, 1.0)


@pytest.fixture(scope="module")
def finder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("region")
    texts = ["Left pleural effusion.", "Left pleural effusion, pneumothorax.", "Right pleural effusion."] * 8
    corpus = corpus_of([arrival(n, findings=text) for n, text in enumerate(texts)], folder / "corpus")
    encoder = Quarters()
    index = build_index(corpus, encoder, folder / "index", parts=("train", "val", "test"))
    return Finder(Retriever(corpus, index, encoder))


@pytest.fixture(scope="module")
def film(finder):
    study = finder.retriever.corpus.studies[0]
    return finder.retriever.corpus.film(study, study.views[0])


CORNER = Region(0, 0, 0.5, 0.5)


def test_words_filter_and_the_region_ranks(finder, film):
    answer = finder.find("effusion without pneumothorax", 30, kind="image", like=film, region=CORNER)
    assert answer.region == CORNER
    found = [one.hit.item_id for one in answer.found]
    assert found and all("pneumothorax" not in (one.hit.text or "") for one in answer.found)
    items = finder.retriever.items("image")
    wanted = Quarters()._seen(film.image, (0, 0, 0.5, 0.5))
    cosines = [float(items.vectors[items.ids.index(one)] @ wanted) for one in found]
    assert cosines == sorted(cosines, reverse=True)
    whole = finder.find("effusion without pneumothorax", 30, kind="image", like=film)
    assert whole.region is None and found != [one.hit.item_id for one in whole.found]


def test_the_films_own_study_is_left_out_of_a_regions_answer_too(finder, film):
    answer = finder.find("effusion", 30, kind="image", like=film, region=CORNER)
    assert film.study_id not in {one.hit.study_ids[0] for one in answer.found}


def test_a_region_of_nothing_and_of_several_views_is_refused(finder, film):
    with pytest.raises(XemplarError, match="a region without an image"):
        finder.find("effusion", region=CORNER)
    with pytest.raises(XemplarError, match="a region of 2 views; wanted one film"):
        finder.find("effusion", like=[film, film], region=CORNER)


def test_an_encoder_that_sees_whole_films_alone_says_so_with_a_remedy(film):
    with pytest.raises(XemplarError, match=r"sees whole films alone; .*cut the region out as a picture"):
        region_vector(HashEncoder(), film, CORNER)
