"""Plots of scored and of compared texts, each drawn for light paper and for dark.

Knows summaries and matplotlib's object API; knows nothing of pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import TYPE_CHECKING

from xemplar.contracts import Json
from xemplar.evaluation.plots import Plot, Theme, canvas, draw_twice
from xemplar.evaluation.texts.floors import CONSTANT, NEAREST, RANDOM, RANDOM_NORMAL
from xemplar.evaluation.texts.names import finding_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHAPES: Mapping[str, str] = {CONSTANT: "D", RANDOM: "s", RANDOM_NORMAL: "o", NEAREST: "|"}
"""matplotlib's marker of each floor; the page's scales show the same."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of a plot of differences."""

    name: str
    value: float
    low: float
    high: float


def finding_plot(summary: Json) -> Plot | None:
    """F1 of each finding with its interval and the floors; None where nothing was labelled."""
    rows = finding_rows(summary)
    support = summary["support"]
    order = sorted(rows, key=lambda name: _there(support[name]))
    if not any(rows[name]["ours"]["value"] is not None for name in order):
        return None
    told = [
        f"{name} {rows[name]['ours']['value']:.2f}"
        for name in reversed(order)
        if rows[name]["ours"]["value"] is not None
    ]
    alt = f"F1 of each finding, ours, the most frequent first: {', '.join(told)}."
    title = f"{_plain(summary['system'])}, {summary['labels_read']:,} studies"
    names = {name: f"{name}  ({_there(support[name]):,})" for name in order}
    return draw_twice(
        "findings", alt, lambda theme: _draw_findings(theme, title, {names[n]: rows[n] for n in order})
    )


def _plain(name: str) -> str:
    """A name that matplotlib shows as it is, and that fits."""
    return shorten(name, 60, placeholder=" ...").replace("$", r"\$")


def _there(support: Mapping[str, int]) -> int:
    """In how many references it is there, the uncertain ones among them."""
    return support["present"] + support["uncertain"]


def _draw_findings(theme: Theme, title: str, rows: Mapping[str, Json]) -> Figure:
    heading = "F1 of each finding, uncertain counted as present"
    figure, axes = canvas(theme, (7.6, 1.5 + 0.36 * len(rows)), heading=heading, title=title)
    _mark_floors(axes, theme, list(rows.values()))
    known = [
        (at + 0.12, one["ours"]) for at, one in enumerate(rows.values()) if None not in one["ours"].values()
    ]
    at = [place for place, _ in known]
    lows, values, highs = ([one[part] for _, one in known] for part in ("low", "value", "high"))
    axes.hlines(at, lows, highs, color=theme.ours, linewidth=1.4)
    axes.plot(values, at, "o", color=theme.ours, markersize=6.5, label="ours", clip_on=False)
    axes.set_yticks(range(len(rows)), list(rows), color=theme.ink)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlim(-0.01, 1)
    axes.grid(axis="x", color=theme.rule, linewidth=0.6)
    words = "F1 with interval; in brackets, studies whose reference has the finding"
    axes.set_xlabel(words, fontsize=8.5, color=theme.faint)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False,
        fontsize=8, labelcolor=theme.ink, handletextpad=0.3, columnspacing=1.2,
    )  # fmt: skip
    return figure


def _mark_floors(axes: Axes, theme: Theme, rows: Sequence[Json]) -> None:
    for floor, shape in SHAPES.items():
        found = [
            (at - 0.16, one["floors"][floor]["value"])
            for at, one in enumerate(rows)
            if floor in one["floors"]
        ]
        found = [(at, value) for at, value in found if value is not None]
        if not found:
            continue
        bar = shape == "|"
        axes.plot(
            [value for _, value in found], [at for at, _ in found], shape,
            color=theme.faint if bar else theme.floor, markerfacecolor=theme.paper, label=floor,
            markersize=11 if bar else 5, markeredgewidth=1.6 if bar else 1.2, clip_on=False,
        )  # fmt: skip


def difference_plot(
    name: str, heading: str, systems: tuple[str, str], *, rows: Sequence[Difference]
) -> Plot | None:
    """Differences with their intervals, the first row on top; None where there is none."""
    if not rows:
        return None
    told = [f"{row.name} {row.value:+.3f} ({row.low:+.3f} to {row.high:+.3f})" for row in rows]
    alt = f"{heading}, {systems[0]} less {systems[1]}: {', '.join(told)}."
    return draw_twice(name, alt, lambda theme: _draw_differences(theme, heading, systems, rows=rows))


def _draw_differences(
    theme: Theme, heading: str, systems: tuple[str, str], *, rows: Sequence[Difference]
) -> Figure:
    title = f"{_plain(systems[0])} less {_plain(systems[1])}"
    figure, axes = canvas(theme, (7.6, 1.4 + 0.34 * len(rows)), heading=heading, title=title)
    for at, row in enumerate(reversed(rows)):
        told = row.low > 0 or row.high < 0
        colour = theme.ours if told else theme.faint
        axes.hlines([at], [row.low], [row.high], color=colour, linewidth=1.6)
        axes.plot(
            [row.value],
            [at],
            "o",
            color=colour,
            markerfacecolor=colour if told else theme.paper,
            markersize=6.5,
        )
    axes.axvline(0, color=theme.ink, linewidth=1)
    reach = 1.08 * max([abs(end) for row in rows for end in (row.low, row.high)] + [0.01])
    axes.set_xlim(-reach, reach)
    axes.set_yticks(range(len(rows)), [row.name for row in reversed(rows)], color=theme.ink)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(axis="x", color=theme.rule, linewidth=0.6)
    words = (
        "difference with interval; filled where the interval excludes zero; right of zero the first is ahead"
    )
    axes.set_xlabel(words, fontsize=8.5, color=theme.faint)
    return figure
