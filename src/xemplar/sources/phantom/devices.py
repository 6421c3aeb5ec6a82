"""Tubes, lines and pacemakers on the frontal film, in the makes of either site.

Knows where such things run in nominal pixels. Doesn't know words or labels.
"""

from __future__ import annotations

from xemplar.sources.phantom.canvas import Canvas, Mask, Path, curve, moved
from xemplar.sources.phantom.truth import SIGN, Site, SupportDevice

_WIDTHS = {
    "endotracheal tube": 3.6,
    "nasogastric tube": 2.4,
    "jugular line": 2.2,
    "picc": 1.7,
    "chest tube": 4.6,
}


def device(canvas: Canvas, thing: SupportDevice, *, slip: float, dome: float, site: Site) -> None:
    """One support device: bright, thin, where such a thing runs; `dome` is the left diaphragm's height."""
    wires, metal = canvas.empty(), canvas.empty()
    sign = SIGN[thing.side] if thing.side else 1.0
    if thing.kind == "pacemaker":
        draw = _pacemaker if site == "A" else _defibrillator
        draw(canvas, (wires, metal), sign=sign, slack=thing.slack, slip=slip)
    else:
        path, width = _course(thing, sign=sign, slip=slip, dome=dome), _WIDTHS[thing.kind]
        if width > 3 and site == "A":  # A wide tube is faint, with a bright stripe along one side.
            canvas.stroke(curve(path), width, value=115, onto=wires)
            canvas.stroke(curve(moved(path, 0.4 * width * sign)), 1.3, onto=wires)
        elif width > 3:  # Or two faint walls.
            canvas.stroke(curve(path), width + 1, value=190, onto=wires)
            canvas.stroke(curve(path), width - 1.4, value=70, onto=wires)
        else:
            canvas.stroke(curve(path), width * (1.0 if site == "A" else 1.25), onto=wires)
    canvas.add(wires, 0.46 if site == "A" else 0.4, blur=0.5)
    canvas.add(metal, 0.9, blur=0.6)


def _course(thing: SupportDevice, *, sign: float, slip: float, dome: float) -> Path:
    """Where a tube or line runs, from where it enters the film to its tip."""
    slack = thing.slack
    if thing.kind == "endotracheal tube":
        return [(slip * 0.5 + 3, -60), (slip * 0.5, 30), (slip, 76 + 12 * slack)]
    if thing.kind == "nasogastric tube":
        gullet: Path = [(slip - 6, -60), (slip - 5, 60), (slip + 4, 150), (slip + 8, 215)]
        return [*gullet, (26, dome + 14), (44 + 14 * slack, dome + 34), (38, dome + 48)]
    if thing.kind == "jugular line":
        neck: Path = [(sign * 36, -60), (sign * 30, 20), (sign * 22 + slip, 64)]
        return [*neck, (slip - 17, 82), (slip - 20, 108 + 22 * slack)]
    if thing.kind == "picc":
        arm: Path = [(sign * 170, 150), (sign * 142, 96), (sign * 104, 58), (sign * 56, 62)]
        return [*arm, (sign * 16 + slip, 72), (slip - 19, 86), (slip - 20, 112 + 20 * slack)]
    wall: Path = [(sign * 150, 215 + 20 * slack), (sign * 108, 186), (sign * 84, 140)]
    return [*wall, (sign * 62, 82), (sign * 48, 62)]


def _pacemaker(canvas: Canvas, sheets: tuple[Mask, Mask], *, sign: float, slack: float, slip: float) -> None:
    """A rounded can and two leads."""
    wires, metal = sheets
    x, y = sign * (78 + 8 * slack), 72 + 10 * slack
    can = curve(moved([(-15, -11), (13, -12), (15, 4), (6, 13), (-13, 12)], x, y=y), closed=True, rounds=2)
    canvas.fill(can, value=215, onto=metal)
    canvas.blob((x, y - 3), (7, 5), value=255, onto=metal)
    vein: Path = [(x, y - 12), (sign * 58, 52), (sign * 28, 64), (slip - 16, 84), (slip - 20, 130)]
    canvas.stroke(curve([*vein, (slip - 16, 190), (14, 214), (46 + 10 * slack, 218)]), 1.8, onto=wires)
    canvas.stroke(curve([*vein, (slip - 30, 168), (slip - 14, 178 - 8 * slack)]), 1.8, onto=wires)


def _defibrillator(
    canvas: Canvas, sheets: tuple[Mask, Mask], *, sign: float, slack: float, slip: float
) -> None:
    """A larger, squarer can, two leads, and a coil on the ventricle's."""
    wires, metal = sheets
    x, y = sign * (82 + 6 * slack), 84 + 8 * slack
    can = curve(moved([(-17, -14), (15, -15), (18, 12), (-4, 19), (-18, 10)], x, y=y), closed=True, rounds=1)
    canvas.fill(can, value=200, onto=metal)
    canvas.fill(moved([(-12, -13), (10, -13), (10, -6), (-12, -6)], x, y=y), value=120, onto=metal)
    vein: Path = [(x, y - 14), (sign * 60, 58), (sign * 28, 68), (slip - 16, 86), (slip - 20, 130)]
    canvas.stroke(curve([*vein, (slip - 14, 186), (12, 210), (50 + 8 * slack, 222)]), 2.0, onto=wires)
    canvas.stroke(curve([*vein, (slip - 28, 160), (slip - 16, 172 - 8 * slack)]), 1.8, onto=wires)
    canvas.stroke(curve([(slip - 14, 186), (10, 207), (34 + 6 * slack, 216)]), 4.0, onto=wires)
