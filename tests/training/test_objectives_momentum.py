"""ALBEF's losses by plain loops and against its own numbers, and the queue by a list of rows."""

import json
import math
from collections import Counter

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from xemplar.errors import MismatchError, XemplarError
from xemplar.training.objectives.momentum import (
    IGNORED,
    NONE,
    Paired,
    Queue,
    distilled_cross_entropy,
    draw_negatives,
    itc_with_queue,
    mask_words,
    matching_pairs,
    negative_weights,
)


def rows(count, seed, dim=6):
    drawn = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))
    return normalize(drawn, dim=1)


def paired(count, seed):
    return Paired(rows(count, seed), rows(count, seed + 100))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# --- contrast with a queue -------------------------------------------------------------------------------


def softmax(values):
    total = sum(math.exp(value) for value in values)
    return [math.exp(value) / total for value in values]


def by_loop(online, momentum, queue, temperature, alpha, positives=None):
    """Each way the mean over rows of the targets' cross entropy; then half of each."""
    total, count = 0.0, len(online.images)
    for mine, slow, theirs in (
        (online.images, momentum.images, torch.cat([momentum.texts, queue.texts])),
        (online.texts, momentum.texts, torch.cat([momentum.images, queue.images])),
    ):
        for i in range(count):
            soft = softmax([float(slow[i] @ column) / temperature for column in theirs])
            right = [(positives is not None and bool(positives[i, j])) or i == j for j in range(len(theirs))]
            said = softmax([float(mine[i] @ column) / temperature for column in theirs])
            for j, mark in enumerate(right):
                target = alpha * soft[j] + (1 - alpha) * mark / sum(right)
                total -= target * math.log(said[j]) / count / 2
    return total


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
def test_contrast_follows_its_definition(alpha):
    online, momentum, queue = paired(3, 0), paired(3, 1), paired(5, 2)
    found = itc_with_queue(online, momentum, queue, temperature=torch.tensor(0.3), alpha=alpha)
    assert float(found.loss) == pytest.approx(by_loop(online, momentum, queue, 0.3, alpha), rel=1e-5)


def test_equal_texts_in_the_queue_share_the_target():
    online, momentum, queue = paired(3, 0), paired(3, 1), paired(2, 2)
    positives = torch.eye(3, 5, dtype=torch.bool)
    positives[0, 4] = positives[1, 2] = positives[2, 1] = True
    found = itc_with_queue(
        online, momentum, queue, temperature=torch.tensor(0.3), alpha=0.4, positives=positives
    )
    wanted = by_loop(online, momentum, queue, 0.3, 0.4, positives)
    assert float(found.loss) == pytest.approx(wanted, rel=1e-5)


def test_positives_of_another_size_are_refused():
    with pytest.raises(MismatchError, match=r"positives are \(2, 2\); wanted \(2, 5\)"):
        itc_with_queue(
            paired(2, 0), paired(2, 1), paired(3, 2), temperature=torch.tensor(0.1),
            positives=torch.eye(2, dtype=torch.bool),
        )  # fmt: skip


def test_nothing_flows_into_momentum_vectors_or_queue():
    parts = [Paired(*(one.requires_grad_() for one in paired(3, seed))) for seed in range(3)]
    itc_with_queue(*parts, temperature=torch.tensor(0.1)).loss.backward()
    assert [[one.grad is None for one in part] for part in parts] == [[False] * 2, [True] * 2, [True] * 2]


def test_the_temperature_learns():
    temperature = torch.tensor(0.1, requires_grad=True)
    itc_with_queue(paired(3, 0), paired(3, 1), paired(3, 2), temperature=temperature).loss.backward()
    assert float(temperature.grad) != 0.0


def test_one_pair_and_an_empty_queue_have_nothing_to_learn_from():
    empty = Queue(4, 6).vectors
    found = itc_with_queue(paired(1, 0), paired(1, 1), empty, temperature=torch.tensor(0.1))
    assert float(found.loss) == 0.0


def test_at_the_temperatures_floor_the_loss_is_finite():
    online = Paired(*(one.requires_grad_() for one in paired(4, 0)))
    itc_with_queue(online, paired(4, 1), paired(6, 2), temperature=torch.tensor(1e-3)).loss.backward()
    assert all(torch.isfinite(one.grad).all() for one in online)


def test_a_bad_row_is_named():
    online = paired(4, 0)
    online.texts[2] = math.nan
    with pytest.raises(XemplarError, match="texts of the batch are not finite in row 2"):
        itc_with_queue(online, paired(4, 1), paired(6, 2), temperature=torch.tensor(0.1))


# --- the queue ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [4, 5, 7])
def test_a_queue_holds_the_latest_rows(size):
    """Batches of 3 into any size, round the end; as a list that drops its head."""
    queue, kept = Queue(size, 6), []
    for step in range(5):
        batch, keys = paired(3, step), torch.arange(3) + 10 * step
        queue.put(batch, keys)
        kept = [*kept, *zip(keys.tolist(), batch.images, batch.texts, strict=True)][-size:]
        found = sorted(zip(queue.keys.tolist(), *queue.vectors, strict=False), key=lambda row: row[0])
        assert [row[0] for row in found] == [row[0] for row in kept]
        for one, two in zip(found, kept, strict=True):
            assert torch.equal(one[1], two[1]) and torch.equal(one[2], two[2])


def test_of_a_batch_larger_than_the_queue_the_last_rows_stay():
    queue = Queue(2, 6)
    queue.put(paired(5, 0), torch.arange(5))
    assert sorted(queue.keys.tolist()) == [3, 4]
    queue.put(paired(1, 1), torch.tensor([9]))
    assert sorted(queue.keys.tolist()) == [4, 9]


def test_what_was_never_put_in_is_never_seen():
    queue = Queue(100, 6)
    queue.put(paired(3, 0))
    assert len(queue) == 3 and queue.vectors.images.shape == (3, 6)


def test_a_queue_finds_equal_keys_and_nothing_equals_none():
    queue = Queue(4, 6)
    queue.put(paired(3, 0), torch.tensor([5, NONE, 7]))
    found = queue.positives(torch.tensor([7, NONE, 5, 7]))
    assert found.tolist() == [
        [True, False, False, True, False, False, True],
        [False, True, False, False, False, False, False],
        [False, False, True, False, True, False, False],
        [True, False, False, True, False, False, True],
    ]


def test_a_saved_queue_goes_on_where_it_was():
    one, two = Queue(4, 6), Queue(4, 6)
    one.put(paired(3, 0), torch.arange(3))
    two.load_state_dict(one.state_dict())
    for queue in (one, two):
        queue.put(paired(3, 1), torch.arange(3) + 3)
    assert torch.equal(one.images, two.images) and torch.equal(one.keys, two.keys) and one.at == two.at


def test_a_saved_state_is_no_view():
    queue = Queue(4, 6)
    state = queue.state_dict()
    queue.put(paired(3, 0))
    assert float(state["images"].abs().sum()) == 0.0


def test_a_saved_queue_of_another_size_is_refused():
    with pytest.raises(MismatchError, match=r"a saved queue of \(4, 6\); wanted \(8, 6\)"):
        Queue(8, 6).load_state_dict(Queue(4, 6).state_dict())


def test_a_queue_without_rows_is_refused():
    with pytest.raises(XemplarError, match="a queue of 0 rows; wanted at least one"):
        Queue(0, 6)


def test_vectors_of_another_width_are_refused():
    with pytest.raises(MismatchError, match=r"vectors \(3, 5\) and \(3, 5\) for a queue; wanted .* 6 dim"):
        Queue(4, 6).put(Paired(torch.ones(3, 5), torch.ones(3, 5)))


# --- negatives ---------------------------------------------------------------------------------------------


def test_weights_are_a_softmax_over_the_wrong_ones():
    logits = torch.tensor([[5.0, 1.0, 2.0], [0.0, 9.0, 0.0], [1.0, 3.0, 2.0]])
    found = negative_weights(logits)
    e = math.e
    wanted = [[0, 1 / (1 + e), e / (1 + e)], [0.5, 0, 0.5], [1 / (1 + e * e), e * e / (1 + e * e), 0]]
    torch.testing.assert_close(found, torch.tensor(wanted))


def test_equal_texts_are_no_negatives():
    same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    found = negative_weights(torch.zeros(3, 3), same)
    assert found.tolist() == [[0, 0, 1], [0, 0, 1], [0.5, 0.5, 0]]


def test_at_the_temperatures_floor_there_is_still_something_to_draw():
    """The softmax over all is 0 beside the pair itself, where ALBEF stops."""
    logits = torch.tensor([[1000.0, 0.0, -1.0], [0.0, 1000.0, 0.0], [0.0, 0.0, 1000.0]])
    assert float(torch.softmax(logits, 1)[0, 1:].sum()) == 0.0
    assert negative_weights(logits).sum(1).tolist() == pytest.approx([1.0, 1.0, 1.0])


@pytest.mark.parametrize("count", [1, 4])
def test_where_all_texts_are_equal_there_is_no_negative_and_no_crash(count):
    weights = negative_weights(torch.zeros(count, count), torch.ones(count, count, dtype=torch.bool))
    drawn = draw_negatives(weights, generator())
    assert drawn.tolist() == [NONE] * count
    pairs = matching_pairs(drawn, drawn)
    assert (pairs.labels.tolist(), pairs.left_out) == ([1] * count, 2 * count)


def test_weights_given_are_left_as_they_were():
    same = torch.zeros(2, 2, dtype=torch.bool)
    negative_weights(torch.zeros(2, 2), same)
    assert not same.any()


def test_negatives_are_drawn_by_their_weights():
    weights = torch.tensor([[0.0, 0.2, 0.6]]).repeat(4000, 1)
    counts = Counter(draw_negatives(weights, generator(1)).tolist())
    assert counts[0] == 0 and counts[2] / 4000 == pytest.approx(0.75, abs=0.03)


def test_the_same_generator_draws_the_same():
    weights = torch.rand(50, 20, generator=generator(2))
    assert torch.equal(draw_negatives(weights, generator(3)), draw_negatives(weights, generator(3)))


def test_a_row_without_any_weight_has_none():
    assert draw_negatives(torch.tensor([[0.0, 0.0], [0.0, 1.0]]), generator()).tolist() == [NONE, 1]


def test_without_columns_there_are_none():
    assert draw_negatives(torch.zeros(2, 0), generator()).tolist() == [NONE, NONE]


def test_weights_that_arent_numbers_are_named():
    with pytest.raises(XemplarError, match="weights of the batch are not finite in row 1"):
        draw_negatives(torch.tensor([[0.0, 1.0], [math.nan, 1.0]]), generator())


def test_pairs_stand_in_albefs_order_and_the_missing_are_counted():
    pairs = matching_pairs(torch.tensor([2, NONE, 0]), torch.tensor([1, 2, NONE]))
    assert pairs.images.tolist() == [0, 1, 2, 2, 0, 0, 1]
    assert pairs.texts.tolist() == [0, 1, 2, 0, 2, 1, 2]
    assert pairs.labels.tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert pairs.left_out == 2


# --- words and distillation ------------------------------------------------------------------------------


def test_without_a_teacher_it_is_torchs_cross_entropy():
    logits = torch.randn(2, 5, 7, generator=generator(0))
    labels = torch.randint(7, (2, 5), generator=generator(1)).masked_fill(torch.eye(2, 5) > 0, IGNORED)
    found = distilled_cross_entropy(logits, labels)
    assert float(found) == pytest.approx(float(cross_entropy(logits.flatten(0, 1), labels.flatten())))


def test_a_share_of_the_loss_is_the_teachers():
    logits, teacher = torch.randn(4, 3, generator=generator(0)), torch.randn(4, 3, generator=generator(1))
    labels = torch.tensor([0, 2, IGNORED, 1])
    kept = labels != IGNORED
    soft = -(torch.softmax(teacher, 1) * torch.log_softmax(logits, 1)).sum(1)[kept].mean()
    wanted = 0.7 * cross_entropy(logits[kept], labels[kept]) + 0.3 * soft
    found = distilled_cross_entropy(logits, labels, teacher_logits=teacher, alpha=0.3)
    assert float(found) == pytest.approx(float(wanted), rel=1e-5)


def test_with_no_word_left_out_the_loss_is_nothing():
    logits = torch.randn(2, 3, requires_grad=True)
    loss = distilled_cross_entropy(logits, torch.full((2,), IGNORED), teacher_logits=logits, alpha=0.4)
    loss.backward()
    assert float(loss.detach()) == 0.0 and not logits.grad.any()


def test_masking_keeps_its_shares_and_its_labels():
    tokens = torch.arange(10).repeat(2000, 1)
    shown, labels = mask_words(tokens, generator(), mask=99, vocabulary=50, kept=(0, 1), probability=0.3)
    asked = labels != IGNORED
    assert torch.equal(labels[asked], tokens[asked]) and not asked[:, :2].any()
    assert torch.equal(shown[~asked], tokens[~asked])
    assert float(asked[:, 2:].float().mean()) == pytest.approx(0.3, abs=0.01)
    hidden = (shown == 99) & asked
    assert float(hidden.sum() / asked.sum()) == pytest.approx(0.8, abs=0.02)
    changed = asked & ~hidden & (shown != tokens)
    assert float(changed.sum() / asked.sum()) == pytest.approx(0.1 * 49 / 50, abs=0.015)


def test_a_text_of_nothing_but_kept_tokens_is_left_alone():
    tokens = torch.tensor([[2, 0, 0]])
    shown, labels = mask_words(tokens, generator(), mask=4, vocabulary=9, kept=(0, 2), probability=1.0)
    assert torch.equal(shown, tokens) and (labels == IGNORED).all()


# --- ALBEF's own numbers -----------------------------------------------------------------------------------


@pytest.fixture
def steps(golden):
    """Every recorded step: its arrays, its case's configuration, features and first state."""
    from safetensors.torch import load_file

    found = []
    for path in sorted((golden / "albef_tiny").glob("case*/pretrain_alpha*.npz")):
        with np.load(path) as file, np.load(path.parent / "inference.npz") as plain:
            names = [name for name in file.files if file[name].dtype.kind in "fi"]
            step = {name: torch.from_numpy(file[name]) for name in names}
            features = Paired(*(torch.from_numpy(plain[f"{kind}_feat"]) for kind in ("image", "text")))
            step["input_ids"] = torch.from_numpy(plain["input_ids"])
        config = json.loads((path.parent / "config.json").read_text())
        found.append((step, config, features, load_file(path.parent / "state_dict.safetensors")))
    assert found
    return found


def enqueued(step, count, pointer):
    """The batch's momentum vectors, as the queue has them after the step."""
    columns = (torch.arange(count) + pointer) % step["image_queue_after"].shape[1]
    return Paired(*(step[f"{kind}_queue_after"][:, columns].T for kind in ("image", "text")))


@pytest.mark.shared
def test_contrast_and_its_similarities_are_albefs(steps):
    for step, config, features, state in steps:
        momentum = enqueued(step, len(features.images), config["case"]["ptr"])
        queue = Paired(state["image_queue"].T, state["text_queue"].T)
        found = itc_with_queue(
            features, momentum, queue, temperature=step["temp_after"], alpha=float(step["alpha"])
        )
        assert float(found.loss) == pytest.approx(float(step["loss_ita"]), rel=1e-4)
        for mine, name in ((found.image_to_text, "sim_i2t"), (found.text_to_image, "sim_t2i")):
            torch.testing.assert_close(mine, step[name][:, : len(mine)], rtol=1e-4, atol=1e-4)


@pytest.mark.shared
def test_weights_of_negatives_are_albefs_made_to_sum_to_one(steps):
    for step, _, features, _ in steps:
        for way in ("i2t", "t2i"):
            theirs = step[f"itm_weights_{way}"]
            found = negative_weights(step[f"sim_{way}"][:, : len(features.images)])
            torch.testing.assert_close(found, theirs / theirs.sum(1, keepdim=True), rtol=1e-4, atol=1e-5)


@pytest.mark.shared
def test_equal_texts_that_albef_draws_as_negatives_are_none_here(steps):
    """Its second case has two identical texts: it teaches that they don't match; here nothing is drawn."""
    cases = [(step, config["texts"]) for step, config, _, _ in steps if len(set(config["texts"])) == 1]
    assert cases
    for step, texts in cases:
        assert (step["neg_text_idx"] != torch.arange(len(texts))).all()
        same = torch.ones(len(texts), len(texts), dtype=torch.bool)
        weights = negative_weights(step["sim_i2t"][:, : len(texts)], same)
        assert draw_negatives(weights, generator()).tolist() == [NONE] * len(texts)


@pytest.mark.shared
def test_the_same_seed_draws_albefs_negatives_and_words(steps):
    for step, config, _, _ in steps:
        drawn = generator(config["forward_seed"])
        assert torch.equal(draw_negatives(step["itm_weights_t2i"], drawn), step["neg_image_idx"])
        assert torch.equal(draw_negatives(step["itm_weights_i2t"], drawn), step["neg_text_idx"])
        shown, labels = mask_words(
            step["input_ids"], drawn, mask=4, vocabulary=config["case"]["vocab"], kept=(0, 2),
            probability=config["model"]["mlm_probability"],
        )  # fmt: skip
        assert torch.equal(shown, step["mlm_input_ids"])
        assert torch.equal(labels, step["mlm_labels"])


@pytest.mark.shared
def test_matching_and_word_losses_are_albefs(steps):
    for step, _, _, _ in steps:
        pairs = matching_pairs(step["neg_image_idx"], step["neg_text_idx"])
        assert torch.equal(pairs.labels, step["itm_labels"]) and pairs.left_out == 0
        matching = distilled_cross_entropy(step["itm_logits"], pairs.labels)
        assert float(matching) == pytest.approx(float(step["loss_itm"]), rel=1e-4)
        words = distilled_cross_entropy(
            step["mlm_logits"],
            step["mlm_labels"],
            teacher_logits=step["mlm_teacher_logits"],
            alpha=float(step["alpha"]),
        )
        assert float(words) == pytest.approx(float(step["loss_mlm"]), rel=1e-4)


@pytest.mark.shared
def test_the_queue_after_a_step_is_albefs(steps):
    for step, config, features, state in steps:
        size, pointer = config["case"]["queue"], config["case"]["ptr"]
        queue = Queue(size, features.images.shape[1])
        place = torch.tensor([pointer, size])
        keys = torch.full((size,), NONE)
        queue.load_state_dict(
            {"images": state["image_queue"].T, "texts": state["text_queue"].T, "keys": keys, "place": place}
        )
        queue.put(enqueued(step, len(features.images), pointer))
        assert torch.equal(queue.images.T, step["image_queue_after"])
        assert torch.equal(queue.texts.T, step["text_queue_after"])
        assert queue.at == int(step["queue_ptr_after"][0])


@pytest.mark.shared
def test_fine_tuned_matching_has_xrems_loss(golden):
    for path in sorted((golden / "albef_tiny").glob("case*/itm3.npz")):
        with np.load(path) as file:
            logits, targets = torch.from_numpy(file["logits_paired"]), torch.from_numpy(file["targets"])
            wanted = float(file["loss_alpha0"])
        assert float(distilled_cross_entropy(logits, targets)) == pytest.approx(wanted, rel=1e-4)
