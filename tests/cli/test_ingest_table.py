"""A table on the command line: what is rejected is counted and told, mistakes quote no cell."""

from __future__ import annotations

import json

import pytest
from commands import draw, refused, table_of, xemplar


def test_no_such_column(figures):
    line = refused(
        "ingest", "table", figures / "figures.csv", "--group-column", "patient", "--out", figures / "c"
    )
    assert "patient" in line and "article" in line


def test_an_empty_table(figures):
    (figures / "empty.csv").write_text("image,text,article,part\n")
    line = refused(
        "ingest", "table", figures / "empty.csv", "--group-column", "article", "--out", figures / "c"
    )
    assert "no rows" in line


def test_an_empty_file(figures):
    (figures / "empty.csv").write_text("")
    refused("ingest", "table", figures / "empty.csv", "--group-column", "article", "--out", figures / "c")


def test_a_missing_image_is_counted_and_told(figures):
    (figures / "images/5.png").unlink()
    table = ("ingest", "table", figures / "figures.csv", "--group-column", "article", "--workers", 1)
    done = xemplar(*table, "--preview-size", 64, "--out", figures / "c")
    assert "rejected 1: unreadable image" in done.stderr and "5.png" in done.stderr
    assert "23 added" in done.stdout
    assert len((figures / "c/rejected.jsonl").read_text().splitlines()) == 1


def test_a_study_twice_is_counted_and_told(figures):
    table = figures / "figures.csv"
    table.write_text(table.read_text() + "images/3.png,Another caption,a1,train\n")
    done = xemplar(
        "ingest", "table", table, "--group-column", "article", "--workers", 1, "--out", figures / "c"
    )
    assert "rejected 1: study twice" in done.stderr and "row 25" in done.stderr


def test_patients_have_to_be_told_of(figures):
    line = refused("ingest", "table", figures / "figures.csv", "--out", figures / "c")
    assert "no patient column" in line and "--patients-unknown" in line


def test_an_unreadable_file(figures):
    (figures / "broken.parquet").write_bytes(b"PAR1 and nothing else")
    line = refused(
        "ingest", "table", figures / "broken.parquet", "--patients-unknown", "--out", figures / "c"
    )
    assert "broken.parquet" in line


def test_a_split_that_is_none_is_told_without_the_cell(tmp_path):
    table = table_of(tmp_path, "study,patient,findings\n1,p,Large effusion of Doe.\n")
    line = refused(
        *("ingest", "table", table, "--patient-column", "patient", "--split-column", "findings"),
        *("--out", tmp_path / "c"),
    )
    assert "table.csv, row 1: column 'findings' holds a value that is no split's name" in line
    assert "Doe" not in line


def test_a_table_without_a_header_is_told_without_a_cell(tmp_path):
    table = table_of(tmp_path, "1,p17,Large effusion of Doe.\n2,p18,Clear lungs.\n")
    line = refused("ingest", "table", table, "--patient-column", "patient", "--out", tmp_path / "c")
    assert "no column 'patient'" in line and "its first row does not look like a header" in line
    assert "Doe" not in line and "p17" not in line


def test_a_table_without_images_is_taken_as_texts_and_says_so(tmp_path):
    table = table_of(tmp_path, "study,ward,findings\n1,west,Clear lungs.\n")
    done = xemplar("ingest", "table", table, "--patients-unknown", "--workers", 1, "--out", tmp_path / "c")
    assert "no image column (looked for: image, " in done.stderr
    assert "columns: study, ward, findings); texts alone\nunused columns: ward\n" in done.stderr


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("study,imagee,findings", ("'imagee' names images", "--column image=imagee")),
        ("study,image,befund", ("no column of texts", "columns: study, image, befund")),
    ],
    ids=["images", "texts"],
)
def test_a_column_under_another_name_is_not_passed_over(tmp_path, columns, said):
    table = table_of(tmp_path, f"{columns}\n1,a.png,Clear lungs.\n")
    line = refused("ingest", "table", table, "--patients-unknown", "--out", tmp_path / "c")
    assert all(one in line for one in said)
    assert not (tmp_path / "c").exists()


def test_a_mistake_of_the_whole_table_comes_before_the_bar(tmp_path):
    table = table_of(tmp_path, "study,image,findings\n1,a.png,Clear lungs.\n")
    done = xemplar("ingest", "table", table, "--patients-unknown", "--out", tmp_path / "c", code=2)
    assert "none of the first 1 images exists" in done.stderr and "ingesting" not in done.stderr


def test_drawn_films_do_not_become_clinical(tmp_path):
    draw(tmp_path / "film.png")
    table = table_of(tmp_path, "study,image,findings\nsource-1,film.png,Clear lungs.\n")
    line = refused("ingest", "table", table, "--patients-unknown", "--workers", 1, "--out", tmp_path / "c")
    assert "no study could be read (1 of another domain)" in line
    assert "film.png: of another domain: marked synthetic, this corpus is clinical" in line


def test_a_table_is_not_called_synthetic(figures):
    line = refused(
        *("ingest", "table", figures / "figures.csv", "--patients-unknown", "--domain", "synthetic"),
        *("--out", figures / "c"),
    )
    assert "--domain" in line and "'clinical' or 'figures'" in line


def test_a_patient_in_two_splits_is_told_without_an_id_of_the_source(tmp_path):
    rows = "study,patient,part,findings\nsource-1,source-p,train,Clear.\nsource-2,source-p,test,Clear.\n"
    done = xemplar(
        *("ingest", "table", table_of(tmp_path, rows), "--patient-column", "patient"),
        *("--split-column", "part", "--workers", 1, "--out", tmp_path / "c"),
    )
    (row,) = [json.loads(line) for line in (tmp_path / "c/rejected.jsonl").read_text().splitlines()]
    assert "rejected 1: its patient is in another split\n" in done.stderr
    assert f"  first: {row['key']}: its patient is in another split: train, not test" in done.stderr
    assert "source-" not in done.stdout + done.stderr


def test_a_damaged_table_of_a_corpus_is_told_with_the_remedy(tmp_path):
    rows = "study,findings\n1,Clear.\n"
    xemplar(
        *("ingest", "table", table_of(tmp_path, rows), "--patients-unknown", "--workers", 1),
        *("--out", tmp_path / "c"),
    )
    path = tmp_path / "c/studies/000000.parquet"
    path.write_bytes(b"x" * path.stat().st_size)
    line = refused("corpus", "card", tmp_path / "c")
    assert "studies/000000.parquet can't be read; run `xemplar corpus check`" in line
    assert (
        "studies/000000.parquet: SHA-256 differs" in xemplar("corpus", "check", tmp_path / "c", code=1).stdout
    )


def test_a_caption_made_of_columns(figures):
    table = ("ingest", "table", figures / "figures.csv", "--group-column", "article", "--workers", 1)
    more = ("--column", "text=", "--caption", "a figure of {article}[ in {part}]", "--preview-size", 64)
    assert "24 added" in xemplar(*table, *more, "--out", figures / "c").stdout
    line = refused(*table, "--caption", "a figure of {article", "--out", figures / "d")
    assert "without its other half" in line
