"""Where a report speaks against itself, and where it only seems to: hand-made reports."""

from __future__ import annotations

import pytest

from xemplar.check import check_text
from xemplar.records import Study


def report(findings: str, impression: str, comparison: str | None = None) -> Study:
    return Study("1", None, "clinical", comparison=comparison, findings=findings, impression=impression)


def kinds(findings: str, impression: str, comparison: str | None = None) -> list[tuple[str, str | None]]:
    checked = check_text(report(findings, impression, comparison))
    return [(one.kind, one.finding) for one in checked.alerts]


EFFUSION = "Pleural Effusion"


@pytest.mark.parametrize(
    ("findings", "impression", "found"),
    [
        (
            "There is a small left pleural effusion.",
            "Small right pleural effusion.",
            ("side conflict", EFFUSION),
        ),
        ("No pneumothorax.", "Right pneumothorax.", ("presence conflict", "Pneumothorax")),
        ("Right pneumothorax.", "No pneumothorax.", ("presence conflict", "Pneumothorax")),
        ("Small right pneumothorax.", "Large right pneumothorax.", ("degree conflict", "Pneumothorax")),
        (
            "Consolidation in the right upper lobe.",
            "Right lower lobe consolidation.",
            ("place conflict", "Consolidation"),
        ),
        ("The lungs are clear.", "Left lower lobe pneumonia.", ("normal conflict", "Pneumonia")),
        (
            "Large right pneumothorax.",
            "No acute cardiopulmonary disease.",
            ("normal conflict", "Pneumothorax"),
        ),
    ],
)
def test_a_conflict_is_told(findings: str, impression: str, found: tuple[str, str]) -> None:
    assert found in kinds(findings, impression)


@pytest.mark.parametrize(
    ("findings", "impression"),
    [
        ("Left pleural effusion. Right pleural effusion.", "Bilateral pleural effusions."),
        ("Left pleural effusion. Right pleural effusion.", "Right pleural effusion."),
        ("No left pleural effusion.", "Right pleural effusion."),
        ("No large pleural effusion.", "Small right pleural effusion."),
        ("No pneumothorax.", "Possible pneumothorax."),
        ("No new consolidation.", "Right lower lobe consolidation."),
        ("Previously seen pneumothorax has resolved.", "No pneumothorax."),
        ("Right lung is clear. Left pneumonia.", "Left pneumonia."),
        ("No acute fracture.", "Old healed rib fracture."),
        ("Left chest tube.", "Right central line."),
    ],
)
def test_what_only_looks_like_a_conflict_is_passed_over(findings: str, impression: str) -> None:
    assert kinds(findings, impression) == []


def test_both_places_are_quoted_by_their_offsets_in_a_whole_text() -> None:
    text = (
        "FINDINGS: Heart is normal. Small left pleural effusion.\nIMPRESSION: Small right pleural effusion."
    )
    (alert,) = check_text(text).alerts
    assert [text[one.start : one.end] for one in alert.quotes] == ["pleural effusion"] * 2
    assert [text[one.sentence_start : one.sentence_end] for one in alert.quotes] == [
        "Small left pleural effusion.",
        "Small right pleural effusion.",
    ]


def test_a_comparison_without_a_prior_is_told() -> None:
    told = kinds("Unchanged small left pleural effusion.", "Pleural effusion.", "None.")
    assert told == [("no prior", EFFUSION)]


@pytest.mark.parametrize("comparison", [None, "Chest radiograph of last year.", "None recent; CT of 2010."])
def test_a_comparison_is_passed_over_where_no_prior_is_denied(comparison: str | None) -> None:
    assert kinds("Unchanged small left pleural effusion.", "Pleural effusion.", comparison) == []


def test_an_impression_that_nothing_leads_to_is_told() -> None:
    findings = "Heart size is normal. No pneumothorax. Mediastinum is normal."
    assert kinds(findings, "Small left pleural effusion.") == [("unsupported impression", EFFUSION)]


def test_another_language_is_said_and_not_read() -> None:
    checked = check_text(
        "BEFUND: Kein Pleuraerguss. Das Herz ist nicht vergrößert.\nBEURTEILUNG: Pleuraerguss links."
    )
    assert not checked.alerts
    assert checked.unread == "in another language than English (de): not read"


@pytest.mark.parametrize(
    ("text", "why"), [("", "no text"), ("INDICATION: Cough.", "no findings and no impression")]
)
def test_a_report_without_words_to_check_says_so(text: str, why: str) -> None:
    assert str(check_text(text).unread).startswith(why)


def test_a_report_without_findings_is_checked_by_what_it_has() -> None:
    checked = check_text("IMPRESSION: Right pneumothorax. No pneumothorax.")
    assert [one.kind for one in checked.alerts] == ["presence conflict"]
    assert checked.notes == ("no findings in it: nothing to compare the rest with",)
