"""Predictions beside references: what is refused, what is counted, what stays in order."""

import json
import math

import numpy as np
import pytest

from xemplar.errors import MismatchError, XemplarError
from xemplar.evaluation.texts import keyed
from xemplar.evaluation.texts.folder import agreed, names_of, read_run, save_texts
from xemplar.evaluation.texts.pairs import Columns, Pairs, aligned, pair_up, read_pairs


def table(folder, text, name="pairs.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_pairs_stand_in_the_order_of_the_references():
    pairs = pair_up({"b": "two", "a": "one"}, {"a": "eins", "b": "zwei"})
    assert (pairs.ids, pairs.predictions, pairs.references) == (("a", "b"), ("one", "two"), ("eins", "zwei"))


def test_a_reference_without_a_prediction_is_scored_against_nothing_and_counted():
    pairs = pair_up({"a": "one"}, {"a": "eins", "b": "zwei"})
    assert pairs.predictions == ("one", "")
    assert pairs.counted["references without a prediction"] == 1


def test_a_prediction_without_a_reference_is_left_out_and_counted():
    pairs = pair_up({"a": "one", "x": "nobody's"}, {"a": "eins"})
    assert pairs.ids == ("a",)
    assert pairs.counted["predictions without a reference"] == 1


@pytest.mark.parametrize("nothing", ["", "  ", None, math.nan, "NaN", "None"])
def test_an_empty_reference_is_left_out_and_counted(nothing):
    pairs = pair_up({"a": "one", "b": "two"}, {"a": "eins", "b": nothing})
    assert pairs.ids == ("a",)
    assert pairs.counted["empty references"] == 1


@pytest.mark.parametrize("nothing", ["", " ", None, math.nan])
def test_an_empty_prediction_stays_and_is_counted(nothing):
    pairs = pair_up({"a": nothing, "b": "two"}, {"a": "eins", "b": "zwei"})
    assert pairs.predictions == ("", "two")
    assert pairs.counted["empty predictions"] == 1
    assert pairs.counted["references without a prediction"] == 0


@pytest.mark.parametrize("odd", [5, ["list"], 1.5, b"bytes"])
def test_what_is_no_text_is_refused_by_its_place(odd):
    with pytest.raises(XemplarError, match=rf"prediction 2 is a {type(odd).__name__}"):
        pair_up({"a": "one", "b": odd}, {"a": "eins", "b": "zwei"})


def test_ids_that_never_meet_are_refused():
    with pytest.raises(XemplarError, match="share no id"):
        pair_up({"a": "one"}, {"b": "zwei"})


def test_a_study_without_a_patient_is_a_patient_of_its_own_and_counted():
    pairs = pair_up({"a": "1", "b": "2", "c": "3"}, {"a": "x", "b": "y", "c": "z"}, {"a": "p", "b": "p"})
    assert pairs.clusters[0] == pairs.clusters[1] != pairs.clusters[2]
    assert pairs.counted["without a patient"] == 1


def test_a_patient_can_not_be_taken_for_a_study_without_one():
    pairs = pair_up({"a": "1", "b": "2"}, {"a": "x", "b": "y"}, {"a": "b"})
    assert len(set(pairs.clusters)) == 2


def test_columns_are_taken_by_name(tmp_path):
    path = table(tmp_path, "uid,said,true,who\n1,one,eins,p\n2,two,zwei,p\n")
    pairs = read_pairs(path, Columns("uid", "said", "true", "who"))
    assert (pairs.predictions, pairs.references, set(pairs.clusters)) == (
        ("one", "two"),
        ("eins", "zwei"),
        {"p"},
    )


def test_json_lines_are_read_as_well(tmp_path):
    rows = [
        {"id": 7, "prediction": "one", "reference": "eins"},
        {"id": 8, "prediction": None, "reference": "z"},
    ]
    path = table(tmp_path, "".join(json.dumps(row) + "\n" for row in rows), "pairs.jsonl")
    pairs = read_pairs(path)
    assert (pairs.ids, pairs.predictions) == (("7", "8"), ("one", ""))


def test_the_rows_of_a_table_are_read_once(tmp_path, monkeypatch):
    read, rows_of = [], keyed.read_rows
    monkeypatch.setattr(keyed, "read_rows", lambda path: read.append(path) or rows_of(path))
    path = table(tmp_path, "id,prediction,reference,who\n1,one,eins,p\n2,two,zwei,p\n")
    read_pairs(path, Columns(cluster="who"))
    assert read == [path]


def test_references_may_stand_in_a_table_of_their_own(tmp_path):
    said = table(tmp_path, "id,prediction\n2,two\n1,one\n", "said.csv")
    true = table(tmp_path, "id,reference\n1,eins\n2,zwei\n3,drei\n", "true.csv")
    pairs = read_pairs(said, references=true)
    assert pairs.predictions == ("one", "two", "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("id,prediction,reference\n1,a,b\n1,c,d\n", r"'id' of row 1 again \(pairs.csv, row 2\)"),
        ("id,prediction,reference\n,a,b\n", "an empty 'id'"),
        ("id,prediction\n1,a\n", "no column 'reference'"),
        ("id,prediction,reference\n1,a\n", "2 cells where the header has 3"),
    ],
)
def test_a_table_that_can_not_be_paired_is_refused_by_row(tmp_path, text, reason):
    with pytest.raises(XemplarError) as caught:
        read_pairs(table(tmp_path, text))
    import re

    told = str(caught.value)
    assert re.search(reason.replace(r" \(pairs.csv, row 2\)", ""), told)
    assert "pairs.csv" in told


def test_a_table_without_rows_is_refused(tmp_path):
    with pytest.raises(XemplarError, match="the table has no rows"):
        read_pairs(table(tmp_path, "id,prediction,reference\n"))


def test_a_column_of_no_patients_leaves_them_unknown(tmp_path):
    pairs = read_pairs(
        table(tmp_path, "id,prediction,reference,who\n1,a,b,\n2,c,d,\n"), Columns(cluster="who")
    )
    assert not pairs.by_patient and pairs.counted["without a patient"] == 2


def test_errors_never_quote_an_id_or_a_text(tmp_path):
    path = table(tmp_path, "id,prediction,reference\nDOE^JANE,secret words,b\nDOE^JANE,c,d\n")
    with pytest.raises(XemplarError) as caught:
        read_pairs(path)
    assert "DOE" not in str(caught.value) and "secret" not in str(caught.value)


def test_the_fingerprint_is_of_ids_and_references_alone():
    one = pair_up({"a": "1", "b": "2"}, {"a": "x", "b": "y"})
    other = pair_up({"a": "3", "b": "4"}, {"b": "y", "a": "x"})
    changed = pair_up({"a": "1", "b": "2"}, {"a": "x", "b": "z"})
    assert one.fingerprint == other.fingerprint != changed.fingerprint


def test_two_systems_meet_in_the_ids_they_share():
    first = pair_up({"a": "1", "b": "2"}, {"a": "x", "b": "y"})
    second = pair_up({"b": "3", "c": "4"}, {"c": "z", "b": "y"})
    one, other, left = aligned(first, second)
    assert (one.ids, one.predictions, other.predictions, left) == (("b",), ("2",), ("3",), 2)


def test_two_references_of_one_id_are_refused():
    first, second = pair_up({"a": "1"}, {"a": "x"}), pair_up({"a": "1"}, {"a": "other"})
    with pytest.raises(MismatchError, match="1 of 1 shared ids have two references"):
        aligned(first, second)


def saved(folder, **settings):
    pairs = pair_up({"a": "1", "b": ""}, {"a": "x", "b": "y"}, {"a": "p", "b": "p"})
    told = {"texts": "reports", "section": "findings", "tokeniser": "ptb_like", "profile": "default"}
    told |= {"domain": "clinical", **settings}
    save_texts(folder, {"settings": told}, pairs, per_study={"id": np.array(pairs.ids)})
    return pairs


def test_a_report_folder_is_read_as_the_run_it_holds(tmp_path):
    pairs = saved(tmp_path / "run")
    again = read_run(tmp_path / "run", Columns("other", "names"))
    assert again.name == "run" and again.settings["section"] == "findings"
    assert (again.pairs.ids, again.pairs.predictions) == (pairs.ids, pairs.predictions)
    assert again.pairs.clusters.tolist() == pairs.clusters.tolist()


def test_two_folders_that_were_scored_in_two_ways_are_refused(tmp_path):
    saved(tmp_path / "one")
    saved(tmp_path / "other", domain="synthetic")
    runs = [read_run(tmp_path / name, Columns()) for name in ("one", "other")]
    assert agreed(runs[0], runs[0])["domain"] == "clinical"
    with pytest.raises(MismatchError, match="domain 'clinical' and 'synthetic'"):
        agreed(*runs)


def test_a_folder_without_a_summary_is_no_run(tmp_path):
    saved(tmp_path / "run")
    (tmp_path / "run/summary.json").unlink()
    with pytest.raises(XemplarError, match="no summary"):
        read_run(tmp_path / "run", Columns())


def test_systems_of_one_name_are_told_apart(tmp_path):
    assert names_of(tmp_path / "a/run.csv", tmp_path / "b/run.csv") == ("a/run", "b/run")
    assert names_of(tmp_path / "run.csv", tmp_path / "run.jsonl")[1].endswith("(2)")


def test_patients_are_those_that_either_system_knows():
    texts = {"a": "x", "b": "y", "c": "z"}
    plain, known = pair_up(texts, texts), pair_up(texts, texts, {"a": "p", "b": "p", "c": "q"})
    for one, other in ((plain, known), (known, plain)):
        first, second, _ = aligned(one, other)
        assert first.by_patient and second.by_patient
        assert first.clusters.tolist() == second.clusters.tolist() == ["p", "p", "q"]


def test_systems_that_disagree_on_patients_are_refused():
    texts = {"a": "x", "b": "y", "c": "z"}
    one = pair_up(texts, texts, {"a": "p", "b": "p", "c": "q"})
    same = pair_up(texts, texts, {"a": "1", "b": "1", "c": "2"})
    other = pair_up(texts, texts, {"a": "p", "b": "q", "c": "q"})
    assert aligned(one, same)[2] == 0
    with pytest.raises(MismatchError, match="disagree on whose studies"):
        aligned(one, other)


@pytest.mark.parametrize("odd", ["5", "[]", '["a"]', "true", '{"a": 1}', "1.5"])
def test_a_value_that_is_no_text_is_refused_by_row(tmp_path, odd):
    good = '{"id": 1, "prediction": "a", "reference": "b"}\n'
    rows = good + f'{{"id": 2, "prediction": {odd}, "reference": "b"}}\n'
    with pytest.raises(XemplarError, match=r"row 2.*'prediction' that is no text"):
        read_pairs(table(tmp_path, rows, "pairs.jsonl"))


def test_a_patient_of_nothing_is_no_patient(tmp_path):
    path = table(tmp_path, "id,prediction,reference,who\n1,a,b,NaN\n2,c,d,NaN\n3,e,f,p\n")
    pairs = read_pairs(path, Columns(cluster="who"))
    assert len(set(pairs.clusters)) == 3 and pairs.counted["without a patient"] == 2


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(XemplarError, match="2 ids, 1 predictions"):
        Pairs(("a", "b"), ("x",), ("y", "z"), np.array(["a", "b"]))
