"""What a phrase book, a reader's habits, a statement and a report are.

Knows the keys that every phrase book must have. Doesn't know any reader's words, nor when one is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xemplar.records import Presence

Variants = tuple[str, ...]
Book = Mapping[str, Variants]
"""Key -> sentences of which one is taken; slots in braces, the first letter is made a capital later."""

KEYS = frozenset(
    {
        "heart normal",
        "heart large",
        "heart perhaps",
        "effusion",
        "effusion both",
        "effusion unequal",
        "effusion perhaps",
        "pneumothorax",
        "pneumothorax perhaps",
        "consolidation",
        "consolidation perhaps",
        "edema",
        "edema perhaps",
        "linear atelectasis",
        "bilateral atelectasis",
        "lobar atelectasis",
        "atelectasis perhaps",
        "nodule",
        "nodules",
        "mass",
        "lesion perhaps",
        "recent fracture",
        "recent fractures",
        "healed fracture",
        "healed fractures",
        "fracture perhaps",
        "no air no fluid",
        "no fluid",
        "no air",
        "no consolidation",
        "lungs clear",
        "no edema",
        "no atelectasis",
        "no lesion",
        "no fracture",
        "pacemaker",
        "endotracheal tube",
        "nasogastric tube",
        "jugular line",
        "picc",
        "chest tube",
        "no devices",
        "hyperinflated",
        "low volumes",
        "raised",
        "granuloma",
        "aorta",
        "scoliosis",
        "spondylosis",
        "bubble",
        "mediastinum",
        "bones",
        "unchanged",
        "increased",
        "decreased",
        "resolved",
        "new",
        "placed",
        "removed",
        "all well",
        "nothing more",
        "impression devices",
        "addendum",
        "notice",
    }
)
"""What every book words. It may also have "nothing at all" (no consolidation, fluid or air in one),
"technique", "normal", and "impression ..." for any key that its reader puts otherwise in an impression."""

REGIONS = ("devices", "lungs", "pleura", "heart", "mediastinum", "diaphragm", "bones")


@dataclass(frozen=True, slots=True)
class Tongue:
    """What a language, or a house's style, says of dates and reasons; nothing of it is a finding."""

    language: str
    comparison: str
    """With slots day, month, year."""
    none: str
    """For a study without a prior."""
    months: tuple[str, ...]
    indications: tuple[str, ...]
    """With slots age and sex."""
    sexes: Mapping[str, str]
    addendum: str
    """The word that opens one."""


@dataclass(frozen=True, slots=True)
class Habit:
    """One reader: a phrase book and how it is used.

    `denies` is the chance that a finding which is absent is said to be; `terms` replaces a slot's word
    ("mid" -> "middle"; "effusion moderate" for one key alone); `labels` opens each region ("Lungs:").
    """

    name: str
    book: Book
    tongue: Tongue
    order: tuple[str, ...]
    denies: Mapping[str, float]
    things: Mapping[str, str]
    """What a finding or device is called in a comparison, a slot {side} where it has one."""
    terms: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    hedges: float = 0.45
    """Chance that a subtle finding which is mentioned is put as a possibility."""
    compares: float = 0.6
    """Chance that a change or its lack is remarked on."""
    technique: float = 0.0
    lines: int = 2
    """The most findings in an impression."""
    trend: float = 0.15
    """Chance that a remark on change is repeated in the impression."""
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence, the findings it speaks of and what it says of them."""

    text: str
    says: tuple[tuple[str, Presence], ...] = ()
    compares: bool = False
    key: str = ""
    slots: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """What one reader wrote; `stated` holds only what is mentioned, a hedge as "uncertain".

    An addendum is the last paragraph of the impression; then `status` is "amended", `version` 2.
    """

    indication: str
    comparison: str
    findings: str
    impression: str
    stated: dict[str, Presence]
    language: str = "en"
    status: str = "final"
    version: int = 1
