"""A sentence of a radiology report -> the claims it makes; a report -> CheXpert's 14 labels.

Knows words and rules (`lexicon.toml`, `chexpert.toml`), how far they reach (`engine.py`, `closings.py`),
which word a typing error was meant to be (`spelling.py`), and how the mentions of a report add up
(`labels.py`). Knows nothing of studies or images, and reads English alone: which language a text is in is for
the caller to know.
"""

from typing import TYPE_CHECKING

from xemplar.findings.claims import read_claims, summarise
from xemplar.findings.labels import Labeler, ReportLabels, Said, label_report
from xemplar.findings.lexicon import (
    FINDINGS,
    PROFILES,
    Profile,
    lexicon_version,
    other_findings,
)
from xemplar.records import OBSERVATIONS

if TYPE_CHECKING:
    LEXICON_VERSION: str
    """SHA-256 of the default profile's data file and of the engine; read when it is first asked for."""
    OTHER_FINDINGS: tuple[str, ...]
    """Findings beyond CheXpert's that claims may name; read from the data file when first asked for."""

__all__ = [
    "FINDINGS",
    "LEXICON_VERSION",
    "OBSERVATIONS",
    "OTHER_FINDINGS",
    "PROFILES",
    "Labeler",
    "Profile",
    "ReportLabels",
    "Said",
    "label_report",
    "lexicon_version",
    "read_claims",
    "summarise",
]


def __getattr__(name: str) -> str | tuple[str, ...]:
    if name == "LEXICON_VERSION":
        return lexicon_version()
    if name == "OTHER_FINDINGS":
        return other_findings()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
