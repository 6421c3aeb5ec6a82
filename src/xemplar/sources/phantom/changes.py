"""How a finding compares with the prior film: unchanged, increased, decreased, resolved or new.

Knows the two truths and nothing of words. Where things moved in more ways than one, nothing is said.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal

from xemplar.sources.phantom.sampling import COLLAPSES, FILLS, RATIOS
from xemplar.sources.phantom.truth import (
    ATELECTASIS,
    CARDIOMEGALY,
    CONSOLIDATION,
    EDEMA,
    EFFUSION,
    LESION,
    PNEUMOTHORAX,
    Pathology,
    SupportDevice,
)

Change = Literal["unchanged", "increased", "decreased", "resolved", "new"]
COMPARED = (CARDIOMEGALY, EFFUSION, PNEUMOTHORAX, CONSOLIDATION, EDEMA, ATELECTASIS, LESION)
_LASTING = (CARDIOMEGALY, LESION)
"""What nobody says has resolved: it is unchanged or it is a finding, and a reader says no more."""


def burden(truth: Pathology, finding: str) -> dict[Hashable, float]:
    """How much of a finding there is, by place."""
    if finding == CARDIOMEGALY:
        return {"": float(list(RATIOS).index(truth.heart.degree))} if truth.heart.degree else {}
    if finding == EFFUSION:
        return {e.side: float(list(FILLS).index(e.degree)) for e in truth.effusions}
    if finding == PNEUMOTHORAX:
        return {truth.pneumothorax.side: truth.pneumothorax.gap} if truth.pneumothorax else {}
    if finding == CONSOLIDATION:
        return {(c.side, c.zone, c.seed): c.density for c in truth.consolidations}
    if finding == EDEMA:
        return {"": truth.edema.strength} if truth.edema else {}
    if finding == ATELECTASIS:
        return {(a.side, a.zone, a.kind): float(COLLAPSES.index(a.degree)) for a in truth.atelectases}
    return {(n.side, n.zone, n.seed): n.radius for n in truth.lesions}


def change(now: Pathology, before: Pathology, finding: str) -> Change | None:
    """How the finding moved between two films; None where it never was or moved in several ways."""
    here, there = burden(now, finding), burden(before, finding)
    if not here and not there:
        return None
    if not here:
        return None if finding in _LASTING else "resolved"
    if not there:
        return None if finding == CARDIOMEGALY else "new"
    if set(here) != set(there):
        return None
    steps = {(here[place] > there[place]) - (here[place] < there[place]) for place in here}
    if steps == {0}:
        return "unchanged"
    if finding == CARDIOMEGALY or steps >= {-1, 1}:
        return None
    return "increased" if 1 in steps else "decreased"


def sides(truth: Pathology, finding: str) -> str:
    """Right, left or bilateral for what lies on sides, else nothing."""
    places = {
        EFFUSION: [e.side for e in truth.effusions],
        PNEUMOTHORAX: [truth.pneumothorax.side] if truth.pneumothorax else [],
        CONSOLIDATION: [c.side for c in truth.consolidations],
        ATELECTASIS: [a.side for a in truth.atelectases],
        LESION: [n.side for n in truth.lesions],
    }
    found = set(places.get(finding, ()))
    return "" if not found else "bilateral" if len(found) == 2 else found.pop()


def placed(now: Pathology, before: Pathology) -> SupportDevice | None:
    """A device that the prior film didn't show."""
    old = {(device.kind, device.side) for device in before.devices}
    return next((device for device in now.devices if (device.kind, device.side) not in old), None)


def removed(now: Pathology, before: Pathology) -> SupportDevice | None:
    """The one device of the prior film, where none is left: all else would deny those that stay."""
    return before.devices[0] if len(before.devices) == 1 and not now.devices else None
