"""Image -> findings: plain ways, their calibrated combination, and the studies that speak for and against."""

from xemplar.classify.classifier import (
    Called,
    Classification,
    Classifier,
    Features,
    Held,
    Ways,
    fit,
    policy,
)
from xemplar.classify.combination import Combination, FindingFit, fit_combination
from xemplar.classify.fitted import Fitted, open_fitted, save_fitted
from xemplar.classify.plain import Augmented, Probe, Prompts, ZeroShot, fit_probe, load_prompts
from xemplar.classify.precedents import Precedents, Spoken

__all__ = [
    "Augmented",
    "Called",
    "Classification",
    "Classifier",
    "Combination",
    "Features",
    "FindingFit",
    "Fitted",
    "Held",
    "Precedents",
    "Probe",
    "Prompts",
    "Spoken",
    "Ways",
    "ZeroShot",
    "fit",
    "fit_combination",
    "fit_probe",
    "load_prompts",
    "open_fitted",
    "policy",
    "save_fitted",
]
