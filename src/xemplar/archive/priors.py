"""The earlier studies that drafts are compared with: whose they are, whether they can be, who is left out.

Knows films, the gate's judgement and cases; what is said of change is known to drafting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from xemplar.archive.gating import Gatekeeper
from xemplar.drafting.policies.case import Case
from xemplar.errors import XemplarError
from xemplar.records import Film, Vectors
from xemplar.retrieval import NOBODY, Leave, Retriever, shown_of


@dataclass(frozen=True, slots=True, eq=False)
class Earlier:
    """The views of an earlier study, their vector (dim,), and why nothing can be compared with them."""

    films: Sequence[Film]
    vector: Vectors
    gate: str | None


def earlier_of(
    keeper: Gatekeeper,
    studies: Sequence[Sequence[Film]],
    priors: Sequence[Sequence[Film] | None],
) -> list[Earlier | None]:
    """One for each study, None for one without.

    Raises XemplarError for one that is known to be another patient's, or that is the study's own film.
    """
    if len(priors) != len(studies):
        raise XemplarError(f"{len(priors)} priors for {len(studies)} studies", wanted="one for each, or None")
    for films, prior in zip(studies, priors, strict=True):
        _check(keeper.retriever, films, prior or ())
    given = [prior for prior in priors if prior is not None]
    vectors = iter(keeper.retriever.vectors_of(given) if given else ())
    return [None if prior is None else _earlier(keeper, prior, next(vectors)) for prior in priors]


def with_earlier(
    retriever: Retriever, cases: Sequence[Case], earlier: Sequence[Earlier | None]
) -> list[Case]:
    """Cases with their priors: both leave out whoever either is known to be of."""
    found = []
    for case, one in zip(cases, earlier, strict=True):
        if one is not None:
            leave = _both(case.leave, retriever.leave_of(one.films))
            case = replace(case, leave=leave, prior=Case(shown_of(one.films), one.vector, leave))
        found.append(case)
    return found


def _earlier(keeper: Gatekeeper, films: Sequence[Film], vector: Vectors) -> Earlier:
    gate = keeper.why_not_compared(films)
    return Earlier(films, vector, None if gate is None else gate.replace("no draft:", "no draft: prior:", 1))


def _check(retriever: Retriever, films: Sequence[Film], prior: Sequence[Film]) -> None:
    for film, before in product(films, prior):
        if film.sha256 is not None and film.sha256 == before.sha256:
            raise XemplarError(
                "a film is given both as the study's and as the prior's", wanted="an earlier study"
            )
        one, other = retriever.leave_of(film), retriever.leave_of(before)
        pairs = ((one.patient_id, other.patient_id), (one.cluster, other.cluster))
        if any(None not in pair and pair[0] != pair[1] for pair in pairs):
            raise XemplarError(
                "the prior is another patient's", wanted="an earlier study of the same patient"
            )


def _both(own: Leave, other: Leave) -> Leave:
    if own == NOBODY:
        return other
    return replace(
        own,
        patient_id=own.patient_id or other.patient_id,
        cluster=own.cluster or other.cluster,
        others=own.others | other.others | ({other.study_id} if other.study_id else frozenset()),
    )
