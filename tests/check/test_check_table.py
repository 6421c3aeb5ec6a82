"""A table of reports becomes a file of alerts; what was interrupted goes on."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import numpy as np
import pytest

from xemplar.check import Checked, batch, check_text
from xemplar.check.batch import Counted
from xemplar.check.table import Columns, check_table
from xemplar.errors import ImageError, XemplarError
from xemplar.records import Study

PROGRAM = batch.program()
COLUMNS = Columns("id", ("findings", "impression"))
ROWS = """id,findings,impression,film
1,No pneumothorax.,Pneumothorax.,x.png
2,Clear lungs.,Clear lungs.,
3,,,
"""


def judge(report: str | Study, films: tuple[Path, ...]) -> Checked:
    if films:
        raise ImageError("no image in it", where=str(films[0]))
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

    def by_words(report: str | Study, films: tuple[Path, ...]) -> Checked:
        words = judge(report, ())
        return Checked(words.alerts, words.unread, "no film", words.notes)

    whole, cut = table.with_name("whole.jsonl"), table.with_name("cut.jsonl")
    asked = {"columns": Columns("id", ("findings", "impression"), ("film",)), "judge": by_words, "by": {}}
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
    columns = Columns("id", ("findings", "impression"), ("film",))
    check_table(table, out, columns=columns, judge=judge, by={})
    first = json.loads(out.read_text().splitlines()[1])
    assert len(first["alerts"]) == 1
    assert first["unseen"] == "the film can't be read: no image in it"


def written_part(table: Path, lines: int, **asked: object) -> Path:
    """A run that was killed after some lines; where it would have written."""
    whole, cut = table.with_name("whole.jsonl"), table.with_name("cut.jsonl")
    check_table(table, whole, **{"columns": COLUMNS, "judge": judge, "by": {}, **asked})  # type: ignore[arg-type]
    cut.with_name("cut.jsonl.part").write_text("".join(whole.read_text().splitlines(True)[:lines]))
    return cut


def test_the_same_command_leaves_what_is_finished(table: Path) -> None:
    out = table.with_name("alerts.jsonl")
    first = check_table(table, out, columns=COLUMNS, judge=judge, by={})
    bytes_before = out.read_bytes()

    def never(report: str | Study, films: tuple[Path, ...]) -> Checked:
        raise AssertionError("checked again")

    again = check_table(table, out, columns=COLUMNS, judge=never, by={})
    assert out.read_bytes() == bytes_before
    assert (again.before, again.reports, again.alarmed) == (3, first.reports, first.alarmed)


GOOD = '{"id": "2", "alerts": [], "unread": null, "unseen": null}'
DAMAGE = [
    *["", "{", "\xff", "[" * 100_000, "[]", "null", "{}", '{"id": "2"}', GOOD.replace("[]", "3")],
    *[GOOD.replace("[]", "[3]"), GOOD.replace('"2"', "[2]"), GOOD.replace('"2"', '"1"')],
    *[GOOD.replace('"2"', '"4"'), GOOD.replace('"unseen": null', '"unseen": 3')],
]


@pytest.mark.parametrize(
    ("line", "name"), [*((one, "alerts.jsonl") for one in DAMAGE), (DAMAGE[-2], "alerts.jsonl.part")]
)
def test_damaged_lines_are_told_with_a_remedy(table: Path, line: str, name: str) -> None:
    out = table.with_name("alerts.jsonl")
    check_table(table, out, columns=COLUMNS, judge=judge, by={})
    lines = out.read_bytes().split(b"\n")
    lines[2] = line.encode("latin-1")
    out.unlink()
    out.with_name(name).write_bytes(b"\n".join(lines))
    with pytest.raises(XemplarError, match=r"damaged: line 3 is .*remove it, and check again"):
        check_table(table, out, columns=COLUMNS, judge=judge, by={})
    assert out.with_name(name).read_bytes() == b"\n".join(lines)


@pytest.mark.parametrize("cut", [1, 40])
def test_a_finished_file_that_was_cut_short_is_damaged(table: Path, cut: int) -> None:
    out = table.with_name("alerts.jsonl")
    check_table(table, out, columns=COLUMNS, judge=judge, by={})
    out.write_bytes(out.read_bytes()[:-cut])
    with pytest.raises(XemplarError, match="damaged: 2 whole lines for 3 reports"):
        check_table(table, out, columns=COLUMNS, judge=judge, by={})


def test_a_table_without_rows_is_checked_twice_alike(table: Path) -> None:
    table.write_text(ROWS.splitlines(keepends=True)[0])
    out = table.with_name("alerts.jsonl")
    counted = [check_table(table, out, columns=COLUMNS, judge=judge, by={}).reports for _ in range(2)]
    assert counted == [0, 0]


def test_a_file_that_is_there_is_not_written_over(table: Path) -> None:
    out = table.with_name("alerts.jsonl")
    out.write_text("mine\n")
    with pytest.raises(XemplarError, match="there already, and not by this command"):
        check_table(table, out, columns=COLUMNS, judge=judge, by={})
    assert out.read_text() == "mine\n"


def test_what_another_version_or_rule_began_is_refused(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = written_part(table, 2)
    for name in ("xemplar", "rules", "lexicon"):
        monkeypatch.setattr(batch, "program", lambda name=name: {**PROGRAM, name: "other"})
        with pytest.raises(XemplarError, match="another archive or program"):
            check_table(table, cut, columns=COLUMNS, judge=judge, by={})


def test_two_processes_do_not_write_one_file(table: Path) -> None:
    cut = written_part(table, 2)
    with cut.with_name("cut.jsonl.part").open("ab") as other:
        fcntl.flock(other.fileno(), fcntl.LOCK_EX)
        with pytest.raises(XemplarError, match="another process is writing here"):
            check_table(table, cut, columns=COLUMNS, judge=judge, by={})


def test_a_film_that_changed_meanwhile_is_refused(table: Path) -> None:
    films = {"columns": Columns("id", ("findings", "impression"), ("film",))}
    table.with_name("x.png").write_bytes(b"one")
    cut = written_part(table, 2, **films)
    table.with_name("x.png").write_bytes(b"two")
    with pytest.raises(XemplarError, match="no longer the same file"):
        check_table(table, cut, judge=judge, by={}, **films)  # type: ignore[arg-type]


def test_an_id_that_stands_twice_is_told_before_anything_is_checked(table: Path) -> None:
    table.write_text(ROWS + "1,Clear lungs.,Clear lungs.,\n")
    asked: list[object] = []

    def counting(report: str | Study, films: tuple[Path, ...]) -> Checked:
        asked.append(report)
        return check_text(report)

    with pytest.raises(XemplarError, match="stands twice"):
        check_table(table, table.with_name("o"), columns=COLUMNS, judge=counting, by={})
    assert asked == [] and not table.with_name("o.part").exists()


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("a.png;b.png", ["a.png", "b.png"]),
        ("a.png; b.png;", ["a.png", "b.png"]),
        ("odd;name.png", ["odd;name.png"]),
        ('"[""a.png"", ""b.png""]"', ["a.png", "b.png"]),
        ("a.png", ["a.png"]),
        ("", []),
    ],
)
def test_a_cell_may_name_several_views_of_a_study(tmp_path: Path, cell: str, names: list[str]) -> None:
    (tmp_path / "odd;name.png").touch()
    (tmp_path / "r.csv").write_text(f"id,text,film,side\n1,Clear lungs.,{cell},lateral.png\n")
    seen: list[str] = []

    def noting(report: str | Study, films: tuple[Path, ...]) -> Checked:
        seen.extend(one.name for one in films)
        return check_text(report)

    columns = Columns("id", ("text",), ("film", "side"))
    check_table(tmp_path / "r.csv", tmp_path / "o.jsonl", columns=columns, judge=noting, by={})
    assert seen == [*names, "lateral.png"]


UNSEEN = [
    *["the film is in the archive already, in study aaa", "the film is in the archive already, in study bbb"],
    *["the film can't be read: a file of 9 bytes", "the film can't be read: a file of 12 bytes"],
    *["the image is blank", "the film looks lateral", "the film looks lateral", "the film looks lateral"],
]


@pytest.fixture
def unseen(tmp_path: Path) -> Path:
    """A table of a film for each reason why it can't be judged."""
    rows = "".join(f"{n},Clear lungs.,{n}.png\n" for n in range(len(UNSEEN)))
    (tmp_path / "r.csv").write_text("id,text,film\n" + rows)
    return tmp_path / "r.csv"


def blind(report: str | Study, films: tuple[Path, ...]) -> Checked:
    words = check_text(report)
    return Checked(words.alerts, words.unread, UNSEEN[int(films[0].stem)], words.notes)


def test_why_films_were_not_judged_is_counted(unseen: Path) -> None:
    columns, out = Columns("id", ("text",), ("film",)), unseen.with_name("o.jsonl")
    for _ in range(2):  # the second time, of what is written already
        counted = check_table(unseen, out, columns=columns, judge=blind, by={})
        assert counted.commonest == [
            ("the film looks lateral", 3),
            ("the film can't be read: a file of 9 bytes", 2),
            ("the film is in the archive already", 2),
        ]
        assert sum(counted.reasons.values()) == counted.unseen == 8


def test_a_warning_where_not_one_film_was_judged_names_the_remedy(unseen: Path) -> None:
    columns, out = Columns("id", ("text",), ("film",)), unseen.with_name("o.jsonl")
    counted = check_table(unseen, out, columns=columns, judge=blind, by={})
    assert "not one film could be judged" in (counted.blind or "")
    assert "relative to the table" in (Counted(unseen=1, reasons={"x: no such file": 1}).blind or "")
    assert Counted(unseen=1, seen=1, reasons={"x": 1}).blind is None and Counted().blind is None


def test_progress_tells_of_how_many_from_the_first(table: Path) -> None:
    told: list[tuple[int, int]] = []
    check_table(
        table, table.with_name("o"), columns=COLUMNS, judge=judge, by={},
        on_progress=lambda done, whole: told.append((done, whole)),
    )  # fmt: skip
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("alarmed", "seen", "told"),
    [(14, 40, True), (8, 40, False), (4, 40, False), (14, 29, False), (170, 1000, True), (130, 1000, False)],
)
def test_more_alarms_than_the_limits_allow_are_told(alarmed: int, seen: int, told: bool) -> None:
    scipy = pytest.importorskip("scipy.stats")
    beyond = Counted(seen=seen, seen_alarmed=alarmed).beyond(0.1, 199)
    assert told == (beyond is not None)
    assert told == (seen >= 30 and scipy.betabinom.sf(alarmed - 1, seen, 20.0, 180.0) < 0.01)
    assert beyond is None or ("fitted on few reports (199)" in beyond and "calibrate there" in beyond)


@pytest.mark.parametrize(("fitted_on", "seen"), [(49, 200), (199, 200), (399, 1000)])
def test_a_sound_archive_is_hardly_ever_warned_of(fitted_on: int, seen: int) -> None:
    """Each has limits above which a tenth of its own clean reports are, and new ones of the same kind."""
    rng = np.random.default_rng(7)
    fitted = np.sort(rng.random((2000, fitted_on)), axis=1)
    above = fitted[:, -round(0.1 * (fitted_on + 1))]
    alarmed, times = np.unique(rng.binomial(seen, 1.0 - above), return_counts=True)
    counted = [Counted(seen=seen, seen_alarmed=int(one)) for one in alarmed]
    warned = [one.beyond(0.1, fitted_on) is not None for one in counted]
    sure_of_the_share = [one.beyond(0.1, 10**7) is not None for one in counted]
    assert times[warned].sum() <= 0.02 * 2000
    assert times[sure_of_the_share].sum() > 0.03 * 2000
    assert Counted(seen=seen, seen_alarmed=seen // 3).beyond(0.1, fitted_on) is not None


def test_a_missing_column_is_refused(table: Path) -> None:
    with pytest.raises(XemplarError, match="no column 'report'"):
        check_table(table, table.with_name("o"), columns=Columns("id", ("report",)), judge=judge, by={})
