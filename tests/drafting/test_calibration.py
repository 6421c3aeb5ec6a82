"""Probabilities are scikit-learn's, thresholds are brute force's, and a fit is opened where it belongs."""

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score

from xemplar.drafting.calibration import (
    DENIED_WRONG,
    WANTED,
    Calibration,
    FindingFit,
    fit,
    open_calibration,
    save_calibration,
)
from xemplar.drafting.drift import seen_of
from xemplar.drafting.promise import Asked, Promise
from xemplar.drafting.truth import truth_of
from xemplar.drafting.weighing import weigh
from xemplar.errors import MismatchError, XemplarError
from xemplar.findings import FINDINGS
from xemplar.metrics.thresholds import absent_up_to, best_f1
from xemplar.parts import FittedTo
from xemplar.records import Claim, Study

INDEX = FittedTo(fingerprint="abc", generation=4, corpus="c", model="m", reports=100)
EDEMA, EFFUSION = FINDINGS.index("Edema"), FINDINGS.index("Pleural Effusion")


def nothing(place):
    """No part beside the calibration."""


def study(number, present=(), absent=()):
    labels = {**dict.fromkeys(present, "present"), **dict.fromkeys(absent, "absent")}
    return Study(f"s{number}", f"p{number}", "synthetic", labels=labels or {"No Such": "absent"})


def drawn(count=60, seed=0, noise=1.0):
    """Features that tell Edema apart, more or less, and studies of which a third has it."""
    rng = np.random.default_rng(seed)
    present = rng.random(count) < 0.35
    features = rng.standard_normal((count, len(FINDINGS), 3)).astype(np.float32) * noise
    features[:, EDEMA] += 1.5 * present[:, None]
    return features, [study(n, ["Edema"] if has else []) for n, has in enumerate(present)], present


@pytest.fixture(scope="module")
def fitted():
    features, studies, present = drawn()
    return (
        features,
        present,
        fit(
            features,
            [truth_of(one) for one in studies],
            index=INDEX,
            title="synthetic, 60 patients, 60 studies",
        ),
    )


def test_probabilities_are_those_of_the_weights(fitted):
    features, present, made = fitted
    found = weigh(features[:, [EDEMA]], present[:, None])
    scaled = (features[:, EDEMA] - found.mean[0]) / found.scale
    wanted = 1 / (1 + np.exp(-(scaled @ found.weights[0] + found.intercepts[0])))
    np.testing.assert_allclose(made.probabilities(features)["Edema"], wanted, atol=1e-6)


def test_a_feature_that_never_varies_is_harmless():
    features, studies, _ = drawn()
    features[:, EDEMA, 1] = 0.25
    made = fit(features, [truth_of(one) for one in studies], index=INDEX, title="")
    assert np.isfinite(made.probabilities(features)["Edema"]).all()


@pytest.mark.parametrize("seed", range(6))
def test_it_states_from_the_threshold_with_the_best_f1(seed):
    features, studies, present = drawn(seed=seed, noise=2.0)
    made = fit(features, [truth_of(one) for one in studies], index=INDEX, title="")
    p = made.probabilities(features)["Edema"]
    best = max(f1_score(present, p >= value) for value in p)
    assert f1_score(present, p >= made.findings["Edema"].state_at) == pytest.approx(best)


@pytest.mark.parametrize("seed", range(6))
def test_one_threshold_serves_every_finding_and_has_the_best_pooled_f1(seed):
    features, _, edema = drawn(count=120, seed=seed, noise=1.5)
    effusion = np.random.default_rng(seed).random(120) < 0.25
    features[:, EFFUSION] += 0.4 * effusion[:, None]
    having = zip(edema.tolist(), effusion.tolist(), strict=True)
    names = [["Edema"] * one + ["Pleural Effusion"] * other for one, other in having]
    studies = [study(n, found) for n, found in enumerate(names)]
    made = fit(features, [truth_of(one) for one in studies], index=INDEX, title="")
    assert set(made.findings) == {"Edema", "Pleural Effusion"}
    (state_at,) = {one.state_at for one in made.findings.values()}
    p = np.concatenate([made.probabilities(features)[name] for name in ("Edema", "Pleural Effusion")])
    present = np.concatenate([edema, effusion])
    best = max(f1_score(present, p >= value) for value in p)
    assert f1_score(present, p >= state_at) == pytest.approx(best)


def test_equal_probabilities_are_stated_together_or_not_at_all():
    p = np.array([0.9, 0.5, 0.5, 0.5, 0.1])
    present = np.array([True, True, False, False, False])
    assert best_f1(p, present) == pytest.approx(0.7)


@pytest.mark.parametrize("seed", range(6))
def test_at_most_the_settled_share_of_the_denied_is_present(seed):
    features, studies, present = drawn(count=200, seed=seed, noise=1.5)
    made = fit(features, [truth_of(one) for one in studies], index=INDEX, title="").findings["Edema"]
    p = fit(features, [truth_of(one) for one in studies], index=INDEX, title="").probabilities(features)[
        "Edema"
    ]
    denied = p <= made.deny_at
    assert denied.any() and present[denied].mean() <= DENIED_WRONG


@pytest.mark.parametrize("seed", range(6))
def test_no_higher_threshold_would_deny_as_safely(seed):
    rng = np.random.default_rng(seed)
    p, present = np.round(rng.random(80), 2), rng.random(80) < 0.2
    found = absent_up_to(p, present, share=DENIED_WRONG)
    safe = [value for value in p if present[p <= value].mean() <= DENIED_WRONG]
    assert found == max(safe, default=0.0)


def test_nothing_is_denied_where_the_least_likely_is_present():
    assert absent_up_to(np.array([0.1, 0.2]), np.array([True, False]), share=DENIED_WRONG) == 0.0


def test_what_is_denied_is_never_stated(fitted):
    one = fitted[2].findings["Edema"]
    assert one.deny_at < one.state_at


FIT = FindingFit(mean=[0.0], scale=[1.0], weights=[1.0], intercept=0.0, state_at=0.6, deny_at=0.1, present=9)


def by_hand(**changes):
    values = {
        "index": INDEX, "studies": 20, "title": "t",
        "findings": {"Edema": FIT},
        "too_few": {"Fracture": 0, "Pneumonia": 1, "Atelectasis": 3, "Cardiomegaly": 18},
    }  # fmt: skip
    return Calibration.model_validate({**values, **changes})


@pytest.mark.parametrize(
    ("probability", "decision"),
    [(1.0, "state"), (0.6, "state"), (0.59, None), (0.11, None), (0.1, "deny"), (0.0, "deny")],
)
def test_a_decision_by_the_thresholds(probability, decision):
    limits = by_hand().limits
    assert limits.may_state(probability) is (decision == "state")
    assert limits.may_deny("Edema", probability) is (decision == "deny")
    assert (by_hand().undecided("Edema", probability) is None) is (decision is not None)


def test_a_finding_without_a_threshold_is_never_denied():
    assert not by_hand().limits.may_deny("Fracture", 0.0)


def test_an_undecided_one_says_how_undecided():
    assert by_hand().undecided("Edema", 0.55) == "evidence split 55 : 45, stated from 60% on"


def kept(**limits):
    return Promise(asked=Asked(), patients=80, studies=90, **limits)


def test_what_is_promised_takes_the_thresholds_place():
    limits = by_hand(promise=kept(state_at=0.7, deny_at=0.05)).limits
    assert (limits.state_at, limits.deny_at) == (0.7, 0.05)


def test_where_nothing_can_be_promised_there_are_no_limits():
    assert by_hand(promise=kept(why="too few")).limits is None


def test_a_promise_is_kept_in_the_folder(tmp_path):
    seen = seen_of({"lines": [1, 2, 3]})
    made = by_hand(promise=kept(state_at=0.7, deny_at=0.05), nearest=0.4, seen=seen)
    save_calibration(tmp_path / "c", made, parts=nothing)
    assert open_calibration(tmp_path / "c", index=INDEX) == made


def test_without_a_promise_none_is_written_down(tmp_path):
    save_calibration(tmp_path / "c", by_hand(), parts=nothing)
    told = json.loads((tmp_path / "c" / "calibration.json").read_text())
    assert not {"promise", "details", "nearest", "seen"} & told.keys()


@pytest.mark.parametrize(
    ("finding", "reason"),
    [
        ("Fracture", "no calibration study has it, 8 wanted"),
        ("Pneumonia", "only 1 calibration study has it, 8 wanted"),
        ("Atelectasis", "only 3 calibration studies have it, 8 wanted"),
        ("Cardiomegaly", "only 2 calibration studies have no sign of it, 8 wanted"),
    ],
)
def test_a_finding_of_too_few_studies_is_never_drafted_and_says_why(finding, reason):
    assert WANTED == 8
    assert by_hand().outside[finding] == f"outside what the archive shows: {reason}"


@pytest.mark.parametrize(("having", "left_out"), [(7, True), (8, False), (12, False), (13, True)])
def test_enough_studies_with_it_and_without_it(having, left_out):
    studies = [study(n, ["Edema"] if n < having else [], ["Fracture"]) for n in range(20)]
    studies = [
        Study(s.study_id, s.patient_id, "synthetic", labels={**s.labels, "Cardiomegaly": presence})
        for n, s in enumerate(studies)
        for presence in ["present" if n % 2 else "absent"]
    ]
    features = np.random.default_rng(0).standard_normal((20, len(FINDINGS), 3)).astype(np.float32)
    made = fit(features, [truth_of(one) for one in studies], index=INDEX, title="")
    assert ("Edema" in made.too_few) == left_out
    assert "Cardiomegaly" in made.findings
    assert made.findings.keys() | made.too_few.keys() == set(FINDINGS)
    assert not made.findings.keys() & made.too_few.keys()


@pytest.mark.parametrize(("having", "behind"), [(8, 8), (29, 29), (30, None), (70, None), (71, 29), (92, 8)])
def test_a_finding_that_few_studies_have_or_lack_is_thin(having, behind):
    studies = [study(n, ["Edema"] if n < having else []) for n in range(100)]
    features = np.random.default_rng(0).standard_normal((100, len(FINDINGS), 3)).astype(np.float32)
    made = fit(features, [truth_of(one) for one in studies], index=INDEX, title="")
    assert made.thin == ({} if behind is None else {"Edema": behind})


NONE_FITS = (
    "none of 13 findings is both present and absent often enough among {} validation studies; "
    "wanted at least 8 with a finding and 8 without it; ingest more, or search without drafting: where a "
    "tenth is held for validation, a finding that one study in ten has needs some 800 studies in the archive"
)


def test_no_finding_at_all_is_an_error():
    features = np.zeros((5, len(FINDINGS), 3), np.float32)
    with pytest.raises(XemplarError, match=NONE_FITS.format(5)):
        fit(features, [truth_of(study(n)) for n in range(5)], index=INDEX, title="")


def test_labels_are_the_truth_before_the_report():
    claims = (Claim("Edema", "absent"),)
    one = Study("s", "p", "synthetic", claims=claims, labels={"Edema": "present"})
    assert truth_of(one) == {"Edema": "present"}


def test_without_labels_the_report_is_the_truth():
    claims = (Claim("Edema", "absent"), Claim("Edema", "present"), Claim("Fracture", "uncertain"))
    assert truth_of(Study("s", "p", "clinical", claims=claims)) == {
        "Edema": "present", "Fracture": "uncertain",
    }  # fmt: skip


def test_uncertain_is_not_present():
    studies = [
        Study(f"s{n}", None, "clinical", labels={"Edema": "uncertain" if n < 10 else "absent"})
        for n in range(20)
    ]
    with pytest.raises(XemplarError, match=NONE_FITS.format(20)):
        fit(
            np.zeros((20, len(FINDINGS), 3), np.float32),
            [truth_of(one) for one in studies],
            index=INDEX,
            title="",
        )


def test_a_saved_fit_decides_alike(fitted, tmp_path):
    features, _, made = fitted
    save_calibration(tmp_path / "c", made, parts=nothing)
    again = open_calibration(tmp_path / "c", index=INDEX)
    assert again == made and again.fingerprint == made.fingerprint
    assert np.array_equal(again.probabilities(features)["Edema"], made.probabilities(features)["Edema"])


def test_a_new_fit_takes_the_old_ones_place(tmp_path):
    for title in ("one", "two"):
        save_calibration(tmp_path / "c", by_hand(title=title), parts=nothing)
    assert open_calibration(tmp_path / "c", index=INDEX).title == "two"


def test_another_index_is_refused_naming_both(tmp_path):
    save_calibration(tmp_path / "c", by_hand(), parts=nothing)
    other = INDEX.model_copy(update={"fingerprint": "def", "model": "other"})
    named = r"corpus c and model m \(index abc\); wanted corpus c and model other \(index def\)"
    with pytest.raises(MismatchError, match=named):
        open_calibration(tmp_path / "c", index=other)


@pytest.mark.parametrize(("reports", "refused"), [(51, False), (150, False), (151, True), (49, True)])
def test_an_index_of_more_parts_is_served_until_it_has_drifted(tmp_path, reports, refused):
    save_calibration(tmp_path / "c", by_hand(), parts=nothing)
    other = INDEX.model_copy(update={"fingerprint": "def", "reports": reports})
    if refused:
        with pytest.raises(MismatchError, match=f"fitted with 100 reports, 51% away; .*of {reports} reports"):
            open_calibration(tmp_path / "c", index=other)
    else:
        assert open_calibration(tmp_path / "c", index=other) == by_hand()


def test_another_policy_is_refused_naming_both(tmp_path):
    save_calibration(tmp_path / "c", by_hand(policy="longest sentence"), parts=nothing)
    with pytest.raises(
        MismatchError, match=r"policy 'longest sentence'; wanted 'spans that cover what is believed, v4'"
    ):
        open_calibration(tmp_path / "c", index=INDEX)


def test_another_version_is_refused_naming_both(tmp_path):
    save_calibration(tmp_path / "c", by_hand(), parts=nothing)
    path = tmp_path / "c" / "calibration.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 7}))
    with pytest.raises(MismatchError, match="calibration of version 7; wanted version 1"):
        open_calibration(tmp_path / "c", index=INDEX)


def test_a_folder_that_is_no_calibration_says_what_makes_one(tmp_path):
    with pytest.raises(XemplarError, match="`xemplar calibrate` makes one"):
        open_calibration(tmp_path, index=INDEX)


def test_a_changed_copy_has_a_fingerprint_and_details_of_its_own():
    features = np.random.default_rng(0).standard_normal((40, len(FINDINGS), 3)).astype(np.float32)
    truths = [{"Edema": "present"} if n % 2 else {"Edema": "absent"} for n in range(40)]
    made = fit(features, truths, index=INDEX, title="t")
    first = made.fingerprint
    changed = made.model_copy(update={"title": "another"})
    assert changed.fingerprint != first == made.fingerprint
    assert changed == made.model_copy(update={"title": "another"})
