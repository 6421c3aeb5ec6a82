"""Drawing: disease brightens or darkens where it should, on the side it should, and nowhere else."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image

from xemplar.contracts import Arrival, Drawable
from xemplar.errors import XemplarError
from xemplar.sources.phantom import DrawnView, save_film, studies
from xemplar.sources.phantom.sampling import examination
from xemplar.sources.phantom.truth import (
    Atelectasis,
    Consolidation,
    Edema,
    Effusion,
    Fracture,
    Heart,
    Lesion,
    Pathology,
    Pneumothorax,
    SupportDevice,
)

WELL = Pathology(Heart(0.44))


@pytest.fixture(scope="module")
def arrival():
    """Of two drawn views."""
    return next(a for a in studies(40) if len(a.images) == 2 and isinstance(a.images[0], Drawable))


@pytest.fixture(scope="module", params=["A", "B"])
def frontal(arrival, request):
    """A plain, centred frontal view of a healthy patient, in the manner of either site."""
    view = arrival.images[0]
    shot = replace(view.shot, site=request.param, projection="PA", blur=0.0)
    shot = replace(shot, height=320, shift=(0.0, 0.0), tilt=0.0, scale=1.0, turn=0.0, breath=0.0, bubble=0.0)
    shot = replace(shot, width=288, window=(0.1, 0.95), gamma=1.0, cast=(0.0, 0.0), frame=(0, 0, 0, 0))
    body = replace(view.body, width=1.0, raised=None, hyperinflated=False, scoliosis=None)
    return replace(view, pathology=WELL, shot=replace(shot, noise=0.01), body=body)


def difference(view, **disease):
    """Grey values gained or lost by the disease: (height, width), signed."""
    ill = replace(view, pathology=Pathology(**({"heart": WELL.heart} | disease)))
    return ill.draw().astype(int) - plain(view)


@cache
def plain(view):
    """The view's grey values, drawn once."""
    return view.draw().astype(int)


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
    assert change[1, column] > 5
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
    assert outer < inner - 4


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
    assert (change[box] > 12).sum() > 60
    assert change.min() > -10
    assert (np.abs(change) > 6).mean() < 0.05


def test_edema_brightens_the_hila_more_than_the_rim(frontal):
    change = difference(frontal, edema=Edema("severe", 0.95, 3))
    for hilum, rim in ((slice(80, 112), slice(40, 50)), (slice(178, 210), slice(238, 248))):
        assert change[110:170, hilum].mean() > 15
        assert change[110:170, hilum].mean() > change[60:100, rim].mean() + 5


def test_edema_grows_with_its_degree(frontal):
    means = [
        difference(frontal, edema=Edema("", strength, 3))[90:190, 70:220].mean()
        for strength in (0.25, 0.57, 0.95)
    ]
    assert 0.8 < means[0] < means[1] - 3 < means[2] - 6


@pytest.mark.parametrize(("side", "box"), [("right", slice(60, 130)), ("left", slice(158, 228))])
def test_bands_lie_over_their_base(frontal, side, box):
    change = difference(frontal, atelectases=(Atelectasis(side, "lower", "moderate", "linear", 5),))
    bright = change > 15
    assert 150 < bright.sum() < 1500
    assert bright[150:235, box].sum() > 0.75 * bright.sum()


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_collapsed_lower_lobe_raises_its_dome_and_draws_the_heart_over(frontal, side):
    change = difference(frontal, atelectases=(Atelectasis(side, "lower", "marked", "lobar", 5),))
    own = change[:, :144] if side == "right" else change[:, 144:]
    assert (own[190:235] > 25).mean() > 0.08
    # Behind the heart's far border, lung comes to light.
    far = change[150:220, 144:] if side == "right" else change[150:220, :144]
    assert (far < -20).sum() > 100


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_collapsed_upper_lobe_is_white_above(frontal, side):
    change = difference(frontal, atelectases=(Atelectasis(side, "upper", "marked", "lobar", 5),))
    own = change[45:95, 85:130] if side == "right" else change[45:95, 158:203]
    assert own.mean() > 15
    assert own.mean() > boxes(change)[1].max() + 10


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(
    ("zone", "low", "high"), [("upper", 60, 110), ("mid", 110, 165), ("lower", 165, 225)]
)
def test_a_lesion_is_round_and_in_its_zone(frontal, side, zone, low, high):
    change = difference(frontal, lesions=(Lesion(side, zone, "moderate", "nodule", 12.0, 4),)) > 12
    rows, columns = np.nonzero(change)
    assert 200 < len(rows) < 800
    assert low < np.median(rows) < high
    assert (columns < 144).all() if side == "right" else (columns > 144).all()
    assert 0.5 < np.ptp(rows) / np.ptp(columns) < 1.6


def test_a_mass_is_larger_than_a_nodule(frontal):
    sizes = [
        (difference(frontal, lesions=(Lesion("right", "mid", "", "nodule", r, 4),)) > 12).sum()
        for r in (7, 12, 20)
    ]
    assert sizes[0] * 1.8 < sizes[1] < sizes[2] / 1.8


@pytest.mark.parametrize("healed", [False, True])
@pytest.mark.parametrize("side", ["right", "left"])
def test_a_broken_rib_changes_its_side_about_the_break(frontal, side, healed):
    change = np.abs(difference(frontal, fractures=(Fracture(side, 6, healed, 7.0),))) > 12
    rows, columns = np.nonzero(change)
    assert 60 < len(rows) < 2500
    assert (columns < 120).all() if side == "right" else (columns > 168).all()
    assert 100 < np.median(rows) < 200


def test_a_recent_break_leaves_a_step(frontal):
    """The rib's outer piece stands lower than before: dark where it was, bright where it is."""
    change = difference(frontal, fractures=(Fracture("left", 6, False, 8.0),))
    assert change.min() < -12
    assert change.max() > 20


@pytest.mark.parametrize(
    "disease",
    [
        {"heart": Heart(0.66, "severe")},
        {"effusions": (Effusion("left", "moderate", 0.4),)},
        {"pneumothorax": Pneumothorax("left", "large", 0.7)},
        {"consolidations": (Consolidation("left", "lower", "dense", 30, 0.5, 4),)},
        {"devices": (SupportDevice("pacemaker", "left", 0.5),)},
        {"edema": Edema("moderate", 0.6, 4)},
        {"atelectases": (Atelectasis("left", "lower", "moderate", "linear", 4),)},
        {"atelectases": (Atelectasis("right", "upper", "marked", "lobar", 4),)},
        {"lesions": (Lesion("left", "mid", "moderate", "nodule", 12.0, 4),)},
        {"fractures": (Fracture("left", 6, True, 7.0),)},
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
    assert save_film(arrival, 0, path) == path
    with Image.open(path) as film:
        assert film.text["xemplar-domain"] == "synthetic"
        assert np.array_equal(np.asarray(film), arrival.images[0].draw())


def test_disease_changes_none_of_the_random_parts():
    """Above the heart, a film with a larger one is the same film, noise and all."""
    exam = next(e for e in (examination(0, n) for n in range(50)) if e.storage is None)
    view = DrawnView(exam.body, WELL, replace(exam.shots[0], site="B", turn=0.0))
    change = replace(
        view, pathology=Pathology(WELL.heart, devices=(SupportDevice("pacemaker", "left", 0.5),))
    )
    apart = change.draw().astype(int) - view.draw().astype(int)
    # The evening-out of slow changes reaches far, but no pixel's noise is drawn anew.
    assert np.abs(apart[:, : apart.shape[1] // 4]).max() <= 2


def test_a_view_with_a_file_is_not_drawn(arrival, tmp_path):
    filed = Arrival(arrival.study, (tmp_path / "a.png", tmp_path / "b.png"))
    with pytest.raises(XemplarError, match="wanted a drawn view"):
        save_film(filed, 0, tmp_path / "film.png")
