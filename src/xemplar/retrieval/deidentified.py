"""A cohort to hand on: numbered cases with previews, without ids, without a word of any report.

Knows what may go along: what was asked and what each report says of it, ages in bands, sex, view, modality.
Values of all other filters are withheld, wherever the header repeats them, and so are ages that tell more
than a row's band: those beyond the oldest, and bounds within a band. The numbers are drawn anew each time,
and who is behind them is kept nowhere. Previews are as the archive has them: what was burnt into an image
and not removed at ingest is there still.
"""

from __future__ import annotations

import io
import re
import secrets
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

from xemplar.contracts import Json
from xemplar.corpus import Corpus
from xemplar.folders import check_new, write_atomic
from xemplar.records import Study
from xemplar.retrieval.cohort import Cohort, csv_of
from xemplar.retrieval.filters import years_of
from xemplar.retrieval.spoken import said_in

TABLE, PREVIEWS = "cohort.csv", "previews"
OLDEST = 90
"""Years from which on an age is told as this one."""
WITHHELD = "(withheld)"
_TOLD = ("sex", "view", "modality", "projection")
_HEADER = (
    "kind", "version", "xemplar", "domain", "status", "query", "reading", "held_to", "at_least",
    "included", "excluded",
)  # fmt: skip


def write_deidentified(cohort: Cohort, corpus: Corpus, folder: Path) -> int:
    """Write `cohort.csv` and a PNG for each view into a new folder; returns how many previews there are."""
    folder.mkdir(parents=True, exist_ok=True)
    check_new(folder, but="nothing")
    (folder / PREVIEWS).mkdir()
    pairs = list(zip(cohort.studies, cohort.rows, strict=True))
    secrets.SystemRandom().shuffle(pairs)
    said = tuple(name for name in cohort.columns if name.endswith(": says"))
    told = tuple(name for name in _TOLD if name in cohort.columns)
    rows, previews = [], 0
    for number, (study, row) in enumerate(pairs, start=1):
        case = f"case-{number:05d}"
        count = _write_previews(study, corpus, folder / PREVIEWS / case)
        kept = {name: row.get(name, "") for name in (*said, *told)}
        likely = row.get("probability", "")
        kept["probability"] = likely[
            :3
        ]  # tenths: to four places it would find the row of the cohort's own file
        rows.append({"case": case, "age": _band(row), "previews": str(count), **kept})
        previews += count
    columns = ("case", "age", *told, "previews", "probability", *said)
    header: Json = _masked({name: cohort.header[name] for name in _HEADER}) | {"deidentified": True}
    write_atomic(folder / TABLE, csv_of(header, columns, rows).encode())
    return previews


def _masked(header: Json) -> Json:
    """A header that tells no value of a filter beyond those that may go along, in whatever words."""
    reading: dict[str, Any] = dict(header["reading"])
    kept = [dict(one) for one in reading["filters"]]
    secret = [one for one in kept if not _is_told(one)]
    values = {str(value) for one in secret for value in one.get("values") or ()}
    values |= {f"{one[end]:g}" for one in secret for end in ("low", "high") if one.get(end) is not None}
    names = {str(one["name"]) for one in secret}
    for one in secret:
        one |= {"values": [WITHHELD], "low": None, "high": None}
    for name in ("text", "ranked"):
        reading[name] = _without(str(reading.get(name, "")), values, names)
    for name in ("words", "notes"):
        reading[name] = [_without(str(one), values, names) for one in reading.get(name, ())]
    excluded = Counter[str]()
    for why, count in header["excluded"].items():
        excluded[_reason(why, secret)] += count
    query = _without(str(header["query"]), values, names)
    return header | {"query": query, "reading": reading | {"filters": kept}, "excluded": dict(excluded)}


def _is_told(one: Mapping[str, Any]) -> bool:
    """Whether a filter may go along as it is: by ages as the rows tell them, or by what else these tell."""
    if one["name"] == "age":
        return not one.get("values") and _is_of_bands(one)
    return one["name"] in _TOLD


def _is_of_bands(one: Mapping[str, Any]) -> bool:
    """Whether an age begins and ends where a row's band does, and is no rare one.

    "Over 60", from 61 on, may go along as well: it leaves nine of a band's ten years. What it leaves out
    is one of them, and may not.
    """
    low, high = one.get("low"), one.get("high")
    begins = (0,) if one.get("negated") or high is not None else (0, 1)
    return (low is None or (low <= OLDEST and low % 10 in begins)) and (
        high is None or (high <= OLDEST and high % 10 == 9)
    )


def _reason(why: str, secret: Iterable[Mapping[str, Any]]) -> str:
    for one in secret:
        found = re.match(rf"(?:not )+{re.escape(one['name'])}\b", why)
        if found is not None:
            return f"{found[0]} {WITHHELD}"
    return why


def _without(text: str, values: Iterable[str], names: Container[str]) -> str:
    """A text without filters that may not go along, and without their values where these stand as words.

    Of facets of these `names` none goes along: what is said may be denied, and the other way round be one.
    """
    for part in reversed(said_in(text)):
        one = {"name": part.filter.name, "values": part.filter.values, "low": part.filter.low}
        one |= {"high": part.filter.high, "negated": part.filter.negated}
        if part.filter.name in names or not _is_told(one):
            start, end = part.span
            text = f"{text[:start]}{part.filter.name} {WITHHELD}{text[end:]}"
    for value in sorted(values, key=len, reverse=True):
        if value and value != WITHHELD:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", WITHHELD, text, flags=re.IGNORECASE)
    return text


def _write_previews(study: Study, corpus: Corpus, stem: Path) -> int:
    from PIL import Image

    for number, pixels in enumerate(corpus.preview_pixels(view.view_id for view in study.views), start=1):
        sink = io.BytesIO()
        Image.fromarray(pixels).save(sink, "PNG")
        write_atomic(stem.with_name(f"{stem.name}-{number}.png"), sink.getvalue())
    return len(study.views)


def _band(row: Mapping[str, str]) -> str:
    """Ten years; from OLDEST on one band; nothing where no age is said."""
    years = years_of(row.get("age", ""))
    if years != years:
        return ""
    return f"{OLDEST}+" if years >= OLDEST else f"{int(years) // 10 * 10}-{int(years) // 10 * 10 + 9}"
