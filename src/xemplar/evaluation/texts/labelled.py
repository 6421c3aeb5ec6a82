"""A table of reports -> a table of labels, one column an observation, and the spans behind them.

Knows tables and the findings engine; knows no score.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from xemplar.errors import XemplarError
from xemplar.evaluation.texts.keyed import keyed_rows
from xemplar.findings import Labeler, Profile, ReportLabels, Said
from xemplar.folders import replacing
from xemplar.records import OBSERVATIONS
from xemplar.report import is_english


@dataclass(frozen=True, slots=True)
class ReportColumns:
    """Which column holds the ids, and which make up a report, in order."""

    id: str = "id"
    texts: tuple[str, ...] = ("text",)


@dataclass(slots=True)
class Labelled:
    """How many reports were read and how many, for which reason, have no labels."""

    reports: int = 0
    without_text: int = 0
    not_english: int = 0
    present: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OBSERVATIONS, 0))
    uncertain: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OBSERVATIONS, 0))
    absent: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OBSERVATIONS, 0))


def label_table(
    table: Path,
    out: Path,
    *,
    columns: ReportColumns,
    profile: Profile = "default",
    mentions: Path | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Labelled:
    """Write `out`: the id and, for each of the 14 observations, 1, 0, -1 or blank; a row for every report.

    `mentions`, JSON lines, gets each mention: id, observation, presence, the sentence, the rule, and its span
    in the report's sections joined by a blank line. A report without text, or in another language than
    English, has blanks and is counted. Raises XemplarError for a missing column, an id that is empty or
    stands twice, and a damaged row.
    """
    if not columns.texts:
        raise XemplarError("no column of texts", wanted="one column at least that holds the report")
    named = [path.resolve() for path in (table, out, mentions) if path is not None]
    if len(set(named)) < len(named):
        raise XemplarError("one file to be read and written", wanted="files of their own", where=str(out))
    reports = keyed_rows(table, columns.id, columns.texts)
    counts, labeler = Labelled(), Labeler(profile)
    with ExitStack() as files:
        rows = csv.writer(files.enter_context(replacing(out)), lineterminator="\n")
        spans = None if mentions is None else files.enter_context(replacing(mentions))
        rows.writerow([columns.id, *OBSERVATIONS])
        for name, parts in reports:
            # An empty part stays, so that spans can be found.
            found = _read(labeler, [parts[column] for column in columns.texts], counts)
            values = found.row() if found is not None else [None] * len(OBSERVATIONS)
            rows.writerow([name, *("" if value is None else value for value in values)])
            if spans is not None and found is not None:
                spans.writelines(_told(name, one) for one in found.mentions)
            if on_progress is not None:
                on_progress(counts.reports)
    return counts


def _told(name: str, one: Said) -> str:
    """A mention as a line of JSON."""
    told = {
        "id": name, "observation": one.observation, "presence": one.presence, "start": one.span[0],
        "end": one.span[1], "rule": one.rule, "implied": one.implied, "sentence": one.sentence,
    }  # fmt: skip
    return json.dumps(told, ensure_ascii=False) + "\n"


def _read(labeler: Labeler, parts: Sequence[str], counts: Labelled) -> ReportLabels | None:
    counts.reports += 1
    written = [part for part in parts if part]
    if not written:
        counts.without_text += 1
        return None
    if not is_english(" ".join(written)):
        counts.not_english += 1
        return None
    found = labeler.label(parts)
    for name, presence in found.presences.items():
        getattr(counts, presence)[name] += 1
    return found
