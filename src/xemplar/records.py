"""The nouns of the house: View, Study, Sentence, Claim, Hit, Line, Draft and what surrounds them.

Each is frozen and checks itself when it is built; none does anything else. Nothing here knows how a
record is made, stored or scored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
"""(height, width) in [0, 1], bone bright: always a preview."""

Vectors = NDArray[np.float32]
"""(n, dim), rows of length 1."""

Presence = Literal["present", "absent", "uncertain"]
"""What a text says of a finding it mentions; one it does not mention has no claim."""

Domain = Literal["synthetic", "figures", "clinical"]
Split = Literal["train", "val", "test"]
Kind = Literal["image", "sentence", "report"]
TextKind = Literal["reports", "captions"]
Section = Literal["findings", "impression"]

SPLITS: tuple[Split, ...] = ("train", "val", "test")
DOMAINS: tuple[Domain, ...] = ("synthetic", "figures", "clinical")
OBSERVATIONS: tuple[str, ...] = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Lesion",
    "Lung Opacity",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
"""The 14 of CheXpert, in its tables' order (Irvin et al. 2019). Other programs order them otherwise."""

RESEARCH_USE = "Research use only. Not for diagnosis."
"""What every surface says; each adds to it what it shows."""

UNVERIFIED = f"{RESEARCH_USE} Unverified draft."


@dataclass(frozen=True, slots=True)
class Claim:
    """What a span of text says of one finding; `span` is [start, end) in the text it was read from."""

    finding: str
    presence: Presence
    side: str | None = None
    place: str | None = None
    degree: str | None = None
    change: str | None = None
    span: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if not self.finding:
            raise ValueError("a claim names its finding")
        if not 0 <= self.span[0] <= self.span[1]:
            raise ValueError(f"claim span {self.span} is not a range")

    @property
    def meaning(self) -> tuple[str, str, str | None, str | None, str | None, str | None]:
        """Everything but where it stands: two claims with one meaning say the same."""
        return (self.finding, self.presence, self.side, self.place, self.degree, self.change)


@dataclass(frozen=True, slots=True)
class PixelHistory:
    """What was done to the pixels between the stored file and the preview."""

    format: str
    height: int
    width: int
    bits_stored: int = 8
    photometric: str = "MONOCHROME2"
    transfer_syntax: str | None = None
    rescale: tuple[float, float] | None = None
    window: tuple[float, float] | None = None
    steps: tuple[str, ...] = ()
    """In order: "inverted", "windowed", "percentile-stretched", "grey from colour" and so on."""

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"an image of {self.height} x {self.width} pixels")

    @property
    def is_blank(self) -> bool:
        """Whether the image shows nothing: all of it is of one grey."""
        return "blank" in self.steps


@dataclass(frozen=True, slots=True)
class View:
    """One image of a study and the link to its original."""

    view_id: str
    sop_instance_uid: str | None = None
    position: str | None = None
    """"frontal" or "lateral", or the source's own word (PA, AP, LL ...)."""
    laterality: str | None = None
    pixel_spacing: tuple[float, float] | None = None
    pixels: PixelHistory | None = None
    path: str | None = None
    """Of the original, relative to the source's root."""
    sha256: str | None = None

    @property
    def is_blank(self) -> bool:
        """Whether its pixels were read and show nothing."""
        return self.pixels is not None and self.pixels.is_blank


@dataclass(frozen=True, slots=True)
class Study:
    """One examination: its views, its texts, what they claim, and where it stands in the corpus.

    From a source, `study_id` and `patient_id` are the source's own; in a corpus they are salted
    hashes. `labels` is what the source states as true (finding -> presence; for a phantom, what was
    drawn), `claims` is what was read from the texts. A caption is kept as `impression`.
    """

    study_id: str
    patient_id: str | None
    domain: Domain
    views: tuple[View, ...] = ()
    study_uid: str | None = None
    accession: str | None = None
    acquired_at: datetime | None = None
    modality: str | None = None
    language: str | None = None
    indication: str | None = None
    comparison: str | None = None
    findings: str | None = None
    impression: str | None = None
    report_status: str | None = None
    report_version: int | None = None
    prior_id: str | None = None
    claims: tuple[Claim, ...] = ()
    labels: Mapping[str, Presence] = field(default_factory=dict)
    facets: Mapping[str, str] = field(default_factory=dict)
    split: Split | None = None
    split_unit: str | None = None
    """What was kept in one split: "patient", "group", "official" or "study" (patients unknown)."""
    source: str | None = None
    licence: str | None = None

    def __post_init__(self) -> None:
        if not self.study_id:
            raise ValueError("a study has an id")
        if self.domain not in DOMAINS:
            raise ValueError(f"domain {self.domain!r}; wanted one of {', '.join(DOMAINS)}")
        if self.split is not None and self.split not in SPLITS:
            raise ValueError(f"split {self.split!r}; wanted one of {', '.join(SPLITS)}")

    @property
    def text(self) -> str:
        """Findings and impression as one text; empty where the study has neither."""
        return "\n".join(part for part in (self.findings, self.impression) if part)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One distinct sentence and every study that wrote it."""

    sentence_id: str
    text: str
    study_ids: tuple[str, ...]
    claims: tuple[Claim, ...] = ()
    compares_with_prior: bool = False

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("a sentence has text")
        if not self.study_ids:
            raise ValueError(f"sentence {self.sentence_id} names no study that wrote it")


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something of a source that does not enter the corpus, and why. Holds no patient text."""

    key: str
    reason: str
    where: str = ""


Sought = Literal["known", "doubtful", "unknown", "salt missing", "salt unreadable"]
"""Whether a film's header names one of a corpus's patients: it does; its number is one of theirs, and who
gave it is told on one side alone; it does not; or nobody can tell without the corpus's `salt`."""


@dataclass(frozen=True, slots=True)
class Film:
    """An image ready to be asked about, and what is known of where it comes from.

    `image` is a preview. `domain` is None where nobody said; a synthetic archive drafts only for a
    film that says it is synthetic. `study_id` and `patient_id` are set for films of a corpus, so
    that they are left out of their own neighbours.
    """

    image: Image
    pixels: PixelHistory
    domain: Domain | None = None
    position: str | None = None
    study_id: str | None = None
    patient_id: str | None = None
    cluster: str | None = None
    """What it may not be parted from: its patient or group, where the corpus knows one."""
    sha256: str | None = None
    preview: str | None = None
    """Fingerprint of the preview settings it was made with."""
    age_years: float | None = None
    """Of the patient when it was taken, where its file or its study says so."""
    sought: Sought | None = None
    """What came of seeking its patient in a corpus; None where nobody sought."""

    @property
    def is_blank(self) -> bool:
        """Whether it shows nothing."""
        return self.pixels.is_blank


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer of a search: the item, its score, and every study behind it (best view first)."""

    kind: Kind
    item_id: str
    score: float
    study_ids: tuple[str, ...]
    text: str | None = None
    view_id: str | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    """What each stage said: "vectors", "words" ..."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a draft: a contiguous span of one source sentence, and the studies that wrote it."""

    text: str
    sentence_id: str
    sentence_text: str
    span: tuple[int, int]
    source_study_ids: tuple[str, ...]
    claims: tuple[Claim, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    confidence: float | None = None
    """Of its claims the least sure one's calibrated probability that it is right: the finding there, or
    absent, and where it is there its side, place and degree too. In 0..1, None where nothing was
    calibrated."""
    section: Section = "findings"
    """Which part of the draft it stands in."""

    def __post_init__(self) -> None:
        if not self.source_study_ids:
            raise ValueError("a line names the studies that wrote it")
        if not self.text or self.text != self.sentence_text[self.span[0] : self.span[1]]:
            raise ValueError(f"line is not the span {self.span} of sentence {self.sentence_id}")
        if self.confidence is not None and not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"confidence {self.confidence} is not a probability")


@dataclass(frozen=True, slots=True)
class Draft:
    """Lines with their sources, and what the draft is silent about and why."""

    draft_id: str
    study_id: str | None
    lines: tuple[Line, ...]
    abstained: Mapping[str, str]
    gate: str | None
    """Why there is no draft at all; None when the gate let the film through."""
    policy: str
    promise: str | None
    fingerprint: str
    domain: Domain
    status: str = UNVERIFIED
    similar: tuple[Hit, ...] = ()
    """The most similar studies, shown where the gate stopped the draft."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """What is to be known of how it was made: of which view, or of whom, what."""

    def __post_init__(self) -> None:
        if self.gate is not None and self.lines:
            raise ValueError("a draft stopped at the gate has no lines")
        if self.status != UNVERIFIED:
            raise ValueError("a draft is always unverified")
