"""The order in which a report is read: devices, heart and mediastinum, lungs, pleura, bones.

Knows the names of findings; knows nothing of sentences.
"""

from __future__ import annotations

from collections.abc import Iterable

from xemplar.records import Claim

REGIONS: tuple[tuple[str, ...], ...] = (
    ("Support Devices",),
    ("Cardiomegaly", "Enlarged Cardiomediastinum"),
    ("Edema", "Consolidation", "Pneumonia", "Atelectasis", "Lung Opacity", "Lung Lesion"),
    ("Pleural Effusion", "Pneumothorax", "Pleural Other"),
    ("Fracture",),
)
ORDER: tuple[str, ...] = tuple(finding for region in REGIONS for finding in region)

_REGION = {finding: place for place, region in enumerate(REGIONS) for finding in region}
_PLACE = {finding: place for place, finding in enumerate(ORDER)}


def place_of(claims: Iterable[Claim]) -> tuple[int, bool, int]:
    """Where a line of these claims is read: by region, in it what is there first, then by finding.

    A line of several regions stands where the first finding that it states does, or, where it states
    none, the first that it denies.
    """
    claims = tuple(claims)
    stated = [claim.finding for claim in claims if claim.presence == "present"]
    first = min(
        stated or [claim.finding for claim in claims],
        key=lambda finding: _PLACE.get(finding, len(ORDER)),
        default="",
    )
    return _REGION.get(first, len(REGIONS)), not stated, _PLACE.get(first, len(ORDER))
