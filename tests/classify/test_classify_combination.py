"""The combination: thresholds by brute force, folds of whole patients, and what it refuses to call."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from xemplar.classify import combination, fit_combination
from xemplar.errors import XemplarError
from xemplar.findings import FINDINGS
from xemplar.metrics.thresholds import absent_up_to, best_f1

EDEMA, FRACTURE = FINDINGS.index("Edema"), FINDINGS.index("Fracture")


def drawn(count=80, seed=0):
    """One column that tells Edema apart more or less, and who has it; nobody has anything else."""
    rng = np.random.default_rng(seed)
    present = np.zeros((count, len(FINDINGS)), bool)
    present[:, EDEMA] = rng.random(count) < 0.3
    told = rng.standard_normal((count, len(FINDINGS))) + 1.5 * present
    return {"told": told}, present, [f"p{number // 2}" for number in range(count)]


@pytest.fixture(scope="module")
def fitted():
    columns, present, groups = drawn()
    return columns, present, fit_combination(columns, present, groups)


@pytest.mark.parametrize("seed", range(5))
def test_present_from_the_best_f1_on(seed):
    rng = np.random.default_rng(seed)
    probability, present = rng.integers(1, 9, 60) / 10, rng.random(60) < 0.4
    scores = {at: f1_score(present, probability >= at) for at in np.arange(0.05, 1, 0.1)}
    found = f1_score(present, probability >= best_f1(probability, present))
    assert found == pytest.approx(max(scores.values()))


@pytest.mark.parametrize("seed", range(5))
def test_absent_up_to_where_few_have_it(seed):
    rng = np.random.default_rng(seed)
    probability = rng.random(80).round(1)
    present = rng.random(80) < probability**2
    fine = [
        at for at in sorted(set(probability))
        if present[probability <= at].mean() <= combination.ABSENT_WRONG
    ]  # fmt: skip
    assert absent_up_to(probability, present, share=combination.ABSENT_WRONG) == max(fine, default=0.0)


def test_absent_is_never_likelier_than_the_share_nor_reaches_present(fitted):
    one = fitted[2].findings["Edema"]
    assert one.absent_up_to < one.present_at
    assert one.absent_up_to <= fitted[1][:, EDEMA].mean()


def test_no_patient_is_learnt_from_and_judged(monkeypatch):
    columns, present, groups = drawn()
    cases = combination._Cases(columns, [EDEMA], present=present, groups=groups)
    judged = []
    for learn, held in cases.folds:
        assert not {groups[row] for row in learn} & {groups[row] for row in held}
        judged += held.tolist()
    assert sorted(judged) == list(range(len(present)))


def test_thresholds_are_of_probabilities_by_fits_that_hadnt_seen_the_patient():
    """A column that is noise but for the patient's own number: what is known of others tells nothing."""
    columns, present, groups = drawn(count=120)
    cases = combination._Cases(columns, [EDEMA], present=present, groups=groups)
    held, seen = cases._held_out(1.0)[:, 0], cases._learnt(np.arange(120), 1.0)
    own = 1 / (1 + np.exp(-((cases.values * seen[0]).sum(axis=2) + seen[1])[:, 0]))
    assert np.abs(held - own).max() > 1e-3
    assert cases.fitted(1.0)["Edema"].present_at == best_f1(held, present[:, EDEMA])


def test_what_is_likelier_gets_more(fitted):
    columns, _, made = fitted
    order = np.argsort(columns["told"][:, EDEMA])
    assert (np.diff(made.probabilities(columns)[order, EDEMA]) >= 0).all()


def test_no_probability_is_surer_than_the_studies_allow(fitted):
    made = fitted[2]
    extreme = {"told": np.full((2, len(FINDINGS)), [[1e6], [-1e6]])}
    assert made.probabilities(extreme)[:, EDEMA] == pytest.approx([81 / 82, 1 / 82])


def test_a_finding_nobody_has_is_not_called_and_says_so(fitted):
    columns, _, made = fitted
    assert np.isnan(made.probabilities(columns)[:, FRACTURE]).all()
    assert made.call("Fracture", np.nan) == (None, "not called: no validation studies have it, 8 wanted")


@pytest.mark.parametrize(
    ("having", "said"),
    [
        (1, "1 validation study has it"),
        (7, "7 validation studies have it"),
        (73, "7 validation studies have no sign of it"),
    ],
)
def test_too_few_are_not_called(having, said):
    columns, present, groups = drawn()
    present[:having, FRACTURE] = True
    assert (
        fit_combination(columns, present, groups).call("Fracture", 0.5)[1] == f"not called: {said}, 8 wanted"
    )


def test_eight_are_enough():
    columns, present, groups = drawn()
    present[:8, FRACTURE] = True
    assert "Fracture" in fit_combination(columns, present, groups).findings


def test_between_both_thresholds_it_is_undecided(fitted):
    made = fitted[2]
    one = made.findings["Edema"]
    assert made.call("Edema", one.present_at) == ("present", "")
    assert made.call("Edema", one.absent_up_to) == ("absent", "")
    assert made.call("Edema", (one.present_at + one.absent_up_to) / 2)[0] == "undecided"


def test_a_column_that_cant_tell_a_finding_is_not_asked_for_it():
    columns, present, groups = drawn()
    present[::4, FRACTURE] = True
    columns["blind"] = np.where(np.arange(len(FINDINGS)) == FRACTURE, np.nan, columns["told"])
    made = fit_combination(columns, present, groups)
    assert made.findings["Fracture"].columns == ["told"]
    assert made.findings["Edema"].columns == ["told", "blind"]
    assert np.isfinite(made.probabilities(columns)[:, [EDEMA, FRACTURE]]).all()


def test_a_column_that_is_missing_is_refused(fitted):
    with pytest.raises(XemplarError, match="no column 'told'"):
        fitted[2].probabilities({"other": fitted[0]["told"]})


def test_a_column_that_never_varies_is_harmless():
    columns, present, groups = drawn()
    made = fit_combination({**columns, "flat": np.ones_like(columns["told"])}, present, groups)
    assert np.isfinite(made.probabilities({**columns, "flat": np.ones_like(columns["told"])})[:, EDEMA]).all()


def test_nothing_to_fit_is_said():
    columns, present, groups = drawn()
    with pytest.raises(XemplarError, match=r"none of 13 findings .* among 80 validation studies"):
        fit_combination(columns, np.zeros_like(present), groups)


def test_one_patient_alone_is_no_folds():
    columns, present, _ = drawn()
    made = fit_combination(columns, present, ["p"] * len(present))
    assert made.findings["Edema"].present_at < present[:, EDEMA].mean()
