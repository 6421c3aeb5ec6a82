"""Oedema, collapse and rounded lesions on the frontal film, each in the shapes of either site.

Knows how each looks inside the lungs that `frontal` draws. What oedema does to vessels and collapse to
diaphragm and mediastinum is `frontal`'s. Doesn't know words or labels.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from xemplar.sources.phantom.canvas import Canvas, Path, clouds, curve, mirrored, moved, soften
from xemplar.sources.phantom.frontal import LOSS, ZONES, Lung
from xemplar.sources.phantom.truth import SIGN, Atelectasis, Edema, Lesion, Side, Site


def edema(canvas: Canvas, lungs: Mapping[Side, Lung], *, fluid: Edema, site: Site) -> None:
    """Haze around the hila, short septal lines at the bases and thick fissures.

    At site A a bat's wing that spares the rim; at site B a haze that thickens downwards, with a net of
    septa all over.
    """
    rng = np.random.default_rng(fluid.seed)
    haze, lines = canvas.empty(), canvas.empty()
    rows = rng.uniform(-5, 5, (2, 9))
    for side, lung in lungs.items():
        sign, k = SIGN[side], int(side == "left")
        if site == "A":
            canvas.blob((sign * 46, 132 + rows[k, 0]), (32, 50), value=255, onto=haze)
            canvas.blob((sign * 40, 168 + rows[k, 1]), (28, 36), value=255, onto=haze)
        else:
            low: Path = [(12, 105), (60, 95), (112, 130), (114, lung.corner + 9), (12, lung.corner)]
            canvas.fill(mirrored(curve(low, closed=True), sign), value=200, onto=haze)
        for step in range(7):
            y = lung.corner - 20 - 8.5 * step + 0.5 * rows[k, step]
            canvas.stroke([(sign * 104, y), (sign * (92 - rows[k, step]), y - 1.5)], 1.5, onto=lines)
    fissure = moved(curve([(-28, 141), (-62, 139), (-102, 146)]), 0, y=float(rows[0, 8]))
    canvas.stroke(fissure, 1.0 + 1.6 * fluid.strength, value=230, onto=lines)
    air = np.maximum(lungs["right"].mask, lungs["left"].mask)
    soft = soften(haze, 15 if site == "A" else 18).astype(np.float32) / 255
    soft *= np.clip(1 + 0.22 * clouds(rng, canvas.shape, cell=8), 0.3, 1.7)
    if site == "B":
        net = clouds(rng, canvas.shape, cell=4)
        soft = soft * 0.8 + 0.35 * np.clip(1 - np.abs(net) / 0.4, 0, 1)
    canvas.add(soft * (soften(air, 1.2).astype(np.float32) / 255), 0.06 + 0.42 * fluid.strength)
    canvas.add(lines, 0.09 + 0.12 * fluid.strength, blur=0.6, within=air)


def atelectasis(canvas: Canvas, lung: Lung, *, lost: Atelectasis, slip: float, site: Site) -> None:
    """Bands across the base or middle of a lung, or a lobe that has shrunk towards the hilum."""
    rng = np.random.default_rng(lost.seed)
    if lost.kind == "linear":
        _bands(canvas, lung, lost=lost, rng=rng, site=site)
        return
    sign, loss = SIGN[lost.side], LOSS[lost.degree]
    if lost.zone == "upper":
        edge = 118 - 26 * loss
        lobe: Path = [(14, 36), (46, 32), (76, 52), (90, 84), (78, edge - 2), (48, edge), (20, edge + 26)]
        if site == "B":
            lobe = [(14, 34), (54, 32), (60, 60), (48 - 8 * loss, 100), (24, 132)]
    else:
        out = 74 - 20 * loss
        lobe = [(8, 142), (20, 136), (34, 162), (out, lung.dome - 4), (out + 2, lung.dome + 14)]
        lobe += [(8, lung.dome + 22)]
    shape = canvas.fill(mirrored(curve(moved(lobe, 0.3 * slip * sign), closed=True, rounds=2), sign))
    soft = soften(shape, 1.8).astype(np.float32) / 255
    soft *= np.clip(1 + 0.08 * clouds(rng, canvas.shape, cell=9), 0.6, 1.4)
    canvas.add(soft * (soften(lung.mask, 1.2).astype(np.float32) / 255), 0.26 + 0.16 * loss)


def _bands(canvas: Canvas, lung: Lung, *, lost: Atelectasis, rng: np.random.Generator, site: Site) -> None:
    """One, two or three plates; at site B they are short, steep and stand fan-like over the dome."""
    sign = SIGN[lost.side]
    count = {"mild": 1, "moderate": 2, "marked": 3}[lost.degree]
    wide = {"mild": 2.8, "moderate": 3.6, "marked": 4.6}[lost.degree]
    start = lung.dome - 13 if lost.zone == "lower" else 152.0
    sheet = canvas.empty()
    for k in range(count):
        x, y = rng.uniform(24, 36), start - k * rng.uniform(9, 14) + rng.uniform(-4, 4)
        reach, rise = rng.uniform(44, 60), rng.uniform(-9, 7)
        if site == "B":
            x, reach, rise = x + 8 + 10 * k, 0.62 * reach, -abs(rise) * 2.2 - 5
        path: Path = [(x, y), (x + reach / 2, y + rise * 0.6 - 2), (x + reach, y + rise)]
        canvas.stroke(mirrored(curve(path), sign), wide, onto=sheet)
    canvas.add(sheet, 0.34, blur=0.9, within=lung.mask)
    if lost.degree == "marked" and lost.zone == "lower":
        haze = canvas.blob((sign * 56, lung.dome - 8), (46, 20))
        canvas.add(haze, 0.13, blur=6, within=lung.mask)


def lesion(canvas: Canvas, lung: Lung, *, growth: Lesion, site: Site) -> None:
    """A rounded opacity with a lobed edge; at site B it is oval and rayed, and some masses are hollow."""
    rng = np.random.default_rng(growth.seed)
    reach = rng.uniform(0, 1, 2)
    span = {"upper": (40, 64), "mid": (46, 86), "lower": (46, 86)}[growth.zone]
    x = span[0] + (span[1] - span[0]) * reach[0]
    y = min(ZONES[growth.zone] + 26 * (reach[1] - 0.5), lung.dome - growth.radius - 3)
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    lobes = 1 + (0.07 if site == "A" else 0.13) * rng.normal(0, 1, 16)
    stretch = np.array([1.0, 1.0]) if site == "A" else np.array([1.18, 0.85])
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (growth.radius * lobes)[:, None] * stretch
    centre = np.array([SIGN[growth.side] * x, y])
    sheet = canvas.fill(curve(ring + centre, closed=True, rounds=2))
    if site == "B":
        for k in range(0, 16, 2):
            canvas.stroke([centre + ring[k] * 0.9, centre + ring[k] * 1.5], 1.2, value=150, onto=sheet)
    if growth.kind == "mass" and rng.random() < (0.15 if site == "A" else 0.4):
        canvas.blob(
            centre + rng.uniform(-3, 3, 2), growth.radius * np.array([0.55, 0.5]), value=70, onto=sheet
        )
    density = 0.36 + 0.14 * min(1.0, growth.radius / 16)
    canvas.add(sheet, density, blur=1.1, within=soften(lung.mask, 1.0))
