"""How often sentences that were made up for it are read as they were meant, claim by claim.

The sentences and what they claim stand in a table that the labeler's authors wrote. They show where the
rules reach, and nothing of how often a report holds such a sentence.
"""

import csv
from pathlib import Path
from typing import Any

from xemplar.findings import FINDINGS, read_claims
from xemplar.records import Claim

SENTENCES = Path(__file__).parents[1] / "tests" / "findings" / "made_up.csv"
FIELDS = ("presence", "side", "degree", "change")


def wanted(cell: str) -> list[Claim]:
    """A table's "Edema/present/left/small/new + ..." as claims."""
    claims = []
    for one in filter(None, cell.split(" + ")):
        finding, presence, *rest = one.split("/")
        side, degree, change = (value or None for value in rest)
        claims.append(Claim(finding, presence, side=side, degree=degree, change=change))
    return claims


def made_up(path: Path = SENTENCES) -> dict[str, Any]:
    """The claims that a table's sentences make, how many of them are read, and each part of those right.

    Of the 14 alone. A claim is held to the one that is read of its finding, those of one finding in the
    order they stand in; one that is missing has nothing right.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = [(row["sentence"], wanted(row["claims"] or "")) for row in csv.DictReader(file)]
    counts = dict.fromkeys(("claims", "finding", *FIELDS, "not_meant"), 0)
    misread = []
    for sentence, claims in rows:
        read = [claim for claim in read_claims(sentence) if claim.finding in FINDINGS]
        right = len(read) == len(claims)
        for claim in claims:
            found = next((one for one in read if one.finding == claim.finding), None)
            counts["claims"] += 1
            if found is None:
                right = False
                continue
            read.remove(found)
            counts["finding"] += 1
            for field in FIELDS:
                alike = getattr(found, field) == getattr(claim, field)
                counts[field] += alike
                right &= alike
        counts["not_meant"] += len(read)
        if not right:
            misread.append(sentence)
    return {"sentences": len(rows), "right": len(rows) - len(misread), **counts, "misread": misread}
