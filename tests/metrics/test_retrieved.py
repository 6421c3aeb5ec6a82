"""Scores of retrieved labels against TxtRayAlign's own numbers, and by hand."""

import json

import numpy as np
import pytest

from xemplar.errors import MismatchError, XemplarError
from xemplar.metrics.embedding import cosine
from xemplar.metrics.labels import NOT_MENTIONED, LabelTable, value_table
from xemplar.metrics.retrieved import pandas2_labels, retrieved_scores, study_labels

TWO = ("Edema", "Fracture")
B = NOT_MENTIONED


def _table(rows, findings=TWO):
    return LabelTable(tuple(findings), np.array(rows, np.int8).reshape(-1, len(findings)))


def _scores(query, rows, flavour, *, k=None):
    k = len(rows) if k is None else k
    return retrieved_scores(_table([query]), _table(rows), np.arange(len(rows))[None], k=k, flavour=flavour)


# -- as TxtRayAlign's program has it -------------------------------------------------------------------


class Run:
    """One golden run: labels of queries and of the distinct bank rows that were retrieved."""

    def __init__(self, golden, name):
        folder = golden / "txtrayalign_metrics"
        self.case = json.loads((folder / f"{name}.json").read_text())
        self.vectors = np.load(folder / f"{name}_embeddings.npz", allow_pickle=False)
        self.findings = self.case["categories_in_table"]
        studies, sentences = {}, {}
        for row in self.case["labels"]:
            if row["category"] is None:
                continue
            for held, key in (
                (studies, row["study_id"]),
                (sentences, (row["study_id"], row["sentence"])),
            ):
                codes = held.setdefault(key, np.full(len(self.findings), B, np.int8))
                place = self.findings.index(row["category"])
                codes[place] = max(codes[place], int(row["value"]))
        none = np.full(len(self.findings), B, np.int8)
        self.queries = LabelTable(
            tuple(self.findings),
            np.stack([studies.get(key, none) for key in self.case["sampled_query_study_ids"]]),
        )
        rows = [one for top in self.case["top10"] for one in top]
        keys = dict.fromkeys((one["study_id"], one["target"]) for one in rows)
        place = {key: number for number, key in enumerate(keys)}
        text = self.case["bank_type"] == "text"
        codes = [sentences.get(key, none) if text else studies.get(key[0], none) for key in place]
        self.bank = LabelTable(tuple(self.findings), np.stack(codes))
        self.top = np.array(
            [[place[one["study_id"], one["target"]] for one in top] for top in self.case["top10"]]
        )


RUNS = ["metrics_text_bank", "metrics_image_bank", "metrics_3shards_k12"]


@pytest.fixture(params=RUNS)
def run(request, golden):
    return Run(golden, request.param)


@pytest.mark.shared
def test_query_labels_are_txtrayaligns(run):
    peer = value_table(run.case["query_label_vectors"], run.findings)
    assert (run.queries.codes == peer.codes).all()


@pytest.mark.shared
def test_every_number_is_txtrayaligns(run):
    for wanted in run.case["results"].values():
        metrics = wanted["metrics"]
        k = int(metrics["k"])
        found = retrieved_scores(run.queries, run.bank, run.top, k=k, flavour="txtrayalign")
        names = {
            "flat_hit": "Flat hit", "precision": "Precision", "recall": "Recall",
            "f1": "F1", "duplicates": "Duplicates",
        }  # fmt: skip
        for ours, theirs in names.items():
            assert found.values[f"{ours}@{k}[txtrayalign]"] == pytest.approx(metrics[theirs], abs=1e-12)
        assert found.hit.sum() == metrics["hits"]
        assert np.count_nonzero(~np.isnan(found.recall)) == metrics["test_instances"]
        assert found.skipped_no_query_label == wanted["skipped_no_query_label"]
        assert found.skipped_no_bank_label == wanted["skipped_no_bank_label"]


@pytest.mark.shared
def test_hit_classes_are_txtrayaligns(golden):
    run = Run(golden, "metrics_text_bank")
    found = retrieved_scores(run.queries, run.bank, run.top, k=1, flavour="txtrayalign")
    kept = np.flatnonzero(~np.isnan(found.recall))
    predictions = run.case["results"]["k=1"]["preds"]
    assert [bool(one["hit_classes"]) for one in predictions] == [found.hit[row] == 1 for row in kept]


@pytest.mark.shared
def test_similarities_are_txtrayaligns(run):
    key = {(one["study_id"], one["target"]): row for row, one in reversed(list(enumerate(run.case["bank"])))}
    query = {one["study_id"]: row for row, one in enumerate(run.case["query"])}
    pairs = [
        (query[asked], key[one["study_id"], one["target"]], one["sim"])
        for asked, top in zip(run.case["sampled_query_study_ids"], run.case["top10"], strict=True)
        for one in top
    ]
    queries, rows, wanted = zip(*pairs, strict=True)
    found = cosine(run.vectors["query"][list(queries)], run.vectors["bank"][list(rows)])
    assert found == pytest.approx(wanted, abs=1e-6)


@pytest.mark.shared
def test_what_pandas_2_makes_of_the_same_labels(golden):
    run = Run(golden, "metrics_text_bank")
    found = retrieved_scores(
        pandas2_labels(run.queries), pandas2_labels(run.bank), run.top, k=1, flavour="txtrayalign"
    )
    assert found.values["flat_hit@1[txtrayalign]"] == 0.925


def test_pandas_2_by_hand():
    table = _table([[-1, B, B], [-1, 1, B], [B, B, B]], ("a", "b", "c"))
    assert pandas2_labels(table).codes.tolist() == [[-1, 0, 0], [0, 1, 0], [B, B, B]]


def test_it_stops_at_ten_rows_whatever_k_says():
    rows = [[0, B]] * 10 + [[1, B]]
    assert _scores([1, B], rows, "txtrayalign", k=11).hit.tolist() == [0.0]
    assert _scores([1, B], rows, "corrected", k=11).hit.tolist() == [1.0]


# -- by hand -------------------------------------------------------------------------------------------


def test_a_label_said_twice_costs_precision_only_in_the_original():
    rows = [[1, B], [1, B]]
    assert _scores([1, B], rows, "txtrayalign").precision.tolist() == [0.5]
    assert _scores([1, B], rows, "corrected").precision.tolist() == [1.0]


def test_both_presences_of_one_finding_are_two_statements():
    scores = _scores([1, 0], [[1, B], [0, B]], "corrected")
    assert (scores.precision[0], scores.recall[0], scores.f1[0]) == (0.5, 0.5, 0.5)


def test_an_agreeing_negative_is_a_hit():
    for flavour in ("txtrayalign", "corrected"):
        assert _scores([0, B], [[0, B]], flavour).hit.tolist() == [1.0]


def test_rows_that_say_nothing_are_skipped_by_the_original_and_score_0_here():
    theirs, ours = (_scores([1, B], [[B, B], [B, B]], one) for one in ("txtrayalign", "corrected"))
    assert np.isnan(theirs.recall).all()
    assert theirs.skipped_no_bank_label == ours.skipped_no_bank_label == 1
    assert (ours.hit[0], ours.precision[0], ours.recall[0], ours.f1[0]) == (0, 0, 0, 0)


def test_a_query_that_says_nothing_counts_in_the_original_flat_hit_alone():
    queries, bank = _table([[1, B], [B, B]]), _table([[1, B]])
    top = np.array([[0], [0]])
    theirs = retrieved_scores(queries, bank, top, k=1, flavour="txtrayalign")
    assert theirs.values["flat_hit@1[txtrayalign]"] == 0.5
    assert theirs.values["recall@1[txtrayalign]"] == 1.0
    ours = retrieved_scores(queries, bank, top, k=1)
    assert ours.values["flat_hit@1"] == ours.values["recall@1"] == 1.0
    assert theirs.skipped_no_query_label == ours.skipped_no_query_label == 1


def test_f1_is_of_the_means_in_the_original_and_a_mean_here():
    queries, bank = _table([[1, 1], [1, B]]), _table([[1, B], [1, 0]])
    top = np.array([[0], [1]])  # precision 1 and 1/2, recall 1/2 and 1
    theirs = retrieved_scores(queries, bank, top, k=1, flavour="txtrayalign").values
    assert theirs["f1@1[txtrayalign]"] == pytest.approx(0.75)
    assert retrieved_scores(queries, bank, top, k=1).values["f1@1"] == pytest.approx(2 / 3)


def test_duplicates_repeat_labels_and_silence_is_none_here():
    rows = [[1, B], [B, B], [1, B], [B, B], [1, 0]]
    assert _scores([1, B], rows, "txtrayalign").duplicates.tolist() == [2.0]
    assert _scores([1, B], rows, "corrected").duplicates.tolist() == [1.0]


def test_a_row_that_was_not_found_says_nothing():
    queries, bank = _table([[1, B]]), _table([[1, B]])
    scores = retrieved_scores(queries, bank, np.array([[0, -1, -1]]), k=3)
    assert (scores.precision[0], scores.duplicates[0]) == (1.0, 0.0)


def test_the_banks_columns_are_found_by_name():
    queries = _table([[1, B]])
    bank = _table([[B, 1]], ("Fracture", "Edema"))
    assert retrieved_scores(queries, bank, np.array([[0]]), k=1).hit.tolist() == [1.0]


def test_a_resample_of_sums_is_the_score_of_the_resampled_queries():
    rng = np.random.default_rng(5)
    draw = lambda n: rng.choice([1, 0, -1, B], size=(n, 4), p=[0.2, 0.1, 0.1, 0.6])  # noqa: E731
    names = ("a", "b", "c", "d")
    queries, bank = _table(draw(40), names), _table(draw(30), names)
    top, drawn = rng.integers(0, 30, (40, 3)), rng.integers(0, 40, 40)
    for flavour in ("txtrayalign", "corrected"):
        whole = retrieved_scores(queries, bank, top, k=3, flavour=flavour)
        again = retrieved_scores(
            LabelTable(names, queries.codes[drawn]), bank, top[drawn], k=3, flavour=flavour
        )
        sums = whole.sums[drawn].sum(axis=0)[None]
        for key, statistic in whole.statistics.items():
            assert statistic(sums)[0] == pytest.approx(again.values[key], abs=1e-12)


def test_corrected_scores_by_brute_force():
    rng = np.random.default_rng(6)
    names = ("a", "b", "c", "d", "e")
    draw = lambda n: rng.choice([1, 0, -1, B], size=(n, 5), p=[0.2, 0.2, 0.1, 0.5])  # noqa: E731
    queries, bank = _table(draw(60), names), _table(draw(40), names)
    top = rng.integers(0, 40, (60, 4))
    found = retrieved_scores(queries, bank, top, k=4)
    for row in range(60):
        true = {(place, value) for place, value in enumerate(queries.codes[row]) if value != B}
        said = {
            (place, value) for one in top[row] for place, value in enumerate(bank.codes[one]) if value != B
        }
        if not true:
            assert np.isnan(found.f1[row])
            continue
        common = len(true & said)
        assert found.precision[row] == pytest.approx(common / len(said) if said else 0)
        assert found.recall[row] == pytest.approx(common / len(true))
        assert found.f1[row] == pytest.approx(2 * common / (len(true) + len(said)))


def test_study_labels_are_the_largest_of_their_sentences():
    sentences = _table([[-1, 0], [0, B], [1, -1]])
    found = study_labels(sentences, np.array([0, 0, 2]), 3)
    assert found.codes.tolist() == [[0, 0], [B, B], [1, -1]]


def test_a_row_outside_the_bank_is_refused():
    with pytest.raises(MismatchError, match="rows of a bank of 1"):
        retrieved_scores(_table([[1, B]]), _table([[1, B]]), np.array([[1]]), k=1)


def test_too_few_rows_are_refused():
    with pytest.raises(MismatchError, match="2 rows at least"):
        retrieved_scores(_table([[1, B]]), _table([[1, B]]), np.array([[0]]), k=2)


def test_another_flavour_is_refused():
    with pytest.raises(XemplarError, match="flavour 'fixed'"):
        _scores([1, B], [[1, B]], "fixed")
