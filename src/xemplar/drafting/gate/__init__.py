"""The gate before any draft: what a film looks like, learnt from an archive's own films.

Knows previews; which facts stop a study, and whom the archive holds already, is known to the archive.
"""

from xemplar.drafting.gate.fitted import NEIGHBOURS, Gate, nearness, open_gate, save_gate
from xemplar.drafting.gate.fitting import FALSE, MOST, PEOPLE, WANTED, Learnt, learn, limits, rows_of
from xemplar.drafting.gate.looks import Looks

__all__ = [
    "FALSE",
    "MOST",
    "NEIGHBOURS",
    "PEOPLE",
    "WANTED",
    "Gate",
    "Learnt",
    "Looks",
    "learn",
    "limits",
    "nearness",
    "open_gate",
    "rows_of",
    "save_gate",
]
