"""How a training went, kept small and drawn: the loss by step, retrieval by epoch.

Knows numbers and matplotlib's object API (no pyplot, no global state); knows nothing of models.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from xemplar.contracts import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 1000
"""A curve has fewer points than twice as many."""

INK, BLUE, RUST = "#333333", "#1f5fa8", "#b5482a"


def add_point(curve: Json, value: float) -> None:
    """Put a step's value on a curve: {"every": n, "points": means of n steps, "rest": those not yet n}.

    What it holds follows from the values alone, and grows with no more than `POINTS`.
    """
    curve["rest"].append(value)
    if len(curve["rest"]) == curve["every"]:
        curve["points"].append(sum(curve["rest"]) / curve["every"])
        curve["rest"] = []
    if len(curve["points"]) == 2 * POINTS:
        points = curve["points"]
        curve["points"] = [(points[at] + points[at + 1]) / 2 for at in range(0, 2 * POINTS, 2)]
        curve["every"] *= 2


def new_curve() -> Json:
    """A curve without points."""
    return {"every": 1, "points": [], "rest": []}


def draw(title: str, curve: Json, log: Sequence[Json], *, best_epoch: int) -> bytes:
    """A PNG: the loss by step at the left, validation by epoch at the right, the epoch that was kept marked.

    `log` are rows with "epoch", "val_mrr" and "val_success_at_" 1, 5 and 10.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3.6), dpi=120)
    figure.subplots_adjust(left=0.05, right=0.98, top=0.84, bottom=0.13, wspace=0.12)
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=10, color=INK)
    left, right = figure.subplots(1, 2)
    _loss(left, curve)
    _retrieval(right, log, best_epoch)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8, colors=INK)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _loss(axes: Axes, curve: Json) -> None:
    every, points = curve["every"], list(curve["points"])
    if curve["rest"]:
        points.append(sum(curve["rest"]) / len(curve["rest"]))
    steps = [(place + 1) * every for place in range(len(points))]
    axes.plot(steps, points, color=BLUE, linewidth=1.2, marker="." if len(points) < 3 else None)
    axes.set_title("loss" if every == 1 else f"loss, means of {every} steps", fontsize=9, loc="left")
    axes.set_xlabel("step", fontsize=8)


def _retrieval(axes: Axes, log: Sequence[Json], best_epoch: int) -> None:
    from matplotlib.ticker import MaxNLocator

    names = {"val_mrr": ("MRR", RUST, "-")}
    names |= {
        f"val_success_at_{k}": (f"success@{k}", BLUE, style) for k, style in ((1, "-"), (5, "--"), (10, ":"))
    }
    epochs = [row["epoch"] for row in log]
    for key, (name, colour, style) in names.items():
        if all(key in row for row in log):
            values = [row[key] for row in log]
            axes.plot(
                epochs, values, style, color=colour, linewidth=1.2, marker=".", markersize=4, label=name
            )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.axvline(best_epoch, color=INK, linewidth=0.6, linestyle=":")
    axes.set_title(f"image to report, studies held back; epoch {best_epoch} kept", fontsize=9, loc="left")
    axes.set_xlabel("epoch", fontsize=8)
    axes.set_ylim(0, 1)
    axes.legend(fontsize=7, frameon=False)
