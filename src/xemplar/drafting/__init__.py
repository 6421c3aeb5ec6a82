"""Hits -> Draft: evidence per finding, calibration, composition, and the gate before them."""

from xemplar.drafting.calibration import (
    Calibration,
    fit,
    open_calibration,
    open_parts,
    save_calibration,
)
from xemplar.drafting.composition import Composed, Composer, Gathered
from xemplar.drafting.evidence import FEATURES, Evidence
from xemplar.drafting.truth import claims_of, truth_of
from xemplar.drafting.wording import UNWEIGHED, how_sure

__all__ = [
    "FEATURES",
    "UNWEIGHED",
    "Calibration",
    "Composed",
    "Composer",
    "Evidence",
    "Gathered",
    "claims_of",
    "fit",
    "how_sure",
    "open_calibration",
    "open_parts",
    "save_calibration",
    "truth_of",
]
