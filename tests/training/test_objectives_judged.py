"""Which sentences are true of a study, and the pairs drawn of them."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from xemplar.training.objectives.judged import NEGATIVES, Sentences, verdict
from xemplar.training.sampling import pairs_of

E = "Pleural Effusion"


@pytest.mark.parametrize(
    ("claims", "own", "wanted"),
    [
        ([(E, "present", "left")], [(E, "present", "left")], True),
        ([(E, "present", None)], [(E, "present", "left")], True),
        ([(E, "present", "left")], [(E, "present", "bilateral")], True),
        ([(E, "present", "bilateral")], [(E, "present", "left"), (E, "present", "right")], True),
        ([(E, "present", "bilateral")], [(E, "present", "left")], False),
        ([(E, "present", "right")], [(E, "present", "left")], False),
        ([(E, "present", "right")], [(E, "present", None)], None),
        ([(E, "present", None)], [(E, "absent", None)], False),
        ([(E, "present", None)], [], False),
        ([(E, "present", None)], [(E, "uncertain", None)], None),
        ([(E, "absent", None)], [], None),
        ([(E, "absent", None)], [(E, "present", "left")], False),
        ([(E, "absent", "right")], [(E, "present", "left")], None),
        ([(E, "absent", "left")], [(E, "absent", None)], True),
        ([(E, "absent", None)], [(E, "absent", "left")], None),
        ([(E, "uncertain", None)], [(E, "absent", None)], False),
        ([(E, "uncertain", None)], [(E, "present", None)], None),
        ([(E, "absent", None), ("Edema", "present", None)], [(E, "absent", None)], False),
        ([(E, "absent", None), ("Edema", "absent", None)], [(E, "absent", None)], None),
        ([], [(E, "absent", None)], None),
    ],
)
def test_what_a_report_says_of_claims(claims, own, wanted):
    assert verdict(frozenset(claims), frozenset(own)) is wanted


@pytest.fixture(scope="module")
def sentences(phantom_corpus):
    return Sentences(phantom_corpus, pairs_of(phantom_corpus, "train"))


@pytest.fixture(scope="module")
def drawn(sentences):
    rows = np.arange(len(sentences.pairs))
    return sentences.draw(rows, np.random.default_rng(2))


def test_what_matches_is_said_by_the_report_and_what_doesnt_is_false_of_it(sentences, drawn):
    for study, text, match in zip(drawn.studies, drawn.texts, drawn.match, strict=True):
        own = text in sentences.own[study]
        told = verdict(sentences.claims[text], sentences.pairs[study].claims)
        assert (own or told is True) if match else told is False


def test_what_is_drawn_for_a_study_holds_both_kinds(sentences, drawn):
    ends = [*drawn.starts, len(drawn.texts)]
    for start, end in pairwise(ends):
        study = drawn.studies[start]
        kinds = set(drawn.match[start:end].tolist())
        assert kinds == {True, False} or not len(sentences.own[study])


def test_a_text_that_matches_one_study_doesnt_match_another(sentences, drawn):
    by_text = {}
    for text, match in zip(drawn.texts.tolist(), drawn.match.tolist(), strict=True):
        by_text.setdefault(text, set()).add(match)
    own = {text for text, kinds in by_text.items() if True in kinds}
    assert sum(by_text[text] == {True, False} for text in own) > 0.5 * len(own)


def test_a_flip_can_match_another_study(sentences):
    rows, found = np.arange(len(sentences.pairs)), set()
    for seed in range(8):
        drawn = sentences.draw(rows, np.random.default_rng(seed))
        found |= set(drawn.match[drawn.texts >= sentences.count].tolist())
    assert found == {True, False}


def test_a_draw_follows_from_its_generator(sentences, drawn):
    rows = np.arange(len(sentences.pairs))
    again = sentences.draw(rows, np.random.default_rng(2))
    assert all(np.array_equal(getattr(drawn, name), getattr(again, name)) for name in ("studies", "texts"))


@pytest.mark.parametrize("kind", NEGATIVES)
def test_an_own_sentence_stands_against_a_false_one(sentences, kind):
    rows = np.arange(len(sentences.pairs))
    pairs = sentences.against(kind, rows, np.random.default_rng(0))
    assert len(pairs.own) > 20
    columns = (pairs.studies, pairs.own, pairs.other_studies, pairs.other)
    for study, own, another, other in zip(*columns, strict=True):
        assert own in sentences.own[study]
        assert verdict(sentences.claims[other], sentences.pairs[another].claims) is False
        assert (other >= sentences.count) <= (kind == "flip")
        assert (another != study) == (kind == "film") == (own == other)


def test_nothing_is_drawn_of_those_held_back(phantom_corpus):
    pairs = pairs_of(phantom_corpus, "train")
    count = len(pairs) // 2
    alone, both = (Sentences(phantom_corpus, some, learnt=count) for some in (pairs[:count], pairs))
    rows, told, drawn = np.arange(count), set(alone.texts), set()
    assert {both.texts[text] for text in both.pool} == told < set(both.texts)
    for seed in range(8):
        found = both.draw(rows, np.random.default_rng(seed))
        drawn |= {both.texts[text] for text in found.texts}
    assert drawn <= told


def test_a_text_is_as_rare_as_among_those_learnt(phantom_corpus):
    pairs = pairs_of(phantom_corpus, "train")
    count = len(pairs) // 2
    alone, both = (Sentences(phantom_corpus, some, learnt=count) for some in (pairs[:count], pairs))
    weights = [dict(zip(one.texts, one._weights, strict=False)) for one in (alone, both)]
    assert weights[0].items() <= weights[1].items()
    assert all(np.isfinite(both._weights))


def test_without_any_text_nothing_is_drawn(phantom_corpus):
    pairs = [replace(pair, sentences=()) for pair in pairs_of(phantom_corpus, "train")]
    sentences, rows = Sentences(phantom_corpus, pairs), np.arange(len(pairs))
    assert not len(sentences.draw(rows, np.random.default_rng(0)).texts)
