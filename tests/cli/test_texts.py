"""The verbs that need no corpus: label a table, score predictions, compare two systems."""

import csv
import json

import pytest
from commands import refused, table_of, xemplar

PAIRS = """id,prediction,reference,who
1,The lungs are clear.,No acute disease. Lungs are clear.,p1
2,"Left pleural effusion, small.",Small left pleural effusion with atelectasis.,p2
3,,Normal chest.,p3
4,Cardiomegaly.,The heart is enlarged. No pneumothorax.,p4
5,Something.,,p5
"""
QUICK = ("--replicates", 100)


@pytest.fixture
def pairs(tmp_path):
    return table_of(tmp_path, PAIRS)


def rows_of(path):
    with path.open(newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_labels_are_one_row_a_report_and_one_column_an_observation(pairs, tmp_path):
    xemplar("label", pairs, "--text", "reference", "--out", tmp_path / "labels.csv")
    rows = rows_of(tmp_path / "labels.csv")
    assert list(rows) == ["1", "2", "3", "4", "5"]
    assert rows["2"]["Pleural Effusion"] == "1" and rows["4"]["Pneumothorax"] == "0"
    assert set(rows["5"].values()) == {"5", ""}
    assert len(rows["1"]) == 15


def test_several_texts_are_one_report(pairs, tmp_path):
    xemplar("label", pairs, "--text", "prediction", "--text", "reference", "--out", tmp_path / "labels.csv")
    assert rows_of(tmp_path / "labels.csv")["2"]["Atelectasis"] == "1"


def test_a_mention_says_where_it_stands(pairs, tmp_path):
    files = ("--out", tmp_path / "labels.csv", "--mentions", tmp_path / "mentions.jsonl")
    xemplar("label", pairs, "--text", "reference", *files)
    mentions = [json.loads(line) for line in (tmp_path / "mentions.jsonl").read_text().splitlines()]
    one = next(mention for mention in mentions if mention["observation"] == "Pleural Effusion")
    text = "Small left pleural effusion with atelectasis."
    assert one["id"] == "2" and one["presence"] == "present" and one["rule"]
    assert text[one["start"] : one["end"]] == "pleural effusion"


def test_labels_as_json_count_what_was_left_blank(pairs, tmp_path):
    done = xemplar("label", pairs, "--text", "reference", "--out", tmp_path / "labels.csv", "--json")
    told = json.loads(done.stdout)
    assert (told["reports"], told["without_text"], told["not_english"]) == (5, 1, 0)


def test_the_other_profile_is_asked_for_by_name(pairs, tmp_path):
    xemplar("label", pairs, "--text", "reference", "--profile", "chexpert", "--out", tmp_path / "labels.csv")
    assert rows_of(tmp_path / "labels.csv")["1"]["No Finding"] == "1"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--text", "no such"), "no column 'no such'"),
        (("--text", "reference", "--id", "uid"), "no column 'uid'"),
        (("--text", "reference", "--profile", "best"), "--profile 'best'; wanted one of default, chexpert"),
    ],
)
def test_what_can_not_be_labelled_is_told_in_a_line(pairs, tmp_path, options, told):
    assert told in refused("label", pairs, *options, "--out", tmp_path / "labels.csv")
    assert not (tmp_path / "labels.csv").exists()


def test_a_failed_labelling_leaves_the_old_labels(pairs, tmp_path):
    out = tmp_path / "labels.csv"
    xemplar("label", pairs, "--text", "reference", "--out", out)
    before = out.read_bytes()
    pairs.write_text(PAIRS + "1,again,again,p1\n")
    assert "of row 1 again" in refused("label", pairs, "--text", "reference", "--out", out)
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_reports_are_never_overwritten_by_their_labels(pairs):
    assert "one file to be read and written" in refused("label", pairs, "--text", "reference", "--out", pairs)
    assert pairs.read_text() == PAIRS


def test_a_run_is_not_scored_into_its_own_folder(pairs, tmp_path):
    xemplar("score", pairs, *QUICK, "--out", tmp_path / "run")
    line = refused("score", tmp_path / "run/pairs.jsonl", *QUICK, "--out", tmp_path / "run")
    assert "what is read would be overwritten" in line


def test_a_folder_of_other_things_is_left_alone(pairs, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/report.html").write_text("mine")
    assert "holds other files" in refused("score", pairs, *QUICK, "--out", tmp_path / "mine")
    assert (tmp_path / "mine/report.html").read_text() == "mine"


def test_a_report_is_written_again_over_its_own(pairs, tmp_path):
    for _ in range(2):
        xemplar("score", pairs, *QUICK, "--out", tmp_path / "run")
    assert (tmp_path / "run/report.html").is_file()


def test_a_column_that_names_patients_is_pointed_at(tmp_path):
    table = table_of(tmp_path, PAIRS.replace(",who", ",patient"))
    assert "--patient patient" in xemplar("score", table, *QUICK).stderr
    assert "--patient" not in xemplar("score", table, "--patient", "patient", *QUICK).stderr


def test_labels_are_told_by_presence(pairs, tmp_path):
    done = xemplar("label", pairs, "--text", "reference", "--out", tmp_path / "labels.csv")
    assert "present" in done.stdout and "uncertain" in done.stdout and "absent" in done.stdout


def test_a_file_in_the_folders_place_is_told_in_a_line(pairs, tmp_path):
    (tmp_path / "report").write_text("here first")
    assert "cannot be written" in refused("score", pairs, *QUICK, "--out", tmp_path / "report")


def test_scores_as_json_say_what_was_counted(pairs):
    told = json.loads(xemplar("score", pairs, "--json", *QUICK).stdout)
    assert told["studies"] == 4
    assert told["counted"]["empty references"] == told["counted"]["empty predictions"] == 1


def test_patients_are_resampled_where_they_are_named(pairs):
    told = json.loads(xemplar("score", pairs, "--patient", "who", "--json", *QUICK).stdout)
    assert told["resampling"]["of"] == "patients"


@pytest.mark.parametrize("verb", ["score", "compare"])
def test_scores_for_people_say_that_they_are_for_research(pairs, verb):
    tables = (pairs,) if verb == "score" else (pairs, pairs)
    said = xemplar(verb, *tables, "--replicates", 100).stdout
    assert said.startswith("Research use only. Not for diagnosis.\n")


def test_a_column_that_is_not_there_is_told_before_a_bar(pairs, tmp_path):
    for verb in (("label", pairs), ("check", "--table", pairs)):
        done = xemplar(*verb, "--text", "wrong", "--out", tmp_path / "out", code=2)
        assert done.stderr.startswith("error: ") and "no column 'wrong'" in done.stderr


def test_scores_for_people_name_tokeniser_policy_and_floors(pairs):
    shown = xemplar("score", pairs, *QUICK).stdout
    assert "BLEU-4[ptb_like]" in shown and "uncertain=present" in shown and "ceiling" in shown


def test_a_report_folder_holds_scores_pairs_and_a_page(pairs, tmp_path):
    xemplar("score", pairs, *QUICK, "--out", tmp_path / "report")
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert {"summary.json", "scores.parquet", "pairs.jsonl", "report.html", "plots"} <= names


def test_two_systems_are_compared_on_what_both_have(pairs, tmp_path):
    (tmp_path / "other.csv").write_text(PAIRS.replace("Cardiomegaly.", "Clear lungs."))
    done = xemplar("compare", pairs, tmp_path / "other.csv", *QUICK, "--json")
    told = json.loads(done.stdout)
    assert told["systems"] == ["table", "other"] and told["left_out"] == 0
    row = next(row for row in told["rows"] if row["measure"] == "f1_present_micro_14[uncertain=present]")
    assert row["difference"]["value"] > 0


def test_a_scored_run_is_compared_from_its_folder(pairs, tmp_path):
    xemplar("score", pairs, *QUICK, "--out", tmp_path / "run")
    xemplar("compare", tmp_path / "run", pairs, *QUICK, "--out", tmp_path / "both")
    assert (tmp_path / "both/report.html").is_file() and (tmp_path / "both/scores.parquet").is_file()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--tokeniser", "mine"), "--tokeniser 'mine'; wanted one of ptb_like"),
        (("--texts", "letters"), "--texts 'letters'"),
        (("--section", "foo"), "--section 'foo'; wanted one of findings, impression, both"),
        (("--prediction", "draft"), "no column 'draft'"),
        (("--references", "nowhere.csv"), "no such file"),
        (("--domain", "drawn"), "--domain 'drawn'; wanted one of synthetic"),
    ],
)
def test_what_can_not_be_scored_is_told_in_a_line(pairs, options, told):
    assert told in refused("score", pairs, *options)
