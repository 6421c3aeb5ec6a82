"""A corpus's card as a picture: one page of small charts, and of previews where they may be shown.

Knows the card's facts and, for sample films, the previews; counts nothing. Films of patients are
drawn only where they were asked for.
"""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xemplar.contracts import Json
from xemplar.errors import XemplarError
from xemplar.folders import write_atomic
from xemplar.records import SPLITS

if TYPE_CHECKING:
    from xemplar.corpus.reader import Corpus

INK, FAINT, RULE, PAPER = "#1b2a33", "#5d6d76", "#dde4e7", "#ffffff"
COLOURS = {"train": "#1f6f8b", "val": "#e0a030", "test": "#c8553d"}
SHOWN = 14
"""Findings drawn, the most frequent."""

FILMS = 12
_STYLE: Any = {
    "font.family": "DejaVu Sans", "font.size": 9, "text.color": INK, "axes.labelcolor": FAINT,
    "xtick.color": FAINT, "ytick.color": INK, "axes.edgecolor": RULE, "axes.spines.top": False,
    "axes.spines.right": False, "axes.titlesize": 10.5, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "figure.facecolor": PAPER, "axes.facecolor": PAPER,
}  # fmt: skip


def write_card(corpus: Corpus, facts: Json, path: Path, *, films: bool = False) -> None:
    """Write the card as a PNG, or as one HTML page that holds it, by the path's ending.

    `films` shows sample previews of a clinical corpus, too; of others they are always shown.
    """
    if path.suffix.lower() not in (".png", ".html"):
        raise XemplarError(f"a card as {path.suffix or 'no ending'}", wanted=".png or .html", where=path.name)
    picture = _draw(corpus, facts, show_films=films or facts["domain"] != "clinical")
    write_atomic(path, picture if path.suffix.lower() == ".png" else _page(facts, picture))


def _draw(corpus: Corpus, facts: Json, *, show_films: bool) -> bytes:
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with mpl.rc_context(_STYLE):
        has_films = show_films and facts["views"] > 0
        height = 9.6 if has_films else 8.0
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12, hspace=0.06, wspace=0.04)
        figure = Figure(figsize=(13.5, height), dpi=130, layout=layout)
        FigureCanvasAgg(figure)
        _title(figure, facts)
        heights = [1.5, 1, 0.75] if has_films else [1.5, 1]
        rows = figure.add_gridspec(len(heights), 4, height_ratios=heights)
        _findings(figure.add_subplot(rows[0, :2]), facts)
        _splits(figure.add_subplot(rows[0, 2]), facts)
        _numbers(figure.add_subplot(rows[0, 3]), facts)
        _bars(figure.add_subplot(rows[1, 0]), "Age, studies by decade", facts["ages"])
        _bars(figure.add_subplot(rows[1, 1]), "Views by position", facts["positions"])
        _sentences(figure.add_subplot(rows[1, 2]), corpus)
        where = "sites" if len(facts["sites"]) > 1 else "languages"
        _bars(figure.add_subplot(rows[1, 3]), f"Studies by {where[:-1]}", facts[where])
        if has_films:
            _films(figure.add_subplot(rows[2, :]), corpus)
        sink = io.BytesIO()
        figure.savefig(sink, format="png", metadata={"Software": None})
    return sink.getvalue()


def _title(figure: Any, facts: Json) -> None:  # noqa: ANN401  matplotlib's
    figure.suptitle(facts["title"], x=0.012, ha="left", fontsize=17, fontweight="bold", color=INK)
    figure.text(
        0.012, 0.002,
        f"source {facts['source']}    corpus {facts['fingerprint']}    lexicon {facts['lexicon'][:12]}    "
        f"previews of {facts['preview']['size']} px    generation {facts['generation']}"
        + ("" if facts["complete"] else "    INCOMPLETE"),
        fontsize=8, color=FAINT, ha="left", va="bottom",
    )  # fmt: skip


def _findings(axes: Any, facts: Json) -> None:  # noqa: ANN401
    by = facts["present_by_split"]
    names = list(facts["present"])[:SHOWN]
    axes.set_title("Findings present, share of each split's studies")
    if not names:
        _nothing(axes, "no report claims a finding")
        return
    place = np.arange(len(names))
    width = 0.26
    for number, split in enumerate(SPLITS):
        studies = max(1, facts["splits"].get(split, 0))
        shares = [100 * by[split].get(name, 0) / studies for name in names]
        axes.barh(place + (number - 1) * width, shares, width, color=COLOURS[split], label=split)
    axes.set_yticks(place, names)
    axes.invert_yaxis()
    axes.set_xlabel("%")
    axes.tick_params(length=0)
    axes.xaxis.grid(True, color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, ncols=3, loc="lower right")


def _splits(axes: Any, facts: Json) -> None:  # noqa: ANN401
    axes.set_title("Splits")
    counts = [facts["splits"].get(split, 0) for split in SPLITS]
    axes.bar(SPLITS, counts, color=[COLOURS[split] for split in SPLITS], width=0.66)
    for place, (split, count) in enumerate(zip(SPLITS, counts, strict=True)):
        patients = facts["patients_by_split"][split]
        who = "" if patients is None else f"\n{patients:,} patients"
        axes.text(place, count, f"{count:,}{who}", ha="center", va="bottom", fontsize=8.5, color=INK)
    axes.set_ylim(0, 1.2 * max([*counts, 1]))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xlabel(f"studies, kept together by {', '.join(map(str, facts['split_units']))}")


def _numbers(axes: Any, facts: Json) -> None:  # noqa: ANN401
    words, copies, cut = facts["words_per_report"], facts.get("near_duplicates"), facts["cut"]
    length = f"{words['median']:.0f}, mostly {words['p5']:.0f} to {words['p95']:.0f}" if words else "-"
    lines = [
        ("studies", f"{facts['studies']:,}"),
        ("patients", "unknown" if facts["patients"] is None else f"{facts['patients']:,}"),
        ("views", f"{facts['views']:,}"),
        ("sentences", f"{facts['sentences']:,} distinct of {facts['sentences_written']:,}"),
        ("words a text", length),
        ("sex", ", ".join(f"{name} {count:,}" for name, count in list(facts["sexes"].items())[:3])),
        ("years", _span(facts["years"])),
        ("licence", ", ".join(list(facts["licences"])[:2])),
        ("rejected", f"{facts['rejected']:,}"),
        ("cut", f"{sum(cut['lines'].values()):,} lines of {cut['studies']:,} reports"),
    ]  # fmt: skip
    if copies is not None:
        across = sum(copies["studies_across_splits"].values())
        lines.append(("near-duplicates", f"{copies['views']:,} views, {across:,} across splits"))
    axes.axis("off")
    for row, (name, value) in enumerate(lines):
        height = 1.0 - (row + 0.2) / len(lines)
        axes.text(0.0, height, name, color=FAINT, fontsize=8.5, va="top", transform=axes.transAxes)
        short = value if len(value) <= 34 else value[:33] + "\N{HORIZONTAL ELLIPSIS}"
        axes.text(0.42, height, short, color=INK, fontsize=8.8, va="top", transform=axes.transAxes)


def _span(years: Mapping[str, int]) -> str:
    known = [year for year in years if year.isdecimal()]
    return "unknown" if not known else known[0] if len(known) == 1 else f"{known[0]} to {known[-1]}"


def _bars(axes: Any, title: str, counts: Mapping[str, int]) -> None:  # noqa: ANN401
    axes.set_title(title)
    shown = dict(list(counts.items())[:10])
    if not shown:
        _nothing(axes, "not known")
        return
    axes.bar(range(len(shown)), list(shown.values()), color=COLOURS["train"], width=0.72)
    names = [name if len(name) <= 12 else name[:11] + "\N{HORIZONTAL ELLIPSIS}" for name in shown]
    axes.set_xticks(range(len(shown)), names, rotation=35 if len(shown) > 5 else 0, fontsize=8,
                    ha="right" if len(shown) > 5 else "center")  # fmt: skip
    axes.tick_params(length=0)
    axes.tick_params(axis="y", labelsize=8, labelcolor=FAINT)
    axes.yaxis.grid(True, color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)


def _sentences(axes: Any, corpus: Corpus) -> None:  # noqa: ANN401
    axes.set_title("Studies behind each sentence")
    counts = sorted((len(sentence.study_ids) for sentence in corpus.sentences), reverse=True)
    if not counts:
        _nothing(axes, "no sentence to draft from")
        return
    axes.plot(range(1, len(counts) + 1), counts, color=COLOURS["train"], linewidth=2)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("rank of the sentence")
    axes.tick_params(labelsize=8, labelcolor=FAINT, which="both", length=0)
    axes.grid(True, color=RULE, linewidth=0.8)


def _films(axes: Any, corpus: Corpus) -> None:  # noqa: ANN401
    """Views taken at even steps through the corpus, so that nobody chose them."""
    views = [view.view_id for study in corpus.studies for view in study.views]
    chosen = [views[n] for n in np.unique(np.linspace(0, len(views) - 1, FILMS).astype(int))]
    pixels = corpus.preview_pixels(chosen)
    size = pixels[0].shape[0]
    gap = np.full((size, max(1, size // 40)), 255, np.uint8)
    strip = [part for film in pixels for part in (film, gap)][:-1]
    axes.imshow(np.hstack(strip), cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    axes.set_title(f"{len(chosen)} previews at even steps through the corpus")
    axes.axis("off")


def _nothing(axes: Any, why: str) -> None:  # noqa: ANN401
    axes.axis("off")
    axes.text(0.0, 0.5, why, color=FAINT, transform=axes.transAxes)


def _page(facts: Json, picture: bytes) -> bytes:
    image = base64.b64encode(picture).decode()
    title, body = html.escape(facts["title"]), html.escape(_listed(facts))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: corpus card</title>'
        f"<style>body{{margin:24px auto;padding:0 24px;max-width:1280px;color:{INK};background:{PAPER};"
        "font:14px/1.5 'DejaVu Sans',system-ui,sans-serif}img{width:100%;height:auto}"
        f"details{{margin:18px 12px;padding-top:12px;border-top:1px solid {RULE}}}"
        "summary{font-weight:bold;cursor:pointer}"
        f"pre{{margin:12px 0 0;font-size:12px;white-space:pre-wrap;color:{FAINT}}}</style></head><body>"
        f'<img alt="{title}: findings by split, ages, views, sentences" src="data:image/png;base64,{image}">'
        f"<details><summary>All counts</summary><pre>{body}</pre></details></body></html>\n"
    ).encode()


def _listed(facts: Json) -> str:
    return json.dumps(facts, indent=1, ensure_ascii=False)
