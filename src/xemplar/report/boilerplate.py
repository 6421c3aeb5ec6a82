"""Which sentences say nothing of the film by themselves.

Knows the stock phrases. Knows nothing of findings.
"""

from __future__ import annotations

import re

_ELSEWHERE = re.compile(
    r"""
    \bas\s+(?:\w+ly\s+)?(?:described|detailed|mentioned|noted|discussed|stated|listed|outlined|reported)\b
    | \b(?:above|below)\s*(?:[.,;:)]|\Z) | \b(?:as|see|per)\s+(?:above|below)\b
    | \b(?:the\s+|\A)(?:above|below)\s+(?:\w+\s+)?(?:findings?|impressions?|descriptions?|reports?)\b
    | \b(?:above|below|afore)[\s-]?(?:mentioned|described|noted|listed)\b | \bdescribed\s+(?:above|below)\b
    | \b(?:see|refer\s+to|per)\s+(?:the\s+)?(?:\w+\s+){0,2}?
        (?:impressions?|findings|sections?|comments?|discussion|reports?|dictations?|addend(?:um|a)|notes?)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def points_elsewhere(sentence: str) -> bool:
    """Whether a sentence leans on something said elsewhere, as does "Lines and devices as above".

    Quoted alone it says less than it did, or nothing. A place in the body ("4 cm above the carina",
    "extends below the diaphragm") points nowhere else.
    """
    return _ELSEWHERE.search(sentence) is not None
