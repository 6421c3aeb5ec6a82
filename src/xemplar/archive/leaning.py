"""To which side of a film each finding leans: what is believed of it with one half twice, and with the other.

Knows films and who believes; knows nothing of reports. Nothing is learnt for it: a film that is like its left
half on both sides is asked about as any other film is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from xemplar.archive.gating import position_of
from xemplar.check.against import log_odds
from xemplar.check.swaps import LEAST
from xemplar.drafting.policies.case import Case
from xemplar.drafting.policies.evidence import ByEvidence
from xemplar.images.halves import doubled
from xemplar.records import Film
from xemplar.retrieval import Retriever

_AT_ONCE = 32
"""Cases whose halves are in memory together."""


def leanings(retriever: Retriever, drafter: ByEvidence, cases: Sequence[Case]) -> list[Mapping[str, float]]:
    """For each case finding -> log odds by the patient's left half less the right's; {} without frontals."""
    found: list[Mapping[str, float]] = [{} for _ in cases]
    halves = ((place, _halves(case.films)) for place, case in enumerate(cases))
    seen = ((place, both) for place, both in halves if both[0])
    while some := list(islice(seen, _AT_ONCE)):
        vectors = iter(retriever.vectors_of([films for _, both in some for films in both]))
        sides = [
            replace(cases[place], films=films, vector=next(vectors), prior=None)
            for place, both in some
            for films in both
        ]
        held = drafter.held(sides)
        for (place, _), left, right in zip(some, held[::2], held[1::2], strict=True):
            found[place] = {
                name: log_odds(one.presence, least=LEAST)
                - log_odds(right.beliefs[name].presence, least=LEAST)
                for name, one in left.beliefs.items()
            }
    return found


def _halves(films: Sequence[Film]) -> tuple[list[Film], list[Film]]:
    """The frontal ones, or those of which nobody says what they are; both halves of them show something."""
    left, right = [], []
    for film in films:
        if position_of(film.position) != "lateral":
            one, other = doubled(film.image)
            if one.any() and other.any():
                left.append(replace(film, image=one))
                right.append(replace(film, image=other))
    return left, right
