"""What a measure of texts is called on a page, from the key it has in a summary.

Knows keys and words; knows no score.
"""

from __future__ import annotations

import re

from xemplar.contracts import Json
from xemplar.evaluation.texts.measures import QUESTIONS
from xemplar.metrics.labels import Question

SUBSETS = ("14", "13", "5")
AVERAGES = ("micro", "macro", "weighted", "samples")
MEASURES = ("precision", "recall", "f1")
_LABEL = re.compile(
    r"(precision|recall|f1)_(present|absent|uncertain|mentioned)_(.+?)(?:_(14|13|5))?(?:\[uncertain=(\w+)\])?\Z"
)
_PLAIN = {"f1": "F1"}
_UNCERTAIN = {
    "present": "uncertain counts as present",
    "absent": "uncertain counts as absent",
    "own": "uncertain is neither",
    "left_out": "uncertain cells are left out",
}


def titled(key: str) -> tuple[str, str]:
    """A measure's name, and beside it what has to be known to compare it with another's."""
    label = _LABEL.match(key)
    if label is None:
        name, _, tokeniser = key.partition("[")
        note = f"tokeniser {tokeniser.removesuffix(']')}" if tokeniser else ""
        return name, f"exact and stem matches; {note}" if name == "meteor_es" else note
    measure, about, of, subset, uncertain = label.groups()
    measure = _PLAIN.get(measure, measure)
    policy = f", {_UNCERTAIN[uncertain]}" if uncertain else ""
    if subset is None:
        return f"{measure} {of.replace('_', ' ')}", f"{about}{policy}"
    average = {"samples": f"{measure}, mean over studies", "weighted": f"{measure}, weighted by support"}
    return average.get(of, f"{of}-{measure}"), f"{about}, {subset} findings{policy}"


def over(row: Json) -> str:
    """What a mean leaves out, by its row: "over 9 of 14 findings", "7 studies left out", or nothing."""
    label, left = _LABEL.match(row["measure"]), row["left_out"]
    if label is None or not left:
        return ""
    of, subset = label[3], label[4]
    if of == "macro":
        return f"over {int(subset) - left} of {subset} findings"
    return f"{left:,} {'study' if left == 1 else 'studies'} left out" if of == "samples" else ""


def label_key(measure: str, question: Question, of: str, *, subset: str = "") -> str:
    """The key of a label score; `of` is an average with its subset, or a finding."""
    where = f"_{subset}" if subset else ""
    return f"{measure}_{question.about}_{of.lower().replace(' ', '_')}{where}{question.suffix}"


def asked(question: Question) -> str:
    """A question of the labels as a heading."""
    policy = f" ({_UNCERTAIN[question.uncertain]})" if question.uncertain else ""
    return f"What is {question.about}{policy}"


def by_key(rows: list[Json]) -> dict[str, Json]:
    """Rows of a summary by their measure."""
    return {row["measure"]: row for row in rows}


def finding_rows(summary: Json, measure: str = "f1") -> dict[str, Json]:
    """Finding -> its row for the first question; empty where nothing was labelled."""
    known = by_key(summary["by finding"])
    keys = {name: label_key(measure, QUESTIONS[0], name) for name in summary["support"]}
    return {name: known[key] for name, key in keys.items() if key in known}
