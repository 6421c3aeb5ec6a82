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

from xemplar.sources.phantom import frontal, lateral, pathology
from xemplar.sources.phantom.canvas import Canvas
from xemplar.sources.phantom.truth import Body, Pathology, Shot

SHOULDER = 1.15
"""Of the film's curve, 1 - exp(-SHOULDER * density)."""


@dataclass(frozen=True, slots=True)
class DrawnView:
    """One view that is drawn when asked: small, picklable, and a `contracts.Drawable`."""

    body: Body
    pathology: Pathology
    shot: Shot

    def draw(self) -> NDArray[np.uint8]:
        """(height, width) grey, bone bright; about 10 ms."""
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
    frontal.torso(canvas, body)
    lungs = frontal.lungs(canvas, body, shot=shot)
    frontal.spine(canvas, body)
    both = np.maximum(lungs["right"].mask, lungs["left"].mask)
    heart = frontal.mediastinum(canvas, body, shot=shot, ratio=disease.heart.ratio, lungs=both)
    for opacity in disease.consolidations:
        pathology.consolidation(canvas, lungs[opacity.side], opacity=opacity)
    aerated = {side: lung.mask for side, lung in lungs.items()}
    if air := disease.pneumothorax:
        aerated[air.side] = pathology.pneumothorax(canvas, lungs[air.side], air=air)
    for fluid in disease.effusions:
        under = pathology.effusion(canvas, lungs[fluid.side], fluid=fluid, heart=heart)
        aerated[fluid.side] = cv2.subtract(aerated[fluid.side], under)
    for side in lungs:
        canvas.add(frontal.vessels(canvas, body, side=side), 0.21, blur=0.7, within=aerated[side])
    frontal.granuloma(canvas, body)
    frontal.ribs(canvas, body)
    frontal.shoulders(canvas, body, shot=shot)
    for thing in disease.devices:
        pathology.device(canvas, thing, shot=shot, dome=lungs["left"].dome)


def _expose(canvas: Canvas, shot: Shot) -> NDArray[np.uint8]:
    """Densities -> grey: scatter, uneven exposure, noise, window, gamma, marks."""
    rng = np.random.default_rng(shot.seed)
    density = canvas.density
    if shot.blur > 0.25:
        density = cv2.GaussianBlur(density, (0, 0), shot.blur)
    height, width = canvas.shape
    density = density + np.linspace(-0.5, 0.5, width, dtype=np.float32) * shot.cast[0]
    density += np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None] * shot.cast[1]
    # What is dense anyway gains little by more: the film's shoulder.
    shown = 1 - cv2.exp(-SHOULDER * density)
    shown += rng.standard_normal((height, width), dtype=np.float32) * shot.noise
    black, white = shot.window
    level = np.clip((shown - black) / (white - black), 0, 1)
    grey: NDArray[np.uint8] = (cv2.pow(level, shot.gamma) * 250).astype(np.uint8)
    top, bottom, left, right = shot.frame
    grey[:top] = grey[height - bottom :] = 0
    grey[:, :left] = grey[:, width - right :] = 0
    _mark(grey, shot)
    return grey


def _mark(grey: NDArray[np.uint8], shot: Shot) -> None:
    """The side marker (a letter on the side it names) and the small word DRAWN at the foot."""
    height, width = grey.shape
    font: Any = cv2.FONT_HERSHEY_SIMPLEX
    if shot.position == "frontal":
        x = 10 if shot.marker == "right" else width - 24
        cv2.putText(grey, shot.marker[0].upper(), (x, 26), font, 0.6, 240, 2, cv2.LINE_AA)
    grey[height - 14 :, :44] = 0
    cv2.putText(grey, "DRAWN", (3, height - 4), font, 0.33, 200, 1, cv2.LINE_AA)
