"""What is true of a drawn study: the body, its pathology and how the film was taken.

Knows the nouns and how the nine labels and the facets follow from them. Doesn't know how they are
sampled, drawn or worded. Lengths are in pixels of a nominal frontal film of 320 x 288.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xemplar.records import Presence

Side = Literal["right", "left"]
Zone = Literal["upper", "mid", "lower"]
Position = Literal["frontal", "lateral"]
Site = Literal["A", "B"]
Device = Literal["pacemaker", "endotracheal tube", "jugular line", "picc", "nasogastric tube", "chest tube"]
Syntax = Literal["explicit", "implicit", "rle", "jpeg-ls", "jpeg2000", "jpeg-lossless"]

CARDIOMEGALY = "Cardiomegaly"
EFFUSION = "Pleural Effusion"
PNEUMOTHORAX = "Pneumothorax"
CONSOLIDATION = "Consolidation"
DEVICES = "Support Devices"
EDEMA = "Edema"
ATELECTASIS = "Atelectasis"
LESION = "Lung Lesion"
FRACTURE = "Fracture"
FINDINGS = (
    CARDIOMEGALY,
    EFFUSION,
    PNEUMOTHORAX,
    CONSOLIDATION,
    DEVICES,
    EDEMA,
    ATELECTASIS,
    LESION,
    FRACTURE,
)
"""In this order everywhere; names as in the lexicon of the findings engine."""

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
class Edema:
    """Fluid in the lungs; `degree` mild, moderate or severe, `strength` (0 to 1) how much of it shows.

    Mild: upper vessels widened and all blurred, Kerley lines; moderate: perihilar haze as well; severe:
    both lungs white around the hila.
    """

    degree: str
    strength: float
    seed: int


@dataclass(frozen=True, slots=True)
class Atelectasis:
    """Lung without air; `degree` mild, moderate or marked.

    "linear": one band or several across a base or zone, no volume lost to speak of. "lobar": an upper or
    a lower lobe collapsed towards the hilum, with the diaphragm raised and the heart drawn over; never
    mild, and never in the mid zone.
    """

    side: Side
    zone: Zone
    degree: str
    kind: Literal["linear", "lobar"]
    seed: int


@dataclass(frozen=True, slots=True)
class Lesion:
    """A rounded opacity; `degree` small, moderate or large; the large ones are masses, the rest nodules."""

    side: Side
    zone: Zone
    degree: str
    kind: Literal["nodule", "mass"]
    radius: float
    seed: int


@dataclass(frozen=True, slots=True)
class Fracture:
    """A broken rib; `level` is the rib's number, `healed` one has callus, `shift` is its step in pixels."""

    side: Side
    level: int
    healed: bool
    shift: float


@dataclass(frozen=True, slots=True)
class SupportDevice:
    """A device in place; `side` is None for what lies in the midline, `slack` (0 to 1) bends it."""

    kind: Device
    side: Side | None
    slack: float


@dataclass(frozen=True, slots=True)
class Pathology:
    """Everything that the nine labels speak of."""

    heart: Heart
    effusions: tuple[Effusion, ...] = ()
    pneumothorax: Pneumothorax | None = None
    consolidations: tuple[Consolidation, ...] = ()
    devices: tuple[SupportDevice, ...] = ()
    edema: Edema | None = None
    atelectases: tuple[Atelectasis, ...] = ()
    lesions: tuple[Lesion, ...] = ()
    fractures: tuple[Fracture, ...] = ()

    @property
    def labels(self) -> dict[str, Presence]:
        """The drawn truth of all nine findings; a healed fracture is present, too."""
        drawn = {
            CARDIOMEGALY: self.heart.degree is not None,
            EFFUSION: bool(self.effusions),
            PNEUMOTHORAX: self.pneumothorax is not None,
            CONSOLIDATION: bool(self.consolidations),
            DEVICES: bool(self.devices),
            EDEMA: self.edema is not None,
            ATELECTASIS: bool(self.atelectases),
            LESION: bool(self.lesions),
            FRACTURE: bool(self.fractures),
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
        if self.edema:
            facets["edema"] = self.edema.degree
        if self.atelectases:
            facets["atelectasis"] = "; ".join(
                f"{a.side} {a.zone} {a.kind} {a.degree}" for a in self.atelectases
            )
        if self.lesions:
            facets["lesion"] = "; ".join(f"{n.side} {n.zone} {n.kind} {n.degree}" for n in self.lesions)
        if self.fractures:
            facets["fracture"] = "; ".join(
                f"{b.side} rib {b.level} {'healed' if b.healed else 'recent'}" for b in self.fractures
            )
        return facets


@dataclass(frozen=True, slots=True)
class Body:
    """A patient: what stays the same from film to film. None of it is one of the nine findings."""

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
    site: Site = "A"


@dataclass(frozen=True, slots=True)
class Storage:
    """How a view's DICOM file is written: its transfer syntax and what its values mean.

    `inverted` is MONOCHROME1; `rescale` is slope and intercept, None where the file has none;
    `windowed` says whether the file has a window.
    """

    syntax: Syntax
    inverted: bool
    rescale: tuple[float, float] | None
    windowed: bool
