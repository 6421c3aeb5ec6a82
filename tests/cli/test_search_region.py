"""A region of an image, as typed: what lies there is compared, and what is no region is told in a line."""

from __future__ import annotations

import json

import pytest
from commands import draw, refused, xemplar


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("region") / "film.png")


def found(walk, film, *more):
    return json.loads(xemplar("search", walk / "index", "--image", film, *more, "--json").stdout)


def test_a_region_of_a_film_finds_images_by_what_lies_there(walk, film):
    whole = found(walk, film, "--kind", "image", "-k", 5)["hits"]
    part = found(walk, film, "--region", "0.5,0.5,0.4,0.4", "-k", 5)["hits"]
    assert [hit["kind"] for hit in part] == ["image"] * 5
    assert [hit["score"] for hit in part] != [hit["score"] for hit in whole]
    assert [hit["score"] for hit in part] == sorted((hit["score"] for hit in part), reverse=True)


def test_the_whole_film_as_a_region_is_near_to_the_film(walk, film):
    part = found(walk, film, "--region", "0,0,1,1", "-k", 1)["hits"]
    whole = found(walk, film, "--kind", "image", "-k", 1)["hits"]
    assert part[0]["item_id"] == whole[0]["item_id"]


def test_words_filter_what_a_region_ranks(walk, film):
    told = found(walk, film, "--region", "0.5,0.5,0.4,0.4", "without pneumothorax", "-k", 5)
    assert told["reading"]["unwanted"][0]["finding"] == "Pneumothorax"
    assert told["hits"] and all("pneumothorax" not in why["asked"].lower() or why["says"] != "stated"
                                for hit in told["hits"] for why in hit["why"])  # fmt: skip


@pytest.mark.parametrize(
    ("region", "says"),
    [("40,40,200,200", "divide pixels"), ("0.9,0.9,0.4,0.4", "outside the film"), ("a,b", "no four numbers")],
)
def test_what_is_no_region_is_refused(walk, film, region, says):
    assert says in refused("search", walk / "index", "--image", film, "--region", region)


def test_a_region_needs_an_image(walk):
    assert "image" in refused("search", walk / "index", "effusion", "--region", "0.5,0.5,0.4,0.4")
