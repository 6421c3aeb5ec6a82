"""Image -> findings: plain ways, their calibrated combination, and the studies that speak for and against."""

from xemplar.classify.classifier import (
    LIMITS,
    UNVERIFIED_FINDINGS,
    Called,
    Classification,
    Classifier,
    Features,
    Held,
    Ways,
    classified,
    fit,
)
from xemplar.classify.combination import Combination, FindingFit, fit_combination
from xemplar.classify.fitted import Fitted, open_fitted, save_fitted
from xemplar.classify.kernel import KernelVote, Votes, fit_votes
from xemplar.classify.plain import Augmented, Probe, Prompts, ZeroShot, fit_probe, load_prompts, unfit
from xemplar.classify.precedents import SHOWN, Precedents, Spoken

__all__ = [
    "LIMITS",
    "SHOWN",
    "UNVERIFIED_FINDINGS",
    "Augmented",
    "Called",
    "Classification",
    "Classifier",
    "Combination",
    "Features",
    "FindingFit",
    "Fitted",
    "Held",
    "KernelVote",
    "Precedents",
    "Probe",
    "Prompts",
    "Spoken",
    "Votes",
    "Ways",
    "ZeroShot",
    "classified",
    "fit",
    "fit_combination",
    "fit_probe",
    "fit_votes",
    "load_prompts",
    "open_fitted",
    "save_fitted",
    "unfit",
]
