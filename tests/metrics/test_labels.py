"""Multi-label scores against scikit-learn, by hand, and against CXR-RePaiR's own numbers."""

import json
import warnings

import numpy as np
import pytest
from sklearn import metrics as sklearn

from xemplar.errors import MismatchError, XemplarError
from xemplar.metrics.labels import (
    ABSENT,
    NOT_MENTIONED,
    PRESENT,
    SUBSETS,
    UNCERTAIN,
    LabelTable,
    Question,
    cell_accuracy,
    confusion,
    count_presences,
    exact_studies,
    finding_scores,
    kappa,
    label_scores,
    only,
    per_study,
    presence_table,
    value_table,
)
from xemplar.records import OBSERVATIONS

PEERS = {
    "f1": sklearn.f1_score,
    "precision": sklearn.precision_score,
    "recall": sklearn.recall_score,
}
QUESTIONS = [
    Question(about, policy)
    for about in ("present", "absent")
    for policy in ("present", "absent", "own", "left_out")
] + [Question("uncertain"), Question("mentioned")]
POSITIVE = {
    "present": {"present": {1, -1}, "absent": {1}, "own": {1}, "left_out": {1}},
    "absent": {"present": {0}, "absent": {0, -1}, "own": {0}, "left_out": {0}},
    "uncertain": {None: {-1}},
    "mentioned": {None: {1, 0, -1}},
}


def _drawn(seed, studies=150):
    rng = np.random.default_rng(seed)
    codes = rng.choice([1, 0, -1, -2], p=[0.25, 0.2, 0.1, 0.45], size=(studies, 14)).astype(np.int8)
    codes[:, 11] = NOT_MENTIONED  # a finding nobody names
    codes[:9] = NOT_MENTIONED  # studies that say nothing
    return codes


@pytest.fixture(scope="module")
def tables():
    return LabelTable(OBSERVATIONS, _drawn(1)), LabelTable(OBSERVATIONS, _drawn(2))


def _asked(table, question):
    return np.isin(table.codes, list(POSITIVE[question.about][question.uncertain]))


def _by_key(scores):
    return {score.key: score for score in scores}


@pytest.mark.parametrize("subset", ["14", "13", "5"])
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.about + one.suffix)
def test_every_score_agrees_with_scikit_learn(tables, question, subset):
    predicted, truth = (table.of(SUBSETS[subset]) for table in tables)
    said, true = _asked(predicted, question), _asked(truth, question)
    if question.uncertain == "left_out":
        said, true = said & (truth.codes != UNCERTAIN), true & (truth.codes != UNCERTAIN)
    counts = count_presences(tables[0], tables[1], question)
    scores = _by_key(label_scores(counts, question, subset=subset, undefined="zero"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for measure, peer in PEERS.items():
            for average in ("micro", "macro", "weighted", "samples"):
                mark = "[undefined=0]" if average in ("macro", "samples") else ""
                key = f"{measure}_{question.about}_{average}_{subset}{question.suffix}{mark}"
                assert scores[key].value == pytest.approx(peer(true, said, average=average), abs=1e-12)


def test_a_key_names_measure_average_subset_and_policy(tables):
    question = Question("present", "present")
    keys = _by_key(label_scores(count_presences(*tables, question), question, subset="5"))
    assert len(keys) == 12
    assert "f1_present_micro_5[uncertain=present]" in keys


def test_subsets_by_name():
    assert [len(SUBSETS[name]) for name in ("14", "13", "5")] == [14, 13, 5]
    assert set(SUBSETS["14"]) - set(SUBSETS["13"]) == {"No Finding"}
    assert set(SUBSETS["5"]) < set(SUBSETS["13"])


def test_no_policy_stands_in_a_key_where_none_applies(tables):
    question = Question("mentioned")
    keys = _by_key(label_scores(count_presences(*tables, question), question))
    assert "recall_mentioned_samples_14" in keys


def test_what_is_on_neither_side_is_left_out_and_counted(tables):
    question = Question("present", "own")
    counts = count_presences(*tables, question)
    scores = _by_key(label_scores(counts, question))
    said, true = (_asked(table, question) for table in tables)
    named = (said | true).any(axis=0)
    each = sklearn.f1_score(true[:, named], said[:, named], average=None)
    macro = scores["f1_present_macro_14[uncertain=own]"]
    assert (macro.value, macro.undefined) == (pytest.approx(each.mean(), abs=1e-12), 1)
    samples = scores["f1_present_samples_14[uncertain=own]"]
    spoken = (said | true).any(axis=1)
    per_row = [sklearn.f1_score(true[row], said[row]) for row in np.flatnonzero(spoken)]
    assert (samples.value, samples.undefined) == (
        pytest.approx(np.mean(per_row), abs=1e-12),
        np.count_nonzero(~spoken),
    )


def test_nothing_at_all_has_no_score():
    silent = LabelTable(OBSERVATIONS, np.full((3, 14), NOT_MENTIONED, np.int8))
    question = Question("present", "absent")
    for score in label_scores(count_presences(silent, silent, question), question):
        assert np.isnan(score.value)
        assert score.undefined > 0


def test_a_resample_of_sums_is_the_score_of_the_resampled_studies(tables):
    question = Question("present", "present")
    counts = count_presences(*tables, question)
    drawn = np.random.default_rng(3).integers(0, 150, 150)
    weights = np.bincount(drawn, minlength=150)
    again = [LabelTable(OBSERVATIONS, table.codes[drawn]) for table in tables]
    direct = _by_key(label_scores(count_presences(*again, question), question))
    for key, score in _by_key(label_scores(counts, question)).items():
        resampled = score.statistic(np.tensordot(weights, score.sums, axes=1)[None])
        assert resampled[0] == pytest.approx(direct[key].value, abs=1e-12)


def test_another_order_of_columns_is_put_right(tables):
    predicted, truth = tables
    order = np.random.default_rng(4).permutation(14)
    shuffled = LabelTable(tuple(OBSERVATIONS[place] for place in order), predicted.codes[:, order])
    for question in QUESTIONS:
        assert (
            count_presences(shuffled, truth, question).counts
            == count_presences(predicted, truth, question).counts
        ).all()
    assert (confusion(shuffled, truth) == confusion(predicted, truth)).all()
    assert (exact_studies(shuffled, predicted)).all()


def test_a_missing_column_is_named(tables):
    predicted, truth = tables
    with pytest.raises(MismatchError, match="no column No Finding"):
        count_presences(predicted.of(OBSERVATIONS[1:]), truth, Question("mentioned"))


def test_a_subset_that_was_not_counted_is_named(tables):
    question = Question("mentioned")
    counts = count_presences(tables[0], tables[1].of(OBSERVATIONS[1:]), question)
    with pytest.raises(MismatchError, match="no column No Finding"):
        label_scores(counts, question, subset="14")


def test_another_number_of_studies_is_refused(tables):
    fewer = LabelTable(OBSERVATIONS, tables[0].codes[:-1])
    with pytest.raises(MismatchError, match="149 predicted studies for 150 true ones"):
        count_presences(fewer, tables[1], Question("mentioned"))


@pytest.mark.parametrize("about", ["present", "absent"])
def test_a_policy_has_to_be_chosen(about):
    with pytest.raises(XemplarError, match="wanted a policy"):
        Question(about)


@pytest.mark.parametrize("about", ["uncertain", "mentioned"])
def test_a_policy_that_does_not_apply_is_refused(about):
    with pytest.raises(XemplarError, match="none applies"):
        Question(about, "present")


def test_an_unsure_prediction_does_not_take_itself_out_of_the_score():
    truth = LabelTable(("Edema",), np.array([[PRESENT], [UNCERTAIN]], np.int8))
    unsure = LabelTable(("Edema",), np.array([[UNCERTAIN], [PRESENT]], np.int8))
    counts = count_presences(unsure, truth, Question("present", "left_out"))
    assert counts.counts.tolist() == [[[0, 0, 1]], [[0, 0, 0]]]


def test_findings_score_one_by_one(tables):
    question = Question("absent", "own")
    counts = count_presences(*tables, question)
    scores = _by_key(finding_scores(counts, question))
    said, true = (_asked(table, question)[:, 5] for table in tables)
    assert scores["f1_absent_edema[uncertain=own]"].value == pytest.approx(sklearn.f1_score(true, said))
    assert scores["f1_absent_pleural_other[uncertain=own]"].undefined == 1
    assert np.isnan(scores["f1_absent_pleural_other[uncertain=own]"].value)


def test_a_study_by_itself_by_hand():
    truth = LabelTable(("a", "b", "c"), np.array([[1, 1, -2], [-2, -2, -2]], np.int8))
    said = LabelTable(("a", "b", "c"), np.array([[1, 0, 1], [-2, -2, -2]], np.int8))
    counts = count_presences(said, truth, Question("present", "own"))
    assert per_study(counts, "f1").tolist() == pytest.approx([0.5, np.nan], nan_ok=True)


def test_only_keeps_the_order_asked_for(tables):
    counts = count_presences(*tables, Question("mentioned"))
    kept = only(counts, ("Edema", "No Finding"))
    assert kept.findings == ("Edema", "No Finding")
    assert (kept.counts == counts.counts[:, [5, 0]]).all()


def test_cells_and_kappa_agree_with_scikit_learn(tables):
    predicted, truth = tables
    totals = confusion(predicted, truth).sum(axis=0)
    assert cell_accuracy(totals) == pytest.approx((predicted.codes == truth.codes).mean(), abs=1e-12)
    found = kappa(totals)
    assert np.isnan(found[11])
    for place in set(range(14)) - {11}:
        peer = sklearn.cohen_kappa_score(predicted.codes[:, place], truth.codes[:, place])
        assert found[place] == pytest.approx(peer, abs=1e-12)


def test_the_confusion_has_the_truth_in_rows():
    truth, said = (LabelTable(("a",), np.array([[code]], np.int8)) for code in (ABSENT, NOT_MENTIONED))
    assert np.argwhere(confusion(said, truth)[0, 0]).tolist() == [[1, 3]]


def test_presences_and_values_make_the_same_table():
    rows = [{"Edema": "present", "Fracture": "uncertain"}, {}, {"Fracture": "absent"}]
    values = [[1, -1], [None, float("nan")], [None, 0.0]]
    one, other = presence_table(rows, ("Edema", "Fracture")), value_table(values, ("Edema", "Fracture"))
    assert one.codes.tolist() == other.codes.tolist() == [[1, -1], [-2, -2], [-2, 0]]


def test_an_unknown_finding_is_named_unless_others_may_be_there():
    rows = [{"Scoliosis": "present"}]
    with pytest.raises(XemplarError, match="row 0: finding 'Scoliosis'"):
        presence_table(rows)
    assert (presence_table(rows, ignore_others=True).codes == NOT_MENTIONED).all()


@pytest.mark.parametrize("values", [[["1"], ["one"]], [[1, 0], [1]], [[{}]]])
def test_what_is_no_table_of_numbers_is_one_error(values):
    with pytest.raises(XemplarError, match="no table of numbers"):
        value_table(values, ("Edema",))


def test_no_rows_are_an_empty_table():
    assert value_table([], ("Edema", "Fracture")).codes.shape == (0, 2)


def test_another_number_of_columns_is_refused():
    with pytest.raises(XemplarError, match=r"shape \(1, 2\)"):
        value_table([[1, 0]], ("Edema",))


def test_a_misspelt_choice_is_refused(tables):
    question = Question("mentioned")
    counts = count_presences(*tables, question)
    with pytest.raises(XemplarError, match="undefined='zeros'"):
        label_scores(counts, question, undefined="zeros")
    with pytest.raises(XemplarError, match="subset '15'; wanted 14, 13, 5, all"):
        label_scores(counts, question, subset="15")
    with pytest.raises(XemplarError, match="measure 'F1'"):
        per_study(counts, "F1")


@pytest.mark.parametrize("value", [2, -3, 0.5, float("inf")])
def test_another_value_is_refused(value):
    with pytest.raises(XemplarError, match="wanted 1, 0, -1 or blank"):
        value_table([[value]], ("Edema",))


def test_another_presence_is_refused():
    with pytest.raises(XemplarError, match="presence 'maybe'"):
        presence_table([{"Edema": "maybe"}])


def test_a_code_out_of_range_is_refused_and_located():
    with pytest.raises(XemplarError, match=r"row 0, Fracture: label 5"):
        LabelTable(("Edema", "Fracture"), np.array([[1, 5]], np.int8))


def test_a_finding_twice_is_refused():
    with pytest.raises(XemplarError, match="named twice"):
        LabelTable(("Edema", "Edema"), np.zeros((1, 2), np.int8))


def test_an_empty_table_has_no_score():
    empty = presence_table([])
    question = Question("mentioned")
    assert all(np.isnan(one.value) for one in label_scores(count_presences(empty, empty, question), question))


@pytest.mark.shared
def test_the_observations_stand_in_chexperts_order(golden):
    header = (golden / "labeler" / "labeled_reports.csv").read_text().splitlines()[0].split(",")
    assert tuple(header[-14:]) == OBSERVATIONS


@pytest.mark.shared
def test_cxr_repair_macro_f1_is_reproduced(golden):
    case = json.loads((golden / "cxr_repair" / "f1_bootstrap.json").read_text())
    truth, predicted = (value_table(case[name], case["label_order"]) for name in ("gt", "pred"))
    question = Question("present", "absent")
    scores = label_scores(count_presences(predicted, truth, question), question, undefined="zero")
    macro = _by_key(scores)["f1_present_macro_14[uncertain=absent][undefined=0]"]
    found = [macro.statistic(macro.sums[rows].sum(axis=0)[None])[0] for rows in case["bootstrap_indices"]]
    assert found == pytest.approx(case["f1_macro_per_bootstrap"], abs=1e-12)
    micro = _by_key(scores)["f1_present_micro_14[uncertain=absent]"]
    printed = [float(line.split(":")[1]) for line in case["full_set_printout"].splitlines()]
    assert [macro.value, micro.value] == pytest.approx(printed, abs=1e-12)
