"""How often a mistyped sentence is read as the clean one: where both are known, in drawn studies' reports.

Knows where the embedded archive makes its typing errors, and reads each sentence by profile `default`, with
and without the mending of key words. Knows nothing of real reports.
"""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np

from xemplar.findings.claims import claims_of
from xemplar.findings.engine import read
from xemplar.findings.lexicon import Lexicon, lexicon
from xemplar.sources import phantom
from xemplar.sources.phantom.slips import slipped
from xemplar.sources.phantom.truth import Site


def typing_errors() -> dict[str, dict[str, int]]:
    """Of the mistyped sentences of 500 drawn studies a site, how many claim what the clean ones claim."""
    words = lexicon("default")
    said: dict[str, dict[str, int]] = {}
    for site in phantom.SITES:
        pairs = _mistyped(site)
        said[site] = {"sentences": len(pairs)}
        for name, lexicon_used in (("alike", words), ("alike_unmended", replace(words, spelling=None))):
            alike = sum(_meanings(one, lexicon_used) == _meanings(two, lexicon_used) for one, two in pairs)
            said[site][name] = alike
    return said


def _mistyped(site: Site) -> list[tuple[str, str]]:
    """Every sentence of a site's first 500 studies that was mistyped, clean and as it was written."""
    pairs: list[tuple[str, str]] = []

    def noted(text: str, rng: np.random.Generator) -> str:
        pairs.append((text, slipped(text, rng)))
        return pairs[-1][1]

    with patch("xemplar.sources.phantom.reports.slipped", noted):
        for _ in phantom.studies(500, seed=1, site=site):
            pass
    return [(one, two) for one, two in pairs if one != two]


def _meanings(sentence: str, words: Lexicon) -> set[object]:
    scene = read(sentence, words)
    if scene is None:
        return set()
    return {claim.meaning for at in range(len(scene.mentions)) for claim in claims_of(scene, at)}
