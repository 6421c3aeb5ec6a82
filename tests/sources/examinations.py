"""Examinations of the phantom's first seed, each sampled once for all tests that only look at them."""

from __future__ import annotations

from functools import cache

from xemplar.sources.phantom.sampling import Examination, examination
from xemplar.sources.phantom.truth import Site


@cache
def sampled(number: int, site: Site = "A") -> Examination:
    return examination(0, number, site)
