"""How a drawn study's views are taken and stored: projection, geometry, exposure, file.

Knows ranges only; what they look like is `film`'s and `written`'s affair.
"""

from __future__ import annotations

import numpy as np

from xemplar.sources.phantom.disease import Circumstances, side_of
from xemplar.sources.phantom.sites import PRACTICES, Practice
from xemplar.sources.phantom.truth import Position, Shot, Site, Storage, Syntax

SYNTAXES: tuple[Syntax, ...] = ("explicit", "implicit", "rle", "jpeg-ls", "jpeg2000", "jpeg-lossless")


def shots(
    rng: np.random.Generator, streams: tuple[np.random.Generator, ...], *, about: Circumstances
) -> tuple[Shot, ...]:
    """A frontal view and, of most out-patients, a lateral one; each view has a stream of its own."""
    practice = PRACTICES[about.site]
    lateral = rng.random() < (0.25 if about.inpatient else 0.79)
    bubble, bedside = float(rng.random()), bool(rng.random() < practice.bedside[about.inpatient])
    taken = [_shot(streams[0], practice, about=about, position="frontal", bubble=bubble, bedside=bedside)]
    if lateral:
        taken.append(
            _shot(streams[1], practice, about=about, position="lateral", bubble=bubble, bedside=False)
        )
    return tuple(taken)


def _shot(
    rng: np.random.Generator,
    practice: Practice,
    *,
    about: Circumstances,
    position: Position,
    bubble: float,
    bedside: bool,
) -> Shot:
    frontal = position == "frontal"
    black = float(rng.uniform(*practice.black))
    return Shot(
        seed=int(rng.integers(2**31)),
        position=position,
        projection="LL" if not frontal else "AP" if bedside else "PA",
        height=practice.height,
        width=int(rng.integers(*(practice.frontal_width if frontal else practice.lateral_width))),
        scale=float(rng.uniform(*practice.scale)) * practice.height / 320,
        tilt=float(rng.normal(0, practice.tilt)),
        shift=(float(rng.normal(0, practice.slip)), float(rng.normal(6, 0.8 * practice.slip))),
        turn=float(rng.normal(0, 4.5 if bedside else 3.0)),
        breath=about.breath,
        window=(black, float(rng.uniform(*practice.white))),
        gamma=float(np.exp(rng.normal(*practice.gamma))),
        noise=float(rng.uniform(*practice.noise)),
        cast=(float(rng.normal(0, practice.cast)), float(rng.normal(0, practice.cast))),
        blur=float(rng.uniform(*practice.blur)),
        frame=_frame(rng, practice.collimated),
        marker=side_of(rng),
        bubble=bubble,
        site=about.site,
    )


def _frame(rng: np.random.Generator, chance: float) -> tuple[int, int, int, int]:
    """Some films are collimated on some sides."""
    if rng.random() >= chance:
        return (0, 0, 0, 0)
    top, bottom, left, right = (int(x) for x in np.maximum(0, rng.normal(4, 9, 4)).clip(0, 22))
    return (top, bottom, left, right)


def storage(rng: np.random.Generator, site: Site) -> Storage | None:
    """One study in eight has DICOM files; half of those are compressed."""
    if rng.random() >= PRACTICES[site].dicom:
        return None
    syntax = SYNTAXES[int(np.searchsorted((0.3, 0.5, 0.64, 0.76, 0.88), rng.random()))]
    inverted = bool(rng.random() < 0.5)
    rescale = (
        (float(rng.choice((0.5, 2.0))), float(rng.choice((0.0, -1024.0)))) if rng.random() < 0.4 else None
    )
    return Storage(syntax, inverted, rescale, windowed=bool(rng.random() < 0.6))
