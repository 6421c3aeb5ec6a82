"""Whole reports against wrong ones: whose they are, that all are met, and that those held back aren't."""

from dataclasses import replace

import numpy as np
import pytest

from xemplar.errors import XemplarError
from xemplar.report import text_key
from xemplar.training.objectives.judged_reports import Reports
from xemplar.training.objectives.negatives import finding_vector
from xemplar.training.sampling import pairs_of


@pytest.fixture(scope="module")
def pairs(phantom_corpus):
    return pairs_of(phantom_corpus, "train")


def distance(first, second):
    return np.abs(finding_vector(first.claims) - finding_vector(second.claims)).sum()


def triples(drawn):
    assert (np.diff([*drawn.starts, len(drawn.texts)]) == 3).all()
    return zip(drawn.studies[::3], drawn.texts.reshape(-1, 3), drawn.match.reshape(-1, 3), strict=True)


def test_a_study_meets_its_own_report_and_two_of_other_findings_the_first_by_least(pairs):
    reports = Reports(pairs, learnt=len(pairs), by="labels")
    drawn = reports.draw(np.arange(len(pairs)), np.random.default_rng(1))
    by_text = {text_key(pair.report): pair for pair in pairs}
    met = set()
    for study, texts, match in triples(drawn):
        own, hard, other = (by_text[text_key(reports.texts[text])] for text in texts)
        assert match.tolist() == [True, False, False]
        assert text_key(own.report) == text_key(pairs[study].report)
        apart = [distance(pairs[study], pair) for pair in pairs]
        assert distance(pairs[study], hard) == min(one for one in apart if one > 0)
        assert distance(pairs[study], other) > 0
        met.add(int(study))
    assert len(met) == len(pairs) - reports.left_out > 0


def test_captions_that_claim_nothing_meet_any_other_text(pairs):
    silent = [replace(pair, claims=frozenset()) for pair in pairs]
    with pytest.raises(XemplarError, match=r"by the findings that they claim.*negatives = \"random\""):
        Reports(silent, learnt=len(silent), by="labels")
    reports = Reports(silent, learnt=len(silent), by="random")
    drawn = reports.draw(np.arange(len(silent)), np.random.default_rng(1))
    assert len(drawn.starts) == len(silent)
    assert all(text != own for _, (own, *wrong), _ in triples(drawn) for text in wrong)


def test_of_those_learnt_nothing_of_another_is_drawn(pairs):
    count = len(pairs) // 2
    reports = Reports(pairs, learnt=count, by="labels")
    drawn = reports.draw(np.arange(count), np.random.default_rng(3))
    assert set(drawn.texts.tolist()) <= set(reports.own[:count].tolist())


@pytest.mark.parametrize("kind", Reports.kinds)
def test_an_own_report_stands_against_one_of_other_findings_among_those_held_back(pairs, kind):
    count = len(pairs) // 2
    reports, rows = Reports(pairs, learnt=count, by="labels"), np.arange(count, len(pairs))
    found = reports.against(kind, rows, np.random.default_rng(0))
    assert len(found.own) > 10
    of = {text: row for row, text in enumerate(reports.own.tolist()) if row >= count}
    for study, own, another, other in zip(
        found.studies, found.own, found.other_studies, found.other, strict=True
    ):
        assert study == another
        assert own == reports.own[study]
        assert distance(pairs[study], pairs[of[other]]) > 0


def test_where_nobody_held_back_differs_any_other_text_is_wrong(pairs):
    alike = [replace(pair, claims=pairs[0].claims) if row > 9 else pair for row, pair in enumerate(pairs)]
    reports = Reports(alike, learnt=10, by="labels")
    found = reports.against("mined", np.arange(10, len(alike)), np.random.default_rng(0))
    assert len(found.own)
    assert (found.own != found.other).all()


def test_reports_that_all_say_the_same_are_refused(pairs):
    with pytest.raises(XemplarError, match=r"none of 12 studies has a report to tell its own from;"):
        Reports([pairs[0]] * 12, learnt=12, by="random")
