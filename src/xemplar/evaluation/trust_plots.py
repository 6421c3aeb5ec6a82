"""Two plots of trust: how wrong lines, and stated findings, are when only the surest are kept.

Knows curves and matplotlib's object API; knows nothing of drafts.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from xemplar.contracts import Json
from xemplar.evaluation.plots import Plot, Theme, canvas, draw_twice
from xemplar.evaluation.run import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_READ = (0.25, 0.5, 0.75)
"""Coverages at which the confidence from which on is kept is written beside the curve."""

_WORDS = {
    "lines": "Lines of drafts: share that is wrong, of the surest",
    "findings": "Findings stated: share that is wrong, of the surest",
}


def draw_trust(evaluation: Evaluation) -> list[Plot]:
    """Risk against coverage of lines and of stated findings; none where nothing has a confidence."""
    trust = evaluation.summary["trust"]
    title = f"{evaluation.summary['title']} ({evaluation.summary['split']})"
    if not trust:
        return []
    asked = trust["promise"]["risks"]["wrong_lines"]["asked"]
    plots = []
    for what, promised in (("lines", asked), ("findings", None)):
        if curve := trust[what]:
            draw = partial(_draw, what, title, curve=curve, asked=promised)
            plots.append(draw_twice(f"risk-{what}", _alt(what, curve), draw))
    return plots


def _draw(what: str, title: str, theme: Theme, *, curve: Json, asked: float | None) -> Figure:
    figure, axes = canvas(theme, (7.6, 4.1), heading=_WORDS[what], title=title)
    rows = _known(curve)
    at = [row["coverage"] for row in rows]
    values, lows, highs = ([row["risk"][end] for row in rows] for end in ("value", "low", "high"))
    axes.fill_between(at, lows, highs, color=theme.ours, alpha=0.15, linewidth=0)
    axes.plot(at, values, "-", color=theme.ours, linewidth=2.2, label="wrong, with interval")
    axes.plot(at[-1:], values[-1:], "o", color=theme.ours, markersize=6.5, clip_on=False, zorder=3)
    if asked is not None:
        words = f"promised: at most {asked:g}"
        axes.axhline(asked, linestyle="--", color=theme.floor, linewidth=1.6, label=words)
    _write_confidences(theme, axes, rows)
    axes.set_xlim(0, 1.005)
    axes.set_ylim(0, min(1.02, 1.12 * max([*highs, asked or 0.0, 0.02])))
    axes.grid(color=theme.rule, linewidth=0.6)
    words = f"share of {what} kept, the surest first; above the curve, the least confidence kept"
    axes.set_xlabel(words, fontsize=8.5, color=theme.faint)
    axes.set_ylabel("share that is wrong", fontsize=8.5, color=theme.faint)
    axes.legend(
        frameon=False, fontsize=8.5, labelcolor=theme.ink, handlelength=2.6, ncols=2,
        loc="lower right", bbox_to_anchor=(1.0, 0.99),
    )  # fmt: skip
    return figure


def _write_confidences(theme: Theme, axes: Axes, rows: list[Json]) -> None:
    """At a quarter, half and three quarters of what was said, and at the end."""
    for share in (*_READ, 1.0):
        row = min(rows, key=lambda one: abs(one["coverage"] - share))
        axes.annotate(
            f"{row['from']:.2f}", (row["coverage"], row["risk"]["value"]), xytext=(-5, 5),
            textcoords="offset points", ha="right", fontsize=7.5,
            color=theme.faint, clip_on=False,
        )  # fmt: skip


def _known(curve: Json) -> list[Json]:
    return [row for row in curve["points"] if None not in row["risk"].values()]


def _alt(what: str, curve: Json) -> str:
    parts = []
    for share in (*_READ, 1.0):
        row = min(_known(curve), key=lambda one: abs(one["coverage"] - share))
        parts.append(f"{row['risk']['value']:.3f} of the surest {row['coverage']:.2f}")
    return f"Share of {what} that is wrong: " + ", ".join(parts) + "."
