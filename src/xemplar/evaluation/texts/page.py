"""Scored texts as one page that explains itself: scores on scales beside their floors, tables, pairs.

Knows the summary, the pairs and the templates; computes no score. Everything shown is inside the one
file, and nothing in it asks for anything outside.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xemplar.contracts import Json
from xemplar.errors import XemplarError
from xemplar.evaluation.plots import Plot
from xemplar.evaluation.printed import CAUTION, against, number, signed, spread
from xemplar.evaluation.texts.floors import CONSTANT, NEAREST, NORMAL, RANDOM, RANDOM_NORMAL
from xemplar.evaluation.texts.marked import SIGNS, Piece, Row, compared, judge, pieces, read_text
from xemplar.evaluation.texts.measures import QUESTIONS
from xemplar.evaluation.texts.names import (
    AVERAGES,
    MEASURES,
    SUBSETS,
    asked,
    by_key,
    finding_rows,
    label_key,
    over,
    titled,
)
from xemplar.evaluation.texts.plots import finding_plot
from xemplar.evaluation.texts.run import HEADLINES, TextScores
from xemplar.findings import Labeler
from xemplar.folders import write_atomic
from xemplar.metrics.labels import Question
from xemplar.records import UNVERIFIED

if TYPE_CHECKING:
    from jinja2 import Environment

CONFIDENTIAL = "This page holds whole texts of reports and is as confidential as they are."
FLOOR_MARKS = {CONSTANT: "constant", RANDOM: "random", RANDOM_NORMAL: "normal", NEAREST: "ceiling"}
"""Classes of the marks on a scale."""

PER_STUDY = label_key("f1", QUESTIONS[0], "samples", subset="14")
"""What pairs are chosen by, where they have labels."""

_TOPS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)
"""Where a scale may end; CIDEr-D goes to 10."""

_WORDING_HEADS = ("BLEU-4", "ROUGE-L", "CIDEr-D", "meteor_es")
_GROUPS = {"lowest": "worst", "middle": "", "highest": "best"}


@dataclass(frozen=True, slots=True)
class Headline:
    """One main score: its row, its name and note, and its places on a scale, in percent."""

    name: str
    note: str
    score: Json
    top: float
    places: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Place:
    """One line of a published board: a system, a floor or ours."""

    name: str
    value: float
    kind: str
    width: float


@dataclass(frozen=True, slots=True)
class Pick:
    """A chosen study: its row, the group that it stands for, and its score."""

    row: int
    group: str
    value: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A study's texts with their mentions marked; `predictions` as many as there are systems."""

    id: str
    group: str
    tag: str
    scores: tuple[tuple[str, str], ...]
    reference: tuple[Piece, ...]
    predictions: tuple[tuple[Piece, ...], ...]
    rows: tuple[Row, ...]


def write_texts_page(scores: TextScores, folder: Path, *, cases: int = 6) -> Path:
    """Write report.html, all in one file, and its plots as plots/*.png; returns the page's path.

    `cases` is how many studies are shown, chosen by the rule that the page states. Raises XemplarError
    where the folder can't be written.
    """
    summary = scores.summary
    plots = [plot for plot in [finding_plot(summary)] if plot is not None]
    picks = pick_studies(scores, cases)
    page = environment().get_template("texts.html").render(
        **common(summary, plots),
        headlines=headlines(summary),
        boards=[(board, standing(board, summary)) for board in summary["anchors"]],
        questions=[(asked(one), _label_rows(summary, one)) for one in QUESTIONS],
        floored=_floored(summary),
        findings={m: finding_rows(summary, m) for m in MEASURES},
        other_findings=_other_findings(summary),
        floor_marks=FLOOR_MARKS,
        constant=NORMAL,
        how_chosen=how_chosen(scores, picks),
        cases=[_shown(scores, pick) for pick in picks],
    )  # fmt: skip
    return write_all(folder, page, plots)


def environment() -> Environment:
    """The templates, which escape every text, and the words that numbers are printed in."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("xemplar.evaluation"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    found.filters.update(
        number=number, spread=spread, against=against, signed=signed, png=_png_uri, titled=titled,
        count="{:,}".format, probability=probability, repr=repr, over=over,
    )  # fmt: skip
    return found


def common(summary: Json, plots: Sequence[Plot]) -> Json:
    """What both pages are given."""
    domain = summary["settings"]["domain"]
    return {
        "summary": summary,
        "banner": UNVERIFIED,
        "caution": CAUTION.get(domain, CONFIDENTIAL) if domain != "clinical" else CONFIDENTIAL,
        "plots": {plot.name: plot for plot in plots},
        "signs": SIGNS,
        "arguments": ", ".join(f"{name}={value!r}" for name, value in summary["settings"].items()),
    }


def write_all(folder: Path, page: str, plots: Iterable[Plot]) -> Path:
    """Write a page and its plots; raises XemplarError where the folder can't be written."""
    try:
        (folder / "plots").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise XemplarError(f"cannot be written ({error.strerror})", where=str(folder)) from error
    for plot in plots:
        write_atomic(folder / "plots" / f"{plot.name}.png", plot.light)
        write_atomic(folder / "plots" / f"{plot.name}-dark.png", plot.dark)
    write_atomic(folder / "report.html", page.encode())
    return folder / "report.html"


def headlines(summary: Json) -> list[Headline]:
    """The main scores that these texts have: F1 of labels, wording, and what a published board measures."""
    labels, wording = by_key(summary["labels"]), by_key(summary["wording"])
    keys = [key for key in HEADLINES if key in labels]
    keys += [key for name in _WORDING_HEADS for key in wording if key.partition("[")[0] == name]
    keys += [board["measure"] for board in summary["anchors"]]
    return [_headline((labels | wording)[key]) for key in dict.fromkeys(keys)]


def _headline(score: Json) -> Headline:
    ours = score["ours"]
    values = {"ours": ours["value"], "low": ours["low"], "high": ours["high"]}
    values |= {name: floor["value"] for name, floor in score["floors"].items()}
    known = {name: value for name, value in values.items() if value is not None}
    most = max(known.values(), default=1.0)
    top = next((top for top in _TOPS if top >= most), most)
    places = {name: 100 * min(max(value / top, 0.0), 1.0) for name, value in known.items()}
    name, note = titled(score["measure"])
    return Headline(name, "; ".join(part for part in (note, over(score)) if part), score, top, places)


def standing(board: Json, summary: Json) -> list[Place]:
    """A published board with ours and the floors in their places, the best on top; ours is last of equals."""
    row = by_key(summary["wording"] + summary["labels"])[board["measure"]]
    found = [(name, float(value), "") for name, value in board["systems"]]
    found += [
        (name, one["value"], "floor") for name, one in row["floors"].items() if one["value"] is not None
    ]
    if row["ours"]["value"] is not None:
        found.append((summary["system"], row["ours"]["value"], "ours"))
    top = max((value for _, value, _ in found), default=0.0) or 1.0
    found.sort(key=lambda one: -one[1])
    return [Place(name, value, kind, 100 * max(value, 0.0) / top) for name, value, kind in found]


def probability(value: float | None) -> str:
    """A p-value to three places, never as nought; a dash for none."""
    if value is None:
        return number(None)
    return "< 0.001" if value < 0.0005 else f"{value:.3f}"


def _label_rows(summary: Json, question: Question) -> list[tuple[str, list[Json]]]:
    known = by_key(summary["labels"])
    found = []
    for measure in reversed(MEASURES):
        for average in AVERAGES:
            keys = [label_key(measure, question, average, subset=subset) for subset in SUBSETS]
            if all(key in known for key in keys):
                name = titled(keys[0])[0]
                found.append((name, [known[key] for key in keys]))
    return found


def _floored(summary: Json) -> list[Json]:
    """F1 rows of the first question, which alone of the labels' scores a page shows beside the floors."""
    known = by_key(summary["labels"])
    keys = [
        label_key("f1", QUESTIONS[0], average, subset=subset) for subset in SUBSETS for average in AVERAGES
    ]
    return [known[key] for key in keys if key in known and known[key]["floors"]]


def _other_findings(summary: Json) -> list[tuple[str, list[Json]]]:
    """Each finding's F1 for every question."""
    known = by_key(summary["by finding"])
    return [
        (name, [known[label_key("f1", question, name)]["ours"] for question in QUESTIONS])
        for name in summary["support"]
    ]


def _measure_of(scores: TextScores) -> str:
    """What pairs are chosen by: F1 of their labels, or ROUGE-L where nothing has labels."""
    values = scores.per_study.get(PER_STUDY)
    if values is not None and bool(np.isfinite(np.asarray(values, np.float64)).any()):
        return PER_STUDY
    return next(key for key in scores.per_study if key.startswith("ROUGE-L["))


def pick_studies(scores: TextScores, count: int) -> list[Pick]:
    """The lowest, the middle and the highest by their own score, alike many; ties by the hash of the id.

    No study is taken twice. Studies without that score are never shown.
    """
    values = np.asarray(scores.per_study[_measure_of(scores)], np.float64)
    ids = scores.pairs.ids
    rows = [int(row) for row in np.flatnonzero(np.isfinite(values))]
    order = sorted(rows, key=lambda row: (values[row], sha256(ids[row].encode()).hexdigest()))
    count = max(0, min(count, len(order)))
    low, high = (count + 2) // 3, (count + 1) // 3
    middle = count - low - high
    start = low + (len(order) - low - high - middle) // 2
    parts = {
        "lowest": order[:low],
        "middle": order[start : start + middle],
        "highest": order[len(order) - high :],
    }
    return [Pick(row, group, float(values[row])) for group, found in parts.items() for row in found]


def how_chosen(scores: TextScores, picks: Sequence[Pick]) -> str:
    """The rule by which the shown studies were chosen, in words."""
    name, note = titled(_measure_of(scores))
    if name.startswith("F1"):
        name, note = "F1 of its own labels", "present, 14 findings, uncertain counts as present"
        note += "; a study that has none on either side has no F1"
    known = int(np.isfinite(np.asarray(scores.per_study[_measure_of(scores)], np.float64)).sum())
    held = [f"{sum(pick.group == group for pick in picks)} {group}" for group in _GROUPS]
    return (
        f"Chosen by rule from the {known:,} studies that have a score of their own: {', '.join(held)} "
        f"by {name} ({note}); ties by the SHA-256 of the id."
    )


def _shown(scores: TextScores, pick: Pick) -> Shown:
    columns = [key for key in scores.per_study if key.partition("[")[0] in ("BLEU-4", "ROUGE-L", "CIDEr-D")]
    found = [(titled(key)[0], float(scores.per_study[key][pick.row])) for key in columns]
    if PER_STUDY in scores.per_study:
        found.insert(0, ("F1 of its labels", float(scores.per_study[PER_STUDY][pick.row])))
    own = tuple((name, number(value if np.isfinite(value) else None)) for name, value in found)
    pairs = scores.pairs
    labeler = Labeler(scores.summary["settings"]["profile"]) if scores.read[pick.row] else None
    return show_study(
        labeler, pairs.references[pick.row], (pairs.predictions[pick.row],),
        heading=(pairs.ids[pick.row], _GROUPS[pick.group], pick.group), scores=own,
    )  # fmt: skip


def show_study(
    labeler: Labeler | None,
    reference: str,
    predictions: Sequence[str],
    *,
    heading: tuple[str, str, str],
    scores: tuple[tuple[str, str], ...],
) -> Shown:
    """A study as a page shows it, its findings marked; without a labeler the texts stand as they are.

    `heading` is its id, the class of its tag and the tag.
    """
    if labeler is None:
        plain = tuple((Piece(text),) for text in predictions)
        return Shown(*heading, scores, (Piece(reference),), plain, ())
    truth = read_text(labeler, reference)
    said = [read_text(labeler, text) for text in predictions]
    missed = [judge(truth, one, alone="missed") for one in said]
    marked = tuple(pieces(one, [judge(one, truth, alone="not in the reference")]) for one in said)
    return Shown(*heading, scores, pieces(truth, missed), marked, compared(truth, said))


def _png_uri(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"
