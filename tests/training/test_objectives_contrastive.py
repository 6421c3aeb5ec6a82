"""The contrastive loss against torch's own and against a loop that follows its definition."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from xemplar.training.objectives.contrastive import info_nce

SCALE = torch.tensor(7.0)


def rows(count, seed, dim=6):
    drawn = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return normalize(drawn, dim=1)


def by_loop(images, texts, scale, positives, rarity=0.0):
    """Each way: over its right items the weighed mean of -log softmax; then the mean of those with any."""

    def one_way(similar, right):
        weights = [1 / max(1, int(column.sum())) ** rarity for column in right.T]
        losses = []
        for row, marks in zip(similar.tolist(), right.tolist(), strict=True):
            if any(marks):
                total = sum(math.exp(value) for value in row)
                terms = [
                    (weight, -weight * math.log(math.exp(v) / total))
                    for v, mark, weight in zip(row, marks, weights, strict=True)
                    if mark
                ]
                losses.append(sum(term for _, term in terms) / sum(weight for weight, _ in terms))
        return sum(losses) / len(losses) if losses else 0.0

    similar = scale * images @ texts.T
    return (one_way(similar, positives) + one_way(similar.T, positives.T)) / 2


def test_one_right_text_each_is_clips_loss():
    images, texts = rows(5, 0), rows(5, 1)
    logits, target = SCALE * images @ texts.T, torch.arange(5)
    wanted = (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2
    torch.testing.assert_close(info_nce(images, texts, torch.eye(5, dtype=torch.bool), scale=SCALE), wanted)


@pytest.mark.parametrize("rarity", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_shared_positives_follow_the_definition(seed, rarity):
    positives = torch.rand(6, 9, generator=torch.Generator().manual_seed(seed)) < 0.3
    images, texts = rows(6, seed), rows(9, seed + 50)
    found = float(info_nce(images, texts, positives, scale=SCALE, rarity=rarity))
    assert found == pytest.approx(by_loop(images, texts, 7.0, positives, rarity))


def test_what_is_right_for_few_weighs_more():
    """Right for one image of two and for both: with rarity the first draws more of the target."""
    positives = [[True, True], [False, True]]
    even, rare = _pull(positives), _pull(positives, rarity=1.0)
    assert even[0, 0] - even[0, 1] > rare[0, 0] - rare[0, 1]


def test_rows_without_a_right_text_count_nothing():
    images, texts = rows(4, 2), rows(3, 3)
    positives = torch.zeros(4, 3, dtype=torch.bool)
    positives[:3] = torch.eye(3, dtype=torch.bool)
    assert float(info_nce(images, texts, positives, scale=SCALE)) == pytest.approx(
        by_loop(images, texts, 7.0, positives)
    )


def test_no_right_text_at_all_is_no_loss():
    assert float(info_nce(rows(3, 4), rows(2, 5), torch.zeros(3, 2, dtype=torch.bool), scale=SCALE)) == 0.0


def test_a_batch_of_one_has_nothing_to_learn_from():
    assert float(info_nce(rows(1, 6), rows(1, 7), torch.ones(1, 1, dtype=torch.bool), scale=SCALE)) == 0.0


def _pull(positives, rarity=0.0):
    """Of the loss by every similarity, where all are equal: below 0 what is drawn closer."""
    similar = torch.zeros(2, len(positives[0]), requires_grad=True)
    right = torch.tensor(positives)
    info_nce(torch.eye(2), similar.T, right, scale=torch.tensor(1.0), rarity=rarity).backward()
    return similar.grad


def test_equal_text_is_never_a_negative():
    """Both studies wrote the first text: each image is drawn to it, and away from the other's own."""
    pull = _pull([[True, True, False], [True, False, True]])
    assert (pull[:, 0] < 0).all() and pull[0, 1] < 0 and pull[1, 2] < 0
    assert pull[0, 2] > 0 and pull[1, 1] > 0


def test_a_text_that_isnt_right_is_a_negative():
    pull = _pull([[False, True, False], [False, False, True]])
    assert (pull[:, 0] > 0).all()


def test_gradients_are_right():
    images, texts = rows(3, 8).requires_grad_(), rows(4, 9).requires_grad_()
    positives = torch.tensor([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=torch.bool)
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda a, b, s: info_nce(a, b, positives, scale=s), (images, texts, scale)
    )
