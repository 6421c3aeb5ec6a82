"""The facade: corpus, model, index and calibration, checked against each other; search, draft, classify.

Knows where the four lie and whether they fit; leaves the work to the rooms below.
"""

from xemplar.archive.calibrating import asked_for, calibrate
from xemplar.archive.facade import CAPTIONS, STOPPED, Archive, Views
from xemplar.archive.gating import BLANK, SYNTHETIC_ONLY, fit_gate
from xemplar.archive.opening import open_archive

__all__ = [
    "BLANK",
    "CAPTIONS",
    "STOPPED",
    "SYNTHETIC_ONLY",
    "Archive",
    "Views",
    "asked_for",
    "calibrate",
    "fit_gate",
    "open_archive",
]
