"""The second reader: a report, with or without its film, -> what in it should be looked at again, or nothing.

Knows how a report can speak against itself (`conflicts.py`), against there being no prior (`priors.py`), and
against what is believed of its film (`against.py`; sides and degrees in `swaps.py`), and from where on that
is told (`limits.py`). Knows nothing of where beliefs come from, and corrects nothing. Every alert is
unverified.
"""

from xemplar.check.against import FIT, Believed, Opinion, Suspicion, fit_of, suspicions
from xemplar.check.alerts import KINDS, NOTICE, Alert, Checked, Kind, Quote, Source
from xemplar.check.limits import BUDGET, CheckLimits, Clean, fit_limits, open_limits, save_limits
from xemplar.check.reading import Read, Said, read_report
from xemplar.check.swaps import PAIRS, Leaning, Swap, swaps_of
from xemplar.check.text import check_text

__all__ = [
    "BUDGET",
    "FIT",
    "KINDS",
    "NOTICE",
    "PAIRS",
    "Alert",
    "Believed",
    "CheckLimits",
    "Checked",
    "Clean",
    "Kind",
    "Leaning",
    "Opinion",
    "Quote",
    "Read",
    "Said",
    "Source",
    "Suspicion",
    "Swap",
    "check_text",
    "fit_limits",
    "fit_of",
    "open_limits",
    "read_report",
    "save_limits",
    "suspicions",
    "swaps_of",
]
