"""A table of reports becomes a file of alerts; what was interrupted goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xemplar.check import Checked, check_text
from xemplar.check.table import Columns, check_table
from xemplar.errors import ImageError, XemplarError
from xemplar.records import Study

COLUMNS = Columns("id", ("findings", "impression"))
ROWS = """id,findings,impression,film
1,No pneumothorax.,Pneumothorax.,x.png
2,Clear lungs.,Clear lungs.,
3,,,
"""


def judge(report: str | Study, image: Path | None) -> Checked:
    if image is not None:
        raise ImageError("no image in it", where=str(image))
    return check_text(report)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "reports.csv"
    path.write_text(ROWS)
    return path


def test_every_report_has_its_line(table: Path) -> None:
    out = table.with_name("alerts.jsonl")
    counted = check_table(table, out, columns=COLUMNS, judge=judge, by={})
    told = [json.loads(line) for line in out.read_text().splitlines()[1:]]
    assert [(one["id"], len(one["alerts"]), one["unread"]) for one in told] == [
        ("1", 1, None),
        ("2", 0, None),
        ("3", 0, "no text"),
    ]
    assert (counted.reports, counted.alarmed, counted.unread) == (3, 1, 1)


def test_an_interrupted_run_goes_on_to_the_same_bytes(table: Path) -> None:
    whole, cut = table.with_name("whole.jsonl"), table.with_name("cut.jsonl")
    check_table(table, whole, columns=COLUMNS, judge=judge, by={})
    lines = whole.read_text().splitlines(keepends=True)
    cut.with_name("cut.jsonl.part").write_text("".join(lines[:2]) + lines[2][:9])
    counted = check_table(table, cut, columns=COLUMNS, judge=judge, by={})
    assert cut.read_bytes() == whole.read_bytes()
    assert (counted.before, counted.alarmed) == (1, 1)


def test_a_run_that_goes_on_counts_only_films_that_were_asked_for(table: Path) -> None:
    """The second report has no film, and nobody asked for one."""

    def by_words(report: str | Study, image: Path | None) -> Checked:
        words = judge(report, image)
        return Checked(words.alerts, words.unread, "no film", words.notes)

    whole, cut = table.with_name("whole.jsonl"), table.with_name("cut.jsonl")
    asked = {"columns": Columns("id", ("findings", "impression"), "film"), "judge": by_words, "by": {}}
    first = check_table(table, whole, **asked)  # type: ignore[arg-type]
    cut.with_name("cut.jsonl.part").write_text("".join(whole.read_text().splitlines(keepends=True)[:3]))
    counted = check_table(table, cut, **asked)  # type: ignore[arg-type]
    assert (first.unseen, counted.unseen, counted.before) == (1, 1, 2)


def test_a_run_begun_otherwise_is_refused(table: Path) -> None:
    out = table.with_name("alerts.jsonl")
    out.with_name("alerts.jsonl.part").write_text('{"checked": "other"}\n')
    with pytest.raises(XemplarError, match="another table, other columns or another archive"):
        check_table(table, out, columns=COLUMNS, judge=judge, by={})


def test_a_film_that_cant_be_read_leaves_the_words(table: Path) -> None:
    out = table.with_name("alerts.jsonl")
    columns = Columns("id", ("findings", "impression"), "film")
    check_table(table, out, columns=columns, judge=judge, by={})
    first = json.loads(out.read_text().splitlines()[1])
    assert len(first["alerts"]) == 1
    assert first["unseen"] == "the film can't be read: no image in it"


def test_a_missing_column_is_refused(table: Path) -> None:
    with pytest.raises(XemplarError, match="no column 'report'"):
        check_table(table, table.with_name("o"), columns=Columns("id", ("report",)), judge=judge, by={})
