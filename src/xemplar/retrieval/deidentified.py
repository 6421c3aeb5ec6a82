"""A cohort to hand on: numbered cases with previews, without ids, without a word of any report.

Knows what may go along: what was asked and what each report says of it, ages in bands, sex, view, modality.
The numbers are drawn anew each time, and who is behind them is kept nowhere. Previews are as the archive has
them: what was burnt into an image and not removed at ingest is there still.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Mapping
from pathlib import Path

from xemplar.contracts import Json
from xemplar.corpus import Corpus
from xemplar.folders import check_new, write_atomic
from xemplar.records import Study
from xemplar.retrieval.cohort import Cohort, csv_of
from xemplar.retrieval.filters import years_of

TABLE, PREVIEWS = "cohort.csv", "previews"
OLDEST = 90
"""Years from which on an age is told as this one."""
_TOLD = ("sex", "view", "modality", "projection")
_HEADER = (
    "kind", "version", "xemplar", "domain", "status", "query", "reading", "at_least", "included", "excluded",
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
        kept = {name: row[name] for name in ("probability", *said, *told)}
        rows.append({"case": case, "age": _band(row), "previews": str(count), **kept})
        previews += count
    columns = ("case", "age", *told, "previews", "probability", *said)
    header: Json = {name: cohort.header[name] for name in _HEADER} | {"deidentified": True}
    write_atomic(folder / TABLE, csv_of(header, columns, rows).encode())
    return previews


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
