"""Suspicions by hand-made beliefs, and limits on hand-made clean reports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xemplar.check import (
    FIT,
    Clean,
    Suspicion,
    fit_limits,
    fit_of,
    open_limits,
    read_report,
    save_limits,
    suspicions,
)
from xemplar.check.limits import chosen
from xemplar.check.swaps import Swap
from xemplar.drafting.beliefs import Belief
from xemplar.errors import MismatchError
from xemplar.parts import FittedTo

INDEX = FittedTo(fingerprint="i", generation=1, corpus="c", model="m", reports=100)
EFFUSION = "Pleural Effusion"


def suspected(text: str, belief: Belief, finding: str = EFFUSION) -> dict[str, float]:
    found = suspicions(read_report(f"FINDINGS: {text}"), {finding: belief})
    return {one.kind: round(one.probability, 6) for one in found}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Pleural effusion.", {"stated, not seen": 0.2}),
        ("No pleural effusion.", {"denied, but seen": 0.8}),
        ("Heart size is normal.", {"seen, not said": 0.8}),
        ("Possible pleural effusion.", {}),
        ("Left pleural effusion.", {"stated, not seen": 0.2}),
        ("No left pleural effusion.", {"denied, but seen": 0.08}),
        ("No large pleural effusion.", {}),
    ],
)
def test_a_claim_is_suspected_by_what_is_believed(text: str, expected: dict[str, float]) -> None:
    belief = Belief(0.8, {"side": {"left": 0.1, "right": 0.95, "bilateral": 0.05}})
    assert suspected(text, belief) == expected


def test_what_is_told_by_another_name_is_not_unsaid() -> None:
    assert suspected("Left lower lobe pneumonia.", Belief(0.9), "Consolidation") == {}


def test_a_report_of_the_opposite_fits_a_film_worse() -> None:
    believed, usual = {EFFUSION: Belief(0.9)}, {EFFUSION: 0.3}
    right, wrong = (
        fit_of(read_report(f"FINDINGS: {text}"), believed, usual=usual, nearer=0.5)
        for text in ("Pleural effusion.", "No pleural effusion.")
    )
    assert len(right) == len(FIT)
    assert sum(right) == pytest.approx(np.log(0.3 / 0.9))
    assert sum(wrong) == pytest.approx(np.log(0.7 / 0.1))


def clean(count: int, words: int = 0) -> list[Clean]:
    rng = np.random.default_rng(3)
    return [
        Clean(
            [Suspicion("seen, not said", EFFUSION, float(rng.random()))],
            [],
            number < words,
            list(rng.normal(-1, 1, len(FIT))),
            [list(rng.normal(1, 1, len(FIT))) for _ in range(2)],
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("words", [0, 8])
def test_no_more_clean_reports_alarm_than_the_budget_allows(words: int) -> None:
    given = clean(200, words)
    limits = fit_limits(given, {EFFUSION: 0.5}, INDEX, budget=0.1)
    alarmed = [
        one.by_words
        or limits.tells("another film", limits.another(one.own))
        or any(limits.tells(each.kind, each.probability) for each in one.suspected)
        for one in given
    ]
    assert 0.05 < np.mean(alarmed) <= 0.1
    assert limits.alarmed <= 0.1


@pytest.mark.parametrize("count", [30, 80, 200])
@pytest.mark.parametrize("words", [0.0, 0.04])
def test_of_new_clean_reports_no_more_alarm_on_average(count: int, words: float) -> None:
    rng = np.random.default_rng(7)
    alarmed = []
    for _ in range(120):
        above, _ = chosen(rng.random((count, 6)), rng.random(count) < words, 0.1)
        new = (rng.random((500, 6)) > above).any(axis=1) | (rng.random(500) < words)
        alarmed.append(new.mean())
    assert 0.05 < np.mean(alarmed) <= 0.1


def noise(rng: np.random.Generator, patients: int, reports: int = 1, width: int = 60) -> list[Clean]:
    """Reports that nothing tells from other films', with so much evidence that they seem to be told.

    All of one patient are the same.
    """
    made = [
        ((), (), False, rng.normal(size=width).tolist(), rng.normal(size=(2, width)).tolist(), str(number))
        for number in range(patients)
    ]
    return [Clean(*one) for one in made for _ in range(reports)]


@pytest.mark.parametrize(("patients", "reports"), [(60, 1), (30, 4)])
def test_what_was_learnt_by_heart_makes_no_limit_too_low(patients: int, reports: int) -> None:
    """Scored by what was learnt from their own patients, clean reports seem to fit better than new ones."""
    rng = np.random.default_rng(5)
    alarmed = []
    for _ in range(12):
        limits = fit_limits(noise(rng, patients, reports), {}, INDEX, budget=0.2)
        assert (limits.reports, limits.patients) == (patients * reports, patients)
        new = [limits.another(one.own) for one in noise(rng, 200)]
        alarmed.append(np.mean([limits.tells("another film", one) for one in new]))
    assert 0.05 < np.mean(alarmed) < 0.25


@pytest.mark.parametrize(("sides", "learnt"), [(12, False), (30, True)])
def test_a_kind_that_cannot_be_learnt_without_each_patient_is_never_told(sides: int, learnt: bool) -> None:
    (said,) = read_report("FINDINGS: Left pleural effusion.").said
    rng = np.random.default_rng(3)
    swap = [(Swap("other side seen", said, (float(one), 0.0)),) for one in rng.normal(-1, 1, sides)]
    given = [replace(one, swaps=swap[row] if row < sides else ()) for row, one in enumerate(clean(60))]
    limits = fit_limits(given, {EFFUSION: 0.5}, INDEX)
    assert limits.why is None and set(limits.swaps) == ({"other side seen"} if learnt else set())


def test_without_a_report_yet_to_come_those_that_alarm_are_the_budget() -> None:
    scores = np.random.default_rng(7).random((100, 1))
    above, alarmed = chosen(scores, np.zeros(100, bool), 0.1, coming=0)
    assert alarmed == (scores > above).mean() == 0.1


def test_reports_of_one_patient_give_no_alert_and_a_reason() -> None:
    limits = fit_limits([replace(one, patient="p") for one in clean(40)], {EFFUSION: 0.5}, INDEX)
    assert limits.why == "fitted on clean reports of one patient, wanted several"


def test_where_words_alone_spend_the_budget_the_film_never_alarms() -> None:
    scores = np.random.default_rng(7).random((100, 6))
    above, alarmed = chosen(scores, np.arange(100) < 15, 0.1)
    assert (above > 1.0).all() and alarmed == 0.15


def test_too_few_clean_reports_give_no_alert_and_a_reason() -> None:
    limits = fit_limits(clean(5), {EFFUSION: 0.5}, INDEX)
    assert limits.why == "fitted on 5 clean reports, wanted 30"
    assert not limits.tells("seen, not said", 1.0)


def test_limits_come_back_from_their_folder(tmp_path: Path) -> None:
    limits = fit_limits(clean(60), {EFFUSION: 0.5}, INDEX)
    save_limits(tmp_path, limits)
    assert open_limits(tmp_path, index=INDEX) == limits


OLD = """{"kind": "check", "version": 1, "generation": 1,
 "index": {"fingerprint": "i", "generation": 1, "corpus": "c", "model": "m", "reports": 100},
 "above": {"stated, not seen": 0.9, "denied, but seen": 0.7, "seen, not said": 0.8, "another film": 0.6},
 "usual": {"Pleural Effusion": 0.3}, "weights": [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.0],
 "budget": 0.1, "reports": 97, "alarmed": 0.09, "why": null}"""


def test_limits_that_were_fitted_too_loosely_count_as_none(tmp_path: Path) -> None:
    (tmp_path / "check.json").write_text(OLD)
    assert open_limits(tmp_path, index=INDEX) is None


def test_limits_of_a_version_to_come_are_refused(tmp_path: Path) -> None:
    (tmp_path / "check.json").write_text(json.dumps({**json.loads(OLD), "version": 3}))
    with pytest.raises(MismatchError, match="version 3"):
        open_limits(tmp_path, index=INDEX)


def test_limits_of_another_index_are_refused(tmp_path: Path) -> None:
    save_limits(tmp_path, fit_limits(clean(5), {EFFUSION: 0.5}, INDEX))
    with pytest.raises(MismatchError):
        open_limits(tmp_path, index=INDEX.model_copy(update={"fingerprint": "j", "model": "other"}))
