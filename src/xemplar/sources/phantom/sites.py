"""The two made-up hospitals: whom they see, how often things are found, and how they expose a film.

Data only. Site A is the one that anything may be tuned to; site B differs in prevalence, proportions,
exposure, readers and (in the drawing) the shapes of disease, and nothing is ever tuned to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xemplar.sources.phantom.truth import Site

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Practice:
    """What one site does and sees. Pairs of chances are for (out-patients, in-patients)."""

    inpatients: Range
    """Chance that a patient is one: where it starts, and what each further study adds."""
    chances: Mapping[str, Range]
    """Of a finding before others make it likelier (see `disease`)."""
    readers: tuple[tuple[float, float, float, float], tuple[float, float, float, float]]
    """Shares of the four readers."""
    girth: Range
    """Shape of a beta distribution."""
    width: Range
    """Of the chest relative to the nominal one."""
    height: int
    """Of a film, in pixels."""
    frontal_width: tuple[int, int]
    lateral_width: tuple[int, int]
    scale: Range
    black: Range
    white: Range
    gamma: Range
    """Mean and deviation of its logarithm."""
    noise: Range
    blur: Range
    cast: float
    tilt: float
    slip: float
    """Deviation of where the patient stands, in pixels."""
    collimated: float
    bedside: Range
    """Chance of an AP projection."""
    dicom: float = 0.125
    """Chance that a study's views are DICOM files of 12 bits rather than drawn on demand."""


PRACTICES: Mapping[Site, Practice] = {
    "A": Practice(
        inpatients=(0.24, 0.06),
        chances={
            "edema": (0.03, 0.17),
            "heart": (0.09, 0.13),
            "effusion": (0.07, 0.19),
            "pneumothorax": (0.06, 0.12),
            "consolidation": (0.11, 0.2),
            "atelectasis": (0.07, 0.12),
            "lesion": (0.11, 0.08),
            "fracture": (0.06, 0.08),
            "devices": (0.1, 0.42),
        },
        readers=((0.42, 0.18, 0.26, 0.14), (0.16, 0.42, 0.22, 0.2)),
        girth=(1.6, 2.4),
        width=(0.885, 1.08),
        height=320,
        frontal_width=(272, 305),
        lateral_width=(248, 273),
        scale=(1.04, 1.22),
        black=(0.05, 0.2),
        white=(0.82, 0.98),
        gamma=(0.0, 0.26),
        noise=(0.006, 0.026),
        blur=(0.0, 0.9),
        cast=0.11,
        tilt=2.6,
        slip=9.5,
        collimated=0.3,
        bedside=(0.04, 0.94),
    ),
    "B": Practice(
        inpatients=(0.3, 0.06),
        chances={
            "edema": (0.04, 0.16),
            "heart": (0.1, 0.16),
            "effusion": (0.09, 0.2),
            "pneumothorax": (0.04, 0.08),
            "consolidation": (0.08, 0.15),
            "atelectasis": (0.09, 0.14),
            "lesion": (0.07, 0.06),
            "fracture": (0.09, 0.1),
            "devices": (0.07, 0.36),
        },
        readers=((0.1, 0.12, 0.36, 0.42), (0.06, 0.2, 0.3, 0.44)),
        girth=(2.2, 2.0),
        width=(0.88, 1.1),
        height=336,
        frontal_width=(300, 341),
        lateral_width=(262, 291),
        scale=(0.96, 1.16),
        black=(0.0, 0.12),
        white=(0.84, 1.06),
        gamma=(0.16, 0.2),
        noise=(0.01, 0.034),
        blur=(0.3, 1.1),
        cast=0.2,
        tilt=3.8,
        slip=11.0,
        collimated=0.55,
        bedside=(0.12, 0.9),
    ),
}
