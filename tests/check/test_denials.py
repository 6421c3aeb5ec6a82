"""A denial denies as much as it says, and no more: hand-made findings beside hand-made impressions."""

from __future__ import annotations

import pytest

from xemplar.check import check_text
from xemplar.records import Study

EFFUSION, AIR, BROKEN = "Pleural Effusion", "Pneumothorax", "Fracture"


def told(findings: str, impression: str, comparison: str | None = None) -> list[tuple[str, str | None]]:
    study = Study("1", None, "clinical", comparison=comparison, findings=findings, impression=impression)
    return [(one.kind, one.finding) for one in check_text(study).alerts]


@pytest.mark.parametrize(
    ("findings", "impression", "finding"),
    [
        ("No new pneumothorax.", "New left pneumothorax.", AIR),
        ("No large effusion.", "Large left effusion.", EFFUSION),
        ("No moderate or large effusion.", "Moderate left effusion.", EFFUSION),
        ("No moderate or large effusion.", "Large left effusion.", EFFUSION),
        ("No significant effusion.", "Large left effusion.", EFFUSION),
        ("No definite pneumothorax.", "Large left pneumothorax.", AIR),
        ("No acute rib fracture.", "Acute left rib fracture.", BROKEN),
        ("No displaced rib fracture.", "Displaced left rib fracture.", BROKEN),
        ("No focal opacity.", "Focal opacity in the left base.", "Lung Opacity"),
    ],
)
def test_a_narrow_denial_is_contradicted_by_what_it_denies(
    findings: str, impression: str, finding: str
) -> None:
    assert told(findings, impression) == [("presence conflict", finding)]


@pytest.mark.parametrize(
    ("findings", "impression"),
    [
        ("No new pneumothorax.", "Left pneumothorax."),
        ("No new large effusion.", "Large left effusion."),
        ("No large effusion.", "Moderate left effusion."),
        ("No moderate or large effusion.", "Small left effusion."),
        ("No significant effusion.", "Left effusion."),
        ("No definite pneumothorax.", "Left pneumothorax."),
        ("No acute rib fracture.", "Left rib fracture."),
        ("No displaced rib fracture.", "Nondisplaced left rib fracture."),
        ("No displaced rib fracture.", "Non-displaced left rib fracture."),
        ("No additional effusion.", "Large left effusion."),
        ("No significant rib fracture.", "Moderate compression fracture of T8."),
        ("No large effusion.", "The previously large effusion is now small."),
        ("No XXXX pneumothorax.", "Left pneumothorax."),
        ("No effusion except for a trace on the left.", "Trace left effusion."),
        ("No effusion other than a small one on the right.", "Small right effusion."),
        ("No effusion on the frontal view. The lateral view shows a small effusion.", "Small effusion."),
    ],
)
def test_a_narrow_denial_is_not_contradicted_by_what_it_leaves(findings: str, impression: str) -> None:
    assert told(findings, impression) == []


@pytest.mark.parametrize(
    ("findings", "impression", "finding"),
    [
        ("Left lower lobe opacity.", "Right lower lobe pneumonia.", "Pneumonia"),
        ("Left lower lobe opacity.", "Right lower lobe consolidation.", "Consolidation"),
        ("Left greater than right effusions.", "Effusions, right greater than left.", EFFUSION),
        ("Bilateral effusions, L > R.", "Bilateral effusions, right larger than left.", EFFUSION),
        ("Acute right rib fracture.", "Acute left rib fracture.", BROKEN),
    ],
)
def test_opposite_sides_are_told_under_any_name_and_of_the_larger_part(
    findings: str, impression: str, finding: str
) -> None:
    assert told(findings, impression) == [("side conflict", finding)]


@pytest.mark.parametrize(
    ("findings", "impression"),
    [
        ("Old right rib fracture.", "Acute left rib fracture."),
        ("Left lower lobe opacity. Right basilar atelectasis.", "Right lower lobe pneumonia."),
        ("Left lower lobe opacity. Possible right consolidation.", "Right lower lobe pneumonia."),
        ("Bilateral opacities.", "Right lower lobe pneumonia."),
        ("Left greater than right effusions.", "Effusions, left greater than right."),
        ("Effusions, previously left greater than right.", "Right greater than left effusions."),
    ],
)
def test_two_things_and_both_sides_are_no_conflict(findings: str, impression: str) -> None:
    assert told(findings, impression) == []


@pytest.mark.parametrize(
    "sentence", ["Patient stable.", "Vertebral alignment is stable.", "Bones stable.", "Clinically stable."]
)
def test_what_is_stable_by_itself_is_no_comparison(sentence: str) -> None:
    assert told(sentence, "Small left effusion.", "None.") == []


@pytest.mark.parametrize("sentence", ["Heart size is stable.", "Stable small left effusion."])
def test_what_a_film_shows_is_stable_against_another(sentence: str) -> None:
    (alert,) = told(sentence, "Small left effusion.", "None.")
    assert alert[0] == "no prior"
