"""Which human-labelled reports rules may be tuned on, and which are only ever scored.

Knows the reports' texts and nothing of labels. Fixed before any rule of the findings engine was tuned: a
report belongs to the half that the SHA-256 of its text falls into, so that equal texts are in one half.
"""

import csv
import hashlib
from pathlib import Path

HALVES = ("tuning", "frozen")


def half_of(findings: str, impression: str) -> str:
    """One of HALVES, by the first byte of the hash of the lower-cased words."""
    words = " ".join(f"{findings} {impression}".lower().split())
    return HALVES[hashlib.sha256(words.encode()).digest()[0] & 1]


def indexed_reports(folder: Path) -> dict[str, dict[str, str]]:
    """The reports of `iu_reports` by uid that were coded by a human and have findings or an impression."""
    with (folder / "reports.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["uid"]: row for row in csv.DictReader(file)}
    return {
        uid: row
        for uid, row in rows.items()
        if row["MeSH"] != "No Indexing" and (row["findings"] or row["impression"])
    }
