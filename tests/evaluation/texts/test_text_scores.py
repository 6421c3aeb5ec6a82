"""Scored texts: figures by hand, floors beside them, what is left out told, two systems in pairs."""

import hashlib
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from xemplar.errors import MismatchError, XemplarError
from xemplar.evaluation.texts import anchors
from xemplar.evaluation.texts.anchors import anchors_of
from xemplar.evaluation.texts.folder import save_comparison
from xemplar.evaluation.texts.pairs import pair_up
from xemplar.evaluation.texts.run import HEADLINES, TextSettings, compare_texts, score_texts

REFERENCES = {
    "a": "Large left pleural effusion. No pneumothorax.",
    "b": "The heart is enlarged. Lungs are clear.",
    "c": "No pleural effusion or pneumothorax. Heart size is normal.",
    "d": "Bibasilar atelectasis. No pneumothorax.",
    "e": "Right pneumothorax. Heart size is normal.",
}
PERFECT = dict(REFERENCES)
POOR = {name: "Heart size is normal. No pleural effusion." for name in REFERENCES}
QUICK = TextSettings(replicates=100)


def value(summary, key, group="labels", which="ours"):
    row = next(row for row in summary[group] if row["measure"] == key)
    return row[which]["value"] if which == "ours" else row[which]


def scored(predictions, **given):
    return score_texts(pair_up(predictions, REFERENCES), TextSettings(replicates=100, **given)).summary


@pytest.fixture(scope="module")
def perfect():
    return scored(PERFECT)


@pytest.fixture(scope="module")
def poor():
    return scored(POOR)


@pytest.mark.parametrize("key", HEADLINES)
def test_the_references_themselves_are_labelled_perfectly(perfect, key):
    found = value(perfect, key)
    assert found == 1.0


def test_the_references_themselves_have_a_bleu_of_one(perfect):
    assert value(perfect, "BLEU-4[ptb_like]", "wording") == pytest.approx(1.0)


def test_micro_f1_is_that_of_counts_made_by_hand(poor):
    # Present in the references: effusion, cardiomegaly, atelectasis, pneumothorax, and No Finding once (c).
    # Said by every prediction: No Finding. So 1 hit, 4 too many, 4 missed.
    assert value(poor, HEADLINES[0]) == pytest.approx(2 / (2 + 4 + 4))


def test_support_says_how_often_each_finding_is_stated(poor):
    assert poor["support"]["Pneumothorax"] == {
        "present": 1, "uncertain": 0, "absent": 3, "not mentioned": 1,
    }  # fmt: skip


def test_floors_stand_beside_scores_and_have_a_paired_difference(perfect):
    floors = value(perfect, HEADLINES[0], which="floors")
    against = value(perfect, HEADLINES[0], which="differences")
    assert set(floors) == set(against) == {
        "constant normal report", "random report", "nearest report (ceiling)",
    }  # fmt: skip
    for name, floor in floors.items():
        assert against[name]["value"] == pytest.approx(1.0 - floor["value"])


def test_the_summary_is_json_without_nan(poor):
    json.dumps(poor, allow_nan=False)


def test_an_undefined_score_is_null(poor):
    assert value(poor, "f1_present_fracture[uncertain=present]", "by finding") is None


def test_captions_have_wording_alone():
    found = scored(PERFECT, texts="captions")
    assert not found["labels"] and found["wording"] and found["labels_left_out"] == 5
    assert "constant normal report" not in found["wording"][0]["floors"]


def test_a_reference_in_another_language_has_wording_but_no_labels():
    german = {
        **REFERENCES,
        "f": "Kein Pleuraerguss. Die Lunge ist beidseits frei belüftet, das Herz ist normal groß.",
    }
    found = score_texts(pair_up({**PERFECT, "f": "Effusion."}, german), QUICK)
    assert (found.summary["labels_read"], found.summary["labels_left_out"]) == (5, 1)
    assert found.read.tolist() == [True] * 5 + [False]
    assert value(found.summary, HEADLINES[0]) == 1.0
    column = found.per_study["f1_present_samples_14[uncertain=present]"]
    assert np.isnan(column[5]) and not np.isnan(column[:5]).any()


def test_a_prediction_in_another_language_says_nothing_and_is_counted():
    found = scored(dict.fromkeys(REFERENCES, "Kein Pleuraerguss. Die Lunge ist beidseits frei belüftet."))
    assert found["predictions"]["not English"] == 5
    assert value(found, HEADLINES[0]) == 0.0


def test_a_macro_mean_says_over_how_many_findings_it_is_not(perfect):
    row = next(row for row in perfect["labels"] if row["measure"] == HEADLINES[1])
    stated = sum(bool(counts["present"] + counts["uncertain"]) for counts in perfect["support"].values())
    assert row["left_out"] == 14 - stated > 0


def test_one_patient_can_not_be_resampled():
    pairs = pair_up(PERFECT, REFERENCES, dict.fromkeys(REFERENCES, "p"))
    with pytest.raises(XemplarError, match="5 studies of a single patient"):
        score_texts(pairs, QUICK)


def test_an_empty_prediction_loses_and_is_counted():
    found = scored({**PERFECT, "a": ""})
    assert found["counted"]["empty predictions"] == 1
    assert value(found, HEADLINES[0]) < 1.0
    assert value(found, "ROUGE-L[ptb_like]", "wording") == pytest.approx(0.8)


def test_without_floors_none_is_computed():
    assert all(not row["floors"] for row in scored(PERFECT, floors=False)["wording"])


# --- two systems -----


@pytest.fixture(scope="module")
def compared():
    first, second = pair_up(PERFECT, REFERENCES), pair_up(POOR, REFERENCES)
    return compare_texts(first, second, QUICK, systems=("perfect", "poor"), left_out=3)


def test_a_difference_is_the_first_less_the_second(compared, perfect, poor):
    row = next(row for row in compared.summary["rows"] if row["measure"] == HEADLINES[0])
    assert row["difference"]["value"] == pytest.approx(
        value(perfect, HEADLINES[0]) - value(poor, HEADLINES[0])
    )


def test_each_system_keeps_what_its_studies_got(compared):
    for pairs, mine in zip(compared.pairs, compared.per_study, strict=True):
        alone = score_texts(pairs, QUICK).per_study
        assert list(mine) == list(alone)
        for key, column in alone.items():
            np.testing.assert_array_equal(mine[key], column)


def test_a_compared_folder_holds_both_systems_scores(compared, tmp_path):
    save_comparison(tmp_path, compared)
    table = pq.read_table(tmp_path / "scores.parquet")
    assert table["system"].to_pylist() == ["perfect"] * 5 + ["poor"] * 5
    assert table["id"].to_pylist() == list(REFERENCES) * 2
    rouge = [column["ROUGE-L[ptb_like]"] for column in compared.per_study]
    assert table["ROUGE-L[ptb_like]"].to_pylist() == np.concatenate(rouge).tolist()
    assert json.loads((tmp_path / "summary.json").read_text())["left_out"] == 3


def test_only_headlines_are_adjusted_and_never_downwards(compared):
    for row in compared.summary["rows"]:
        if row["p_holm"] is not None:
            assert row["p_holm"] >= row["p_randomised"]
            assert row["group"] == "wording" or row["measure"] in HEADLINES
    assert sum(row["p_holm"] is not None for row in compared.summary["rows"]) == 8 + len(HEADLINES)


def test_a_system_against_itself_is_not_told_apart():
    pairs = pair_up(POOR, REFERENCES)
    found = compare_texts(pairs, pairs, QUICK, systems=("one", "other")).summary
    assert {row["difference"]["value"] for row in found["rows"]} <= {0.0, None}
    assert all(row["p_randomised"] in (1.0, None) for row in found["rows"])


def test_systems_over_other_references_are_refused():
    other = pair_up(POOR, {**REFERENCES, "a": "Another text."})
    with pytest.raises(MismatchError, match="not the same ones"):
        compare_texts(pair_up(POOR, REFERENCES), other, QUICK, systems=("one", "other"))


# --- published anchors -----

SPLIT = {f"CXR{number}_IM-0001": "Clear lungs." for number in range(1, 5)}


@pytest.fixture
def board(monkeypatch):
    members = " ".join(hashlib.sha256(str(number).encode()).hexdigest()[:8] for number in range(1, 4))
    board = {"name": "board", "source": "s", "split": "four", "section": "findings", "measure": "m"}
    board |= {"note": "n", "systems": [["x", 0.5]]}
    data = {"splits": {"four": {"studies": 4, "members": members}}, "boards": [board]}
    monkeypatch.setattr(anchors, "_data", lambda: data)


def found(pairs, section="findings", measures=("m",)):
    return [one["name"] for one in anchors_of(pairs, section=section, measures=measures)]


def test_a_board_stands_beside_its_very_split(board):
    assert found(pair_up(SPLIT, SPLIT)) == ["board"]


def test_no_board_beside_another_section_or_measure(board):
    assert found(pair_up(SPLIT, SPLIT), section="impression") == []
    assert found(pair_up(SPLIT, SPLIT), measures=("other",)) == []


def test_no_board_beside_a_part_of_the_split(board):
    part = dict(list(SPLIT.items())[:3])
    assert found(pair_up(part, part)) == []


def test_no_board_beside_as_many_studies_that_are_others(board):
    others = {name.replace("CXR1_", "CXR9_"): text for name, text in SPLIT.items()}
    assert found(pair_up(others, others)) == []


def test_no_board_where_a_prediction_is_missing(board):
    part = dict(list(SPLIT.items())[:3])
    assert found(pair_up(part, SPLIT)) == []


def test_no_board_where_a_reference_was_left_out(board):
    more = {**SPLIT, "CXR5_IM": ""}
    assert found(pair_up(SPLIT, more)) == []


def test_the_shipped_boards_name_their_source_and_known_measures():
    data = anchors._data()
    measures = {row["measure"] for row in scored(PERFECT, floors=False)["wording"]}
    for board in data["boards"]:
        assert board["source"] and board["measure"] in measures and board["split"] in data["splits"]
