"""Disease and devices on the frontal film: fluid, air, opacity, tubes, lines and pacemakers.

Knows how each looks on top of the healthy chest that `frontal` draws. Doesn't know words or labels.
"""

from __future__ import annotations

import cv2
import numpy as np

from xemplar.sources.phantom.canvas import Canvas, Mask, Path, Points, clouds, curve, mirrored, moved, soften
from xemplar.sources.phantom.frontal import ZONES, Lung
from xemplar.sources.phantom.truth import (
    SIGN,
    Consolidation,
    Effusion,
    Pneumothorax,
    Shot,
    SupportDevice,
)

FLUID = 0.7
"""Density that fluid adds to air: it looks like the abdomen below it."""


def effusion(canvas: Canvas, lung: Lung, *, fluid: Effusion, heart: Mask) -> Mask:
    """Fluid from the costophrenic corner up to a meniscus that climbs along the wall; returns its mask."""
    sign = SIGN[lung.side]
    top = lung.corner - fluid.fill * (lung.corner - 42)
    # Beyond the small ones the meniscus also stands in front of the whole dome.
    medial = lung.corner - (1.25 * fluid.fill - 0.12) * (lung.corner - 42) * 0.72
    across = np.linspace(0, 1, 12)
    level = medial + (top - medial) * across**2.4
    edge = np.stack([4 + across * 110, level], axis=1)
    below = np.concatenate([edge, [(118, top - 6), (118, 330), (4, 330)]])
    mask = canvas.fill(mirrored(below, sign))
    # Where the heart lies in front, fluid adds little to what is white already.
    canvas.add(mask, FLUID, blur=2.6, within=soften(cv2.subtract(lung.mask, heart // 4 * 3), 1.6))
    return mask


def collapsed(lung: Lung, air: Pneumothorax) -> Points:
    """Outline of the lung drawn back towards its hilum, most at the apex and the side."""
    root = np.array([SIGN[lung.side] * 24.0, 140.0])
    away = lung.outline - root
    # Upper and lateral parts leave the wall first; the mediastinal border stays.
    lateral = np.clip(np.abs(lung.outline[:, 0]) / 100, 0, 1)
    high = np.clip((lung.corner - 10 - lung.outline[:, 1]) / (lung.corner - 60), 0, 1)
    gap = min(0.82, air.gap)
    pull = gap * lateral**0.6 * (0.45 + 0.75 * high if gap > 0.3 else 0.15 + 1.15 * high**2)
    drawn: Points = root + away * (1 - np.clip(pull, 0, 0.85))[:, None]
    return drawn


def pneumothorax(canvas: Canvas, lung: Lung, *, air: Pneumothorax) -> Mask:
    """Darken the free pleural space, draw the pleural line; returns the lung that is left."""
    points = collapsed(lung, air)
    rest = canvas.fill(points)
    rest = np.minimum(rest, lung.mask)
    space = cv2.subtract(lung.mask, rest)
    canvas.add(space, -0.11, blur=0.6)
    canvas.add(rest, 0.03 + 0.24 * air.gap**1.5, blur=1.0)
    # The pleural line shows only where air lies on both sides of it.
    apart = (np.hypot(*(points - lung.outline).T) > 2.5) & (np.abs(points[:, 0]) > 26)
    start = int(np.argmin(apart))
    order = np.roll(np.arange(len(points)), -start)
    free = points[order][apart[order]]
    canvas.add(canvas.stroke(free, 1.6), 0.28, blur=0.5, within=lung.mask)
    return rest


def consolidation(canvas: Canvas, lung: Lung, *, opacity: Consolidation) -> None:
    """A lumpy, soft-edged opacity of one zone, with air-filled bronchi through the dense ones."""
    rng = np.random.default_rng(opacity.seed)
    low = min(ZONES[opacity.zone], lung.dome - 18)
    centre = np.array([SIGN[opacity.side] * rng.uniform(52, 68), low + rng.uniform(-8, 8)])
    sheet = canvas.empty()
    for _ in range(8):
        spot = centre + rng.normal(0, 0.48, 2) * opacity.radius
        size = opacity.radius * rng.uniform(0.35, 0.7, 2)
        canvas.blob(spot, size, onto=sheet)
    soft = soften(sheet, 6.0).astype(np.float32) / 255
    soft *= np.clip(1 + 0.28 * clouds(rng, canvas.shape, cell=7), 0.2, 1.8)
    if opacity.degree != "faint":
        root = np.array([SIGN[opacity.side] * 24.0, 132.0])
        tubes = canvas.empty()
        for _ in range(3):
            end = centre + rng.normal(0, 0.4, 2) * opacity.radius
            canvas.stroke(
                curve([root, (root + end) / 2 + rng.normal(0, 4, 2), end], rounds=2), 2.2, onto=tubes
            )
        soft *= 1 - 0.45 / 255 * soften(tubes, 0.8).astype(np.float32)
    canvas.add(soft * (soften(lung.mask, 1.2).astype(np.float32) / 255), opacity.density)


def device(canvas: Canvas, thing: SupportDevice, *, shot: Shot, dome: float) -> None:
    """One support device: bright, thin, where such a thing runs; `dome` is the left diaphragm's height."""
    slip = 0.6 * shot.turn
    wires, metal = canvas.empty(), canvas.empty()
    sign = SIGN[thing.side] if thing.side else 1.0
    if thing.kind == "pacemaker":
        _pacemaker(canvas, (wires, metal), sign=sign, slack=thing.slack, slip=slip)
    else:
        path = _course(thing, sign=sign, slip=slip, dome=dome)
        width = _WIDTHS[thing.kind]
        if width > 3:  # A wide tube is faint, with a bright stripe along one side.
            canvas.stroke(curve(path), width, value=115, onto=wires)
            canvas.stroke(curve(moved(path, 0.4 * width * sign)), 1.3, onto=wires)
        else:
            canvas.stroke(curve(path), width, onto=wires)
    canvas.add(wires, 0.44, blur=0.5)
    canvas.add(metal, 0.9, blur=0.6)


_WIDTHS = {
    "endotracheal tube": 3.6,
    "nasogastric tube": 2.4,
    "jugular line": 2.2,
    "picc": 1.7,
    "chest tube": 4.6,
}


def _course(thing: SupportDevice, *, sign: float, slip: float, dome: float) -> Path:
    """Where a tube or line runs, from where it enters the film to its tip."""
    slack = thing.slack
    if thing.kind == "endotracheal tube":
        return [(slip * 0.5 + 3, -20), (slip * 0.5, 30), (slip, 76 + 12 * slack)]
    if thing.kind == "nasogastric tube":
        gullet: Path = [(slip - 6, -20), (slip - 5, 60), (slip + 4, 150), (slip + 8, 215)]
        return [*gullet, (26, dome + 14), (44 + 14 * slack, dome + 34), (38, dome + 48)]
    if thing.kind == "jugular line":
        neck: Path = [(sign * 36, -20), (sign * 30, 30), (sign * 22 + slip, 64)]
        return [*neck, (slip - 17, 82), (slip - 20, 108 + 22 * slack)]
    if thing.kind == "picc":
        arm: Path = [(sign * 170, 150), (sign * 142, 96), (sign * 104, 58), (sign * 56, 62)]
        return [*arm, (sign * 16 + slip, 72), (slip - 19, 86), (slip - 20, 112 + 20 * slack)]
    wall: Path = [(sign * 150, 215 + 20 * slack), (sign * 108, 186), (sign * 84, 140)]
    return [*wall, (sign * 62, 82), (sign * 48, 62)]


def _pacemaker(canvas: Canvas, sheets: tuple[Mask, Mask], *, sign: float, slack: float, slip: float) -> None:
    wires, metal = sheets
    x, y = sign * (76 + 8 * slack), 80 + 10 * slack
    can = curve(moved([(-15, -11), (13, -12), (15, 4), (6, 13), (-13, 12)], x, y=y), closed=True, rounds=2)
    canvas.fill(can, value=215, onto=metal)
    canvas.blob((x, y - 3), (7, 5), value=255, onto=metal)
    vein: Path = [(x, y - 12), (sign * 58, 56), (sign * 28, 66), (slip - 16, 84), (slip - 20, 130)]
    canvas.stroke(curve([*vein, (slip - 16, 190), (14, 214), (46 + 10 * slack, 218)]), 1.8, onto=wires)
    canvas.stroke(curve([*vein, (slip - 30, 168), (slip - 14, 178 - 8 * slack)]), 1.8, onto=wires)
