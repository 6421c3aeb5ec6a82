"""Which candidates stay: by hand, and X-REM's own decisions where they are right."""

import json

import pytest

from xemplar.errors import XemplarError
from xemplar.records import Hit
from xemplar.rerank import best, keep_consistent, keep_dissimilar, reranked


def test_the_best_come_first():
    assert best([0.1, 0.9, 0.3, 0.8], 3) == [1, 3, 2]


def test_equal_scores_keep_their_order():
    assert best([0.5, 0.5, 0.9, 0.5], 3) == [2, 0, 1]


def test_more_than_there_are_is_all():
    assert best([1.0, 2.0], 20) == [1, 0]


def test_none_asked_for_is_none():
    assert best([1.0, 2.0], 0) == []


def test_nothing_to_choose_from_is_nothing():
    assert best([], 3) == []


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(XemplarError, match=r"1 of \(2,\) scores are no numbers"):
        best([0.1, float("nan")], 1)


def test_less_than_none_is_refused():
    with pytest.raises(XemplarError, match="-1 candidates asked for; wanted 0 or more"):
        best([0.1], -1)


def test_hits_take_the_matchers_scores_and_keep_the_others():
    hits = [Hit("report", name, score, ("s",), scores={"vectors": score}) for name, score in
            (("a", 0.9), ("b", 0.8), ("c", 0.7))]  # fmt: skip
    found = reranked(hits, [1.0, -2.0, 3.0], keep=2)
    assert [(hit.item_id, hit.score, dict(hit.scores)) for hit in found] == [
        ("c", 3.0, {"vectors": 0.7, "matcher": 3.0}),
        ("a", 1.0, {"vectors": 0.9, "matcher": 1.0}),
    ]


def test_hits_and_scores_that_are_not_as_many_are_refused():
    with pytest.raises(XemplarError, match="0 scores; wanted 1, one a hit"):
        reranked([Hit("report", "a", 0.9, ("s",))], [], keep=1)


TABLE = {
    ("a", "b"): "entailment",
    ("a", "c"): "neutral",
    ("a c", "d"): "contradiction",
    ("a c", "e"): "neutral",
}


def test_kept_is_what_is_neither_entailed_nor_contradicted_by_all_before():
    asked = []

    def judge(premise, hypothesis):
        asked.append((premise, hypothesis))
        return TABLE[premise, hypothesis]

    assert keep_consistent(["a", "b", "c", "d", "e", "f"], judge, 3) == [0, 2, 4]
    assert asked == list(TABLE)


def test_one_asked_for_is_one_and_no_judge_is_needed():
    assert keep_consistent(["a", "b"], lambda *_: pytest.fail("asked"), 1) == [0]


def test_a_blank_text_is_no_candidate():
    assert keep_consistent(["", "a", " ", "c"], lambda premise, _: TABLE[premise, _], 3) == [1, 3]


@pytest.mark.parametrize("texts", [[], [""]])
def test_without_candidates_nothing_is_kept(texts):
    assert keep_consistent(texts, lambda *_: "neutral", 2) == []


def test_none_asked_for_keeps_none():
    assert keep_consistent(["a"], lambda *_: "neutral", 0) == []


def test_what_is_alike_by_the_bound_itself_is_left_out():
    scores = {("a", "b"): 0.5, ("a", "c"): 0.499}
    assert keep_dissimilar(["a", "b", "c"], lambda *pair: scores[pair], 2) == [0, 2]


def _replayed(case):
    """Its documents, and a judge that answers what the original was answered."""
    answers = {(premise, hypothesis): answer for premise, hypothesis, answer in case["calls_in_order"]}
    documents = [document.split(case.get("delimiter", "[SEP]")) for document in case["docs"]]
    return documents, lambda premise, hypothesis: answers[premise, hypothesis]


def _contradicted(premise, hypothesis):
    return "contradiction"


WRONG = {
    "trailing empty candidate judged neutral": ("rep 0-0. ", "rep 0-0."),
    "single candidate trailing delimiter": ("only one. ", "only one."),
    "first candidate empty": (" a.", None),
    "topk=1 all neutral (quirk: yields 2)": ("rep 0-0. rep 0-1.", "rep 0-0."),
}
"""Where the original is wrong: its text and ours (None: what it never asked about is needed)."""


@pytest.mark.shared
def test_the_original_judges_filter(golden):
    cases = json.loads((golden / "xrem_rerank" / "nli_filter.json").read_text())
    seen = set()
    for case in cases:
        if "raises" in case:
            assert keep_consistent(case["docs"][0].split("[SEP]"), lambda *_: "neutral", case["topk"]) == []
            continue
        documents, judge = _replayed(case)
        wrong = WRONG.get(case["name"])
        if wrong is not None:
            seen.add(case["name"])
            assert case["out"] == [wrong[0]]
            if wrong[1] is None:
                judge = _contradicted
        outs = [
            " ".join(texts[at] for at in keep_consistent(texts, judge, case["topk"])) for texts in documents
        ]
        assert outs == (case["out"] if wrong is None else [wrong[1] or "a."])
    assert seen == set(WRONG)


@pytest.mark.shared
def test_the_original_filter_by_likeness(golden):
    for case in json.loads((golden / "xrem_rerank" / "bertscore_filter.json").read_text()):
        documents, alike = _replayed(case)
        outs = [
            " ".join(texts[at] for at in keep_dissimilar(texts, alike, case["topk"], below=case["threshold"]))
            for texts in documents
        ]
        assert outs == case["out"]


@pytest.mark.shared
def test_the_original_choice_of_the_best(golden):
    """Theirs takes the later of equal scores, NaN before all and 0 for all: there ours differs."""
    for case in json.loads((golden / "xrem_rerank" / "edge_select.json").read_text())["select_reports"]:
        rows = case["scores"] if isinstance(case["scores"][0], list) else [case["scores"]]
        reports = case["reports"] if isinstance(case["reports"][0], list) else [case["reports"]] * len(rows)
        for scores, names, out in zip(rows, reports, case["out"], strict=True):
            theirs = [name for name in out.split("[SEP]")[:-1]]
            if "NaN" in scores:
                with pytest.raises(XemplarError, match="are no numbers"):
                    best([float(score) for score in scores], case["topk"])
                continue
            held = {name: score for name, score in zip(names, scores, strict=True) if name}
            ours = [list(held)[at] for at in best(list(held.values()), case["topk"])]
            if case["topk"] == 0:
                assert (ours, len(theirs)) == ([], len(names))
            elif "" in theirs:
                assert "" not in ours
            else:
                assert [held[name] for name in ours] == [held[name] for name in theirs]
