"""Batches follow from (seed, epoch, number), and hold every right pair there is among them."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from xemplar.corpus import Corpus, IngestSettings, ingest
from xemplar.errors import XemplarError
from xemplar.findings import read_claims
from xemplar.images import PreviewSpec, model_input
from xemplar.report import sentences, text_key
from xemplar.sources import phantom
from xemplar.training.recipe import Objective, Recipe, Training
from xemplar.training.sampling import Pair, Sampler, hold_back, pairs_of


def recipe_of(training, **objective):
    """A recipe as far as sampling looks at it."""
    return Recipe.model_construct(training=Training(**training), objective=Objective(**objective))


@pytest.fixture(scope="module")
def pairs(phantom_corpus):
    return pairs_of(phantom_corpus, "train")


@pytest.fixture
def sampler(phantom_corpus, pairs):
    def make(**settings):
        return Sampler(phantom_corpus, pairs, recipe_of({"batch": 8, "seed": 3, **settings}), size=32)

    return make


def same(one, two):
    return (
        one.step == two.step
        and np.array_equal(one.images, two.images)
        and [texts.texts for texts in one.texts] == [texts.texts for texts in two.texts]
        and all(np.array_equal(a.positives, b.positives) for a, b in zip(one.texts, two.texts, strict=True))
    )


def test_a_pair_is_a_study_with_images_and_text(phantom_corpus, pairs):
    wanted = [s.study_id for s in phantom_corpus.part("train") if s.views and s.text]
    assert [pair.study_id for pair in pairs] == wanted


def test_the_same_seed_draws_the_same(sampler):
    settings = {"word_dropout": 0.3}
    drawn = zip(sampler(**settings).batches(2), sampler(**settings).batches(2), strict=True)
    assert all(same(one, two) for one, two in drawn)


@pytest.mark.parametrize("change", [{"seed": 4}, {}])
def test_another_seed_or_epoch_draws_others(sampler, change):
    first = next(sampler().batches(0))
    assert not same(first, next(sampler(**change).batches(0 if change else 1)))


def test_skipping_gives_the_rest_of_the_epoch(sampler):
    whole = list(sampler().batches(1))
    rest = list(sampler().batches(1, skip=2))
    assert len(rest) == len(whole) - 2 > 0
    assert all(same(one, two) for one, two in zip(whole[2:], rest, strict=True))


def test_steps_count_on_from_epoch_to_epoch(sampler):
    made = sampler()
    steps = [batch.step for epoch in range(3) for batch in made.batches(epoch)]
    assert steps == list(range(3 * made.per_epoch))


def test_an_epoch_shows_no_study_twice(sampler, pairs):
    shown = Counter(text for batch in sampler(text_unit="report").batches(0) for text in batch.texts[0].texts)
    wrote = Counter(pair.report for pair in pairs)
    assert all(count <= wrote[text] for text, count in shown.items())


def test_images_are_previews_made_for_the_model(phantom_corpus, pairs, sampler):
    batch = next(sampler(text_unit="report").batches(0))
    assert batch.images.shape == (8, 1, 32, 32)
    for image, right in zip(batch.images, batch.texts[0].positives, strict=True):
        reports = {batch.texts[0].texts[column] for column in np.flatnonzero(right)}
        own = [view for pair in pairs if pair.report in reports for view in pair.view_ids]
        assert any(np.array_equal(image[0], model_input(phantom_corpus.preview(v), 32)) for v in own)


@pytest.mark.parametrize(("unit", "kinds"), [("report", 1), ("sentence", 1), ("both", 2)])
def test_a_unit_of_text_for_every_objective(sampler, unit, kinds):
    assert len(next(sampler(text_unit=unit).batches(0)).texts) == kinds


def test_what_is_right_is_right_by_brute_force(phantom_corpus, pairs):
    """Two sentences of one key are one; a report that equals a sentence is that sentence."""
    sampler = Sampler(phantom_corpus, pairs, recipe_of({"batch": 30, "sentences": 4, "seed": 1}), size=32)
    texts_of = {}
    for study in phantom_corpus.part("train"):
        said = [s for part in (study.findings, study.impression) for s in sentences(part or "")]
        whole = " ".join(study.text.split())
        texts_of[whole] = {text_key(text) for text in (*said, whole)}
    batch = next(sampler.batches(0))
    reports, single = batch.texts
    for row in range(len(batch.images)):
        own = {reports.texts[column] for column in np.flatnonzero(reports.positives[row])}
        keys = texts_of[own.pop()]
        for text, right in zip(single.texts, single.positives[row], strict=True):
            assert right == (text_key(text) in keys)
    assert (single.positives.sum(axis=0) > 1).any()


def test_sentences_that_claim_what_the_report_claims_are_right_by_brute_force(phantom_corpus, pairs):
    """Read afresh by the engine: a text is a study's own, or every claim of it is one of the study's."""

    def claims(texts):
        return {(c.finding, c.presence, c.side) for text in texts for c in read_claims(text)}

    english = [pair for pair in pairs if phantom_corpus.by_id[pair.study_id].language == "en"]
    settings = {"batch": 30, "sentences": 4, "seed": 1}
    sampler = Sampler(phantom_corpus, tuple(english), recipe_of(settings, positives="claims"), size=32)
    plain = Sampler(phantom_corpus, tuple(english), recipe_of(settings), size=32)
    written = {pair.report: pair for pair in english}
    reports, single = next(sampler.batches(0)).texts
    for row, right in enumerate(single.positives):
        pair = written[reports.texts[int(np.flatnonzero(reports.positives[row])[0])]]
        made = claims(pair.sentences)
        for text, marked in zip(single.texts, right, strict=True):
            said = claims([text])
            assert marked == (text_key(text) in pair.keys or bool(said and said <= made))
    assert (single.positives & ~next(plain.batches(0)).texts[1].positives).any()


def test_every_image_has_a_right_text_and_every_text_an_image(sampler):
    for texts in next(sampler().batches(0)).texts:
        assert texts.positives.any(axis=0).all() and texts.positives.any(axis=1).all()


def test_equal_text_stands_once_in_a_batch(sampler):
    for batch in sampler(sentences=6).batches(0):
        for texts in batch.texts:
            assert len({text_key(text) for text in texts.texts}) == len(texts.texts)


def made_up(count):
    """Every pair says the common sentence and one of its own."""
    return tuple(
        Pair(f"s{n}", ("v",), f"Common. Own {n}.", ("Common.", f"Own {n}."), f"p{n}", frozenset())
        for n in range(count)
    )


def test_rare_sentences_are_drawn_sooner(phantom_corpus):
    """The common one of 25 weighs 1/5 of a rare one, so it is drawn first 1 time in 6."""
    sampler = Sampler(phantom_corpus, made_up(25), recipe_of({"sentences": 1}), size=32)
    rng = np.random.default_rng(0)
    drawn = Counter(sampler._draw_sentences(sampler.pairs[0], rng)[0] for _ in range(6000))
    assert drawn["Common."] == pytest.approx(1000, abs=120)


def test_no_sentence_is_drawn_twice_from_a_study(phantom_corpus):
    sampler = Sampler(phantom_corpus, made_up(3), recipe_of({"sentences": 5}), size=32)
    assert sorted(sampler._draw_sentences(sampler.pairs[1], np.random.default_rng(0))) == [
        "Common.",
        "Own 1.",
    ]


def test_dropped_words_leave_the_rest_in_order(sampler):
    plain = [text for batch in sampler(text_unit="report").batches(0) for text in batch.texts[0].texts]
    thin = [
        text for b in sampler(text_unit="report", word_dropout=0.4).batches(0) for text in b.texts[0].texts
    ]
    kept = 0
    for short, long in zip(thin, plain, strict=True):
        places = iter(long.split())
        assert all(word in places for word in short.split())
        kept += len(short.split())
    assert kept / sum(len(text.split()) for text in plain) == pytest.approx(0.6, abs=0.06)


def test_dropping_words_changes_nothing_else_that_is_drawn(sampler):
    thin = sampler(word_dropout=0.4).batches(0)
    for one, two in zip(sampler().batches(0), thin, strict=True):
        assert np.array_equal(one.images, two.images)


@pytest.mark.parametrize(("count", "batches"), [(2, 1), (7, 1), (8, 1), (15, 1), (16, 2)])
def test_a_short_last_batch_is_dropped_unless_it_is_the_only_one(phantom_corpus, count, batches):
    assert Sampler(phantom_corpus, made_up(count), recipe_of({"batch": 8}), size=32).per_epoch == batches


def _ingested(folder, arrivals, **settings):
    given = {"domain": "synthetic", "texts": "reports", "source": "phantom", "fractions": (1.0, 0.0, 0.0)}
    ingest(arrivals, folder, IngestSettings(**{**given, **settings}, preview=PreviewSpec(size=64)))
    return Corpus.open(folder)


def test_too_few_pairs_are_an_error(tmp_path):
    textless = [
        replace(a, study=replace(a.study, findings=None, impression=None)) for a in phantom.studies(3)
    ]
    corpus = _ingested(tmp_path / "c", textless)
    with pytest.raises(XemplarError, match="0 studies with images and text in its train part"):
        pairs_of(corpus, "train")


def test_a_caption_is_one_unit(tmp_path):
    captions = (
        replace(a, study=replace(a.study, impression="First. Second.", findings=None))
        for a in phantom.studies(9)
    )
    corpus = _ingested(tmp_path / "c", captions, texts="captions")
    assert {pair.sentences for pair in pairs_of(corpus, "train")} == {("First. Second.",)}


def test_patients_are_held_back_whole(pairs):
    learnt, held = hold_back(pairs, seed=0)
    assert {pair.cluster for pair in learnt}.isdisjoint(pair.cluster for pair in held)
    assert sorted(pair.study_id for pair in (*learnt, *held)) == sorted(pair.study_id for pair in pairs)
    assert 2 <= len(held) <= len(pairs) // 4


def test_who_is_held_back_follows_from_the_seed(pairs):
    assert hold_back(pairs, seed=0) == hold_back(pairs, seed=0)
    assert hold_back(pairs, seed=0) != hold_back(pairs, seed=1)


def test_order_differs_from_epoch_to_epoch(sampler):
    made = sampler(text_unit="report")
    orders = [tuple(b.texts[0].texts for b in made.batches(epoch)) for epoch in range(4)]
    assert all(one != two for one, two in pairwise(orders))
