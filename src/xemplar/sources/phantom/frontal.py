"""The frontal chest without disease: body, lungs, bones, heart, vessels, and a patient's own marks.

Knows where things lie in nominal pixels (x from the midline, the patient's right negative) and how
dense they are (soft tissue of the trunk is about 1, air 0). Doesn't know disease, film or exposure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xemplar.sources.phantom.canvas import Canvas, Mask, Points, curve, mirrored
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


def outline(body: Body, shot: Shot, side: Side) -> tuple[Points, float, float]:
    """The lung's closed outline, its dome's and its costophrenic corner's height."""
    depth = 13 * shot.breath + (12 if body.hyperinflated else 0)
    dome = 219 + depth + (7 if side == "left" else 0) - (24 if body.raised == side else 0)
    flat = 0.45 if body.hyperinflated else 1.0
    corner = dome + 12 + 18 * flat + (10 if body.raised == side else 0)
    inner = 15 if side == "right" else 13
    points = [(22, 62), (32, 44), (48, 42), (64, 56), (83, 88), (96, 130), (103, 175), (106, dome - 12)]
    points += [(106, corner - 8), (103, corner), (96, dome + 16 * flat), (82, dome + 5 * flat), (62, dome)]
    points += [(40, dome + 3 * flat), (inner + 4, dome + 11 * flat), (inner, dome - 20), (inner + 1, 165)]
    points += [(inner + 2, 125), (inner + 5, 95), (inner + 4, 76)]
    return mirrored(curve(points, closed=True, rounds=2), SIGN[side]), dome, corner


def torso(canvas: Canvas, body: Body) -> None:
    """Trunk, neck and arms as soft tissue, denser with girth; breasts where there are any."""
    fat = body.girth
    half = [(30, -40), (31, 8), (40, 24), (92, 38 - 6 * fat), (126, 52), (150, 86), (190, 150), (190, 190)]
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
    canvas.add(mask, 0.82 + 0.2 * fat, blur=2.0)
    middle = canvas.fill([(-60, 20), (60, 20), (80, 340), (-80, 340)])
    canvas.add(middle, 0.12, blur=24)
    if body.sex == "F":
        rng = np.random.default_rng(body.seed)
        size = 30 + 16 * fat + rng.uniform(-5, 8)
        sheet = canvas.empty()
        for sign in (-1.0, 1.0):
            canvas.blob((sign * (58 + 8 * fat), 196 + rng.uniform(-12, 14)), (size * 1.12, size), onto=sheet)
        canvas.add(sheet, 0.07 + 0.06 * fat, blur=5)


def lungs(canvas: Canvas, body: Body, shot: Shot) -> dict[Side, Lung]:
    """Carve both lungs out of the trunk; what lies below them is denser (liver, stomach)."""
    made: dict[Side, Lung] = {}
    for side in SIDES:
        points, dome, corner = outline(body, shot, side)
        mask = canvas.fill(points)
        canvas.add(mask, -0.66 - (0.06 if body.hyperinflated else 0), blur=1.6)
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
    for k, y in enumerate(np.arange(-8, 340, 18.5)):
        x, half = bend(body, float(y) + 8), 11.5 + 0.2 * k
        box = [(x - half, y), (x + half, y), (x + half, y + 15.5), (x - half, y + 15.5)]
        canvas.fill(box, value=150, onto=sheet)
        canvas.stroke(box, 1.4, value=215, onto=sheet, closed=True)
        for sign in (-1, 1):
            canvas.blob((x + sign * half * 0.62, y + 6), (2.2, 3.4), value=225, onto=sheet)
        if body.spondylosis and k % 2 and y > 100:
            for sign in (-1, 1):
                tip = [(x + sign * half, y + 10), (x + sign * (half + 7), y + 16), (x + sign * half, y + 22)]
                canvas.fill(tip, value=255, onto=sheet)
    canvas.add(sheet, 0.3, blur=0.8)


def ribs(canvas: Canvas, body: Body) -> None:
    """Ten pairs: posterior parts fall outwards, anterior parts fall inwards and are fainter."""
    back, front = canvas.empty(), canvas.empty()
    step = 19.5
    for k in range(10):
        top = 46 + k * step
        lateral = top + 22 + 2.4 * k
        wall = float(np.interp(lateral, _WALL[:, 0], _WALL[:, 1])) + 1
        for side in SIDES:
            sign = SIGN[side]
            shift = bend(body, top)
            arc = [
                (9, top),
                (0.35 * wall, top - 6),
                (0.7 * wall, top + 2),
                (0.95 * wall, lateral - 8),
                (wall, lateral),
            ]
            path = curve(mirrored(arc, sign) + (shift, 0), rounds=2)
            canvas.stroke(path, 8.4, value=205, onto=back)
            canvas.stroke(path, 5.2, value=130, onto=back)
            if body.fracture == side and k == 6:
                canvas.blob((sign * 0.93 * wall, lateral - 10), (6.5, 8.5), value=255, onto=back)
            if k < 8:
                fore = [
                    (wall, lateral),
                    (0.97 * wall, lateral + 12),
                    (0.78 * wall, lateral + 32),
                    (0.5 * wall, lateral + 40),
                ]
                path = curve(mirrored(fore, sign), rounds=2)
                canvas.stroke(path, 8.6, value=150, onto=front)
                canvas.stroke(path, 5.4, value=100, onto=front)
    canvas.add(back, 0.21, blur=0.8)
    canvas.add(front, 0.15, blur=1.1)


def shoulders(canvas: Canvas, body: Body, shot: Shot) -> None:
    """Clavicles and shoulder blades; a turned patient's clavicles slip sideways."""
    sheet, blade = canvas.empty(), canvas.empty()
    lift = -6.0 if shot.projection == "AP" else 2.0
    for side in SIDES:
        sign = SIGN[side]
        bone = mirrored([(9, 68), (32, 62 + lift), (62, 58 + lift), (92, 40 + lift), (124, 40 + lift)], sign)
        path = curve(bone + (shot.turn, 0))
        canvas.stroke(path, 8, value=215, onto=sheet)
        canvas.stroke(path, 4.6, value=150, onto=sheet)
        wing = [(122, 52), (96, 66), (94, 96), (106, 138), (118, 110), (134, 74)]
        canvas.fill(curve(mirrored(wing, sign), closed=True, rounds=2), value=150, onto=blade)
        canvas.stroke(mirrored([(96, 68), (95, 98), (106, 136)], sign), 2, value=230, onto=blade)
        canvas.blob((sign * 140, 66), (15, 17), value=210, onto=blade)
    canvas.add(sheet, 0.27, blur=0.8)
    canvas.add(blade, 0.12, blur=1.5)


def heart_outline(body: Body, shot: Shot, ratio: float) -> Points:
    """The heart's closed outline, `ratio` of the chest wide (a little more on AP films)."""
    width = ratio * THORAX * (1.045 if shot.projection == "AP" else 1.0)
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
    return curve(np.asarray(points) + (0.6 * shot.turn, 0), closed=True, rounds=3)


def mediastinum(canvas: Canvas, body: Body, shot: Shot, ratio: float) -> None:
    """Heart, great vessels with the aortic knob, and the trachea with its two bronchi."""
    slip = 0.6 * shot.turn
    canvas.add(canvas.fill(heart_outline(body, shot, ratio)), 0.46, blur=2.0)
    great = canvas.empty()
    wide = 4 if shot.projection == "AP" else 0
    stem = [(-21 - wide, 66), (-22 - wide, 110), (-25, 140), (20, 140), (25 + wide, 112), (22 + wide, 64)]
    canvas.fill(curve(np.asarray(stem) + (slip, 0), closed=True, rounds=2), value=200, onto=great)
    knob = 15.5 if body.unfolded_aorta else 10.0
    canvas.blob((17 + slip + knob * 0.5, 93), (knob, knob * 1.1), value=235, onto=great)
    if body.unfolded_aorta:
        canvas.stroke(curve([(31, 96), (38, 130), (34, 180), (16, 240)]), 13, value=150, onto=great)
        canvas.stroke(curve([(-22, 140), (-33, 112), (-22, 86)]), 8, value=170, onto=great)
    canvas.add(great, 0.36, blur=1.8)
    airway = canvas.stroke(curve([(slip * 0.5, -20), (slip, 60), (slip - 1, 104)]), 12)
    for x, y in ((-26, 130), (30, 132)):
        canvas.stroke([(slip - 1, 104), (x + slip, y)], 7, value=170, onto=airway)
    canvas.add(airway, -0.3, blur=1.4)


def vessels(canvas: Canvas, body: Body, side: Side) -> Mask:
    """The tree of one lung's vessels, the same on every film of the patient; not yet cut to the lung."""
    rng = np.random.default_rng((body.seed, SIDES.index(side)))
    sheet = canvas.empty()
    sign = SIGN[side]
    root = np.array([26.0, 126.0 if side == "left" else 132.0])
    canvas.blob(mirrored(root + (1, 2), sign), (9, 15), value=215, onto=sheet)
    for angle in np.linspace(-1.45, 1.5, 11) + rng.normal(0, 0.09, 11):
        _branch(canvas, sheet, rng, sign, root=root, angle=float(angle), width=3.6)
    return sheet


def _branch(
    canvas: Canvas,
    sheet: Mask,
    rng: np.random.Generator,
    sign: float,
    *,
    root: Points,
    angle: float,
    width: float,
) -> None:
    length = float(rng.uniform(70, 95)) if width > 2.5 else float(rng.uniform(25, 42))
    turns = angle + np.cumsum(rng.normal(0, 0.16, 5))
    steps = np.stack([np.cos(turns), np.sin(turns)], axis=1) * length / 5
    path = np.concatenate([root[None], root + np.cumsum(steps, axis=0)])
    for k in range(5):
        value = int((190 if width > 2.5 else 150) - 20 * k)
        canvas.stroke(mirrored(path[k : k + 2], sign), width * (1 - 0.17 * k), value=value, onto=sheet)
    if width > 2.5:
        for k in (1, 2, 3):
            side_angle = float(turns[k] + rng.choice((-1, 1)) * rng.uniform(0.4, 0.8))
            _branch(canvas, sheet, rng, sign, root=path[k + 1], angle=side_angle, width=1.9)


def granuloma(canvas: Canvas, body: Body) -> None:
    """A small calcified nodule, if the patient has one."""
    if body.granuloma is None:
        return
    side, zone = body.granuloma
    rng = np.random.default_rng((body.seed, 7))
    centre = (SIGN[side] * rng.uniform(48, 78), ZONES[zone] + rng.uniform(-14, 14))
    size = rng.uniform(3.6, 4.8)
    canvas.add(canvas.blob(centre, (size, size)), 0.5, blur=0.7)
