"""What is counted of a draft against its truth: by hand, one fact each."""

from __future__ import annotations

import numpy as np
import pytest

from xemplar.drafting.truth import Truth
from xemplar.evaluation.scores import Resampling
from xemplar.evaluation.trust import (
    TALLIES,
    Sources,
    contradicted,
    finding_recalls,
    held,
    mean_recalls,
    trust_scores,
)
from xemplar.records import Claim, Draft, Line, Sentence

HEART, FLUID, AIR, DEVICE = "Cardiomegaly", "Pleural Effusion", "Pneumothorax", "Support Devices"
RIGHT_FLUID = Truth(
    {FLUID: "present", HEART: "absent", AIR: "absent"},
    {FLUID: frozenset({"right"})},
    {FLUID: frozenset({"large"})},
)


def line(*claims: Claim, confidence: float | None = 0.5, sources: tuple[str, ...] = ("s1",)) -> Line:
    words = "; ".join(" ".join(filter(None, claim.meaning)) for claim in claims) or "Lines."
    return Line(words, words.lower(), words, (0, len(words)), sources, claims, confidence=confidence)


def there(
    finding: str, side: str | None = None, degree: str | None = None, place: str | None = None
) -> Claim:
    return Claim(finding, "present", side=side, degree=degree, place=place)


def gone(finding: str, side: str | None = None) -> Claim:
    return Claim(finding, "absent", side=side)


def draft(*lines: Line, study: str = "q") -> Draft:
    return Draft("d", study, lines, {}, None, "p", None, "f", "synthetic")


def counted(drafted: Draft, truth: Truth) -> dict[str, int]:
    return dict(zip(TALLIES, held([drafted], [truth]).counts[0].tolist(), strict=True))


def test_a_right_line_is_only_counted():
    found = counted(draft(line(there(FLUID, "right", "large"))), RIGHT_FLUID)
    expected = {"drafts", "lines", "stating", "judged", "side", "degree", "present", "found", "clear"}
    assert {name for name, count in found.items() if count} == expected | {"clear found", "ill"}


@pytest.mark.parametrize(
    ("claims", "tally"),
    [
        ([there(HEART)], "unsupported"),
        ([there("Edema")], "unknown"),
        ([there(FLUID, "left")], "wrong side"),
        ([there(FLUID, "bilateral")], "wrong side"),
        ([there(FLUID, "right", "small")], "wrong degree"),
        ([gone(FLUID)], "denied there"),
        ([gone(FLUID)], "false normal"),
        ([gone(HEART)], "reads normal"),
        ([there(HEART)], "wrong stating"),
        ([gone(FLUID)], "wrong"),
    ],
)
def test_each_fault_is_counted_once_and_only_where_it_is(claims, tally):
    assert counted(draft(line(*claims)), RIGHT_FLUID)[tally] == 1
    assert counted(draft(line(there(FLUID, "right", "large"))), RIGHT_FLUID)[tally] == 0


def test_a_wrong_side_is_no_wrong_degree_as_well():
    found = counted(draft(line(there(FLUID, "left", "small"))), RIGHT_FLUID)
    assert (found["wrong side"], found["wrong degree"], found["degree"]) == (1, 0, 0)


def test_a_draft_that_denies_something_else_alone_reads_normal_but_is_no_false_normal():
    found = counted(draft(line(gone(HEART))), RIGHT_FLUID)
    assert (found["reads normal"], found["false normal"]) == (1, 0)


def test_a_draft_that_states_anything_is_not_normal():
    found = counted(draft(line(gone(FLUID)), line(there(HEART))), RIGHT_FLUID)
    assert (found["reads normal"], found["false normal"], found["denied there"]) == (0, 0, 1)


def test_silence_is_no_false_normal():
    found = counted(draft(), RIGHT_FLUID)
    assert (found["reads normal"], found["false normal"], found["ill"]) == (0, 0, 1)


def test_a_finding_stated_in_two_lines_is_one_unsupported_finding():
    assert (
        counted(draft(line(there(HEART)), line(there(HEART, degree="large"))), RIGHT_FLUID)["unsupported"]
        == 1
    )


def test_what_is_there_in_a_small_or_unknown_degree_is_not_clear():
    small = Truth({FLUID: "present", DEVICE: "present"}, {}, {FLUID: frozenset({"small"})})
    found = counted(draft(), small)
    assert (found["present"], found["clear"]) == (2, 0)


def test_a_label_that_is_no_finding_makes_nobody_ill():
    assert counted(draft(line(gone(HEART))), Truth({"No Finding": "present"}))["ill"] == 0


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ([there(FLUID), gone(FLUID)], True),
        ([there(FLUID, "left"), gone(FLUID, "right")], True),
        ([there(FLUID, "left"), there(FLUID, "right")], False),
        ([there(FLUID, "left"), there(FLUID, "bilateral")], False),
        ([there(FLUID, "left", "small"), there(FLUID, "left", "large")], True),
        ([there(FLUID, "left", "small"), there(FLUID, None, "large")], True),
        ([there(FLUID, "left", "small"), there(FLUID, "right", "large")], False),
        ([there("Lung Lesion", None, "small", "upper"), there("Lung Lesion", None, "large", "lower")], False),
        ([there(FLUID), gone(HEART)], False),
        ([Claim(FLUID, "uncertain"), gone(FLUID)], False),
    ],
)
def test_contradictions_follow_the_truths_own_logic(claims, expected):
    assert bool(contradicted(claims)) is expected


def test_no_truth_is_without_fault_for_what_is_contradicted():
    claims = [there(FLUID, "left"), gone(FLUID, "right")]
    for presence in ("present", "absent"):
        truth = Truth({FLUID: presence}, {FLUID: frozenset({"left"})})
        assert any(truth.fault(claim) for claim in claims)


SENTENCES = [Sentence("a", "Effusion. More.", ("s1", "s2"))]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"sentence_id": "b"}, False),
        ({"source_study_ids": ("s1", "s3")}, False),
        ({"source_study_ids": ("q",)}, False),
        ({"sentence_text": "effusion. More.", "text": "effusion."}, False),
    ],
)
def test_a_line_has_a_source_where_the_archive_says_so(changes, expected):
    given = {
        "text": "Effusion.", "sentence_id": "a", "sentence_text": "Effusion. More.", "span": (0, 9),
        "source_study_ids": ("s2",), **changes,
    }  # fmt: skip
    assert Sources(SENTENCES).has(Line(**given), not_of="q") is expected


def test_the_study_itself_is_no_source():
    quoted = Line("Effusion.", "a", "Effusion. More.", (0, 9), ("s1",))
    assert not Sources(SENTENCES).has(quoted, not_of="s1")


@pytest.fixture
def four() -> tuple[list[Draft], list[Truth], Resampling]:
    """Fluid in two of four, said of one of them and of one without; the heart is large in one, and said."""
    fluid, heart = line(there(FLUID)), line(there(HEART))
    truths = [
        Truth({FLUID: "present", HEART: "absent"}),
        Truth({FLUID: "present", HEART: "present"}),
        Truth({FLUID: "absent", HEART: "absent"}),
        Truth({FLUID: "absent", HEART: "absent"}),
    ]
    return [draft(fluid), draft(heart), draft(fluid), draft()], truths, Resampling(np.array(list("abcd")), 50)


def test_scores_are_ratios_of_the_tallies(four):
    drafts, truths, resampling = four
    rows = {row["measure"]: row for row in trust_scores(held(drafts, truths), resampling)}
    wrong = rows["wrong lines"]
    assert (wrong["count"], wrong["of"], wrong["ours"]["value"]) == (1, 3, pytest.approx(1 / 3))
    assert rows["recall of findings"]["ours"]["value"] == pytest.approx(2 / 3)


def test_precision_on_a_balanced_pool_weighs_ill_and_well_alike(four):
    drafts, truths, resampling = four
    rows = {row["finding"]: row for row in finding_recalls(held(drafts, truths), (FLUID, HEART), resampling)}
    fluid = rows[FLUID]
    assert fluid["recall"]["value"] == 0.5
    assert fluid["precision, balanced"]["value"] == pytest.approx(0.5)
    drafts, truths = drafts + [draft()] * 2, truths + [truths[3]] * 2  # more normals
    resampling = Resampling(np.array(list("abcdef")), 50)
    fluid = finding_recalls(held(drafts, truths), (FLUID,), resampling)[0]
    assert fluid["precision"]["value"] == 0.5
    assert fluid["precision, balanced"]["value"] == pytest.approx(0.5 / (0.5 + 0.25))


def test_a_balanced_recall_weighs_every_finding_alike(four):
    drafts, truths, resampling = four
    recall = mean_recalls(held(drafts, truths), (FLUID, HEART, AIR), resampling)
    assert recall["natural"].value == pytest.approx(2 / 3)
    assert recall["balanced"].value == pytest.approx((0.5 + 1.0) / 2)
