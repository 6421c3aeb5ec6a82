"""The frontal chest's soft parts: trunk, lungs, heart, great vessels, and the trees of vessels.

Knows where things lie in nominal pixels (x from the midline, the patient's right negative) and how
dense they are (soft tissue of the trunk is about 1, air 0). Doesn't know bones, film or exposure, and of
disease only how it moves what is healthy.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from xemplar.sources.phantom.canvas import Canvas, Mask, Path, Points, clouds, curve, mirrored, moved, soften
from xemplar.sources.phantom.truth import SIGN, Body, Edema, Pathology, Shot, Side

SIDES: tuple[Side, Side] = ("right", "left")
THORAX = 208.0
"""Inner width of the nominal chest, that the cardiothoracic ratio refers to."""
ZONES = {"upper": 84.0, "mid": 138.0, "lower": 192.0}
LOSS = {"mild": 0.0, "moderate": 0.55, "marked": 1.0}
"""How much a collapsed lobe of each degree draws its surroundings over."""


@dataclass(frozen=True, slots=True)
class Lung:
    """One lung: its outline, its pixels, the height of its dome and of its lateral corner."""

    side: Side
    outline: Points
    mask: Mask
    dome: float
    corner: float


@dataclass(frozen=True, slots=True)
class Strain:
    """How far collapse draws things over, in pixels: the mediastinum to the left, each dome up."""

    slip: float
    right: float
    left: float

    def lift(self, side: Side) -> float:
        """Of the dome of one side."""
        return self.right if side == "right" else self.left


def strain(disease: Pathology, shot: Shot) -> Strain:
    """The patient's rotation and what the collapsed lobes and basal bands do."""
    slip, lifts = 0.6 * shot.turn, {"right": 0.0, "left": 0.0}
    for lost in disease.atelectases:
        loss = LOSS[lost.degree]
        if lost.kind == "lobar":
            slip += SIGN[lost.side] * 11 * loss
            lifts[lost.side] += (24 if lost.zone == "lower" else 12) * loss
        elif lost.zone == "lower":
            lifts[lost.side] += 6 * loss
    return Strain(slip, lifts["right"], lifts["left"])


def outline(body: Body, shot: Shot, *, side: Side, lift: float = 0.0) -> tuple[Points, float, float]:
    """The lung's closed outline, its dome's and its costophrenic corner's height."""
    depth = 13 * shot.breath + (12 if body.hyperinflated else 0)
    dome = 219 + depth + (7 if side == "left" else 0) - (24 if body.raised == side else 0) - lift
    flat = 0.45 if body.hyperinflated else 1.0
    corner = dome + 12 + 18 * flat + (10 if body.raised == side else 0) + 0.4 * lift
    inner = 15 if side == "right" else 13
    points: Path = [(20, 62), (30, 41), (47, 36), (65, 50), (84, 84), (97, 128), (104, 175), (107, dome - 12)]
    points += [(107, corner - 8), (104, corner), (96, dome + 16 * flat), (82, dome + 5 * flat), (62, dome)]
    points += [(40, dome + 3 * flat), (inner + 4, dome + 11 * flat), (inner, dome - 20), (inner + 1, 165)]
    points += [(inner + 2, 125), (inner + 5, 95), (inner + 3, 76)]
    return mirrored(curve(points, closed=True, rounds=2), SIGN[side]), dome, corner


def torso(canvas: Canvas, body: Body) -> None:
    """Trunk, neck and arms as soft tissue, denser with girth; pectoral folds, breasts where there are any."""
    fat = body.girth
    half: Path = [(29, -60), (30, 4), (38, 20), (70, 27 - 5 * fat), (104, 33 - 8 * fat), (132, 46), (160, 84)]
    half += [(240, 225), (205, 255), (152, 150), (122 + 12 * fat, 112), (119 + 20 * fat, 180)]
    half += [(118 + 28 * fat, 260), (122 + 34 * fat, 380)]
    right = curve(half, rounds=2)
    whole = np.concatenate([right, mirrored(right[::-1], -1)])
    mask = canvas.fill(whole)
    canvas.add(mask, 0.44 + 0.12 * fat, blur=1.5)
    canvas.add(mask, 0.46 + 0.12 * fat, blur=17, within=mask)
    rng = np.random.default_rng((body.seed, 3))
    folds = canvas.empty()
    for sign in (-1.0, 1.0):
        fold: Path = [(34, 62), (66, 66), (104, 96), (122 + 10 * fat, 126), (140, 96), (120, 44), (70, 34)]
        canvas.fill(mirrored(curve(fold, closed=True, rounds=2), sign), onto=folds)
    canvas.add(folds, 0.06 + (0.05 if body.sex == "M" else 0.0), blur=6)
    if body.sex == "F":
        size = 30 + 17 * fat + rng.uniform(-4, 8)
        sheet = canvas.empty()
        for sign in (-1.0, 1.0):
            low = 186 + 12 * fat + rng.uniform(-10, 12)
            ring: Path = [(24, low - 30), (60, low - 44), (96, low - 26), (104 + 8 * fat, low + 4)]
            ring += [(84, low + size * 0.9), (54, low + size), (28, low + size * 0.6)]
            canvas.fill(mirrored(curve(ring, closed=True, rounds=2), sign), onto=sheet)
        canvas.add(sheet, 0.08 + 0.08 * fat, blur=2.6)
    canvas.density += 0.02 * clouds(rng, canvas.shape, cell=14) * (mask / np.float32(255))


def lungs(canvas: Canvas, body: Body, *, shot: Shot, pull: Strain) -> dict[Side, Lung]:
    """Carve both lungs out of the trunk; what lies below them is denser (liver, stomach)."""
    made: dict[Side, Lung] = {}
    for side in SIDES:
        points, dome, corner = outline(body, shot, side=side, lift=pull.lift(side))
        mask = canvas.fill(points)
        # A turned patient's lungs are not equally dark: the one turned away is seen through less tissue.
        turned = 0.006 * shot.turn * SIGN[side]
        canvas.add(mask, -0.52 - turned - (0.04 if body.hyperinflated else 0), blur=1.3)
        canvas.add(mask, -0.22, blur=9, within=mask)
        made[side] = Lung(side, points, mask, dome, corner)
    rng = np.random.default_rng((body.seed, 9))
    grain = 0.016 * clouds(rng, canvas.shape, cell=3) + 0.02 * clouds(rng, canvas.shape, cell=11)
    canvas.density += grain * (np.maximum(made["right"].mask, made["left"].mask) / np.float32(255))
    _belly(canvas, shot, right=made["right"].dome, left=made["left"].dome)
    return made


def _belly(canvas: Canvas, shot: Shot, *, right: float, left: float) -> None:
    low: Path = [(-116, right + 30), (-62, right - 2), (-15, right + 10), (20, left + 8), (62, left)]
    belly = curve([*low, (116, left + 30)])
    below = canvas.fill(np.concatenate([belly, [(140, 400), (-140, 400)]]))
    canvas.add(below, 0.12, blur=2.5)
    canvas.add(below, 0.16, blur=16, within=below)
    if shot.bubble > 0.25:
        size = 9 + 12 * shot.bubble + (9 if shot.bubble > 0.8 else 0)
        x, y = 54.0, left + 9 + size * 0.75
        ring: Path = [(x - size * 1.5, y - 2), (x, y - size), (x + size * 1.4, y - size * 0.5)]
        ring += [(x + size * 1.3, y + size * 0.7), (x - size * 0.3, y + size * 0.9)]
        canvas.add(canvas.fill(curve(ring, closed=True)), -0.3, blur=1.8)


def heart_outline(body: Body, shot: Shot, *, ratio: float, slip: float) -> Points:
    """The heart's closed outline, `ratio` of the chest wide (a little more on AP films)."""
    width = ratio * THORAX * (1.045 if shot.projection == "AP" else 1.0) * (1 - 0.02 * shot.breath)
    rise = -8 * body.heart_lie
    right, left = -0.33 * width, 0.67 * width
    low = 236 + 10 * shot.breath
    points: Path = [(-16, 112), (right * 0.8, 148), (right * 1.03, 176), (right * 1.03, 202)]
    points += [(right * 0.78, low - 10), (0, low), (left * 0.55, low + 2), (left * 0.93, low - 8 + rise)]
    points += [(left * 1.06, low - 27 + rise), (left * 0.98, low - 48 + rise), (left * 0.74, 162)]
    points += [(left * 0.42 + 4, 134), (26, 118), (16, 112)]
    return curve(moved(points, slip), closed=True, rounds=3)


def mediastinum(canvas: Canvas, body: Body, *, shot: Shot, ratio: float, lungs: Mask, slip: float) -> Mask:
    """Heart, great vessels with the aortic knob, trachea and bronchi; returns the heart."""
    heart = canvas.fill(heart_outline(body, shot, ratio=ratio, slip=slip))
    great = canvas.empty()
    wide = 4 if shot.projection == "AP" else 0
    stem: Path = [(-19 - wide, 40), (-21 - wide, 66), (-24 - wide, 104), (-29, 146), (29, 146)]
    stem += [(29 + wide, 112), (26 + wide, 80), (21 + wide, 40)]
    canvas.fill(curve(moved(stem, slip), closed=True, rounds=2), value=190, onto=great)
    knob = 15.5 if body.unfolded_aorta else 10.0
    canvas.blob((17 + slip + knob * 0.5, 93), (knob, knob * 1.15), value=245, onto=great)
    canvas.blob((25 + slip, 106), (7, 9), value=175, onto=great)
    canvas.blob((24 + slip, 121), (9, 12), value=215, onto=great)
    if body.unfolded_aorta:
        canvas.stroke(
            moved(curve([(31, 96), (38, 130), (34, 180), (16, 240)]), slip), 13, value=170, onto=great
        )
        canvas.stroke(moved(curve([(-22, 140), (-33, 112), (-22, 86)]), slip), 8, value=190, onto=great)
    else:  # The descending aorta's left edge through the heart.
        canvas.stroke(moved(curve([(25, 96), (26, 150), (18, 235)]), slip), 6, value=60, onto=great)
    # Over the lungs they take the place of air; over the trunk they add little.
    whole = np.maximum(heart, great)
    canvas.add(whole, 0.17, blur=3)
    canvas.add(whole, 0.42, blur=1.3, within=soften(lungs, 1.6))
    canvas.add(heart, 0.24, blur=10, within=heart)
    airway = canvas.stroke(curve([(slip * 0.5, -40), (slip, 60), (slip - 1, 104)]), 12)
    for x, y in ((-26, 130), (30, 132)):
        canvas.stroke([(slip - 1, 104), (x + slip, y)], 7, value=150, onto=airway)
    canvas.add(airway, -0.24, blur=1.4)
    return heart


def vessels(canvas: Canvas, body: Body, *, side: Side, slip: float, edema: Edema | None) -> Mask:
    """The tree of one lung's vessels, the same on every film of the patient; not yet cut to the lung.

    Oedema widens them, the upper ones most (diversion of flow to the upper lobes).
    """
    rng = np.random.default_rng((body.seed, SIDES.index(side)))
    sheet = canvas.empty()
    sign, strength = SIGN[side], edema.strength if edema else 0.0
    root = np.array([25.0 + 0.5 * slip * sign, 124.0 if side == "left" else 131.0])
    angles = np.concatenate([np.linspace(-1.4, 0.15, 5), np.linspace(0.5, 1.35, 5)])
    trunks = _wander(rng, np.repeat(root[None], 10, 0), angles=angles, length=88.0)
    ahead = np.diff(trunks, axis=1)[:, 1:].reshape(-1, 2)
    aside = rng.choice((-1, 1), len(ahead)) * rng.uniform(0.4, 0.85, len(ahead))
    aside += np.arctan2(ahead[:, 1], ahead[:, 0])
    twigs = _wander(rng, trunks[:, 1:-1].reshape(-1, 2), angles=aside, length=36.0)
    for lines, width, value in ((twigs, 1.6, 110), (trunks, 4.6, 200)):
        high = lines[:, 0, 1] + lines[:, -1, 1] < 2 * root[1]
        for upper in (True, False):
            wide = width * (1 + (0.85 if upper else 0.25) * strength) * (0.8 if upper else 1.1)
            for k in reversed(range(5)):
                taper, fade = wide * (1 - 0.17 * k), int(value * (1 - 0.12 * k))
                canvas.strokes(
                    mirrored(lines[high == upper][:, k : k + 2], sign), taper, value=fade, onto=sheet
                )
    hilum: Path = [(0, -12), (7, -6), (8, 6), (10, 26), (4, 32), (-2, 20), (-6, 0)]
    canvas.fill(mirrored(moved(curve(hilum, closed=True), root[0], y=root[1]), sign), value=235, onto=sheet)
    return sheet


def _wander(rng: np.random.Generator, roots: Points, *, angles: Points, length: float) -> Points:
    """Five steps from each root (n, 2) in about its direction: (n, 6, 2)."""
    count = len(roots)
    turns = (angles + rng.normal(0, 0.16, count))[:, None] + np.cumsum(
        rng.normal(0, 0.24, (count, 5)), axis=1
    )
    steps = np.stack([np.cos(turns), np.sin(turns)], axis=2)
    steps *= (length * rng.uniform(0.85, 1.15, count) / 5)[:, None, None]
    return np.concatenate([roots[:, None], roots[:, None] + np.cumsum(steps, axis=1)], axis=1)


def granuloma(canvas: Canvas, body: Body) -> None:
    """A small calcified nodule, if the patient has one."""
    if body.granuloma is None:
        return
    side, zone = body.granuloma
    rng = np.random.default_rng((body.seed, 7))
    centre = (SIGN[side] * rng.uniform(48, 78), ZONES[zone] + rng.uniform(-14, 14))
    size = rng.uniform(2.4, 3.4)
    canvas.add(canvas.blob(centre, (size, size)), 0.55, blur=0.6)


def without(mask: Mask, part: Mask) -> Mask:
    """What of the mask lies outside the part."""
    return np.asarray(cv2.subtract(mask, part))
