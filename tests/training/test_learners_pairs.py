"""X-REM's second stage in the loop: who meets whom, who is left out, resumed bit for bit, and its score."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from xemplar.errors import MismatchError, XemplarError
from xemplar.findings import FINDINGS
from xemplar.models.matcher_folder import open_matcher, open_searching_matcher
from xemplar.report import text_key
from xemplar.training import loop
from xemplar.training.cached import Passes
from xemplar.training.learners import pairs as learning
from xemplar.training.learners.learner import Ground, NotFinite
from xemplar.training.learners.matcher import MatcherLearner
from xemplar.training.learners.pairs import PairLearner, pair_recipe
from xemplar.training.objectives.matcher import Pairs, matching_logits
from xemplar.training.objectives.negatives import any_two, finding_vector
from xemplar.training.ranks import Ranks
from xemplar.training.recipe import Recipe
from xemplar.training.sampling import Sampler, hold_back, pairs_of

RECIPE = {
    "name": "tiny", "domain": "chest",
    "matcher": {
        "image": {"input_size": 32, "patch": 8, "channels": 1, "width": 16, "depth": 1, "heads": 2},
        "text": {"vocabulary": 300, "width": 16, "layers": 2, "fusion": 1, "heads": 2, "inner": 32,
                 "positions": 128, "max_tokens": 96, "dropout": 0.1},
        "dim": 8, "queue": 40, "momentum": 0.9,
    },
    "training": {"text_unit": "report", "batch": 24, "epochs": 9, "seed": 5, "chunk": 7, "word_dropout": 0.5},
    "matching": {"epochs": 2, "batch": 12, "learning_rate": 1e-3},
}  # fmt: skip


def recipe(**matching):
    return Recipe.model_validate({**RECIPE, "matching": {**RECIPE["matching"], **matching}})


def ground_of(corpus, made):
    pairs, held = hold_back(pairs_of(corpus, "train"), made.training.seed)
    return Ground(corpus, made, pairs, held, Ranks(), Passes(Ranks()))


def batches_of(learner, epoch=0):
    ground = learner.ground
    sampler = Sampler(ground.corpus, ground.pairs, ground.recipe, size=learner.input_size)
    return list(sampler.batches(epoch))


def texts_met(learner, batch, monkeypatch):
    """The reports that the batch's images meet, three each."""
    seen = []
    monkeypatch.setattr(learner, "_pairs", lambda images, texts: seen.append((images, texts)) or _stopped())
    with pytest.raises(Stopped):
        learner.backward(batch, of=1)
    images, texts = seen[0]
    return images, [tuple(texts[at : at + 3]) for at in range(0, len(texts), 3)]


class Stopped(Exception):
    """Raised by a test to stop a run."""


def _stopped():
    raise Stopped


@pytest.fixture(scope="module")
def ground(phantom_corpus):
    return ground_of(phantom_corpus, pair_recipe(recipe()))


@pytest.fixture(scope="module")
def first(phantom_corpus, tmp_path_factory):
    """A finished first stage: its folder."""
    folder, values = tmp_path_factory.mktemp("first"), {**RECIPE["training"], "chunk": 0}
    learner = MatcherLearner(ground_of(phantom_corpus, Recipe.model_validate({**RECIPE, "training": values})))
    learner.write(folder, recipe_text="", facts=learner.ground.facts)
    return folder


@pytest.fixture
def learner(ground, first):
    return PairLearner(ground, first)


def test_the_loop_trains_it_by_its_own_settings():
    told = pair_recipe(recipe()).training
    assert (told.epochs, told.batch, told.learning_rate) == (2, 12, 1e-3)
    assert (told.text_unit, told.chunk, told.word_dropout, told.seed) == ("report", 0, 0.0, 5)


@pytest.mark.parametrize("change", [{"matching": None}, {"matching": {"layers": 2}}])
def test_a_recipe_without_this_stage_is_refused(change):
    with pytest.raises(XemplarError, match="no second stage that goes on from a matcher"):
        pair_recipe(Recipe.model_validate({**RECIPE, **change}))


def test_it_goes_on_from_the_first_stages_towers(learner, first):
    opened = open_matcher(first)
    for name, value in opened.net.image.state_dict().items():
        assert torch.equal(learner.module.online.image.state_dict()[name], value)
    config = learner.module.config
    assert (config.dim, config.classes, config.head) == (None, 3, "mlp")
    assert learner.tokenizer.get_vocab() == opened.tokenizer.get_vocab()


def test_an_image_meets_its_own_report_one_near_by_findings_and_another(learner, monkeypatch):
    batch = batches_of(learner)[0]
    images, met = texts_met(learner, batch, monkeypatch)
    of = {pair.study_id: pair for pair in learner.ground.pairs}
    claims = {pair.report: finding_vector(pair.claims) for pair in learner.ground.pairs}
    every = list(claims.values())
    assert len(images) == len(met) == 12
    for name, (own, hard, other) in zip(batch.study_ids, met, strict=True):
        assert own == of[name].report
        mine = claims[own]
        least = min(np.abs(mine - one).sum() for one in every if (mine != one).any())
        assert np.abs(mine - claims[hard]).sum() == least > 0
        assert (claims[other] != mine).any()


def test_negatives_are_drawn_anew_every_epoch_and_the_same_again(learner, ground, first):
    again = PairLearner(ground, first)
    again._mined(1)
    assert again._mined(0) == learner._mined(0) != learner._mined(1) == again._mined(1)


def test_random_negatives_are_of_another_text(ground, first, monkeypatch):
    learner = PairLearner(replace(ground, recipe=pair_recipe(recipe(negatives="random"))), first)
    batch = batches_of(learner)[0]
    _, met = texts_met(learner, batch, monkeypatch)
    assert all(text_key(own) not in {text_key(hard), text_key(other)} for own, hard, other in met)


def test_any_two_draws_every_other_row_as_often():
    numbers = np.array([0, 1, 0, 2, 1, 0])
    drawn = [any_two(numbers, np.random.default_rng(seed)) for seed in range(3000)]
    assert all((numbers[one.hard] != numbers).all() for one in drawn)
    for row, others in ((0, {1, 3, 4}), (3, {0, 1, 2, 4, 5})):
        counts = Counter(int(one.random[row]) for one in drawn)
        assert counts.keys() == others
        assert min(counts.values()) > 0.85 * 3000 / len(others)


@pytest.mark.parametrize("numbers", [[], [3], [2, 2, 2]])
def test_rows_without_another_text_are_left_out(numbers):
    drawn = any_two(np.array(numbers, np.int64), np.random.default_rng(0))
    assert drawn.left_out.tolist() == list(range(len(numbers)))
    assert len(drawn.rows) == len(drawn.hard) == 0


def test_findings_are_those_a_report_states_and_no_finding_is_one():
    claims = frozenset({("Edema", "present", None), ("Pneumonia", "uncertain", None),
                        ("Fracture", "absent", None)})  # fmt: skip
    row = finding_vector(claims)
    assert row.tolist() == [float(name == "Edema") for name in FINDINGS] + [0.0]
    assert finding_vector(frozenset({("Support Devices", "present", None)}))[-1] == 1.0
    assert finding_vector(frozenset()).tolist() == [0.0] * len(FINDINGS) + [1.0]


def test_those_without_a_negative_are_left_out_and_counted(ground, first, monkeypatch):
    """All report one thing but one study, whose text three share: those three have no other."""
    text = ground.pairs[0].report
    alike = [replace(pair, claims=frozenset()) for pair in ground.pairs[:-1]]
    odd = replace(ground.pairs[-1], claims=frozenset({("Edema", "present", None)}), report=text)
    alike[:3] = [replace(pair, report=text) for pair in alike[:3]]
    learner = PairLearner(replace(ground, pairs=(*alike, odd)), first)
    assert learner.left_out == 3
    batch = batches_of(learner)[0]
    batch = replace(batch, study_ids=(*[pair.study_id for pair in alike[:3]], *batch.study_ids[3:]))
    images, met = texts_met(learner, batch, monkeypatch)
    asked = [name for name in batch.study_ids if name not in {pair.study_id for pair in alike[:3]}]
    assert len(images) == len(met) == len(asked) < 12


def test_a_batch_where_nobody_has_one_teaches_nothing(learner):
    batch = batches_of(learner)[0]
    learner._mined = lambda _epoch: ({}, ())
    assert learner.backward(batch, of=1) == 0.0
    assert all(one.grad is None for one in learner.module.parameters())


def test_a_corpus_whose_reports_claim_alike_is_refused(ground, first):
    same = tuple(replace(pair, claims=frozenset()) for pair in ground.pairs)
    with pytest.raises(XemplarError, match=r"none of \d+ studies has a report to tell its own from, by the"):
        PairLearner(replace(ground, pairs=same), first)


def test_the_loss_is_that_of_pairs_encoded_one_by_one(learner):
    """An image that three texts meet is encoded once; its logits are the same."""
    net = learner.module.online.eval()
    batch = batches_of(learner)[0]
    images = learning.shown(batch, learner.ground, learner.module.config.image)[:2]
    pairs = learner._pairs(images, [pair.report for pair in learner.ground.pairs[:6]])
    plain = Pairs(images.repeat_interleave(3, 0), pairs.tokens, pairs.mask)
    with torch.no_grad():
        torch.testing.assert_close(matching_logits(net, pairs), matching_logits(net, plain))


def test_own_reports_are_the_last_class(learner, monkeypatch):
    seen = []

    def loss(_matcher, _pairs, targets, *, alpha):
        seen.append((targets.tolist(), alpha))
        raise Stopped

    monkeypatch.setattr(learning, "matching_loss", loss)
    for batch in (batches_of(learner)[0], batches_of(learner, epoch=1)[0]):
        with pytest.raises(Stopped):
            learner.backward(batch, of=1)
    assert [targets for targets, _ in seen] == [[2, 0, 0] * 12] * 2
    assert [alpha for _, alpha in seen] == [0.0, 0.4]


def test_steps_lower_the_loss(learner):
    batch = replace(batches_of(learner)[0], step=100)
    optimizer = torch.optim.AdamW([p for p in learner.module.parameters() if p.requires_grad], 3e-3)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        losses.append(learner.backward(batch, of=1))
        optimizer.step()
        learner.after_step()
    assert losses[-1] < losses[0] - 0.1


def test_a_match_outscores_both_negatives_and_ties_lose(learner, monkeypatch):
    count = len(learner._held)
    rows = {0: (3.0, 1.0, 2.0), 1: (3.0, 3.0, 2.0)}  # a win, then a tie
    flat = [value for place in range(count) for value in rows.get(place, (1.0, 0.0, 2.0))]
    logits = torch.zeros(3 * count, 3)
    logits[:, -1] = torch.tensor(flat)
    monkeypatch.setattr(learning, "matching_logits", lambda _net, _pairs: logits)
    assert count <= learner.settings.batch
    assert learner.validate() == {"val_match": 1 / count, "val_matched": float(count)}


def test_validation_is_by_the_scores_that_are_served(learner, tmp_path):
    learner.write(tmp_path, recipe_text="", facts=learner.ground.facts)
    served, held, won = open_matcher(tmp_path), learner.ground.validation, 0
    for triple in learner._held:
        image = learner.ground.corpus.preview(held[triple[0]].view_ids[0])
        scores = served.match([image], served.prepare([held[at].report for at in triple])).scores[0]
        won += scores[0] > scores[1:].max()
    assert learner.validate()["val_match"] == won / len(learner._held)


def test_the_folder_judges_pairs_and_counts_who_was_left_out(learner, tmp_path):
    learner.write(tmp_path, recipe_text="text", facts=learner.ground.facts)
    mined = open_matcher(tmp_path).manifest["mined"]
    assert mined == {"negatives": "labels", "left_out": 0, "of": len(learner.ground.pairs)}
    with pytest.raises(XemplarError, match="only judges pairs"):
        open_searching_matcher(tmp_path)


def test_a_loss_that_is_no_number_stops(learner):
    batch = batches_of(learner)[0]
    images = batch.images.copy()
    images[1] = np.nan
    with pytest.raises(NotFinite, match="not finite in row 3, 4, 5"):
        learner.backward(replace(batch, images=images), of=1)


def test_a_first_stage_is_needed(ground, tmp_path):
    with pytest.raises((XemplarError, MismatchError)):
        PairLearner(ground, tmp_path)


def test_an_interrupted_run_goes_on_to_the_same_bits(phantom_corpus, first, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SAVE_SECONDS", -1.0)

    def run_of(folder):
        folder.mkdir(exist_ok=True)
        make = lambda ground: PairLearner(ground, first)  # noqa: E731
        return loop._Run(phantom_corpus, pair_recipe(recipe()), folder, origin="o", learner=make)

    def stop(progress):
        if progress.step == 4:
            raise Stopped

    whole = run_of(tmp_path / "whole")
    whole.run(None)
    with pytest.raises(Stopped):
        run_of(tmp_path / "m").run(stop)
    torch.manual_seed(99)  # must not matter
    again = run_of(tmp_path / "m")
    assert 0 < again.at.step < whole.steps
    again.run(None)
    one, two = whole.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert again.at.log == whole.at.log
