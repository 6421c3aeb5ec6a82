"""A drawn view: anatomy and pathology in order, then exposure, noise and the marks burned in.

Knows how densities become grey values. The same view always draws the same pixels; disease changes
none of the random parts, so that films with and without it differ by the disease alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xemplar.sources.phantom import bones, devices, frontal, lateral, parenchyma, pathology
from xemplar.sources.phantom.canvas import Canvas, soften
from xemplar.sources.phantom.truth import Body, Pathology, Shot

SHOULDER = 1.15
"""Of the film's curve, 1 - exp(-SHOULDER * density)."""
EVENED = {"A": 0.38, "B": 0.18}
"""How much of the slow changes of grey each site's processing takes away."""
MEAN = 0.55
DEEP = 4095
"""The largest value of 12 bits."""


@dataclass(frozen=True, slots=True)
class DrawnView:
    """One view that is drawn when asked: small, picklable, and a `contracts.Drawable`."""

    body: Body
    pathology: Pathology
    shot: Shot

    def draw(self) -> NDArray[np.uint8]:
        """(height, width) grey, bone bright; about 10 ms."""
        return _marked(_quantised(self._level(), 250, self.shot), self.shot, top=255)

    def draw_deep(self) -> NDArray[np.uint16]:
        """The same film in 12 bits, from the densities: values 0 to 4095, bone bright."""
        return _marked(_quantised(self._level(), 250 * DEEP / 255, self.shot), self.shot, top=DEEP)

    def _level(self) -> NDArray[np.float32]:
        shot = self.shot
        across = shot.scale * (self.body.width if shot.position == "frontal" else 1.0)
        canvas = Canvas(
            (shot.height, shot.width), scale=(across, shot.scale), tilt=shot.tilt, shift=shot.shift
        )
        if shot.position == "frontal":
            _draw_frontal(canvas, self.body, disease=self.pathology, shot=shot)
        else:
            lateral.draw(canvas, self.body, disease=self.pathology, shot=shot)
        return _expose(canvas, shot)


def _draw_frontal(canvas: Canvas, body: Body, *, disease: Pathology, shot: Shot) -> None:
    site, pull = shot.site, frontal.strain(disease, shot)
    frontal.torso(canvas, body)
    lungs = frontal.lungs(canvas, body, shot=shot, pull=pull)
    bones.spine(canvas, body)
    both = np.maximum(lungs["right"].mask, lungs["left"].mask)
    heart = frontal.mediastinum(
        canvas, body, shot=shot, ratio=disease.heart.ratio, lungs=both, slip=pull.slip
    )
    for opacity in disease.consolidations:
        pathology.consolidation(canvas, lungs[opacity.side], opacity=opacity, site=site)
    for lost in disease.atelectases:
        parenchyma.atelectasis(canvas, lungs[lost.side], lost=lost, slip=pull.slip, site=site)
    for growth in disease.lesions:
        parenchyma.lesion(canvas, lungs[growth.side], growth=growth, site=site)
    if disease.edema:
        parenchyma.edema(canvas, lungs, fluid=disease.edema, site=site)
    aerated = {side: lung.mask for side, lung in lungs.items()}
    if air := disease.pneumothorax:
        aerated[air.side] = pathology.pneumothorax(canvas, lungs[air.side], air=air, site=site)
    for fluid in disease.effusions:
        under = pathology.effusion(canvas, lungs[fluid.side], fluid=fluid, heart=heart, site=site)
        aerated[fluid.side] = frontal.without(aerated[fluid.side], under)
    wet = disease.edema.strength if disease.edema else 0.0
    trees = [frontal.vessels(canvas, body, side=side, slip=pull.slip, edema=disease.edema) for side in lungs]
    airy = np.maximum(aerated["right"], aerated["left"])
    canvas.add(np.maximum(*trees), 0.27, blur=0.6 + 1.5 * wet, within=airy)
    frontal.granuloma(canvas, body)
    bones.ribs(canvas, body, broken=disease.fractures)
    bones.shoulders(canvas, shot=shot)
    for thing in disease.devices:
        devices.device(canvas, thing, slip=pull.slip, dome=lungs["left"].dome, site=site)


def _expose(canvas: Canvas, shot: Shot) -> NDArray[np.float32]:
    """Densities -> grey in 0 to 1: scatter, uneven exposure, noise, processing, window, gamma."""
    rng = np.random.default_rng(shot.seed)
    density = canvas.density
    if shot.blur > 0.25:
        density = np.asarray(cv2.GaussianBlur(density, (0, 0), shot.blur))
    height, width = canvas.shape
    density = density + np.linspace(-0.5, 0.5, width, dtype=np.float32) * shot.cast[0]
    density += np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None] * shot.cast[1]
    # What is dense anyway gains little by more: the film's shoulder.
    shown = 1 - np.asarray(cv2.exp(-SHOULDER * density))
    shown += rng.standard_normal((height, width), dtype=np.float32) * (shot.noise * (0.4 + shown))
    # As a reader's screen does: slow changes made smaller, so that dark and bright regions both show.
    shown -= EVENED[shot.site] * (soften(shown, 26) - MEAN) * np.minimum(1, 4 * np.maximum(shown, 0))
    black, white = shot.window
    level = np.clip((shown - black) / (white - black), 0, 1)
    grey: NDArray[np.float32] = np.asarray(cv2.pow(level, shot.gamma), np.float32)
    return grey


def _quantised(level: NDArray[np.float32], top: float, shot: Shot) -> NDArray[Any]:
    grey = (level * top).astype(np.uint8 if top < 256 else np.uint16)
    height, width = grey.shape
    above, below, left, right = shot.frame
    grey[:above] = grey[height - below :] = 0
    grey[:, :left] = grey[:, width - right :] = 0
    return grey


def _marked(grey: NDArray[Any], shot: Shot, *, top: int) -> NDArray[Any]:
    """The side marker (a letter on the side it names) and the small word DRAWN at the foot."""
    height, width = grey.shape
    font: Any = cv2.FONT_HERSHEY_SIMPLEX
    ink = grey if top == 255 else np.zeros(grey.shape, np.uint8)
    grey[height - 14 :, :44] = 0
    if shot.position == "frontal":
        x = 10 if shot.marker == "right" else width - 24
        thick, size = (2, 0.6) if shot.site == "A" else (1, 0.75)
        cv2.putText(ink, shot.marker[0].upper(), (x, 26), font, size, 240, thick, cv2.LINE_AA)
        if shot.site == "B" and shot.projection == "AP":
            cv2.putText(ink, "AP", (x - 4, 44), font, 0.4, 220, 1, cv2.LINE_AA)
    cv2.putText(ink, "DRAWN", (3, height - 4), font, 0.33, 200, 1, cv2.LINE_AA)
    if ink is not grey:
        np.maximum(grey, (ink.astype(np.uint32) * top // 255).astype(grey.dtype), out=grey)
    return grey
