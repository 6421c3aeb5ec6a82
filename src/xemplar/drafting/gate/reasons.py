"""Why there is no draft, in one sentence each; a classification says "no call" in its place.

Knows words alone.
"""

from __future__ import annotations

from xemplar.drafting.gate import spoiled

LATERAL_ALONE = "no draft: a lateral film alone, and a frontal one is needed"
CHILD = "no draft: the patient is a child, younger than 16 years"
HELD = "no draft: the film is in the archive already, in study {study_id}"
FAR = "no draft: the film is too far from anything the archive has seen"

SEEN = {
    spoiled.LATERAL: "no draft: the film looks lateral, and a frontal one is needed",
    spoiled.UPSIDE_DOWN: "no draft: the film looks upside down",
    spoiled.SIDEWAYS: "no draft: the film looks as if it lay on its side",
    spoiled.INVERTED: "no draft: the film's greys look inverted",
    spoiled.CROPPED: "no draft: the film looks cropped, with a part of the chest missing",
    spoiled.DOUBLED: "no draft: the picture looks as if it held more than one film",
    spoiled.CHILD: "no draft: the chest looks like a child's",
    spoiled.OTHER: "no draft: the film doesn't look like a chest radiograph",
}
"""By the kind that a film looks to be of."""
