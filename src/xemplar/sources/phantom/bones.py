"""The frontal chest's bones: spine, ribs whole or broken, clavicles, shoulder blades and arms' heads.

Knows nominal pixels and densities, as `frontal`. Doesn't know lungs, film or exposure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from xemplar.sources.phantom.canvas import Canvas, Mask, Path, Points, curve, mirrored, moved
from xemplar.sources.phantom.truth import SIGN, Body, Fracture, Shot, Side

SIDES: tuple[Side, Side] = ("right", "left")
RIBS = 10
_WALL = np.array([(30, 30), (44, 50), (60, 68), (86, 86), (130, 100), (175, 107), (215, 110), (260, 110)])
"""(y, x) of the rib cage's side."""


def bend(body: Body, y: float) -> float:
    """Sideways course of the spine at height y: 0 unless scoliotic."""
    if body.scoliosis is None:
        return 0.0
    return SIGN[body.scoliosis] * (21.0 * float(np.exp(-(((y - 150) / 60) ** 2))) - 7)


def spine(canvas: Canvas, body: Body) -> None:
    """Vertebral bodies with gaps, pedicles, spinous processes, and spurs where there is spondylosis."""
    sheet = canvas.empty()
    tops = np.arange(-45.0, 340, 18.5)
    half = 10.5 + 0.2 * np.arange(len(tops))
    middle = np.array([bend(body, float(y) + 8) for y in tops])
    corner = np.array([(-0.94, 0), (0.94, 0), (0.86, 0.5), (1, 1), (-1, 1), (-0.86, 0.5)])
    box = corner * np.stack([half, np.full_like(half, 15.5)], axis=1)[:, None]
    box += np.stack([middle, tops], axis=1)[:, None]
    canvas.fills(box, value=130, onto=sheet)
    canvas.strokes(box, 1.4, value=190, onto=sheet, closed=True)
    thorn = np.array([(0, 9.0), (0.5, 18.0)]) + np.stack([middle, tops], axis=1)[:, None]
    canvas.strokes(thorn, 3, value=205, onto=sheet)
    for sign in (-1, 1):
        at = np.stack([middle + sign * half * 0.62, tops], axis=1)[:, None]
        canvas.strokes(np.array([(0, 4.5), (0, 8)]) + at, 3.6, value=215, onto=sheet)
        out = np.stack([middle + sign * half, tops], axis=1)[:, None]
        canvas.strokes(np.array([(0, 5.0), (sign * 8, 3.0)]) + out, 4.4, value=120, onto=sheet)
        if body.spondylosis:
            spur = np.array([(0, 10), (sign * 7, 16), (0, 22)]) + out
            canvas.fills(spur[7::2], value=255, onto=sheet)
    canvas.add(sheet, 0.24, blur=0.9)


def rib(body: Body, k: int, side: Side) -> tuple[Points, Points]:
    """The back and the front part of rib k + 1: each (n, 2), from the spine out and from the side in."""
    back, front = _rib(k, side)
    return moved(back, bend(body, 38 + k * 19.5)), front


@lru_cache(maxsize=2 * RIBS)
def _rib(k: int, side: Side) -> tuple[Points, Points]:
    top = 38 + k * 19.5
    lateral = top + 20 + 2.6 * k
    wall = float(np.interp(lateral, _WALL[:, 0], _WALL[:, 1])) + 1
    arc: Path = [(10, top), (0.3 * wall, top - 7), (0.68 * wall, top - 1), (0.93 * wall, lateral - 14)]
    fore: Path = [(wall, lateral), (0.99 * wall, lateral + 14), (0.8 * wall, lateral + 34)]
    back = mirrored(curve([*arc, (wall, lateral)], rounds=2), SIGN[side])
    return back, mirrored(curve([*fore, (0.56 * wall, lateral + 46)], rounds=2), SIGN[side])


def ribs(canvas: Canvas, body: Body, *, broken: Sequence[Fracture]) -> None:
    """Ten pairs: the back parts fall outwards, the front parts fall inwards and are fainter."""
    sheets = {name: canvas.empty() for name in ("back", "front", "edge", "blood")}
    breaks = {(b.side, b.level - 1): b for b in broken}
    arcs, fores, pieces = [], [], []
    for k in range(RIBS):
        for side in SIDES:
            arc, fore = rib(body, k, side)
            if fault := breaks.get((side, k)):
                pieces += _broken(canvas, arc, fault=fault, at=_place(body), sheets=sheets)
            else:
                arcs.append(arc)
            if k < 8:
                fores.append(fore)
    # A rib is a tube: its two cortical edges are brighter than what lies between them.
    for inset, share in ((0.0, 1.0), (3.0, 0.62)):
        canvas.strokes(fores, 9.0 - inset, value=int(150 * share), onto=sheets["front"])
        canvas.strokes(arcs, 8.4 - inset, value=int(205 * share), onto=sheets["back"])
        for piece in pieces:
            canvas.stroke(piece, 8.4 - inset, value=int(205 * share), onto=sheets["back"])
    canvas.add(sheets["back"], 0.23, blur=0.8)
    canvas.add(sheets["front"], 0.14, blur=1.1)
    if breaks:
        canvas.add(sheets["blood"], 0.26, blur=3)
        canvas.add(sheets["edge"], 0.42, blur=0.8)


def _place(body: Body) -> float:
    """Where along its back part a rib of this patient breaks: the same for neighbours."""
    return float(np.random.default_rng((body.seed, 13)).uniform(0.52, 0.84))


def _broken(
    canvas: Canvas, arc: Points, *, fault: Fracture, at: float, sheets: Mapping[str, Mask]
) -> list[Points]:
    """The two pieces of a rib's back part: a recent break has a step, ends and blood; an old one callus."""
    arc = _evenly(arc)
    cut = int(at * (len(arc) - 1))
    along = (arc[cut + 1] - arc[cut - 1]) / np.hypot(*(arc[cut + 1] - arc[cut - 1]))
    down = np.array([-along[1], along[0]]) * SIGN[fault.side]
    step = down * fault.shift * (0.3 if fault.healed else 1.0)
    inner, outer = arc[: cut + 1], arc[cut if fault.healed else cut + 2 :] + step
    here = (inner[-1] + outer[0]) / 2
    if fault.healed:
        for reach, wide, value in ((4, 17, 150), (3, 11, 240)):
            canvas.stroke(
                arc[cut - reach : cut + reach + 1] + step / 2, wide, value=value, onto=sheets["edge"]
            )
        return [inner, outer]
    for end in (inner[-1], outer[0]):
        canvas.stroke(np.stack([end - 4.8 * down, end + 4.8 * down]), 2.0, onto=sheets["edge"])
    canvas.blob(here + along * 4, (18.0, 13.0), onto=sheets["blood"])
    return [inner, outer]


def _evenly(line: Points, count: int = 41) -> Points:
    """The same polyline with its points at equal distances."""
    far = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0, far[-1], count)
    return np.stack([np.interp(at, far, line[:, 0]), np.interp(at, far, line[:, 1])], axis=1)


def shoulders(canvas: Canvas, *, shot: Shot) -> None:
    """Clavicles, shoulder blades and humeral heads; a turned patient's clavicles slip sideways."""
    sheet, blade = canvas.empty(), canvas.empty()
    bedside = shot.projection == "AP"
    lift, inwards = (-6.0, 14.0) if bedside else (4.0, 0.0)
    for side in SIDES:
        sign = SIGN[side]
        bone: Path = [(8, 66), (24, 60 + lift), (50, 57 + lift), (82, 47 + 0.5 * lift), (116, 48)]
        path = curve(moved(mirrored(bone, sign), shot.turn))
        canvas.stroke(path, 8, value=200, onto=sheet)
        canvas.stroke(path, 4.8, value=130, onto=sheet)
        canvas.blob((sign * 11 + shot.turn, 66), (7, 6), value=190, onto=sheet)
        wing = np.array([(128, 46), (106, 56), (98, 80), (104, 112), (112, 142), (120, 116), (136, 74)])
        wing = mirrored(moved(wing, -inwards), sign)
        canvas.fill(curve(wing, closed=True, rounds=2), value=140, onto=blade)
        canvas.stroke(wing[1:5], 2, value=230, onto=blade)
        canvas.blob((sign * 137, 70), (14, 16), value=215, onto=blade)
        canvas.stroke(mirrored([(100 - inwards, 62), (126 - inwards, 51)], sign), 5, value=190, onto=blade)
    canvas.add(sheet, 0.27, blur=0.8)
    canvas.add(blade, 0.13, blur=1.3)
