"""How sure a line is, in words that claim no more than was calibrated.

Knows a line's claims and confidence; knows nothing of how they are shown.
"""

from __future__ import annotations

from xemplar.records import Line

UNWEIGHED = "A confidence is about findings alone: side, place and degree are not judged."


def how_sure(line: Line) -> str:
    """What a line's confidence says: "87 % that the finding is there; side and degree not judged".

    Of several findings it is the smallest probability, so each has that or more.
    """
    if line.confidence is None:
        return "confidence not calibrated"
    percent = "over 99 %" if line.confidence > 0.995 else f"{100 * line.confidence:.0f} %"
    presences = {claim.presence for claim in line.claims}
    several = len({claim.finding for claim in line.claims}) > 1
    what = "there" if presences == {"present"} else "absent" if presences == {"absent"} else "as said"
    if several:
        words = f"{percent} or more that each finding is {what}"
    else:
        words = f"{percent} that {'it' if what == 'absent' else 'the finding'} is {what}"
    return words if what == "absent" else f"{words}; side and degree not judged"
