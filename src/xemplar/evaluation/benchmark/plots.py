"""Plots of a benchmark: scores of every system, ablations, learning curves, one site beside the other.

Knows the table's JSON and matplotlib's object API; computes no score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from xemplar.contracts import Json
from xemplar.evaluation.benchmark import measures
from xemplar.evaluation.benchmark.cells import clear, number
from xemplar.evaluation.plots import Plot, Theme, draw_twice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEADLINES = (
    measures.IMAGE_REPORT_MRR, measures.REPORT_IMAGE_MRR, measures.IMAGE_MAP, measures.MICRO_F1.name,
    measures.MACRO_F1.name, measures.PRECISION,
)  # fmt: skip
_MARKS = ("o", "D", "s", "^")
_OFFSETS = (0.14, -0.14, 0.0, 0.28)
_COLUMNS = 3


def draw_plots(table: Json) -> list[Plot]:
    """The plots that a table allows."""
    found = []
    if blocks := [block for block in table["scores"] if block["measure"] in HEADLINES]:
        names = list(dict.fromkeys(block["measure"] for block in blocks))
        found.append(_plot("scores", _scores_alt(blocks, table), lambda t: _draw_scores(t, table, names)))
    if rows := _ablated(table):
        names = [name for name in HEADLINES if any(row["measure"] == name for row in rows)]
        found.append(_plot("ablations", _ablations_alt(rows), lambda t: _draw_ablations(t, rows, names)))
    if table["curves"]:
        points = table["curves"]
        names = [name for name in HEADLINES if all(name in point["scores"] for point in points)]
        found.append(_plot("curves", _curves_alt(points, names), lambda t: _draw_curves(t, points, names)))
    if table["sites"]:
        names = [name for name in HEADLINES if any(row["measure"] == name for row in table["sites"])]
        found.append(_plot("sites", _sites_alt(table["sites"]), lambda t: _draw_sites(t, table, names)))
    return found


def _plot(name: str, alt: str, draw: Callable[[Theme], Figure]) -> Plot:
    return draw_twice(name, alt, draw)


def _grid(theme: Theme, count: int, *, height: float, heading: str) -> tuple[Figure, list[Axes]]:
    """A figure with a pair of axes for each measure, three in a row."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, count)
    lines = -(-count // columns)
    figure = Figure(figsize=(10.4, 0.5 + height * lines), layout="constrained", facecolor=theme.paper)
    FigureCanvasAgg(figure)
    figure.suptitle(heading, x=0.01, ha="left", fontsize=10, color=theme.ink)
    grid = figure.subplots(lines, columns, squeeze=False, sharey="row").ravel().tolist()
    for axes in grid:
        axes.set_facecolor(theme.paper)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color(theme.rule)
        axes.tick_params(colors=theme.faint, labelsize=8, length=0)
        axes.set_axisbelow(True)
        axes.grid(axis="x", color=theme.rule, linewidth=0.6)
    for axes in grid[count:]:
        axes.set_visible(False)
    return figure, grid[:count]


def _draw_scores(theme: Theme, table: Json, names: Sequence[str]) -> Figure:
    systems = [one for one in reversed(table["systems"]) if _has(table["scores"], names, one)]
    height = 0.9 + 0.3 * len(systems)
    figure, grid = _grid(theme, len(names), height=height, heading="Scores with 95 % intervals, by set")
    for axes, name in zip(grid, names, strict=True):
        for place, where in enumerate(table["sets"]):
            block = _block(table["scores"], where, name)
            rows = {row["system"]: row for row in block["rows"]} if block else {}
            _points(axes, theme, [rows.get(system) for system in systems], place=place, label=where)
        axes.set_title(name, fontsize=8.5, color=theme.ink, loc="left")
        axes.set_yticks(range(len(systems)), systems, color=theme.ink, fontsize=8)
        axes.set_ylim(-0.6, len(systems) - 0.4)
        axes.set_xlim(left=0)
    _legend(grid[0], theme, list(table["sets"]))
    return figure


def _draw_ablations(theme: Theme, rows: Sequence[Json], names: Sequence[str]) -> Figure:
    questions = list(dict.fromkeys(row["question"] for row in rows))[::-1]
    sets = list(dict.fromkeys(row["set"] for row in rows))
    figure, grid = _grid(
        theme, len(names), height=0.9 + 0.3 * len(questions), heading="What each part brings: differences"
    )
    for axes, name in zip(grid, names, strict=True):
        for place, where in enumerate(sets):
            known = {
                r["question"]: r["difference"] for r in rows if (r["set"], r["measure"]) == (where, name)
            }
            _points(axes, theme, [known.get(question) for question in questions], place=place, label=where)
        axes.axvline(0, color=theme.faint, linewidth=1)
        axes.set_title(name, fontsize=8.5, color=theme.ink, loc="left")
        axes.set_yticks(range(len(questions)), questions, color=theme.ink, fontsize=7.5)
        axes.set_ylim(-0.6, len(questions) - 0.4)
    _legend(grid[0], theme, sets)
    return figure


def _draw_curves(theme: Theme, points: Sequence[Json], names: Sequence[str]) -> Figure:
    figure, grid = _grid(theme, len(names), height=2.7, heading="By share of the training patients")
    lines = list(dict.fromkeys((point["recipe"], point["set"]) for point in points))
    for axes, name in zip(grid, names, strict=True):
        for place, (recipe, where) in enumerate(lines):
            own = [point for point in points if (point["recipe"], point["set"]) == (recipe, where)]
            shown = [(point["part"], point["scores"][name]) for point in own]
            shown = [(part, score) for part, score in shown if score["value"] is not None]
            colour = theme.ours if place % 2 == 0 else theme.floor
            at = [100 * part for part, _ in shown]
            axes.plot(
                at, [score["value"] for _, score in shown], f"-{_MARKS[place % len(_MARKS)]}", color=colour,
                markersize=4, linewidth=1.4, label=f"{recipe}, {where}",
            )  # fmt: skip
            axes.vlines(
                at, [s["low"] for _, s in shown], [s["high"] for _, s in shown], color=colour, linewidth=1
            )
        axes.set_xscale("log")
        ticks = sorted({100 * point["part"] for point in points})
        axes.set_xticks(ticks, [f"{tick:g} %" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set_title(name, fontsize=8.5, color=theme.ink, loc="left")
        axes.tick_params(labelleft=True)
    grid[0].legend(frameon=False, fontsize=7.5, labelcolor=theme.ink)
    return figure


def _draw_sites(theme: Theme, table: Json, names: Sequence[str]) -> Figure:
    rows = table["sites"]
    systems = [one for one in reversed(table["systems"]) if any(row["system"] == one for row in rows)]
    heading = f"{rows[0]['first']} less {rows[0]['second']}: what a system loses on a site it never saw"
    figure, grid = _grid(theme, len(names), height=0.9 + 0.3 * len(systems), heading=heading)
    for axes, name in zip(grid, names, strict=True):
        known = {row["system"]: row["difference"] for row in rows if row["measure"] == name}
        _points(axes, theme, [known.get(system) for system in systems], place=0, label="")
        axes.axvline(0, color=theme.faint, linewidth=1)
        axes.set_title(name, fontsize=8.5, color=theme.ink, loc="left")
        axes.set_yticks(range(len(systems)), systems, color=theme.ink, fontsize=8)
        axes.set_ylim(-0.6, len(systems) - 0.4)
    return figure


def _points(axes: Axes, theme: Theme, scores: Sequence[Json | None], *, place: int, label: str) -> None:
    """Values with their intervals, one a line from below."""
    known = [
        (line + _OFFSETS[place % len(_OFFSETS)], one)
        for line, one in enumerate(scores)
        if one is not None and None not in (one["value"], one["low"], one["high"])
    ]
    colour = theme.ours if place == 0 else theme.floor
    at = [line for line, _ in known]
    axes.hlines(
        at, [one["low"] for _, one in known], [one["high"] for _, one in known], color=colour, linewidth=1.3
    )
    axes.plot(
        [one["value"] for _, one in known], at, _MARKS[place % len(_MARKS)], color=colour, markersize=4.5,
        markerfacecolor=colour if place == 0 else theme.paper, label=label, zorder=3, linestyle="none",
    )  # fmt: skip


def _legend(axes: Axes, theme: Theme, sets: Sequence[str]) -> None:
    if len(sets) > 1:
        axes.legend(
            frameon=False, fontsize=8, labelcolor=theme.ink, loc="lower right", bbox_to_anchor=(1, 1),
            ncols=len(sets), borderaxespad=0.1,
        )  # fmt: skip


def _block(blocks: Sequence[Json], where: str, measure: str) -> Json | None:
    return next((one for one in blocks if (one["set"], one["measure"]) == (where, measure)), None)


def _has(blocks: Sequence[Json], names: Sequence[str], system: str) -> bool:
    return any(row["system"] == system for one in blocks if one["measure"] in names for row in one["rows"])


def _ablated(table: Json) -> list[Json]:
    """Differences of ablations under the headlines, but for those that can't differ."""
    return [
        {"question": _on_what(block["question"], row), "set": block["set"], **row}
        for block in table["ablations"]
        for row in block["rows"]
        if row["measure"] in HEADLINES and row["first"] != row["second"]
    ]


def _on_what(question: str, row: Json) -> str:
    """A question, marked where its answer rests on one training."""
    return f"{question} (one training)" if len(row["difference"]["by_seed"]) == 1 else question


def _scores_alt(blocks: Sequence[Json], table: Json) -> str:
    parts = []
    for block in blocks:
        if block["set"] == next(iter(table["sets"])):
            values = ", ".join(f"{row['system']} {number(row['value'])}" for row in block["rows"])
            parts.append(f"{block['measure']}: {values}")
    return f"Scores on {next(iter(table['sets']))}. " + "; ".join(parts) + "."


def _ablations_alt(rows: Sequence[Json]) -> str:
    held = [row for row in rows if clear(row["difference"])]
    said = [f"{r['question']}, {r['measure']}, {r['set']} {number(r['difference']['value'])}" for r in held]
    return "Differences of ablations clear of zero: " + ("; ".join(said) or "none") + "."


def _curves_alt(points: Sequence[Json], names: Sequence[str]) -> str:
    said = [
        f"{point['recipe']} on {point['set']} at {point['part']:.0%}: "
        + ", ".join(f"{name} {number(point['scores'][name]['value'])}" for name in names)
        for point in points
    ]
    return "Scores by share of the training patients. " + "; ".join(said) + "."


def _sites_alt(rows: Sequence[Json]) -> str:
    said = [
        f"{row['system']}, {row['measure']} {number(row['difference']['value'])}"
        for row in rows
        if row["measure"] in HEADLINES
    ]
    return f"{rows[0]['first']} less {rows[0]['second']}: " + "; ".join(said) + "."
