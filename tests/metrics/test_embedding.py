"""Cosine and BERTScore's arithmetic against CXR-RePaiR's numbers, brute force, and by hand."""

import json
import math

import numpy as np
import pytest

from xemplar.errors import MismatchError, XemplarError
from xemplar.metrics.embedding import TokenVectors, bert_scores, cosine, idf_weights, joined


def _text(vectors, ids=None, special=None):
    vectors = np.asarray(vectors, np.float32)
    count = len(vectors)
    return TokenVectors(
        vectors,
        np.asarray(np.arange(count) if ids is None else ids, np.int64),
        np.asarray(np.zeros(count) if special is None else special, bool),
    )


@pytest.mark.shared
def test_s_emb_is_reproduced(golden):
    case = json.loads((golden / "cxr_repair" / "f1_bootstrap.json").read_text())
    with np.load(golden / "cxr_repair" / "s_emb.npz", allow_pickle=False) as held:
        values = cosine(held["pred"], held["true"])
    found = [values[rows].mean() for rows in case["bootstrap_indices"]]
    assert found == pytest.approx(case["s_emb_per_bootstrap"], abs=1e-6)


def test_cosine_by_hand():
    found = cosine(
        np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 2.0], [1.0, 0.0]])
    )
    assert found == pytest.approx([1.0, 0.0, np.nan], nan_ok=True)


def test_vectors_of_other_shapes_are_refused():
    with pytest.raises(MismatchError, match=r"shapes \(2, 3\) and \(3, 3\)"):
        cosine(np.ones((2, 3)), np.ones((3, 3)))


def test_vectors_that_are_not_finite_are_refused():
    with pytest.raises(XemplarError, match="not finite"):
        cosine(np.full((1, 2), np.nan), np.ones((1, 2)))


def _brute(said, true, weights_said, weights_true):
    def like(a, b):
        return float(np.dot(a, b) / math.sqrt(np.dot(a, a) * np.dot(b, b)))

    best_said = [max(like(a, b) for b in true) for a in said]
    best_true = [max(like(a, b) for a in said) for b in true]
    precision = sum(w * s for w, s in zip(weights_said, best_said, strict=True)) / sum(weights_said)
    recall = sum(w * s for w, s in zip(weights_true, best_true, strict=True)) / sum(weights_true)
    return precision, recall, 2 * precision * recall / (precision + recall)


@pytest.fixture
def texts():
    rng = np.random.default_rng(7)

    def draw(*ids):
        marks = [True, *([False] * len(ids)), True]
        return _text(rng.normal(size=(len(ids) + 2, 6)) + 0.5, ids=[101, *ids, 102], special=marks)

    return [draw(5, 6, 7), draw(5, 8, 11), draw(9)], [draw(5, 7), draw(8, 8, 6), draw(6, 10)]


def _plain(text):
    return [0.0 if mark else 1.0 for mark in text.special]


def test_scores_by_brute_force(texts):
    found = bert_scores(*texts)
    for row, (said, true) in enumerate(zip(*texts, strict=True)):
        wanted = _brute(said.vectors.astype(float), true.vectors.astype(float), _plain(said), _plain(true))
        assert (found.precision[row], found.recall[row], found.f1[row]) == pytest.approx(wanted, abs=1e-12)


def test_idf_scores_by_brute_force(texts):
    predictions, references = texts
    found = bert_scores(predictions, references, idf=idf_weights([one.ids for one in references]))
    held = {5: 1, 6: 2, 7: 1, 8: 1, 10: 1}

    def weights(text):
        each = [math.log(4 / (held.get(int(one), 0) + 1)) for one in text.ids]
        return [0.0 if mark else one for one, mark in zip(each, text.special, strict=True)]

    for row, (said, true) in enumerate(zip(predictions, references, strict=True)):
        wanted = _brute(said.vectors.astype(float), true.vectors.astype(float), weights(said), weights(true))
        assert (found.precision[row], found.recall[row], found.f1[row]) == pytest.approx(wanted, abs=1e-12)


def test_a_copy_scores_1_and_stays_1_when_rescaled(texts):
    found = bert_scores(texts[0], texts[0], baseline=(0.8, 0.8, 0.8473319))
    assert found.f1 == pytest.approx([1.0, 1.0, 1.0])


def test_each_number_has_its_own_baseline(texts):
    raw, rescaled = bert_scores(*texts), bert_scores(*texts, baseline=(0.1, 0.2, 0.3))
    assert rescaled.precision == pytest.approx((raw.precision - 0.1) / 0.9)
    assert rescaled.recall == pytest.approx((raw.recall - 0.2) / 0.8)
    assert rescaled.f1 == pytest.approx((raw.f1 - 0.3) / 0.7)


def test_special_tokens_may_be_matched_but_weigh_nothing():
    said = _text([[1, 0], [0, 1]], special=[True, False])
    true = _text([[0, 1], [1, 0.0]], special=[True, False])
    found = bert_scores([said], [true])
    assert (found.precision[0], found.recall[0]) == (1.0, 1.0)


def test_idf_of_one_reference_is_refused(texts):
    with pytest.raises(XemplarError, match="of one, every weight is 0"):
        idf_weights([texts[1][0].ids])


def test_a_text_whose_tokens_are_in_every_reference_is_undefined_and_counted():
    word, other = [[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]
    references = [_text(word, ids=[5]), _text(other, ids=[5, 6])]
    found = bert_scores(references, references, idf=idf_weights([one.ids for one in references]))
    assert np.isnan(found.f1).tolist() == [True, False]
    assert found.undefined == 1


def test_an_empty_prediction_scores_0_and_is_counted(texts):
    silent = _text(np.eye(2, 6), special=[True, True])
    found = bert_scores([silent], texts[1][:1])
    assert (found.precision[0], found.recall[0], found.f1[0]) == (0, 0, 0)
    assert (found.empty, found.undefined) == (1, 0)


def test_an_empty_reference_is_undefined_and_counted(texts):
    silent = _text(np.eye(2, 6), special=[True, True])
    found = bert_scores(texts[0][:1], [silent])
    assert np.isnan(found.f1).all()
    assert (found.empty, found.undefined) == (0, 1)


def test_runs_are_joined_in_order(texts):
    silent, word = _text(np.eye(2, 6), special=[True, True]), texts[0][0]
    runs = [
        bert_scores([word, silent, silent], [silent, silent, word]),
        bert_scores([silent, word], [word, texts[1][0]]),
    ]
    found = joined(runs)
    assert found.f1 == pytest.approx([np.nan, np.nan, 0, 0, runs[1].f1[1]], nan_ok=True)
    assert (found.undefined, found.empty) == (2, 2)
    assert joined([]).f1.shape == (0,)


def test_no_pairs_have_no_scores():
    assert bert_scores([], []).f1.shape == (0,)


def test_unequal_numbers_are_refused(texts):
    with pytest.raises(MismatchError, match="3 predictions for 2 references"):
        bert_scores(texts[0], texts[1][:2])


@pytest.mark.parametrize("baseline", [(0.5,), (0.5, 0.5, 1.0)])
def test_a_baseline_that_cannot_rescale_is_refused(texts, baseline):
    with pytest.raises(XemplarError, match="three numbers below 1"):
        bert_scores(*texts, baseline=baseline)


def test_tokens_of_two_models_are_refused(texts):
    with pytest.raises(MismatchError, match="tokens of 6 and 2 dimensions"):
        bert_scores(texts[0][:1], [_text(np.eye(2))])


def test_a_text_with_a_mark_missing_is_refused():
    with pytest.raises(MismatchError, match="2 vectors, 2 ids and 1 marks"):
        _text(np.eye(2), special=[False])
