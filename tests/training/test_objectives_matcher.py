"""A matcher's step where ALBEF's crashes or errs, and what is drawn for it."""

import pytest
import torch

from xemplar.models.config import MatcherConfig
from xemplar.models.momentum import MomentumMatcher
from xemplar.training.objectives.matcher import Draws, Pairs, matching_loss, pretraining_losses


def config(**rest):
    return MatcherConfig.model_validate({
        "image": {"input_size": 16, "patch": 8, "width": 12, "depth": 1, "heads": 3},
        "text": {"vocabulary": 30, "width": 8, "layers": 2, "fusion": 1, "heads": 2, "inner": 16,
                 "positions": 20, "max_tokens": 20, "cls_token": 2, "sep_token": 3, "mask_token": 4},
        "dim": 6, "queue": 8, **rest,
    })  # fmt: skip


@pytest.fixture
def matcher():
    torch.manual_seed(0)
    return MomentumMatcher(config())


def pairs(count, keys=None):
    draw = torch.Generator().manual_seed(count)
    tokens = torch.randint(5, 30, (count, 6), generator=draw)
    tokens[:, 0], tokens[:, 5] = 2, 0
    images = torch.randn(count, 3, 16, 16, generator=draw)
    keys = None if keys is None else torch.tensor(keys)
    return Pairs(images, tokens, (tokens != 0).long(), keys)


def step(matcher, batch, seed=1, alpha=0.4, **rest):
    return pretraining_losses(matcher, batch, alpha, generator=torch.Generator().manual_seed(seed), **rest)


def finite(losses):
    return all(torch.isfinite(part) for part in (losses.itc, losses.itm, losses.mlm))


def test_the_same_generator_draws_the_same(matcher):
    state = {name: value.clone() for name, value in matcher.state_dict().items()}
    one = step(matcher, pairs(5))
    matcher.load_state_dict(state)
    two = step(matcher, pairs(5))
    assert torch.equal(one.total, two.total)
    assert torch.equal(one.draws.tokens, two.draws.tokens)


def test_drawn_and_pinned_are_one(matcher):
    state = {name: value.clone() for name, value in matcher.state_dict().items()}
    one = step(matcher, pairs(5))
    matcher.load_state_dict(state)
    assert torch.equal(one.total, pretraining_losses(matcher, pairs(5), 0.4, draws=one.draws).total)


def test_neither_draws_nor_a_generator_is_an_error(matcher):
    with pytest.raises(ValueError, match="needs a generator"):
        pretraining_losses(matcher, pairs(2), 0.4)


def test_a_matcher_of_pairs_alone_is_not_pretrained():
    with pytest.raises(ValueError, match="train it by matching_loss"):
        step(MomentumMatcher(config(dim=None)), pairs(2))


def test_a_negative_is_another_row(matcher):
    for seed in range(20):
        draws = step(matcher, pairs(3), seed).draws
        assert (draws.images != torch.arange(3)).all()
        assert (draws.texts != torch.arange(3)).all()


def test_equal_texts_are_never_negatives(matcher):
    keys = [7, 7, 9, 7]
    for seed in range(20):
        draws = step(matcher, pairs(4, keys), seed).draws
        assert draws.images.tolist() == [2, 2, draws.images[2], 2]
        assert draws.texts.tolist() == [2, 2, draws.texts[2], 2]


def test_a_batch_of_one_has_no_negatives_and_says_so(matcher):
    losses = step(matcher, pairs(1))
    assert finite(losses)
    assert losses.left_out == 2
    losses.total.backward()


def test_a_batch_of_one_text_has_no_negatives_and_says_so(matcher):
    losses = step(matcher, pairs(3, [4, 4, 4]))
    assert finite(losses)
    assert losses.left_out == 6


def test_one_text_alone_shares_all_of_itcs_target(matcher):
    """Every column is right for every row, so that each target is a third."""
    batch = pairs(3, [4, 4, 4])
    found = step(matcher, batch, alpha=0.0)
    net = matcher.online
    image = net.image_vectors(net.image(batch.images))
    text = net.text_vectors(net.text(batch.tokens, batch.mask))
    slow = matcher.momentum
    with torch.no_grad():
        others = slow.text_vectors(slow.text(batch.tokens, batch.mask))
        films = slow.image_vectors(slow.image(batch.images))
    ways = [-(own @ other.T / matcher.temperature).log_softmax(1).mean() for own, other in
            ((image, others), (text, films))]  # fmt: skip
    torch.testing.assert_close(found.itc, (ways[0] + ways[1]) / 2)


def test_an_equal_text_in_the_queue_is_right_too(matcher):
    state = {name: value.clone() for name, value in matcher.state_dict().items()}
    losses = []
    for key in (1, 3):
        matcher.load_state_dict(state)
        matcher.enqueue(torch.eye(6)[:2], torch.eye(6)[:2], torch.tensor([key, key]))
        losses.append(float(step(matcher, pairs(2, [3, 4]), alpha=0.0).itc.detach()))
    assert losses[0] != losses[1]


def test_a_temperature_at_its_floor_does_not_crash(matcher):
    matcher.temperature.data.fill_(1e-9)
    losses = step(matcher, pairs(6))
    assert float(matcher.temperature.detach()) == pytest.approx(0.001)
    assert finite(losses)
    assert losses.left_out == 0
    losses.total.backward()
    assert all(torch.isfinite(part.grad).all() for part in matcher.parameters() if part.grad is not None)


def test_a_temperature_comes_down_to_its_ceiling(matcher):
    matcher.temperature.data.fill_(3.0)
    step(matcher, pairs(2))
    assert float(matcher.temperature.detach()) == 0.5


def test_no_word_left_out_is_no_loss(matcher):
    batch = pairs(2)
    draws = Draws(
        torch.tensor([1, 0]), torch.tensor([1, 0]), batch.tokens, torch.full_like(batch.tokens, -100)
    )
    losses = pretraining_losses(matcher, batch, 0.4, draws=draws)
    assert float(losses.mlm.detach()) == 0
    losses.total.backward()


def test_words_left_out_are_neither_cls_nor_padding(matcher):
    labels = torch.cat([step(matcher, pairs(40), seed).draws.labels for seed in range(5)])
    assert (labels[:, [0, 5]] == -100).all()
    assert 0.1 < float((labels[:, 1:5] != -100).float().mean()) < 0.2


def test_the_queue_takes_the_copys_vectors_behind_the_loss(matcher):
    batch = pairs(3, [1, 2, 3])
    step(matcher, batch)
    images, _, keys = matcher.queued()
    with torch.no_grad():
        expected = matcher.momentum.image_vectors(matcher.momentum.image(batch.images))
    torch.testing.assert_close(images, expected)
    assert keys.tolist() == [1, 2, 3]


def test_every_rank_queues_the_vectors_of_all(matcher):
    step(matcher, pairs(2, [1, 2]), gather=lambda rows: torch.cat([rows, rows]))
    assert matcher.queued()[2].tolist() == [1, 2, 1, 2]


def test_a_pair_is_learnt():
    torch.manual_seed(0)
    matcher = MomentumMatcher(config(dim=None, classes=3, head="mlp"))
    batch, targets = pairs(4), torch.tensor([2, 0, 2, 0])
    optimiser = torch.optim.AdamW(matcher.online.parameters(), lr=3e-3)
    first = None
    for _ in range(40):
        loss = matching_loss(matcher, batch, targets, alpha=0.0)
        first = loss.item() if first is None else first
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.3 * first


def test_the_copys_opinion_weighs_as_much_as_is_said():
    torch.manual_seed(0)
    state = MomentumMatcher(config(dim=None, classes=3, head="mlp"))
    kept = {name: value.clone() for name, value in state.state_dict().items()}
    losses = []
    for alpha in (0.0, 0.5, 1.0):
        state.load_state_dict(kept)
        losses.append(matching_loss(state, pairs(3), torch.tensor([2, 0, 0]), alpha=alpha).item())
    assert losses[1] == pytest.approx((losses[0] + losses[2]) / 2, rel=1e-5)
