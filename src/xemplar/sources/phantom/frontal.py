"""The frontal chest without disease: body, lungs, bones, heart, vessels, and a patient's own marks.

Knows where things lie in nominal pixels (x from the midline, the patient's right negative) and how
dense they are (soft tissue of the trunk is about 1, air 0). Doesn't know disease, film or exposure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xemplar.sources.phantom.canvas import Canvas, Mask, Path, Points, curve, mirrored, moved, soften
from xemplar.sources.phantom.truth import SIGN, Body, Shot, Side

SIDES: tuple[Side, Side] = ("right", "left")
THORAX = 208.0
"""Inner width of the nominal chest, that the cardiothoracic ratio refers to."""
_WALL = np.array([(40, 30), (52, 50), (66, 66), (90, 84), (130, 98), (175, 104), (215, 107), (260, 107)])
ZONES = {"upper": 84.0, "mid": 138.0, "lower": 192.0}


@dataclass(frozen=True, slots=True)
class Lung:
    """One lung: its outline, its pixels, the height of its dome and of its lateral corner."""

    side: Side
    outline: Points
    mask: Mask
    dome: float
    corner: float


def outline(body: Body, shot: Shot, *, side: Side) -> tuple[Points, float, float]:
    """The lung's closed outline, its dome's and its costophrenic corner's height."""
    depth = 13 * shot.breath + (12 if body.hyperinflated else 0)
    dome = 219 + depth + (7 if side == "left" else 0) - (24 if body.raised == side else 0)
    flat = 0.45 if body.hyperinflated else 1.0
    corner = dome + 12 + 18 * flat + (10 if body.raised == side else 0)
    inner = 15 if side == "right" else 13
    points: Path = [(22, 62), (32, 44), (48, 42), (64, 56), (83, 88), (96, 130), (103, 175), (106, dome - 12)]
    points += [(106, corner - 8), (103, corner), (96, dome + 16 * flat), (82, dome + 5 * flat), (62, dome)]
    points += [(40, dome + 3 * flat), (inner + 4, dome + 11 * flat), (inner, dome - 20), (inner + 1, 165)]
    points += [(inner + 2, 125), (inner + 5, 95), (inner + 4, 76)]
    return mirrored(curve(points, closed=True, rounds=2), SIGN[side]), dome, corner


def torso(canvas: Canvas, body: Body) -> None:
    """Trunk, neck and arms as soft tissue, denser with girth; breasts where there are any."""
    fat = body.girth
    half: Path = [
        (30, -40),
        (31, 8),
        (40, 24),
        (92, 33 - 6 * fat),
        (128, 44),
        (156, 78),
        (235, 225),
        (205, 255),
    ]
    half += [
        (150, 150),
        (118 + 16 * fat, 122),
        (118 + 22 * fat, 180),
        (117 + 30 * fat, 260),
        (122 + 34 * fat, 380),
    ]
    right = curve(half, rounds=2)
    whole = np.concatenate([right, mirrored(right[::-1], -1)])
    mask = canvas.fill(whole)
    canvas.add(mask, 0.55 + 0.14 * fat, blur=1.5)
    canvas.add(mask, 0.36 + 0.08 * fat, blur=14, within=mask)
    if body.sex == "F":
        rng = np.random.default_rng(body.seed)
        size = 30 + 16 * fat + rng.uniform(-5, 8)
        sheet = canvas.empty()
        for sign in (-1.0, 1.0):
            canvas.blob((sign * (58 + 8 * fat), 196 + rng.uniform(-12, 14)), (size * 1.12, size), onto=sheet)
        canvas.add(sheet, 0.07 + 0.06 * fat, blur=5)


def lungs(canvas: Canvas, body: Body, *, shot: Shot) -> dict[Side, Lung]:
    """Carve both lungs out of the trunk; what lies below them is denser (liver, stomach)."""
    made: dict[Side, Lung] = {}
    for side in SIDES:
        points, dome, corner = outline(body, shot, side=side)
        mask = canvas.fill(points)
        canvas.add(mask, -0.72 - (0.05 if body.hyperinflated else 0), blur=1.6)
        made[side] = Lung(side, points, mask, dome, corner)
    right, left = made["right"].dome, made["left"].dome
    belly = curve(
        [
            (-112, right + 30),
            (-60, right - 2),
            (-15, right + 10),
            (20, left + 8),
            (62, left),
            (112, left + 30),
        ]
    )
    below = np.concatenate([belly, [(130, 400), (-130, 400)]])
    canvas.add(canvas.fill(below), 0.16, blur=4)
    if shot.bubble > 0.25:
        size = 9 + 12 * shot.bubble + (9 if shot.bubble > 0.8 else 0)
        gas = canvas.blob((56, left + 10 + size * 0.75), (size * 1.35, size * 0.8))
        canvas.add(gas, -0.36, blur=2)
    return made


def bend(body: Body, y: float) -> float:
    """Sideways course of the spine at height y: 0 unless scoliotic."""
    if body.scoliosis is None:
        return 0.0
    return SIGN[body.scoliosis] * (21.0 * float(np.exp(-(((y - 150) / 60) ** 2))) - 7)


def spine(canvas: Canvas, body: Body) -> None:
    """Vertebral bodies with gaps, pedicles, and bridging spurs where there is spondylosis."""
    sheet = canvas.empty()
    tops = np.arange(-8, 340, 18.5)
    half = 11.5 + 0.2 * np.arange(len(tops))
    middle = np.array([bend(body, float(y) + 8) for y in tops])
    corner = np.array([(-1, 0), (1, 0), (1, 1), (-1, 1)], dtype=np.float64)
    box = corner * np.stack([half, np.full_like(half, 15.5)], axis=1)[:, None]
    box += np.stack([middle, tops], axis=1)[:, None]
    canvas.fills(box, value=150, onto=sheet)
    canvas.strokes(box, 1.4, value=210, onto=sheet, closed=True)
    for sign in (-1, 1):
        pedicle = (
            np.array([(0, 4.5), (0, 8)]) + np.stack([middle + sign * half * 0.62, tops], axis=1)[:, None]
        )
        canvas.strokes(pedicle, 4, value=215, onto=sheet)
        if body.spondylosis:
            spur = (
                np.array([(0, 10), (sign * 7, 16), (0, 22)])
                + np.stack([middle + sign * half, tops], 1)[:, None]
            )
            canvas.fills(spur[7::2], value=255, onto=sheet)
    canvas.add(sheet, 0.24, blur=0.8)


def ribs(canvas: Canvas, body: Body) -> None:
    """Ten pairs: posterior parts fall outwards, anterior parts fall inwards and are fainter."""
    back, front = canvas.empty(), canvas.empty()
    arcs, fores = [], []
    for k in range(10):
        top = 46 + k * 19.5
        lateral = top + 22 + 2.4 * k
        wall = float(np.interp(lateral, _WALL[:, 0], _WALL[:, 1])) + 1
        arc: Path = [(9, top), (0.35 * wall, top - 6), (0.7 * wall, top + 2), (0.95 * wall, lateral - 8)]
        fore: Path = [(wall, lateral + 5), (0.98 * wall, lateral + 13), (0.78 * wall, lateral + 32)]
        for side in SIDES:
            sign, shift = SIGN[side], bend(body, top)
            arcs.append(moved(mirrored(curve([*arc, (wall, lateral)], rounds=2), sign), shift))
            if k < 8:
                fores.append(mirrored(curve([*fore, (0.5 * wall, lateral + 40)], rounds=2), sign))
    # A rib is a tube: its two cortical edges are brighter than what lies between them.
    canvas.strokes(arcs, 8.4, value=205, onto=back)
    canvas.strokes(arcs, 5.2, value=130, onto=back)
    canvas.strokes(fores, 8.6, value=150, onto=front)
    canvas.strokes(fores, 5.4, value=100, onto=front)
    canvas.add(back, 0.22, blur=0.8)
    canvas.add(front, 0.13, blur=1.2)


def shoulders(canvas: Canvas, body: Body, *, shot: Shot) -> None:
    """Clavicles and shoulder blades; a turned patient's clavicles slip sideways."""
    sheet, blade = canvas.empty(), canvas.empty()
    lift = -4.0 if shot.projection == "AP" else 2.0
    for side in SIDES:
        sign = SIGN[side]
        bone = mirrored([(9, 68), (32, 62 + lift), (62, 58 + lift), (94, 52 + lift), (120, 53 + lift)], sign)
        path = curve(moved(bone, shot.turn))
        canvas.stroke(path, 8, value=215, onto=sheet)
        canvas.stroke(path, 4.6, value=150, onto=sheet)
        wing = [(122, 52), (96, 66), (94, 96), (106, 138), (118, 110), (134, 74)]
        canvas.fill(curve(mirrored(wing, sign), closed=True, rounds=2), value=150, onto=blade)
        canvas.stroke(mirrored([(96, 68), (95, 98), (106, 136)], sign), 2, value=230, onto=blade)
        canvas.blob((sign * 133, 68), (13, 15), value=210, onto=blade)
    canvas.add(sheet, 0.27, blur=0.8)
    canvas.add(blade, 0.12, blur=1.5)


def heart_outline(body: Body, shot: Shot, *, ratio: float) -> Points:
    """The heart's closed outline, `ratio` of the chest wide (a little more on AP films)."""
    width = ratio * THORAX * (1.045 if shot.projection == "AP" else 1.0) * (1 - 0.02 * shot.breath)
    rise = -8 * body.heart_lie
    right, left = -0.33 * width, 0.67 * width
    drop = 10 * shot.breath
    low = 234 + drop
    points = [(-13, 118), (right * 0.86, 150), (right * 1.04, 178), (right, 204), (right * 0.72, low - 8)]
    points += [
        (0, low),
        (left * 0.55, low + 2),
        (left * 0.93, low - 8 + rise),
        (left * 1.06, low - 27 + rise),
    ]
    points += [(left * 0.97, low - 48 + rise), (left * 0.7, 164), (left * 0.42, 138), (22, 118)]
    return curve(moved(points, 0.6 * shot.turn), closed=True, rounds=3)


def mediastinum(canvas: Canvas, body: Body, *, shot: Shot, ratio: float, lungs: Mask) -> Mask:
    """Heart, great vessels with the aortic knob, and the trachea with its two bronchi; returns the heart."""
    slip = 0.6 * shot.turn
    heart = canvas.fill(heart_outline(body, shot, ratio=ratio))
    great = canvas.empty()
    wide = 4 if shot.projection == "AP" else 0
    stem = [(-20 - wide, 58), (-23 - wide, 100), (-30, 150), (30, 150), (28 + wide, 112), (21 + wide, 58)]
    canvas.fill(curve(moved(stem, slip), closed=True, rounds=2), value=200, onto=great)
    knob = 15.5 if body.unfolded_aorta else 10.0
    canvas.blob((17 + slip + knob * 0.5, 93), (knob, knob * 1.1), value=235, onto=great)
    if body.unfolded_aorta:
        canvas.stroke(curve([(31, 96), (38, 130), (34, 180), (16, 240)]), 13, value=150, onto=great)
        canvas.stroke(curve([(-22, 140), (-33, 112), (-22, 86)]), 8, value=170, onto=great)
    # Over the lungs they take the place of air; over the trunk they add little.
    whole = np.maximum(heart, great)
    canvas.add(whole, 0.1, blur=2.4)
    canvas.add(whole, 0.52, blur=1.5, within=soften(lungs, 1.6))
    airway = canvas.stroke(curve([(slip * 0.5, -20), (slip, 60), (slip - 1, 104)]), 12)
    for x, y in ((-26, 130), (30, 132)):
        canvas.stroke([(slip - 1, 104), (x + slip, y)], 7, value=170, onto=airway)
    canvas.add(airway, -0.3, blur=1.4)
    return heart


def vessels(canvas: Canvas, body: Body, *, side: Side) -> Mask:
    """The tree of one lung's vessels, the same on every film of the patient; not yet cut to the lung."""
    rng = np.random.default_rng((body.seed, SIDES.index(side)))
    sheet = canvas.empty()
    sign = SIGN[side]
    root = np.array([25.0, 124.0 if side == "left" else 131.0])
    trunks = _wander(rng, np.repeat(root[None], 12, 0), angles=np.linspace(-1.5, 1.5, 12), length=84.0)
    ahead = np.diff(trunks, axis=1)[:, 1:].reshape(-1, 2)
    aside = rng.choice((-1, 1), len(ahead)) * rng.uniform(0.4, 0.85, len(ahead))
    aside += np.arctan2(ahead[:, 1], ahead[:, 0])
    twigs = _wander(rng, trunks[:, 1:-1].reshape(-1, 2), angles=aside, length=38.0)
    for lines, width, value in ((twigs, 1.7, 120), (trunks, 3.5, 185)):
        for k in reversed(range(5)):
            taper, fade = width * (1 - 0.16 * k), int(value * (1 - 0.11 * k))
            canvas.strokes(mirrored(lines[:, k : k + 2], sign), taper, value=fade, onto=sheet)
    canvas.blob(mirrored(moved(root, 0, y=3), sign), (8, 14), value=215, onto=sheet)
    return sheet


def _wander(rng: np.random.Generator, roots: Points, *, angles: Points, length: float) -> Points:
    """Five steps from each root (n, 2) in about its direction: (n, 6, 2)."""
    count = len(roots)
    turns = (angles + rng.normal(0, 0.1, count))[:, None] + np.cumsum(rng.normal(0, 0.17, (count, 5)), axis=1)
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
    size = rng.uniform(3.6, 4.8)
    canvas.add(canvas.blob(centre, (size, size)), 0.5, blur=0.7)
