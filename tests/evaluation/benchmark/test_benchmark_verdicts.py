"""The filter's rates: of one set's drafts, and of nothing that was drafted before."""

from collections import Counter
from types import SimpleNamespace

import numpy as np

from xemplar.drafting.judges import ByVerdict
from xemplar.drafting.policies.consistent import Consistent
from xemplar.evaluation.benchmark.papers import filter_rates, forget_verdicts


def asked_by(judge):
    drafter = Consistent.__new__(Consistent)
    drafter.filter = judge
    archive = SimpleNamespace(assembly=SimpleNamespace(policy="consistent"), drafter=drafter)
    return SimpleNamespace(archive=archive)


def test_rates_are_of_what_was_judged_since_they_were_forgotten():
    judge = ByVerdict(lambda premise, hypothesis: "entailment", "a judge")
    questions = asked_by(judge)
    judge.said = Counter({"neutral": 6})
    forget_verdicts(questions)
    judge.kept(["One.", "Two."], 2)
    rates = filter_rates(questions)
    assert rates["asked"] == 1
    assert np.isclose(rates["entailment"], 1.0)
    assert rates["neutral"] == 0
