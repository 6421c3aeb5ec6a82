"""The benchmark as one page that needs nothing else: its table as Markdown says it, and its plots.

Knows the table's JSON, the templates and the plots; computes no score.
"""

from __future__ import annotations

import base64
from pathlib import Path

from xemplar.contracts import Json
from xemplar.evaluation.benchmark import cells
from xemplar.evaluation.benchmark import markdown as words
from xemplar.evaluation.benchmark.plots import draw_plots
from xemplar.evaluation.printed import CAUTION
from xemplar.folders import write_atomic


def write_page(table: Json, folder: Path) -> Path:
    """Write benchmark.html, all in one file, and its plots as plots/*.png; returns the page's path."""
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    plots = draw_plots(table)
    for plot in plots:
        write_atomic(folder / "plots" / f"{plot.name}.png", plot.light)
        write_atomic(folder / "plots" / f"{plot.name}-dark.png", plot.dark)
    page = folder / "benchmark.html"
    write_atomic(page, rendered(table, {plot.name: plot for plot in plots}).encode())
    return page


def rendered(table: Json, plots: dict[str, object]) -> str:
    """The page's HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("xemplar.evaluation"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(
        number=cells.number, spread=cells.spread, less=_less, clear=cells.clear, png=_png_uri, way=_way,
        found=_found, measured=cells.measured, trainings=cells.trainings, handed_in=words.handed_in,
        undrafted=words.undrafted,
    )  # fmt: skip
    return environment.get_template("benchmark.html").render(
        table=table, plots=plots, banner=table["heading"], caution=CAUTION[table["domain"]],
        groups=words.GROUPS, ablated=words.ABLATED, about=words.ABOUT, papers=words.PAPERS,
        truth=words.TRUTH, validated=words.VALIDATED, meanwhile=words.MEANWHILE,
    )  # fmt: skip


def _less(score: Json) -> str:
    """A difference with its sign."""
    return cells.less(score).replace("*", "")


def _way(score: Json) -> str:
    """Better, worse, or not told apart."""
    if not cells.clear(score):
        return "level"
    return "better" if score["value"] > 0 else "worse"


def _found(rows: list[Json], system: str) -> Json | None:
    """A system's row."""
    return next((row for row in rows if row["system"] == system), None)


def _png_uri(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"
