"""By which key two texts are equal.

Knows Unicode. Knows nothing of reports.
"""

from __future__ import annotations

import hashlib
import unicodedata


def normalise(text: str) -> str:
    """The key by which two texts are equal: NFKC, casefold, blanks collapsed, outer punctuation cut."""
    folded = " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())
    start, end = 0, len(folded)
    while start < end and _is_edge(folded[start]):
        start += 1
    while end > start and _is_edge(folded[end - 1]):
        end -= 1
    return folded[start:end]


def _is_edge(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter).startswith("P")


def text_key(text: str) -> str:
    """16 hexadecimal letters of the SHA-256 of the normalised text."""
    return hashlib.sha256(normalise(text).encode()).hexdigest()[:16]
