"""The lateral chest, healthy and diseased: the front of the body on the image's left.

Knows nominal pixels (x from the middle of the chest, front negative) and densities, as `frontal`.
"""

from __future__ import annotations

import cv2
import numpy as np

from xemplar.sources.phantom.canvas import Canvas, Mask, Path, Points, clouds, curve, moved, soften
from xemplar.sources.phantom.frontal import LOSS
from xemplar.sources.phantom.truth import (
    Atelectasis,
    Body,
    Consolidation,
    Edema,
    Effusion,
    Fracture,
    Lesion,
    Pathology,
    Shot,
    SupportDevice,
)

_SPINE = np.array([(-10, 20), (20, 34), (50, 52), (90, 67), (150, 78), (220, 80), (340, 68)])
"""(y, x) of its middle."""
ZONES = {"upper": (0.0, 88.0), "mid": (6.0, 142.0), "lower": (30.0, 202.0)}


def draw(canvas: Canvas, body: Body, *, disease: Pathology, shot: Shot) -> None:
    """The whole lateral view onto the canvas."""
    _trunk(canvas, body)
    points, dome = _lung_outline(body, shot)
    lung = canvas.fill(points)
    canvas.add(lung, -0.5, blur=1.4)
    canvas.add(lung, -0.22, blur=9, within=lung)
    _bones(canvas, body, broken=disease.fractures)
    heart = _heart(canvas, body, shot=shot, ratio=disease.heart.ratio, lung=lung)
    _vessels(canvas, body, lung=lung, edema=disease.edema)
    _opacities(canvas, disease, shot=shot, lung=lung, dome=dome)
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


def _opacities(canvas: Canvas, disease: Pathology, *, shot: Shot, lung: Mask, dome: float) -> None:
    for opacity in disease.consolidations:
        _consolidation(canvas, opacity, lung=lung, dome=dome)
    for lost in disease.atelectases:
        _atelectasis(canvas, lost, lung=lung, dome=dome)
    for growth in disease.lesions:
        _lesion(canvas, growth, lung=lung, dome=dome, stretch=1.0 if shot.site == "A" else 1.2)
    if disease.edema:
        _edema(canvas, disease.edema, lung=lung, dome=dome)


def _lung_outline(body: Body, shot: Shot) -> tuple[Points, float]:
    dome = 216 + 12 * shot.breath + (12 if body.hyperinflated else 0)
    flat = 0.45 if body.hyperinflated else 1.0
    deep = 8 if body.hyperinflated else 0
    points: Path = [(6, 38), (-24, 48), (-46, 80), (-64 - deep, 124), (-74 - deep, 175), (-77, dome - 2)]
    points += [(-72, dome + 12), (-48, dome + 2), (-22, dome), (6, dome + 7 * flat), (34, dome + 20 * flat)]
    points += [(60, dome + 38 * flat), (76, dome + 46 * flat), (86, dome + 20), (88, 175), (84, 130)]
    points += [(70, 82), (40, 46)]
    return curve(points, closed=True, rounds=2), dome


def _trunk(canvas: Canvas, body: Body) -> None:
    """The trunk from the side with the arms raised: their shadow lies over the apices."""
    fat = body.girth
    front: Path = [(-58, -60), (-56, 6), (-66, 50), (-80 - 8 * fat, 104), (-90 - 16 * fat, 180)]
    front += [(-96 - 24 * fat, 380)]
    back: Path = [(108 + 14 * fat, 380), (106 + 12 * fat, 220), (106 + 12 * fat, 130), (98, 62), (84, 6)]
    back += [(92, -60)]
    whole = np.concatenate([curve(front, rounds=2), curve(back, rounds=2)])
    mask = canvas.fill(whole)
    if body.sex == "F":
        canvas.blob((-82 - 12 * fat, 172), (22 + 10 * fat, 40), onto=mask)
    canvas.add(mask, 0.5 + 0.12 * fat, blur=1.5)
    canvas.add(mask, 0.46 + 0.1 * fat, blur=16, within=mask)
    arm = canvas.fill(curve([(-60, -60), (-44, 14), (-8, 48), (44, 40), (84, -60)], rounds=2))
    canvas.add(arm, 0.26, blur=6)
    rng = np.random.default_rng((body.seed, 4))
    canvas.density += 0.018 * clouds(rng, canvas.shape, cell=9) * (mask / np.float32(255))


def _bones(canvas: Canvas, body: Body, *, broken: tuple[Fracture, ...]) -> None:
    """Spine behind, breastbone in front, the ribs' oblique shadows; a break is a dense spot on its rib."""
    sheet, faint, callus = canvas.empty(), canvas.empty(), canvas.empty()
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
    for fault in broken:
        top, back = 20 + 19 * (fault.level - 1), 34 if fault.side == "left" else 26
        canvas.blob((back, top + 4), (9, 7) if fault.healed else (11, 9), onto=callus)
    canvas.add(sheet, 0.3, blur=0.9)
    canvas.add(faint, 0.17, blur=1.0)
    if broken:
        canvas.add(callus, 0.2, blur=1.2)


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


def _vessels(canvas: Canvas, body: Body, *, lung: Mask, edema: Edema | None) -> None:
    wet = edema.strength if edema else 0.0
    rng = np.random.default_rng((body.seed, 5))
    sheet = canvas.empty()
    for angle in np.linspace(0, 2 * np.pi, 15, endpoint=False) + rng.normal(0, 0.2, 15):
        turns = angle + np.cumsum(rng.normal(0, 0.3, 4))
        steps = np.stack([np.cos(turns), np.sin(turns)], axis=1) * rng.uniform(15, 21)
        path = np.concatenate([[(8.0, 130.0)], moved(np.cumsum(steps, axis=0), 8, y=130)])
        for k in range(4):
            wide = (3.6 - 0.7 * k) * (1 + 0.5 * wet)
            canvas.stroke(path[k : k + 2], wide, value=185 - 30 * k, onto=sheet)
    canvas.blob((9, 134), (11, 14), value=200, onto=sheet)
    canvas.add(sheet, 0.24, blur=0.7 + 1.4 * wet, within=lung)


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


def _atelectasis(canvas: Canvas, lost: Atelectasis, *, lung: Mask, dome: float) -> None:
    """Bands over the domes, or a lobe shrunk up and back, or down and back."""
    rng = np.random.default_rng(lost.seed)
    if lost.kind == "linear":
        sheet = canvas.empty()
        start = dome - 12 if lost.zone == "lower" else 150.0
        for k in range({"mild": 1, "moderate": 2, "marked": 3}[lost.degree]):
            x, y = rng.uniform(-30, 0), start - k * 11 + rng.uniform(-3, 3)
            canvas.stroke(curve([(x, y), (x + 26, y + 3), (x + 54, y + 14)]), 3.4, onto=sheet)
        canvas.add(sheet, 0.3, blur=0.9, within=lung)
        return
    loss = LOSS[lost.degree]
    if lost.zone == "upper":
        lobe: Path = [(-36, 74), (0, 42), (30, 54), (34 - 12 * loss, 88), (8, 124), (-26 + 12 * loss, 118)]
    else:
        lobe = [
            (8, 132),
            (34, 148 + 12 * loss),
            (72, 170 + 20 * loss),
            (72, dome + 44),
            (20 + 22 * loss, dome + 16),
        ]
    shape = canvas.fill(curve(lobe, closed=True, rounds=2))
    canvas.add(shape, 0.26 + 0.1 * loss, blur=1.8, within=soften(lung, 1.2))


def _lesion(canvas: Canvas, growth: Lesion, *, lung: Mask, dome: float, stretch: float) -> None:
    rng = np.random.default_rng(growth.seed)
    x, y = ZONES[growth.zone]
    centre = (x + rng.uniform(-22, 20), min(y + rng.uniform(-12, 12), dome - growth.radius - 4))
    sheet = canvas.blob(centre, (growth.radius * stretch, growth.radius / stretch))
    canvas.add(sheet, 0.28 + 0.12 * min(1.0, growth.radius / 16), blur=1.1, within=soften(lung, 1.0))


def _edema(canvas: Canvas, fluid: Edema, *, lung: Mask, dome: float) -> None:
    """Haze around the hila and thick fissures."""
    haze = canvas.blob((6, 142), (42, 52))
    canvas.add(haze, 0.06 + 0.36 * fluid.strength, blur=15, within=soften(lung, 1.2))
    lines = canvas.stroke(curve([(44, 70), (6, 138), (-34, dome)]), 1.0 + 1.5 * fluid.strength)
    canvas.stroke(curve([(6, 138), (-30, 142), (-62, 148)]), 1.0 + 1.5 * fluid.strength, onto=lines)
    canvas.add(lines, 0.1 + 0.12 * fluid.strength, blur=0.6, within=lung)


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
