"""Two compared systems as one page: both scores, paired differences, and studies on which they part.

Knows a comparison and the templates; computes no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xemplar.contracts import Json
from xemplar.evaluation.plots import Plot
from xemplar.evaluation.printed import against, number
from xemplar.evaluation.texts.measures import QUESTIONS
from xemplar.evaluation.texts.names import AVERAGES, MEASURES, SUBSETS, asked, by_key, label_key, titled
from xemplar.evaluation.texts.page import PER_STUDY, Shown, common, environment, show_study, write_all
from xemplar.evaluation.texts.plots import Difference, difference_plot
from xemplar.evaluation.texts.run import TextComparison
from xemplar.findings import OBSERVATIONS, Labeler
from xemplar.metrics.labels import Question

_CIDER_TOP = 10
"""CIDEr-D goes to 10; in a plot with the others it is divided by it."""


@dataclass(frozen=True, slots=True)
class Own:
    """What each study got from both systems, NaN where it has no such score, and what the score is."""

    name: str
    values: tuple[NDArray[np.float64], NDArray[np.float64]]


def write_comparison_page(comparison: TextComparison, folder: Path, *, cases: int = 6) -> Path:
    """Write report.html, all in one file, and its plots as plots/*.png; returns the page's path.

    `cases` is how many studies are shown, chosen by the rule that the page states. Raises XemplarError
    where the folder can't be written.
    """
    summary, pairs = comparison.summary, comparison.pairs
    rows = by_key(summary["rows"])
    plots = _plots(summary, rows)
    own = _own_scores(comparison)
    picks = parted(own, pairs[0].ids, cases)
    heads = [row for row in summary["rows"] if row["p_holm"] is not None]
    page = environment().get_template("comparison.html").render(
        **common(summary, plots),
        heads=sorted(heads, key=lambda row: row["group"] == "wording"),
        tally=tally(heads),
        given=[one.counted for one in pairs],
        questions=[(asked(question), _rows_of(rows, question)) for question in QUESTIONS],
        findings=[(name, rows[key]) for name in OBSERVATIONS if (key := _finding_key(name)) in rows],
        how_chosen=how_chosen(own, summary["systems"], picks),
        cases=[_shown(comparison, pick, own) for pick in picks],
    )  # fmt: skip
    return write_all(folder, page, plots)


def tally(heads: Sequence[Json]) -> dict[str, int]:
    """Main scores in which the first is better, worse, not told apart; and those of adjusted p < 0.05."""
    words = [against(row["difference"], "")[2] for row in heads]
    found = {word: words.count(word) for word in ("better", "worse", "not told apart")}
    return found | {"holm": sum(row["p_holm"] < 0.05 for row in heads)}


def parted(own: Own, ids: Sequence[str], count: int) -> list[tuple[int, int]]:
    """Row and which system is ahead (0, 1): half the largest leads of each, ties by the hash of the id.

    Studies on which both got the same are not shown, so there may be fewer.
    """
    leads = own.values[0] - own.values[1]
    found: list[tuple[int, int]] = []
    for ahead, sign, most in ((0, 1.0, (count + 1) // 2), (1, -1.0, count // 2)):
        rows = [int(row) for row in np.flatnonzero(sign * np.nan_to_num(leads) > 0)]
        rows.sort(key=lambda row: (-sign * leads[row], sha256(ids[row].encode()).hexdigest()))
        found += [(row, ahead) for row in rows[: max(0, most)]]
    return found


def how_chosen(own: Own, systems: Sequence[str], picks: Sequence[tuple[int, int]]) -> str:
    """The rule by which the shown studies were chosen, in words."""
    leads = own.values[0] - own.values[1]
    known = int(np.isfinite(leads).sum())
    ahead = [int((sign * np.nan_to_num(leads) > 0).sum()) for sign in (1, -1)]
    shown = [sum(system == which for _, system in picks) for which in (0, 1)]
    return (
        f"By {own.name}, {systems[0]} is ahead in {ahead[0]:,} and {systems[1]} in {ahead[1]:,} of {known:,} "
        f"studies; they are level in {known - sum(ahead):,}. Shown by rule are the {shown[0]} and {shown[1]} "
        "with the largest leads; ties by the SHA-256 of the id."
    )


def _own_scores(comparison: TextComparison) -> Own:
    """F1 of every study's labels; ROUGE-L where no text has labels."""
    one, other = comparison.per_study
    if PER_STUDY in one:
        key, name = PER_STUDY, "F1 of the labels present (14 findings, uncertain counts as present)"
    else:
        key, name = next(key for key in one if key.startswith("ROUGE-L[")), "ROUGE-L"
    return Own(name, (np.asarray(one[key], np.float64), np.asarray(other[key], np.float64)))


def _shown(comparison: TextComparison, pick: tuple[int, int], own: Own) -> Shown:
    (row, ahead), summary, (first, second) = pick, comparison.summary, comparison.pairs
    scores = tuple(
        (f"{name}:", number(float(values[row])))
        for name, values in zip(summary["systems"], own.values, strict=True)
    )
    labeler = Labeler(summary["settings"]["profile"]) if comparison.read[row] else None
    return show_study(
        labeler, first.references[row], (first.predictions[row], second.predictions[row]),
        heading=(first.ids[row], "", f"{summary['systems'][ahead]} ahead"), scores=scores,
    )  # fmt: skip


def _rows_of(rows: dict[str, Json], question: Question) -> list[Json]:
    keys = [
        label_key(measure, question, average, subset=subset)
        for measure in reversed(MEASURES)
        for average in AVERAGES
        for subset in SUBSETS
    ]
    return [rows[key] for key in keys if key in rows]


def _finding_key(name: str) -> str:
    return label_key("f1", QUESTIONS[0], name)


def _plots(summary: Json, rows: dict[str, Json]) -> list[Plot]:
    systems = (summary["systems"][0], summary["systems"][1])
    heads = [row for row in summary["rows"] if row["p_holm"] is not None]
    heads.sort(key=lambda row: row["group"] == "wording")
    main = [one for row in heads if (one := _difference(_short(row["measure"]), row)) is not None]
    by_finding = [
        one
        for name in OBSERVATIONS
        if (key := _finding_key(name)) in rows and (one := _difference(name, rows[key])) is not None
    ]
    plots = [
        difference_plot("differences", "Main scores", systems, rows=main),
        difference_plot(
            "findings", "F1 of each finding, uncertain counted as present", systems, rows=by_finding
        ),
    ]
    return [plot for plot in plots if plot is not None]


def _short(measure: str) -> str:
    name, note = titled(measure)
    return f"{name}, {note.split(', ')[1]}" if "findings" in note else name


def _difference(name: str, row: Json) -> Difference | None:
    found = row["difference"]
    ends = [found["value"], found["low"], found["high"]]
    if None in ends:
        return None
    if name.startswith("CIDEr-D"):
        name, ends = f"{name} / {_CIDER_TOP}", [end / _CIDER_TOP for end in ends]
    return Difference(name, *ends)
