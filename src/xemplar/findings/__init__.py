"""A sentence of a radiology report -> the claims it makes.

Knows words (`lexicon.toml`) and how far they reach (`engine.py`). Knows nothing of reports, studies or
images: sections and sentences are cut elsewhere.
"""

from typing import TYPE_CHECKING

from xemplar.findings.engine import read_claims, summarise
from xemplar.findings.lexicon import FINDINGS, lexicon_version

if TYPE_CHECKING:
    LEXICON_VERSION: str
    """SHA-256 of the lexicon's data file; read when it is first asked for."""

__all__ = ["FINDINGS", "LEXICON_VERSION", "lexicon_version", "read_claims", "summarise"]


def __getattr__(name: str) -> str:
    if name == "LEXICON_VERSION":
        return lexicon_version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
