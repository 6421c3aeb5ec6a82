"""A cohort as it is typed: where it may be written, what goes together, and what it is one of."""

import json
import shutil

import pytest
from commands import refused, xemplar

QUERY = "effusion"


@pytest.fixture(scope="module")
def made(walk, tmp_path_factory):
    """A cohort's file, and what was printed of it."""
    out = tmp_path_factory.mktemp("cohort") / "one.csv"
    return out, xemplar("cohort", walk / "index", QUERY, "--out", out).stdout


def test_of_how_many_studies_and_which_parts_it_is_is_told(walk, made):
    out, printed = made
    header = json.loads(out.read_text().splitlines()[0].removeprefix("# "))
    assert (header["parts"], header["studies"]) == (["train"], 120)
    assert 0 < header["reports"] < 120
    assert f" of {header['reports']} reports (train) of 120 studies, " in printed


def test_no_file_that_is_there_is_written_over(walk, made, tmp_path):
    (tmp_path / "film.png").write_bytes(b"a film")
    line = refused("cohort", walk / "index", QUERY, "--out", tmp_path / "film.png")
    assert "there already" in line and "choose another name with --out" in line
    assert (tmp_path / "film.png").read_bytes() == b"a film"
    line = refused("cohort", walk / "index", "--again", made[0], "--out", tmp_path / "film.png")
    assert "there already" in line and "choose another name with --out" in line


def test_a_file_is_no_folder_to_write_into(made):
    assert "a folder to write into" in refused("cohort", "i", QUERY, "--out", made[0] / "c.csv")


def test_the_very_cohort_may_be_made_again_in_its_place(walk, made):
    before = made[0].read_bytes()
    xemplar("cohort", walk / "index", "--again", made[0], "--out", made[0])
    assert made[0].read_bytes() == before


def test_rows_that_somebody_wrote_into_are_not_written_over(walk, made, tmp_path):
    mine = tmp_path / "mine.csv"
    mine.write_text(made[0].read_text() + "my note\n")
    line = refused("cohort", walk / "index", "--again", mine, "--out", mine)
    assert "its rows were changed" in line and mine.read_text().endswith("my note\n")


def test_rows_that_were_changed_since_are_told_and_gathered_as_they_were(walk, made, tmp_path):
    changed = tmp_path / "changed.csv"
    changed.write_text(made[0].read_text().replace(",stated,", ",denied,"))
    assert changed.read_bytes() != made[0].read_bytes()
    told = xemplar("cohort", walk / "index", "--again", changed, "--out", tmp_path / "again.csv").stderr
    assert "its rows were changed since they were gathered" in told
    assert (tmp_path / "again.csv").read_bytes() == made[0].read_bytes()


def test_a_folder_that_is_not_new_leaves_nothing_written(walk, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "x").touch()
    asked = ("cohort", walk / "index", QUERY, "--out", tmp_path / "c.csv", "--deidentified")
    assert "holds other files" in refused(*asked, tmp_path / "old")
    assert "a new or empty folder" in refused(*asked, tmp_path / "old" / "x")
    assert not (tmp_path / "c.csv").exists()


def test_ids_do_not_get_into_the_folder_that_is_handed_on(tmp_path):
    line = refused(
        "cohort", "i", QUERY, "--out", tmp_path / "new" / "c.csv", "--deidentified", tmp_path / "new"
    )
    assert "in the folder that is handed on" in line and not (tmp_path / "new").exists()


def test_both_and_neither_are_told_apart(tmp_path):
    assert "both given" in refused("cohort", "i", QUERY, "--again", tmp_path / "c.csv")
    assert "a cohort of nothing" in refused("cohort", "i")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "no such file"),
        ("study_id\n1\n", "its first line isn't a cohort's header"),
        ('# {"kind": "cohort", "version": 9}\n', "a cohort of version 9; wanted version 2"),
        ('# {"kind": "cohort", "version": 2, "deidentified": true}\n', "a cohort that was handed on"),
        ('# {"kind": "cohort", "version": 2}\n', "damaged or cut short"),
    ],
)
def test_what_is_no_cohort_is_told_without_the_names_of_errors(walk, tmp_path, text, told):
    if text is not None:
        (tmp_path / "c.csv").write_text(text)
    line = refused("cohort", walk / "index", "--again", tmp_path / "c.csv", "--out", tmp_path / "d.csv")
    assert told in line and "Error" not in line


def test_an_archive_that_has_moved_is_named(walk, made, tmp_path):
    shutil.copytree(walk / "index", tmp_path / "index")
    out, where = tmp_path / "c.csv", ("--corpus", walk / "corpus", "--model", walk / "model")
    xemplar("cohort", tmp_path / "index", QUERY, "--out", out, *where)
    assert out.read_bytes() == made[0].read_bytes()
