"""The lateral chest, healthy and diseased: the front of the body on the image's left.

Knows nominal pixels (x from the middle of the chest, front negative) and densities, as `frontal`.
"""

from __future__ import annotations

import cv2
import numpy as np

from xemplar.sources.phantom.canvas import Canvas, Mask, Path, Points, clouds, curve, moved, soften
from xemplar.sources.phantom.truth import Body, Consolidation, Effusion, Pathology, Shot, SupportDevice

_SPINE = np.array([(-10, 20), (20, 34), (50, 52), (90, 67), (150, 78), (220, 80), (340, 68)])
"""(y, x) of its middle."""
ZONES = {"upper": (0.0, 88.0), "mid": (6.0, 142.0), "lower": (30.0, 202.0)}


def draw(canvas: Canvas, body: Body, *, disease: Pathology, shot: Shot) -> None:
    """The whole lateral view onto the canvas."""
    _trunk(canvas, body)
    points, dome = _lung_outline(body, shot)
    lung = canvas.fill(points)
    canvas.add(lung, -0.7, blur=1.6)
    _bones(canvas, body)
    heart = _heart(canvas, body, shot=shot, ratio=disease.heart.ratio, lung=lung)
    _vessels(canvas, body, lung=lung)
    for opacity in disease.consolidations:
        _consolidation(canvas, opacity, lung=lung, dome=dome)
    for fluid in disease.effusions:
        _effusion(canvas, fluid, lung=cv2.subtract(lung, heart // 4 * 3), dome=dome)
    air = disease.pneumothorax
    if air and air.degree != "small":
        rim = canvas.stroke(
            curve([(-30, 84 + 30 * air.gap), (0, 64 + 40 * air.gap), (36, 84 + 30 * air.gap)]), 1.7
        )
        canvas.add(rim, 0.22, blur=0.5, within=lung)
    _granuloma(canvas, body, lung=lung)
    for thing in disease.devices:
        _device(canvas, thing, dome=dome)


def _lung_outline(body: Body, shot: Shot) -> tuple[Points, float]:
    dome = 216 + 12 * shot.breath + (12 if body.hyperinflated else 0)
    flat = 0.45 if body.hyperinflated else 1.0
    deep = 8 if body.hyperinflated else 0
    points: Path = [
        (6, 40),
        (-22, 52),
        (-44, 82),
        (-62 - deep, 124),
        (-72 - deep, 175),
        (-75, dome - 2),
        (-70, dome + 12),
    ]
    points += [
        (-48, dome + 2),
        (-22, dome),
        (6, dome + 7 * flat),
        (34, dome + 20 * flat),
        (58, dome + 38 * flat),
    ]
    points += [(70, dome + 46 * flat), (74, dome + 20), (72, 180), (66, 130), (52, 84), (30, 48)]
    return curve(points, closed=True, rounds=2), dome


def _trunk(canvas: Canvas, body: Body) -> None:
    fat = body.girth
    front = [
        (-24, -40),
        (-26, 14),
        (-48, 56),
        (-78 - 10 * fat, 110),
        (-90 - 16 * fat, 180),
        (-96 - 24 * fat, 380),
    ]
    back = [
        (100 + 14 * fat, 380),
        (102 + 12 * fat, 220),
        (100 + 12 * fat, 130),
        (80, 60),
        (46, 16),
        (42, -40),
    ]
    whole = np.concatenate([curve(front, rounds=2), curve(back, rounds=2)])
    mask = canvas.fill(whole)
    if body.sex == "F":
        canvas.blob((-80 - 12 * fat, 172), (22 + 10 * fat, 40), onto=mask)
    canvas.add(mask, 0.6 + 0.14 * fat, blur=1.5)
    canvas.add(mask, 0.34 + 0.08 * fat, blur=14, within=mask)
    arm = canvas.blob((4, 24), (44, 34))
    canvas.add(arm, 0.22, blur=8)


def _bones(canvas: Canvas, body: Body) -> None:
    """Spine behind, breastbone in front, and the ribs' oblique shadows."""
    sheet, faint = canvas.empty(), canvas.empty()
    for k, y in enumerate(np.arange(-17, 340, 18.5)):
        x = float(np.interp(y, _SPINE[:, 0], _SPINE[:, 1]))
        box = [(x - 10, y), (x + 10, y + 1), (x + 10, y + 15.5), (x - 10, y + 14.5)]
        canvas.fill(box, value=140, onto=sheet)
        canvas.stroke(box, 1.4, value=220, onto=sheet, closed=True)
        if body.spondylosis and k % 2 and y > 90:
            canvas.fill([(x - 10, y + 9), (x - 17, y + 16), (x - 10, y + 22)], value=255, onto=sheet)
    canvas.stroke(curve([(-46, 66), (-68, 118), (-82, 190)]), 7, value=190, onto=sheet)
    for k in range(9):
        top = 58 + 19 * k
        path = curve([(70, top - 6), (40, top + 2), (0, top + 22), (-44, top + 52)], rounds=2)
        canvas.stroke(path, 7, value=190, onto=faint)
        canvas.stroke(path, 4.4, value=110, onto=faint)
    canvas.add(sheet, 0.3, blur=0.9)
    canvas.add(faint, 0.12, blur=1.0)


def _heart(canvas: Canvas, body: Body, *, shot: Shot, ratio: float, lung: Mask) -> Mask:
    size = 30 * ratio / 0.45
    dome = 222 + 10 * shot.breath
    points: Path = [(-70, dome + 40), (-72, dome - 36), (-60, 152), (-30, 132), (-6, 142)]
    points += [(-40 + size * 1.5, dome - 44), (-40 + size * 1.35, dome - 8), (-40, dome + 40)]
    heart = canvas.fill(curve(points, closed=True))
    canvas.add(heart, 0.46, blur=3.5, within=lung)
    arch = curve([(-26, 138), (-26, 104), (0, 84), (24, 104), (30, 180)])
    canvas.add(canvas.stroke(arch, 18 if body.unfolded_aorta else 12, value=170), 0.22, blur=2.5, within=lung)
    airway = canvas.stroke(curve([(-4, -10), (0, 50), (8, 122)]), 10)
    canvas.add(airway, -0.2, blur=1.5)
    canvas.add(canvas.blob((8, 132), (11, 13)), 0.2, blur=2.5)
    return heart


def _vessels(canvas: Canvas, body: Body, *, lung: Mask) -> None:
    rng = np.random.default_rng((body.seed, 5))
    sheet = canvas.empty()
    for angle in np.linspace(0, 2 * np.pi, 17, endpoint=False) + rng.normal(0, 0.1, 17):
        turns = angle + np.cumsum(rng.normal(0, 0.15, 4))
        steps = np.stack([np.cos(turns), np.sin(turns)], axis=1) * rng.uniform(15, 21)
        path = np.concatenate([[(8.0, 130.0)], moved(np.cumsum(steps, axis=0), 8, y=130)])
        for k in range(4):
            canvas.stroke(path[k : k + 2], 3 - 0.6 * k, value=185 - 30 * k, onto=sheet)
    canvas.add(sheet, 0.22, blur=0.7, within=lung)


def _consolidation(canvas: Canvas, opacity: Consolidation, *, lung: Mask, dome: float) -> None:
    rng = np.random.default_rng(opacity.seed)
    x, y = ZONES[opacity.zone]
    centre = np.array([x + rng.uniform(-16, 16), min(y, dome - 12) + rng.uniform(-6, 6)])
    sheet = canvas.empty()
    for _ in range(7):
        spot = centre + rng.normal(0, 0.45, 2) * opacity.radius
        canvas.blob(spot, opacity.radius * rng.uniform(0.35, 0.65, 2), onto=sheet)
    soft = soften(sheet, 6.0).astype(np.float32) / 255
    soft *= np.clip(1 + 0.28 * clouds(rng, canvas.shape, cell=7), 0.2, 1.8)
    canvas.add(soft * (soften(lung, 1.2).astype(np.float32) / 255), 0.85 * opacity.density)


def _effusion(canvas: Canvas, fluid: Effusion, *, lung: Mask, dome: float) -> None:
    """Fluid fills the posterior angle first and climbs front and back."""
    deep = dome + 40
    top = deep - fluid.fill * (deep - 42)
    across = np.linspace(-1, 1, 16)
    level = top + (26 if fluid.fill > 0.3 else 14) * (1 - across**2)
    edge = np.stack([across * 84, level], axis=1)
    mask = canvas.fill(np.concatenate([edge, [(90, 340), (-90, 340)]]))
    canvas.add(mask, 0.5, blur=2.6, within=soften(lung, 1.2))


def _granuloma(canvas: Canvas, body: Body, *, lung: Mask) -> None:
    if body.granuloma is None:
        return
    rng = np.random.default_rng((body.seed, 7))
    x, y = ZONES[body.granuloma[1]]
    centre = (x + rng.uniform(-22, 22), y + rng.uniform(-14, 14))
    canvas.add(
        canvas.blob(centre, (4, 4)), 0.45, blur=0.7, within=cv2.dilate(lung, np.ones((3, 3), np.uint8))
    )


def _device(canvas: Canvas, thing: SupportDevice, *, dome: float) -> None:
    wires, metal = canvas.empty(), canvas.empty()
    slack = thing.slack
    if thing.kind == "pacemaker":
        middle = np.array([-58.0, 76 + 10 * slack])
        canvas.fill(middle + np.array([(-4, -13), (4, -12), (3, 13), (-5, 12)]), value=230, onto=metal)
        vein: Path = [(-58, 64 + 10 * slack), (-36, 50), (-14, 74), (-12, 130)]
        canvas.stroke(curve([*vein, (-22, 180), (-60, 205)]), 1.8, onto=wires)
        canvas.stroke(curve([*vein, (-10, 160), (-34, 164)]), 1.8, onto=wires)
    elif thing.kind == "endotracheal tube":
        canvas.stroke(curve([(-4, -20), (0, 50), (4, 84 + 10 * slack)]), 3.2, value=190, onto=wires)
    elif thing.kind == "nasogastric tube":
        canvas.stroke(
            curve([(8, -20), (16, 90), (26, 180), (6, dome + 20), (-20, dome + 40)]), 2.2, onto=wires
        )
    elif thing.kind == "chest tube":
        canvas.stroke(curve([(20, 250), (26, 180), (14, 100), (4, 66)]), 3.4, value=190, onto=wires)
    else:
        canvas.stroke(curve([(-20, -20), (-16, 40), (-14, 90), (-12, 120 + 20 * slack)]), 1.9, onto=wires)
    canvas.add(wires, 0.5, blur=0.5)
    canvas.add(metal, 0.9, blur=0.6)
