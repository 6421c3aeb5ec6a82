"""The second reader as it is typed: one report, its films in any order, a folder, a table."""

import json

import pytest
from commands import xemplar

CONFLICT = "FINDINGS: No pneumothorax.\nIMPRESSION: Left pneumothorax."


@pytest.fixture
def reports(tmp_path):
    (tmp_path / "reports").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "reports" / name).write_text(CONFLICT)
    return tmp_path / "reports"


def test_a_folder_is_checked(reports, tmp_path):
    out = tmp_path / "o.jsonl"
    told = json.loads(xemplar("check", reports, "--out", out, "--json").stdout)
    assert (told["reports"], told["alarmed"], told["beyond"]) == (2, 2, None)
    again = xemplar("check", reports, "--out", out).stdout
    assert "2 checked before" in again


@pytest.mark.parametrize("turned", [False, True])
def test_a_report_and_its_film_come_in_any_order(reports, tmp_path, turned):
    names = [reports / "a.txt", tmp_path / "film.png"]
    done = xemplar("check", *(names[::-1] if turned else names), code=2)
    assert "a film without an archive to judge it by" in done.stderr


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ((), "a check needs a report"),
        (("reports",), "needs --out FILE"),
        (("reports/a.txt", "reports/b.txt"), "2 reports (.txt) among 2 files"),
        (("reports", "reports/b.txt", "--out", "o"), "takes nothing beside it"),
        (("reports/a.txt", "--table", "t.csv"), "wanted one of the three"),
        (("reports/a.txt", "--out", "o"), "--out and --text are for many"),
        (("reports/a.txt", "--corpus", "c"), "a film without an archive"),
    ],
)
def test_what_does_not_go_together_is_told_in_a_line(reports, asked, told, monkeypatch):
    monkeypatch.chdir(reports.parent)
    assert told in xemplar("check", *asked, code=2).stderr
