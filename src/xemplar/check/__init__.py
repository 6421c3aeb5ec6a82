"""The second reader: a report, with or without its film, -> what in it should be looked at again, or nothing.

Knows how a report can speak against itself (`conflicts.py`) and against there being no prior (`priors.py`).
Knows nothing of where beliefs come from, and corrects nothing. Every alert is unverified.
"""

from xemplar.check.alerts import KINDS, NOTICE, Alert, Checked, Kind, Quote, Source
from xemplar.check.reading import Read, Said, read_report
from xemplar.check.text import check_text

__all__ = [
    "KINDS",
    "NOTICE",
    "Alert",
    "Checked",
    "Kind",
    "Quote",
    "Read",
    "Said",
    "Source",
    "check_text",
    "read_report",
]
