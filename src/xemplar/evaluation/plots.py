"""Plots of an evaluation, each drawn twice: for light paper and for dark.

Knows scores, ranks and matplotlib's object API (no pyplot, no global state); knows nothing of pages.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xemplar.contracts import Json
from xemplar.drafting import truth_of
from xemplar.evaluation.floors import LINEAR
from xemplar.evaluation.run import Evaluation
from xemplar.metrics.chance import chance_success
from xemplar.metrics.statistics import bootstrap, ratio, with_counts
from xemplar.report import text_key

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 170
_DEPTHS = 48
"""Places on the logarithmic axis at which the curves are read."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of one paper."""

    name: str
    paper: str
    ink: str
    faint: str
    rule: str
    ours: str
    floor: str


THEMES = (
    Theme("light", "#ffffff", "#1c2126", "#5b646d", "#dfe3e6", "#0b5fa5", "#a4590a"),
    Theme("dark", "#191d21", "#e6e9ec", "#a0a9b1", "#343b42", "#6fb3ee", "#e0a05a"),
)


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot as PNG bytes, and what it shows for those who can't see it."""

    name: str
    alt: str
    light: bytes
    dark: bytes


@dataclass(frozen=True, slots=True)
class Curve:
    """success@k at some depths, with its interval where it was resampled."""

    name: str
    depths: NDArray[np.int64]
    values: NDArray[np.float64]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None


def draw_plots(evaluation: Evaluation) -> list[Plot]:
    """The plots that an evaluation allows: ranks always, the others where drafts were scored."""
    title = f"{evaluation.summary['title']} ({evaluation.summary['split']})"
    curves = rank_curves(evaluation)
    plots = [draw_twice("ranks", _ranks_alt(curves), lambda theme: _draw_ranks(theme, title, curves))]
    drafted = evaluation.summary["drafts"]
    if drafted and drafted["by_finding"]:
        rows = sorted(drafted["by_finding"], key=lambda row: (row["ours"]["value"], row["measure"]))
        counts = present_counts(evaluation)
        plots.append(
            draw_twice(
                "findings",
                _findings_alt(rows),
                lambda theme: _draw_findings(theme, title, rows, counts=counts),
            )
        )
    if drafted and drafted["reliability"]:
        found = drafted["reliability"]
        plots.append(
            draw_twice("reliability", _reliability_alt(found), lambda t: _draw_reliability(t, title, found))
        )
    return plots


def rank_curves(evaluation: Evaluation) -> list[Curve]:
    """Image to text: success@k of each system with its interval, and of exact chance, which has none."""
    held = evaluation.per_study["rank image to text, ours"].astype(np.int64) >= 0
    count = int(held.sum())
    depths = np.unique(np.geomspace(1, count, _DEPTHS).round().astype(np.int64))
    resampling = evaluation.summary["resampling"]
    clusters = evaluation.per_study["cluster"][held]
    curves = []
    for column, ranks in evaluation.per_study.items():
        if not column.startswith("rank image to text, "):
            continue
        hits = np.asarray(ranks[held], np.int64)[:, None] <= depths
        intervals = [
            bootstrap(
                ratio, with_counts(hits[:, place]), clusters=clusters, seed=resampling["seed"],
                replicates=resampling["replicates"], level=resampling["level"],
            )
            for place in range(len(depths))
        ]  # fmt: skip
        curves.append(
            Curve(
                column.removeprefix("rank image to text, "),
                depths,
                np.array([interval.value for interval in intervals]),
                np.array([interval.low for interval in intervals]),
                np.array([interval.high for interval in intervals]),
            )
        )
    return [*curves, Curve("exact chance", depths, _chance(evaluation, held, depths))]


def _chance(
    evaluation: Evaluation, held: NDArray[np.bool_], depths: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What a random order would reach, where equal text is equally right."""
    studies = [study for study, ranked in zip(evaluation.studies, held, strict=True) if ranked]
    keys = [text_key(" ".join(study.text.split())) for study in studies]
    right = Counter(keys)
    counts = np.array([right[key] for key in keys], np.int64)
    return np.array([chance_success(counts, len(keys), int(k)).mean() for k in depths])


def present_counts(evaluation: Evaluation) -> Counter[str]:
    """In how many evaluated studies each finding is present."""
    truths = [truth_of(study) for study in evaluation.studies]
    return Counter(name for truth in truths for name, said in truth.items() if said == "present")


def draw_twice(name: str, alt: str, draw: Callable[[Theme], Figure]) -> Plot:
    """A plot on light paper and on dark."""
    light, dark = (_png(draw(theme)) for theme in THEMES)
    return Plot(name, alt, light, dark)


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI)
    return stream.getvalue()


def canvas(theme: Theme, size: tuple[float, float], *, heading: str, title: str) -> tuple[Figure, Axes]:
    """A figure with one pair of axes, headed by what is shown and of whom."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained", facecolor=theme.paper)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor=theme.paper)
    words = f"{heading}\n{title}"
    figure.suptitle(words, x=0.01, ha="left", fontsize=10, linespacing=1.5, color=theme.ink)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(theme.rule)
    axes.tick_params(colors=theme.faint, labelsize=8.5, length=0)
    axes.set_axisbelow(True)
    return figure, axes


def _draw_ranks(theme: Theme, title: str, curves: list[Curve]) -> Figure:
    heading = "Image to text: share of films whose own report is among the first k"
    figure, axes = canvas(theme, (7.6, 4.1), heading=heading, title=title)
    looks = {
        "ours": (theme.ours, "-", 2.2),
        LINEAR: (theme.floor, "--", 1.6),
        "exact chance": (theme.faint, ":", 1.6),
    }
    for curve in curves:
        colour, dashes, width = looks.get(curve.name, (theme.faint, "-.", 1.2))
        axes.plot(curve.depths, curve.values, dashes, color=colour, linewidth=width, label=curve.name)
        if curve.low is not None and curve.high is not None:
            axes.fill_between(curve.depths, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0)
    last = int(curves[0].depths[-1])
    axes.set_xscale("log")
    axes.set_xlim(1, last)
    axes.set_ylim(0, 1.02)
    ticks = [k for k in (1, 5, 10, 50, 100, 500, 1000, 5000, 10_000) if k < 0.8 * last] + [last]
    axes.set_xticks(ticks, [f"{k:,}" for k in ticks])
    axes.set_xticks([], minor=True)
    axes.grid(color=theme.rule, linewidth=0.6)
    axes.set_xlabel("k, of all texts in the gallery", fontsize=8.5, color=theme.faint)
    axes.set_ylabel("success@k (R@k in CLIP papers)", fontsize=8.5, color=theme.faint)
    axes.legend(frameon=False, fontsize=8.5, labelcolor=theme.ink, loc="upper left", handlelength=2.6)
    return figure


def _draw_findings(theme: Theme, title: str, rows: list[Json], *, counts: Counter[str]) -> Figure:
    height = 1.3 + 0.36 * len(rows)
    figure, axes = canvas(theme, (7.6, height), heading="Drafts: F1 of each finding", title=title)
    marks = (("ours", "o", theme.ours, theme.ours, 0.12), (LINEAR, "D", theme.floor, theme.paper, -0.16))
    for name, shape, colour, face, offset in marks:
        held = [
            (place, row["ours"] if name == "ours" else row["floors"].get(name))
            for place, row in enumerate(rows)
        ]
        known = [(place + offset, one) for place, one in held if one is not None and None not in one.values()]
        at = [place for place, _ in known]
        axes.hlines(
            at,
            [one["low"] for _, one in known],
            [one["high"] for _, one in known],
            color=colour,
            linewidth=1.4,
        )
        axes.plot(
            [one["value"] for _, one in known], at, shape, color=colour, markerfacecolor=face,
            markersize=6.5 if name == "ours" else 5, label=name, clip_on=False, zorder=3,
        )  # fmt: skip
    names = [row["measure"].removeprefix("F1 ") for row in rows]
    axes.set_yticks(range(len(rows)), [f"{name}  ({counts[name]:,})" for name in names], color=theme.ink)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlim(-0.01, 1)
    axes.grid(axis="x", color=theme.rule, linewidth=0.6)
    axes.set_xlabel(
        "F1 with interval; in brackets, studies that have the finding", fontsize=8.5, color=theme.faint
    )
    axes.legend(
        frameon=False, fontsize=8.5, labelcolor=theme.ink, loc="lower right", bbox_to_anchor=(1, 1),
        ncols=2, borderaxespad=0.2,
    )  # fmt: skip
    return figure


def _draw_reliability(theme: Theme, title: str, found: Json) -> Figure:
    heading = "Drafts: share of findings that are there, by the probability they were given"
    figure, axes = canvas(theme, (7.6, 4.6), heading=heading, title=title)
    axes.plot([0, 1], [0, 1], ":", color=theme.faint, linewidth=1.2, label="as often as said")
    bins = [row for row in found["bins"] if None not in row["observed"].values()]
    at, values = [row["predicted"] for row in bins], [row["observed"]["value"] for row in bins]
    lows, highs = ([row["observed"][end] for row in bins] for end in ("low", "high"))
    axes.vlines(at, lows, highs, color=theme.ours, linewidth=1.4)
    axes.plot(at, values, "o-", color=theme.ours, linewidth=1, markersize=6, label="observed", zorder=3)
    for row in bins:
        place = (row["predicted"], row["observed"]["high"])
        axes.annotate(
            f"{row['n']:,}", place, xytext=(0, 3), textcoords="offset points", ha="center", fontsize=7.5,
            color=theme.faint,
        )  # fmt: skip
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.06)
    axes.grid(color=theme.rule, linewidth=0.6)
    words = "mean probability of the bin; above each, its count of studies times findings"
    axes.set_xlabel(words, fontsize=8.5, color=theme.faint)
    axes.set_ylabel("share that is there, with interval", fontsize=8.5, color=theme.faint)
    axes.legend(frameon=False, fontsize=8.5, labelcolor=theme.ink, loc="upper left")
    return figure


def _reliability_alt(found: Json) -> str:
    parts = [
        f"said {row['predicted']:.2f}, there {row['observed']['value']:.2f} of {row['n']}"
        for row in found["bins"]
    ]
    return "Reliability of probabilities, bin by bin: " + "; ".join(parts) + "."


def _ranks_alt(curves: list[Curve]) -> str:
    parts = []
    for curve in curves:
        read = [
            f"{curve.values[np.searchsorted(curve.depths, k)]:.2f} at {k}"
            for k in (1, 10)
            if k in curve.depths
        ]
        parts.append(f"{curve.name}: {', '.join(read)}")
    return "success@k against k, image to text. " + "; ".join(parts) + "."


def _findings_alt(rows: list[Json]) -> str:
    best = [f"{row['measure'].removeprefix('F1 ')} {row['ours']['value']:.2f}" for row in reversed(rows)]
    return "F1 of each finding, ours: " + ", ".join(best) + "."
