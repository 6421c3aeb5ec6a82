"""A step: the plain way's to the bit, batches averaged, and stopped before anything that isn't a number."""

from itertools import islice
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from xemplar.errors import XemplarError
from xemplar.training import loop
from xemplar.training.learners import dual
from xemplar.training.loop import train
from xemplar.training.ranks import seeded
from xemplar.training.recipe import load_recipe


def equal(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_a_loss_that_isnt_a_number_stops_it_and_names_the_batch(
    phantom_corpus, tiny, tmp_path, monkeypatch, spoil_loss
):
    spoil_loss(monkeypatch, call=3)
    with pytest.raises(XemplarError, match=r"the loss is nan at step 1, in batch 1 \(.*; lower the") as told:
        train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="")
    assert not (tmp_path / "m/model.json").exists()
    named = str(told.value).partition("(studies ")[2].partition(" and 7 more)")[0].split(", ")
    assert len(named) == loop.SHOWN and set(named) <= {s.study_id for s in phantom_corpus.part("train")}


def test_a_gradient_that_isnt_finite_stops_it_before_the_step(phantom_corpus, tiny, tmp_path, monkeypatch):
    real = torch.nn.utils.clip_grad_norm_

    def broken(parameters, most):
        learnt = [one for one in parameters if one.grad is not None]
        learnt[0].grad.fill_(float("inf"))
        return real(learnt, most)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", broken)
    with pytest.raises(XemplarError, match="the gradient's norm is inf at step 0, in batch 0"):
        train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="")
    kept = load_file(next((tmp_path / "m/state").glob("*.safetensors")))
    assert all(torch.isfinite(value).all() for value in kept.values())


@pytest.mark.parametrize("chunk", [0, 4])
def test_an_image_whose_vector_isnt_finite_is_named(phantom_corpus, tiny, tmp_path, monkeypatch, chunk):
    run = loop._Run(phantom_corpus, tiny(chunk=chunk, frozen_norm=True), tmp_path, origin="x")
    batch = next(run.sampler.batches(0))
    batch.images[7] = float("nan")
    with pytest.raises(XemplarError, match=rf"not finite, of 1 studies \({batch.study_ids[7]}\) at step 0"):
        run._step([batch])


@pytest.mark.parametrize(("temperature", "scale"), [(0.001, 100.0), (0.01, 100.0), (1.0, 1.0)])
def test_a_temperature_at_its_bound_still_learns(phantom_corpus, tiny, tmp_path, temperature, scale):
    recipe = tiny(learning_rate=1e-2, warmup=0.0)
    recipe = recipe.model_copy(update={"model": recipe.model.model_copy(update={"temperature": temperature})})
    run = loop._Run(phantom_corpus, recipe, tmp_path, origin="x")
    assert float(run.learner.model.scale.detach()) == pytest.approx(scale, rel=1e-5)
    seen = []
    for batch in [*run.sampler.batches(0), *run.sampler.batches(1)]:
        run._step([batch])
        seen.append(float(run.learner.model.scale.detach()))
    assert all(0 < value <= 100.0 for value in seen) and len(set(seen)) > 1


def _plain_step(run, batch):
    """A step as one would write it without chunks, processes or accumulation."""
    run.model.train()
    for group in run.optimizer.param_groups:
        group["lr"] = run._rate(batch.step)
    generator = torch.Generator().manual_seed(seeded(run.settings.seed, batch.step))
    images = dual.augment(torch.from_numpy(batch.images), run.settings.augmentation, generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeded(run.settings.seed + 1, batch.step))
        with torch.autocast("cpu", torch.bfloat16, enabled=run.settings.precision == "bf16"):
            model, limit = run.learner.model, run.learner.model.config.text.max_tokens
            vectors, losses = model.image_vectors(images), []
            for texts in batch.texts:
                words = dual.tokenize(run.learner.tokenizer, texts.texts, limit)
                right = torch.from_numpy(texts.positives)
                found = model.text_vectors(*words)
                losses.append(dual.info_nce(vectors, found, right, scale=model.scale))
    loss = torch.stack(losses).mean()
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
    run.optimizer.step()
    return float(loss.detach())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("small", [False, True])
def test_two_steps_are_the_plain_way_of_writing_them_to_the_bit(
    phantom_corpus, tiny, tmp_path, small, precision
):
    recipe = tiny(precision=precision)
    if small:
        recipe, _ = load_recipe(str(Path(__file__).parents[1] / "small.toml"))
    one, other = (loop._Run(phantom_corpus, recipe, tmp_path, origin="x") for _ in range(2))
    for batch in islice(one.sampler.batches(0), 2):
        assert one._step([batch]) == _plain_step(other, batch)
        one.at.step += 1
    assert equal(one.model.state_dict(), other.model.state_dict())


def test_a_step_of_two_batches_has_their_mean_gradient(phantom_corpus, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda _self: None)
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda _parameters, _most: 1.0)

    def gradients(batches):
        run = loop._Run(phantom_corpus, tiny(frozen_norm=True), tmp_path, origin="x")
        drawn = list(run.sampler.batches(0))
        loss = run._step([drawn[number] for number in batches])
        return loss, [one.grad for one in run.model.parameters()]

    both, *each = (gradients(batches) for batches in ([0, 1], [0], [1]))
    assert both[0] == pytest.approx((each[0][0] + each[1][0]) / 2)
    for found, one, two in zip(both[1], each[0][1], each[1][1], strict=True):
        torch.testing.assert_close(found, (one + two) / 2, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("batch", "accumulate", "steps"), [(12, 1, 3), (12, 2, 1), (12, 9, 1), (6, 2, 3), (500, 2, 1)]
)
def test_how_many_steps_an_epoch_has(phantom_corpus, tiny, tmp_path, batch, accumulate, steps):
    """37 studies: a short last batch or step is dropped, unless it is the only one."""
    recipe = tiny(batch=batch, accumulate=accumulate, epochs=2)
    run = loop._Run(phantom_corpus, recipe, tmp_path, origin="x")
    assert len(run.pairs) == 37
    groups = list(run._groups_of_batches())
    assert run.per_epoch == len(groups) == steps and run.steps == 2 * steps
    assert len(groups[0]) == min(accumulate, run.sampler.per_epoch)
    assert [batch.step for group in groups for batch in group] == list(range(steps * len(groups[0])))


def test_chunks_with_batch_norm_are_refused(phantom_corpus, tiny, tmp_path):
    with pytest.raises(XemplarError, match=r"training\.chunk with BatchNorm .*; wanted .*frozen_norm = true"):
        train(phantom_corpus, tiny(chunk=4), tmp_path / "m", recipe_text="")


def test_one_study_to_learn_from_is_too_few(phantom_corpus, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "hold_back", lambda pairs, _seed: (pairs[:1], pairs[1:]))
    with pytest.raises(XemplarError, match="one study is left to learn from; wanted at least 2"):
        train(phantom_corpus, tiny(), tmp_path / "m", recipe_text="")
