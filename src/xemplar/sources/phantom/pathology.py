"""Fluid, air and airspace disease on the frontal film, each in the shapes of either site.

Knows how each looks on top of the healthy chest that `frontal` draws. Doesn't know words or labels.
"""

from __future__ import annotations

import cv2
import numpy as np

from xemplar.sources.phantom.canvas import Canvas, Mask, Points, clouds, curve, mirrored, soften
from xemplar.sources.phantom.frontal import ZONES, Lung
from xemplar.sources.phantom.truth import SIGN, Consolidation, Effusion, Pneumothorax, Site

FLUID = 0.66
"""Density that fluid adds to air: it looks like the abdomen below it."""


def effusion(canvas: Canvas, lung: Lung, *, fluid: Effusion, heart: Mask, site: Site) -> Mask:
    """Fluid from the costophrenic corner up to a meniscus that climbs along the wall; returns its mask.

    At site B it is more level, as in patients who sit less upright, and climbs at the heart as well.
    """
    sign = SIGN[lung.side]
    deep = lung.corner - 42
    top = lung.corner - fluid.fill * deep
    # Beyond the small ones the meniscus also stands in front of the whole dome.
    medial = lung.corner - (1.25 * fluid.fill - 0.12) * deep * 0.72
    across = np.linspace(0, 1, 14)
    if site == "A":
        level = medial + (top - medial) * across**2.4
    else:
        middle = 0.35 * medial + 0.65 * top + 6
        level = middle + (top - 4 - middle) * np.abs(2 * across - 1) ** 3.2
        level[across < 0.5] = np.maximum(level[across < 0.5], middle - 16)
    edge = np.stack([4 + across * 110, level], axis=1)
    below = np.concatenate([edge, [(118, top - 6), (118, 330), (4, 330)]])
    mask = canvas.fill(mirrored(below, sign))
    # Where the heart lies in front, fluid adds little to what is white already.
    canvas.add(mask, FLUID, blur=2.4, within=soften(cv2.subtract(lung.mask, heart // 4 * 3), 1.6))
    return mask


def collapsed(lung: Lung, air: Pneumothorax, site: Site) -> Points:
    """Outline of the lung drawn back towards its hilum: most at the apex, at site B most at the side."""
    root = np.array([SIGN[lung.side] * 24.0, 140.0])
    away = lung.outline - root
    # Upper and lateral parts leave the wall first; the mediastinal border stays.
    lateral = np.clip(np.abs(lung.outline[:, 0]) / 100, 0, 1)
    high = np.clip((lung.corner - 10 - lung.outline[:, 1]) / (lung.corner - 60), 0, 1)
    gap = min(0.82, air.gap)
    if site == "B":
        low = np.clip(1 - np.abs(lung.outline[:, 1] - 165) / 95, 0, 1)
        pull = gap * lateral**0.8 * (0.3 + 0.5 * high + 0.45 * low)
    else:
        pull = gap * lateral**0.6 * (0.45 + 0.75 * high if gap > 0.3 else 0.15 + 1.15 * high**2)
    drawn: Points = root + away * (1 - np.clip(pull, 0, 0.85))[:, None]
    return drawn


def pneumothorax(canvas: Canvas, lung: Lung, *, air: Pneumothorax, site: Site) -> Mask:
    """Darken the free pleural space, draw the pleural line; returns the lung that is left."""
    points = collapsed(lung, air, site)
    rest = np.minimum(canvas.fill(points), lung.mask)
    space = cv2.subtract(lung.mask, rest)
    canvas.add(space, -0.13, blur=0.6)
    canvas.add(rest, 0.03 + 0.24 * air.gap**1.5, blur=1.0)
    # The pleural line shows only where air lies on both sides of it.
    apart = (np.hypot(*(points - lung.outline).T) > 2.5) & (np.abs(points[:, 0]) > 26)
    start = int(np.argmin(apart))
    order = np.roll(np.arange(len(points)), -start)
    free = points[order][apart[order]]
    canvas.add(canvas.stroke(free, 1.6), 0.3, blur=0.5, within=lung.mask)
    return rest


def consolidation(canvas: Canvas, lung: Lung, *, opacity: Consolidation, site: Site) -> None:
    """A lumpy, soft-edged opacity of one zone, with air-filled bronchi through the dense ones.

    At site B it is a wedge that broadens towards the wall, as in segmental disease.
    """
    rng = np.random.default_rng(opacity.seed)
    low = min(ZONES[opacity.zone], lung.dome - 18)
    centre = np.array([SIGN[opacity.side] * rng.uniform(52, 68), low + rng.uniform(-8, 8)])
    root = np.array([SIGN[opacity.side] * 24.0, 132.0])
    sheet = canvas.empty()
    if site == "A":
        for _ in range(8):
            spot = centre + rng.normal(0, 0.48, 2) * opacity.radius
            canvas.blob(spot, opacity.radius * rng.uniform(0.35, 0.7, 2), onto=sheet)
        blur, mottle = 6.0, 0.28
    else:
        canvas.fill(_wedge(rng, root, centre, radius=opacity.radius), onto=sheet)
        blur, mottle = 3.5, 0.42
    soft = soften(sheet, blur).astype(np.float32) / 255
    soft *= np.clip(1 + mottle * clouds(rng, canvas.shape, cell=7), 0.2, 1.8)
    if opacity.degree != "faint":
        tubes = canvas.empty()
        for _ in range(3):
            end = centre + rng.normal(0, 0.4, 2) * opacity.radius
            bronchus = curve([root, (root + end) / 2 + rng.normal(0, 4, 2), end], rounds=2)
            canvas.stroke(bronchus, 2.2, onto=tubes)
        soft *= 1 - 0.45 / 255 * soften(tubes, 0.8).astype(np.float32)
    canvas.add(soft * (soften(lung.mask, 1.2).astype(np.float32) / 255), opacity.density)


def _wedge(rng: np.random.Generator, root: Points, centre: Points, *, radius: float) -> Points:
    """A ragged sector whose tip points to the hilum."""
    ahead = centre - root
    ahead /= np.hypot(*ahead)
    aside = np.array([-ahead[1], ahead[0]])
    tip = centre - ahead * radius * 0.9
    spread = np.linspace(-1, 1, 7)
    far = [
        centre + ahead * radius * rng.uniform(0.75, 1.15) + aside * radius * s * rng.uniform(0.8, 1.1)
        for s in spread
    ]
    return curve(np.stack([tip - aside * 5, *far, tip + aside * 5]), closed=True, rounds=2)
