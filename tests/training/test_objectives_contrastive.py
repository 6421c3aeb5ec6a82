"""Contrastive losses against torch's own, loops over their definition, and the ancestors' numbers."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, gelu, layer_norm, linear, normalize

from xemplar.errors import XemplarError
from xemplar.training.objectives.contrastive import (
    check_vectors,
    clamp_scale,
    equal_keys,
    info_nce,
    medclip_loss,
    sigmoid_loss,
    similarity_targets,
    soft_cross_entropy,
    soft_target_loss,
)

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


def test_numbers_in_place_of_bools_share_the_target():
    """Twice as right draws twice as much."""
    pull = _pull([[2.0, 1.0], [0.0, 1.0]])
    logits = torch.zeros(2, 2, requires_grad=True)
    to_text = cross_entropy(logits, torch.tensor([[2 / 3, 1 / 3], [0.0, 1.0]]))
    to_image = cross_entropy(logits.T, torch.tensor([[1.0, 0.0], [0.5, 0.5]]))
    ((to_text + to_image) / 2).backward()
    torch.testing.assert_close(pull, logits.grad)


# --- cross entropy with shares as targets -----------------------------------------------------------------


def shares(count, width, seed):
    return torch.rand(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("dim", [0, 1])
def test_soft_cross_entropy_is_torchs(dim):
    logits = (5 * shares(4, 6, 0)).requires_grad_()
    targets = shares(4, 6, 1)
    targets = targets / targets.sum(dim, keepdim=True)
    laid = logits if dim else logits.T
    wanted = cross_entropy(laid, targets if dim else targets.T, reduction="none")
    found = soft_cross_entropy(logits, targets, dim=dim)
    torch.testing.assert_close(found, wanted)
    weights = torch.arange(1.0, 1 + len(wanted), dtype=torch.float64)
    one, two = (torch.autograd.grad((weights * each).sum(), logits)[0] for each in (found, wanted))
    torch.testing.assert_close(one, two)


@pytest.mark.parametrize("dim", [0, 1])
def test_soft_cross_entropy_has_right_gradients_whatever_targets_sum_to(dim):
    targets = shares(3, 5, 2)
    targets[1] = 0.0
    logits = shares(3, 5, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: soft_cross_entropy(x, targets, dim=dim), (logits,))


def test_soft_cross_entropy_of_half_precision_is_summed_in_single():
    logits = (4 * shares(2, 3000, 4)).to(torch.bfloat16).requires_grad_()
    targets = torch.full((2, 3000), 1 / 3000)
    found = soft_cross_entropy(logits, targets)
    torch.testing.assert_close(found, cross_entropy(logits.float(), targets, reduction="none"))
    found.sum().backward()
    assert logits.grad.dtype == torch.bfloat16


def test_without_gradients_the_loss_is_the_same():
    logits, targets = shares(3, 5, 5), shares(3, 5, 6)
    with torch.no_grad():
        plain = soft_cross_entropy(logits, targets)
    torch.testing.assert_close(plain, soft_cross_entropy(logits.requires_grad_(), targets).detach())


# --- bad input --------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_vectors_that_arent_finite_are_named_by_row(value):
    texts = rows(5, 1)
    texts[3, 2] = value
    with pytest.raises(XemplarError, match=r"texts of the batch are not finite in row 3 \(1 of 5\)"):
        info_nce(rows(5, 0), texts, torch.eye(5, dtype=torch.bool), scale=SCALE)


def test_of_many_bad_rows_the_first_are_named():
    images = torch.full((9, 2), math.nan)
    images[0] = 1.0
    with pytest.raises(XemplarError, match=r"row 1, 2, 3, 4, 5 \.\.\. \(8 of 9\)"):
        check_vectors(images=images)


def test_large_finite_vectors_are_no_error():
    check_vectors(images=torch.full((4, 4), 3e38))


def test_all_texts_equal_leave_images_nothing_to_tell_apart():
    """Every text is right for every image: at equal vectors nothing is pulled or pushed."""
    images = rows(3, 0).requires_grad_()
    texts = rows(1, 1).expand(3, -1)
    loss = info_nce(images, texts, torch.ones(3, 3, dtype=torch.bool), scale=SCALE)
    loss.backward()
    assert math.isfinite(float(loss.detach())) and torch.isfinite(images.grad).all()


NONE_AT_ALL, NO_PAIRS = torch.zeros(0, 4, requires_grad=True), torch.zeros(0, 0, dtype=torch.bool)


@pytest.mark.parametrize(
    "loss",
    [
        lambda: info_nce(NONE_AT_ALL, NONE_AT_ALL, NO_PAIRS, scale=SCALE),
        lambda: sigmoid_loss(NONE_AT_ALL, NONE_AT_ALL, NO_PAIRS, scale=SCALE, bias=SCALE),
        lambda: soft_target_loss(NONE_AT_ALL, NONE_AT_ALL),
        lambda: medclip_loss(NONE_AT_ALL, NONE_AT_ALL),
    ],
    ids=["info_nce", "sigmoid", "soft", "medclip"],
)
def test_an_empty_batch_has_no_loss(loss):
    assert loss().item() == 0.0


@pytest.mark.parametrize("temperature", [1e-3, 0.5])
def test_at_its_bounds_a_temperature_gives_finite_losses_and_gradients(temperature):
    images = rows(6, 2).float().requires_grad_()
    scale = torch.tensor(1 / temperature, requires_grad=True)
    info_nce(images, rows(6, 3).float(), torch.eye(6, dtype=torch.bool), scale=scale).backward()
    assert torch.isfinite(images.grad).all() and torch.isfinite(scale.grad)


def test_a_scale_is_put_back_between_its_bounds():
    for value, kept in ((9.0, 4.6), (-9.0, -4.6), (1.0, 1.0)):
        scale = torch.nn.Parameter(torch.tensor(value))
        clamp_scale(scale, low=-4.6, high=4.6)
        assert scale.item() == pytest.approx(kept)


def test_equal_keys_are_found_between_any_two_lists():
    found = equal_keys(["a", "b", "a"], ["b", "a"])
    assert found.tolist() == [[False, True], [True, False], [False, True]]


def test_sets_of_claims_are_keys_too():
    claims = [frozenset({("Edema", "present", None)}), frozenset()]
    assert equal_keys(claims, claims).tolist() == [[True, False], [False, True]]


# --- SigLIP --------------------


@pytest.mark.parametrize("seed", range(3))
def test_sigmoid_loss_follows_its_definition(seed):
    right = torch.rand(4, 7, generator=torch.Generator().manual_seed(seed)) < 0.3
    images, texts = rows(4, seed), rows(7, seed + 9)
    total = 0.0
    for i in range(4):
        for j in range(7):
            logit = 10.0 * float(images[i] @ texts[j]) - 10.0
            total += math.log1p(math.exp(-logit if right[i, j] else logit))
    found = sigmoid_loss(images, texts, right, scale=torch.tensor(10.0), bias=torch.tensor(-10.0))
    assert float(found) == pytest.approx(total / 4)


def test_sigmoid_loss_has_right_gradients():
    images, texts = rows(3, 8).requires_grad_(), rows(4, 9).requires_grad_()
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    bias = torch.tensor(-2.0, dtype=torch.float64, requires_grad=True)
    right = torch.eye(3, 4, dtype=torch.bool)
    assert torch.autograd.gradcheck(
        lambda a, b, s, c: sigmoid_loss(a, b, right, scale=s, bias=c), (images, texts, scale, bias)
    )


def test_sigmoid_loss_of_one_pair_still_says_that_it_is_right():
    one = rows(1, 0)
    loss = sigmoid_loss(one, one, torch.ones(1, 1, dtype=torch.bool), scale=SCALE, bias=torch.tensor(0.0))
    assert float(loss) == pytest.approx(math.log1p(math.exp(-7.0)))


# --- soft targets: MedCLIP --------------------


def test_soft_targets_sum_to_one_and_bear_no_gradient():
    images, texts = rows(5, 0).requires_grad_(), rows(5, 1)
    targets = similarity_targets(images, texts, temperature=2.0)
    torch.testing.assert_close(targets.sum(1), torch.ones(5, dtype=torch.float64))
    assert not targets.requires_grad


def test_soft_target_loss_follows_its_definition():
    images, texts = rows(4, 0), rows(4, 1)
    wanted, temperature = 0.0, 2.0
    for a, b in ((images, texts), (texts, images)):
        for i in range(4):
            alike = [
                math.exp(float(images[i] @ images[j] + texts[i] @ texts[j]) / 2 * temperature)
                for j in range(4)
            ]
            logits = [math.exp(float(a[i] @ b[j]) / temperature) for j in range(4)]
            wanted -= sum(
                x / sum(alike) * math.log(y / sum(logits)) for x, y in zip(alike, logits, strict=True)
            )
    found = soft_target_loss(images, texts, temperature=temperature)
    assert float(found) == pytest.approx(wanted / 8)


def test_soft_targets_of_one_pair_have_nothing_to_learn_from():
    assert float(soft_target_loss(rows(1, 0), rows(1, 1))) == pytest.approx(0.0)


def _medclip(golden):
    """Every case of the folder: its arrays, and the image and text heads' weights."""
    from safetensors.torch import load_file

    for folder in sorted((golden / "medclip_soft_targets").glob("case*")):
        with np.load(folder / "data.npz") as file:
            data = {name: torch.from_numpy(file[name]) for name in file.files}
        yield data, load_file(folder / "projection_heads.safetensors")


def _head(features, weights, name):
    def of(layer):
        return weights[f"{name}.{layer}.weight"], weights[f"{name}.{layer}.bias"]

    projected = linear(features, *of("projection"))
    width = projected.shape[1]
    return layer_norm(linear(gelu(projected), *of("fc")) + projected, [width], *of("layer_norm"))


@pytest.mark.shared
def test_medclips_loss_and_gradients_are_theirs(golden):
    for data, weights in _medclip(golden):
        for value in weights.values():
            value.requires_grad_()
        images = _head(data["image_features"], weights, "image_projection")
        texts = _head(data["text_features"], weights, "text_projection")
        loss = medclip_loss(images, texts, temperature=float(data["temperature"]))
        loss.backward()
        torch.testing.assert_close(loss, data["loss"], rtol=1e-4, atol=1e-4)
        for name in (name for name in data if name.startswith("grad.")):
            found = weights[name.removeprefix("grad.")].grad
            torch.testing.assert_close(found, data[name], rtol=1e-4, atol=1e-4)


@pytest.mark.shared
def test_medclips_targets_by_row_are_ours_and_by_column_dont_sum_to_one(golden):
    for data, _ in _medclip(golden):
        temperature = float(data["temperature"])
        images, texts = data["image_embeddings"], data["text_embeddings"]
        targets = similarity_targets(images, texts, temperature=temperature)
        torch.testing.assert_close(targets, data["targets"], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(targets.sum(0), data["targets_T_row_sums"], rtol=1e-4, atol=1e-4)
        right = (cross_entropy(data["logits"], targets) + cross_entropy(data["logits"].T, targets)) / 2
        found = soft_target_loss(images, texts, temperature=temperature)
        torch.testing.assert_close(found, right, rtol=1e-5, atol=1e-5)


@pytest.mark.shared
def test_the_right_soft_targets_give_another_number_where_theirs_arent_one_hot(golden):
    seen = 0
    for data, _ in _medclip(golden):
        if float((data["targets_T_row_sums"] - 1).abs().max()) < 1e-2:
            continue
        images, texts = data["image_embeddings"], data["text_embeddings"]
        right = float(soft_target_loss(images, texts, temperature=float(data["temperature"])))
        assert abs(right - float(data["loss"])) > 1e-5
        if float(data["loss"]) == pytest.approx(2.165609, abs=1e-6):
            assert right == pytest.approx(2.165371, abs=1e-5)
        seen += 1
    assert seen


# --- TxtRayAlign's InfoNCE --------------------


@pytest.mark.shared
def test_txtrayaligns_loss_is_ours(golden):
    files = sorted((golden / "txtrayalign_metrics").glob("infonce_*.npz"))
    assert len(files) >= 3
    for path in files:
        with np.load(path) as data:
            images, texts = torch.from_numpy(data["I_n"]), torch.from_numpy(data["T_n"])
            scale = torch.from_numpy(data["logit_scale_before"]).exp()
            found = info_nce(images, texts, torch.eye(len(images), dtype=torch.bool), scale=scale)
            assert float(found) == pytest.approx(float(data["val_loss"]), rel=1e-4)
            torch.testing.assert_close(
                scale * images @ texts.T, torch.from_numpy(data["logits"]), rtol=1e-4, atol=1e-4
            )


@pytest.mark.shared
def test_a_step_in_micro_batches_has_txtrayaligns_encoder_gradients_and_the_true_one_of_its_scale(golden):
    """Theirs of the scale is too large by twice the number of micro-batches; both are pinned."""
    pinned = {"infonce_full": 10.554, "infonce_microbatch4": 21.108}
    for name, theirs in pinned.items():
        with np.load(golden / "txtrayalign_metrics" / f"{name}.npz") as file:
            data = {key: torch.from_numpy(file[key]) for key in file.files}
        size = int(data["minibatch_size"])
        found = _cached_step(data, size)
        for key in ("img.weight", "img.bias", "txt.weight", "txt.bias"):
            torch.testing.assert_close(found[key], data[f"grad.{key}"], rtol=1e-4, atol=1e-4)
        assert float(data["grad.logit_scale"]) == pytest.approx(theirs, abs=1e-3)
        assert float(found["logit_scale"]) == pytest.approx(5.277, abs=1e-3)
        parts = len(data["x_image"]) // size
        assert float(found["logit_scale"]) == pytest.approx(
            float(data["grad.logit_scale"]) / (2 * parts), rel=1e-4
        )


def _cached_step(data, size):
    """Gradients by vectors first, then encoder by encoder and micro-batch by micro-batch."""
    names = ("img.weight", "img.bias", "txt.weight", "txt.bias")
    weights = {name: data[f"student.{name}"].clone().requires_grad_() for name in names}
    log_scale = data["logit_scale_before"].clone().requires_grad_()

    def encode(kind, x):
        return normalize(linear(x, weights[f"{kind}.weight"], weights[f"{kind}.bias"]), dim=1)

    inputs = {"img": data["x_image"], "txt": data["x_text"]}
    cached = {kind: encode(kind, x).detach().requires_grad_() for kind, x in inputs.items()}
    right = torch.eye(len(data["x_image"]), dtype=torch.bool)
    info_nce(cached["img"], cached["txt"], right, scale=log_scale.exp()).backward()
    for kind, x in inputs.items():
        for part, grad in zip(x.split(size), cached[kind].grad.split(size), strict=True):
            encode(kind, part).backward(grad)
    return {**{name: value.grad for name, value in weights.items()}, "logit_scale": log_scale.grad}


@pytest.mark.shared
def test_txtrayalign_clamps_its_scale_after_the_step(golden):
    with np.load(golden / "txtrayalign_metrics" / "infonce_clamp.npz") as data:
        before, after = float(data["logit_scale_before"]), float(data["logit_scale_after"])
        scale = torch.tensor(before - float(data["lr"]) * float(data["grad.logit_scale"]))
    clamp_scale(scale, low=-math.log(100), high=math.log(100))
    assert scale.item() == pytest.approx(after, abs=1e-6)
