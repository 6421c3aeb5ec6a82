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


def test_why_no_film_was_judged_is_told_with_a_remedy(walk, tmp_path):
    (tmp_path / "t.csv").write_text("id,text,film\n1,Clear lungs.,a.png\n2,Clear lungs.,b.png\n")
    asked = ("check", "--table", tmp_path / "t.csv", "--image", "film", "--index", walk / "index")
    said = xemplar(*asked, "--out", tmp_path / "o.jsonl").stdout
    assert "2 without a film that could be judged: the film can't be read: no such file (2)\n" in said
    last = said.splitlines()[-1]
    assert last.startswith("warning: not one film") and "relative to the table's own folder" in last
    told = json.loads(xemplar(*asked, "--out", tmp_path / "o.jsonl", "--json").stdout)
    assert told["warning"] == last and told["reasons"] == {"the film can't be read: no such file": 2}


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
        (("reports/a.txt", "--table", "t.csv"), "reports/a.txt and --table t.csv were both given"),
        (("reports/a.txt", "--out", "o"), "--out and --text are for many"),
        (("reports/a.txt", "--corpus", "c"), "a film without an archive"),
    ],
)
def test_what_does_not_go_together_is_told_in_a_line(reports, asked, told, monkeypatch):
    monkeypatch.chdir(reports.parent)
    assert told in xemplar("check", *asked, code=2).stderr
