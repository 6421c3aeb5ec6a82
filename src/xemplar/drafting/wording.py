"""How sure a line is, in words that claim no more than was calibrated.

Knows a line's claims and confidence; knows nothing of how they are shown.
"""

from __future__ import annotations

from xemplar.drafting.beliefs import DETAILS
from xemplar.records import Line

UNWEIGHED = (
    "A confidence is about findings, and about side, place, degree and change where a line tells them; age,"
    " number and level are not judged."
)


def how_sure(line: Line) -> str:
    """What a line's confidence says: "87 % that the finding is there, on that side and of that degree".

    Of several claims it is the smallest probability, so each has that or more.
    """
    if line.confidence is None:
        return "confidence not calibrated"
    percent = "over 99 %" if line.confidence > 0.995 else f"{100 * line.confidence:.0f} %"
    presences = {claim.presence for claim in line.claims}
    changes = any(claim.change for claim in line.claims)
    if len({claim.finding for claim in line.claims}) > 1:
        what = "there" if presences == {"present"} else "absent" if presences == {"absent"} else "as said"
        return f"{percent} or more that each finding is {'as said' if changes else what}{_details(line)}"
    if changes:
        return f"{percent} that the comparison is as said{_details(line)}"
    return (
        f"{percent} that it is absent"
        if presences == {"absent"}
        else f"{percent} that the finding is there{_details(line)}"
    )


_TOLD = {"side": "on that side", "place": "in that place", "degree": "of that degree"}


def _details(line: Line) -> str:
    """The kinds of detail that the line tells."""
    told = [_TOLD[kind] for kind in DETAILS if any(getattr(claim, kind) for claim in line.claims)]
    if not told:
        return ""
    return ", " + (" and ".join([", ".join(told[:-1]), told[-1]]) if len(told) > 1 else told[0])
