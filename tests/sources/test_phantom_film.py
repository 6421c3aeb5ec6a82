"""Drawing: disease brightens or darkens where it should, on the side it should, and nowhere else."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from xemplar.contracts import Arrival
from xemplar.errors import XemplarError
from xemplar.sources.phantom import save_film, studies
from xemplar.sources.phantom.truth import (
    Consolidation,
    Effusion,
    Heart,
    Pathology,
    Pneumothorax,
    SupportDevice,
)

WELL = Pathology(Heart(0.44))


@pytest.fixture(scope="module")
def arrival():
    return next(a for a in studies(40) if len(a.images) == 2)


@pytest.fixture(scope="module")
def frontal(arrival):
    """A plain, centred frontal view of a healthy patient."""
    view = arrival.images[0]
    shot = replace(view.shot, shift=(0.0, 0.0), tilt=0.0, scale=1.0, turn=0.0, breath=0.0, bubble=0.0)
    shot = replace(shot, width=288, window=(0.1, 0.95), gamma=1.0, cast=(0.0, 0.0), frame=(0, 0, 0, 0))
    body = replace(view.body, width=1.0, raised=None, hyperinflated=False, scoliosis=None)
    return replace(view, pathology=WELL, shot=replace(shot, noise=0.01), body=body)


def difference(view, **disease):
    """Grey values gained or lost by the disease: (height, width), signed."""
    ill = replace(view, pathology=Pathology(**({"heart": WELL.heart} | disease)))
    return ill.draw().astype(int) - view.draw().astype(int)


def boxes(change):
    """Mean change of the image's four quarters: (upper, lower) x (image left, image right)."""
    height, width = change.shape
    half, middle = height // 2, width // 2
    return np.array(
        [[part[:, :middle].mean(), part[:, middle:].mean()] for part in (change[:half], change[half:])]
    )


def test_a_film_is_grey_bytes_of_its_stated_size(arrival):
    for image in arrival.images:
        film = image.draw()
        assert film.dtype == np.uint8
        assert film.shape == (image.shot.height, image.shot.width)
        assert film.std() > 20


def test_drawing_twice_gives_the_same_pixels(frontal):
    assert np.array_equal(frontal.draw(), frontal.draw())


def test_a_view_survives_the_trip_to_a_worker(arrival):
    again = pickle.loads(pickle.dumps(arrival.images[1]))
    assert len(pickle.dumps(again)) < 4000
    assert np.array_equal(again.draw(), arrival.images[1].draw())


def test_bone_is_bright_and_lung_is_dark(frontal):
    film = frontal.draw()
    spine, lung, outside = film[200:230, 136:152], film[110:150, 65:85], film[40:46, 2:6]
    assert spine.mean() > 1.5 * lung.mean()
    assert outside.mean() < lung.mean()


@pytest.mark.parametrize(("side", "column"), [("right", 0), ("left", 1)])
def test_effusion_brightens_the_base_of_its_side(frontal, side, column):
    change = boxes(difference(frontal, effusions=(Effusion(side, "moderate", 0.4),)))
    assert change[1, column] > 10
    assert abs(change[1, 1 - column]) < 0.5
    assert abs(change[0]).max() < 1


def test_a_large_effusion_reaches_higher_than_a_small_one(frontal):
    tops = []
    for degree, fill in (("small", 0.17), ("moderate", 0.4), ("large", 0.7)):
        change = difference(frontal, effusions=(Effusion("left", degree, fill),))
        tops.append(np.flatnonzero((change > 25).sum(1) > 3).min())
    assert tops[0] > tops[1] + 25 > tops[2] + 50


def test_the_fluid_level_climbs_towards_the_wall(frontal):
    change = difference(frontal, effusions=(Effusion("left", "moderate", 0.4),)) > 25
    inner, outer = (np.flatnonzero(change[:, x]).min() for x in (205, 238))
    assert outer < inner - 8


@pytest.mark.parametrize(("side", "column"), [("right", 0), ("left", 1)])
def test_pneumothorax_darkens_the_edge_of_its_side(frontal, side, column):
    change = difference(frontal, pneumothorax=Pneumothorax(side, "moderate", 0.42))
    darker = change < -12
    middle = change.shape[1] // 2
    halves = darker[:, :middle].mean(), darker[:, middle:].mean()
    assert halves[column] > 0.01
    assert halves[1 - column] == 0
    assert (change > 25).sum() > 60  # the pleural line


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(("zone", "low", "high"), [("upper", 40, 130), ("mid", 90, 185), ("lower", 140, 240)])
def test_consolidation_stays_in_its_zone(frontal, side, zone, low, high):
    change = difference(frontal, consolidations=(Consolidation(side, zone, "dense", 28, 0.5, 4),))
    rows, columns = np.nonzero(np.abs(change) > 20)
    assert len(rows) > 800
    assert low < np.median(rows) < high
    assert (columns < 144).all() if side == "right" else (columns > 144).all()


def test_a_larger_heart_is_wider_to_both_sides(frontal):
    change = difference(frontal, heart=Heart(0.66, "severe"))
    rows, columns = np.nonzero(change > 20)
    assert columns.min() < 118
    assert columns.max() > 205
    assert rows.min() > 100
    assert rows.max() < 260


@pytest.mark.parametrize(
    ("kind", "side", "box"),
    [
        ("pacemaker", "left", (slice(60, 110), slice(200, 245))),
        ("pacemaker", "right", (slice(60, 110), slice(43, 88))),
        ("endotracheal tube", None, (slice(0, 90), slice(130, 158))),
        ("nasogastric tube", None, (slice(150, 250), slice(138, 190))),
        ("jugular line", "right", (slice(0, 60), slice(105, 130))),
        ("picc", "left", (slice(50, 80), slice(180, 260))),
        ("chest tube", "right", (slice(90, 190), slice(40, 90))),
    ],
)
def test_a_device_is_bright_where_it_lies(frontal, kind, side, box):
    change = difference(frontal, devices=(SupportDevice(kind, side, 0.5),))
    assert (change[box] > 25).sum() > 40
    assert change.min() > -10
    assert (np.abs(change) > 6).mean() < 0.05


@pytest.mark.parametrize(
    "disease",
    [
        {"heart": Heart(0.66, "severe")},
        {"effusions": (Effusion("left", "moderate", 0.4),)},
        {"pneumothorax": Pneumothorax("left", "large", 0.7)},
        {"consolidations": (Consolidation("left", "lower", "dense", 30, 0.5, 4),)},
        {"devices": (SupportDevice("pacemaker", "left", 0.5),)},
    ],
)
def test_disease_shows_on_the_lateral_view_too(arrival, disease):
    view = replace(arrival.images[1], pathology=WELL)
    change = np.abs(difference(view, **disease)) > 12
    assert 0.0005 < change.mean() < 0.3


def test_the_corner_says_drawn(frontal):
    corners = [
        replace(frontal, pathology=p).draw()[-14:, :44]
        for p in (WELL, Pathology(Heart(0.7, "severe"), effusions=(Effusion("right", "large", 0.7),)))
    ]
    assert np.array_equal(*corners)
    assert (corners[0] > 120).mean() > 0.1


def test_the_marker_stands_on_the_side_it_names(frontal):
    films = {
        side: replace(frontal, shot=replace(frontal.shot, marker=side)).draw() for side in ("left", "right")
    }
    columns = np.flatnonzero((films["left"] != films["right"]).any(0))
    assert columns.min() < 40
    assert columns.max() > 250
    assert (films["left"][8:30, 262:285] > 225).sum() > (films["right"][8:30, 262:285] > 225).sum() + 20


def test_saved_films_say_that_they_are_synthetic(arrival, tmp_path):
    path = tmp_path / "film.png"
    save_film(arrival, 0, path)
    with Image.open(path) as film:
        assert film.text["xemplar-domain"] == "synthetic"
        assert np.array_equal(np.asarray(film), arrival.images[0].draw())


def test_a_view_with_a_file_is_not_drawn(arrival, tmp_path):
    filed = Arrival(arrival.study, (tmp_path / "a.png", tmp_path / "b.png"))
    with pytest.raises(XemplarError, match="wanted a drawn view"):
        save_film(filed, 0, tmp_path / "film.png")
