"""The nouns of the second reader: an alert, the words it is about, who speaks for it, and the whole answer.

Knows nothing of how an alert comes about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xemplar.records import RESEARCH_USE

Kind = Literal[
    "side conflict",
    "place conflict",
    "presence conflict",
    "degree conflict",
    "normal conflict",
    "no prior",
    "unsupported impression",
    "stated, not seen",
    "denied, but seen",
    "other side seen",
    "other degree seen",
    "seen, not said",
    "another film",
]
"""What is wrong, or may be: the first seven by the words alone, the others by the film."""

KINDS: tuple[tuple[Kind, ...], tuple[Kind, ...]] = (
    (
        "side conflict", "place conflict", "presence conflict", "degree conflict", "normal conflict",
        "no prior", "unsupported impression",
    ),
    (
        "stated, not seen", "denied, but seen", "other side seen", "other degree seen", "seen, not said",
        "another film",
    ),
)  # fmt: skip
"""Of the words alone; of words and film."""

NOTICE = f"{RESEARCH_USE} Unverified: a person decides whether anything is wrong."


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of the report: `text` is [start, end) of the section, or of the whole report where one was given.

    `sentence` is the sentence they stand in, [sentence_start, sentence_end) of the same.
    """

    section: str
    start: int
    end: int
    text: str
    sentence: str
    sentence_start: int
    sentence_end: int


@dataclass(frozen=True, slots=True)
class Source:
    """A study of the archive whose film is near, and the sentence in which its report says otherwise."""

    study_id: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to look at again. `quotes` are the report's words: none of what it leaves unsaid.

    `probability`, in 0..1, that the report is wrong here, as far as the film tells; None for what the words
    alone tell. `sources` speak for it; of a conflict of words those are the quotes themselves.
    """

    kind: Kind
    finding: str | None
    message: str
    quotes: tuple[Quote, ...] = ()
    probability: float | None = None
    sources: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        if self.probability is not None and not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"{self.probability} is not a probability")
        if self.probability is None and not self.quotes:
            raise ValueError("an alert by words alone quotes them")


@dataclass(frozen=True, slots=True)
class Checked:
    """All alerts of one report; none is no sign that it is right.

    `unread` says why the words weren't checked (another language, no text), `unseen` why the film wasn't
    (none given, stopped at the gate, nothing calibrated); None where they were.
    """

    alerts: tuple[Alert, ...]
    unread: str | None = None
    unseen: str | None = None
    notes: tuple[str, ...] = ()
    """What couldn't be compared, as with a report without findings."""
    status: str = NOTICE
