"""Alignment taught by findings: plain loops over the definitions, and input that knows nothing."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from xemplar.errors import MismatchError, XemplarError
from xemplar.training.objectives.supervised import class_loss, finding_contrast, overlap

SCALE = torch.tensor(4.0)


def rows(count, seed, dim=5):
    drawn = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return normalize(drawn, dim=1)


def sets(count, seed, findings=3):
    return torch.rand(count, findings, generator=torch.Generator().manual_seed(seed)) < 0.4


def test_class_loss_is_the_mean_of_what_is_known():
    vectors, classes, bias = rows(3, 0), rows(2, 1), torch.tensor([0.5, -0.5])
    labels = torch.tensor([[1.0, 0.0], [math.nan, 1.0], [0.5, math.nan]])
    losses = []
    for i in range(3):
        for j in range(2):
            y = float(labels[i, j])
            if not math.isnan(y):
                p = 1 / (1 + math.exp(-(4.0 * float(vectors[i] @ classes[j]) + float(bias[j]))))
                losses.append(-y * math.log(p) - (1 - y) * math.log(1 - p))
    found = class_loss(vectors, classes, labels, scale=SCALE, bias=bias)
    assert float(found) == pytest.approx(sum(losses) / 4)


def test_what_isnt_known_pulls_nothing():
    vectors = rows(2, 0).requires_grad_()
    class_loss(vectors, rows(3, 1), torch.full((2, 3), math.nan), scale=SCALE).backward()
    assert not vectors.grad.any()


def test_with_nothing_known_the_loss_is_nothing():
    assert float(class_loss(rows(2, 0), rows(3, 1), torch.full((2, 3), math.nan), scale=SCALE)) == 0.0


def test_labels_of_another_shape_are_refused():
    with pytest.raises(MismatchError, match=r"labels are \(2, 2\); wanted \(2, 3\)"):
        class_loss(rows(2, 0), rows(3, 1), torch.zeros(2, 2), scale=SCALE)


def test_a_bad_class_is_named():
    classes = rows(3, 1)
    classes[1] = math.inf
    with pytest.raises(XemplarError, match="classes of the batch are not finite in row 1"):
        class_loss(rows(2, 0), classes, torch.zeros(2, 3), scale=SCALE)


def test_class_loss_has_right_gradients():
    vectors, classes = rows(3, 2).requires_grad_(), rows(2, 3).requires_grad_()
    labels = torch.tensor([[1.0, 0.0], [math.nan, 1.0], [0.5, math.nan]])
    assert torch.autograd.gradcheck(
        lambda a, b: class_loss(a, b, labels, scale=SCALE.double()), (vectors, classes)
    )


def test_overlap_is_shared_over_all():
    one = torch.tensor([[1, 1, 0], [0, 0, 0]], dtype=torch.bool)
    other = torch.tensor([[1, 0, 1], [1, 1, 0], [0, 0, 0]], dtype=torch.bool)
    torch.testing.assert_close(overlap(one, other), torch.tensor([[1 / 3, 1.0, 0.0], [0.0, 0.0, 1.0]]))


def by_loop(vectors, findings, partial):
    """For every row with somebody right: weighed mean of -log softmax over all the others."""
    named = [frozenset(row.nonzero().flatten().tolist()) for row in findings]
    losses = []
    for i in range(len(vectors)):
        others = [j for j in range(len(vectors)) if j != i]

        def share(j, i=i):
            if named[i] == named[j]:
                return 1.0
            return len(named[i] & named[j]) / len(named[i] | named[j]) if partial else 0.0

        weights = {j: share(j) for j in others if share(j) > 0}
        if weights:
            total = sum(math.exp(4.0 * float(vectors[i] @ vectors[j])) for j in others)
            terms = [w * (math.log(total) - 4.0 * float(vectors[i] @ vectors[j])) for j, w in weights.items()]
            losses.append(sum(terms) / sum(weights.values()))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_contrast_over_finding_sets_follows_its_definition(seed, partial):
    vectors, findings = rows(7, seed), sets(7, seed)
    found = finding_contrast(vectors, findings, scale=SCALE, partial=partial)
    assert float(found) == pytest.approx(by_loop(vectors, findings, partial))


@pytest.mark.parametrize("partial", [False, True])
def test_where_nobody_shares_a_finding_there_is_no_loss(partial):
    vectors = rows(3, 0).requires_grad_()
    loss = finding_contrast(vectors, torch.eye(3, dtype=torch.bool), scale=SCALE, partial=partial)
    loss.backward()
    assert float(loss.detach()) == 0.0 and not vectors.grad.any()


def test_a_batch_of_one_has_nothing_to_learn_from():
    assert float(finding_contrast(rows(1, 0), sets(1, 0), scale=SCALE)) == 0.0


def test_equal_sets_are_drawn_together():
    vectors = rows(4, 1).requires_grad_()
    findings = torch.tensor([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=torch.bool)
    finding_contrast(vectors, findings, scale=SCALE).backward()
    moved = normalize(vectors.detach() - 0.1 * vectors.grad, dim=1)
    before, after = (one @ one.T for one in (vectors.detach(), moved))
    assert after[0, 1] > before[0, 1] and after[2, 3] > before[2, 3]


def test_all_of_one_set_is_finite_at_the_largest_scale():
    vectors = rows(4, 1).float().requires_grad_()
    finding_contrast(vectors, torch.ones(4, 2, dtype=torch.bool), scale=torch.tensor(1000.0)).backward()
    assert torch.isfinite(vectors.grad).all()


def test_contrast_has_right_gradients():
    vectors = rows(5, 4).requires_grad_()
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    findings = torch.tensor([[1, 0], [1, 0], [0, 1], [1, 1], [0, 1]], dtype=torch.bool)
    assert torch.autograd.gradcheck(lambda a, s: finding_contrast(a, findings, scale=s), (vectors, scale))
