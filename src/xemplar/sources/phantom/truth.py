"""What is true of a drawn study: the body, its pathology and how the film was taken.

Knows the nouns and how the five labels and the facets follow from them. Doesn't know how they are
sampled, drawn or worded. Lengths are in pixels of a nominal frontal film of 320 x 288.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xemplar.records import Presence

Side = Literal["right", "left"]
Zone = Literal["upper", "mid", "lower"]
Position = Literal["frontal", "lateral"]
Device = Literal["pacemaker", "endotracheal tube", "jugular line", "picc", "nasogastric tube", "chest tube"]

CARDIOMEGALY = "Cardiomegaly"
EFFUSION = "Pleural Effusion"
PNEUMOTHORAX = "Pneumothorax"
CONSOLIDATION = "Consolidation"
DEVICES = "Support Devices"
FINDINGS = (CARDIOMEGALY, EFFUSION, PNEUMOTHORAX, CONSOLIDATION, DEVICES)

SIGN = {"right": -1.0, "left": 1.0}
"""Film convention: the patient's right is on the image's left."""


@dataclass(frozen=True, slots=True)
class Heart:
    """Cardiothoracic ratio; `degree` is None up to about one half, else mild, moderate or severe."""

    ratio: float
    degree: str | None = None


@dataclass(frozen=True, slots=True)
class Effusion:
    """Pleural fluid; `fill` is the height of its lateral edge as a part of the lung's height."""

    side: Side
    degree: str
    fill: float


@dataclass(frozen=True, slots=True)
class Pneumothorax:
    """Air around the lung; `gap` is how far the lung has drawn back, 0 to 1."""

    side: Side
    degree: str
    gap: float


@dataclass(frozen=True, slots=True)
class Consolidation:
    """An opacity of the lung; `radius` in pixels, `density` where soft tissue is 1, `seed` its shape."""

    side: Side
    zone: Zone
    degree: str
    radius: float
    density: float
    seed: int


@dataclass(frozen=True, slots=True)
class SupportDevice:
    """A device in place; `side` is None for what lies in the midline, `slack` (0 to 1) bends it."""

    kind: Device
    side: Side | None
    slack: float


@dataclass(frozen=True, slots=True)
class Pathology:
    """Everything that the five labels speak of."""

    heart: Heart
    effusions: tuple[Effusion, ...] = ()
    pneumothorax: Pneumothorax | None = None
    consolidations: tuple[Consolidation, ...] = ()
    devices: tuple[SupportDevice, ...] = ()

    @property
    def labels(self) -> dict[str, Presence]:
        """The drawn truth of all five findings."""
        drawn = {
            CARDIOMEGALY: self.heart.degree is not None,
            EFFUSION: bool(self.effusions),
            PNEUMOTHORAX: self.pneumothorax is not None,
            CONSOLIDATION: bool(self.consolidations),
            DEVICES: bool(self.devices),
        }
        return {finding: "present" if there else "absent" for finding, there in drawn.items()}

    @property
    def facets(self) -> dict[str, str]:
        """Sides and degrees in words, for those findings that are present."""
        facets: dict[str, str] = {}
        if self.heart.degree:
            facets["cardiomegaly"] = self.heart.degree
        for effusion in self.effusions:
            facets[f"effusion_{effusion.side}"] = effusion.degree
        if self.pneumothorax:
            facets["pneumothorax"] = f"{self.pneumothorax.side} {self.pneumothorax.degree}"
        if self.consolidations:
            facets["consolidation"] = "; ".join(f"{c.side} {c.zone} {c.degree}" for c in self.consolidations)
        if self.devices:
            facets["devices"] = "; ".join(" ".join(filter(None, (d.side, d.kind))) for d in self.devices)
        return facets


@dataclass(frozen=True, slots=True)
class Body:
    """A patient: what stays the same from film to film. None of it is one of the five findings."""

    seed: int
    sex: Literal["F", "M"]
    age: int
    girth: float
    """Soft tissue around the chest, 0 (thin) to 1 (obese)."""
    width: float
    """Of the chest relative to the nominal one."""
    heart_lie: float
    """-1 (upright heart) to 1 (lying heart)."""
    scoliosis: Side | None = None
    """The side of the convexity."""
    granuloma: tuple[Side, Zone] | None = None
    fracture: Side | None = None
    raised: Side | None = None
    """The side of a raised hemidiaphragm."""
    unfolded_aorta: bool = False
    spondylosis: bool = False
    hyperinflated: bool = False

    def incidental(self) -> tuple[tuple[str, str], ...]:
        """What a reader may remark on: pairs of the thing and its place in words."""
        found: list[tuple[str, str]] = []
        if self.hyperinflated:
            found.append(("hyperinflated", ""))
        if self.raised:
            found.append(("raised", self.raised))
        if self.granuloma:
            found.append(("granuloma", " ".join(self.granuloma)))
        if self.unfolded_aorta:
            found.append(("aorta", ""))
        if self.scoliosis:
            found.append(("scoliosis", self.scoliosis))
        if self.fracture:
            found.append(("fracture", self.fracture))
        if self.spondylosis:
            found.append(("spondylosis", ""))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Shot:
    """How one view was taken: geometry in pixels and degrees, exposure as densities."""

    seed: int
    position: Position
    projection: Literal["PA", "AP", "LL"]
    height: int
    width: int
    scale: float
    tilt: float
    shift: tuple[float, float]
    turn: float
    """Sideways slip of what lies before the spine, from a rotated patient."""
    breath: float
    """Depth of inspiration, -1 to 1; below -0.6 the lung volumes are called low."""
    window: tuple[float, float]
    """The parts of full exposure shown black and white."""
    gamma: float
    noise: float
    cast: tuple[float, float]
    """Uneven exposure: change of density from edge to edge, across and down."""
    blur: float
    frame: tuple[int, int, int, int]
    """Pixels shut off by the collimator: top, bottom, left, right."""
    marker: Side
    bubble: float
    """Of gas in the stomach, 0 to 1; above 0.8 it is called distended."""
