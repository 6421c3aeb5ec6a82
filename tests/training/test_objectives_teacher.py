"""The teacher's targets by a loop over the definition, and TxtRayAlign's numbers with the sign both ways."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import kl_div, linear, normalize

from xemplar.errors import XemplarError
from xemplar.training.objectives.contrastive import info_nce
from xemplar.training.objectives.teacher import Teacher, sinkhorn, sinkhorn_targets, transport_loss


def rows(count, seed, dim=8):
    drawn = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))
    return normalize(drawn, dim=1)


def by_loop(alike, epsilon=0.05, iterations=3):
    """The same, in plain double numbers."""
    plan = [[math.exp(value / epsilon) for value in row] for row in alike.tolist()]
    height, width = len(plan), len(plan[0])
    for _ in range(iterations):
        sums = [sum(row[j] for row in plan) for j in range(width)]
        plan = [[value / sums[j] / width for j, value in enumerate(row)] for row in plan]
        plan = [[value / sum(row) / height for value in row] for row in plan]
    return torch.tensor([[value * height for value in row] for row in plan])


@pytest.mark.parametrize("shape", [(5, 5), (3, 6), (1, 1)])
def test_sinkhorn_follows_its_definition(shape):
    alike = torch.rand(*shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    torch.testing.assert_close(sinkhorn(alike), by_loop(alike), rtol=1e-4, atol=1e-6)


def test_with_many_iterations_columns_sum_to_one_too():
    plan = sinkhorn(torch.rand(6, 6, generator=torch.Generator().manual_seed(2)), iterations=200, epsilon=0.5)
    torch.testing.assert_close(plan.sum(0), torch.ones(6), atol=1e-3, rtol=0)
    torch.testing.assert_close(plan.sum(1), torch.ones(6), atol=1e-5, rtol=0)


def test_nothing_overflows_at_a_small_epsilon():
    assert torch.isfinite(sinkhorn(rows(6, 0) @ rows(6, 1).T * 3, epsilon=1e-3)).all()


def test_an_aligned_pair_gets_the_highest_target():
    vectors = rows(7, 3)
    for targets in sinkhorn_targets(vectors, vectors):
        assert targets.argmax(1).tolist() == list(range(7))
        assert float(targets.diagonal().min()) > 0.9


def test_turned_round_it_would_get_next_to_nothing():
    """What the ancestor does: costs where likeness belongs."""
    vectors = rows(7, 3)
    alike = 3 * vectors @ vectors.T
    assert float(sinkhorn(-alike).diagonal().max()) < 1e-6


def test_equal_texts_of_equal_films_share_the_target():
    vectors = rows(4, 5)[[0, 1, 1, 2]]
    targets, _ = sinkhorn_targets(vectors, vectors)
    torch.testing.assert_close(targets[1, 1], targets[1, 2])
    assert float(targets[1, 1]) == pytest.approx(0.5, abs=0.01)


def test_no_gradient_flows_into_targets():
    vectors = rows(4, 5).requires_grad_()
    assert not any(targets.requires_grad for targets in sinkhorn_targets(vectors, vectors))


def test_a_pupil_that_says_what_the_targets_say_has_no_loss():
    images, texts = rows(5, 6), rows(5, 7)
    logits = 4.0 * images @ texts.T
    targets = (torch.softmax(logits, 1), torch.softmax(logits.T, 1))
    loss = transport_loss(images, texts, targets, scale=torch.tensor(4.0))
    assert float(loss) == pytest.approx(0.0, abs=1e-6)


def test_targets_of_nothing_count_nothing():
    """0 x log 0 is 0."""
    images, texts = rows(3, 0).requires_grad_(), rows(3, 1)
    loss = transport_loss(images, texts, (torch.eye(3), torch.eye(3)), scale=torch.tensor(5.0))
    loss.backward()
    plain = info_nce(images, texts, torch.eye(3, dtype=torch.bool), scale=torch.tensor(5.0))
    assert loss.item() == pytest.approx(plain.item(), rel=1e-5)
    assert torch.isfinite(images.grad).all()


def test_a_batch_of_one_has_nothing_to_learn_from():
    one = rows(1, 0)
    assert float(transport_loss(one, one, sinkhorn_targets(one, one), scale=torch.tensor(5.0))) == 0.0


def test_a_teachers_bad_row_is_named():
    bad = rows(4, 0)
    bad[2] = math.nan
    with pytest.raises(XemplarError, match="teacher_texts of the batch are not finite in row 2"):
        sinkhorn_targets(rows(4, 1), bad)


def test_a_teacher_follows_slowly_and_takes_over_counters():
    pupil = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    teacher = Teacher(pupil, decay=0.9)
    old = pupil[0].weight.detach().clone()
    with torch.no_grad():
        pupil[0].weight += 1.0
        pupil[1].running_mean += 3.0
    teacher.follow(pupil)
    torch.testing.assert_close(teacher.module[0].weight, old + 0.1)
    torch.testing.assert_close(teacher.module[1].running_mean, torch.full((2,), 3.0))


def test_a_teacher_is_never_trained():
    teacher = Teacher(torch.nn.Linear(2, 2))
    assert not any(weight.requires_grad for weight in teacher.module.parameters())
    assert not teacher.module.training


def test_the_teacher_is_a_copy():
    pupil = torch.nn.Linear(2, 2)
    teacher = Teacher(pupil)
    with torch.no_grad():
        pupil.weight.zero_()
    assert float(teacher.module.weight.detach().abs().sum()) > 0


def test_the_divergence_is_torchs():
    images, texts = rows(5, 8), rows(5, 9)
    targets = sinkhorn_targets(rows(5, 10), rows(5, 11))
    logits = 3.0 * images @ texts.T
    one, two = (
        kl_div(torch.log_softmax(laid, 1), target, reduction="batchmean")
        for laid, target in zip((logits, logits.T), targets, strict=True)
    )
    found = transport_loss(images, texts, targets, scale=torch.tensor(3.0))
    torch.testing.assert_close(found, (one + two) / 2)


@pytest.fixture
def step(golden):
    with np.load(golden / "txtrayalign_metrics" / "infonce_teacher.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def encoded(step, who, kind):
    x = step["x_image" if kind == "img" else "x_text"]
    return normalize(linear(x, step[f"{who}.{kind}.weight"], step[f"{who}.{kind}.bias"]), dim=1)


@pytest.mark.shared
def test_targets_are_txtrayaligns_with_the_sign_put_right(step):
    images, texts = (encoded(step, "teacher", kind) for kind in ("img", "txt"))
    to_text, to_image = sinkhorn_targets(images, texts)
    torch.testing.assert_close(to_text, step["sink_img_target_sign_fixed"], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(to_image, step["sink_txt_target_sign_fixed"], rtol=1e-4, atol=1e-4)


@pytest.mark.shared
def test_with_their_sign_targets_are_theirs_and_ours_arent(step):
    images, texts = (encoded(step, "teacher", kind) for kind in ("img", "txt"))
    alike = images @ images.T + texts @ texts.T
    for across, name in ((images @ texts.T, "sink_img_target"), (texts @ images.T, "sink_txt_target")):
        torch.testing.assert_close(sinkhorn(-(alike + across)), step[name], rtol=1e-4, atol=1e-4)
        assert float((step[name] - step[f"{name}_sign_fixed"]).abs().max()) > 0.5


@pytest.mark.shared
def test_the_whole_loss_and_its_gradients_are_txtrayaligns_given_their_targets(step):
    names = ("img.weight", "img.bias", "txt.weight", "txt.bias")
    for name in names:
        step[f"student.{name}"].requires_grad_()
    log_scale = step["logit_scale_before"].requires_grad_()
    scale = step["sink_temp_before"].requires_grad_()
    images, texts = (encoded(step, "student", kind) for kind in ("img", "txt"))
    theirs = (step["sink_img_target"], step["sink_txt_target"])
    plain = info_nce(images, texts, torch.eye(len(images), dtype=torch.bool), scale=log_scale.exp())
    loss = plain + transport_loss(images, texts, theirs, scale=scale)
    loss.backward()
    assert loss.item() == pytest.approx(float(step["train_loss"]), rel=1e-4)
    for name in names:
        torch.testing.assert_close(step[f"student.{name}"].grad, step[f"grad.{name}"], rtol=1e-4, atol=1e-4)
    for found, name in ((log_scale, "logit_scale"), (scale, "sink_temp")):
        parts = len(images) // int(step["minibatch_size"])
        torch.testing.assert_close(found.grad, step[f"grad.{name}"] / (2 * parts), rtol=1e-4, atol=1e-4)


@pytest.mark.shared
def test_the_teacher_follows_as_txtrayaligns_does(step):
    teacher, pupil = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    follower = Teacher(teacher)
    follower.module.weight = torch.nn.Parameter(step["teacher.img.weight"].clone(), requires_grad=False)
    pupil.weight = torch.nn.Parameter(step["student_after.img.weight"].clone())
    follower.follow(pupil)
    torch.testing.assert_close(
        follower.module.weight.detach(), step["teacher_after.img.weight"], rtol=1e-6, atol=1e-7
    )
