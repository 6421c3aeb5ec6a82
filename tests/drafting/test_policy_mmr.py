"""Maximal marginal relevance: the first is the nearest, the next are near and new."""

import numpy as np
import pytest

from xemplar.assembly import Assembly
from xemplar.drafting.policies.case import Case
from xemplar.drafting.policies.mmr import RELEVANCE, Mmr, most_marginal
from xemplar.retrieval import NOBODY, Leave, Retriever


def by_the_formula(relevant, vectors, count):
    """Carbonell and Goldstein's, written out row by row."""
    taken = []
    while len(taken) < min(count, len(relevant)):
        left = [row for row in range(len(relevant)) if row not in taken]
        values = {
            row: RELEVANCE * relevant[row]
            - (1 - RELEVANCE) * max([float(vectors[row] @ vectors[one]) for one in taken], default=0.0)
            for row in left
        }
        taken.append(max(left, key=lambda row: values[row]))
    return taken


@pytest.mark.parametrize("seed", range(6))
def test_it_takes_what_the_formula_takes(seed):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((12, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    relevant = vectors @ vectors[0] + rng.normal(0, 0.01, 12)
    assert most_marginal(relevant, vectors, 5) == by_the_formula(relevant, vectors, 5)


def test_a_copy_of_what_is_taken_waits():
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    assert most_marginal(np.array([0.9, 0.9, 0.8, 0.1]), vectors, 2) == [0, 2]


def test_no_more_than_there_are():
    assert most_marginal(np.array([0.1, 0.2]), np.eye(2), 9) == [1, 0]


@pytest.fixture
def made(archive_of):
    return archive_of([("a", "Mild edema."), ("b", "Severe edema."), ("c", "Rib fracture.")])


def drafted(made, near, leave=NOBODY, **asked):
    corpus, index, encoder = made
    policy = Mmr(Retriever(corpus, index, encoder), Assembly(policy="mmr", **asked))
    (draft,) = policy.drafts([Case((), encoder.encode_texts([near])[0], leave)])
    return policy, draft.lines


def test_a_line_is_the_sentence_as_it_stands(made):
    policy, lines = drafted(made, "Mild edema.", count=2)
    assert len(lines) == 2 and lines[0].text == lines[0].sentence_text == "Mild edema."
    assert [claim.finding for claim in lines[0].claims] == ["Edema"]
    assert lines[0].confidence is None
    assert policy.policy == "2 of the nearest 50 sentences by MMR, lambda 0.7, v1"


def test_only_the_nearest_are_chosen_from(made):
    assert [line.text for line in drafted(made, "Rib fracture.", count=3, first=1)[1]] == ["Rib fracture."]


def test_who_is_left_out_is_not_quoted(made):
    first = made[0].studies[0]
    _, lines = drafted(made, "Mild edema.", Leave(first.study_id, first.patient_id), count=3)
    assert "Mild edema." not in [line.text for line in lines] and len(lines) == 2
