"""An evaluation as one page that explains itself: scores beside their floors, plots, cases.

Knows the summary, the archive's previews and the templates; computes no score. Everything shown is
inside the one file, and nothing in it asks for anything outside.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xemplar.archive import Archive
from xemplar.contracts import Json
from xemplar.drafting import UNWEIGHED, how_sure
from xemplar.errors import XemplarError
from xemplar.evaluation import cases as choice
from xemplar.evaluation.plots import Plot, draw_plots
from xemplar.evaluation.printed import CAUTION, against, named, number, signed, spread
from xemplar.evaluation.run import Evaluation
from xemplar.evaluation.texts.names import over, titled
from xemplar.evaluation.trust_plots import draw_trust
from xemplar.folders import write_atomic
from xemplar.records import UNVERIFIED, Line, Study

SOURCES_SHOWN = 3
WRONG_SHOWN = 6
"""How many of the surest wrong lines are shown."""

_FILM, _THUMB = 320, 112
"""Longest side in pixels of a case's film, and of a source's."""

_TOPS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
"""Where the scale of a score between 0 and 1 may end."""

_HEADLINES = {
    "reports": (
        ("image to text", "success@10"),
        ("text to image", "success@10"),
        ("drafts", "micro-F1, present"),
        ("drafts", "macro-F1, present"),
    ),
    "captions": (
        ("image to text", "success@1"),
        ("image to text", "success@10"),
        ("text to image", "success@10"),
        ("image to text", "median rank"),
    ),
}


@dataclass(frozen=True, slots=True)
class Film:
    """A picture of the page: a data URI and what it is."""

    uri: str
    caption: str


@dataclass(frozen=True, slots=True)
class Source:
    """A study that wrote a line, with its own film where it has one."""

    study_id: str
    film: Film | None


@dataclass(frozen=True, slots=True)
class Quote:
    """A line of a draft inside the sentence it quotes, and who wrote that."""

    line: Line
    before: str
    after: str
    mark: choice.Mark
    verdict: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One study as the page shows it."""

    pick: choice.Pick
    study: Study
    films: tuple[Film, ...]
    gate: str | None
    quotes: tuple[Quote, ...]
    silent: tuple[tuple[str, tuple[str, ...]], ...]
    """A reason, and the findings that it silences."""
    judgement: choice.Judgement
    texts: tuple[tuple[str, str], ...]
    """Headed parts of the real report."""


@dataclass(frozen=True, slots=True)
class Slip:
    """A wrong line: its study, that one's first film, and the line with its sources."""

    study_id: str
    film: Film | None
    quote: Quote


@dataclass(frozen=True, slots=True)
class Headline:
    """One main score: its row, where it comes from, and its places on a scale, in percent."""

    about: str
    score: Json
    top: float
    places: dict[str, float]


def write_page(evaluation: Evaluation, archive: Archive, folder: Path, *, cases: int = 8) -> Path:
    """Write report.html, all in one file, and its plots as plots/*.png; returns the page's path.

    `cases` is how many studies are shown one by one, chosen by the rule of `pick_cases`. Raises
    XemplarError where the folder can't be written.
    """
    try:
        (folder / "plots").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise XemplarError(f"cannot be written ({error.strerror})", where=str(folder)) from error
    plots = [*draw_plots(evaluation), *draw_trust(evaluation)]
    for plot in plots:
        write_atomic(folder / "plots" / f"{plot.name}.png", plot.light)
        write_atomic(folder / "plots" / f"{plot.name}-dark.png", plot.dark)
    page = folder / "report.html"
    write_atomic(page, _render(evaluation, archive, plots=plots, count=cases).encode())
    return page


def _render(evaluation: Evaluation, archive: Archive, *, plots: Sequence[Plot], count: int) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    summary = evaluation.summary
    environment = Environment(
        loader=PackageLoader("xemplar.evaluation"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(
        number=number, spread=spread, against=against, named=named, signed=signed, png=_png_uri,
        how_sure=how_sure, titled=titled, over=over,
    )  # fmt: skip
    return environment.get_template("report.html").render(
        summary=summary,
        banner=UNVERIFIED,
        caution=CAUTION[summary["domain"]],
        headlines=headlines(summary),
        plots={plot.name: plot for plot in plots},
        cases=[_case(evaluation, archive, pick) for pick in choice.pick_cases(evaluation, count)],
        slips=_slips(evaluation, archive),
        how_chosen=choice.how_chosen(evaluation),
        unweighed=UNWEIGHED,
    )


def headlines(summary: Json) -> list[Headline]:
    """The main scores that this evaluation has."""
    tables = {t["direction"]: t for t in reversed(summary["retrieval"]["tables"])}  # the first subset: all
    found = []
    for about, measure in _HEADLINES[summary["texts"]]:
        table = summary["drafts"] if about == "drafts" else tables.get(about)
        score = next((s for s in (table or {"scores": []})["scores"] if s["measure"] == measure), None)
        if score is not None:
            found.append(_headline(about, score, summary["retrieval"]["gallery"]))
    return found


def _headline(about: str, score: Json, gallery: int) -> Headline:
    values = {"ours": score["ours"]["value"], "low": score["ours"]["low"], "high": score["ours"]["high"]}
    values |= {name: floor["value"] for name, floor in score["floors"].items()}
    if score["chance"] is not None:
        values["chance"] = score["chance"]
    known = {name: value for name, value in values.items() if value is not None}
    if score["measure"] == "median rank":
        top, places = float(gallery), {n: math.log(max(v, 1)) / math.log(gallery) for n, v in known.items()}
    else:
        top = next(top for top in _TOPS if top >= min(1.0, max(known.values(), default=1.0)))
        places = {name: value / top for name, value in known.items()}
    return Headline(about, score, top, {n: 100 * min(max(p, 0.0), 1.0) for n, p in places.items()})


def _case(evaluation: Evaluation, archive: Archive, pick: choice.Pick) -> Case:
    study, draft = evaluation.studies[pick.row], evaluation.drafts[pick.row]
    scored = choice.scored_findings(evaluation)
    reasons: dict[str, list[str]] = {}
    for finding, why in draft.abstained.items():
        reasons.setdefault(why, []).append(finding)
    heads = ("indication", "comparison", "findings", "impression")
    texts = [(head, getattr(study, head)) for head in heads if getattr(study, head)]
    return Case(
        pick=pick,
        study=study,
        films=_films(archive, study, _FILM),
        gate=draft.gate,
        quotes=tuple(_quote(archive, line, study, scored=scored) for line in draft.lines),
        silent=tuple((why, tuple(names)) for why, names in reasons.items()),
        judgement=choice.judge(draft, study, scored),
        texts=tuple(texts),
    )


def _slips(evaluation: Evaluation, archive: Archive) -> list[Slip]:
    scored, found = choice.scored_findings(evaluation), []
    if not scored:
        return []
    for row, line in choice.surest_wrong(evaluation, WRONG_SHOWN):
        study = evaluation.studies[row]
        films = _films(archive, study, _THUMB)
        quote = _quote(archive, line, study, scored=scored)
        found.append(Slip(study.study_id, films[0] if films else None, quote))
    return found


def _quote(archive: Archive, line: Line, study: Study, *, scored: Sequence[str]) -> Quote:
    mark, verdict = choice.judge_line(line, study, scored)
    sources = []
    for study_id in line.source_study_ids[:SOURCES_SHOWN]:
        films = _films(archive, archive.corpus.by_id[study_id], _THUMB)
        sources.append(Source(study_id, films[0] if films else None))
    start, end = line.span
    return Quote(line, line.sentence_text[:start], line.sentence_text[end:], mark, verdict, tuple(sources))


def _films(archive: Archive, study: Study, side: int) -> tuple[Film, ...]:
    """A study's views, the frontal ones first."""
    views = sorted(study.views, key=lambda view: view.position != "frontal")
    pixels = archive.corpus.preview_pixels([view.view_id for view in views])
    return tuple(
        Film(_jpeg_uri(image, side), view.position or "view")
        for view, image in zip(views, pixels, strict=True)
    )


def _jpeg_uri(pixels: NDArray[np.uint8], side: int) -> str:
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((side, side))
    stream = io.BytesIO()
    picture.save(stream, format="JPEG", quality=86)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _png_uri(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"
